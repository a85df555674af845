"""Generators on disk: safetensors with the architecture and a short card in the metadata."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from singanimation.pipeline.errors import WeightsError
from singanimation.stages.ganimation.geometry_generator import GeometryGenerator
from singanimation.stages.ganimation.networks import PaperGenerator

FORMAT = "singanimation-ganimation-1"
_ARCHITECTURES: Mapping[str, type[nn.Module]] = {"geometry": GeometryGenerator, "paper": PaperGenerator}


class LoadedGenerator(NamedTuple):
    """A generator ready to run, the first 16 hex digits of its file's SHA-256, and the card that came with it."""

    network: nn.Module
    digest: str
    card: dict[str, str]


def save_generator(path: Path, network: nn.Module, options: Mapping[str, object], card: Mapping[str, str]) -> None:
    """Write ``network``'s weights as float16 safetensors to ``path`` (temporary name, then renamed).

    ``options`` are the constructor's arguments; ``card`` is free text (recipe, command, data, licences).
    """
    name = next((key for key, kind in _ARCHITECTURES.items() if isinstance(network, kind)), None)
    if name is None:
        raise WeightsError(f"{type(network).__name__} is no generator that can be saved.")
    weights = {key: value.detach().to("cpu", torch.float16).contiguous() for key, value in network.state_dict().items()}
    metadata = {"format": FORMAT, "architecture": name, "options": json.dumps(dict(options)), **card}
    temporary = path.with_name(path.name + ".tmp")
    save_file(weights, temporary, metadata=metadata)
    temporary.replace(path)


def load_generator(path: Path | None = None, device: str = "cpu") -> LoadedGenerator:
    """Load ``path``, or the generator that ships with the package, in eval mode on ``device``.

    Raises WeightsError when the file is missing, damaged, or not one of ours.
    """
    if path is None:
        with as_file(files("singanimation.stages.ganimation") / "weights" / "generator.safetensors") as shipped:
            return _load(shipped, device)
    return _load(path, device)


def _load(path: Path, device: str) -> LoadedGenerator:
    if not path.is_file():
        raise WeightsError(f"The generator {path} does not exist; give --ganimation a .safetensors file.")
    try:
        with safe_open(path, "pt") as opened:
            metadata = dict(opened.metadata() or {})
            weights = {key: opened.get_tensor(key).float() for key in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{path} is no readable safetensors file ({error}); is it complete?") from None
    kind = _ARCHITECTURES.get(metadata.get("architecture", ""))
    if metadata.get("format") != FORMAT or kind is None:
        raise WeightsError(f"{path} is a safetensors file, but not a generator written by `augment train ganimation`.")
    try:
        network = kind(**json.loads(metadata["options"]))
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} does not fit the {metadata['architecture']} generator: {reason}") from None
    network.eval().requires_grad_(False).to(device)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return LoadedGenerator(network, digest, metadata)
