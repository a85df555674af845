"""G2-GAN: heat maps by closed form, donors laid onto other faces, a generator whose target landmarks matter."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_training import SMALL, made_up_faces, objective_of, small_generator

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.geometry import load_mean_landmarks
from singanimation.stages.expansion.landmarks.heat_maps import PARTS, SPREAD, heat_maps, laid_onto

FACE = load_mean_landmarks()[None] * 43.6 + torch.tensor([64.0, 45.1])
SETTINGS = replace(SMALL, recipe="landmarks", size=64, average=0.0)


def test_a_landmark_is_1_at_its_place_and_falls_off_as_a_normal_blot() -> None:
    points = torch.full((1, mesh.POINTS, 2), -1000.0)
    points[0, mesh.IRIS_LEFT] = torch.tensor([40.5, 60.5])  # the middle of a pixel
    maps = heat_maps(points, 128)
    assert maps.shape == (1, len(PARTS), 128, 128)
    assert maps[0, 2, 60, 40].item() == pytest.approx(1) and maps[0, [0, 1, 3, 4, 5, 6]].max() == 0
    assert maps[0, 2, 60, 42].item() == pytest.approx(math.exp(-4 / (2 * SPREAD**2)), rel=1e-5)
    half = heat_maps(points, 64)  # between four of its pixels, each 1 crop pixel off either way but the one itself
    assert half[0, 2, 30, 20].item() == pytest.approx(math.exp(-(0.5**2 + 0.5**2) / (2 * SPREAD**2)), rel=1e-5)


def test_parts_are_both_sides_of_a_face() -> None:
    for part in PARTS[:3]:
        assert {int(mesh.MIRROR[point]) for point in part} == set(part)


def test_a_face_is_its_own_donor_however_it_is_turned_stretched_and_shifted() -> None:
    angle = 0.3
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    other = FACE * torch.tensor([1.3, 0.8])  # a rounder face
    torch.testing.assert_close(laid_onto(other @ turn.T + 7, FACE), FACE, atol=1e-3, rtol=0)


def test_a_donors_mouth_comes_over_and_the_outline_stays() -> None:
    donor = FACE.clone()
    donor[:, list(mesh.LOWER_LIP[0])] += torch.tensor([0.0, 6.0])
    donor[:, list(mesh.OVAL)] *= 1.1
    done = laid_onto(donor, FACE)
    torch.testing.assert_close(done[:, list(mesh.LOWER_LIP[0])], donor[:, list(mesh.LOWER_LIP[0])], atol=1e-3, rtol=0)
    assert torch.equal(done[:, list(mesh.OVAL)], FACE[:, list(mesh.OVAL)])


def test_training_brings_the_picture_nearer_and_leaves_the_landmark_network_alone() -> None:
    objective = objective_of(SETTINGS, made_up_faces())
    finder = [value.clone() for value in objective.generator.finder.state_dict().values()]
    # the same pairs at every step: made-up faces differ in brightness by more than few steps teach
    told = [objective.step(torch.Generator().manual_seed(4), 2e-3, 0.0)["pixels"] for _ in range(20)]
    assert told[-1] < 0.8 * told[0]
    assert all(torch.equal(a, b) for a, b in zip(finder, objective.generator.finder.state_dict().values(), strict=True))


def test_what_is_painted_is_added_to_the_source() -> None:
    generator = objective_of(SETTINGS, made_up_faces()).generator
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 1.9 - 0.95
    with torch.no_grad():
        generator.colour.weight.zero_()
        torch.testing.assert_close(
            generator.painted(picture, heat_maps(FACE, 64), heat_maps(FACE + 2, 64)), picture, atol=1e-4, rtol=0
        )


def test_the_critic_comes_to_take_photographs_for_real_and_what_was_painted_not() -> None:
    objective = objective_of(SETTINGS, made_up_faces())
    objective.at_rate(2e-3)
    pairs = objective._pairs.draw(4, torch.Generator().manual_seed(2))
    noise = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    told = [objective._judge(pairs, noise, heat_maps(pairs.after, 64)) for _ in range(25)]
    assert told[-1][0] < 0 and told[-1][1]["critic"] < 0.5 * told[0][1]["critic"]


def test_other_landmarks_give_another_picture_and_no_change_the_crop_itself() -> None:
    generator = objective_of(SETTINGS, made_up_faces()).generator
    with torch.no_grad():
        generator.colour.weight.mul_(50)  # untrained, it hardly sees anything
    crop = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    source = np.full(17, 0.1, np.float32)
    smile, brows = source.copy(), source.copy()
    smile[8], brows[0] = 1, 1
    edits = ExpressionEditor(generator, "").edit(crop, source, np.stack([source, smile, brows]))
    assert np.array_equal(edits.pictures[0], crop)
    assert (edits.attention[1:, 40:90, 40:90] == 0).all() and np.array_equal(edits.pictures[1, :8, :8], crop[:8, :8])
    assert not np.array_equal(edits.pictures[1], edits.pictures[2])
    alone = ExpressionEditor(generator, "").edit(crop, source, brows[None]).pictures[0]
    assert np.array_equal(alone, edits.pictures[2])


def test_an_editor_takes_donors_as_crops_where_its_generator_follows_landmarks() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    editor = ExpressionEditor(objective_of(SETTINGS, made_up_faces()).generator, "")
    edits = editor.towards(crop, np.stack([crop, crop[:, ::-1]]))
    assert editor.follows_landmarks and edits.pictures.shape == (2, 128, 128, 3) and edits.flow is None
    other = ExpressionEditor(small_generator(), "")
    assert not other.follows_landmarks
    with pytest.raises(UsageError, match="augment train landmarks"):
        other.towards(crop, crop[None])


def test_donors_are_landmarks_of_other_crops() -> None:
    generator = objective_of(SETTINGS, made_up_faces()).generator
    donors = FACE.repeat(2, 1, 1)
    donors[1, list(mesh.LIPS)] += torch.tensor([0.0, 5.0])
    with torch.no_grad():
        generator.colour.weight.mul_(50)
        done = generator.towards(torch.rand(1, 3, 128, 128) * 2 - 1, donors)
    assert done.picture.shape == (2, 3, 128, 128) and not torch.equal(done.picture[0], done.picture[1])
