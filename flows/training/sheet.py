"""The contact sheet of a training: a few faces, and every emotion asked of them."""

from pathlib import Path

import numpy as np

from singanimation.pipeline.expressions import EMOTIONS


def write_sheet(generator: Path, crops: np.ndarray, output: Path) -> None:
    """Write a PNG: a row per crop (N, 128, 128, 3) uint8, the crop first, then each emotion at full strength.

    A generator that goes by labels shows those that it learnt.
    """
    from singanimation.flows.sheets.model_sheets import write_emotions
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.expansion.editor import ExpressionEditor

    editor, units = ExpressionEditor.load(generator), EmbeddedEstimator.load()(crops).action_units
    write_emotions(
        output,
        lambda index, targets: editor.edit(crops[index], units[index], targets).pictures,
        crops,
        units,
        editor.labels or EMOTIONS,
    )
