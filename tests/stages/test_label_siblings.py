"""Expanders that go by labels: closed forms of their parts, trainings that learn and resume, labels that matter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import SMALL, labelled_faces, losses_of, objective_of
from torch import nn

from singanimation.pipeline.errors import DatasetError, UsageError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.forms import FORMS, PLAN, draw_form, first_form, nearest_emotions, plain_form
from singanimation.pipeline.plan import SourceFace, discrete_target
from singanimation.stages.expansion.checkpoints import load_generator, save_generator
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.labelled import LabelledGenerator, places_of
from singanimation.stages.expansion.stargan.networks import StarGenerator, label_planes, masked_labels
from singanimation.stages.expansion.training.loop import TrainingFaces, learning_rate_at, train
from singanimation.stages.expansion.training.siblings import LabelledBatches
from singanimation.stages.expansion.transfer.networks import CodeClassifier, Decoder, Encoder, code_channels
from singanimation.stages.expansion.transfer.recipe import hidden_labels

TRANSFER = replace(SMALL, recipe="transfer", size=64, width=1.0, steps=60, schedule="phases", learning_rate=2e-3)
CYCLEGAN = replace(SMALL, recipe="cyclegan", size=64, steps=4)
STARGAN = replace(SMALL, recipe="stargan", size=64, critic_steps=1)


def test_every_form_and_what_the_plan_draws_of_it_is_nearest_to_its_own_emotion() -> None:
    random = np.random.default_rng(0)
    for emotion in EMOTIONS:
        for form in FORMS[emotion]:
            assert nearest_emotions(plain_form(form).units[None])[0] == EMOTION_INDEX[emotion]
            for seed in range(10):
                face = SourceFace(None, random.uniform(0, 0.5, 17).astype(np.float32))
                target = discrete_target(face, emotion, min(PLAN.strengths), draw_form(form, seed))
                assert nearest_emotions(np.array([target.action_units]))[0] == EMOTION_INDEX[emotion]


def test_a_blink_is_no_part_of_an_emotion() -> None:
    units = first_form("surprise").units.copy()
    units[AU_INDEX["AU45"]] = 1
    assert nearest_emotions(units[None])[0] == EMOTION_INDEX["surprise"]


def test_places_among_the_learnt_labels() -> None:
    found = places_of(torch.tensor([0, 3, 6, 1, -1]), ("surprise", "happiness", "neutral"))
    assert found.tolist() == [0, 1, 2, -1, -1]


def test_the_code_is_two_by_two_pixels_and_the_papers_maps_double_from_8_to_512() -> None:
    assert code_channels(256, 8) == [8, 16, 32, 64, 128, 256, 512]
    code = Encoder(64, 8)(torch.zeros(2, 3, 64, 64))
    assert code.shape == (2, 128, 2, 2)
    assert Decoder(64, 8, 3)(code, torch.tensor([0, 2])).shape == (2, 3, 64, 64)
    assert CodeClassifier(64, 8, 3)(code).shape == (2, 3)


def test_a_code_is_hidden_no_better_than_chance() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 90.0, 0.0]], requires_grad=True)
    found = hidden_labels(logits, torch.tensor([0, 0, 0]))
    found.backward()
    assert found.item() == pytest.approx((2 * np.log(3) + np.log(1 + 2 * np.exp(-9))) / 3, rel=1e-4)
    assert logits.grad is not None and logits.grad[1].any() and not logits.grad[2].any()


def test_a_label_of_one_of_several_sets_is_masked_and_of_a_single_one_is_not() -> None:
    found = masked_labels(torch.tensor([1, 0]), torch.tensor([0, 1]), 3, 2)
    assert found.tolist() == [[0, 1, 0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0, 0, 1]]
    assert masked_labels(torch.tensor([2]), torch.tensor([0]), 3, 1).tolist() == [[0, 0, 1]]
    assert label_planes(3, 2) == 8 and label_planes(3, 1) == 3


def test_each_label_is_drawn_of_the_first_set_that_has_it() -> None:
    network = StarGenerator(["happiness", "neutral"], [1, 0], sets=2, width=8, blocks=1, size=16)
    picture = torch.rand(2, 3, 16, 16)
    label = torch.tensor([0, 1])
    assert torch.equal(network.painted(picture, label), network.redrawn(picture, label, torch.tensor([1, 0])))
    assert not torch.equal(network.painted(picture, label), network.redrawn(picture, label, torch.tensor([0, 1])))


def test_labels_are_drawn_evenly_and_rare_or_unknown_ones_not_at_all() -> None:
    faces = labelled_faces(24)
    labels = np.array(faces.labels)
    labels[:12], labels[12:17], labels[17] = 0, 1, -1  # 12 surprised, 5 afraid, 1 unknown, 6 happy, 24 neutral
    batches = LabelledBatches(faces._replace(labels=labels), 64, "cpu")
    assert batches.labels == ("surprise", "neutral")
    drawn = batches.draw(2000, torch.Generator().manual_seed(0))
    assert drawn.labels.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert drawn.pictures.shape == (2000, 3, 64, 64) and drawn.pictures.min() >= -1 and drawn.pictures.max() <= 1
    with pytest.raises(DatasetError, match="Fewer than two emotions have 12 pictures"):
        LabelledBatches(labelled_faces(11), 64, "cpu")


def test_the_learning_rate_falls_by_phases_or_from_half_on() -> None:
    assert [learning_rate_at(done, 0, 1.0, "phases") for done in (0.0, 0.34, 0.99)] == pytest.approx([1, 0.1, 0.01])
    assert [learning_rate_at(done, 0, 1.0, "half") for done in (0.0, 0.5, 0.75)] == pytest.approx([1, 1, 0.5])


def test_the_auto_encoder_learns_and_its_label_map_matters(tmp_path: Path) -> None:
    faces = labelled_faces()
    objective = objective_of(TRANSFER, faces)
    told = [losses["pixels"] for losses in losses_of(objective, TRANSFER.steps, TRANSFER.learning_rate)]
    assert told[-1] < 0.5 * told[0]
    save_generator(tmp_path / "t.safetensors", objective.generator, objective.options, {})
    editor = ExpressionEditor.load(tmp_path / "t.safetensors")
    assert editor.labels == ("happiness", "neutral")
    crop = faces.pictures[0, 16:144, 16:144]
    targets = np.stack([first_form(name).units for name in ("happiness", "neutral")])
    happy, neutral = editor.edit(crop, np.zeros(17, np.float32) + 0.1, targets).pictures.astype(int)
    assert np.abs(happy - neutral).mean() > 1 and np.abs(happy - crop).mean() < 60


@pytest.mark.parametrize("settings", [replace(TRANSFER, steps=4), STARGAN, CYCLEGAN], ids=lambda s: s.recipe)
def test_a_resumed_training_ends_at_the_same_weights(settings, tmp_path: Path) -> None:
    faces = labelled_faces()
    *_, whole = train(settings, objective_of(settings, faces))
    for progress in train(settings, objective_of(settings, faces)):
        if progress.step == 2:
            torch.save(progress.state, tmp_path / "half.pt")
            break
    half = torch.load(tmp_path / "half.pt", weights_only=True)
    *_, resumed = train(settings, objective_of(settings, faces), half)
    for a, b in zip(whole.generator.parameters(), resumed.generator.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_stargans_critic_learns_the_labels_and_its_cycle_comes_back() -> None:
    faces = labelled_faces()._replace(sets=np.arange(24) % 2)
    settings = replace(STARGAN, steps=25, batch_size=4, learning_rate=1e-3)
    told = losses_of(objective_of(settings, _twice(faces)), settings.steps, settings.learning_rate)
    assert told[-1]["critic_labels"] < told[0]["critic_labels"] and told[-1]["cycle"] < told[0]["cycle"]


class _Bright(nn.Module):
    """A critic that cannot learn: happy is who has a bright lower half, real who has a bright upper one."""

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        upper, lower = (half.float().mean((1, 2, 3)) for half in (picture[:, :, :28], picture[:, :, 36:]))
        return 40 * upper, torch.stack([10 * lower, -10 * lower], 1)


def test_stargans_generator_is_judged_by_the_label_asked_for_and_seeks_what_the_critic_takes_for_real() -> None:
    faces = labelled_faces()
    objective = objective_of(STARGAN, faces)
    objective._critic = critic = _Bright()
    drawn = objective._batches.draw(4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        there = objective.generator.redrawn(drawn.pictures, 1 - drawn.labels, drawn.sets)
    expected = nn.functional.cross_entropy(critic(there)[1], 1 - drawn.labels).item()
    before = _brightness(objective.generator, faces, "happiness")
    objective.at_rate(2e-3)
    told = [objective._generator_step(drawn, 1 - drawn.labels) for _ in range(20)]
    assert told[0]["labels"] == pytest.approx(expected, rel=1e-4)
    assert abs(expected - nn.functional.cross_entropy(critic(there)[1], drawn.labels).item()) > 1e-3
    assert _brightness(objective.generator, faces, "happiness")[0] > before[0] + 0.3


def test_cyclegans_ways_lead_each_to_its_own_emotion() -> None:
    faces = labelled_faces()
    objective = objective_of(CYCLEGAN, faces)

    class Half(nn.Module):
        def __init__(self, sign: int) -> None:
            super().__init__()
            self.sign = nn.Parameter(torch.tensor(4.0 * sign))

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return self.sign * picture[:, :, 36:].mean((1, 2, 3))

    objective._critics = nn.ModuleList([Half(1), Half(-1)])
    losses_of(objective, 30, 2e-3)
    happy, neutral = (_brightness(objective.generator, faces, name) for name in ("happiness", "neutral"))
    assert happy[1] > neutral[1] + 0.02


def _brightness(generator: LabelledGenerator, faces: TrainingFaces, label: str) -> tuple[float, float]:
    """Return how bright (-1..1) upper and lower halves are that a generator paints of the faces, on average."""
    pictures = torch.from_numpy(faces.pictures[::4, 16:144:2, 16:144:2].copy()).permute(0, 3, 1, 2) / 127.5 - 1
    place = torch.full((len(pictures),), ("happiness", "neutral").index(label))
    with torch.no_grad():
        painted = generator.painted(pictures, place)
    return painted[:, :, :28].mean().item(), painted[:, :, 36:].mean().item()


def test_a_set_without_enough_of_any_label_is_refused_with_its_counts() -> None:
    faces = labelled_faces(16)
    few = faces._replace(sets=(np.arange(32) % 16 >= 12).astype(np.int64))
    with pytest.raises(DatasetError, match="second set of faces has 12 pictures of no emotion: .* happiness 4"):
        LabelledBatches(few, 64, "cpu")


def test_a_start_that_learnt_other_labels_is_refused(tmp_path: Path) -> None:
    options = {"labels": ["anger", "neutral"], "of_sets": [0, 0], "width": 8, "size": 64}
    save_generator(tmp_path / "s.safetensors", StarGenerator(**options), options, {})
    with pytest.raises(WeightsError, match="draws anger, neutral, and these faces teach happiness, neutral"):
        objective_of(replace(STARGAN, init=tmp_path / "s.safetensors"), labelled_faces())


def _twice(faces: TrainingFaces) -> TrainingFaces:
    """Each face twice, so that every set has enough of every label."""
    twice = np.tile(np.arange(len(faces.pictures)), 2)
    assert faces.labels is not None and faces.sets is not None
    return TrainingFaces(
        faces.pictures[twice], faces.landmarks[twice], faces.action_units[twice], faces.labels[twice], faces.sets[twice]
    )


def test_cyclegan_learns_two_ways_between_two_emotions() -> None:
    faces = labelled_faces()
    objective = objective_of(CYCLEGAN, faces)
    told = losses_of(objective, 25, 2e-3)
    assert told[-1]["cycle"] < 0.7 * told[0]["cycle"]
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    happy, neutral = (objective.generator.painted(picture, torch.full((2,), label)) for label in (0, 1))
    assert not torch.allclose(happy, neutral, atol=0.05)
    assert torch.equal(objective.generator.painted(picture, torch.tensor([0, 1]))[1], neutral[1])
    assert faces.labels is not None
    three = np.where(np.arange(24) % 2, faces.labels, 0).repeat(2)
    with pytest.raises(DatasetError, match="two emotions, not from surprise, happiness, neutral"):
        objective_of(CYCLEGAN, _twice(faces)._replace(labels=three))


def test_an_emotion_that_was_not_learnt_is_refused_in_a_sentence() -> None:
    network = StarGenerator(["happiness", "neutral"], [0, 0], width=8, blocks=1, size=16)
    with pytest.raises(UsageError, match="draws happiness, neutral; it has not learnt fear"):
        ExpressionEditor(network, "").edit(
            np.zeros((128, 128, 3), np.uint8), np.zeros(17, np.float32), first_form("fear").units[None]
        )


@pytest.mark.parametrize(
    "options",
    [
        {"labels": ["happiness", "joy"]},
        {"labels": ["neutral", "happiness"]},
        {"labels": ["happiness"]},
        {"size": 4096},
        {"size": 48},
        {"size": "64"},
        {"of_sets": [0, 7]},
        {"sets": 10**9},
    ],
)
def test_a_file_with_strange_options_is_no_generator(options: dict, tmp_path: Path) -> None:
    network = StarGenerator(["happiness", "neutral"], [0, 0], width=8, blocks=1, size=16)
    good = {"labels": ["happiness", "neutral"], "of_sets": [0, 0], "width": 8, "blocks": 1, "size": 16}
    save_generator(tmp_path / "good.safetensors", network, good, {})
    assert load_generator(tmp_path / "good.safetensors").network.labels == ("happiness", "neutral")
    save_generator(tmp_path / "bad.safetensors", network, good | options, {})
    with pytest.raises(WeightsError, match="does not fit the stargan generator"):
        load_generator(tmp_path / "bad.safetensors")
