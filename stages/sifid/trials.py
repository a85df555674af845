"""Variants of known quality, which a SIFID threshold has to tell apart, and the threshold that does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

BLUR_SIGMA = 2.0
TILE = 16


def blurred(picture: np.ndarray, sigma: float = BLUR_SIGMA) -> np.ndarray:
    """Return uint8 (H, W, 3) blurred by a Gaussian of ``sigma`` pixels."""
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def shuffled(picture: np.ndarray, rng: np.random.Generator, tile: int = TILE) -> np.ndarray:
    """Return uint8 (H, W, 3) with its tiles in another order (a rest at the right and bottom stays)."""
    rows, columns = picture.shape[0] // tile, picture.shape[1] // tile
    order = rng.permutation(rows * columns)
    result = picture.copy()
    for place, source in enumerate(order):
        (to_row, to_column), (row, column) = divmod(place, columns), divmod(int(source), columns)
        block = picture[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
        result[to_row * tile : (to_row + 1) * tile, to_column * tile : (to_column + 1) * tile] = block
    return result


def reencoded(picture: np.ndarray, quality: int = 90) -> np.ndarray:
    """Return uint8 (H, W, 3) after JPEG of ``quality``."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    stored = cast(np.ndarray, cv2.imdecode(data, cv2.IMREAD_COLOR))  # None only for what is no picture
    return np.ascontiguousarray(stored[..., ::-1])


def shifted(picture: np.ndarray, pixels: int = 1) -> np.ndarray:
    """Return uint8 (H, W, 3) moved right and down by whole ``pixels``, edges repeated."""
    padded = np.pad(picture, ((pixels, 0), (pixels, 0), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded[: picture.shape[0], : picture.shape[1]])


def noisy(picture: np.ndarray, rng: np.random.Generator, share: float = 0.02) -> np.ndarray:
    """Return uint8 (H, W, 3) with Gaussian noise whose deviation is ``share`` of the full range."""
    noise = rng.normal(0, 255 * share, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def bad_variants(picture: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return known-bad variants by name; those started at N come from an engine and are added by the caller."""
    return {"blurred": blurred(picture), "patches shuffled": shuffled(picture, np.random.default_rng(seed))}


def mild_variants(picture: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return variants that any filter should let pass."""
    rng = np.random.default_rng(seed)
    return {"re-encoded": reencoded(picture), "shifted": shifted(picture), "2% noise": noisy(picture, rng)}


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it does: shares rejected per bad kind, accepted per mild kind, 0..1."""

    threshold: float
    rejected: Mapping[str, float]
    accepted: Mapping[str, float]


def calibrate(
    bad: Mapping[str, np.ndarray], mild: Mapping[str, np.ndarray], rejected: float = 0.975, margin: float = 0.9
) -> Calibration:
    """Choose the threshold between SIFIDs of bad and of mild variants (name -> (K,) values).

    The highest that rejects the share ``rejected`` of every bad kind, times ``margin``: what a filter needs not
    reject it should let pass, or regeneration keeps nothing but near-copies. Look at ``accepted`` whether the
    mild ones pass: where they do not, the features cannot tell the two apart.
    """
    threshold = margin * min(float(np.quantile(values, 1 - rejected)) for values in bad.values())
    return Calibration(
        threshold,
        {name: float((each > threshold).mean()) for name, each in bad.items()},
        {name: float((each <= threshold).mean()) for name, each in mild.items()},
    )
