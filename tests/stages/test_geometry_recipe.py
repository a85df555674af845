"""The geometry recipe's terms on a made-up face: what the critic and the AU regression see, and what they reach."""

from dataclasses import replace

import pytest
import torch
from small_training import SMALL, made_up_faces, objective_of, small_generator
from torch import nn

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.training.pairs import Pairs, PairSampler
from singanimation.stages.expansion.geometry.training.recipe import _asked_loss, _believed, _where_painted
from singanimation.stages.expansion.training.loop import TrainingFaces, train


@pytest.fixture(scope="module")
def faces() -> TrainingFaces:
    return made_up_faces()


def test_the_adversarial_term_trains_its_critic(faces: TrainingFaces) -> None:
    settings = replace(SMALL, steps=6, adversarial=0.05)
    last = list(train(settings, objective_of(settings, faces)))[-1]
    assert last.losses["critic"] > 0


def test_the_landmark_network_learns_first_and_stays_as_it_is_afterwards(faces: TrainingFaces) -> None:
    settings = replace(SMALL, steps=40, batch_size=4)
    objective, random = objective_of(settings, faces), torch.Generator().manual_seed(1)
    picture, landmarks = objective._pairs.photographs(24, torch.Generator().manual_seed(2))

    def error() -> float:
        with torch.no_grad():
            return (objective.generator.finder(picture) - landmarks).abs().mean().item()

    before = error()
    for step in range(40):
        losses = objective.step(random, 1e-3, 0.25 * step / 40)
    assert set(losses) == {"landmarks"} and error() < 0.8 * before
    finder = {name: value.clone() for name, value in objective.generator.finder.state_dict().items()}
    assert "landmarks" not in objective.step(random, 1e-3, 0.5)
    assert all(torch.equal(finder[name], value) for name, value in objective.generator.finder.state_dict().items())


def test_mirrored_photographs_have_mirrored_landmarks(faces: TrainingFaces) -> None:
    sampler = PairSampler(faces, FaceGeometry(), "cpu")
    _, landmarks = sampler.photographs(64, torch.Generator().manual_seed(0))
    # the left iris stays on the left: a mirrored face's points change names with their sides
    assert (landmarks[:, 468, 0] < landmarks[:, 473, 0]).all()
    pairs = sampler.draw(16, torch.Generator().manual_seed(0))
    back = pairs.forward.flatten() == 0
    assert back.any() and not back.all()
    still = (pairs.before - pairs.after).abs().amax((1, 2)) == 0
    assert ((pairs.change == 0).all(1) == still).all()


def test_pairs_are_edited_at_the_landmarks_that_were_found(faces: TrainingFaces) -> None:
    generator, sampler = small_generator(), PairSampler(faces, FaceGeometry(), "cpu")
    pairs = sampler.draw(16, torch.Generator().manual_seed(0), generator.landmarks)
    front = (pairs.forward.flatten() > 0) & (pairs.change.abs().amax(1) > 0.05)
    with torch.no_grad():
        drawn = generator(pairs.source[front], pairs.change[front])
    # the untrained network corrects nothing: the target is what the generator's own geometry draws
    assert front.sum() > 4 and (drawn.picture - pairs.target[front]).abs().mean() < 0.01
    assert (drawn.flow - pairs.flow[front]).abs().max() < 0.05
    labelled = sampler.draw(16, torch.Generator().manual_seed(0))
    assert (labelled.before - pairs.before).abs().max() > 0.5


def test_what_the_teacher_has_to_make_up_is_no_target(faces: TrainingFaces) -> None:
    smiling = faces._replace(action_units=faces.action_units * 0 + 0.45)
    objective = objective_of(SMALL, smiling)
    pairs = objective._pairs.draw(48, torch.Generator().manual_seed(2))
    gone = (pairs.change[:, [AU_INDEX[name] for name in ("AU25", "AU26", "AU45")]] < -0.3).any(1)
    front = pairs.forward.flatten() > 0
    assert torch.equal(pairs.believed.flatten() > 0, ~(gone & front))
    assert (gone & front).any() and (gone & ~front).any()
    output = objective.generator(pairs.source, pairs.change)
    output.picture.retain_grad()
    known = _believed(pairs, output)
    ((output.picture - known.target).abs().sum() + 0 * output.picture.sum()).backward()
    moved = output.picture.grad.abs().amax((1, 2, 3)) > 0
    assert not moved[gone & front].any() and moved[~(gone & front)].any()
    assert not known.forward.flatten()[gone & front].any()


def test_wide_mouths_and_shut_eyes_are_drawn_more_often(faces: TrainingFaces) -> None:
    landmarks = faces.landmarks.copy()
    landmarks[0, 14, 1] += 20
    landmarks[1, [159, 386], 1] = landmarks[1, [145, 374], 1]
    sampler = PairSampler(faces._replace(landmarks=landmarks), FaceGeometry(), "cpu")
    assert sampler._rarity.tolist() == pytest.approx([10, 10, 1], abs=0.5)
    _, drawn = sampler.photographs(300, torch.Generator().manual_seed(0))
    wide = (drawn[:, 14] - drawn[:, 13]).norm(dim=1) > 8
    assert 0.35 < wide.float().mean() < 0.6


@pytest.mark.parametrize(("done", "differ"), [(0.55, False), (0.65, False), (0.8, True)])
def test_the_critic_learns_first_and_is_asked_afterwards(done: float, differ: bool, faces: TrainingFaces) -> None:
    plain, critical = (objective_of(replace(SMALL, adversarial=weight), faces) for weight in (0.0, 5.0))
    for objective in (plain, critical):
        losses = objective.step(torch.Generator().manual_seed(1), 1e-2, done)
        assert ("critic" in losses) == (objective is critical and done > 0.6)
    pairs = zip(plain.generator.parameters(), critical.generator.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs) == differ


def test_a_critic_learns_to_tell_a_blurred_edit(faces: TrainingFaces) -> None:
    objective = objective_of(replace(SMALL, adversarial=1.0), faces)
    pairs = PairSampler(faces, FaceGeometry(), "cpu").draw(8, torch.Generator().manual_seed(4))
    blurred = nn.functional.avg_pool2d(pairs.target, 5, 1, 2)
    output = objective.generator(pairs.source, pairs.change)._replace(picture=blurred)
    hinges = [objective._critic_step(pairs, output)["critic"] for _ in range(110)]
    # a single step's hinge goes up and down by a tenth
    assert sum(hinges[-10:]) / 10 < 0.7 * hinges[0]


def test_the_critic_looks_where_something_is_painted() -> None:
    maps = [torch.zeros(2, 1, 128, 128) for _ in range(3)]
    maps[0][0, :, :4], maps[1][1, :, :, :8], maps[2][1, :, :, :4] = 1, 1, 1
    paint = torch.maximum(maps[0], maps[2])  # what is painted whole is part of it
    none = torch.zeros(0)
    known = {"fill": maps[0], "lids": maps[1], "paint": paint}
    pairs = Pairs(*[none] * 4, **known, forward=none, believed=none, before=none, after=none)
    values = torch.zeros(2, 1, 32, 32)
    values[0, :, 0], values[1, :, :, :2] = 3, 6
    assert _where_painted(values, pairs).item() == pytest.approx((3 * 32 + 6 * 64) / 96)
    assert _where_painted(values, pairs, (1, 2, 3)).tolist() == pytest.approx([3, 6])
    assert _where_painted((values == 0).float(), pairs).item() == 0


def test_au_regression_asks_for_more_where_more_was_asked_and_the_teacher_falls_short() -> None:
    change = torch.zeros(3, 17)
    change[0, 8], change[1, 8], change[2, 8] = 0.5, -0.5, 0.5
    forward = torch.ones(3, 1, 1, 1)
    forward[2] = 0
    none = torch.zeros(3, 1, 1, 1)
    pairs = Pairs(none, none, change, none, none, none, none, forward, forward, none, none)
    start, read = torch.full((3, 17), 0.1), torch.full((3, 17), 0.1)
    # only the first pair asks for more of a unit, forwards: 0.6 against 0.1
    assert _asked_loss(read, read, start, pairs) == pytest.approx(0.5**2 / 51)
    assert _asked_loss(read, torch.full((3, 17), 0.9), start, pairs) == pytest.approx(0.8**2 / 51)


def test_au_regression_moves_skin_and_never_paints(faces: TrainingFaces) -> None:
    objective = objective_of(SMALL, faces)
    pairs = PairSampler(faces, FaceGeometry(), "cpu").draw(6, torch.Generator().manual_seed(3))
    output = objective.generator(pairs.source, pairs.change)
    for map_ in (output.attention, output.colour, output.flow):
        map_.retain_grad()
    objective._asked_term(pairs, output, torch.zeros(6, 17)).backward()
    assert output.flow.grad is not None and output.flow.grad.abs().max() > 0
    assert output.attention.grad is None and output.colour.grad is None
