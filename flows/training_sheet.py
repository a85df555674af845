"""The contact sheet of a training: a few faces, and every emotion asked of them."""

from pathlib import Path

import cv2
import numpy as np

from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS, NOT_EXPRESSIVE, PROTOTYPES

MAGNIFIED = 1.5


def write_sheet(generator: Path, crops: np.ndarray, output: Path) -> None:
    """Write a PNG: a row per crop (N, 128, 128, 3) uint8, the crop first, then each emotion at full strength."""
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.ganimation.edit import ExpressionEditor

    editor, estimator = ExpressionEditor.load(generator), EmbeddedEstimator.load()
    left = [AU_INDEX[name] for name in NOT_EXPRESSIVE]
    rows = []
    for crop, source in zip(crops, estimator(crops).action_units, strict=True):
        targets = np.stack([PROTOTYPES[name] for name in EMOTIONS])
        targets[:, left] = source[left]
        rows.append(np.hstack([crop, *editor.edit(crop, source, targets).pictures]))
    sheet = cv2.resize(np.vstack(rows), None, fx=MAGNIFIED, fy=MAGNIFIED, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(output), sheet[..., ::-1])
