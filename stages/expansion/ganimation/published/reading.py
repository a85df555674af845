"""Checkpoints of unknown origin as plain tensors: nothing in them is ever run, and what they are is said plainly."""

import re
import string
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.files.untrusted import shown

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_SHORT = 512
_WRAPPERS = ("state_dict", "generator", "net_gen", "G")
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
        raise WeightsError(f"{path} does not exist; name a generator's file (.safetensors, or a published .pth).")
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
    """Return a checkpoint's tensors by name, without the ``module.`` that data-parallel training puts before them.

    Takes safetensors and PyTorch files (``weights_only``: a pickle's code is refused, not run), also with the state
    dict one level down. Raises WeightsError in one sentence for all else.
    """
    check_kind(path)
    content = _read_safetensors(path) if is_safetensors(path) or not _is_pytorch(path) else _read_pytorch(path)
    state = _state_dict(path, content)
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
    if isinstance(content, Mapping) and not any(isinstance(value, Tensor) for value in content.values()):
        inner = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None and "param_groups" in content:
            raise WeightsError(f"{path} is an optimiser's state, no generator; take the file beside it.")
        content = content if inner is None else inner
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds {_described(content)}, no state dict of a generator.")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        raise WeightsError(f"{path} holds more than tensors by name, so it is no state dict of a generator.")
    if any(value.layout != torch.strided or value.is_quantized or value.is_meta for value in content.values()):
        raise WeightsError(f"{path} holds tensors without plain values (sparse or quantised); no generator has those.")
    return dict(content)


def _described(content: Any) -> str:
    return "nothing" if content in ({}, None) else f"a {type(content).__name__}"
