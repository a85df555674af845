"""A training of a generator on disk: what Ctrl-C, a kill and other options do to it. The network is a single number."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from singanimation.flows.commands.train_ganimation import _gains_from_bfloat16
from singanimation.flows.interrupts import hold_interrupt
from singanimation.flows.training import run as training_run
from singanimation.flows.training.checkpoint import hold_training, load_checkpoint, save_checkpoint, training_terms
from singanimation.flows.training.faces import PreparedFaces
from singanimation.flows.training.run import run_training
from singanimation.pipeline.errors import MachineError, OutputError, UsageError, WeightsError
from singanimation.stages.expansion.training.loop import Progress, TrainingFaces
from singanimation.stages.expansion.training.settings import TrainSettings

SETTINGS = TrainSettings(steps=5, batch_size=2, seed=4)


def faces(count: int = 8) -> PreparedFaces:
    train = TrainingFaces(np.zeros((count, 160, 160, 3), np.uint8), np.zeros((count, 478, 2)), np.zeros((count, 17)))
    return PreparedFaces(train, np.zeros((1, 128, 128, 3), np.uint8), "embedded")


class _Walk:
    """Adds a random number to its only weight at each step."""

    options: dict[str, Any] = {}

    def __init__(self) -> None:
        self.generator = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.generator.weight)

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        with torch.no_grad():
            self.generator.weight += torch.rand(1, 1, generator=random)
        return {"attention": 0.5}

    def state_dict(self) -> dict[str, Any]:
        return self.generator.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.generator.load_state_dict(state)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps at which the generator and its sheet were written."""
    steps: list[int] = []
    monkeypatch.setattr(training_run, "_objective", lambda settings, faces: _Walk())
    monkeypatch.setattr(training_run, "_write_outputs", lambda *given: steps.append(given[-1].step))
    return steps


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> Iterator[None]:
    """As at a terminal: a shell that starts the tests in the background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def weight(progress: Progress) -> float:
    return float(progress.generator.state_dict()["weight"])


def test_ctrl_c_ends_the_step_saves_it_and_the_next_start_goes_on_there(tmp_path: Path, written: list[int]) -> None:
    *_, whole = run_training(SETTINGS, faces(), tmp_path / "whole.safetensors")
    assert written == [5]
    handler = signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(KeyboardInterrupt):
        for progress in run_training(SETTINGS, faces(), tmp_path / "g.safetensors"):
            done.append(progress.step)
            if progress.step == 2:
                signal.raise_signal(signal.SIGINT)
    assert done == [1, 2] and signal.getsignal(signal.SIGINT) is handler
    rest = list(run_training(SETTINGS, faces(), tmp_path / "g.safetensors"))
    assert [progress.step for progress in rest] == [3, 4, 5]
    assert weight(rest[-1]) == weight(whole)


def test_a_training_with_several_learning_rates_names_them_all(tmp_path: Path, written: list[int]) -> None:
    output = tmp_path / "g.safetensors"
    first: Any = run_training(SETTINGS, faces(), output, minutes=0)
    for _ in range(3):  # the third step is asked for when the second is saved
        next(first)
    first.close()
    slower = replace(SETTINGS, learning_rate=SETTINGS.learning_rate / 2)
    assert next(run_training(slower, faces(), output, minutes=0)).step == 3
    list(run_training(slower, faces(), output, minutes=0))
    rates = torch.load(output.with_suffix(".checkpoint.pt"), weights_only=True)["rates"]
    assert rates == [[0, SETTINGS.learning_rate], [2, slower.learning_rate]]


def test_two_trainings_never_share_an_output(tmp_path: Path) -> None:
    output = tmp_path / "g.safetensors"
    with hold_training(output):
        with pytest.raises(OutputError, match="is being trained by another process"), hold_training(output):
            pass
        with hold_training(tmp_path / "h.safetensors"):
            pass
    with hold_training(output):
        pass


def test_a_second_ctrl_c_interrupts_at_once_and_who_ignores_it_and_other_threads_are_left_alone() -> None:
    with hold_interrupt() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hold_interrupt() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert not interrupted()
    answers = []

    def elsewhere() -> None:
        with hold_interrupt() as interrupted:
            answers.append(interrupted())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert answers == [False]


def test_a_training_is_done_only_when_its_generator_is_written(
    tmp_path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise MachineError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(MachineError):
        patch.setattr(training_run, "_write_outputs", full)
        list(run_training(SETTINGS, faces(), tmp_path / "g.safetensors"))
    assert [progress.step for progress in run_training(SETTINGS, faces(), tmp_path / "g.safetensors")][-1] == 5
    assert written == [5]
    with pytest.raises(UsageError, match="all 5 steps are done"):
        next(run_training(SETTINGS, faces(), tmp_path / "g.safetensors"))


def test_a_full_disk_leaves_the_former_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, same = tmp_path / "g.checkpoint.pt", training_terms(SETTINGS, faces(), "pictures")
    save_checkpoint(path, {"step": 1}, same)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="the disk is full"):
        save_checkpoint(path, {"step": 2}, same)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def changes() -> Iterator[Any]:
    for name, value in (("adversarial", 0.1), ("regression", 2.0), ("init", Path("other.safetensors")), ("seed", 5)):
        yield pytest.param(replace(SETTINGS, **{name: value}), faces(), "pictures", name, id=name)
    yield pytest.param(SETTINGS, faces(9), "pictures", "faces 8 of pictures .now 9 of pictures", id="more faces")
    yield pytest.param(SETTINGS, faces(), "others", "faces 8 of pictures .now 8 of others", id="other faces")


@pytest.mark.parametrize(("settings", "data", "name", "words"), list(changes()))
def test_what_would_change_the_result_is_not_resumed(
    settings: TrainSettings, data: PreparedFaces, name: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "g.checkpoint.pt"
    save_checkpoint(path, {"step": 1}, training_terms(SETTINGS, faces(), "some/pictures"))
    assert (
        load_checkpoint(path, training_terms(replace(SETTINGS, learning_rate=1e-5), faces(), "pictures"))["step"] == 1
    )
    with pytest.raises(UsageError, match=f"of a training with {words}.*--no-resume"):
        load_checkpoint(path, training_terms(settings, data, name))


@pytest.mark.parametrize("content", [[1, 2], {"step": 1, "phase": "aligner"}, {"step": "x", "settings": {}}, None])
def test_a_file_that_is_no_such_checkpoint_is_refused_in_a_sentence(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "g.checkpoint.pt"
    torch.save(content, path)
    if content is None:
        path.write_bytes(b"")
    with pytest.raises(WeightsError, match="g.checkpoint.pt cannot be resumed from .*delete it or give --no-resume"):
        load_checkpoint(path, training_terms(SETTINGS, faces(), ""))


@pytest.mark.parametrize(
    ("capabilities", "gains"), [({"amx_bf16": True}, True), ({"amx_bf16": False}, False), ({}, False)]
)
def test_bfloat16_is_the_default_where_the_cpu_gains_from_it(
    capabilities: dict[str, bool], gains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert _gains_from_bfloat16("cpu") is gains


def test_a_torch_that_does_not_tell_counts_as_no_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert _gains_from_bfloat16("cpu") is False
