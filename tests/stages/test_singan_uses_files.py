"""Models of one picture as files: they resume to the same weights, and what is no such file is told."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from singanimation.pipeline.errors import WeightsError
from singanimation.stages.singan.uses import (
    ModelSettings,
    PictureModel,
    load_model,
    new_model,
    sample,
    save_model,
    train,
    train_scales,
)

SETTINGS = ModelSettings(iterations=2, kernels=4, seed=3)


def _fresh() -> PictureModel:
    ramp = np.linspace(0, 255, 40 * 52 * 3).reshape(40, 52, 3).astype(np.uint8)
    return new_model(ramp[:, ::-1], SETTINGS, 52)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "whole.safetensors"
    model = _fresh()
    list(train_scales(model))
    save_model(model, path)
    return path


def test_a_stored_model_draws_the_same_and_is_written_the_same(stored: Path, tmp_path: Path) -> None:
    model, fresh = load_model(stored), _fresh()
    list(train_scales(fresh))
    np.testing.assert_array_equal(sample(model, [1]), sample(fresh, [1]))
    save_model(model, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == stored.read_bytes()
    assert model.settings == SETTINGS
    np.testing.assert_array_equal(model.picture, fresh.picture)


@pytest.mark.parametrize("scales", [1, 3])
def test_a_training_that_stopped_goes_on_to_the_same_file(scales: int, stored: Path, tmp_path: Path) -> None:
    begun = _fresh()
    for done in train_scales(begun):
        if done.scale == scales - 1:
            save_model(begun, tmp_path / "m.safetensors")
            break
    model = load_model(tmp_path / "m.safetensors")
    assert not model.complete
    assert len(list(train_scales(model))) == model.scales - scales
    save_model(model, tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == stored.read_bytes()


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_a_training_that_stopped_within_a_scale_goes_on_to_the_same_file(
    steps: int, stored: Path, tmp_path: Path
) -> None:
    begun = _fresh()
    for count, _ in enumerate(train(begun), 1):
        if count == steps:
            break
    assert begun.going is not None and not begun.going.done
    save_model(begun, tmp_path / "m.safetensors")
    model = load_model(tmp_path / "m.safetensors")
    assert model.going is not None and model.going.iteration == begun.going.iteration == 1
    list(train(model))
    save_model(model, tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == stored.read_bytes()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"going.random.0": torch.zeros(7, dtype=torch.uint8)}, "has no tensor going.random.0 of shape"),
        ({"going.random.0": torch.full((5056,), 255, dtype=torch.uint8)}, "holds no state of a training"),
        ({"going.critic.exp_avg.layers.0.weight": None}, "has no tensor going.critic.exp_avg"),
    ],
)
def test_a_state_that_is_not_right_is_told(tmp_path: Path, tensors: dict, words: str) -> None:
    begun = _fresh()
    next(iter(train(begun)))
    save_model(begun, tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match=words):
        load_model(_changed(tmp_path / "m.safetensors", tmp_path / "wrong.safetensors", **tensors))


def test_only_an_unfinished_model_keeps_a_critic(stored: Path, tmp_path: Path) -> None:
    assert not any(".critic." in name for name in load_file(stored))
    begun = _fresh()
    next(iter(train_scales(begun)))
    save_model(begun, tmp_path / "m.safetensors")
    assert any(name.startswith("0.critic.") for name in load_file(tmp_path / "m.safetensors"))


def _changed(stored: Path, path: Path, about=None, **tensors: torch.Tensor | None) -> Path:
    from safetensors import safe_open

    from singanimation.stages.singan.uses.storage import _digest

    with safe_open(stored, framework="pt") as file:
        said = json.loads(file.metadata()["singanimation"])
    kept = {name: value for name, value in (load_file(stored) | tensors).items() if value is not None}
    said |= {"digest": _digest(kept)} | (about or {})
    save_file(kept, path, {"singanimation": json.dumps(said)})
    return path


@pytest.mark.parametrize(
    ("about", "tensors", "words"),
    [
        ({"format": "other"}, {}, "is no model of one picture"),
        ({"version": 99}, {}, "is no model of one picture"),
        ({"digest": "0" * 16}, {}, "is damaged"),
        ({"settings": {"iterations": -1}}, {}, "does not say what it was trained on"),
        ({"settings": {"kernels": 10**9}}, {}, "does not say what it was trained on"),
        ({"settings": {"kernel_count": 4}}, {}, "does not say what it was trained on"),
        ({"settings": 4}, {}, "does not say what it was trained on"),
        ({}, {"picture": None}, "does not say what it was trained on"),
        ({}, {"picture": torch.zeros(9, 9, 3, dtype=torch.uint8)}, "does not say what it was trained on"),
        ({}, {"1.generator.layers.0.weight": None}, "has no tensor 1.generator.layers.0.weight"),
        ({}, {"1.sigma": torch.tensor([torch.nan])}, "not finite"),
        ({}, {"optimal_noise": torch.zeros(1, 3, 4, 4)}, "has no tensor optimal_noise of shape"),
    ],
)
def test_a_file_that_is_not_right_is_told(stored: Path, tmp_path: Path, about: dict, tensors: dict, words: str) -> None:
    path = _changed(stored, tmp_path / "wrong.safetensors", about, **tensors)
    with pytest.raises(WeightsError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_safetensors_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is no file"):
        load_model(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        load_model(tmp_path / "text.safetensors")
