"""Eyes under the geometry teacher, on a drawn mean face: lids, lashes, irises and brows."""

import itertools

import pytest
import torch
from drawn_face import SIZE, UNIT, change_of
from torch import Tensor

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.mean_face import load_lid_relief
from singanimation.stages.expansion.geometry.movement.curves import lookup, opening
from singanimation.stages.expansion.geometry.movement.face_frame import mirror_on
from singanimation.stages.expansion.geometry.movement.lids import OPEN, RESTING, SQUEEZED, eye_chains
from singanimation.stages.expansion.geometry.painting.lid_relief import LidRelief

UPPER, LOWER = list(mesh.UPPER_LID), list(mesh.LOWER_LID)


def squinting(points: Tensor) -> Tensor:
    """The same face with the lids of the left eye 40% as far apart."""
    narrow = points.clone()
    narrow[:, LOWER, 1] -= 0.6 * (points[:, LOWER, 1] - points[:, UPPER, 1])
    return narrow


def lids_gap(landmarks: Tensor) -> float:
    """How far the lids are apart in their middle, face units."""
    return ((landmarks[0, LOWER, 1] - landmarks[0, UPPER, 1]).max() / UNIT).item()


def test_lids_never_cross_whatever_is_asked(teacher: FaceGeometry, points: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    changes = torch.rand(200, len(AU_NAMES), generator=generator) * 2 - 1
    changes[0] = change_of(AU07=1.0, AU06=1.0, AU09=1.0, AU04=1.0)
    moved = points + teacher.moves(points.expand(200, -1, -1), changes).sum(1)
    mirror = mirror_on()
    for side in (torch.arange(mesh.POINTS), mirror):
        gap = moved[:, side[list(mesh.LOWER_LID)], 1] - moved[:, side[list(mesh.UPPER_LID)], 1]
        assert gap.min() > -1e-3


def test_closed_eyes_hide_the_eyeball_and_leave_a_line_of_lashes(teacher: FaceGeometry, points: Tensor) -> None:
    plain = torch.full((1, 3, SIZE, SIZE), 0.6)
    eyes = [opening(points, *chain) for chain in eye_chains(mirror_on())]
    x, y = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="xy")
    for iris in (mesh.IRIS_LEFT, mesh.IRIS_RIGHT):
        centre = points[0, iris]
        plain[:, 0, ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) < 5**2] = 0.0
    closed = teacher.edit(plain, points, change_of(AU45=1.0)).picture
    for eye, iris in zip(eyes, (mesh.IRIS_LEFT, mesh.IRIS_RIGHT), strict=True):
        column = int(points[0, iris, 0])
        ball = int(points[0, iris, 1])
        assert plain[0, 0, ball, column] == 0 and closed[0, 0, ball - 1, column] > 0.35
        below = closed[0, 1, ball : ball + int(eye.gap) + 2, column]
        assert below.min() < 0.4


def test_a_closed_lid_is_smooth_where_the_open_eye_had_its_crease(teacher: FaceGeometry, points: Tensor) -> None:
    plain = torch.full((1, 3, SIZE, SIZE), 0.6)
    eyes = [opening(points, *chain) for chain in eye_chains(mirror_on())]
    lines = []
    uncreased = teacher.edit(plain, points, change_of(AU45=1.0)).picture
    for eye in eyes:
        u, v = eye.coordinates(SIZE, SIZE)
        crease = lookup(eye.upper, u) - 0.10 * UNIT
        lines.append((v[0] - crease[0]).abs().lt(0.8) & (u[0] > 0.3) & (u[0] < 0.7))
        plain[:, :, lines[-1]] = 0.2
    closed = teacher.edit(plain, points, change_of(AU45=1.0)).picture
    for line in lines:
        # of the crease's 0.4
        assert line.sum() > 8 and (uncreased - closed)[0, 1][line].mean() < 0.1


def test_lids_landmarks_meet_where_the_picture_shows_them_closed(teacher: FaceGeometry, points: Tensor) -> None:
    plain = torch.full((1, 3, SIZE, SIZE), 0.6)
    gaps = [lids_gap(teacher.edit(plain, points, change_of(AU45=blink)).landmarks) for blink in (0.0, 0.3, 1.0)]
    assert gaps[0] == lids_gap(points) and 0.3 * gaps[0] < gaps[1] < 0.7 * gaps[0] and abs(gaps[2]) < 0.02
    closed = teacher.edit(plain, points, change_of(AU45=1.0))
    for ring in (mesh.UPPER_LID, [int(mirror_on()[index]) for index in mesh.UPPER_LID]):
        x, y = closed.landmarks[0, ring[3]].long().tolist()
        column = closed.picture[0, 1, y - 8 : y + 8, x]
        assert abs(column.argmin() - 8) <= 1, "the lashes' line is where the lid's landmark is"


def test_a_shut_eye_that_is_asked_to_open_shows_an_iris_in_the_white(teacher: FaceGeometry, points: Tensor) -> None:
    closed = teacher.edit(torch.full((1, 3, SIZE, SIZE), 0.6), points, change_of(AU45=1.0))
    opened = teacher.edit(closed.picture, closed.landmarks, change_of(AU45=-1.0))
    assert lids_gap(closed.landmarks) < 0.02 and lids_gap(opened.landmarks) > 0.1
    for iris in (mesh.IRIS_LEFT, mesh.IRIS_RIGHT):
        x = int(points[0, iris, 0])
        eye = opening(opened.landmarks, *eye_chains(mirror_on())[iris == mesh.IRIS_RIGHT])
        y = int((eye.corner[0, 1] + (eye.upper + eye.lower)[0, 16] / 2).item())
        reach = int(eye.width[0] * 0.3)
        beside = torch.stack([opened.picture[0, 2, y, x - reach], opened.picture[0, 2, y, x + reach]])
        assert opened.picture[0, 2, y, x] < 0.7 * beside.max()


def test_lids_are_learnt_from_closed_eyes_alone(teacher: FaceGeometry, points: Tensor) -> None:
    mirror = mirror_on()
    closed = teacher.edit(torch.full((1, 3, SIZE, SIZE), 0.6), points, change_of(AU45=1.0))
    many = closed.picture.expand(12, -1, -1, -1), closed.landmarks.expand(12, -1, -1)
    units = torch.zeros(12, len(AU_NAMES))
    with pytest.raises(TrainingError, match="eyes in the pictures are closed"):
        LidRelief.learn(*many, units, mirror)
    units[:, AU_INDEX["AU45"]] = 0.8
    learnt, packaged = LidRelief.learn(*many, units, mirror), load_lid_relief()
    # what it painted is what it learns again: dark lashes under a bright lid
    both = torch.stack([one.table.flatten() for one in (learnt, packaged)])
    assert torch.corrcoef(both)[0, 1] > 0.8
    with pytest.raises(WeightsError, match="lid relief"):
        LidRelief(torch.zeros(4, 4))


def test_wide_eyes_keep_a_round_iris_in_its_place(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    edit = teacher.edit(picture, points, change_of(AU05=1.0))
    for iris in (mesh.IRIS_LEFT, mesh.IRIS_RIGHT):
        x, y = (int(value) for value in points[0, iris])
        assert edit.flow[0, :, y : y + 2, x - 2 : x + 2].abs().max() < 0.05
    assert edit.lids.sum() > 50 and edit.painted.sum() > 10


def test_brows_rise_less_together_than_apart_and_never_out_of_the_face(teacher: FaceGeometry, points: Tensor) -> None:
    def highest(**units: float) -> Tensor:
        return -teacher.moves(points, change_of(**units)).sum(1)[0, list(mesh.BROW), 1].min() / UNIT

    apart = highest(AU01=1.0) + highest(AU02=1.0)
    assert 0.25 < highest(AU01=1.0, AU02=1.0) < 0.75 * apart
    assert highest(AU01=1.0, AU02=1.0, AU05=1.0, AU04=-1.0) < 0.42


def test_brows_and_sockets_never_fall_over_the_lids_below_them(teacher: FaceGeometry, points: Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    changes = torch.rand(100, len(AU_NAMES), generator=generator) * 2 - 1
    changes[0] = change_of(AU04=1.0, AU07=1.0, AU01=-0.5, AU02=-0.4, AU23=0.9)
    moved = points + teacher.moves(points.expand(100, -1, -1), changes).sum(1)
    for side in (torch.arange(mesh.POINTS), mirror_on()):
        rings = [side[list(ring)] for ring in (mesh.LOWER_LID, mesh.UPPER_LID, mesh.UPPER_LID_SKIN, mesh.UPPER_SOCKET)]
        for below, above in itertools.pairwise(rings[1:]):
            before = points[:, below, 1] - points[:, above, 1]
            left = moved[:, below, 1] - moved[:, above, 1]
            # (a tenth of a pixel for what a smile moves of the corners)
            assert (left > SQUEEZED * before.clamp(min=0) - 0.1).all()
        assert (moved[:, side[list(mesh.BROW)], 1] < moved[:, rings[0], 1].amax(1, keepdim=True)).all()


def test_narrow_eyes_open_less_far_than_wide_ones(teacher: FaceGeometry, points: Tensor) -> None:
    def opened(start: Tensor) -> float:
        return lids_gap(start + teacher.moves(start, change_of(AU01=1.0, AU02=1.0, AU05=1.0)).sum(1)) - lids_gap(start)

    assert 0.05 < opened(squinting(points)) < opened(points) - 0.02 < 0.15


def test_a_squint_relaxes_to_a_resting_eye_and_no_further(teacher: FaceGeometry, points: Tensor) -> None:
    narrow, released = squinting(points), change_of(AU04=-1.0, AU06=-1.0, AU07=-1.0, AU45=-1.0)
    rested = lids_gap(narrow + teacher.moves(narrow, released).sum(1))
    assert lids_gap(narrow) + 0.04 < rested < max(RESTING) + 0.002
    wide = lids_gap(narrow + teacher.moves(narrow, released + change_of(AU05=1.0)).sum(1))
    assert wide > lids_gap(narrow) + 0.05
    # an eye that is open already hardly opens further for want of a squint
    assert (
        lids_gap(points)
        < lids_gap(points + teacher.moves(points, released).sum(1))
        < max(OPEN, lids_gap(points)) + 0.03
    )


def test_a_change_is_undone_by_more_where_its_going_moves_less(teacher: FaceGeometry, points: Tensor) -> None:
    for name in AU_NAMES:
        if name in ("AU25", "AU26", "AU45"):
            # lips and lids that part or meet follow rules of their own
            continue
        raised = change_of(**{name: 0.3})
        there = teacher.moves(points, raised).sum(1)
        back = teacher.moves(points + there, teacher.undoing(raised)).sum(1)
        # an eye wider than a resting one stays half squinted
        assert (there + back).norm(dim=2).max() < 0.55 * there.norm(dim=2).max(), name
        assert torch.allclose(teacher.undoing(teacher.undoing(raised)), raised)
    assert teacher.undoing(change_of(AU07=1.0)).min() == -1


def test_a_squinting_eye_that_opens_shows_the_white_that_was_hidden(teacher: FaceGeometry, points: Tensor) -> None:
    narrow = squinting(points)
    dark = torch.full((1, 3, SIZE, SIZE), 0.6)
    left, right = (narrow[0, index] for index in mesh.EYE_CORNERS)
    dark[..., int(left[1]) - 4 : int(left[1]) + 4, int(left[0]) : int(right[0])] = 0.15
    edit = teacher.edit(dark, narrow, change_of(AU01=1.0, AU02=1.0, AU05=1.0))
    slit = opening(edit.landmarks, *eye_chains(mirror_on())[0])
    row = int(slit.corner[0, 1] + (slit.upper + slit.lower)[0, 8] / 2)
    beside = edit.picture[0, :, row, int(left[0] + 0.25 * (right[0] - left[0]))]
    assert beside.mean() > 0.4 and beside[2] > beside[0]


def test_what_is_painted_whole_has_no_holes(teacher: FaceGeometry, points: Tensor) -> None:
    grey = torch.full((1, 3, SIZE, SIZE), 0.5)  # paint and skin agree in places
    wide, closed = change_of(AU01=1.0, AU02=1.0, AU05=1.0), change_of(AU45=1.0)
    for face, change, depths in ((squinting(points), wide, (0.2, 0.55)), (points, closed, (0.05, 0.9))):
        edit = teacher.edit(grey, face, change)
        # closed lids have met: it is the eye's former opening that is painted
        shown = face if change is closed else edit.landmarks
        eye = opening(shown, *eye_chains(mirror_on())[0])
        u, v = eye.coordinates(SIZE, SIZE)
        depth = (v - lookup(eye.upper, u)) / (lookup(eye.lower, u) - lookup(eye.upper, u)).clamp(min=1e-3)
        inside = (u - 0.5).abs().lt(0.25) & depth.gt(depths[0]) & depth.lt(depths[1])
        assert inside.sum() >= 10
        assert edit.fill[:, 0][inside].min() > 0.7 and edit.painted[:, 0][inside].min() > 0.7
        assert (edit.painted >= edit.fill).all()
