"""What leaves a run: pictures put into the frame and colours of their source, and measured as they leave."""

import cv2
import numpy as np

from singanimation.flows.models import FaceModels
from singanimation.flows.source.rows import Shipped
from singanimation.pipeline.files.grey import greyed
from singanimation.pipeline.files.pictures import Picture, encode_png
from singanimation.pipeline.records import Crop


class Reframer:
    """Turns a 128 px picture into what is shipped: framed as asked, grey where the source was grey, measured."""

    def __init__(self, models: FaceModels, picture: Picture, crop: Crop, frame: str) -> None:
        self._models, self._picture, self._crop, self._frame = models, picture, crop, frame

    def __call__(self, pixels: np.ndarray) -> Shipped:
        if self._frame == "source":
            pixels = self._models.paste(self._picture.pixels, self._crop, pixels)
        if self._picture.mode == "L":
            pixels = greyed(pixels)
        view = self._models.cut(pixels, self._crop.matrix) if self._frame == "source" else pixels
        # one at a time, so that the figures do not depend on how many are measured together
        units = self._models.action_units(view[None])[0]
        return Shipped(encode_png(pixels, self._picture.mode), pixels.shape[:2], units)


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return square uint8 (S, S, 3) at ``size``: area means downwards, cubic upwards."""
    if pixels.shape[0] == size:
        return pixels
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if pixels.shape[0] > size else cv2.INTER_CUBIC)


def as_learnt(edit: np.ndarray, size: int) -> np.ndarray:
    """Return an edit uint8 (H, H, 3) shrunk to an engine's ``size`` and enlarged again, as its variants are:

    what these are compared with, so that the size alone is no damage.
    """
    return resized(resized(edit, size), edit.shape[0])
