"""The training loop on a made-up face: it learns, resumes to the same bits, and stops when attention saturates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import SMALL, SMALL_OPTIONS, made_up_faces, objective_of, small_generator
from torch import Tensor, nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.stages.expansion.checkpoints import load_generator, save_generator
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.training.loop import (
    SATURATION_STEPS,
    Progress,
    TrainingFaces,
    learning_rate_at,
    train,
)
from singanimation.stages.expansion.training.settings import TrainSettings


@pytest.fixture(scope="module")
def faces() -> TrainingFaces:
    return made_up_faces()


def _run(settings: TrainSettings, faces: TrainingFaces, resume: dict | None = None) -> list[Progress]:
    return list(train(settings, objective_of(settings, faces), resume))


def _weights(progress: Progress) -> list[Tensor]:
    return [value.clone() for value in progress.generator.state_dict().values()]


@pytest.mark.parametrize("recipe", ["geometry", "paper", "landmarks"])
def test_a_resumed_training_ends_at_the_same_weights(recipe: str, faces: TrainingFaces, tmp_path: Path) -> None:
    settings = replace(SMALL, recipe=recipe)
    whole = _weights(_run(settings, faces)[-1])
    half = None
    for progress in train(settings, objective_of(settings, faces)):
        if progress.step == 2:
            torch.save(progress.state, tmp_path / "half.pt")
            half = torch.load(tmp_path / "half.pt", weights_only=True)
            break
    resumed = _weights(_run(settings, faces, half)[-1])
    for a, b in zip(whole, resumed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_training_moves_the_picture_towards_its_target(faces: TrainingFaces) -> None:
    objective, random = objective_of(replace(SMALL, batch_size=4), faces), torch.Generator().manual_seed(99)
    pairs = objective._pairs.draw(4, random)
    # far from what the geometry draws, so that few steps show: all painted, in half the brightness
    whole = torch.ones_like(pairs.paint)
    believed = torch.ones_like(pairs.believed)
    pairs = pairs._replace(target=pairs.target * 0.5 - 0.5, paint=whole, fill=whole, believed=believed)
    objective._pairs.draw = lambda *_: pairs
    objective._steps = 100  # past the warm-up

    def error() -> float:
        with torch.no_grad():
            return float((objective.generator(pairs.source, pairs.change).picture - pairs.target).abs().mean())

    before = error()
    for _ in range(30):
        objective.step(random, 1e-2, 0.5)
    assert error() < 0.7 * before


def test_the_regression_term_is_logged_where_it_is_on(faces: TrainingFaces) -> None:
    assert "regression" not in _run(replace(SMALL, regression=0.0), faces)[-1].losses
    assert _run(replace(SMALL, regression=2.0, batch_size=8), faces)[-1].losses["regression"] > 0


def test_warm_up_and_cosine() -> None:
    assert learning_rate_at(0.0, 0, 1.0) == pytest.approx(0.01)
    assert learning_rate_at(0.5, 5000, 1.0) == pytest.approx(0.5)
    assert learning_rate_at(1.0, 5000, 1.0) == pytest.approx(0.0)


class _Saturated:
    """An objective whose attention never opens."""

    options: dict[str, Any] = {}

    def __init__(self, attention: float) -> None:
        self.generator = nn.Linear(1, 1)
        self._attention = attention

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        return {"attention": self._attention}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...


@pytest.mark.parametrize(("attention", "words"), [(0.999, "nothing is edited"), (0.01, "everything is repainted")])
def test_saturated_attention_stops_the_training_with_a_clear_error(attention: float, words: str) -> None:
    settings = replace(SMALL, steps=SATURATION_STEPS + 10)
    with pytest.raises(TrainingError, match=words):
        list(train(settings, _Saturated(attention)))


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    with pytest.raises(TrainingError, match="no number"):
        list(train(SMALL, _Saturated(float("nan"))))


def test_a_saved_generator_edits_as_before_and_carries_its_card(tmp_path: Path) -> None:
    network = small_generator(2).half().float()
    path = tmp_path / "generator.safetensors"
    save_generator(path, network, SMALL_OPTIONS, {"recipe": "geometry"})
    loaded = load_generator(path)
    assert loaded.card["recipe"] == "geometry" and len(loaded.digest) == 16
    crop = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    source, target = np.zeros(17, np.float32), np.full((1, 17), 0.5, np.float32)
    first = ExpressionEditor(network.eval(), "").edit(crop, source, target).pictures
    assert np.array_equal(first, ExpressionEditor.load(path).edit(crop, source, target).pictures)


@pytest.mark.parametrize("value", [float("nan"), 1e9])
def test_a_generator_that_is_no_number_is_not_saved_over_the_last_good_one(value: float, tmp_path: Path) -> None:
    network, path = small_generator(), tmp_path / "generator.safetensors"
    save_generator(path, network, SMALL_OPTIONS, {})
    before = path.read_bytes()
    with torch.no_grad():
        network.correct.stem.weight[0, 0] = value
    with pytest.raises(TrainingError, match="correct.stem.weight is no number"):
        save_generator(path, network, SMALL_OPTIONS, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_state_of_another_training_is_refused(faces: TrainingFaces) -> None:
    for state in ({"step": 1}, {"step": 1, "objective": {"generator": {}}}):
        with pytest.raises(WeightsError, match="--no-resume"):
            next(train(SMALL, objective_of(SMALL, faces), state))


def test_an_edit_to_the_sources_own_units_returns_its_bytes() -> None:
    crop = np.random.default_rng(1).integers(0, 255, (128, 128, 3), np.uint8)
    source = np.random.default_rng(2).uniform(0, 1, 17).astype(np.float32)
    edits = ExpressionEditor(small_generator(), "").edit(crop, source, source[None])
    assert np.array_equal(edits.pictures[0], crop)
    assert (edits.attention == 1).all()


def test_damaged_and_foreign_checkpoints_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load_generator(tmp_path / "absent.safetensors")
    path = tmp_path / "generator.safetensors"
    save_generator(path, small_generator(), SMALL_OPTIONS, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is it complete"):
        load_generator(path)
    save_generator(path, small_generator(), SMALL_OPTIONS | {"widths": [16, 8, 8]}, {})
    with pytest.raises(WeightsError, match="does not fit"):
        load_generator(path)
    for name in ("blocks", "fine_blocks"):
        save_generator(path, small_generator(), SMALL_OPTIONS | {name: 10**12}, {})
        with pytest.raises(WeightsError, match="more blocks than it has tensors"):
            load_generator(path)
    path.write_bytes(b"\x80\x04\x95not a tensor")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        load_generator(path)
