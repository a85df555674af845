"""`augment evaluate edits --expanders`: figures by closed form, controls first, what is not learnt left out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from singanimation.flows.evaluation.edits import JudgedFaces
from singanimation.flows.evaluation.expanders import COPIED, SHRUNK, compare_expanders, fine_detail
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.forms import nearest_emotions

CROPS = np.zeros((2, 128, 128, 3), np.uint8)
CROPS[:, ::2, ::2] = 90  # finer than 64 px can show
FACES = JudgedFaces(CROPS, [None, None], [None, None])


class _Edits:
    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures


class _Shade:
    """Draws each emotion as one shade of its own, ten levels apart."""

    def __init__(self, labels: tuple[str, ...] | None = None) -> None:
        self.labels = labels

    def edit(self, crop: np.ndarray, source: np.ndarray, targets: np.ndarray, *_: object) -> _Edits:
        assert len(targets) == 1
        return _Edits(np.full((1, *crop.shape), 10 * nearest_emotions(targets)[0], np.uint8))


def _units(crops: np.ndarray) -> np.ndarray:
    return np.zeros((len(crops), 17), np.float32)


def _judge(crops: np.ndarray) -> np.ndarray:
    return np.eye(7)[np.minimum(crops[:, 1, 1, 0] // 10, 6)]


def _rows(**expanders: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    tables = compare_expanders(FACES, expanders, _units, _judge, lambda crop: np.eye(3)[int(crop.max() > 45)])
    return tuple({row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows} for table in tables)  # type: ignore[return-value]


def test_controls_come_first_and_each_expander_has_its_row() -> None:
    figures, read = _rows(all=_Shade(), some=_Shade(("happiness", "neutral")))
    assert list(figures) == list(read) == [COPIED, SHRUNK, "all", "some"]
    assert figures[COPIED]["detail"] == 1 and figures[COPIED]["changed"] == 0 and figures[COPIED]["identity"] == 0
    assert figures[SHRUNK]["detail"] == pytest.approx(0, abs=0.02) and figures[SHRUNK]["changed"] > 20
    assert figures["all"]["detail"] == 0 and figures[COPIED]["CPU ms an edit"] is None
    # happiness is 30, neutral 60: one of the two is another identity than the source's 90
    assert figures["some"]["identity"] == pytest.approx(0.5)


def test_a_judge_reads_what_each_has_learnt_and_means_are_over_what_all_have() -> None:
    _, read = _rows(all=_Shade(), some=_Shade(("happiness", "neutral")))
    assert all(read["all"][name] == 1 for name in EMOTIONS) and read["all"]["these"] == 1
    assert read["some"]["happiness"] == 1 and read["some"]["fear"] is None
    assert read[COPIED]["surprise"] == 1 and read[COPIED]["these"] == 0  # black reads as the first class


def test_expanders_without_a_common_emotion_are_not_compared() -> None:
    with pytest.raises(UsageError, match="no emotion in common"):
        _rows(one=_Shade(("happiness", "neutral")), other=_Shade(("fear", "anger")))


def test_fine_detail_is_what_a_mean_of_nine_pixels_leaves() -> None:
    spot = np.zeros((1, 5, 5, 3), np.uint8)
    spot[0, 2, 2] = 90
    assert fine_detail(spot) == pytest.approx((80 + 8 * 10) / 25)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--expanders", "geometry,geometry"), "name each of them once"),
        (("--expanders", "geometry", "--expander", "geometry.safetensors"), "no such file"),
        (("--expanders", "stargan"), "`augment train stargan"),
        (("--expanders", "geometry", "--splits", "nowhere"), "fewer than 2 faces were found in nowhere"),
        (("--identity", "none.onnx"), "no such file"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], says: str, augment: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, err = augment("evaluate", "edits", "--input", "sample", *words)
    assert code == 2 and says in err and "Traceback" not in err
