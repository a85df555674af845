"""Does a classifier get better? The same small network, trained on real pictures alone and with synthetic ones added.

    augment --input DATA --splits train,test --include-real --per-image 8 --output grown
    python benchmarks/classifier.py --manifest grown

Cross-validation by ``group_id``: each fold's network is trained on rows of the other folds' people and tested on the
fold's *real* pictures, so that no synthetic picture is ever tested on, and none of a tested face is trained on. All
arms share folds, seeds, steps, batches (classes drawn equally often) and ordinary augmentation (mirror, shift, scale,
rotation, brightness, contrast); they differ in the rows they draw from. The network starts from nothing: what a
pretrained one would gain is another question. Prints accuracy, and the mean of the classes' recalls with its ratio to
the first arm.
"""

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.pipeline.expressions import EMOTIONS

ARMS = {
    "real": ("real",),
    "real + edits": ("real", "edit"),
    "real + variants": ("real", "variant"),
    "real + edits + variants": ("real", "edit", "variant"),
}
SIZE = 64
BATCH = 32


class Rows(NamedTuple):
    """Labelled pictures: uint8 (N, 3, 64, 64), int64 (N,), and N group and kind names."""

    pictures: Tensor
    labels: Tensor
    groups: np.ndarray
    kinds: np.ndarray


def load(manifest: Path) -> Rows:
    """Read all accepted labelled pictures of ``manifest``, scaled to 64 x 64."""
    parts = []
    for kind in ("real", "edit", "variant"):
        data = ManifestDataset(manifest, kind=kind, transform=_scaled)
        pictures = torch.stack([data[index][0] for index in track(range(len(data)), f"reading {kind}")])
        parts.append((pictures, data.targets, data.groups, [kind] * len(data)))
    pictures, labels, groups, kinds = zip(*parts, strict=True)
    return Rows(torch.cat(pictures), torch.tensor(sum(labels, [])), np.array(sum(groups, [])), np.array(sum(kinds, [])))


def _scaled(picture: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    small = F.interpolate(tensor, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    return small[0].round().clamp(0, 255).byte()


def folds_of(rows: Rows, count: int, random: np.random.Generator) -> np.ndarray:
    """Return the fold of each row: people are dealt to the folds class by class, their rows go with them."""
    real = rows.kinds == "real"
    of_group: dict[str, int] = {}
    dealt = 0
    for label in range(len(EMOTIONS)):
        for group in random.permutation(np.unique(rows.groups[real & (rows.labels.numpy() == label)])):
            if group not in of_group:
                of_group[group] = dealt % count
                dealt += 1
    # what was made of sources without a label would bring in people that the first arm does not have: left out
    return np.array([of_group.get(group, -1) for group in rows.groups])


def network() -> nn.Module:
    """Four strided convolutions, 64 to 4 pixels: 0.15 million parameters, small enough for a CPU to train many."""
    widths = (3, 24, 48, 96, 96)
    layers: list[nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1] * 16, len(EMOTIONS)))


def augmented(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Mirror, shift, scale, rotate and light ``pictures`` (B, 3, 64, 64) in 0..1, as classifiers' trainings do."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    count = len(pictures)
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    angle, scale = 0.08 * normal(count), 1 + 0.06 * normal(count)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([cosine * mirror, -sine, sine * mirror, cosine], 1).view(-1, 2, 2)
    grid = F.affine_grid(torch.cat([matrix, 0.05 * normal(count, 2, 1)], 2), list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    return (moved - 0.5) * (1 + 0.2 * normal(count, 1, 1, 1)) + 0.12 * normal(count, 1, 1, 1)


def trained(rows: Rows, chosen: np.ndarray, steps: int, seed: int) -> nn.Module:
    """Train a network on the ``chosen`` rows; every class that they have is drawn equally often."""
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = network().train()
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    index = torch.from_numpy(np.flatnonzero(chosen))
    weights = 1 / torch.bincount(rows.labels[index], minlength=len(EMOTIONS)).float()[rows.labels[index]]
    for _ in range(steps):
        drawn = index[torch.multinomial(weights, BATCH, replacement=True, generator=random)]
        answer = model(augmented(rows.pictures[drawn].float() / 255, random))
        optimiser.zero_grad()
        F.cross_entropy(answer, rows.labels[drawn], label_smoothing=0.1).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def main(
    manifest: Annotated[Path, typer.Option(help="an output folder of `augment --include-real`")],
    folds: Annotated[int, typer.Option()] = 5,
    seeds: Annotated[int, typer.Option(help="repetitions, each with other folds and weights")] = 3,
    steps: Annotated[int, typer.Option(help="batches of 32")] = 600,
) -> None:
    """Measure every arm and print the table."""
    torch.set_num_threads(1)
    rows = load(manifest)
    real = rows.kinds == "real"
    correct = {arm: np.zeros((seeds, real.sum())) for arm in ARMS}
    began = time.process_time()
    for seed in range(seeds):
        fold = folds_of(rows, folds, np.random.default_rng(seed))
        for arm, number in track([(arm, number) for arm in ARMS for number in range(folds)], f"seed {seed}"):
            chosen = np.isin(rows.kinds, ARMS[arm]) & (fold >= 0) & (fold != number)
            tested = fold[real] == number
            pictures = rows.pictures[torch.from_numpy(np.flatnonzero(real)[tested])]
            answer = predicted(trained(rows, chosen, steps, 100 * seed + number), pictures)
            correct[arm][seed, tested] = answer == rows.labels.numpy()[real][tested]
    _show(rows, real, correct, time.process_time() - began)


@torch.no_grad()
def predicted(model: nn.Module, pictures: Tensor) -> np.ndarray:
    """Return the classes (N,) that ``model`` sees in ``pictures`` (N, 3, 64, 64), as they are and mirrored."""
    inputs = pictures.float() / 255 - 0.5
    return (model(inputs).softmax(1) + model(inputs.flip(3)).softmax(1)).argmax(1).numpy()


def _show(rows: Rows, real: np.ndarray, correct: dict[str, np.ndarray], seconds: float) -> None:
    labels = rows.labels.numpy()
    table = Table(title=f"{real.sum()} real pictures, {len(np.unique(rows.groups[real]))} people; {seconds:,.0f} CPU-s")
    names = [f"{name} ({(labels[real] == place).sum()})" for place, name in enumerate(EMOTIONS)]
    for heading in ("trained on", "rows", "accuracy", "mean recall", "ratio", *names):
        table.add_column(heading, justify="left" if heading == "trained on" else "right")
    first = None
    for arm, hits in correct.items():
        recalls = np.array([hits[:, labels[real] == place].mean(1) for place in range(len(EMOTIONS))])
        means = np.nanmean(recalls, 0)
        first = means.mean() if first is None else first
        table.add_row(
            arm,
            f"{np.isin(rows.kinds, ARMS[arm]).sum():,}",
            f"{hits.mean():.1%}",
            f"{means.mean():.1%} ± {means.std(ddof=1) if len(means) > 1 else 0:.1%}",
            f"{means.mean() / first:.2f}",
            *(f"{recall:.0%}" for recall in recalls.mean(1)),
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    typer.run(main)
