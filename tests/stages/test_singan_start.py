"""The weights from which every edit's GAN begins: learnt, written, read."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from singanimation.stages.singan.fast.start import load_start, save_start
from singanimation.stages.singan.fast.start_training import StartSettings, learn_start
from singanimation.stages.singan.fast.training import FastRecipe
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.tensors import to_pictures

SMALL = StartSettings(steps=12, faces=2, recipe=FastRecipe(kernels=4, crop=12))


def _pictures() -> np.ndarray:
    values = torch.rand((6, 3, 40, 40), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return to_pictures(resize(values, 64))


def test_the_same_seed_learns_the_same_weights_and_another_seed_others() -> None:
    *_, first = learn_start(_pictures(), SMALL)
    *_, again = learn_start(_pictures(), SMALL)
    *_, other = learn_start(_pictures(), replace(SMALL, seed=1))
    for name, value in first.start[64][0].items():
        assert torch.equal(value, again.start[64][0][name]), name
    assert not torch.equal(first.start[64][0]["seen.weight"], other.start[64][0]["seen.weight"])


def test_what_was_learnt_is_written_and_read_back_in_half_precision(tmp_path: Path) -> None:
    *_, last = learn_start(_pictures(), SMALL)
    save_start(last.start, tmp_path / "start.safetensors")
    read = load_start("cpu", tmp_path / "start.safetensors")
    assert list(read) == [64]
    for states in zip(last.start[64], read[64], strict=True):
        for name, value in states[0].items():
            torch.testing.assert_close(states[1][name], value, atol=1e-3, rtol=1e-3)
            assert states[1][name].dtype == torch.float32


def test_training_goes_on_from_weights_handed_in() -> None:
    *_, last = learn_start(_pictures(), SMALL)
    frozen = FastRecipe(kernels=4, crop=12, learning_rate_from_scratch=0.0)
    begun = StartSettings(steps=1, faces=2, seed=5, recipe=frozen, init=last.start)
    (progress,) = learn_start(_pictures(), begun)
    for before, after in zip(last.start[64], progress.start[64], strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_shipped_start_serves_the_scales_of_a_crop() -> None:
    start = load_start("cpu")
    assert list(start) == [64, 128]
    sizes = [sum(value.numel() for value in state.values()) for states in start.values() for state in states]
    assert all(first == second for first, second in pairwise(sizes[::2]))
