"""Face detectors behind one signature: OpenCV's Haar cascade, which is always there, and YuNet where its file is.

All see RGB pictures and give boxes in their pixels; an aligner decides afterwards what is a face, so that a box too
many costs time and no quality.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import cv2.data
import numpy as np

from singanimation.pipeline.errors import WeightsError
from singanimation.stages.crop.cut import shrunk

LONGEST = 640
"""Pictures are reduced to this longest side before a detector looks."""

YUNET_SCORE = 0.7
"""The least score of a YuNet box: below its demo's 0.9, since the aligner looks at every box again."""

# YuNet was trained on faces of 10 to 300 px: what fills a picture is only seen in a smaller copy of it.
_YUNET_SIDES = (LONGEST, 320)

Boxes = Callable[[np.ndarray], np.ndarray]
"""uint8 (H, W, 3) RGB -> float64 (K, 4) x0, y0, x1, y1 in its pixels."""


class FaceDetector(NamedTuple):
    """A detector: its ``name`` (with its weights' digest, where it has any), its boxes of a picture, largest first,
    and how much they must ``grow`` for a square that holds the whole head."""

    name: str
    boxes: Boxes
    grow: float


def detect_faces(picture: np.ndarray) -> np.ndarray:
    """Return Haar's face boxes of ``picture`` (H, W, 3), float64 (K, 4) x0, y0, x1, y1, largest first."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    smallest = max(int(32 * min(1.0, LONGEST / max(grey.shape))), 20)
    return largest_first(within(grey, LONGEST, lambda small: _haar(small, smallest)))


HAAR = FaceDetector("haar", detect_faces, 1.35)


def load_yunet(path: Path, digest: str = "") -> FaceDetector:
    """Return YuNet (Wu, Peng & Yu 2023) from an ONNX file of the OpenCV zoo, run by OpenCV's FaceDetectorYN.

    ``digest`` goes into its name. Raises WeightsError when the file is missing or no such network.
    """
    if not path.is_file():
        raise WeightsError(f"The face detector {path} does not exist; `augment weights fetch yunet` gets it.")
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), YUNET_SCORE)
        _yunet(network, np.zeros((320, 320, 3), np.uint8))
    except cv2.error as error:
        reason = getattr(error, "err", "") or str(error).strip()
        raise WeightsError(f"{path} is no YuNet network that OpenCV can read ({reason.splitlines()[0]}).") from None

    def boxes(picture: np.ndarray) -> np.ndarray:
        for side in _YUNET_SIDES:
            found = within(picture, side, lambda small: _yunet(network, small))
            if len(found):
                return largest_first(found)
        return np.zeros((0, 4))

    return FaceDetector(_named("yunet", digest), boxes, 1.25)


def retinaface(boxes: Boxes, digest: str = "") -> FaceDetector:
    """Return py-feat's RetinaFace, given as a callable, as a detector; ``digest`` goes into its name."""
    return FaceDetector(
        _named("retinaface", digest), lambda picture: largest_first(within(picture, LONGEST, boxes)), 1.2
    )


def within(picture: np.ndarray, longest: int, boxes: Boxes) -> np.ndarray:
    """Let ``boxes`` look at ``picture`` (H, W) or (H, W, 3), reduced to the ``longest`` side.

    Boxes come back in its own pixels.
    """
    small, (across, down) = shrunk(picture, longest)
    return np.asarray(boxes(small), float).reshape(-1, 4) / [across, down, across, down]


def largest_first(boxes: np.ndarray) -> np.ndarray:
    """Return boxes (K, 4) ordered by width."""
    return boxes[np.argsort(-(boxes[:, 2] - boxes[:, 0]), kind="stable")]


def _named(name: str, digest: str) -> str:
    return f"{name}@{digest[:12]}" if digest else name


def _haar(grey: np.ndarray, smallest: int) -> np.ndarray:
    found = _cascade().detectMultiScale(cv2.equalizeHist(grey), 1.1, 5, minSize=(smallest, smallest))
    return np.array([(x, y, x + w, y + h) for x, y, w, h in found], float).reshape(-1, 4)


def _yunet(network: cv2.FaceDetectorYN, picture: np.ndarray) -> np.ndarray:
    network.setInputSize(picture.shape[1::-1])
    _, found = network.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if found is None:
        return np.zeros((0, 4))
    return np.hstack([found[:, :2], found[:, :2] + found[:, 2:4]])


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))
