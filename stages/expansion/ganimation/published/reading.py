"""Checkpoints of unknown origin as plain tensors: nothing in them is ever run, and what they are is said plainly."""

import re
import string
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.files.untrusted import shown

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_SHORT = 512
_DEEPEST = 4
_MOST_NAMED = 6
# What ends the name of a generator's colour head, in all published implementations: whatever stands before it is a
# wrapper's prefix (`module.`, `_orig_mod.`, `generator.`, `netG.`, ...).
_HEADS = ("img_reg.0.weight", "im_reg.0.weight", "color_top.0.weight")
_PRINTABLE = frozenset(string.printable.encode())
_GLOBAL = re.compile(r"GLOBAL (\S+)")


def is_safetensors(path: Path) -> bool:
    """Tell by its first bytes whether a file claims to be safetensors: a length, then a JSON object."""
    with path.open("rb") as file:
        begin = file.read(9)
    return begin[8:9] == b"{" and not begin.startswith(_ZIP)


def check_kind(path: Path) -> None:
    """Raise WeightsError for what is no checkpoint at all: nothing, a folder, a text, a web page, a pointer."""
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; name the checkpoint file in it.")
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; name a file of weights (.safetensors, or a published .pth).")
    try:
        with path.open("rb") as file:
            begin = file.read(_SHORT)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error
    if not begin:
        raise WeightsError(f"{path} is an empty file.")
    if begin.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` where it came from.")
    if begin.lstrip()[:9].lower() in (b"<!doctype", b"<html") or begin.lstrip()[:5].lower() == b"<html":
        raise WeightsError(f"{path} is a web page, no checkpoint; drives often answer with a page to click through.")
    if set(begin) <= _PRINTABLE:
        raise WeightsError(f"{path} is a text file, no checkpoint.")


def read_state(path: Path) -> dict[str, Tensor]:
    """Return a checkpoint's tensors by name, without what wrappers put before them (``module.``, ``generator.``).

    Takes safetensors and PyTorch files (``weights_only``: a pickle's code is refused, not run), also with the state
    dict some levels down, or with a discriminator beside it. Raises WeightsError in one sentence for all else.
    """
    check_kind(path)
    content = _read_safetensors(path) if is_safetensors(path) or not _is_pytorch(path) else _read_pytorch(path)
    state = _state_dict(path, content)
    prefixes = _head_prefixes(state)
    if len(prefixes) > 1:
        named = shown(", ".join(prefix or "no prefix" for prefix in prefixes))
        raise WeightsError(f"{path} holds several generators ({named}); save the one that is wanted alone.")
    if prefixes:
        return {name[len(prefixes[0]) :]: value for name, value in state.items() if name.startswith(prefixes[0])}
    return {name.removeprefix("module."): value for name, value in state.items()}


def _is_pytorch(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith((_ZIP, _PICKLE))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is no readable safetensors file ({shown(error)}); is it complete?") from None


def _read_pytorch(path: Path) -> Any:
    try:
        _refuse_bombs(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange pickles: what they lead to is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # strange bytes make PyTorch's reader fail in many ways, all of them the file's fault
        text = str(error)
        code = _GLOBAL.search(text)
        if code:
            raise WeightsError(
                f"{path} holds code ({shown(code.group(1))}), which was not run; ask for a plain state dict, or "
                "save one where you trust the file."
            ) from None
        reason = shown(text.partition("\n")[0].partition(". ")[0]).rstrip(".") or type(error).__name__
        raise WeightsError(
            f"{path} is no readable safetensors file and no PyTorch checkpoint ({reason}); is it complete?"
        ) from None


def _refuse_bombs(path: Path) -> None:
    """PyTorch stores without compression: an archive that unpacks to much more than itself is no checkpoint."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size:
        raise WeightsError(f"{path} is compressed, which PyTorch's checkpoints are not; it was not unpacked.")


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the tensors of the generator in what a file holds, however it is wrapped."""
    if isinstance(content, Mapping) and "param_groups" in content:
        raise WeightsError(f"{path} is an optimiser's state, no generator; take the file beside it.")
    found = list(_tables(content, ""))
    if not found:
        raise WeightsError(f"{path} holds {_described(content)}, no state dict of a generator.")
    generators = [(name, state) for name, state in found if _head_prefixes(state)]
    chosen = generators or found
    if len(chosen) > 1:
        named = shown(", ".join(name or "the top" for name, _ in chosen[:_MOST_NAMED]))
        kind = "several generators" if generators else "several state dicts, none with a generator's tensors"
        raise WeightsError(f"{path} holds {kind} (at {named}); save the one that is wanted alone.")
    state = chosen[0][1]
    if any(value.layout != torch.strided or value.is_quantized or value.is_meta for value in state.values()):
        raise WeightsError(f"{path} holds tensors without plain values (sparse or quantised); no generator has those.")
    return state


def _tables(content: Any, place: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield (where, tensors by name) of each state dict in nested dicts and lists, the outermost first.

    Counts, settings and optimisers' states beside them are passed over.
    """
    if isinstance(content, list | tuple):
        content = {str(index): value for index, value in enumerate(content)}
    if not isinstance(content, Mapping) or depth > _DEEPEST or "param_groups" in content:
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield place, tensors
        return
    for name, value in content.items():
        yield from _tables(value, f"{place}.{name}".lstrip("."), depth + 1)


def _head_prefixes(state: Mapping[str, Tensor]) -> list[str]:
    """Return what stands before a generator's colour head, once for each generator among the tensors."""
    found = {name.removesuffix(head) for name in state for head in _HEADS if name.endswith(head)}
    # vipermu's duplicates (debug1 to debug4) are its trunk's alone, so that no head is among them
    return sorted(prefix for prefix in found if not prefix or prefix.endswith("."))


def _described(content: Any) -> str:
    if isinstance(content, Mapping) and content:
        return f"no tensors, only {shown(', '.join(map(str, list(content)[:_MOST_NAMED])))}"
    return "nothing" if content in ({}, None) else f"a {type(content).__name__}"
