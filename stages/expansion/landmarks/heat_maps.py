"""Heat maps of a face's landmarks, and another face's landmarks laid onto it."""

import torch
from torch import Tensor

from singanimation.pipeline.face import mesh
from singanimation.pipeline.face.framing import CROP_SIZE

SPREAD = 2.0
"""Standard deviation, in pixels of the crop, of the blot that a landmark makes."""

_MIRROR = mesh.MIRROR.tolist()


def _both(points: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*points, *(_MIRROR[point] for point in points))))


PARTS: tuple[tuple[int, ...], ...] = (
    _both(mesh.BROW),
    _both((*mesh.EYE_CORNERS, *mesh.UPPER_LID, *mesh.LOWER_LID)),
    (mesh.IRIS_LEFT, mesh.IRIS_RIGHT),
    mesh.USUAL_68[27:36],
    (*mesh.UPPER_LIP[0], *mesh.LOWER_LIP[0], *mesh.MOUTH_CORNERS),
    tuple(dict.fromkeys((*mesh.INNER_UPPER, *mesh.INNER_LOWER))),
    mesh.OVAL,
)
"""Which landmarks share a map: brows, lids, irises, nose, outer lips, inner lips, outline."""

_EXPRESSIVE = sorted({*PARTS[0], *PARTS[1], *PARTS[2], *mesh.LIPS})
_STABLE = [*_both(mesh.EYE_CORNERS), mesh.NOSE_BASE]


def heat_maps(landmarks: Tensor, size: int) -> Tensor:
    """Return (B, parts, size, size) in 0..1 of ``landmarks`` (B, 478, 2), pixels of the crop.

    A map is the nearest landmark's blot at every pixel; 1 where a landmark lies.
    """
    scale = size / CROP_SIZE
    middles = (torch.arange(size, device=landmarks.device) + 0.5) / scale
    maps = []
    for part in PARTS:
        across, down = landmarks[:, list(part)].unbind(2)
        wide = torch.exp(-((across[:, :, None] - middles) ** 2) / (2 * SPREAD**2))
        high = torch.exp(-((down[:, :, None] - middles) ** 2) / (2 * SPREAD**2))
        maps.append((high[:, :, :, None] * wide[:, :, None, :]).amax(1))
    return torch.stack(maps, 1)


def laid_onto(donor: Tensor, face: Tensor) -> Tensor:
    """Return ``face`` (B, 478, 2) with brows, lids, irises and lips of ``donor`` (B, 478, 2).

    The donor is laid onto the face by what no expression moves, the eyes' corners and the base of the nose: turned and
    shifted, and scaled along and across the face each by its own, so that a long face's donor may be a round one.
    Outline and nose stay the face's: they say who it is. So does the jaw: a donor's dropped one does not lengthen it.
    """
    own, other = _axes(face), _axes(donor)
    local = (donor - other.middle) @ other.turn / other.unit
    laid = (local * own.unit) @ own.turn.transpose(1, 2) + own.middle
    done = face.clone()
    done[:, _EXPRESSIVE] = laid[:, _EXPRESSIVE]
    return done


class _Axes:
    """A face's own axes: ``middle`` (B, 1, 2) between the eyes, ``turn`` (B, 2, 2), ``unit`` (B, 1, 2) pixels."""

    def __init__(self, middle: Tensor, turn: Tensor, unit: Tensor) -> None:
        self.middle, self.turn, self.unit = middle, turn, unit


def _axes(points: Tensor) -> _Axes:
    corners, nose = points[:, _STABLE[:-1]], points[:, _STABLE[-1]]
    outer, inner, *others = corners.unbind(1)
    left, right = (outer + inner) / 2, (others[0] + others[1]) / 2
    across = right - left
    width = across.norm(dim=1, keepdim=True).clamp(min=1e-3)
    along = across / width
    down = torch.stack([-along[:, 1], along[:, 0]], 1)
    middle = (left + right) / 2
    height = ((nose - middle) * down).sum(1, keepdim=True).clamp(min=1e-3)
    return _Axes(middle[:, None], torch.stack([along, down], 2), torch.cat([width, height], 1)[:, None])
