"""Grey of coloured pictures, as everything that leaves a run has it."""

import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def greyed(pixels: np.ndarray) -> np.ndarray:
    """Return the BT.601 luma of uint8 (..., 3), in three equal channels."""
    luma = np.rint(pixels.astype(np.float32) @ _LUMA)
    return np.repeat(np.clip(luma, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
