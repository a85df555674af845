"""How good the embedded networks are: correlation and error per action unit, landmark error, alignment, speed."""

import numpy as np

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE, MARGIN, apply, to_canonical
from singanimation.pipeline.face.mesh import USUAL_68, eye_centres
from singanimation.stages.action_units.estimators import AUEstimator
from singanimation.stages.action_units.training.faces import FaceCrops
from singanimation.stages.action_units.warp import warp

UNTEACHABLE: dict[str, str] = {
    "AU09": "its label (noseSneer) is 0 in every picture of faces.parquet",
    "AU14": "its label (mouthDimple) hardly varies in the photographs",
    "AU15": "its label (mouthFrown) hardly varies in the photographs; what is learned comes from warped faces",
    "AU20": "its label (mouthStretch) hardly varies in the photographs; what is learned comes from warped faces",
    "AU05": "its label (eyeWide) hardly varies in the photographs; what is learned comes from warped faces",
}
"""Action units that the pictures cannot teach, and why."""

KNOWN_CHANGE, FEWEST_KNOWN = 0.1, 20
"""Changes of a label that count as known, and how many of them a share needs; see ``seen_change``."""


def correlation(estimated: np.ndarray, labels: np.ndarray) -> float | None:
    """Return Pearson's correlation of two vectors, or None where it means nothing: labels spread under 0.001."""
    if labels.std() < 1e-3 or estimated.std() < 1e-6:
        return None
    return float(np.corrcoef(estimated, labels)[0, 1])


def landmark_error(estimated: np.ndarray, true: np.ndarray, points: tuple[int, ...]) -> float:
    """Return the mean distance of the named points of (N, 478, 2), in percent of each face's interocular distance."""
    eyes = eye_centres(true)
    between = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=-1)
    distances = np.linalg.norm(estimated[:, list(points)] - true[:, list(points)], axis=-1)
    return float(100 * (distances / between[:, None]).mean())


def realigned(faces: FaceCrops) -> tuple[np.ndarray, np.ndarray]:
    """Return crops uint8 (N, 128, 128, 3) and landmarks cut by each face's own eye centres, as the crop stage does."""
    transforms = [to_canonical(eyes) for eyes in eye_centres(faces.landmarks)]
    crops = np.stack([warp(face, matrix, CROP_SIZE) for face, matrix in zip(faces.pictures, transforms, strict=True)])
    points = [apply(matrix, shape) for shape, matrix in zip(faces.landmarks, transforms, strict=True)]
    return crops, np.stack(points)


def score(estimator: AUEstimator, crops: np.ndarray, labels: np.ndarray, landmarks: np.ndarray | None = None) -> dict:
    """Return an estimator's figures on crops uint8 (N, 128, 128, 3) with labels (N, 17) in 0..1.

    ``{"faces": N, "action_units": {"AU01": {"correlation", "mean_absolute_error", "label_spread"}, ...}}`` and,
    where ``landmarks`` (N, 478, 2) are known, ``landmark_error_68`` and ``landmark_error_478`` in percent of the
    distance between the eyes.
    """
    found = estimator(crops)
    units = {
        name: {
            "correlation": correlation(found.action_units[:, index], labels[:, index]),
            "mean_absolute_error": float(np.abs(found.action_units[:, index] - labels[:, index]).mean()),
            "label_spread": float(labels[:, index].std()),
        }
        for index, name in enumerate(AU_NAMES)
    }
    figures: dict = {"faces": len(crops), "action_units": units}
    if landmarks is not None and found.landmarks is not None:
        figures["landmark_error_68"] = landmark_error(found.landmarks, landmarks, USUAL_68)
        figures["landmark_error_478"] = landmark_error(found.landmarks, landmarks, tuple(range(landmarks.shape[1])))
    return figures


def seen_change(estimator: AUEstimator, faces: FaceCrops, warped: FaceCrops) -> dict[str, float | None]:
    """Return by AU which share of a known change the estimator sees: how much an edit's measured change understates.

    The known change is that of the labels from a photograph to the face warped from it (same ``face_ids``); the share
    is the least-squares slope through the origin over changes of ``KNOWN_CHANGE`` and more, None where fewer than
    ``FEWEST_KNOWN`` are known. Labels that err make it smaller, not larger.
    """
    places = {name: place for place, name in enumerate(faces.face_ids)}
    chosen = [index for index, name in enumerate(warped.face_ids) if name in places]
    if not chosen:
        return dict.fromkeys(AU_NAMES)
    sources = [places[warped.face_ids[index]] for index in chosen]
    known = warped.action_units[chosen] - faces.action_units[sources]
    seen = estimator(warped.crops()[chosen]).action_units - estimator(faces.crops()).action_units[sources]
    shares: dict[str, float | None] = {}
    for column, name in enumerate(AU_NAMES):
        enough = np.abs(known[:, column]) >= KNOWN_CHANGE
        true, judged = known[enough, column], seen[enough, column]
        shares[name] = float((true * judged).sum() / (true**2).sum()) if enough.sum() >= FEWEST_KNOWN else None
    return shares


def evaluate(estimator: AUEstimator, faces: FaceCrops | None, warped: FaceCrops | None) -> dict:
    """Return figures on photographs (as stored, and re-aligned as in use) and on warped faces, as plain values."""
    figures: dict = {"estimator": estimator.name, "digest": estimator.digest, "unteachable": dict(UNTEACHABLE)}
    if faces is not None:
        known = bool(np.isfinite(faces.landmarks).all())
        landmarks = faces.landmarks - MARGIN if known else None
        figures["photographs"] = score(estimator, faces.crops(), faces.action_units, landmarks)
        if known:
            crops, points = realigned(faces)
            figures["photographs_realigned"] = score(estimator, crops, faces.action_units, points)
    if warped is not None:
        figures["warped"] = score(estimator, warped.crops(), warped.action_units)
    return figures
