"""Weights files as they are passed around: wrapped, prefixed, damaged, hostile. Each is read right, or named."""

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from published_networks import random_state

from singanimation.pipeline.errors import WeightsError
from singanimation.stages.action_units.weights import load_weights, packaged_weights
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.sifid.inception import InceptionStem

State = dict[str, Tensor]
PLAIN = random_state("P")
OPTIMISER = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
CRITIC = {"main.0.weight": torch.zeros(8, 3, 4, 4), "conv1.weight": torch.zeros(1, 8, 3, 3)}


def _prefixed(prefix: str, state: State = PLAIN) -> State:
    return {prefix + name: value for name, value in state.items()}


_KEYS = (
    *("state_dict", "model_state_dict", "model", "netG", "net_G", "gen", "generator", "G", "G_state_dict"),
    *("generator_state_dict", "network", "params", "weights", "netG_state", "g", "net_gen"),
)
_PREFIXES = (
    *("module.", "module.module.", "generator.", "G.", "netG.", "net_G.", "gen.", "_orig_mod.", "_orig_mod.module."),
    *("module._orig_mod.", "model.generator.", "net.module.", "ema_model."),
)

WRAPPED: dict[str, Any] = {
    **{f"under {key}": {key: PLAIN, "epoch": 7, "lr": 1e-4, "note": "x"} for key in _KEYS},
    **{f"before each name {prefix}": _prefixed(prefix) for prefix in _PREFIXES},
    "two levels down": {"checkpoint": {"models": {"G": PLAIN}}},
    "a critic beside it, by key": {"netG": PLAIN, "netD": CRITIC, "optG": OPTIMISER, "optD": OPTIMISER},
    "a critic beside it, by prefix": _prefixed("generator.") | _prefixed("discriminator.", CRITIC),
    "a list of states": [PLAIN, CRITIC],
    "counts among the tensors": {"epoch": 3, "best": 0.5, **PLAIN},
    "prefix and key": {"state_dict": _prefixed("module.generator.")},
    "the second implementation, wrapped": {"model": _prefixed("module.", random_state("D"))},
    "the third implementation, wrapped": {"gen": _prefixed("module.", random_state("V"))},
}

REFUSED: dict[str, tuple[Any, str]] = {
    "two generators": ({"G_A": PLAIN, "G_B": PLAIN}, "holds several generators (at G_A, G_B)"),
    "two generators by prefix": (_prefixed("a.") | _prefixed("b."), "holds several generators (a., b.)"),
    "two states, no generator": ({"x": CRITIC, "y": CRITIC}, "none with a generator's tensors (at x, y)"),
    "an optimiser": (OPTIMISER, "is an optimiser's state"),
    "keys without tensors": ({"epoch": 3, "config": {"lr": 1}}, "no tensors, only epoch, config"),
    "nothing": ({}, "holds nothing"),
    "a number": (3, "holds a int"),
    "a critic alone": ({"model": CRITIC}, "is a discriminator"),
    "another network": ({"state_dict": {"layer1.weight": torch.zeros(3)}}, "no GANimation generator that we know"),
    "nan": (
        {"model": PLAIN | {"img_reg.0.weight": torch.full_like(PLAIN["img_reg.0.weight"], float("nan"))}},
        "finite",
    ),
    "inf": (PLAIN | {"main.0.weight": torch.full_like(PLAIN["main.0.weight"], float("inf"))}, "not finite"),
    "a missing tensor": (
        {name: value for name, value in PLAIN.items() if name != "main.3.weight"},
        "lacks main.3.weight",
    ),
    "another shape": (PLAIN | {"main.3.weight": torch.zeros(2, 2)}, "has the shape (2, 2)"),
    "sparse": (PLAIN | {"main.3.weight": torch.eye(3).to_sparse()}, "sparse or quantised"),
    "too deep": ({"a": {"b": {"c": {"d": {"e": {"f": PLAIN}}}}}}, "no tensors"),
}


def test_there_are_30_weights_files() -> None:
    assert len(WRAPPED) + len(REFUSED) >= 30


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED.keys())
def test_a_wrapped_generator_is_the_plain_one(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "wrapped.pth")
    found = load_generator(tmp_path / "wrapped.pth")
    kind = {"the second": "D", "the third": "V"}
    plain = random_state(next((kind[key] for key in kind if _says(content, WRAPPED, key)), "P"))
    torch.save(plain, tmp_path / "plain.pth")
    expected = load_generator(tmp_path / "plain.pth").network.state_dict()
    assert found.network.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.network.state_dict().items())


def _says(content: Any, table: dict[str, Any], words: str) -> bool:
    return any(value is content and name.startswith(words) for name, value in table.items())


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_generator_is_named(content: Any, words: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(WeightsError) as error:
        load_generator(tmp_path / "x.pth")
    assert words in str(error.value) and "x.pth" in str(error.value) and str(error.value).isprintable()


def test_a_prefixed_generator_in_safetensors_too(tmp_path: Path) -> None:
    save_file(_prefixed("module.generator."), tmp_path / "x.safetensors")
    save_file(PLAIN, tmp_path / "plain.safetensors")
    found, plain = load_generator(tmp_path / "x.safetensors"), load_generator(tmp_path / "plain.safetensors")
    assert torch.equal(found.network.state_dict()["colour.weight"], plain.network.state_dict()["colour.weight"])


def _rewritten(source: Path, target: Path, change: Callable[[State], None]) -> Path:
    from safetensors import safe_open

    with safe_open(source, "pt") as opened:
        metadata, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    change(tensors)
    save_file(tensors, target, metadata)
    return target


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_our_own_files_with_values_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    from importlib.resources import files

    shipped = Path(str(files("singanimation.stages.expansion") / "weights" / "generator.safetensors"))

    def spoil(tensors: State) -> None:
        name = next(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.numel() > 1)
        tensors[name].view(-1)[0] = value

    with pytest.raises(WeightsError, match="not finite"):
        load_generator(_rewritten(shipped, tmp_path / "g.safetensors", spoil))
    with pytest.raises(WeightsError, match="not finite"):
        load_weights(_rewritten(packaged_weights(), tmp_path / "au.safetensors", spoil))


def test_inception_with_values_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    stem = InceptionStem.random(64)
    state = stem._network.state_dict()
    state[next(iter(state))].view(-1)[0] = float("nan")
    torch.save(state, tmp_path / "inception.pth")
    with pytest.raises(WeightsError, match="not finite"):
        InceptionStem.load(64, tmp_path / "inception.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no state dict"):
        InceptionStem.load(64, tmp_path / "list.pth")


@pytest.mark.parametrize("load", [load_generator, load_weights])
def test_deep_json_in_a_header_is_one_sentence(load: Callable[[Path], object], tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"singanimation": "[" * 50_000, "singanimation_au": "[" * 50_000}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(WeightsError):
        load(tmp_path / "x.safetensors")
