"""The critic that the smaller siblings share: a map of how real overlapping patches are."""

from torch import Tensor, nn


class PatchCritic(nn.Module):
    """Three halvings: (B, ``inputs``, S, S) -> (B, 1, S / 8, S / 8), unbounded.

    ``width`` are the first layer's maps, twice as many each time; ``normalise`` puts instance norms after all layers
    but the first and the last, as CycleGAN has them.
    """

    def __init__(self, inputs: int, width: int, normalise: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in ((width, 2 * width), (2 * width, 4 * width)):
            norm = [nn.InstanceNorm2d(after)] if normalise else []
            layers += [nn.Conv2d(before, after, 4, 2, 1), *norm, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, seen: Tensor) -> Tensor:
        """Return the map of ``seen``: pictures, and what else the critic is told beside them."""
        return self.layers(seen)
