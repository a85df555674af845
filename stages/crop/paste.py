"""Put an edited or regenerated crop back into its picture without a visible border."""

from functools import lru_cache

import cv2
import numpy as np

from singanimation.pipeline.face.framing import CROP_SIZE, scale_of, to_opencv
from singanimation.pipeline.records import Crop
from singanimation.stages.crop.cut import smoothing

FEATHER = 10.0
"""Pixels of the crop over which an edit fades out towards the crop's border."""

LARGE = 2048
"""Pixels: of pictures with a longer side only the part is worked on that the crop covers."""


def paste(picture: np.ndarray, crop: Crop, pixels: np.ndarray) -> np.ndarray:
    """Return ``picture`` (H, W, 3) with the face of ``crop`` replaced by ``pixels`` (128, 128, 3), uint8.

    Pixels that equal the crop leave the picture exactly as it was, so that only what changed is taken over (the
    picture's own detail stays elsewhere), and the change fades out towards the crop's border.
    """
    change = np.abs(pixels.astype(np.float32) - crop.pixels.astype(np.float32)).max(2)
    if not change.any():
        return picture.copy()
    # from 2/255 (rounding) to 10/255 (seen) a pixel goes over from the picture's own to the new one
    weight = np.clip((cv2.GaussianBlur(cv2.dilate(change, np.ones((5, 5))), (0, 0), 1.5) - 2) / 8, 0, 1)
    weight *= _feather()
    scale = scale_of(crop.matrix)
    x0, y0, x1, y1 = _part(picture, crop)
    source = pixels.astype(np.float32)
    if scale > 1:  # the picture is coarser than the crop: smooth before thinning out
        source = cv2.GaussianBlur(source, (0, 0), smoothing(1 / scale))
    inverse = to_opencv(cv2.invertAffineTransform(_from_corner(crop.matrix, x0, y0)))
    flags = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_LINEAR
    size = (x1 - x0, y1 - y0)
    new = cv2.warpAffine(source, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(weight.astype(np.float32), inverse, size, flags=cv2.INTER_LINEAR)[..., None]
    mixed = np.clip(np.rint(picture[y0:y1, x0:x1] * (1 - mask) + new * mask), 0, 255).astype(np.uint8)
    if mixed.shape == picture.shape:
        return mixed
    result = picture.copy()
    result[y0:y1, x0:x1] = mixed
    return result


def _part(picture: np.ndarray, crop: Crop) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of what a crop covers of a large picture; small ones are taken whole."""
    height, width = picture.shape[:2]
    return _covered(crop, width, height) if max(height, width) > LARGE else (0, 0, width, height)


def _covered(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    inverse = cv2.invertAffineTransform(crop.matrix)
    corners = np.array([[0, 0], [CROP_SIZE, 0], [0, CROP_SIZE], [CROP_SIZE, CROP_SIZE]], float)
    seen = corners @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.clip(np.floor(seen.min(0)), 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(seen.max(0)), [x0 + 1, y0 + 1], [width, height]).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _from_corner(matrix: np.ndarray, x0: int, y0: int) -> np.ndarray:
    """Return ``matrix`` for the part of a picture that begins at (x0, y0)."""
    if not (x0 or y0):
        return matrix
    return np.hstack([matrix[:, :2], matrix[:, 2:] + matrix[:, :2] @ np.array([[x0], [y0]], float)])


def paste_edit(
    picture: np.ndarray, crop: Crop, attention: np.ndarray, colour: np.ndarray, flow: np.ndarray | None
) -> np.ndarray:
    """Return ``picture`` (H, W, 3) with an edit composed at the picture's own resolution, uint8.

    ``attention`` (128, 128) in 0..1, ``colour`` uint8 (128, 128, 3) and ``flow`` (2, 128, 128) in crop pixels are
    what the generator gave: the flow moves the picture's own pixels, however many there are, and only what the
    generator paints comes from the crop. Everything fades out towards the crop's border.
    """
    inverse = cv2.invertAffineTransform(crop.matrix)
    x0, y0, x1, y1 = _covered(crop, picture.shape[1], picture.shape[0])
    # crop coordinates of each pixel of that part, and the generator's maps there
    x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    at = (crop.matrix[:, :2] @ np.stack([x, y]).reshape(2, -1) + crop.matrix[:, 2:]).reshape(2, *x.shape) - 0.5
    at_x, at_y = at.astype(np.float32)
    maps = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.float32)
    maps[..., 0] = (1 - attention) * _feather()
    if flow is not None:
        maps[..., 1:] = np.moveaxis(flow, 0, 2) * _feather()[..., None]
    moved = cv2.remap(maps, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    paint = cv2.remap(colour.astype(np.float32), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    step = np.einsum("ij,hwj->ihw", inverse[:, :2], moved[..., 1:])
    margin = int(np.abs(step).max()) + 4
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    around = picture[top : y1 + margin, left : x1 + margin]
    from_x, from_y = (x + step[0] - 0.5 - left).astype(np.float32), (y + step[1] - 0.5 - top).astype(np.float32)
    kept = cv2.remap(around, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    weight = moved[..., :1]
    result = picture.copy()
    result[y0:y1, x0:x1] = np.clip(np.rint(kept * (1 - weight) + paint * weight), 0, 255)
    return result


@lru_cache(maxsize=1)
def _feather() -> np.ndarray:
    """(128, 128) float32: 1 inside, falling smoothly to 0 over the last FEATHER pixels before the border."""
    distance = np.minimum(np.arange(CROP_SIZE) + 0.5, CROP_SIZE - np.arange(CROP_SIZE) - 0.5)
    ramp = np.clip(np.minimum(distance[:, None], distance[None, :]) / FEATHER, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
