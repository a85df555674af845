"""Generators on disk: safetensors with the architecture and a short card in the metadata."""

import json
from collections.abc import Callable, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.weights import file_sha256
from singanimation.stages.expansion.composition import Generator
from singanimation.stages.expansion.expander import ARCHITECTURES
from singanimation.stages.expansion.ganimation.published.mapping import convert
from singanimation.stages.expansion.ganimation.published.reading import is_safetensors, read_state

FORMAT = "singanimation-ganimation-1"
_METADATA = "singanimation"

_Network = TypeVar("_Network", bound=nn.Module)


class LoadedGenerator(NamedTuple):
    """A generator ready to run, the first 16 hex digits of its file's SHA-256, and the card that came with it."""

    network: Generator
    digest: str
    card: dict[str, str]


def save_generator(
    path: Path,
    network: nn.Module,
    options: Mapping[str, object],
    card: Mapping[str, str],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write ``network``'s weights as safetensors of ``dtype`` to ``path``, whole or not at all.

    ``options`` are the constructor's arguments; ``card`` is free text (recipe, command, data, licences). The same
    network, options and card give the same bytes. Raises TrainingError for weights that are no numbers in ``dtype``,
    MachineError for the disk.
    """
    name = next((key for key, kind in ARCHITECTURES.items() if type(network) is kind()), None)
    if name is None:
        raise WeightsError(f"{type(network).__name__} is no generator that can be saved.")
    about = {**card, "format": FORMAT, "architecture": name, "options": json.dumps(dict(options), sort_keys=True)}
    write_network(path, network, about, dtype)


def write_network(path: Path, network: nn.Module, about: Mapping[str, str], dtype: torch.dtype = torch.float16) -> None:
    """Write weights of ``dtype`` with what the file says ``about`` itself. Raises TrainingError, MachineError."""
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {_METADATA: json.dumps(dict(about), sort_keys=True)}
    weights = {key: _stored(value, dtype) for key, value in network.state_dict().items()}
    unfit = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if unfit:
        raise TrainingError(f"The generator's {unfit[0]} is no number any more; {path} was not written.")
    with atomic_file(path) as file:
        file.write(save(weights, metadata))  # save_file's own files only their owner may read


def load_generator(path: Path | None = None, device: str = "cpu") -> LoadedGenerator:
    """Load ``path``, or the generator that ships with the package, in eval mode on ``device``.

    Takes our own files, and checkpoints of the published implementations (see ``published.mapping``) as they are.
    Raises WeightsError when the file is missing, damaged, or neither.
    """
    if path is None:
        with as_file(files("singanimation.stages.expansion") / "weights" / "generator.safetensors") as shipped:
            return _load(shipped, device)
    return _load(path, device)


def _load(path: Path, device: str) -> LoadedGenerator:
    state = read_state(path)
    about = read_about(path) if is_safetensors(path) else {}
    if about:
        network = _build(path, about, state)
    else:
        converted = convert(state, path)
        network, about = converted.network, {"implementation": converted.implementation.name}
    network.eval().requires_grad_(False).to(device)
    digest = file_sha256(path)[:16]
    return LoadedGenerator(network, digest, about)


def _build(path: Path, about: Mapping[str, str], state: Mapping[str, Tensor]) -> Generator:
    find_kind = ARCHITECTURES.get(str(about.get("architecture")))
    if about.get("format") != FORMAT or find_kind is None:
        raise WeightsError(f"{path} is a safetensors file, but not a generator written by `augment train ganimation`.")
    return fitted(path, about, find_kind(), state)


def fitted(
    path: Path, about: Mapping[str, str], kind: Callable[..., _Network], state: Mapping[str, Tensor]
) -> _Network:
    """Return the network of a file of ours with its weights: ``kind`` builds it from the file's own options.

    Raises WeightsError where they do not fit each other, before anything large is allocated.
    """
    weights = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    try:
        options = dict(json.loads(about["options"]))
        # even without weights, so many modules would fill the memory
        if max(options.get(name, 0) for name in ("blocks", "fine_blocks")) > len(weights):
            raise ValueError("it claims more blocks than it has tensors")
        with torch.device("meta"):  # shapes alone: nothing is allocated before the weights are known to fit
            wanted = {key: value.shape for key, value in kind(**options).state_dict().items()}
        unfit = sorted(key for key in wanted.keys() | weights.keys() if wanted.get(key) != _shape(weights.get(key)))
        if unfit:
            raise ValueError(f"{shown(unfit[0])} is missing, unknown or of another shape")
        numbers = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
        if numbers:
            raise ValueError(f"{shown(numbers[0])} has values that are not finite; the file is damaged")
        network = kind(**options)
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = shown(error)
        raise WeightsError(f"{path} does not fit the {about.get('architecture')} generator: {reason}") from None
    return network


def read_about(path: Path) -> dict[str, str]:
    """Return what a safetensors file of ours says of itself, empty for one of others. Raises WeightsError."""
    with safe_open(path, "pt") as opened:
        metadata = dict(opened.metadata() or {})
    if _METADATA not in metadata:
        return metadata if "architecture" in metadata else {}  # files of earlier versions: one entry a word
    try:
        about = json.loads(metadata[_METADATA])
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise WeightsError(f"{path} has a card that cannot be read; is it one of ours?")
    return about


def _shape(value: Tensor | None) -> torch.Size | None:
    return None if value is None else value.shape


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu()
    return (value.to(dtype) if value.is_floating_point() else value).contiguous()
