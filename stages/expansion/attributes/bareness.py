"""Which faces look bare: on them attributes are drawn where nothing says who wears what.

Only purity counts: a bare face that is passed over costs nothing, a bearded one taken for bare teaches the network to
leave beards alone. The half that looks barest is taken.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.stages.expansion.geometry.movement.face_frame import FaceFrame, face_frame
from singanimation.stages.expansion.geometry.movement.flow import sample_at

BAREST = 0.5
"""Share of the faces that counts as bare for each attribute."""

_CHEEKS = (50, 280, 101, 330, 36, 266)
_SHAVED = (164, 167, 393, 92, 322, 18, 200, 199, 194, 418, 32, 262, 140, 369, 169, 394, 211, 431, 170, 395, 136, 365)
_FOREHEAD = (10, 109, 338, 67, 297, 151, 108, 337, 69, 299, 104, 333, 103, 332)


def bareness(pictures: Tensor, landmarks: Tensor, attributes: Sequence[str] = ATTRIBUTES) -> Tensor:
    """Return how bare each face looks of each of A ``attributes``, (B, A): the higher the barer, in no unit.

    ``pictures`` (B, 3, H, W) in 0..1, ``landmarks`` (B, 478, 2) in pixels.
    """
    look = {
        "spectacles": lambda: _lines(pictures, face_frame(landmarks)),
        "beard": lambda: _unlike(pictures, landmarks, _SHAVED),
        "hair": lambda: _unlike(pictures, landmarks, _FOREHEAD),
    }
    return -torch.stack([look[name]() for name in attributes], 1)


def barest(scores: Tensor) -> Tensor:
    """Return which faces (N, A) are among the barer half for each attribute; ``scores`` (N, A)."""
    order = scores.argsort(0, descending=True).argsort(0)
    return order < max(1, int(len(scores) * BAREST))


def _unlike(pictures: Tensor, landmarks: Tensor, indices: tuple[int, ...]) -> Tensor:
    """How far points are from the cheeks' colour, and how rough they are: the mean of their upper half, (B,)."""
    cheek = _seen(pictures, landmarks, _CHEEKS).median(2).values
    there = _seen(F.avg_pool2d(pictures, 3, 1, 1), landmarks, indices)
    colour = (there / cheek[:, :, None].clamp(min=0.05)).log2().clamp(-3, 3).abs().mean(1)
    fine = (pictures - F.avg_pool2d(pictures, 5, 1, 2)).abs().mean(1, keepdim=True)
    rough = _seen(F.avg_pool2d(fine, 5, 1, 2), landmarks, indices)[:, 0] / cheek.mean(1, keepdim=True).clamp(min=0.05)
    upper = (colour + 6 * rough).sort(1).values
    return upper[:, upper.shape[1] // 2 :].mean(1)


def _lines(pictures: Tensor, frame: FaceFrame) -> Tensor:
    """How strong a line runs across the nose's bridge, and how strong edges are below the eyes: (B,)."""
    bridge = _grid(pictures, frame, (-0.06, 0.06, 5), (-0.2, 0.32, 27))
    below = torch.cat(
        [_grid(pictures, frame, (side - 0.16, side + 0.16, 17), (0.14, 0.5, 19)) for side in (-0.5, 0.5)], 2
    )
    beside = torch.cat(
        [_grid(pictures, frame, (side - 0.1, side + 0.1, 11), (-0.2, 0.2, 21)) for side in (-0.95, 0.95)], 2
    )
    bright = bridge.mean((1, 2)) + 0.05

    def strongest(patch: Tensor) -> Tensor:
        lines = patch.median(2).values
        return (lines[:, 2:-2] - (lines[:, :-4] + lines[:, 4:]) / 2).abs().amax(1)

    return (strongest(bridge) + 0.7 * strongest(below) + 0.7 * strongest(beside)) / bright


def _grid(pictures: Tensor, frame: FaceFrame, x: tuple[float, float, int], y: tuple[float, float, int]) -> Tensor:
    """Grey values on a grid of the face's frame: (B, rows, columns)."""
    columns, rows = (torch.linspace(*each, device=pictures.device) for each in (x, y))
    points = torch.stack([columns.expand(len(rows), -1), rows[:, None].expand(-1, len(columns))], 2)
    places = frame.origin[:, None] + frame.to_pixels(points.flatten(0, 1)[None].expand(len(pictures), -1, -1))
    return sample_at(pictures, places[:, None])[:, :, 0].mean(1).view(len(pictures), len(rows), len(columns))


def _seen(pictures: Tensor, landmarks: Tensor, indices: tuple[int, ...]) -> Tensor:
    """The pictures' values at some landmarks: (B, C, K)."""
    return sample_at(pictures, landmarks[:, list(indices)][:, None])[:, :, 0]
