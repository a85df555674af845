"""The generator of G2-GAN: Song et al., "Geometry Guided Adversarial Facial Expression Synthesis", ACM Multimedia 2018.

Picture and heat maps of the landmarks that it shall have in, picture out. What departs: one generator puts expressions
on and takes them off, since a face at rest has landmarks too (the paper has one for either); its trunk is StarGAN's;
what it paints is added to the source before the last tanh, since instance norms forget a picture's colours and the
trunk alone took thousands of steps to find them again; beside the heat maps that it shall have it is told how they
differ from those it has; a target of action units becomes landmarks by the tables that the geometry moves faces by.
"""

import torch
from torch import Tensor

from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.composition import GeneratorOutput, enlarged, joined, painted_face, shrunk
from singanimation.stages.expansion.ganimation.networks import ConditionedTrunk
from singanimation.stages.expansion.geometry import FaceGeometry, drawing_digest
from singanimation.stages.expansion.geometry.landmark_network import LandmarkNetwork
from singanimation.stages.expansion.geometry.movement.face_frame import mirrored
from singanimation.stages.expansion.landmarks.heat_maps import PARTS, heat_maps, laid_onto

_BRIGHTEST = 0.99
"""Of a source's pixels, in -1..1, where something is added to them: beyond it tanh has no slope."""


class LandmarkGenerator(ConditionedTrunk):
    """``width`` is that of the trunk (64 in StarGAN), ``finder`` that of the network that finds a crop's landmarks."""

    relative = True
    drawing = drawing_digest()

    def __init__(self, width: int = 64, blocks: int = 6, size: int = CROP_SIZE, finder: int = 32) -> None:
        super().__init__(width, blocks, 2 * len(PARTS), size)
        self.finder = LandmarkNetwork(finder).requires_grad_(False)
        self._teachers: dict[torch.device, FaceGeometry] = {}

    def painted(self, picture: Tensor, was: Tensor, shall: Tensor) -> Tensor:
        """Return ``picture`` (B, 3, S, S) in -1..1, whose landmarks' heat maps are ``was``, with those of ``shall``.

        Both (B, parts, S, S), as ``heat_maps`` gives them.
        """
        added = self.colour(self.maps(picture, torch.cat([shall, shall - was], 1)))
        return torch.tanh(torch.atanh(picture.float().clamp(-_BRIGHTEST, _BRIGHTEST)) + added)

    def forward(self, picture: Tensor, condition: Tensor) -> GeneratorOutput:
        """Edit crops ``picture`` (B, 3, 128, 128) in -1..1 by ``condition`` (B, 17) = target - source AUs, -1..1."""
        points = self.landmarks(picture)
        was, after = heat_maps(points, self.size), self.moved(points, condition)
        parts = zip(picture.split(1), was.split(1), after.split(1), strict=True)
        return joined([self._drawn(*each) for each in parts])

    def edits(
        self, picture: Tensor, conditions: Tensor, sides: Tensor | None = None, seen: Tensor | None = None
    ) -> GeneratorOutput:
        """Edit one crop under each of ``conditions`` (K, 17), each as if it were alone; ``sides`` as landmarks move."""
        before = self.landmarks(picture)
        after = self.moved(before.expand(len(conditions), -1, -1), conditions, sides)
        was = heat_maps(before, self.size)
        return joined([self._drawn(picture, was, one) for one in after.split(1)])

    def towards(self, picture: Tensor, donors: Tensor) -> GeneratorOutput:
        """Edit one crop (1, 3, 128, 128) to the expressions of ``donors`` (K, 478, 2): landmarks of their crops."""
        before = self.landmarks(picture)
        after = laid_onto(donors, before.expand(len(donors), -1, -1))
        was = heat_maps(before, self.size)
        return joined([self._drawn(picture, was, one) for one in after.split(1)])

    def _drawn(self, picture: Tensor, was: Tensor, after: Tensor) -> GeneratorOutput:
        small = shrunk(picture, self.size)
        output = painted_face(small, self.painted(small, was, heat_maps(after, self.size)))
        return output if self.size == picture.shape[-1] else enlarged(output, picture)

    @torch.no_grad()
    def landmarks(self, picture: Tensor) -> Tensor:
        """Return the landmarks (B, 478, 2), pixels, of crops (B, 3, 128, 128): the mean of picture and mirror image."""
        mirror = self._teacher(picture.device).mirror
        other = mirrored(self.finder(picture.flip(3)), mirror, picture.shape[-1])
        return (self.finder(picture) + other) / 2

    @torch.no_grad()
    def moved(self, points: Tensor, change: Tensor, sides: Tensor | None = None) -> Tensor:
        """Return ``points`` (B, 478, 2) as a ``change`` (B, 17) of action units moves them."""
        return points + self._teacher(points.device).moves(points, change, sides=sides).sum(1)

    def _teacher(self, device: torch.device) -> FaceGeometry:
        if device not in self._teachers:
            self._teachers[device] = FaceGeometry(device=device)
        return self._teachers[device]
