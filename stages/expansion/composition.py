"""What every generator is and returns, and how its picture is composed."""

from typing import NamedTuple

from torch import Tensor, nn


class GeneratorOutput(NamedTuple):
    """What every generator returns, for a batch of B pictures of H x W pixels.

    ``picture`` (B, 3, H, W) in -1..1; ``attention`` (B, 1, H, W) in 0..1, where 1 keeps the input's pixel;
    ``colour`` (B, 3, H, W) in -1..1; ``flow`` (B, 2, H, W), where the pixel comes from, in pixels (x, y),
    or None for generators without one.
    """

    picture: Tensor
    attention: Tensor
    colour: Tensor
    flow: Tensor | None


class Generator(nn.Module):
    """A network that draws edits. ``relative``: its condition is the change of the AUs, not the target."""

    relative: bool

    def forward(self, picture: Tensor, condition: Tensor) -> GeneratorOutput:
        """Edit ``picture`` (B, 3, 128, 128) in -1..1 under ``condition`` (B, 17)."""
        raise NotImplementedError


def compose(kept: Tensor, attention: Tensor, colour: Tensor) -> Tensor:
    """Return ``A * I + (1 - A) * C``: attention 1 keeps the input's pixel.

    The convention of the released code and of the thesis (eq. 4-2); the ECCV paper's text writes A and
    1 - A the other way round.
    """
    return attention * kept + (1 - attention) * colour
