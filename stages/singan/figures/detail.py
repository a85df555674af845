"""New detail: what of a variant is not its edit's, wherever it was moved and however it was tinted."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np

from singanimation.stages.singan.face_parts import CROP, parts_of
from singanimation.stages.singan.figures.registration import grey, register

BANDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"<2": (0.0, 2.0), "2-4": (2.0, 4.0), "4-8": (4.0, 8.0), "8-16": (8.0, 16.0)}
)
"""Bands of detail by size in pixels of a 128 px crop: what a Gaussian of half the lower size keeps and one of half
the upper size does not."""

DRAWN = ("4-8", "8-16")
"""The bands in which features are drawn: lids, lips, brows, folds. Finer ones hold grain."""

FAINT = 0.5
"""Grey levels below which an edit's band counts as this: new detail on a flat place is not divided by nothing."""

NewDetail = Mapping[tuple[str, str], float]
"""(band, part of the face) -> new detail, in deviations of the edit's own band."""


def bands(values: np.ndarray) -> dict[str, np.ndarray]:
    """Split float grey values (H, H) into ``BANDS``, each float32 (H, H)."""
    scale = values.shape[0] / CROP
    edges = {edge for pair in BANDS.values() for edge in pair if edge}
    blurred = {edge: cv2.GaussianBlur(values, (0, 0), edge / 2 * scale) for edge in edges} | {0.0: values}
    return {name: blurred[low] - blurred[high] for name, (low, high) in BANDS.items()}


def new_detail(edit: np.ndarray, variant: np.ndarray) -> NewDetail:
    """Return the new detail of ``variant`` by (band, part of the face), in deviations of the edit's own band.

    Both uint8 (H, H, 3) of an aligned crop. The variant is registered (``register``); in each part its band is
    then explained by the edit's with one gain, and what is not explained counts. So a blurred copy has none, one
    with another drawing has about 1, and grain is found in the finest bands alone.
    """
    return unexplained(own_bands(edit), registered_bands(edit, variant))


def drawn_detail(found: NewDetail) -> float:
    """Return one figure of a ``new_detail``: the mean over parts and ``DRAWN`` bands."""
    return float(np.mean([value for (band, _), value in found.items() if band in DRAWN]))


def detail_spread(edit: np.ndarray, variants: np.ndarray) -> float:
    """Return how much the detail of ``variants`` uint8 (K, H, H, 3) differs among them, wherever it was moved.

    The deviation over the registered variants in the ``DRAWN`` bands, in deviations of the edit's own band, mean over
    parts: 0 for copies, warps of the edit included, 1 for variants as different as unrelated pictures.
    """
    own = own_bands(edit)
    drawn = [registered_bands(edit, variant) for variant in variants]
    found = []
    for band in DRAWN:
        variance = np.var([each[band] for each in drawn], axis=0, ddof=1)
        for mask in parts_of(edit.shape[0]).values():
            found.append(float(variance[mask].mean()) ** 0.5 / max(float(own[band][mask].std()), FAINT))
    return float(np.mean(found))


def registered_bands(edit: np.ndarray, variant: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the bands of ``variant`` registered to ``edit``; the last ones asked for are remembered."""
    return _bands_of(variant.tobytes(), edit.tobytes(), edit.shape[0])


def own_bands(edit: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the bands of an edit uint8 (H, H, 3)."""
    return _bands_of(edit.tobytes(), None, edit.shape[0])


@lru_cache(maxsize=96)
def _bands_of(picture: bytes, registered_to: bytes | None, size: int) -> Mapping[str, np.ndarray]:
    shown = np.frombuffer(picture, np.uint8).reshape(size, size, 3)
    if registered_to is None:
        return MappingProxyType(bands(grey(shown)))
    return MappingProxyType(bands(register(np.frombuffer(registered_to, np.uint8).reshape(size, size, 3), shown)))


def unexplained(edit: Mapping[str, np.ndarray], variant: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Return what of the bands of ``variant``, registered, those of ``edit`` do not explain; see ``new_detail``."""
    found = {}
    for part, mask in parts_of(next(iter(edit.values())).shape[0]).items():
        for band in BANDS:
            own, other = edit[band][mask], variant[band][mask]
            power = float((own * own).mean())
            gain = float((own * other).mean()) / max(power, 1e-6)
            rest = float(((other - gain * own) ** 2).mean())
            found[band, part] = (rest**0.5) / max(power**0.5, FAINT)
    return found


def blotches(edit: np.ndarray, variant: np.ndarray) -> float:
    """Return how mottled smooth skin has become: grey levels that the edit's own detail does not explain.

    The root mean square over the smoother half of the skin, in the bands from 2 to 16 px together. What is finer is
    grain, what is coarser is light.
    """
    first, skin, smooth = _skin(edit)
    drawn = registered_bands(edit, variant)
    second = drawn["2-4"] + drawn["4-8"] + drawn["8-16"]
    gain = float((first[skin] * second[skin]).mean()) / max(float(np.square(first[skin]).mean()), 1e-6)
    return float(np.sqrt(np.square(second[smooth] - gain * first[smooth]).mean()))


def skin_detail(edit: np.ndarray) -> float:
    """Return the grey levels of the edit's own detail where and in the bands in which ``blotches`` looks."""
    first, _, smooth = _skin(edit)
    return float(np.sqrt(np.square(first[smooth]).mean()))


def _skin(edit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edit's detail from 2 to 16 px, the skin, and its smoother half, each (H, H)."""
    own = own_bands(edit)
    detail = own["2-4"] + own["4-8"] + own["8-16"]
    skin = parts_of(edit.shape[0])["skin"]
    energy = cv2.GaussianBlur(np.square(detail), (0, 0), 4.0 * edit.shape[0] / CROP)
    return detail, skin, skin & (energy <= np.median(energy[skin]))
