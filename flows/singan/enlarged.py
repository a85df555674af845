"""How an enlarged picture compares: with the true one where there is one, and by a score that needs none."""

from collections.abc import Mapping

import numpy as np

from singanimation.pipeline.errors import UsageError


def table_of(pictures: Mapping[str, np.ndarray], truth: np.ndarray | None) -> str:
    """Return a Markdown table with a row a picture uint8 (H, W, 3), the truth last.

    ``RMSE`` of 255 against ``truth``, shrunk to the pictures' size where it is larger; ``blur``: scikit-image's
    ``blur_effect`` (Crete et al. 2007: 0 sharp, 1 blurred), which needs no reference. Raises UsageError for a truth
    of another aspect or smaller than the pictures.
    """
    from skimage.measure import blur_effect

    shape = next(iter(pictures.values())).shape
    rows = dict(pictures)
    if truth is not None:
        rows["truth"] = truth = _fitted(truth, (shape[0], shape[1]))
    head = ["| picture | RMSE, of 255 | blur, 0 to 1 |", "|---|---:|---:|"]
    for name, picture in rows.items():
        far = "" if truth is None else f"{np.sqrt(np.mean((picture.astype(float) - truth) ** 2)):.2f}"
        head.append(f"| {name} | {far} | {blur_effect(picture, channel_axis=2):.3f} |")
    return "\n".join(head)


def _fitted(truth: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    from singanimation.stages.singan.uses import bicubic

    if truth.shape[0] < shape[0] or abs(truth.shape[1] / truth.shape[0] - shape[1] / shape[0]) > 0.02:
        raise UsageError(
            f"--truth is {truth.shape[1]} x {truth.shape[0]} pixels; give the same picture at {shape[1]} x {shape[0]} "
            "or larger."
        )
    return bicubic(truth, shape)
