"""The geometry teacher on a drawn mean face: no photograph is needed to prove what it may and may not change."""

import pytest
import torch
from drawn_face import SIZE, UNIT, change_of
from torch import Tensor

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES, PROTOTYPES
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry import FaceGeometry, MouthInterior, load_interior, load_mean_landmarks
from singanimation.stages.expansion.geometry.mean_face import mean_landmarks
from singanimation.stages.expansion.geometry.movement.curves import opening
from singanimation.stages.expansion.geometry.movement.face_frame import mirror_on
from singanimation.stages.expansion.geometry.movement.flow import warp
from singanimation.stages.expansion.geometry.movement.regions import EYE_UNITS, MOUTH_UNITS
from singanimation.stages.expansion.geometry.training.changes import NO_CHANGE, sample_changes

EVERY_UNIT = torch.eye(len(AU_NAMES))


def near(indices: tuple[int, ...], points: Tensor) -> Tensor:
    """Pixels (H, W) within a quarter of the interocular distance of the box around ``indices``."""
    box = points[0, list(indices)]
    low, high = box.amin(0) - UNIT / 4, box.amax(0) + UNIT / 4
    x, y = torch.arange(SIZE) + 0.5, torch.arange(SIZE)[:, None] + 0.5
    return (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])


def both_eyes(points: Tensor) -> Tensor:
    mirror = mirror_on()
    left = torch.tensor(mesh.BROW + mesh.LOWER_LID)
    return near(tuple(torch.cat([left, mirror[left]]).tolist()), points)


def test_no_change_gives_back_the_very_same_picture(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    edit = teacher.edit(picture, points, torch.zeros(1, len(AU_NAMES)))
    assert torch.equal(edit.picture, picture)
    assert not edit.flow.any() and not edit.fill.any() and not edit.lids.any() and not edit.painted.any()
    assert torch.equal(edit.landmarks, points)


def test_a_small_change_is_a_small_step_away_from_none(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    for unit in EVERY_UNIT:
        edit = teacher.edit(picture, points, 1e-3 * unit[None])
        assert (edit.picture - picture).abs().max() < 0.02


def test_every_unit_changes_the_picture_more_the_more_it_is_asked(
    teacher: FaceGeometry, picture: Tensor, points: Tensor
) -> None:
    for name, unit in zip(AU_NAMES, EVERY_UNIT, strict=True):
        changed = [
            (teacher.edit(picture, points, strength * unit[None]).picture - picture).abs().mean().item()
            for strength in (0.33, 0.66, 1.0)
        ]
        assert 0 < changed[0] < changed[1] < changed[2], name


def test_each_picture_of_a_batch_is_edited_as_it_would_be_alone(
    teacher: FaceGeometry, picture: Tensor, points: Tensor
) -> None:
    changes = torch.cat([change_of(AU12=1.0, AU25=0.8), change_of(AU45=1.0), change_of()])
    together = teacher.edit(picture.repeat(3, 1, 1, 1), points.repeat(3, 1, 1), changes)
    for place in range(3):
        alone = teacher.edit(picture, points, changes[place : place + 1])
        assert torch.allclose(together.picture[place], alone.picture[0], atol=1e-5)


def test_the_flow_of_a_mirrored_face_is_mirrored(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    mirror = mirror_on()
    turned = points.clone()
    turned[0, :, 0] += 3.0 + 0.04 * (points[0, :, 1] - 45.1)
    reflected = turned[:, mirror].clone()
    reflected[..., 0] = SIZE - reflected[..., 0]
    for name in ("AU01", "AU04", "AU12", "AU20", "AU26", "AU45"):
        change = change_of(**{name: 1.0})
        flow = teacher.edit(picture, turned, change).flow
        other = teacher.edit(picture.flip(3), reflected, change).flow.flip(3)
        other[:, 0] *= -1
        assert torch.allclose(flow, other, atol=0.02), name


def test_inner_lips_never_cross_whatever_is_asked(teacher: FaceGeometry, points: Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    changes = torch.rand(200, len(AU_NAMES), generator=generator) * 2 - 1
    moved = points + teacher.moves(points.expand(200, -1, -1), changes).sum(1)
    gap = moved[:, list(mesh.INNER_LOWER[1:-1]), 1] - moved[:, list(mesh.INNER_UPPER[1:-1]), 1]
    before = points[:, list(mesh.INNER_LOWER[1:-1]), 1] - points[:, list(mesh.INNER_UPPER[1:-1]), 1]
    assert (gap - before.clamp(max=0)).min() > -1e-3


@pytest.mark.parametrize("name", EYE_UNITS)
def test_units_of_the_eyes_leave_the_mouth_untouched(
    teacher: FaceGeometry, picture: Tensor, points: Tensor, name: str
) -> None:
    difference = (teacher.edit(picture, points, change_of(**{name: 1.0})).picture - picture).abs().mean(1)[0]
    assert difference[near(mesh.LIPS, points)].mean() < 0.05 / 255
    assert difference[both_eyes(points)].mean() > 1 / 255


@pytest.mark.parametrize("name", MOUTH_UNITS)
def test_units_of_the_mouth_leave_the_eyes_untouched(
    teacher: FaceGeometry, picture: Tensor, points: Tensor, name: str
) -> None:
    difference = (teacher.edit(picture, points, change_of(**{name: 1.0})).picture - picture).abs().mean(1)[0]
    assert difference[both_eyes(points)].mean() < 0.5 / 255
    assert difference[near(mesh.LIPS, points)].mean() > 1 / 255


def test_the_background_stays_where_it_is(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    flow = teacher.edit(picture, points, torch.tensor(PROTOTYPES["surprise"])[None]).flow.norm(dim=1)[0]
    assert flow.max() > 8
    assert flow[:100, :4].max() < 0.7 and flow[:100, -4:].max() < 0.7
    # hair above the forehead follows raised brows a little
    assert flow[:4].max() < 3


def test_units_move_landmarks_the_way_their_muscles_pull(teacher: FaceGeometry, points: Tensor) -> None:
    def moved(index: int, **units: float) -> Tensor:
        return teacher.moves(points, change_of(**units)).sum(1)[0, index]

    assert moved(107, AU01=1.0)[1] < -0.15 * UNIT and abs(moved(70, AU01=1.0)[1]) < 0.05 * UNIT
    assert moved(70, AU02=1.0)[1] < -0.10 * UNIT
    assert moved(107, AU04=1.0)[1] > 0.10 * UNIT and moved(107, AU04=1.0)[0] > 0.03 * UNIT
    assert moved(61, AU12=1.0)[0] < -0.10 * UNIT and moved(61, AU12=1.0)[1] < -0.10 * UNIT
    smiling = points + teacher.moves(points, change_of(AU12=1.0)).sum(1)
    assert teacher.moves(smiling, change_of(AU12=-1.0)).sum(1)[0, 61, 1] > 0.10 * UNIT
    # who does not smile has no smile to lose: the corners rest already
    assert moved(61, AU12=-1.0)[1] < 0.05 * UNIT
    assert moved(61, AU15=1.0)[1] > 0.10 * UNIT
    assert moved(61, AU20=1.0)[0] < -0.10 * UNIT
    assert moved(mesh.CHIN, AU26=1.0)[1] > 0.20 * UNIT
    assert moved(17, AU17=1.0)[1] < -0.05 * UNIT


def test_lips_open_when_asked_and_close_when_asked(teacher: FaceGeometry, picture: Tensor, points: Tensor) -> None:
    def gap(landmarks: Tensor) -> float:
        return opening(landmarks, mesh.INNER_UPPER, mesh.INNER_LOWER).gap.item()

    opened = teacher.edit(picture, points, change_of(AU25=1.0))
    assert gap(points) < 1 and gap(opened.landmarks) > 0.2 * UNIT
    assert opened.fill.sum() > 100 and not teacher.edit(picture, points, change_of(AU12=1.0)).fill.sum() > 100
    closed = teacher.edit(opened.picture, opened.landmarks, change_of(AU25=-1.0))
    assert gap(closed.landmarks) < 1


def test_a_new_mouth_shows_bright_teeth_over_a_dark_cavity_on_any_skin(teacher: FaceGeometry, points: Tensor) -> None:
    row, column = 45.1 + 1.04 * UNIT, 64.0
    for skin in (0.15, 0.4, 0.75):
        plain = torch.full((1, 3, SIZE, SIZE), skin)
        edit = teacher.edit(plain, points, change_of(AU25=1.0, AU26=1.0))
        mouth = opening(edit.landmarks, mesh.INNER_UPPER, mesh.INNER_LOWER)
        top = int(edit.landmarks[0, 13, 1]) + 3
        bottom = top + int(0.5 * mouth.gap)
        teeth = edit.picture[0, :, top, int(column) - 3].mean()
        cavity = edit.picture[0, :, bottom, int(column)].mean()
        assert row < bottom
        assert 0.3 < teeth < 0.95 and cavity < 0.6 * teeth and cavity < skin


def test_a_dropped_jaw_rounds_lips_that_nothing_holds_wide(teacher: FaceGeometry, points: Tensor) -> None:
    def after(**units: float) -> Tensor:
        return (points + teacher.moves(points, change_of(**units)).sum(1))[0] / UNIT

    def width(face: Tensor) -> Tensor:
        return face[mesh.MOUTH_CORNERS[1], 0] - face[mesh.MOUTH_CORNERS[0], 0]

    resting, surprised, shouting = after(), after(AU26=1.0), after(AU26=1.0, AU10=1.0, AU09=1.0)
    assert width(surprised) < 0.8 * width(resting) < width(shouting)
    upper = mesh.UPPER_LIP[3][4]
    assert surprised[upper, 1] > resting[upper, 1] > shouting[upper, 1]


def test_lips_that_fear_stretches_open_like_a_box(teacher: FaceGeometry, points: Tensor) -> None:
    def lowered(**units: float) -> Tensor:
        return teacher.moves(points, change_of(**units)).sum(1)[0, list(mesh.MOUTH_CORNERS), 1].mean() / UNIT

    together = lowered(AU20=1.0, AU26=1.0)
    assert together > lowered(AU20=1.0) + lowered(AU26=1.0) + 0.1


def test_the_warp_reads_where_the_flow_points() -> None:
    picture = torch.arange(8.0).expand(1, 1, 8, 8).contiguous()
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 1.5
    assert torch.allclose(warp(picture, flow)[0, 0, 3, :6], torch.arange(6.0) + 1.5, atol=1e-5)


def test_changes_depend_on_the_generator_alone() -> None:
    faces = torch.rand(64, len(AU_NAMES), generator=torch.Generator().manual_seed(5))
    torch.manual_seed(1)
    first = sample_changes(faces, torch.Generator().manual_seed(3))
    torch.manual_seed(2)
    assert torch.equal(first, sample_changes(faces, torch.Generator().manual_seed(3)))
    assert not torch.equal(first, sample_changes(faces, torch.Generator().manual_seed(4)))


def test_changes_stay_within_what_a_face_can_do_and_some_close_a_smile() -> None:
    faces = torch.zeros(4000, len(AU_NAMES))
    faces[:, AU_INDEX["AU12"]] = 0.8
    changes = sample_changes(faces, torch.Generator().manual_seed(0))
    target = faces + changes
    assert changes.abs().max() <= 1 and target.min() >= -1e-6 and target.max() <= 1 + 1e-6
    assert (changes[:, AU_INDEX["AU12"]] == -0.8).float().mean() > 0.10
    assert (changes == 0).all(1).float().mean() == pytest.approx(NO_CHANGE, abs=0.015)
    single = (changes > 0).sum(1) == 1
    assert single.float().mean() > 0.2
    for name in set(AU_NAMES) - {"AU12"}:
        assert (changes[:, AU_INDEX[name]] > 0.1).float().mean() > 0.02, name


def test_the_mean_of_faces_is_symmetric_and_framed(points: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    faces = points + torch.randn(40, mesh.POINTS, 2, generator=generator) * 0.05
    mean = mean_landmarks(faces)
    mirror = mirror_on()
    assert torch.allclose(mean[mirror] * torch.tensor([-1.0, 1.0]), mean, atol=1e-4)
    assert torch.allclose(mean, load_mean_landmarks(), atol=2e-3)
    with pytest.raises(TrainingError, match="too few"):
        mean_landmarks(faces[:3])


def test_a_mouth_interior_survives_its_state_and_refuses_a_wrong_one() -> None:
    packaged = load_interior()
    again = MouthInterior(**packaged.state())
    assert torch.equal(again.texture, packaged.texture) and torch.equal(again.brightness, packaged.brightness)
    with pytest.raises(WeightsError, match="texture"):
        MouthInterior(torch.zeros(3, 4, 4), torch.zeros(2))


def test_a_mouth_interior_learns_how_bright_teeth_are_beside_skin(teacher: FaceGeometry, points: Tensor) -> None:
    skins = torch.linspace(0.25, 0.7, 12)
    plain = skins[:, None, None, None].expand(-1, 3, SIZE, SIZE).contiguous()
    smiles = teacher.edit(plain, points.expand(12, -1, -1), change_of(AU12=1.0, AU25=1.0).expand(12, -1))
    flat = plain.clone()
    inside = opening(smiles.landmarks, mesh.INNER_UPPER, mesh.INNER_LOWER)
    u, v = inside.coordinates(SIZE, SIZE)
    mouth = (u > 0) & (u < 1) & (v > -20) & (v < 20)
    teeth = 0.3 + 0.7 * skins
    flat[mouth[:, None].expand_as(flat)] = teeth.repeat_interleave(mouth[0].sum() * 3)
    learnt = MouthInterior.learn(flat, smiles.landmarks, torch.zeros(12))
    assert torch.allclose(learnt.brightness, torch.tensor([0.3, 0.7]), atol=0.01)
    with pytest.raises(TrainingError, match="packaged"):
        MouthInterior.learn(plain, points.expand(12, -1, -1), torch.zeros(12))
