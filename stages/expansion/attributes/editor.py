"""Carries and takes off attributes on crops: uint8 in, uint8 out, and every byte outside the mask the source's own."""

import math
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from singanimation.pipeline.face.mesh import IRIS_LEFT, IRIS_RIGHT
from singanimation.pipeline.files.grey import greyed
from singanimation.stages.expansion.attributes.bareness import bareness
from singanimation.stages.expansion.attributes.checkpoints import load_attributes
from singanimation.stages.expansion.attributes.networks import AttributeNetwork, Bare, Carried
from singanimation.stages.expansion.editor import is_grey

FAINTEST = 0.02
"""A mask below this is none: there the source's bytes stay."""

SURE = 0.2
"""Masks below this do not count towards how much a face wears."""


class Bounds(NamedTuple):
    """What counts as wearing an attribute: it looks so (minus ``bareness``), and the network's mask covers so much.

    A donor has to look it more, and must not wear more than ``most``: behind sunglasses a part of the expression is.
    """

    look: float
    amount: float
    lent_look: float
    lent_amount: float
    most: float


ANY = -1e9
"""The look that says nothing: of hair on the forehead it tells little."""

BOUNDS = {
    "spectacles": Bounds(0.305, 0.05, 0.5, 0.22, 0.66),
    "beard": Bounds(1.4, 0.25, 1.6, 0.6, 9.0),
    "hair": Bounds(ANY, 0.2, ANY, 0.3, 9.0),
}
"""Of 219 held-out faces, on which they were chosen: 30 of 34 with spectacles are found, and 14 others; 15 of 16 donors
wear some. Of 38 who count as bearded some 16 are, of 9 donors 8."""


class AttributeEdit(NamedTuple):
    """One edit: ``picture`` uint8 (128, 128, 3), ``mask`` float32 (128, 128), exactly 0 where nothing changed, and the
    ``colour`` uint8 (128, 128, 3) that is laid under it."""

    picture: np.ndarray
    mask: np.ndarray
    colour: np.ndarray


class Face(NamedTuple):
    """A crop uint8 (128, 128, 3) RGB and its landmarks float32 (478, 2) in pixels."""

    pixels: np.ndarray
    landmarks: np.ndarray


class AttributeEditor:
    """The networks with their digest; each edit is computed alone."""

    def __init__(self, network: AttributeNetwork, digest: str, device: str = "cpu") -> None:
        self.network, self._device = network, device
        self.digest = digest

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Load a file of ``augment train attributes``. Raises WeightsError."""
        loaded = load_attributes(path, device)
        return cls(loaded.network, loaded.digest, device)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return what it can carry."""
        return self.network.attributes

    @torch.inference_mode()
    def remove(self, face: Face, attribute: str, seen: np.ndarray | None = None) -> AttributeEdit:
        """Take ``attribute`` off a face; ``seen`` bool (128, 128): other pixels are left alone."""
        bare = self.network.bare(*self._tensors(face), self._which(attribute))
        return _edit(face, bare, seen)

    @torch.inference_mode()
    def carry(self, face: Face, donor: Face, attribute: str, seen: np.ndarray | None = None) -> AttributeEdit:
        """Put what ``donor`` wears onto ``face``. One that wears nothing gives back the face's very bytes."""
        which = self._which(attribute)
        donors, donor_landmarks = self._tensors(donor)
        bare = self.network.bare(donors, donor_landmarks, which)
        done = self.network.put_on(*self._tensors(face), donors, donor_landmarks, which, bare)
        return _edit(face, done, seen)

    def wears(self, face: Face, attribute: str) -> bool:
        """Return whether a face wears ``attribute``; what the networks do not know is not worn."""
        bounds = BOUNDS[attribute]
        return self._covers(face, attribute, bounds.look, bounds.amount)

    def lends(self, face: Face, attribute: str) -> bool:
        """Return whether a face wears so much of ``attribute`` that it can be carried, and not more: no sunglasses."""
        bounds = BOUNDS[attribute]
        return self._covers(face, attribute, bounds.lent_look, bounds.lent_amount, bounds.most)

    def _covers(self, face: Face, attribute: str, look: float, least: float, most: float = math.inf) -> bool:
        if attribute not in self.attributes or self.look(face, attribute) < look:
            return False
        return least <= self.amount(face, attribute) <= most

    def look(self, face: Face, attribute: str) -> float:
        """Return how much a face looks as if it wore ``attribute``, by a rule and no network: minus its bareness."""
        picture, landmarks = self._tensors(face)
        return -float(bareness((picture + 1) / 2, landmarks, (attribute,)))

    @torch.inference_mode()
    def amount(self, face: Face, attribute: str) -> float:
        """Return how much of the attribute a face wears: its mask's area in units of the squared eye distance."""
        bare = self.network.bare(*self._tensors(face), self._which(attribute))
        mask = bare.mask[bare.mask >= SURE]
        spread = float(np.square(face.landmarks[IRIS_RIGHT] - face.landmarks[IRIS_LEFT]).sum())
        return float(mask.sum()) / max(spread, 1.0)

    def _tensors(self, face: Face) -> tuple[Tensor, Tensor]:
        picture = torch.from_numpy(np.ascontiguousarray(face.pixels)).to(self._device)
        landmarks = torch.from_numpy(np.ascontiguousarray(face.landmarks, np.float32)).to(self._device)
        return picture.permute(2, 0, 1)[None].float() / 127.5 - 1, landmarks[None]

    def _which(self, attribute: str) -> Tensor:
        return torch.tensor([self.attributes.index(attribute)], device=self._device)


def _edit(face: Face, made: Bare | Carried, seen: np.ndarray | None) -> AttributeEdit:
    opacity = made.mask[0, 0].float().cpu().numpy()
    opacity = np.where(opacity >= FAINTEST, opacity, 0).astype(np.float32)
    if seen is not None:
        opacity = opacity * seen
    picture, colour = _to_uint8(made.picture[0]), _to_uint8(made.colour[0])
    if is_grey(face.pixels):
        picture, colour = greyed(picture), greyed(colour)
    return AttributeEdit(np.where(opacity[..., None] > 0, picture, face.pixels), opacity, colour)


def _to_uint8(picture: Tensor) -> np.ndarray:
    """(3, H, W) in -1..1 -> uint8 (H, W, 3)."""
    return ((picture.float().permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
