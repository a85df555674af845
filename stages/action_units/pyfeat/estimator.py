"""Py-Feat as an estimator: its multitask network, in a worker process, on our crops.

Py-Feat's 20 action units are **probabilities** that an action unit is there, not OpenFace's intensities; both lie in
0..1 and are taken as they are. 16 of our 17 have one of the same name. AU45, the blink, has none: a blink is a short
AU43 (eyes closed; Ekman, Friesen & Hager, FACS, 2002), and a single picture cannot tell how short, so AU43 stands
there. AU11, AU24 and AU28 have no place among our 17.

Our crops are near to what the network was trained on (a square of 1.2 times RetinaFace's box, upright or not): they
are enlarged to its 256 px and go in whole. Its 478 points come back as the crop's landmarks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from singanimation.pipeline.errors import MachineError, UsageError, WeightsError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.pipeline.weights import file_sha256
from singanimation.stages.action_units.estimators import AUResult
from singanimation.stages.action_units.pyfeat.process import PyFeatProcess

STANDS_IN = {"AU45": "AU43"}
"""Ours -> py-feat's that stands there where its network has none of the name."""

_BATCH = 16


class PyFeatEstimator:
    """Py-Feat's multitask network behind the one signature of all estimators; see ``AUEstimator``.

    One worker process each, started here and ended by ``close``, by the end of this process, or with it.
    """

    name = "pyfeat"

    def __init__(self, process: PyFeatProcess, digest: str, detects: bool = False) -> None:
        self._process, self.digest, self.detects = process, digest, detects
        self._columns = columns(process.names)

    @classmethod
    def load(cls, weights: Path, detector: Path | None = None, device: str = "cpu") -> Self:
        """Start the worker with the multitask network's weights, and RetinaFace's where it is to find faces.

        Raises WeightsError for weights that it cannot use, MachineError where it dies; it never looks for weights in
        the network.
        """
        process = PyFeatProcess(weights, detector, device)
        try:
            return cls(process, file_sha256(weights), detector is not None)
        except WeightsError:
            process.close()
            raise

    def __call__(self, crops: np.ndarray) -> AUResult:
        """Estimate uint8 crops (N, 128, 128, 3) RGB. Raises MachineError when the worker dies or hangs.

        A crop's figures depend on its neighbours in a batch by rounding alone (below 1e-5).
        """
        if crops.dtype != np.uint8 or crops.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            raise UsageError(f"an estimator takes uint8 pictures (N, 128, 128, 3); got {crops.dtype} {crops.shape}.")
        units, points = [np.zeros((0, len(AU_NAMES)), np.float32)], [np.zeros((0, 478, 2), np.float32)]
        for start in range(0, len(crops), _BATCH):
            found, mesh = self._process.estimate(crops[start : start + _BATCH])
            units.append(np.clip(found[:, self._columns], 0, 1))
            points.append(mesh * CROP_SIZE)
        result = AUResult(np.concatenate(units), np.concatenate(points))
        if not np.isfinite(result.action_units).all():
            raise MachineError("Py-Feat gave action units that are no numbers; are its weights whole?")
        return result

    def detect_faces(self, picture: np.ndarray) -> np.ndarray:
        """Return RetinaFace's boxes of ``picture`` (H, W, 3) uint8, float32 (K, 4) x0, y0, x1, y1 in its pixels.

        For estimators that ``detects``. Raises MachineError when the worker dies or hangs.
        """
        return self._process.faces(picture)[:, :4]

    def close(self) -> None:
        """End the worker."""
        self._process.close()


def columns(names: Sequence[str]) -> list[int]:
    """Return for each of our 17 action units its column among py-feat's. Raises WeightsError for a strange network."""
    places = {name: index for index, name in enumerate(names)}
    wanted = [name if name in places else STANDS_IN.get(name, name) for name in AU_NAMES]
    lacking = [name for name in wanted if name not in places]
    if lacking:
        raise WeightsError(f"Py-Feat's network has no {', '.join(lacking)}; use face_multitask_v28.safetensors.")
    return [places[name] for name in wanted]
