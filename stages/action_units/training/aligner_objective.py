"""What the aligner is asked to get right: five points of a badly framed face, and what is no face at all."""

from pathlib import Path

import cv2
import numpy as np
import skimage
import torch
from torch import Tensor, nn

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.face.framing import apply
from singanimation.pipeline.face.mesh import MIRROR, five_points
from singanimation.stages.action_units.network import ALIGNER_SIZE, AlignerNetwork, to_network_input
from singanimation.stages.action_units.training.augmentation import STRONG, degrade, jittered_frame
from singanimation.stages.action_units.warp import warp

# Those of scikit-image's own pictures without a face whose documentation states that they are free to use.
_TEXTURES = ("brick", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field", "rocket", "text")
_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT)
NEGATIVE_SHARE = 0.36
FACE_SHARE = 176 / 256
"""The edge of the canonical crop, as a share of the edge of a picture of faces.parquet."""


def texture_pictures() -> list[np.ndarray]:
    """Return scikit-image's own face-less pictures: uint8 (192, W, 3) RGB. Raises DatasetError for a damaged one."""
    pictures = []
    for name in _TEXTURES:
        for path in sorted((Path(skimage.__file__).parent / "data").glob(f"{name}.*")):
            stored = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if stored is None:
                raise DatasetError(f"{path} cannot be read as a picture; install scikit-image again.")
            picture = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
            width = round(picture.shape[1] * 192 / picture.shape[0])
            pictures.append(cv2.resize(picture, (width, 192), interpolation=cv2.INTER_AREA))
    return pictures


def _tight(rng: np.random.Generator, picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a picture (S, S, 3) to the face alone, as data sets of face crops are; moves its points along."""
    size = picture.shape[0]
    slack = rng.uniform(-0.04, 0.18, 4) * size
    low = np.clip(points.min(0) - slack[:2], 0, size - 24).astype(int)
    high = np.clip(points.max(0) + slack[2:], low + 24, size).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], points - low.astype(points.dtype)


def positive(
    rng: np.random.Generator, picture: np.ndarray, landmarks: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a badly framed view uint8 (64, 64, 3) of a face and its five points (5, 2), as shares of the edge."""
    zoom = ALIGNER_SIZE / (FACE_SHARE * picture.shape[0])
    centre = landmarks.mean(0) - [0, 0.02 * picture.shape[0]]
    points = landmarks
    if rng.random() < 0.35:
        picture, points = _tight(rng, picture, landmarks)
        centre = centre - (landmarks[0] - points[0])
    mirrored = bool(rng.random() < 0.5)
    frame = jittered_frame(rng, STRONG, tuple(centre), ALIGNER_SIZE, zoom, mirrored)
    view = warp(picture, frame, ALIGNER_SIZE, int(rng.choice(_BORDERS)))
    points = apply(frame, points)
    return degrade(rng, view), five_points(points[mirror] if mirrored else points) / ALIGNER_SIZE


def random_square(
    rng: np.random.Generator, picture: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a random square of ``low`` to ``high`` of the picture's lesser edge; returns it and (left, top, edge)."""
    height, width = picture.shape[:2]
    edge = int(rng.uniform(low, high) * min(height, width))
    top, left = rng.integers(0, height - edge + 1), rng.integers(0, width - edge + 1)
    patch = cv2.resize(picture[top : top + edge, left : left + edge], (ALIGNER_SIZE,) * 2, interpolation=cv2.INTER_AREA)
    return patch, np.array([left, top, edge])


def no_face_here(points: np.ndarray, square: np.ndarray) -> bool:
    """Whether a square (left, top, edge) shows no whole face, whose five points (5, 2) these are.

    So it is when at most two of the points lie inside, when both eyes lie outside, or when the face is several
    times too large.
    """
    inside = ((points > square[:2]) & (points < square[:2] + square[2])).all(1)
    between = float(np.linalg.norm(points[1] - points[0]))
    return inside.sum() <= 2 or not inside[:2].any() or between > 0.8 * square[2]


def _synthetic(rng: np.random.Generator) -> np.ndarray:
    """Draw a gradient, blotches or noise: uint8 (64, 64, 3)."""
    cells = int(rng.choice([2, 3, 5, 9, 20, 64]))
    small = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
    if rng.random() < 0.3:
        small[:] = small[..., :1]
    mode = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    large = cv2.resize(small, (ALIGNER_SIZE, ALIGNER_SIZE), interpolation=mode)
    contrast = rng.uniform(0.02, 1.2)
    return np.clip(large.mean() + (large - large.mean()) * contrast, 0, 255).astype(np.uint8)


def _shuffled(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """Cut a view (64, 64, 3) into 4x4 tiles and shuffle them."""
    edge = ALIGNER_SIZE // 4
    tiles = face.reshape(4, edge, 4, edge, 3).swapaxes(1, 2).reshape(-1, edge, edge, 3)
    mixed = tiles[rng.permutation(len(tiles))]
    return mixed.reshape(4, 4, edge, edge, 3).swapaxes(1, 2).reshape(face.shape)


def negative(
    rng: np.random.Generator, picture: np.ndarray, landmarks: np.ndarray, textures: list[np.ndarray]
) -> np.ndarray:
    """Draw a view uint8 (64, 64, 3) without a whole face.

    From a face's picture away from the face or too near it, textures, gradients and noise, shuffled faces.
    """
    kind = rng.random()
    if kind < 0.6:
        points = five_points(landmarks)
        for _ in range(20):
            patch, square = random_square(rng, picture, 0.08, 0.7)
            if no_face_here(points, square):
                return degrade(rng, patch)
    if kind < 0.8:
        return degrade(rng, random_square(rng, textures[rng.integers(len(textures))], 0.15, 1.0)[0])
    if kind < 0.9:
        return degrade(rng, _synthetic(rng))
    size = picture.shape[0]
    zoom = ALIGNER_SIZE / (FACE_SHARE * size)
    frame = jittered_frame(rng, STRONG, tuple(landmarks.mean(0)), ALIGNER_SIZE, zoom, mirror=False)
    return degrade(rng, _shuffled(rng, warp(picture, frame, ALIGNER_SIZE)))


class AlignerObjective:
    """Five points and a face logit on views of whole pictures (N, S, S, 3) with landmarks (N, 478, 2)."""

    def __init__(self, pictures: np.ndarray, landmarks: np.ndarray, device: torch.device) -> None:
        self.pictures, self.landmarks, self.device = pictures, landmarks, device
        self.mirror = MIRROR.copy()
        self.textures = texture_pictures()
        self.network = AlignerNetwork()

    def draw(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw views uint8 (B, 64, 64, 3), points float32 (B, 5, 2) (0 where none) and face bool (B,)."""
        views, points = [], []
        negatives = int(round(size * NEGATIVE_SHARE))
        for place, index in enumerate(rng.integers(0, len(self.pictures), size)):
            picture, landmarks = self.pictures[index], self.landmarks[index]
            if place < negatives:
                views.append(negative(rng, picture, landmarks, self.textures))
                points.append(np.zeros((5, 2), np.float32))
            else:
                view, five = positive(rng, picture, landmarks, self.mirror)
                views.append(view)
                points.append(five)
        return np.stack(views), np.stack(points).astype(np.float32), np.arange(size) >= negatives

    def loss(self, rng: np.random.Generator, size: int) -> tuple[Tensor, dict[str, float]]:
        """Draw a batch and return its loss and its parts (``points``, ``face``)."""
        views, points, face = (torch.from_numpy(array).to(self.device) for array in self.draw(rng, size))
        inputs = to_network_input(views).contiguous(memory_format=torch.channels_last)
        found, logits = self.network(inputs)
        error = nn.functional.smooth_l1_loss(found[face], points[face], beta=0.02)
        presence = nn.functional.binary_cross_entropy_with_logits(logits, face.float())
        parts = {"points": float(error.detach()), "face": float(presence.detach())}
        return 10 * error + 0.3 * presence, parts
