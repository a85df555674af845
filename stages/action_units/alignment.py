"""How well the aligner brings a badly framed face into the canonical frame, and tells faces from the rest."""

import cv2
import numpy as np
import torch

from singanimation.stages.action_units.aligner_objective import AlignerObjective
from singanimation.stages.action_units.augmentation import STRONG, jittered_frame
from singanimation.stages.action_units.estimators import FACE_THRESHOLD, EmbeddedAligner
from singanimation.stages.action_units.framing import (
    CROP_SIZE,
    INTEROCULAR,
    apply,
    canonical_transform,
    eye_centres,
    warp,
)
from singanimation.stages.action_units.network import AlignerNetwork


def then(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the transform (2, 3) that applies ``first``, then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]], 1)


def converge(
    aligner: EmbeddedAligner, picture: np.ndarray, transform: np.ndarray, rounds: int = 3
) -> tuple[np.ndarray, float]:
    """Return the transform (2, 3) from a picture (H, W, 3) to its canonical crop, and the last view's face score.

    Starts from a rough transform; each round looks at the crop so far and moves the eye centres that it finds
    to their places. Raises ValueError when a round finds both eyes in one point.
    """
    face = 0.0
    for _ in range(rounds):
        view = warp(picture, transform, CROP_SIZE, cv2.BORDER_REPLICATE)
        found = aligner(view[None])
        face = float(found.face[0])
        transform = then(transform, canonical_transform(found.points[0, :2]))
    return transform, face


def alignment_errors(
    aligner: EmbeddedAligner, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, rounds: int = 3
) -> dict[str, float]:
    """Return how far the eyes lie from their places after ``rounds``, from random bad frames.

    In percent of the distance between the eyes: ``start_median``, ``median``, ``p95``; and ``within_10``, the
    share of faces whose eyes end within 10%.
    """
    starts, ends = [], []
    zoom = CROP_SIZE / (176 / 256 * pictures.shape[1])
    for picture, points in zip(pictures, landmarks, strict=True):
        frame = jittered_frame(rng, STRONG, tuple(points.mean(0)), CROP_SIZE, zoom, mirror=False)
        final, _ = converge(aligner, picture, frame, rounds)
        eyes = eye_centres(points)
        truth = apply(canonical_transform(eyes), eyes)
        for transform, errors in ((frame, starts), (final, ends)):
            errors.append(100 * np.linalg.norm(apply(transform, eyes) - truth, axis=1).mean() / INTEROCULAR)
    return {
        "start_median": float(np.median(starts)),
        "median": float(np.median(ends)),
        "p95": float(np.percentile(ends, 95)),
        "within_10": float((np.array(ends) < 10).mean()),
    }


def face_scores(
    network: AlignerNetwork, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, count: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Return face scores (0..1) of ``count`` views with a face and of views without one, drawn as in training."""
    device = next(network.parameters()).device
    objective = AlignerObjective(pictures, landmarks, device)
    aligner = EmbeddedAligner(network, digest="")
    scores, labels = [], []
    for _ in range(-(-count // 100)):
        views, _, face = objective.draw(rng, 100)
        scores.append(aligner(views).face)
        labels.append(face)
    scores, labels = np.concatenate(scores), np.concatenate(labels)
    return scores[labels], scores[~labels]


def calibrate(
    network: AlignerNetwork, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Shift the face score so that ``FACE_THRESHOLD`` (0.5) lets 1% of face-less views pass; changes the network.

    Returns ``faces_kept`` and ``others_passed`` at the threshold, on the views that it was calibrated with: 40
    for each face, at most 2000.
    """
    faces, others = face_scores(network, pictures, landmarks, rng, min(2000, 40 * len(pictures)))
    at = float(np.clip(np.quantile(others, 0.99), 1e-6, 1 - 1e-6))
    with torch.no_grad():
        network.head[-1].bias[-1] -= float(np.log(at / (1 - at)) - np.log(FACE_THRESHOLD / (1 - FACE_THRESHOLD)))
    return {"faces_kept": float((faces >= at).mean()), "others_passed": float((others >= at).mean())}
