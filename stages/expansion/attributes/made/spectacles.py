"""Made spectacles: frames, rims, lenses, temples and reflections, drawn in face units and placed on any face.

One ``Style`` worn by two faces makes a training pair whose answer is known exactly. Spectacles are rigid: a face wears
them by one affine map of its own eyes, nose and temples, never by a flow that would bend them.
"""

from typing import NamedTuple

import cv2
import numpy as np

from singanimation.stages.expansion.attributes.registration import ANCHORS

FINE = 2
"""Layers are drawn at this many times the crop's pixels and brought down: wires are thinner than a pixel."""

_SHIFT = 4
_POINTS = 40

DARK = 0.45
"""Lenses of at least this opacity are sunglasses: eyes, and so part of an expression, are behind them."""


class Style(NamedTuple):
    """One pair of spectacles. Lengths in face units (1: from iris to iris), colours 0..1 RGB, opacities 0..1.

    ``size`` is half a lens' width and height, ``corner`` the power of its outline (2: an ellipse), ``taper`` how much
    narrower it is below, ``drop`` how far it hangs below the eyes; ``rims`` the thickness above, below and of bridge
    and temples.
    """

    size: tuple[float, float]
    corner: float
    taper: float
    drop: float
    rims: tuple[float, ...]
    bridge: float
    frame: tuple[float, float, float]
    frame_opacity: float
    lens: tuple[float, float, float]
    lens_opacity: tuple[float, float]
    shadow: float
    glints: tuple[tuple[float, ...], ...]


def draw_style(random: np.random.Generator) -> Style:
    """Return a pair of spectacles at random: wires, acetate, browlines, rimless ones, and one in eight sunglasses."""
    width = random.uniform(0.30, 0.43)
    height = width * random.uniform(0.55, 1.02)
    kind = random.choice(["wire", "acetate", "browline", "rimless", "thick"], p=[0.3, 0.25, 0.15, 0.12, 0.18])
    thin, thick = random.uniform(0.012, 0.03), random.uniform(0.035, 0.085)
    rims = {
        "wire": (thin, thin, thin),
        "acetate": (thick * 0.7, thick * 0.6, thick * 0.7),
        "browline": (thick, random.choice([0.0, thin]), thin),
        "rimless": (0.006, 0.006, thin),
        "thick": (thick, thick * random.uniform(0.7, 1), thick),
    }[str(kind)]
    dark = random.random() < 0.125
    tint = random.uniform(0, 0.5, 3) if dark else random.uniform(0.2, 0.9, 3)
    opacity = random.uniform(DARK, 0.97) if dark else random.choice([0.0, random.uniform(0, 0.15)])
    glints = [
        tuple(map(float, (random.uniform(-0.7, 0.7), random.uniform(-0.7, 0.5), random.uniform(0.1, 0.6), strength)))
        for strength in random.uniform(0.05, 0.6, random.integers(0, 3))
    ]
    return Style(
        (float(width), float(height)),
        float(random.uniform(2, 4.5)),
        float(random.uniform(-0.05, 0.3)),
        float(random.uniform(-0.03, 0.16)),
        tuple(map(float, rims)),
        float(random.uniform(-0.16, 0.1)),
        _frame_colour(random),
        float(random.uniform(0.75, 1)),
        tuple(tint.tolist()),
        (float(opacity), float(opacity * random.uniform(0.4, 1))),
        float(random.uniform(0, 0.4)),
        tuple(glints),
    )


def _frame_colour(random: np.random.Generator) -> tuple[float, float, float]:
    black = random.uniform(0.02, 0.16) * np.ones(3)
    metal = random.uniform(0.35, 0.85) * np.array([1, random.uniform(0.86, 1), random.uniform(0.65, 1)])
    brown = random.uniform(0.15, 0.45) * np.array([1, random.uniform(0.5, 0.7), random.uniform(0.25, 0.5)])
    colour = [black, metal, brown, random.uniform(0, 0.9, 3)][random.choice(4, p=[0.45, 0.27, 0.18, 0.1])]
    return tuple(colour.clip(0, 1).tolist())


def place_on(landmarks: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the affine map (2, 3) from face units to pixels by which a face wears spectacles.

    ``landmarks`` (478, 2) in pixels, ``mean`` (478, 2) in face units; least squares over eyes, nose and temples.
    """
    anchors = list(ANCHORS)
    known = np.hstack([mean[anchors], np.ones((len(anchors), 1))])
    return np.linalg.lstsq(known, landmarks[anchors], rcond=None)[0].T


def draw_spectacles(style: Style, placed: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer: colour float32 (size, size, 3) in 0..1 and opacity float32 (size, size).

    ``placed`` is what ``place_on`` returns. The face with them is ``(1 - opacity) face + opacity colour``.
    """
    layer = _Layer(size * FINE, placed * FINE)
    scale = float(np.hypot(placed[0, 0], placed[1, 0])) * FINE
    lenses = [_outline(style, side) for side in (-1, 1)]
    if style.shadow:
        below = np.array([0.0, 0.05])
        strokes = layer.mask()
        for lens in lenses:
            layer.line(strokes, lens + below, max(style.rims[:2]) * scale + 2)
        layer.put(cv2.GaussianBlur(strokes, (0, 0), 0.03 * scale) * style.shadow, (0.05, 0.03, 0.02))
    for lens in lenses:
        inside = layer.fill(layer.mask(), lens)
        layer.put(inside * _graded(inside, *style.lens_opacity), style.lens)
        for x, y, length, strength in style.glints:
            centre, spread = lens.mean(0), np.array(style.size)
            begin = centre + spread * [x, y]
            shine = layer.line(layer.mask(), np.array([begin, begin + spread * [length, -length]]), 0.12 * scale)
            layer.put(cv2.GaussianBlur(shine, (0, 0), 0.02 * scale) * inside * strength, (1.0, 1.0, 1.0))
    layer.put(_frame(layer, style, lenses, scale) * style.frame_opacity, style.frame)
    return layer.brought_down()


def _outline(style: Style, side: int) -> np.ndarray:
    """One lens in face units, (P, 2), counted from its highest point outwards and around."""
    angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False) - np.pi / 2
    across, down = np.cos(angle), np.sin(angle)
    power = 2 / style.corner
    x = np.sign(across) * np.abs(across) ** power
    y = np.sign(down) * np.abs(down) ** power
    x = x * (1 - style.taper * (y + 1) / 2)
    return np.stack([side * (0.5 + style.size[0] * x * 1.0), style.drop + style.size[1] * y], 1)


def _frame(layer: "_Layer", style: Style, lenses: list[np.ndarray], scale: float) -> np.ndarray:
    """The opacity of rims, bridge and temples."""
    found = layer.mask()
    above, below, rest = (thickness * scale for thickness in style.rims)
    for lens in lenses:
        half = _POINTS // 4
        order = np.roll(np.arange(_POINTS), half)
        upper, lower = lens[order][: 2 * half + 1], lens[order][2 * half - 1 :]
        if above:
            layer.line(found, upper, above)
        if below:
            layer.line(found, np.vstack([lower, upper[:1]]), below)
    inner = 0.5 - style.size[0] * (1 - style.taper * 0.4)
    height = style.drop - 0.12 * style.size[1] + style.bridge * 0.4
    arch = np.array([[-inner, height], [-inner / 2, height - 0.045], [inner / 2, height - 0.045], [inner, height]])
    layer.line(found, arch, max(rest, 0.02 * scale))
    outer, top = 0.5 + style.size[0], style.drop - 0.35 * style.size[1]
    for side in (-1, 1):
        temple = np.array([[side * (outer - 0.01), top], [side * 1.12, top - 0.02]])
        layer.line(found, temple, max(rest, 0.02 * scale))
    return found


def _graded(mask: np.ndarray, above: float, below: float) -> np.ndarray:
    """Opacities from ``above`` to ``below`` over the rows that ``mask`` covers: (size, 1)."""
    rows = np.flatnonzero(mask.any(1))
    grade = np.full((len(mask), 1), above, np.float32)
    if len(rows):
        grade[rows[0] : rows[-1] + 1, 0] = np.linspace(above, below, rows[-1] - rows[0] + 1)
    return grade


class _Layer:
    """A picture that is painted over and over, with its opacity; points are in face units."""

    def __init__(self, size: int, placed: np.ndarray) -> None:
        self._size, self._placed = size, placed
        corners = np.array([[x, y] for x in (-1.3, 1.3) for y in (-0.6, 0.75)]) @ placed[:, :2].T + placed[:, 2]
        # only the rows that spectacles can be in: a third of the work
        rows = (corners[:, 1] / FINE).round().clip(0, size // FINE).astype(int) * FINE
        self._top, bottom = int(rows.min()), max(int(rows.max()), int(rows.min()) + FINE)
        self._colour = np.zeros((bottom - self._top, size, 3), np.float32)
        self._opacity = np.zeros((bottom - self._top, size), np.float32)

    def mask(self) -> np.ndarray:
        return np.zeros_like(self._opacity)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        found = points @ self._placed[:, :2].T + self._placed[:, 2] - 0.5 - [0, self._top]
        return np.rint(found * (1 << _SHIFT)).astype(np.int32)[:, None]

    def fill(self, mask: np.ndarray, points: np.ndarray) -> np.ndarray:
        return cv2.fillPoly(mask, [self._pixels(points)], 1.0, cv2.LINE_8, _SHIFT)

    def line(self, mask: np.ndarray, points: np.ndarray, thickness: float) -> np.ndarray:
        whole = max(1, round(thickness))
        drawn = cv2.polylines(np.zeros_like(mask), [self._pixels(points)], False, 1.0, whole, cv2.LINE_8, _SHIFT)
        np.maximum(mask, drawn * min(1.0, thickness / whole), out=mask)
        return mask

    def put(self, opacity: np.ndarray, colour: tuple[float, ...]) -> None:
        """Paint over what is there; colours are kept multiplied by their opacity."""
        opacity = opacity.clip(0, 1)
        self._colour = self._colour * (1 - opacity[..., None]) + opacity[..., None] * np.array(colour, np.float32)
        self._opacity = self._opacity + opacity * (1 - self._opacity)

    def brought_down(self) -> tuple[np.ndarray, np.ndarray]:
        edge = self._size // FINE
        top, rows = self._top // FINE, len(self._opacity) // FINE
        whole = np.zeros((edge + rows, edge, 4), np.float32)  # a face at the picture's edge has rows below it
        both = np.dstack([self._colour, self._opacity])
        whole[top : top + rows] = cv2.resize(both, (edge, rows), interpolation=cv2.INTER_AREA)
        whole = whole[:edge]
        return whole[..., :3] / np.maximum(whole[..., 3:], 1e-4), whole[..., 3]
