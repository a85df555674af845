"""The editor: edits of one face as one batch whose bytes hang on no neighbour; sides, edges, grey pictures."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS
from singanimation.pipeline.forms import FORMS, first_form
from singanimation.stages.crop.cut import cut, seen_part
from singanimation.stages.expansion.editor import ExpressionEditor, greyed, is_grey
from singanimation.stages.expansion.geometry import drawing_digest

MATRIX = np.array([[0.72, 0.0, -92.0], [0.0, 0.72, -26.0]])
SOURCE = np.full(17, 0.1, np.float32)
TARGETS = np.stack([first_form(emotion).units for emotion in EMOTIONS])


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    return cut(astronaut(), MATRIX)


@pytest.fixture(scope="module")
def editor() -> ExpressionEditor:
    torch.set_num_threads(1)
    return ExpressionEditor.load()


def test_an_edits_bytes_do_not_hang_on_its_neighbours(editor: ExpressionEditor, crop: np.ndarray) -> None:
    sides = np.random.default_rng(0).normal(0, 0.2, TARGETS.shape).astype(np.float32)
    together = editor.edit(crop, SOURCE, TARGETS, sides)
    for place in (0, 2, 6):
        alone = editor.edit(crop, SOURCE, TARGETS[place : place + 1], sides[place : place + 1])
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_array_equal(whole[place], part[0])
    fewer = editor.edit(crop, SOURCE, TARGETS[[5, 1]], sides[[5, 1]])
    np.testing.assert_array_equal(fewer.pictures, together.pictures[[5, 1]])


def test_a_target_equal_to_the_source_is_the_crop_among_others_that_are_not(
    editor: ExpressionEditor, crop: np.ndarray
) -> None:
    edits = editor.edit(crop, SOURCE, np.stack([SOURCE, TARGETS[3], SOURCE]))
    np.testing.assert_array_equal(edits.pictures[0], crop)
    np.testing.assert_array_equal(edits.pictures[2], crop)
    assert (edits.attention[0] == 1).all() and not edits.flow[0].any()
    assert (edits.pictures[1] != crop).any()


def test_sides_move_one_half_more_than_the_other(editor: ExpressionEditor, crop: np.ndarray) -> None:
    smile = SOURCE.copy()
    smile[AU_INDEX["AU12"]] = 1.0
    sides = np.zeros((2, 17), np.float32)
    sides[0, AU_INDEX["AU12"]], sides[1, AU_INDEX["AU12"]] = 0.4, -0.4
    edits = editor.edit(crop, SOURCE, np.stack([smile] * 3), np.vstack([np.zeros((1, 17)), sides]))
    even, left, right = np.array(edits.flow)
    motion = [np.abs(flow[:, 78:98, part]).mean() for flow in (left, right) for part in (slice(30, 55), slice(75, 100))]
    assert motion[0] > 1.3 * motion[2] and motion[3] > 1.3 * motion[1]
    assert (even != left).any()


def test_what_lies_beyond_the_pictures_edge_is_neither_shown_nor_moved(
    editor: ExpressionEditor, crop: np.ndarray
) -> None:
    seen = np.ones((128, 128), bool)
    seen[112:] = False
    beyond = crop.copy()
    beyond[112:] = [255, 0, 255]
    jaw, chin = SOURCE.copy(), SOURCE.copy()
    jaw[AU_INDEX["AU26"]] = 1.0
    chin[AU_INDEX["AU17"]] = 1.0
    edits = editor.edit(beyond, SOURCE, np.stack([jaw, chin]), None, seen)
    assert (edits.pictures[:, 112:] == beyond[112:]).all()
    assert not edits.flow[:, :, 112:].any() and (edits.attention[:, 112:] == 1).all()
    rows = np.arange(128)[:, None] + 0.5 + edits.flow[:, 1]
    assert rows[:, :112].max() <= 111.5  # bilinear reading there touches nothing beyond
    shown = edits.pictures[:, :112].astype(int)
    assert not ((shown[..., 0] > 200) & (shown[..., 1] < 60) & (shown[..., 2] > 200)).any()


def test_a_crop_knows_what_its_picture_has() -> None:
    assert seen_part((512, 512, 3), MATRIX) is None
    lower = MATRIX.copy()
    lower[1, 2] = -300.0
    seen = seen_part((512, 512, 3), lower)
    rows = int(np.floor(0.72 * 512 - 300 - 0.5)) + 1
    assert seen is not None and seen[:rows].all() and not seen[rows:].any()


@pytest.mark.parametrize("tint", [0, 4])
def test_edits_of_grey_pictures_stored_as_colour_stay_grey(
    editor: ExpressionEditor, crop: np.ndarray, tint: int
) -> None:
    grey = greyed(crop[None])[0]
    grey[..., 0] = np.minimum(grey[..., 0].astype(int) + tint, 255)
    assert is_grey(grey) and not is_grey(crop)
    happy = editor.edit(grey, SOURCE, TARGETS[[3]])
    assert (happy.pictures.max(3) == happy.pictures.min(3)).all()
    assert (happy.colour.max(3) == happy.colour.min(3)).all()


def test_a_smile_that_goes_takes_its_folds_along(editor: ExpressionEditor, crop: np.ndarray) -> None:
    smiling = SOURCE.copy()
    smiling[[AU_INDEX["AU12"], AU_INDEX["AU06"]]] = 0.8, 0.7
    (neutral,) = editor.edit(crop, smiling, first_form("neutral").units[None]).pictures
    flow = editor.edit(crop, smiling, first_form("neutral").units[None]).flow[0]
    y, x = np.mgrid[:128, :128]
    moved = crop[
        np.clip(np.rint(y + flow[1]), 0, 127).astype(int), np.clip(np.rint(x + flow[0]), 0, 127).astype(int)
    ].astype(float)
    # the fold at the picture's right: the spread of brightness across it falls
    fold = slice(72, 84), slice(80, 92)
    assert neutral[fold].astype(float).mean(2).std() < 0.8 * moved[fold].mean(2).std()


def test_the_code_that_draws_has_a_digest(editor: ExpressionEditor) -> None:
    assert editor.drawing == drawing_digest() and len(editor.drawing) == 16
    assert all(form.emotion for forms in FORMS.values() for form in forms)
