"""Wrinkles and folds: soft strokes between landmarks that darken or lighten the skin, one table."""

from typing import NamedTuple

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.stages.expansion.geometry.movement.flow import STEP
from singanimation.stages.expansion.geometry.movement.regions import GROUPS

Place = tuple[int, int, float]
"""Between two landmarks: (a, b, t) is ``(1 - t) a + t b``."""


class Stroke(NamedTuple):
    """A line on the left half of the face (its mirror image is drawn too, unless it lies on the midline).

    ``width`` is its Gaussian spread in face units, ``amount`` the log brightness at an AU of 1.
    """

    unit: str
    start: Place
    end: Place
    width: float
    amount: float


STROKES = (
    # across the forehead, and the brow itself, which bunches
    Stroke("AU01", (108, 69, 0.6), (151, 9, 0.4), 0.028, -0.08),
    Stroke("AU01", (107, 69, 0.45), (9, 151, 0.25), 0.026, -0.08),
    Stroke("AU01", (55, 107, 0.5), (52, 105, 0.5), 0.035, -0.12),
    Stroke("AU02", (104, 68, 0.2), (69, 108, 0.5), 0.022, -0.12),
    Stroke("AU02", (104, 63, 0.5), (69, 66, 0.4), 0.022, -0.10),
    Stroke("AU02", (66, 66, 0.0), (70, 46, 0.3), 0.040, -0.10),
    # between the brows, upright, the brow, and its shade
    Stroke("AU04", (9, 107, 0.62), (8, 55, 0.45), 0.026, -0.26),
    Stroke("AU04", (55, 107, 0.5), (46, 70, 0.5), 0.040, -0.16),
    Stroke("AU04", (52, 27, 0.35), (55, 221, 0.2), 0.050, -0.18),
    # under the eye, crow's feet, raised cheek and the fold below it
    Stroke("AU06", (110, 24, 0.5), (22, 23, 0.5), 0.022, -0.24),
    Stroke("AU06", (31, 228, 0.5), (230, 231, 0.5), 0.022, -0.16),
    Stroke("AU06", (33, 130, 0.9), (226, 31, 0.5), 0.020, -0.22),
    Stroke("AU06", (130, 226, 0.6), (35, 143, 0.5), 0.018, -0.20),
    Stroke("AU06", (118, 101, 0.5), (50, 117, 0.5), 0.080, 0.10),
    Stroke("AU06", (203, 36, 0.4), (207, 187, 0.6), 0.060, -0.11),
    Stroke("AU07", (110, 24, 0.5), (22, 23, 0.5), 0.020, -0.18),
    # across the root of the nose (both halves meet on the midline), beside it, and the fold at its wing
    Stroke("AU09", (193, 168, 0.1), (168, 6, 0.05), 0.026, -0.07),
    Stroke("AU09", (122, 6, 0.1), (6, 197, 0.3), 0.026, -0.06),
    Stroke("AU09", (196, 197, 0.1), (197, 195, 0.5), 0.034, 0.02),
    Stroke("AU09", (193, 122, 0.5), (188, 114, 0.5), 0.034, -0.10),
    Stroke("AU09", (188, 196, 0.3), (114, 217, 0.4), 0.030, -0.09),
    Stroke("AU09", (129, 203, 0.25), (206, 216, 0.2), 0.034, -0.24),
    Stroke("AU09", (9, 107, 0.62), (8, 55, 0.45), 0.026, -0.22),
    Stroke("AU10", (129, 203, 0.35), (206, 216, 0.4), 0.036, -0.18),
    Stroke("AU12", (129, 203, 0.5), (216, 61, 0.35), 0.030, -0.20),
    Stroke("AU12", (205, 50, 0.4), (205, 50, 0.6), 0.100, 0.07),
    # at the mouth's corners
    Stroke("AU14", (61, 57, 0.8), (61, 186, 0.6), 0.028, -0.42),
    Stroke("AU14", (57, 212, 0.3), (186, 216, 0.6), 0.035, 0.14),
    Stroke("AU14", (216, 212, 0.2), (216, 212, 0.8), 0.030, -0.20),
    Stroke("AU15", (61, 57, 0.7), (61, 43, 0.9), 0.032, -0.20),
    Stroke("AU20", (61, 57, 0.9), (61, 57, 1.0), 0.030, -0.18),
    Stroke("AU23", (61, 57, 0.4), (57, 43, 0.8), 0.030, -0.22),
    Stroke("AU23", (78, 78, 0.0), (13, 13, 0.0), 0.018, -0.25),
    # the chin's boss
    Stroke("AU17", (18, 200, 0.35), (18, 200, 0.45), 0.060, -0.16),
    Stroke("AU17", (200, 199, 0.4), (200, 199, 0.6), 0.060, 0.09),
)


WARMTH = 1.2
"""How much sooner than the others a fold darkens the channel in which skin is dark already."""

FAINT = 1e-4
"""Log brightness below which a stroke is not drawn."""


class Shading:
    """The strokes of ``STROKES`` with their mirror images; ``mirror`` (478,) gives each landmark's partner."""

    def __init__(self, mirror: Tensor) -> None:
        device = mirror.device
        sides = [_sides(stroke, mirror.tolist()) for stroke in STROKES]
        both = [(stroke, ends) for stroke, each in zip(STROKES, sides, strict=True) for ends in each]
        self._at_right = torch.tensor([side == 1 for each in sides for side in range(len(each))], device=device)
        self._places = torch.tensor([[end[:2] for end in ends] for _, ends in both], device=device)
        self._shares = torch.tensor([[end[2] for end in ends] for _, ends in both], device=device)
        self._units = torch.tensor([AU_INDEX[stroke.unit] for stroke, _ in both], device=device)
        self._widths = torch.tensor([stroke.width for stroke, _ in both], device=device)
        self._amounts = torch.tensor([stroke.amount for stroke, _ in both], device=device)
        group_of = {name: group for group, names in enumerate(GROUPS) for name in names}
        self._groups = torch.tensor([group_of[stroke.unit] for stroke, _ in both], device=device)

    def __call__(self, landmarks: Tensor, left: Tensor, right: Tensor, unit: Tensor, height: int, width: int) -> Tensor:
        """Log brightness per group of AUs, (B, 3, height // STEP, width // STEP).

        ``landmarks`` (B, 478, 2) where they end up, pixels; ``left`` and ``right`` (B, 17): the change of the face's
        half at the picture's left, and of the other; ``unit`` (B,) pixels.
        """
        change = torch.where(self._at_right, right[:, self._units], left[:, self._units])
        # a fold that goes away is rarely just where the stroke lies: lighten it less than a new one darkens
        amounts = change.clamp(-0.5, 1)
        amounts = torch.where(amounts < 0, 0.6 * amounts, amounts) * self._amounts
        # most changes are of few units: draw only what shows
        face, stroke = (amounts.abs() > FAINT).nonzero(as_tuple=True)
        drawn = self._draw(landmarks[face], stroke, unit[face], height, width) * amounts[face, stroke, None, None]
        total = drawn.new_zeros(len(landmarks) * len(GROUPS), height // STEP, width // STEP)
        total.index_add_(0, face * len(GROUPS) + self._groups[stroke], drawn)
        return total.view(len(landmarks), len(GROUPS), *total.shape[1:])

    def _draw(self, landmarks: Tensor, stroke: Tensor, unit: Tensor, height: int, width: int) -> Tensor:
        """Each of K strokes (their numbers ``stroke``) on its own face (K, 478, 2): (K, height // STEP, ...), 0..1."""
        places = self._places[stroke].flatten(1)
        points = landmarks.gather(1, places[..., None].expand(-1, -1, 2)).view(-1, 2, 2, 2)
        share = self._shares[stroke][..., None]
        ends = points[:, :, 0] * (1 - share) + points[:, :, 1] * share
        start, span = ends[:, 0, :, None, None], (ends[:, 1] - ends[:, 0])[..., None, None]
        x = (torch.arange(width // STEP, device=ends.device) + 0.5) * STEP - start[:, 0]
        y = (torch.arange(height // STEP, device=ends.device)[:, None] + 0.5) * STEP - start[:, 1]
        length = (span**2).sum(1).clamp(min=1e-3)
        along = ((x * span[:, 0] + y * span[:, 1]) / length).clamp(0, 1)
        distance = (x - along * span[:, 0]) ** 2 + (y - along * span[:, 1]) ** 2
        spread = 2 * (self._widths[stroke] * unit) ** 2
        return torch.exp(-distance / spread[:, None, None])


def warmth(skin: Tensor) -> Tensor:
    """How strongly a fold darkens each channel of ``skin`` (B, 3), 0..1, about 1 each: light that leaves a fold has met
    the skin more than once, so that folds are not grey on it. Grey pictures stay grey.
    """
    skin = skin.clamp(min=0.02)
    return (1 + WARMTH * (skin.mean(1, keepdim=True) / skin).log()).clamp(0.5, 1.6)


def _sides(stroke: Stroke, mirror: list[int]) -> list[tuple[Place, Place]]:
    """A stroke that ends on the midline, or lies beside it, has a mirror image; one on the midline has none."""
    left = (stroke.start, stroke.end)
    start, end = ((mirror[a], mirror[b], share) for a, b, share in left)
    return [left] if (start, end) == left else [left, (start, end)]
