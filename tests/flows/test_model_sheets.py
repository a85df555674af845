"""Contact sheets of an editor: what is asked, and where it is shown."""

from pathlib import Path

import numpy as np
from PIL import Image

from singanimation.flows.sheets.model_sheets import (
    CELL,
    PATH_STEPS,
    SHEET_STRENGTHS,
    SHEET_UNITS,
    write_emotions,
    write_path,
    write_units,
)
from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS, PROTOTYPES


class Recorder:
    """Paints every edit in the grey of its call, and keeps the targets."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, np.ndarray]] = []

    def __call__(self, index: int, targets: np.ndarray) -> np.ndarray:
        self.asked.append((index, targets))
        return np.full((len(targets), 128, 128, 3), 200, np.uint8)


def sources(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((count, 128, 128, 3), 50, np.uint8), np.full((count, 17), 0.2, np.float32)


def test_the_emotions_sheet_asks_for_each_prototype_but_leaves_the_lids(tmp_path: Path) -> None:
    edit = Recorder()
    write_emotions(tmp_path / "sheet.png", edit, *sources(3))
    assert [index for index, _ in edit.asked] == [0, 1, 2]
    targets = edit.asked[0][1]
    smile = list(EMOTIONS).index("happiness")
    assert targets[smile, AU_INDEX["AU12"]] == PROTOTYPES["happiness"][AU_INDEX["AU12"]]
    assert (targets[:, AU_INDEX["AU45"]] == np.float32(0.2)).all()
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 8 * (CELL + 8) + 8
    row = sheet[8 + CELL // 2, :, 0]
    assert row[8 + CELL // 2] == 50 and row[8 + CELL + 8 + CELL // 2] == 200


def test_the_units_sheet_asks_for_each_unit_at_rising_strength(tmp_path: Path) -> None:
    edit = Recorder()
    write_units(tmp_path / "sheet.png", edit, *sources(1))
    assert len(edit.asked) == len(SHEET_UNITS)
    for name, (_, targets) in zip(SHEET_UNITS, edit.asked, strict=True):
        np.testing.assert_allclose(targets[:, AU_INDEX[name]], 0.2 + np.array(SHEET_STRENGTHS) * 0.8, rtol=1e-5)
        assert (np.delete(targets, AU_INDEX[name], 1) == np.float32(0.2)).all()


def test_the_path_goes_from_the_source_to_the_emotion_in_equal_steps(tmp_path: Path) -> None:
    edit = Recorder()
    write_path(tmp_path / "new" / "sheet.png", edit, *sources(2))
    for _, targets in edit.asked:
        assert len(targets) == PATH_STEPS
        np.testing.assert_allclose(targets[0], 0.2, rtol=1e-5)
        np.testing.assert_allclose(np.diff(targets, axis=0), np.repeat(np.diff(targets, axis=0)[:1], 6, 0), atol=1e-6)
    assert not np.allclose(edit.asked[0][1][-1], edit.asked[1][1][-1])
