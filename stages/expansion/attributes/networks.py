"""The networks of GeoGAN in this project's form: one takes an attribute off, one puts another picture's on.

Yin, Liu and Loy, "Instance-level facial attributes transfer with geometry-aware flow" (AAAI 2019): a removal module F
paints a mask's inside bare; a transfer module G carries the donor's picture over by a flow, blends it in by a mask and
corrects it by a hallucinated residual. Departures, each for a reason:

* the flow begins as the landmarks' own (``registration``) and is corrected by a few pixels: two thousand faces and two
  cores do not teach a network to register faces;
* what is carried is the donor's *layer* (mask and colour told apart from the donor's skin by F), not its pixels:
  behind lenses and between stubble the target's own skin stays;
* a mask is 0 outside the attribute's place on the face by construction, so that all else is the source's very bytes;
* one pair of networks for all attributes, told by a code, in place of a pair for each.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.stages.expansion.attributes.registration import Registration, composed
from singanimation.stages.expansion.geometry.conditioned_unet import ConditionedUNet
from singanimation.stages.expansion.geometry.movement.flow import warp

PAINT_REACH, FLOW_REACH = 16.0, 4.0
"""Pixels that a network's flow of 1 means: where F takes skin from, and how far G corrects the landmarks' flow."""

RESTING = -3.0
"""Before training a mask's logit: nearly nothing is changed."""

THINNEST = 0.12
"""Colours are not told apart from skin through masks thinner than this."""

_LEAST = 0.02

BAND = 64
TOPS = {"spectacles": 18, "beard": 64, "hair": 0}
"""An attribute is in so many rows of a crop, from this one on."""


class Bare(NamedTuple):
    """B pictures with an attribute taken off: ``picture`` (B, 3, H, W) in -1..1, ``mask`` (B, 1, H, W) in 0..1, and
    the ``colour`` (B, 3, H, W) that is laid under it."""

    picture: Tensor
    mask: Tensor
    colour: Tensor


class Layer(NamedTuple):
    """What a donor wears: ``colour`` (B, 3, H, W) in -1..1 under ``mask`` (B, 1, H, W) in 0..1."""

    colour: Tensor
    mask: Tensor


class Carried(NamedTuple):
    """B pictures with an attribute put on: ``picture``, ``mask`` and ``colour`` as ``Bare`` has them, and the ``flow``
    (B, 2, H, W) in pixels by which the donor's layer came."""

    picture: Tensor
    mask: Tensor
    colour: Tensor
    flow: Tensor


class AttributeNetwork(nn.Module):
    """F and G for ``attributes``; landmarks are (B, 478, 2) in pixels, ``which`` (B,) counts in ``attributes``."""

    def __init__(
        self,
        attributes: Sequence[str] = ATTRIBUTES,
        widths: Sequence[int] = (32, 48, 64),
        blocks: int = 3,
        fine_blocks: int = 1,
        finish: int = 16,
    ) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        count = len(self.attributes)
        # the picture, its places on the mean face, what may change; of the donor's layer colour, mask and skin too
        self.remove = ConditionedUNet(6, widths, blocks, fine_blocks, finish, units=count, height=BAND)
        self.carry = ConditionedUNet(13, widths, blocks, fine_blocks, finish, units=count, height=BAND)
        self._known: dict[torch.device, Registration] = {}

    def registration(self, device: torch.device) -> Registration:
        """Return the landmarks' arithmetic on ``device``."""
        if device not in self._known:
            self._known[device] = Registration(device)
        return self._known[device]

    def bare(self, pictures: Tensor, landmarks: Tensor, which: Tensor) -> Bare:
        """Take an attribute off ``pictures`` (B, 3, 128, 128) in -1..1."""
        places = self.registration(pictures.device).places(self._global(which), landmarks)
        seen = torch.cat([pictures, places.where, 2 * places.allowed - 1], 1)
        maps, there = self._in_band(self.remove, seen, which)
        mask = torch.sigmoid(maps[:, 3:4] * 4 + RESTING) * places.allowed * there
        paint = (warp(pictures, maps[:, 4:] * PAINT_REACH) + maps[:, :3]).clamp(-1, 1)
        return Bare(torch.lerp(pictures, paint, mask), mask, paint)

    def layer(self, donors: Tensor, bare: Bare) -> Layer:
        """Tell what ``donors`` wear apart from their skin: ``donor = (1 - mask) bare + mask colour``, solved."""
        mask = bare.mask
        colour = (donors - (1 - mask) * bare.picture) / mask.clamp(min=THINNEST)
        return Layer(torch.where(mask >= THINNEST, colour, donors).clamp(-1, 1), mask)

    def put_on(
        self, pictures: Tensor, landmarks: Tensor, donors: Tensor, donor_landmarks: Tensor, which: Tensor, bare: Bare
    ) -> Carried:
        """Put what ``donors`` wear onto ``pictures``; ``bare`` is what ``bare()`` made of the donors."""
        registration = self.registration(pictures.device)
        worn = self._global(which)
        places = registration.places(worn, landmarks)
        flow = registration.flow(worn, donor_landmarks, landmarks)
        layer = self.layer(donors, bare)
        whole = torch.cat([layer.colour, layer.mask, bare.picture], 1)
        came = warp(whole, flow)
        seen = torch.cat([pictures, came, places.where, 2 * places.allowed - 1], 1)
        maps, there = self._in_band(self.carry, seen, which)
        flow = composed(flow, maps[:, 4:] * FLOW_REACH)
        came = warp(whole[:, :4], flow)
        mask = torch.sigmoid(torch.logit(came[:, 3:], _LEAST) + 4 * maps[:, 3:4])
        # a donor that wears nothing there gives nothing, whatever the network says
        mask = mask * places.allowed * there * (came[:, 3:] / (2 * _LEAST)).clamp(max=1)
        colour = (came[:, :3] + maps[:, :3]).clamp(-1, 1)
        return Carried(torch.lerp(pictures, colour, mask), mask, colour, flow)

    def _in_band(self, network: nn.Module, seen: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Run a network on the rows where each attribute is: its maps (B, 6, H, W), 0 elsewhere, and 1 for those rows.

        Half the work of whole crops.
        """
        tops = torch.tensor([TOPS[name] for name in self.attributes], device=seen.device)[which]
        rows = (tops[:, None] + torch.arange(BAND, device=seen.device))[:, None, :, None]
        found = network(seen.gather(2, rows.expand(-1, seen.shape[1], -1, seen.shape[3])), self._code(which))
        rows = rows.expand(-1, found.shape[1], -1, seen.shape[3])
        whole = found.new_zeros(len(seen), found.shape[1], *seen.shape[2:]).scatter(2, rows, found)
        return whole, torch.zeros_like(whole[:, :1]).scatter(2, rows[:, :1], 1.0)

    def _code(self, which: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(which, len(self.attributes)).float()

    def _global(self, which: Tensor) -> Tensor:
        places = torch.tensor([ATTRIBUTES.index(name) for name in self.attributes], device=which.device)
        return places[which]
