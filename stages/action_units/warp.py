"""How the pictures that the embedded networks learn from are brought to the framing.

Its rule against aliasing is not that of ``crop.cut``: the shipped networks were trained with this one.
"""

import cv2
import numpy as np

from singanimation.pipeline.face.framing import to_opencv


def warp(picture: np.ndarray, transform: np.ndarray, size: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """Return the picture (H, W, 3) warped by a transform (2, 3) into (size, size, 3), bilinear.

    The transform is in continuous coordinates. A picture that shrinks is softened first, so that no pattern
    appears that was not there.
    """
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if scale < 0.95:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 * np.sqrt(1 / scale**2 - 1) + 0.05)
    return cv2.warpAffine(picture, to_opencv(transform), (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
