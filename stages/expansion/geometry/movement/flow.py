"""From displaced landmarks to a dense flow: Gaussian-weighted averages, held still outside the face."""

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.face import mesh

STEP = 2
"""The flow is computed at every second pixel and interpolated."""

# rings around the face's oval: how far out from the nose (times the oval's distance; above the eyes, below the
# nose) and how much of the outline's displacement they keep; the last one holds the background still. The jaw
# moves far, so its rings are wide; hair and background above are near.
_SKIRT = ((1.06, 1.15, 0.80), (1.15, 1.40, 0.35), (1.28, 1.80, 0.0))
_STILL = 2e-3

FARTHEST = -30.0
"""Smallest exponent of a Gaussian weight: 1e-13, nothing beside ``_STILL``."""

NEAREST = 0.7
"""Pixels come from no further down than this share of the way to the picture's lower edge."""


class DenseFlow:
    """Kernel widths of a mean face (478, 2), face units, and the interpolation of displacements between them."""

    def __init__(self, points: Tensor) -> None:
        skin = points[: mesh.IRIS_LEFT]
        fourth_neighbour = torch.cdist(skin, skin).sort(1).values[:, 4]
        irises = points.new_full((len(mesh.IRISES),), 0.02)
        widths = torch.cat([(0.55 * fourth_neighbour).clamp(0.018, 0.16), irises])
        self._between = torch.tensor(_lip_segments(), device=points.device)
        widths = torch.cat([widths, widths[self._between].mean(1)])
        self._oval = torch.tensor(mesh.OVAL[::2], device=points.device)
        height = points[self._oval, 1] / points[mesh.NOSE_BASE, 1]
        self._lowness = height.clamp(0, 1)
        # as wide as the rings are apart, so that they do not hold back the brows beside them
        skirt = [(0.05 + 0.07 * self._lowness) * (ring + 1) for ring in range(len(_SKIRT))]
        self._widths = torch.cat([widths, *skirt])

    def __call__(self, landmarks: Tensor, moves: Tensor, unit: Tensor, height: int, width: int) -> Tensor:
        """Return the inverse flow of each group of AUs, pixels (B, G, 2, height // STEP, width // STEP).

        ``landmarks`` (B, 478, 2) before the change; ``moves`` (B, G, 478, 2) pixels, groups add up; ``unit`` (B,)
        pixels per face unit. ``out(q) = picture(q + flow(q))``.
        """
        points, moves = self._extended(landmarks, moves)
        goal = points + moves.sum(1)
        columns = (torch.arange(width // STEP, device=goal.device) + 0.5) * STEP
        rows = (torch.arange(height // STEP, device=goal.device) + 0.5) * STEP
        sharpness = 1 / (2 * (self._widths * unit[:, None]) ** 2)
        # separable: exponentials of one coordinate only
        # (denormal numbers, many times slower to compute with, are kept out of them)
        across = torch.exp(((columns - goal[..., :1]) ** 2 * -sharpness[..., None]).clamp(min=FARTHEST))
        along = torch.exp(((rows - goal[..., 1:]) ** 2 * -sharpness[..., None]).clamp(min=FARTHEST))
        weights = along.transpose(1, 2)[:, None]
        batch, groups = moves.shape[:2]
        amounts = -moves.transpose(2, 3).reshape(batch, groups * 2, 1, -1)
        total = (weights * amounts) @ across[:, None]
        flow = total / (weights @ across[:, None] + _STILL)
        return flow.view(batch, groups, 2, *flow.shape[-2:])

    def _extended(self, landmarks: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
        """Add points between those of the lips, which spread far apart in an open mouth, and around the face."""
        centre = landmarks[:, mesh.NOSE_BASE, None]
        outline, moved = landmarks[:, self._oval] - centre, moves[:, :, self._oval]
        reach = [above + (below - above) * self._lowness for above, below, _ in _SKIRT]
        rings = [centre + outline * distance[:, None] for distance in reach]
        kept = [moved * share for *_, share in _SKIRT]
        lips, lip_moves = landmarks[:, self._between].mean(2), moves[:, :, self._between].mean(3)
        return torch.cat([landmarks, lips, *rings], 1), torch.cat([moves, lip_moves, *kept], 2)


def _lip_segments() -> list[tuple[int, int]]:
    """Neighbours along each ring of the lips; the outer rings end in the outer corners, the inner ones inside."""
    segments: list[tuple[int, int]] = []
    for lip in (mesh.UPPER_LIP, mesh.LOWER_LIP):
        for place, ring in enumerate(lip):
            left, right = mesh.MOUTH_CORNERS if place < 2 else mesh.INNER_CORNERS
            chain = (left, *ring, right)
            segments += zip(chain[:-1], chain[1:], strict=True)
    return segments


def enlarge(field: Tensor, height: int, width: int) -> Tensor:
    """Interpolate a coarse field (B, C, h, w) to (B, C, height, width)."""
    return F.interpolate(field, size=(height, width), mode="bilinear", align_corners=False)


def within(flow: Tensor, seen: Tensor | None = None) -> Tensor:
    """Return ``flow`` (B, 2, H, W) with no pixel from below the picture: the last rows stretch and do not smear.

    ``seen`` (B or 1, 1, H, W), 1 or 0, says what of the picture is there: then no pixel comes from beyond it on any
    side, and what is not there stays still.
    """
    height = flow.shape[-2]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    if seen is None:
        return torch.stack([flow[:, 0], torch.minimum(flow[:, 1], NEAREST * (height - 0.5 - rows))], 1)
    ahead, behind = (torch.cat([_left(seen, 3, back), _left(seen, 2, back)], 1) for back in (False, True))
    return torch.minimum(torch.maximum(flow, -NEAREST * behind), NEAREST * ahead) * seen


def _left(seen: Tensor, axis: int, back: bool) -> Tensor:
    """How far it is from each pixel to the last seen one along ``axis``, or to the first: (B, 1, H, W)."""
    run = seen.flip(axis) if not back else seen
    count = torch.cumsum(run, axis)
    count = count.flip(axis) if not back else count
    return (count - 1).clamp(min=0)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Return ``out(q) = picture(q + flow(q))``, bilinear, the border repeated.

    ``picture`` (B, C, H, W); ``flow`` (B, 2, H, W) in pixels, x then y.
    """
    height, width = picture.shape[-2:]
    x = torch.arange(width, device=picture.device) + 0.5 + flow[:, 0]
    y = torch.arange(height, device=picture.device)[:, None] + 0.5 + flow[:, 1]
    return sample_at(picture, torch.stack([x, y], 3))


def sample_at(picture: Tensor, places: Tensor) -> Tensor:
    """Read ``picture`` (B, C, H, W) at pixel ``places`` (B, h, w, 2), x then y, centres at +0.5."""
    size = places.new_tensor([picture.shape[-1], picture.shape[-2]])
    return F.grid_sample(picture, places / size * 2 - 1, padding_mode="border", align_corners=False)
