"""Made beards and fringes: thousands of strokes on the mean face, carried to any face by its landmarks.

One drawing carried to two faces makes a training pair whose answer is known. A beard has a form (stubble, moustache,
goatee, full), a density that thins out unevenly, and hairs of a length and colour of their own.
"""

from typing import NamedTuple

import cv2
import numpy as np

from singanimation.pipeline.face import mesh

BEARDS = ("stubble", "full", "goatee", "moustache", "strap")

_LOWER_JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152)
_STROKES = {"stubble": (2500, 6000), "full": (2500, 7000), "goatee": (900, 2500), "moustache": (500, 1500)}
_LENGTHS = {"stubble": (0.012, 0.03), "full": (0.05, 0.17), "goatee": (0.04, 0.12), "moustache": (0.04, 0.12)}
_TONES = 7


class HairLayer(NamedTuple):
    """Hairs on the mean face: ``colour`` float32 (S, S, 3) in 0..1, ``opacity`` float32 (S, S) in 0..1."""

    colour: np.ndarray
    opacity: np.ndarray


def hair_colour(random: np.random.Generator) -> np.ndarray:
    """Return black, brown, fair, red, grey or white, float64 (3,) in 0..1."""
    tones = np.array(
        [[0.06, 0.05, 0.05], [0.2, 0.13, 0.09], [0.36, 0.25, 0.16], [0.62, 0.5, 0.33], [0.45, 0.2, 0.1],
         [0.5, 0.49, 0.48], [0.85, 0.84, 0.82]]
    )  # fmt: skip
    chosen = tones[random.choice(len(tones), p=[0.27, 0.25, 0.16, 0.08, 0.06, 0.1, 0.08])]
    return (chosen * random.uniform(0.7, 1.25) + random.normal(0, 0.015, 3)).clip(0.01, 1)


def draw_beard(random: np.random.Generator, placed: np.ndarray, size: int) -> HairLayer:
    """Draw a beard on the mean face: ``placed`` (478, 2) are its landmarks in pixels of a picture of ``size``."""
    form = str(random.choice(BEARDS, p=[0.32, 0.32, 0.14, 0.12, 0.1]))
    unit = float(np.linalg.norm(placed[mesh.IRIS_RIGHT] - placed[mesh.IRIS_LEFT]))
    where = _beard_region(form, random, placed, size, unit)
    few, many = _STROKES.get(form, (1500, 4000))
    short, long = _LENGTHS.get(form, (0.03, 0.1))
    length = random.uniform(short, long) * unit
    thin = form == "stubble"
    ground = random.uniform(0.1, 0.45) if thin else random.uniform(0.35, 0.95)
    hairs = _strokes(where, int(random.uniform(few, many)), length, _downwards(size, placed, unit), random)
    strength = random.uniform(0.25, 0.6) if thin else random.uniform(0.5, 0.95)
    return _layer(where * ground, hairs, strength, hair_colour(random), random)


def draw_fringe(random: np.random.Generator, placed: np.ndarray, size: int) -> HairLayer:
    """Draw hair over the forehead, from the picture's upper edge to a ragged line above or at the brows."""
    unit = float(np.linalg.norm(placed[mesh.IRIS_RIGHT] - placed[mesh.IRIS_LEFT]))
    middle = (placed[mesh.IRIS_LEFT] + placed[mesh.IRIS_RIGHT]) / 2
    x = (np.arange(size) - middle[0]) / unit
    parting, slant = random.uniform(-0.6, 0.6), random.uniform(-0.25, 0.25)
    lowest = random.uniform(-0.75, -0.38)
    edge = lowest + slant * x - random.uniform(0, 0.3) * np.exp(-(((x - parting) / 0.25) ** 2))
    edge = edge + np.where(np.abs(x) > 0.85, random.uniform(0, 2.2) * (np.abs(x) - 0.85) * 3, 0)
    edge = edge + cv2.GaussianBlur(random.normal(0, 0.35, (1, size)), (0, 0), 0.05 * unit)[0]
    y = (np.arange(size)[:, None] - middle[1]) / unit
    where = (1 / (1 + np.exp((y - edge[None]) / 0.03))).astype(np.float32)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    lean = np.clip((columns - middle[0]) / unit - parting, -1, 1) * random.uniform(0.2, 1)
    direction = np.stack([lean, np.ones_like(rows)], 2)
    hairs = _strokes(where, int(random.uniform(1500, 4000)), random.uniform(0.15, 0.5) * unit, direction, random)
    return _layer(where * random.uniform(0.75, 1), hairs, random.uniform(0.5, 0.9), hair_colour(random), random)


def _beard_region(form: str, random: np.random.Generator, placed: np.ndarray, size: int, unit: float) -> np.ndarray:
    """Where a beard of this form grows and how densely: float32 (size, size) in 0..1, without the lips."""
    left = _jaw(placed, unit, random.uniform(-0.1, 0.75), random.uniform(0, 0.25 if form == "full" else 0.06))
    chin = _around(placed, (18, 83, 182, 194, 32, 140, 176, 152, 400, 369, 262, 418, 406, 313), 0.04 * unit)
    lip = _around(placed, (2, 97, 98, 165, 92, 186, 61, 40, 39, 37, 0, 267, 269, 270, 291, 410, 322, 391, 327, 326), 0)
    corners = _around(placed, (61, 57, 43, 204, 32, 83, 181), 0.03 * unit)
    corners_right = _around(placed, tuple(mesh.MIRROR[[61, 57, 43, 204, 32, 83, 181]].tolist()), 0.03 * unit)
    parts = {
        "stubble": [left, chin, lip, corners, corners_right],
        "full": [left, chin, lip, corners, corners_right],
        "goatee": [chin, lip, corners, corners_right],
        "moustache": [lip],
        "strap": [left, chin],
    }[form]
    mask = np.zeros((size, size), np.float32)
    for part in parts:
        cv2.fillPoly(mask, [np.rint(part * 16).astype(np.int32)[:, None]], 1.0, cv2.LINE_8, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), random.uniform(0.02, 0.09) * unit)
    uneven = cv2.GaussianBlur(random.normal(0, 1, (size, size)), (0, 0), 0.1 * unit)
    uneven = 1 + random.uniform(0, 0.5) * uneven / max(float(uneven.std()), 1e-6)
    lips = np.zeros((size, size), np.float32)
    for ring in (mesh.UPPER_LIP[0], mesh.LOWER_LIP[0]):
        inner = mesh.INNER_UPPER if ring is mesh.UPPER_LIP[0] else mesh.INNER_LOWER
        red = placed[[61, *ring, 291, *reversed(inner)]]
        cv2.fillPoly(lips, [np.rint(red * 16).astype(np.int32)[:, None]], 1.0, cv2.LINE_8, 4)
    mouth = placed[[*mesh.INNER_UPPER, *reversed(mesh.INNER_LOWER)]]
    cv2.fillPoly(lips, [np.rint(mouth * 16).astype(np.int32)[:, None]], 1.0, cv2.LINE_8, 4)
    keep = 1 - cv2.GaussianBlur(lips, (0, 0), 0.012 * unit)
    return (soft * uneven.clip(0, 1.6) * keep**2).clip(0, 1).astype(np.float32)


def _jaw(placed: np.ndarray, unit: float, height: float, beyond: float) -> np.ndarray:
    """The jaw of both sides as one polygon (P, 2): ``height`` 0..1 from the jaw's line up the cheeks, and below it."""
    right = mesh.MIRROR[list(_LOWER_JAW)].tolist()
    down = np.array([0.0, beyond * unit])
    outer = [*(placed[list(_LOWER_JAW)] + down), *(placed[right[::-1]][1:] + down)]
    cheek = (1 - max(height, 0)) * placed[[172, 32, 18]] + max(height, 0) * placed[[177, 205, 18]]
    cheek_right = (1 - max(height, 0)) * placed[[397, 262, 18]] + max(height, 0) * placed[[401, 425, 18]]
    return np.array([*outer, *cheek_right, *cheek[::-1]])


def _around(placed: np.ndarray, indices: tuple[int, ...], grow: float) -> np.ndarray:
    """The hull of some landmarks, grown from its middle: (P, 2)."""
    hull = cv2.convexHull(placed[list(indices)].astype(np.float32))[:, 0]
    offset = hull - hull.mean(0)
    return hull + grow * offset / np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-6)


def _downwards(size: int, placed: np.ndarray, unit: float) -> np.ndarray:
    """The direction in which beards grow: down, and away from the middle. (size, size, 2), not of length 1."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    across = (columns - placed[mesh.NOSE_BASE, 0]) / unit
    return np.stack([0.9 * across, np.ones_like(rows)], 2)


def _strokes(
    where: np.ndarray, count: int, length: float, direction: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Hairs in ``_TONES`` classes of brightness: uint8 (_TONES, S, S), each drawn where ``where`` is dense."""
    size = len(where)
    total = float(where.sum())
    found = np.zeros((_TONES, size, size), np.uint8)
    if total < 1:
        return found
    chosen = random.choice(where.size, count, p=where.ravel() / total)
    begin = np.stack([chosen % size, chosen // size], 1) + random.uniform(0, 1, (count, 2))
    way = direction.reshape(-1, 2)[chosen]
    angle = np.arctan2(way[:, 1], way[:, 0]) + random.normal(0, 0.35, count)
    reach = length * random.uniform(0.5, 1.3, (count, 1))
    end = begin + reach * np.stack([np.cos(angle), np.sin(angle)], 1)
    lines = np.rint(np.stack([begin, end], 1) * 16).astype(np.int32)[:, :, None]
    for tone in range(_TONES):
        cv2.polylines(found[tone], list(lines[tone::_TONES]), False, 255, 1, cv2.LINE_AA, 4)
    return found


def _layer(
    ground: np.ndarray, hairs: np.ndarray, strength: float, colour: np.ndarray, random: np.random.Generator
) -> HairLayer:
    """Lay the hairs over a tinted ground; each class of hairs is lighter or darker than the last."""
    tints = random.uniform(0.55, 1.5, _TONES)
    mixed = np.ones((*ground.shape, 1), np.float32) * np.float32(colour * random.uniform(0.6, 1))
    opacity = ground.astype(np.float32)
    for tint, drawn in zip(tints, hairs, strict=True):
        over = drawn.astype(np.float32) / 255 * strength
        mixed = mixed * (1 - over[..., None]) + over[..., None] * np.float32((colour * tint).clip(0, 1))
        opacity = opacity + over * (1 - opacity)
    return HairLayer(mixed, opacity)
