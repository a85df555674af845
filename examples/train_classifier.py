"""From the output of ``augment`` to a confusion matrix: a small network, real and synthetic faces by the recipe.

    augment --input FACES --splits train,test --include-real --expressions discrete --per-image 6 --output grown
    python examples/train_classifier.py grown
    python examples/train_classifier.py grown --share 0        # the same training on real pictures alone

Trains on people of the ``train`` split and tests on real pictures of all other splits; where there are none, 30% of the
people are kept for the test. Real and synthetic pictures have to have one frame: face crops have it, and for whole
photographs ``augment --frame source`` puts edits back into theirs.
"""

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.manifests.torch_mixing import mixed_loader, recommended_share, recommended_units
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS

SIZE = 64
PLAIN = v2.Compose([v2.Grayscale(), v2.Resize((SIZE, SIZE)), v2.ToDtype(torch.float32, scale=True)])
CLASSIC = v2.Compose(
    [
        v2.Grayscale(),
        v2.Resize((SIZE, SIZE)),
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(degrees=(-8, 8), translate=(0.06, 0.06), scale=(0.9, 1.1)),
        v2.ColorJitter(brightness=0.3, contrast=0.3),
        v2.ToDtype(torch.float32, scale=True),
        v2.RandomErasing(),
    ]
)


class Block(nn.Module):
    """Two 3 x 3 convolutions that halve the picture, beside a 1 x 1 one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.beside = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, before, H, W) -> (B, after, H / 2, W / 2)."""
        return torch.relu(self.second(self.first(inputs)) + self.beside(inputs))


def network() -> nn.Module:
    """Return a residual network of 0.3 million parameters: (B, 1, 64, 64) in 0..1 -> (B, 7 + 17), classes and units."""
    stem = [nn.BatchNorm2d(1), nn.Conv2d(1, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, len(EMOTIONS) + len(AU_NAMES))]
    return nn.Sequential(*stem, Block(16, 32), Block(32, 64), Block(64, 128), *end)


def parts(manifest: Path) -> tuple[ManifestDataset, ManifestDataset, ManifestDataset]:
    """Return the real and the synthetic pictures to train on, and the real ones to test on: no person in both."""
    try:
        tested = ManifestDataset(manifest, split=("validation", "test"), kind="real", transform=PLAIN)
        people = None
    except ManifestError:
        groups = sorted(set(ManifestDataset(manifest, kind="real").groups))
        kept = [person for person in groups if int(hashlib.sha256(person.encode()).hexdigest(), 16) % 10 < 3]
        tested = ManifestDataset(manifest, kind="real", transform=PLAIN, group_id=kept)
        people = sorted(set(groups) - set(kept))
    chosen: dict[str, Any] = {
        "split": "train",
        "labels": "soft",
        "units": True,
        "transform": CLASSIC,
        "group_id": people,
    }
    return (
        ManifestDataset(manifest, kind="real", **chosen),
        ManifestDataset(manifest, kind=("edit", "variant"), **chosen),
        tested,
    )


def train(loader: DataLoader[Any], weight: float, device: str) -> nn.Module:
    """Train a network on one pass through ``loader``: soft labels, and, by ``weight``, the action units as well."""
    model = network().to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=len(loader), pct_start=0.2)
    for step, (pictures, labels, units) in enumerate(loader):
        answer = model(pictures.to(device))
        loss = F.cross_entropy(answer[:, : len(EMOTIONS)], labels.to(device), label_smoothing=0.1)
        loss = loss + weight * F.mse_loss(answer[:, len(EMOTIONS) :].sigmoid(), units.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} of {len(loader)}, loss {loss.item():.3f}")
    return model.eval()


@torch.no_grad()
def confusion(model: nn.Module, tested: ManifestDataset, device: str) -> np.ndarray:
    """Return how many pictures of each class (7 rows) were seen as each (7 columns)."""
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    for pictures, labels in DataLoader(tested, batch_size=64):
        seen = model(pictures.to(device))[:, : len(EMOTIONS)].argmax(1)
        np.add.at(counts, (labels.numpy(), seen.cpu().numpy()), 1)
    return counts


def main(
    manifest: Annotated[Path, typer.Argument(help="an output folder of `augment --include-real`")],
    steps: Annotated[int, typer.Option(help="batches")] = 1000,
    batch: Annotated[int, typer.Option(help="pictures a batch")] = 32,
    share: Annotated[float | None, typer.Option(help="synthetic share of a batch; default: the recipe's")] = None,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train, test, print the confusion matrix and each class' recall."""
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        real, synthetic, tested = parts(manifest)
    except ManifestError as error:
        print(f"{error} Was it made with --include-real, and of training pictures?", file=sys.stderr)
        raise typer.Exit(2) from None
    recipe = recommended_share(real.targets) if share is None else share
    loader, weight = mixed_loader(real, synthetic, batch, steps, recipe, seed), recommended_units(real.targets)
    print(f"{len(real)} real and {len(synthetic)} synthetic pictures to train on, {len(tested)} real ones to test on")
    counts = confusion(train(loader, weight, device), tested, device)
    print(f"{'shown / seen':>12}" + "".join(f"{name[:9]:>10}" for name in EMOTIONS) + "    recall")
    for name, row in zip(EMOTIONS, counts, strict=True):
        recall = f"{row[EMOTIONS.index(name)] / row.sum():10.2f}" if row.sum() else " not shown"
        print(f"{name:>12}" + "".join(f"{count:>10}" for count in row) + recall)
    print(f"accuracy {np.trace(counts) / counts.sum():.3f}")


if __name__ == "__main__":
    typer.run(main)
