"""What every generator is and returns, and how its picture is composed."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.face.framing import CROP_SIZE

SIZES = (16, 32, 64, 128)
"""Pixels that the networks which halve a picture may be built for; trainings offer the last two."""


_OVAL_MIDDLE, _OVAL_RADII, _OVAL_SOFT = (64.0, 66.0), (50.0, 60.0), 0.25
"""The oval in which painted crops are shown: pixels of the crop; how wide its edge is, of its radii."""


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
    """A network that draws edits. ``relative``: its condition is the change of the AUs, not the target.

    ``drawing`` tells apart what else than the weights decides its pixels (code that draws), empty where nothing does.
    ``size`` are the pixels that its own pictures have: ``edits`` shrinks the crop to it, and enlarges what comes out.
    ``labels`` are the emotions that it draws where it goes by labels; None for what draws any action units.
    """

    relative: bool
    drawing: str = ""
    size: int = CROP_SIZE
    labels: tuple[str, ...] | None = None

    def forward(self, picture: Tensor, condition: Tensor) -> GeneratorOutput:
        """Edit ``picture`` (B, 3, 128, 128) in -1..1 under ``condition`` (B, 17)."""
        raise NotImplementedError

    def edits(
        self, picture: Tensor, conditions: Tensor, sides: Tensor | None = None, seen: Tensor | None = None
    ) -> GeneratorOutput:
        """Edit one ``picture`` (1, 3, 128, 128) under each of ``conditions`` (K, 17), each as if it were alone.

        ``sides`` (K, 17) and ``seen`` (1, 1, 128, 128), 1 or 0, as ``Expander.edit`` takes them; a network that knows
        no sides, or no edge of the picture, leaves them unused.
        """
        small = shrunk(picture, self.size)
        done = joined([self(small, condition[None]) for condition in conditions])
        return done if self.size == picture.shape[-1] else enlarged(done, picture)


@runtime_checkable
class FollowsLandmarks(Protocol):
    """A generator that can take an expression from another face's landmarks, besides action units."""

    def landmarks(self, picture: Tensor) -> Tensor:
        """Return the landmarks (B, 478, 2), pixels, of crops ``picture`` (B, 3, 128, 128) in -1..1."""
        ...

    def towards(self, picture: Tensor, donors: Tensor) -> GeneratorOutput:
        """Edit one crop ``picture`` (1, 3, 128, 128) to the expressions of ``donors`` (K, 478, 2)."""
        ...


def joined(outputs: Sequence[GeneratorOutput]) -> GeneratorOutput:
    """Return the outputs of several batches as those of one."""
    flows = [output.flow for output in outputs if output.flow is not None]
    picture, attention, colour = (torch.cat(parts) for parts in zip(*(output[:3] for output in outputs), strict=True))
    return GeneratorOutput(picture, attention, colour, torch.cat(flows) if len(flows) == len(outputs) else None)


def painted_face(picture: Tensor, painted: Tensor) -> GeneratorOutput:
    """Return the output of a generator that paints the whole crop: its face, in the crop's own surroundings.

    Both (B, 3, S, S) in -1..1, aligned as crops are. Beyond a soft oval the crop's own pixels stay (A = 1): such
    networks blur hair and background too, which no expression changes.
    """
    size = picture.shape[-1]
    places = (torch.arange(size, device=picture.device) + 0.5) * (CROP_SIZE / size)
    across, down = (places - _OVAL_MIDDLE[0]) / _OVAL_RADII[0], (places - _OVAL_MIDDLE[1]) / _OVAL_RADII[1]
    radius = torch.sqrt(down[:, None] ** 2 + across[None] ** 2)
    attention = ((radius - 1) / _OVAL_SOFT + 0.5).clamp(0, 1).expand(len(painted), 1, -1, -1)
    return GeneratorOutput(compose(picture, attention, painted), attention, painted, None)


def usable_size(size: int) -> int:
    """Return ``size`` where a network of some halvings can be told to work at so many pixels. Raises ValueError."""
    if size not in SIZES:
        raise ValueError(f"pictures of {size} pixels are none of {', '.join(map(str, SIZES))}")
    return size


def shrunk(picture: Tensor, size: int) -> Tensor:
    """Return ``picture`` (B, 3, H, H) at ``size`` pixels, by means over areas; itself where it has that size."""
    return picture if picture.shape[-1] == size else F.interpolate(picture, (size, size), mode="area")


def enlarged(output: GeneratorOutput, picture: Tensor) -> GeneratorOutput:
    """Return what a generator made at fewer pixels at those of the crop ``picture`` (1, 3, H, H).

    Attention and colour are enlarged bilinearly and composed anew: where A keeps the crop its own pixels stay sharp,
    what was painted has the generator's few. A generator with a flow has none that could be enlarged so.
    """
    if output.flow is not None:
        raise TypeError("a generator with a flow works at the crop's own size.")
    size = tuple(picture.shape[-2:])
    attention, colour = (F.interpolate(part, size, mode="bilinear") for part in (output.attention, output.colour))
    return GeneratorOutput(compose(picture, attention, colour), attention, colour, None)


def compose(kept: Tensor, attention: Tensor, colour: Tensor) -> Tensor:
    """Return ``A * I + (1 - A) * C``: attention 1 keeps the input's pixel.

    The convention of the released code and of the thesis (eq. 4-2); the ECCV paper's text writes A and
    1 - A the other way round.
    """
    return attention * kept + (1 - attention) * colour
