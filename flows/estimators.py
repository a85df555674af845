"""Who estimates action units and who finds faces: what ``--aus`` and the weights at hand lead to, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from singanimation.pipeline.errors import MachineError, UsageError
from singanimation.pipeline.pyfeat import NOT_INSTALLED, detector_file, package_folder, unusable, weights_file
from singanimation.pipeline.weights import file_sha256, find, locate

if TYPE_CHECKING:
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.crop import FaceDetector

CARD_KEY = "au_estimator"
"""In a generator's card: whose action units it was trained on. Absent: OpenFace's for published generators, else the
embedded estimator's."""

CHOICES = ("auto", "embedded", "pyfeat", "openface")


@dataclass(frozen=True)
class Estimator:
    """The estimator of a run: ``measure`` maps uint8 crops (N, 128, 128, 3) to float32 (N, 17) in 0..1.

    ``name`` is the manifest's ``au_estimator``; ``notes`` go into the log and the summary, ``warnings`` to the
    user too. ``detector`` is the face detector that comes with it, if any.
    """

    measure: Callable[[np.ndarray], np.ndarray]
    name: str
    digest: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    detector: "FaceDetector | None" = None


def choose_estimator(
    aus: str, embedded: "EmbeddedEstimator", card: Mapping[str, str], device: str = "cpu"
) -> Estimator:
    """Return the estimator that ``--aus`` asks for. Raises UsageError and WeightsError for one that cannot be used.

    ``auto`` is the estimator whose scale the generator was trained on, by its ``card``: an edit is the difference
    between a measured and a wanted vector, and two estimators' zeros and ones are not the same. Where that one cannot
    be used, auto goes on with the embedded estimator and warns. ``openface`` takes the sources' values from
    OpenFace's files; edits and variants have no such file and are measured with the embedded estimator.
    """
    ours = (lambda crops: embedded(crops).action_units, f"{embedded.name}@{embedded.digest[:12]}", embedded.digest)
    if aus == "pyfeat":
        return _pyfeat(device)
    if aus == "openface":
        return Estimator(*ours, notes=("sources by OpenFace's files, edits and variants by the embedded estimator",))
    if aus == "embedded":
        return Estimator(*ours)
    if aus != "auto":
        raise UsageError(f"--aus {aus}: use one of {', '.join(CHOICES)}.")
    trained_on = _trained_on(card)
    if trained_on == "embedded":
        why = unusable()
        other = f"py-feat cannot be used: {why}" if why else "py-feat can be used: --aus pyfeat"
        return Estimator(*ours, notes=(f"--aus auto: the embedded estimator, as the generator's training; {other}",))
    if trained_on == "pyfeat":
        try:
            return _pyfeat(device)
        except (UsageError, MachineError) as error:
            return Estimator(*ours, warnings=(_goes_on("py-feat's", str(error)),))
    return Estimator(*ours, notes=(_goes_on(f"{trained_on}'s", "--aus openface takes the values of its files"),))


def choose_detector(estimator: Estimator) -> "FaceDetector":
    """Return the face detector: the estimator's own, YuNet where its weights are, else OpenCV's Haar cascade.

    Raises WeightsError for a YuNet file that is named or fetched and cannot be used.
    """
    from singanimation.stages.crop import HAAR, load_yunet

    if estimator.detector is not None:
        return estimator.detector
    if locate("yunet") is None:
        return HAAR
    path = find("yunet")
    return load_yunet(path, file_sha256(path))


def _pyfeat(device: str) -> Estimator:
    from singanimation.stages.action_units.pyfeat.estimator import PyFeatEstimator
    from singanimation.stages.crop import retinaface

    package = package_folder()
    if package is None:
        raise UsageError(NOT_INSTALLED)
    faces = detector_file(package)
    found = PyFeatEstimator.load(weights_file(), faces, device)
    return Estimator(
        lambda crops: found(crops).action_units,
        f"{found.name}@{found.digest[:12]}",
        found.digest,
        detector=retinaface(found.detect_faces, file_sha256(faces)) if faces else None,
    )


def _goes_on(whose: str, why: str) -> str:
    return (
        f"--aus auto goes on with the embedded estimator, though the generator was trained on {whose} scale, and its "
        f"edits may be too weak or too strong: {why}"
    )


def _trained_on(card: Mapping[str, str]) -> str:
    """Return whose action units a generator was trained on; what a card does not say counts as the embedded ones."""
    published = "openface" if "implementation" in card else "embedded"
    return card.get(CARD_KEY, published).split("@")[0]
