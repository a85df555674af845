"""`augment evaluate edits`: figures of movement by closed form, labels in turns, and a control beside what is read."""

import numpy as np
import pytest

from singanimation.flows.evaluation.edits import JudgedFaces, _lopsided, _Measured, _read, _sameness
from singanimation.flows.evaluation.faces import in_turns
from singanimation.pipeline.expressions import AU_INDEX, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.face.mesh import MIRROR
from singanimation.pipeline.records import Source


def test_sameness_is_one_for_one_movement_and_zero_for_unrelated_ones() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=(478, 2))
    assert _sameness(np.stack([one, 3 * one, 0.1 * one])) == pytest.approx(1)
    assert _sameness(random.normal(size=(6, 478, 2))) == pytest.approx(0, abs=0.03)
    assert np.isnan(_sameness(one[None]))


def test_lopsided_is_zero_for_mirrored_sides_and_half_for_one_side_alone() -> None:
    move = np.random.default_rng(0).normal(size=(478, 2))
    even = (move + move[MIRROR] * [-1, 1]) / 2
    assert _lopsided(even[None]) == pytest.approx(0, abs=1e-9)
    assert _lopsided((move - move[MIRROR] * [-1, 1])[None]) == pytest.approx(1)
    one_side = np.zeros((478, 2))
    one_side[33] = [0, 1]
    assert _lopsided(one_side[None]) == pytest.approx(np.sqrt(0.5))


def test_what_is_read_stands_beside_the_unedited_faces_and_the_smiling_sources() -> None:
    faces = JudgedFaces(np.zeros((4, 128, 128, 3), np.uint8), [None] * 4, ["fear", "fear", "anger", None])
    units = np.zeros((4, 17), np.float32)
    units[0, AU_INDEX["AU12"]] = 0.9
    after = {name: np.full((4, 128, 128, 3), 10 * place, np.uint8) for place, name in enumerate(EMOTIONS)}
    after["fear"][0] = 10 * EMOTION_INDEX["happiness"]  # the smiling source's fear still reads as a smile

    def judge(crops: np.ndarray) -> np.ndarray:
        return np.eye(7)[crops[:, 0, 0, 0] // 10]

    rows = {row[0]: row[1:] for row in _read(faces, after, _Measured(units, np.zeros((4, 478, 2))), judge).rows}
    assert rows["fear"] == (0.75, 0.0, 0.0, 0.0, 1.0, "happiness 25%")
    assert rows["surprise"][:3] == (1.0, 1.0, None)  # the black faces read as the first class: the control says so
    assert rows["anger"] == (1.0, 0.0, 0.0, 1.0, 1.0, None)


def test_labels_take_turns_and_a_labels_pictures_lie_far_apart() -> None:
    names = [(label, f"{label}{number}") for label in ("anger", "fear") for number in range(8)]
    sources = [Source("d", name, path=None, source_path=name, label=label) for label, name in names]
    found = [source.source_id for source in in_turns(sources)]
    assert found[:6] == ["anger0", "fear0", "anger4", "fear4", "anger2", "fear2"] and len(set(found)) == 16


def test_bad_input_is_one_sentence(augment, tmp_path) -> None:
    code, _, err = augment("evaluate", "edits", "--input", tmp_path / "nothing")
    assert code == 2 and len(err.strip().splitlines()) == 1
    code, _, err = augment("evaluate", "edits", "--input", "sample", "--expression-judge", tmp_path / "none")
    assert code == 2 and "no such file" in err
