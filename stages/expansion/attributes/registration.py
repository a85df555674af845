"""Where a face's points lie on another face: the landmark-guided part of the flow, and the places that may change.

The paper learns its flow from landmark heat maps of both faces. Here the landmarks themselves give it: a dense
interpolation of their displacements for what grows on the skin, one affine map of eyes, nose and temples for what is
rigid. The network corrects what is left.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.pipeline.face import mesh
from singanimation.pipeline.face.framing import CROP_SIZE, EYES, INTEROCULAR
from singanimation.stages.expansion.geometry.mean_face import load_mean_landmarks
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame
from singanimation.stages.expansion.geometry.movement.flow import DenseFlow, enlarge, warp

RIGID = frozenset({"spectacles"})

_ANCHORS = (33, 133, 168, 6, 197, 195, 55, 107, 46, 127, 234, 50)
"""Landmarks of one side that say how a face wears spectacles; their mirror images count as well."""

ANCHORS = (*_ANCHORS, *mesh.MIRROR[list(_ANCHORS)].tolist())

_SOFT = 0.06
"""How softly a place that may change ends, in face units."""


class Places(NamedTuple):
    """Of B faces at H x W: ``where`` (B, 2, H, W), each pixel's place on the mean face in face units; ``allowed``
    (B, 1, H, W) in 0..1, exactly 0 where the attribute may change nothing."""

    where: Tensor
    allowed: Tensor


class Registration:
    """Carries points, flows and places between faces in canonical framing, by landmarks (B, 478, 2) in pixels."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        mean = load_mean_landmarks().float()[None]
        points = face_frame(mean).to_face(mean)[0]
        self.points = points.to(device)
        self._flow = DenseFlow(self.points)
        self._allowed = torch.stack([_allowed(name, points.numpy()) for name in ATTRIBUTES]).to(device)

    def mean_pixels(self, size: int = CROP_SIZE) -> Tensor:
        """Return the mean face's landmarks (478, 2) as they lie in a crop of ``size`` pixels."""
        scale = size / CROP_SIZE
        return (self.points * INTEROCULAR + self.points.new_tensor(EYES.mean(0))) * scale

    def dense(self, source: Tensor, target: Tensor, size: int = CROP_SIZE) -> Tensor:
        """Return the flow (B, 2, size, size) that lays a picture with landmarks ``source`` onto ``target``.

        ``warp(picture, flow)`` has the source's skin where the target's is; far from the face it fades to none.
        """
        unit = face_frame(target).unit
        flow = self._flow(source, (target - source)[:, None], unit, size, size)[:, 0]
        return enlarge(flow, size, size)

    def rigid(self, source: Tensor, target: Tensor, size: int = CROP_SIZE) -> Tensor:
        """Return the flow (B, 2, size, size) of the one affine map that takes ``target``'s anchors to ``source``'s."""
        ones = source.new_ones(len(source), len(ANCHORS), 1)
        known = torch.cat([target[:, list(ANCHORS)], ones], 2)
        found = torch.linalg.lstsq(known, source[:, list(ANCHORS)]).solution
        grid = _grid(size, source)
        return (grid @ found[:, :2] + found[:, 2:]).transpose(1, 2).view(-1, 2, size, size) - grid.T.view(
            1, 2, size, size
        )

    def flow(self, attributes: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Return the flow (B, 2, 128, 128) by which each face's attribute (B,) is carried."""
        stiff = torch.tensor([name in RIGID for name in ATTRIBUTES], device=attributes.device)[attributes]
        with _exactly(source):
            return torch.where(stiff.view(-1, 1, 1, 1), self.rigid(source, target), self.dense(source, target))

    def places(self, attributes: Tensor, landmarks: Tensor) -> Places:
        """Return where on the mean face each pixel lies, and what the attribute (B,) may change."""
        mean = self.mean_pixels().expand(len(landmarks), -1, -1)
        with _exactly(landmarks):
            flow = self.dense(mean, landmarks)
        grid = _grid(CROP_SIZE, landmarks).T.view(1, 2, CROP_SIZE, CROP_SIZE) + flow
        allowed = warp(self._allowed[attributes], flow)
        return Places((grid - grid.new_tensor(EYES.mean(0)).view(1, 2, 1, 1)) / INTEROCULAR, allowed)

    def carried(self, layer: Tensor, landmarks: Tensor) -> Tensor:
        """Lay what is drawn on the mean face, (B, C, 256, 256), onto faces: (B, C, 128, 128)."""
        scale = layer.shape[-1] // CROP_SIZE
        mean = self.mean_pixels(layer.shape[-1]).expand(len(landmarks), -1, -1)
        return F.avg_pool2d(warp(layer, self.dense(mean, landmarks * scale, layer.shape[-1])), scale)


def _exactly(like: Tensor) -> torch.autocast:
    """Compute in the landmarks' own precision: bfloat16 is half a pixel off at the crop's edge."""
    return torch.autocast(like.device.type, enabled=False)


def composed(first: Tensor, second: Tensor) -> Tensor:
    """Return the flow of ``warp(warp(picture, first), second)`` as one: (B, 2, H, W) each."""
    return warp(first, second) + second


def _grid(size: int, like: Tensor) -> Tensor:
    """The pixels' middles, x then y: (size * size, 2)."""
    middles = torch.arange(size, device=like.device, dtype=like.dtype) + 0.5
    rows, columns = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([columns, rows], 2).view(-1, 2)


def _allowed(attribute: str, points: np.ndarray) -> Tensor:
    """What an attribute may change on the mean face, as it lies in a crop: (1, 128, 128) in 0..1, soft-edged."""
    pixels = points * INTEROCULAR + EYES.mean(0)
    y, x = ((np.mgrid[0:CROP_SIZE, 0:CROP_SIZE] + 0.5) - EYES.mean(0)[::-1, None, None]) / INTEROCULAR
    if attribute == "spectacles":
        edge = np.minimum(0.62 - y, y + 0.42)
        edge = np.minimum(edge, 1.45 - np.abs(x))
        # over the nose's sides, not over its tip
        edge = np.minimum(edge, np.where(np.abs(x) < 0.25, 0.45 - y, 1.0))
    elif attribute == "beard":
        edge = y - np.where(np.abs(x) < 0.5, points[mesh.NOSE_BASE, 1] - 0.06, 0.05 + 0.35 * (1.1 - np.abs(x)))
        mouth = pixels[[*mesh.INNER_UPPER, *reversed(mesh.INNER_LOWER)]]
        lips = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
        cv2.fillPoly(lips, [np.rint(mouth).astype(np.int32)[:, None]], 1)
        edge = np.where(lips > 0, -1, edge)
    else:
        edge = -0.22 - y + np.where(np.abs(x) > 0.8, 3 * (np.abs(x) - 0.8), 0)
    return torch.from_numpy((edge / _SOFT).clip(0, 1).astype(np.float32))[None]
