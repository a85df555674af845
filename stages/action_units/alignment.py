"""How well the aligner brings a badly framed face into the canonical frame, and tells faces from the rest."""

from typing import cast

import numpy as np
import torch
from torch import nn

from singanimation.pipeline.face.framing import CROP_SIZE, EYES, INTEROCULAR, apply, chain, to_canonical
from singanimation.pipeline.face.mesh import eye_centres, five_points
from singanimation.stages.action_units.estimators import FACE_THRESHOLD, EmbeddedAligner
from singanimation.stages.action_units.network import AlignerNetwork
from singanimation.stages.action_units.training.aligner_objective import FACE_SHARE, no_face_here, random_square
from singanimation.stages.action_units.training.augmentation import STRONG, jittered_frame
from singanimation.stages.action_units.warp import warp


def converge(
    aligner: EmbeddedAligner, picture: np.ndarray, transform: np.ndarray, rounds: int = 3
) -> tuple[np.ndarray, float]:
    """Return the transform (2, 3) from a picture (H, W, 3) to its canonical crop, and the face score there.

    Starts from a rough transform; each round looks at the crop so far and moves the eye centres that it finds
    to their places. Raises ValueError when a round finds both eyes in one point.
    """
    for _ in range(rounds):
        found = aligner(warp(picture, transform, CROP_SIZE)[None])
        transform = chain(to_canonical(found.points[0, :2]), transform)
    return transform, float(aligner(warp(picture, transform, CROP_SIZE)[None]).face[0])


def _away_from_face(rng: np.random.Generator, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    """Draw a frame (2, 3) of a picture that shows no whole face; None when twenty draws all do."""
    points = five_points(landmarks)
    for _ in range(20):
        _, (left, top, edge) = random_square(rng, picture, 0.15, 0.6)
        if no_face_here(points, np.array([left, top, edge])):
            zoom = CROP_SIZE / edge
            return np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]], np.float64)
    return None


def face_scores(
    aligner: EmbeddedAligner, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, starts: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return the face scores (0..1) of views that the aligner ends at: on faces, and elsewhere.

    Each picture gives ``starts`` frames near its face and ``starts`` away from it. A walk that starts away but
    ends within half the distance between the eyes from the face is of neither kind: it found the face.
    """
    scores: tuple[list[float], list[float]] = ([], [])
    zoom = CROP_SIZE / (FACE_SHARE * pictures.shape[1])
    for picture, points in zip(pictures, landmarks, strict=True):
        eyes = eye_centres(points)
        for start in range(2 * starts):
            near = start < starts
            frame = jittered_frame(rng, STRONG, tuple(points.mean(0)), CROP_SIZE, zoom, mirror=False)
            frame = frame if near else _away_from_face(rng, picture, points)
            if frame is None:
                continue
            final, face = converge(aligner, picture, frame)
            off = np.linalg.norm(apply(final, eyes) - EYES, axis=1).mean() / INTEROCULAR
            if near or off > 0.5:
                scores[0 if near else 1].append(face)
    return np.array(scores[0]), np.array(scores[1])


def calibrate(
    network: AlignerNetwork, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Shift the face score so that ``FACE_THRESHOLD`` (0.5) tells faces from the rest; changes the network.

    The threshold goes where 1% of the views that are no face pass, or lower where that would lose more than
    0.5% of the faces. Returns ``faces_kept`` and ``others_passed`` on the views it was calibrated with
    (pictures uint8 (N, S, S, 3), landmarks (N, 478, 2)).
    """
    faces, others = face_scores(EmbeddedAligner(network, digest=""), pictures, landmarks, rng)
    at = float(np.quantile(faces, 0.005))
    if len(others):
        at = min(at, float(np.quantile(others, 0.99)))
    at = min(max(at, 1e-6), 1 - 1e-6)
    last = cast(nn.Linear, network.head[-1])
    with torch.no_grad():
        last.bias[-1] -= float(np.log(at / (1 - at)) - np.log(FACE_THRESHOLD / (1 - FACE_THRESHOLD)))
    passed = float((others >= at).mean()) if len(others) else 0.0
    return {"faces_kept": float((faces >= at).mean()), "others_passed": passed}
