"""Is expression transfer by auto-encoder smaller and faster than Fader Networks, as its authors say?

    OMP_NUM_THREADS=1 python benchmarks/fader.py [--size 256] [--steps 6] [--batch 4] [--labels 7]

Liu & Jin name two savings over Fader Networks (Lample et al., NeurIPS 2017): 43.7% fewer parameters and 36% less time
to train. Both come from the architecture: no batch normalisation, up-sampling in place of transposed convolutions, one
label map in place of planes for every label, half the maps in the first layers. Here both are built, with the same
number of labels, and take the same training steps (adversary, then auto-encoder) on the same noise, in turns.
Parameters are counted with and without the adversary; seconds are CPU seconds a step. A third network tells the
architecture from the width: the Fader's parts with the other's maps.
"""

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.stages.expansion.training.siblings import move
from singanimation.stages.expansion.transfer.networks import CodeClassifier, Decoder, Encoder, code_channels

CLAIMED_PARAMETERS, CLAIMED_SECONDS = 0.437, 0.36
MU = 1e-4


class Model(NamedTuple):
    """Encoder (picture -> code), decoder (code, labels -> picture) and the adversary on the code."""

    encoder: nn.Module
    decoder: nn.Module
    adversary: nn.Module

    def parameters(self, adversary: bool) -> int:
        """Return how many numbers are learnt, the adversary's among them or not."""
        parts = self if adversary else self[:2]
        return sum(parameter.numel() for part in parts for parameter in part.parameters())


def fader_channels(size: int) -> list[int]:
    """Return the maps of the published Fader Networks: 16 and twice as many each time, at most 512."""
    return [min(16 * 2**layer, 512) for layer in range(size.bit_length() - 2)]


class FaderDecoder(nn.Module):
    """Transposed convolutions with batch normalisation; every layer is given a plane for each label."""

    def __init__(self, channels: Sequence[int], labels: int) -> None:
        super().__init__()
        self.labels = labels
        wide = [*reversed(channels), 3]
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(before + labels, after, 4, 2, 1) for before, after in zip(wide, wide[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for after in wide[1:-1])

    def forward(self, code: Tensor, label: Tensor) -> Tensor:
        """Return pictures (B, 3, S, S) in -1..1 of codes (B, C, 2, 2) and labels (B,)."""
        planes = F.one_hot(label, self.labels).float()[:, :, None, None]
        for place, layer in enumerate(self.layers):
            code = layer(torch.cat([code, planes.expand(-1, -1, *code.shape[2:])], 1))
            if place < len(self.norms):
                code = F.relu(self.norms[place](code))
        return torch.tanh(code)


def fader(channels: Sequence[int], labels: int) -> Model:
    """Return a Fader Network with these maps: its adversary is a convolution of 512 maps and two dense layers."""
    layers: list[nn.Module] = []
    for before, after in zip([3, *channels], channels, strict=False):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    last = channels[-1]
    adversary = nn.Sequential(
        nn.Conv2d(last, last, 4, 2, 1),
        nn.BatchNorm2d(last),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(last, last),
        nn.LeakyReLU(0.2),
        nn.Linear(last, labels),
    )
    return Model(nn.Sequential(*layers), FaderDecoder(channels, labels), adversary)


def transfer(size: int, labels: int) -> Model:
    """Return the auto-encoder of Liu & Jin, 8 maps first."""
    return Model(Encoder(size, 8), Decoder(size, 8, labels), CodeClassifier(size, 8, labels))


class Training:
    """One model's training, a step at a time, and the CPU seconds that its steps took."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._judge = torch.optim.Adam(model.adversary.parameters())
        self._own = torch.optim.Adam([*model.encoder.parameters(), *model.decoder.parameters()])
        self.seconds: list[float] = []

    def step(self, pictures: Tensor, labels: Tensor) -> float:
        """Take one step of the adversary and one of the auto-encoder; return the mean square error."""
        began = time.process_time()
        code = self.model.encoder(pictures)
        move(self._judge, F.cross_entropy(self.model.adversary(code.detach()), labels))
        error = F.mse_loss(self.model.decoder(code, labels), pictures)
        move(self._own, error - MU * F.cross_entropy(self.model.adversary(code), labels))
        self.seconds.append(time.process_time() - began)
        return error.item()


def compare(size: int, steps: int, batch: int, labels: int) -> dict[str, tuple[Model, Tensor]]:
    """Return each model with its CPU seconds of every step (steps,), a first one left out; they take turns."""
    random = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    models = {
        "Fader Networks": fader(fader_channels(size), labels),
        "Fader's parts, the other's maps": fader(code_channels(size, 8), labels),
        "transfer": transfer(size, labels),
    }
    trainings = {name: Training(model) for name, model in models.items()}
    for _ in range(steps + 1):
        pictures = torch.rand(batch, 3, size, size, generator=random) * 2 - 1
        of_each = torch.randint(labels, (batch,), generator=random)
        for training in trainings.values():
            training.step(pictures, of_each)
    return {name: (models[name], torch.tensor(each.seconds[1:])) for name, each in trainings.items()}


def main() -> None:
    """Print a table, and what the authors claim beside what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--size", 256), ("--steps", 6), ("--batch", 4), ("--labels", 7)):
        parser.add_argument(name, type=int, default=default)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = compare(asked.size, asked.steps, asked.batch, asked.labels)
    first, seconds = found["Fader Networks"]
    print("| network | parameters | with its adversary | CPU s a step |")
    print("|---|---|---|---|")
    for name, (model, own) in found.items():
        print(f"| {name} | {model.parameters(False):,} | {model.parameters(True):,} | {own.median():.3f} |")
    for name, (model, own) in list(found.items())[1:]:
        fewer, with_it = (1 - model.parameters(each) / first.parameters(each) for each in (False, True))
        # turn by turn, since a busy machine slows one turn more than another
        low, less, high = torch.quantile(1 - own / seconds, torch.tensor([0.25, 0.5, 0.75])).tolist()
        print(f"{name}: {fewer:.1%} fewer parameters ({with_it:.1%} with the adversary),")
        print(f"    {less:.0%} less time (half of the turns {low:.0%} to {high:.0%})")
    print(f"claimed: {CLAIMED_PARAMETERS:.1%} fewer parameters, {CLAIMED_SECONDS:.0%} less time")


if __name__ == "__main__":
    main()
