"""The training loop on a made-up face: it learns, resumes to the same bits, and stops when attention saturates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.stages.ganimation.checkpoints import load_generator, save_generator
from singanimation.stages.ganimation.edit import ExpressionEditor
from singanimation.stages.ganimation.geometry import Teacher, load_mean_landmarks
from singanimation.stages.ganimation.geometry_generator import GeometryGenerator
from singanimation.stages.ganimation.geometry_recipe import (
    GeometryObjective,
    _asked_loss,
    _each_where_painted,
    _where_painted,
)
from singanimation.stages.ganimation.pairs import Pairs, PairSampler
from singanimation.stages.ganimation.paper_recipe import PaperObjective
from singanimation.stages.ganimation.training import (
    SATURATION_STEPS,
    Progress,
    TrainingFaces,
    TrainSettings,
    learning_rate_at,
    train,
)

SMALL = TrainSettings(steps=4, batch_size=2, width=0.13, learning_rate=1e-3, seed=5)


@pytest.fixture(scope="module")
def faces() -> TrainingFaces:
    """Three blurred-noise pictures whose landmarks are the mean face."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(60, 200, (3, 3, 20, 20))).float()
    pictures = nn.functional.interpolate(coarse, 160, mode="bicubic").clamp(0, 255).byte()
    landmarks = load_mean_landmarks().numpy() * 43.6 + np.array([80.0, 61.1])
    units = rng.uniform(0, 0.4, (3, 17)).astype(np.float32)
    return TrainingFaces(
        pictures.permute(0, 2, 3, 1).contiguous().numpy(), np.repeat(landmarks[None], 3, 0).astype(np.float32), units
    )


class _SmallDescription(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Conv2d(3, 17, 5, 4).requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = self.layer(pictures)
        return maps.mean((2, 3)).sigmoid(), [maps]


def _objective(settings: TrainSettings, faces: TrainingFaces) -> Any:
    if settings.recipe == "paper":
        return PaperObjective(settings, faces)
    return GeometryObjective(settings, faces, _SmallDescription())


def _run(settings: TrainSettings, faces: TrainingFaces, resume: dict | None = None) -> list[Progress]:
    return list(train(settings, _objective(settings, faces), resume))


def _weights(progress: Progress) -> list[Tensor]:
    return [value.clone() for value in progress.generator.state_dict().values()]


@pytest.mark.parametrize("recipe", ["geometry", "paper"])
def test_a_resumed_training_ends_at_the_same_weights(recipe: str, faces: TrainingFaces, tmp_path: Path) -> None:
    settings = replace(SMALL, recipe=recipe)
    whole = _weights(_run(settings, faces)[-1])
    half = None
    for progress in train(settings, _objective(settings, faces)):
        if progress.step == 2:
            torch.save(progress.state, tmp_path / "half.pt")
            half = torch.load(tmp_path / "half.pt", weights_only=True)
            break
    resumed = _weights(_run(settings, faces, half)[-1])
    for a, b in zip(whole, resumed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_training_moves_the_picture_towards_the_teachers(faces: TrainingFaces) -> None:
    settings = replace(SMALL, steps=50, batch_size=4, learning_rate=1e-2)
    objective = _objective(settings, faces)
    pairs = PairSampler(faces, Teacher(), "cpu").draw(12, torch.Generator().manual_seed(99))

    def error(generator: nn.Module) -> float:
        with torch.no_grad():
            return float((generator(pairs.source, pairs.change).picture - pairs.target).abs().mean())

    before = error(objective.generator)
    last = list(train(settings, objective))[-1]
    assert error(last.generator) < 0.8 * before


@pytest.mark.parametrize(("done", "differ"), [(0.3, False), (0.45, False), (0.6, True)])
def test_the_critic_learns_first_and_is_asked_afterwards(done: float, differ: bool, faces: TrainingFaces) -> None:
    plain, critical = (_objective(replace(SMALL, adversarial=weight), faces) for weight in (0.0, 5.0))
    for objective in (plain, critical):
        losses = objective.step(torch.Generator().manual_seed(1), 1e-2, done)
        assert ("critic" in losses) == (objective is critical and done > 0.4)
    pairs = zip(plain.generator.parameters(), critical.generator.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs) == differ


def test_a_critic_learns_to_tell_a_blurred_edit(faces: TrainingFaces) -> None:
    objective = _objective(replace(SMALL, adversarial=1.0), faces)
    pairs = PairSampler(faces, Teacher(), "cpu").draw(8, torch.Generator().manual_seed(4))
    blurred = nn.functional.avg_pool2d(pairs.target, 5, 1, 2)
    output = objective.generator(pairs.source, pairs.change)._replace(picture=blurred)
    hinges = [objective._critic_step(pairs, output)["critic"] for _ in range(60)]
    assert hinges[-1] < 0.7 * hinges[0]


def test_the_critic_looks_where_something_is_painted() -> None:
    maps = [torch.zeros(2, 1, 128, 128) for _ in range(3)]
    maps[0][0, :, :4], maps[1][1, :, :, :8], maps[2][1, :, :, :4] = 1, 1, 1
    pairs = Pairs(*[torch.zeros(0)] * 4, fill=maps[0], lids=maps[1], paint=maps[2], forward=torch.zeros(0))
    values = torch.zeros(2, 1, 32, 32)
    values[0, :, 0], values[1, :, :, :2] = 3, 6
    assert _where_painted(values, pairs).item() == pytest.approx((3 * 32 + 6 * 64) / 96)
    assert _each_where_painted(values, pairs).tolist() == pytest.approx([3, 6])
    values[0, :, 0], values[1, :, :, :2] = 0, 0
    assert _where_painted(values + (values == 1), pairs).item() == 0


def test_au_regression_asks_for_more_where_more_was_asked_and_the_teacher_falls_short() -> None:
    change = torch.zeros(3, 17)
    change[0, 8], change[1, 8], change[2, 8] = 0.5, -0.5, 0.5
    forward = torch.ones(3, 1, 1, 1)
    forward[2] = 0
    pairs = Pairs(*[torch.zeros(3, 1, 1, 1)] * 2, change, *[torch.zeros(3, 1, 1, 1)] * 4, forward)
    start, read = torch.full((3, 17), 0.1), torch.full((3, 17), 0.1)
    # only the first pair asks for more of a unit, forwards: 0.6 against 0.1
    assert _asked_loss(read, read, start, pairs) == pytest.approx(0.5**2 / 51)
    assert _asked_loss(read, torch.full((3, 17), 0.9), start, pairs) == pytest.approx(0.8**2 / 51)


def test_au_regression_moves_skin_and_never_paints(faces: TrainingFaces) -> None:
    objective = _objective(SMALL, faces)
    pairs = PairSampler(faces, Teacher(), "cpu").draw(6, torch.Generator().manual_seed(3))
    output = objective.generator(pairs.source, pairs.change)
    for map_ in (output.attention, output.colour, output.flow):
        map_.retain_grad()
    objective._asked_term(pairs, output, torch.zeros(6, 17)).backward()
    assert output.flow.grad is not None and output.flow.grad.abs().max() > 0
    assert output.attention.grad is None and output.colour.grad is None


def test_the_regression_term_is_logged_where_it_is_on(faces: TrainingFaces) -> None:
    assert "regression" not in _run(replace(SMALL, regression=0.0), faces)[-1].losses
    assert _run(replace(SMALL, regression=2.0), faces)[-1].losses["regression"] > 0


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
    torch.manual_seed(2)
    network = GeometryGenerator((8, 8, 8), blocks=1).half().float()
    path = tmp_path / "generator.safetensors"
    save_generator(path, network, {"widths": [8, 8, 8], "blocks": 1}, {"recipe": "geometry"})
    loaded = load_generator(path)
    assert loaded.card["recipe"] == "geometry" and len(loaded.digest) == 16
    crop = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    source, target = np.zeros(17, np.float32), np.full((1, 17), 0.5, np.float32)
    first = ExpressionEditor(network.eval(), "").edit(crop, source, target).pictures
    assert np.array_equal(first, ExpressionEditor.load(path).edit(crop, source, target).pictures)


@pytest.mark.parametrize("value", [float("nan"), 1e9])
def test_a_generator_that_is_no_number_is_not_saved_over_the_last_good_one(value: float, tmp_path: Path) -> None:
    network, path = GeometryGenerator((8, 8, 8), blocks=1), tmp_path / "generator.safetensors"
    save_generator(path, network, {"widths": [8, 8, 8], "blocks": 1}, {})
    before = path.read_bytes()
    with torch.no_grad():
        network.stem.weight[0, 0] = value
    with pytest.raises(TrainingError, match="stem.weight is no number"):
        save_generator(path, network, {"widths": [8, 8, 8], "blocks": 1}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_state_of_another_training_is_refused(faces: TrainingFaces) -> None:
    for state in ({"step": 1}, {"step": 1, "objective": {"generator": {}}}):
        with pytest.raises(WeightsError, match="--no-resume"):
            next(train(SMALL, _objective(SMALL, faces), state))


def test_an_edit_to_the_sources_own_units_returns_its_bytes() -> None:
    crop = np.random.default_rng(1).integers(0, 255, (128, 128, 3), np.uint8)
    source = np.random.default_rng(2).uniform(0, 1, 17).astype(np.float32)
    edits = ExpressionEditor(GeometryGenerator((8, 8, 8), blocks=1).eval(), "").edit(crop, source, source[None])
    assert np.array_equal(edits.pictures[0], crop)
    assert (edits.attention == 1).all()


def test_damaged_and_foreign_checkpoints_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load_generator(tmp_path / "absent.safetensors")
    path = tmp_path / "generator.safetensors"
    save_generator(path, GeometryGenerator((8, 8, 8), blocks=1), {"widths": [8, 8, 8], "blocks": 1}, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is it complete"):
        load_generator(path)
    save_generator(path, GeometryGenerator((8, 8, 8), blocks=1), {"widths": [16, 8, 8], "blocks": 1}, {})
    with pytest.raises(WeightsError, match="does not fit"):
        load_generator(path)
    save_generator(path, GeometryGenerator((8, 8, 8), blocks=1), {"widths": [8, 8, 8], "blocks": 10**12}, {})
    with pytest.raises(WeightsError, match="more blocks than it has tensors"):
        load_generator(path)
    path.write_bytes(b"\x80\x04\x95not a tensor")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        load_generator(path)
