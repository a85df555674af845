"""Folds are skin in shadow: warm on skin, grey on grey, and never a blotch."""

import torch
from drawn_face import SIZE, change_of
from torch import Tensor

from singanimation.stages.expansion.geometry import FaceGeometry


def folded(teacher: FaceGeometry, points: Tensor, colour: tuple[float, float, float], unit: str) -> Tensor:
    """Log brightness (3, H, W) that an edit adds to a face of one colour, above the mouth (its inside has colours)."""
    skin = torch.tensor(colour)[None, :, None, None].expand(1, 3, SIZE, SIZE)
    return (teacher.edit(skin, points, change_of(**{unit: 1.0})).picture / skin).log()[0, :, : SIZE * 5 // 8]


def test_a_fold_on_skin_is_warmer_than_the_skin_and_no_less_deep(teacher: FaceGeometry, points: Tensor) -> None:
    red, green, blue = folded(teacher, points, (0.80, 0.60, 0.48), "AU09")
    deepest = (green + red + blue).argmin()
    assert red.flatten()[deepest] > green.flatten()[deepest] > blue.flatten()[deepest]
    assert (red + green + blue).min() / 3 < -0.10


def test_folds_of_a_grey_picture_are_grey(teacher: FaceGeometry, points: Tensor) -> None:
    red, green, blue = folded(teacher, points, (0.5, 0.5, 0.5), "AU09")
    assert torch.allclose(red, green, atol=1e-4) and torch.allclose(red, blue, atol=1e-4)


def test_strokes_that_meet_on_the_nose_do_not_add_up_to_a_blotch(teacher: FaceGeometry, points: Tensor) -> None:
    assert folded(teacher, points, (0.80, 0.60, 0.48), "AU09").mean(0).min() > -0.30
