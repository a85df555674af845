"""The best smooth movement of a variant onto its edit: what is left after it is new, not moved."""

import cv2
import numpy as np

from singanimation.stages.singan.face_parts import CROP

SMOOTHNESS = 6.0
"""Deviation in pixels of a 128 px crop of the Gaussian that the flow is smoothed by: an eye moves as a whole."""

LIGHT = 12.0
"""Deviation likewise of what counts as light and is taken out before matching: a smooth tint moves nothing."""

ROUNDS = 3
SHRUNK = 2
"""The flow is searched on pictures shrunk so: a quarter of the work, and as exact after three rounds (measured)."""


def register(edit: np.ndarray, variant: np.ndarray) -> np.ndarray:
    """Return ``variant`` uint8 (H, H, 3) moved smoothly onto ``edit``, as float32 grey values (H, H) in 0..255.

    Dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016), its flow
    smoothed, three times: what one round leaves is looked for again.
    """
    still, moving = grey(edit), grey(variant)
    size = still.shape[0]
    pixel = size / CROP / SHRUNK
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(0)
    wanted = _without_light(still, pixel)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    flow, moved = np.zeros((*wanted.shape, 2), np.float32), moving
    for _ in range(ROUNDS):
        found = search.calc(wanted, _without_light(moved, pixel), None)  # type: ignore[call-overload]  # None: no guess
        flow += cv2.GaussianBlur(found, (0, 0), SMOOTHNESS * pixel)
        full = cv2.resize(flow, (size, size)) * (size / wanted.shape[0])
        moved = cv2.remap(
            moving, columns + full[..., 0], rows + full[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
    return moved


def grey(picture: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3) as float32 grey values (H, W) in 0..255."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _without_light(picture: np.ndarray, pixel: float) -> np.ndarray:
    """Return grey (H, H), shrunk, less its smooth light and at an even contrast: uint8 (h, h) for the search."""
    side = picture.shape[0] // SHRUNK
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), LIGHT * pixel)
    return np.clip(detail * (40 / max(float(detail.std()), 1.0)) + 128, 0, 255).astype(np.uint8)
