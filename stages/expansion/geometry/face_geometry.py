"""Moves a face by its action units: pictures, landmarks and a change in, the edited pictures out.

Every shipped edit begins here: ``generator`` draws it at landmarks of its own finding, and its training takes it as
the teacher's answer at labelled ones.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.mean_face import load_interior, load_lid_relief, load_mean_landmarks
from singanimation.stages.expansion.geometry.movement.brows import skin_below, whole_brows
from singanimation.stages.expansion.geometry.movement.displacements import joint_displacements, unit_displacements
from singanimation.stages.expansion.geometry.movement.face_frame import FaceFrame, face_frame, mirror_on
from singanimation.stages.expansion.geometry.movement.flow import STEP, DenseFlow, enlarge, warp, within
from singanimation.stages.expansion.geometry.movement.lids import keep_brows_above, keep_lids_apart, lid_mask, ring_of
from singanimation.stages.expansion.geometry.movement.lip_columns import close_columns
from singanimation.stages.expansion.geometry.movement.lips import LipRules
from singanimation.stages.expansion.geometry.movement.regions import gates, group_members
from singanimation.stages.expansion.geometry.movement.spectacles import HELD, worn
from singanimation.stages.expansion.geometry.painting.closed_lids import ClosedLids
from singanimation.stages.expansion.geometry.painting.eyeballs import still_eyeballs
from singanimation.stages.expansion.geometry.painting.folds import without_folds
from singanimation.stages.expansion.geometry.painting.interior import MouthInterior, skin_colour
from singanimation.stages.expansion.geometry.painting.shading import Shading, warmth

HIGHEST, BEYOND = 0.31, 0.15
"""How far brows rise freely (face units), and what share of more than that: several AUs may ask for it together."""

RELEASE = {"AU04": 0.7, "AU06": 0.5, "AU07": 0.45, "AU10": 0.5}
"""Share of an AU's displacements that its going takes back (others: all): brows that a frown lets go of rise less than
a frown lowers them, and what a squint hid of an eye is in no picture."""

SEAM, STRONGEST = 0.05, 1.1
"""Where the face's halves change unlike, they pass into each other over this (face units); neither changes by more."""

PAINTED = 0.08
"""A pixel that differs by this much (of 0..1) from what the flow gives counts as fully painted."""


class GeometryEdit(NamedTuple):
    """What the geometry made of B pictures.

    ``picture`` (B, 3, H, W) in 0..1; ``flow`` (B, 2, H, W) pixels, x then y: where each pixel comes from,
    ``warp(source, flow)`` is the edit before paint; ``fill`` (B, 1, H, W) in 0..1, what no flow supplies: the mouth's
    interior, uncovered eyeballs, closed lids; ``lids`` (B, 1, H, W) in 0..1, the eyes where their lids move;
    ``painted`` (B, 1, H, W) in 0..1, where the picture is not what the flow gives, ``fill`` and more;
    ``landmarks`` (B, 478, 2) pixels, after the change.
    """

    picture: Tensor
    flow: Tensor
    fill: Tensor
    lids: Tensor
    painted: Tensor
    landmarks: Tensor


class FaceGeometry:
    """Moves faces by action units. Everything is a function of its inputs; nothing is drawn at random.

    ``mean_landmarks`` (478, 2) in any unit (default: the packaged mean face) places the displacement tables;
    ``interior`` paints opened mouths (default: the packaged one). ``mirror`` (478,): each landmark's mirror image.
    """

    def __init__(
        self,
        mean_landmarks: Tensor | None = None,
        device: torch.device | str = "cpu",
        interior: MouthInterior | None = None,
    ) -> None:
        mean = load_mean_landmarks() if mean_landmarks is None else mean_landmarks
        mean = mean.float()[None]
        points = face_frame(mean).to_face(mean)[0]
        mirror = mirror_on()
        tables = unit_displacements(points, mirror)
        self._tables = (group_members("cpu")[:, :, None, None] * tables).to(device)
        pairs, joint = joint_displacements(points, mirror)
        self._pairs = torch.tensor(pairs, device=device)
        groups = group_members("cpu")[:, self._pairs[:, 0].cpu()]
        self._joint_tables = (groups[:, :, None, None] * joint).to(device)
        self._release = torch.tensor([RELEASE.get(name, 1.0) for name in AU_NAMES], device=device)
        points, self.mirror = points.to(device), mirror.to(device)
        # what the eyes' units move beside the lids: brows, sockets, forehead
        self._above_lids = torch.ones(mesh.POINTS, device=device)
        for ring in (mesh.UPPER_LID, mesh.LOWER_LID, mesh.UPPER_LID_SKIN, mesh.LOWER_LID_SKIN, mesh.EYE_CORNERS):
            for side in (None, self.mirror):
                self._above_lids[ring_of(ring, side, points.device)] = 0
        self._lips = LipRules(points)
        self._flow = DenseFlow(points)
        self._shading = Shading(self.mirror)
        self._lids = ClosedLids(load_lid_relief().to(device), self.mirror)
        self._interior = (load_interior() if interior is None else interior).to(device)

    @torch.no_grad()
    def edit(
        self,
        pictures: Tensor,
        landmarks: Tensor,
        change: Tensor,
        sides: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> GeometryEdit:
        """Edit ``pictures`` (B, 3, H, W) in 0..1 by ``change`` (B, 17) = target - source AUs, in -1..1.

        ``landmarks`` (B, 478, 2) in pixels of the pictures (pixel centres at +0.5). H and W are even. ``sides``
        (B, 17) in -1..1: the half at the picture's left changes by 1 + sides of it, the other by 1 - sides. ``seen``
        (B or 1, 1, H, W), 1 or 0: what of the pictures is there; the rest neither moves nor is moved in. A change of 0
        gives back the very same picture.
        """
        height, width = pictures.shape[-2:]
        frame = face_frame(landmarks)
        moves = self.moves(landmarks, change, frame, sides)
        held = HELD * worn(pictures, frame)[:, None, None]
        moves[:, 0] = moves[:, 0] * (1 - held * self._above_lids[:, None])
        after = landmarks + moves.sum(1)
        _, y = frame.coordinates(height, width, STEP)
        gate = gates(y)
        flows = self._flow(landmarks, moves, frame.unit, height, width) * gate[:, :, None]
        flow = within(close_columns(enlarge(flows.sum(1), height, width), landmarks, after, frame.unit), seen)
        eyes = still_eyeballs(pictures, landmarks, after, frame.unit, self.mirror)
        flow = flow * (1 - eyes.still)
        skin, bare = skin_below(pictures, flow, landmarks, after, frame.unit, self.mirror)
        lids = self._lids.close(pictures, after, change, frame.unit)
        flow = lids.flow + warp(flow, lids.flow)
        warped = warp(pictures, flow)
        halves = on_each_side(change, sides)
        shade = self._shading(after, *halves, frame.unit, height, width) * gate
        shade = enlarge(shade.sum(1, keepdim=True), height, width)
        shade = shade * warmth(skin_colour(pictures, landmarks))[:, :, None, None]
        uncovered = warp(eyes.paint, lids.flow) * (1 - lids.paint)
        edited = torch.lerp(warped, skin, warp(bare, lids.flow))
        edited = edited * (1 - uncovered) + eyes.colour * uncovered
        edited = edited * (1 - lids.paint) + lids.colour * lids.paint
        edited = edited * torch.exp(shade + lids.shade)
        edited = without_folds(edited, after, change, frame.unit, self.mirror)
        edited, fill = self._interior.paint(edited, pictures, landmarks, after, frame.unit)
        fill = torch.maximum(fill, torch.maximum(uncovered, lids.paint))
        edited = edited.clamp(0, 1)
        kept = (change == 0).all(1)[:, None, None, None]
        kept = kept if seen is None else kept | (seen == 0)
        edited, fill = torch.where(kept, pictures, edited), fill.masked_fill(kept, 0)
        painted = _painted(edited, warped, fill).masked_fill(kept, 0)
        region = self._moving_lids(landmarks, after, frame.unit, flow)
        return GeometryEdit(edited, flow, fill, region, painted, lids.landmarks)

    def _moving_lids(self, before: Tensor, after: Tensor, unit: Tensor, flow: Tensor) -> Tensor:
        masks = [lid_mask(points, unit, self.mirror, *flow.shape[-2:]) for points in (after, before)]
        moving = (F.max_pool2d(flow.abs().amax(1, keepdim=True), 3, 1, 1) / 0.25).clamp(0, 1)
        return torch.maximum(*masks) * moving

    def undoing(self, change: Tensor) -> Tensor:
        """Return the change (B, 17) in -1..1 that takes an edit by ``change`` back, as far as one can."""
        return torch.where(change > 0, -change / self._release, -change * self._release).clamp(-1, 1)

    def moves(
        self, landmarks: Tensor, change: Tensor, frame: FaceFrame | None = None, sides: Tensor | None = None
    ) -> Tensor:
        """Return how each group of AUs (eyes, mouth, free) moves the landmarks: (B, 3, 478, 2) pixels.

        ``landmarks`` (B, 478, 2) pixels, ``change`` (B, 17) in -1..1, ``sides`` as ``edit`` takes them.
        """
        frame = face_frame(landmarks) if frame is None else frame
        points = frame.to_face(landmarks)
        left, right = on_each_side(change, sides)
        moves = self._moves(points, right)
        if left is not right:
            share = torch.sigmoid(points[None, ..., 0] / -SEAM)[..., None]
            moves = torch.lerp(moves, self._moves(points, left), share)
        return frame.to_pixels(moves.transpose(0, 1))

    def _moves(self, points: Tensor, change: Tensor) -> Tensor:
        """The moves of both halves by the same change: (3, B, 478, 2) face units."""
        both = change[:, self._pairs].clamp(min=0).prod(2)
        relaxed = torch.where(change < 0, self._release * change, change)
        eyes, mouth, free = _summed(relaxed, self._tables) + _summed(both, self._joint_tables)
        mouth = mouth + self._lips.moves(points, change, mouth + free)
        eyes = whole_brows(_limited(eyes + free), self.mirror)
        eyes = keep_lids_apart(points, eyes, change, self.mirror)
        eyes = keep_brows_above(points, eyes, self.mirror) - free
        return torch.stack([eyes, mouth, free])


def _painted(edited: Tensor, warped: Tensor, fill: Tensor) -> Tensor:
    """Where an edit is not what its flow gives: (B, 1, H, W) in 0..1."""
    # where paint and stretched skin happen to agree, it is still paint: a mask with holes is not learnt
    painted = torch.maximum(((edited - warped).abs().amax(1, keepdim=True) / PAINTED).clamp(0, 1), fill)
    return torch.maximum(F.avg_pool2d(painted, 3, 1, 1), fill)


def on_each_side(change: Tensor, sides: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the change (B, 17) of the half at the picture's left, and of the other."""
    if sides is None or not sides.any():
        return change, change
    left, right = ((change * (1 + sign * sides)).clamp(-STRONGEST, STRONGEST) for sign in (1, -1))
    return left, right


def _summed(amounts: Tensor, tables: Tensor) -> Tensor:
    """``amounts`` (B, A) of ``tables`` (G, A, 478, 2): (G, B, 478, 2). Face by face, so that none hangs on others."""
    return torch.stack([torch.einsum("a,ganc->gnc", each, tables) for each in amounts], 1)


def _limited(moves: Tensor) -> Tensor:
    """Damp what rises further than brows do: (B, 478, 2) face units."""
    across, down = moves.unbind(2)
    return torch.stack([across, down + (1 - BEYOND) * (-down - HIGHEST).clamp(min=0)], 2)
