"""The embedded weights on disk: one safetensors file for both networks, half precision, with its recipe."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import shown
from singanimation.stages.action_units.network import AlignerNetwork, AUNetwork

FORMAT = "singanimation-action-units"
VERSION = "1"
_METADATA = "singanimation"
_IN_FULL = ("running_mean", "running_var", "mean_shape")
_IN_BYTES = "shape_basis"
"""The landmarks' principal components are stored as bytes with a scale for each: 92 kB less, 0.4% of a component."""


@dataclass(frozen=True)
class EmbeddedWeights:
    """Both networks, in eval mode and without gradients; ``digest``: 16 hex digits of the file's SHA-256.

    ``aligner`` is None where the file holds only an AU network; ``recipe``: the settings of the training.
    """

    action_units: AUNetwork
    aligner: AlignerNetwork | None
    recipe: Mapping[str, object]
    digest: str


def packaged_weights() -> Path:
    """Return the path of the weights that ship with the package."""
    place = resources.files("singanimation.stages.action_units") / "weights" / "embedded.safetensors"
    return Path(str(place))


def _packed(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    tensors = {}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith(_IN_BYTES):
            scale = value.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            tensors[f"{prefix}.{name}.scale"] = scale.cpu()
            value = (value / scale).round().to(torch.int8)
        elif not value.is_floating_point():
            value = value.to(torch.int16)
        elif not name.endswith(_IN_FULL):
            value = value.half()
        tensors[f"{prefix}.{name}"] = value.detach().cpu().contiguous()
    return tensors


def write_weights(
    path: Path, action_units: AUNetwork, aligner: AlignerNetwork | None, recipe: Mapping[str, object]
) -> str:
    """Write both networks to a safetensors file and return its digest (16 hex digits).

    ``recipe`` (``TrainSettings.recipe()``) goes into the metadata, with its own digest. The same tensors and
    recipe give the same bytes. Raises WeightsError when a weight does not fit half precision, MachineError for the
    disk.
    """
    tensors = _packed(action_units, "action_units")
    if aligner is not None:
        tensors |= _packed(aligner, "aligner")
    unfit = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if unfit:
        raise WeightsError(f"the weights {', '.join(unfit)} are not finite in half precision; nothing was written.")
    written = json.dumps(recipe, sort_keys=True)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "recipe": recipe,
        "recipe_sha256": hashlib.sha256(written.encode()).hexdigest(),
    }
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {_METADATA: json.dumps(about, sort_keys=True)}
    with atomic_file(path) as file:
        file.write(save(tensors, metadata))  # save_file's own files only their owner may read
    return file_digest(path)


class HasRecipe(Protocol):
    """Settings that can name what decides the weights."""

    def recipe(self) -> dict[str, object]:
        """Return plain values by name."""
        ...


class Trained(Protocol):
    """A training's outcome, such as ``training.Session``: networks by phase, and the settings behind them."""

    @property
    def averages(self) -> Mapping[str, nn.Module]:
        """The networks by phase: ``action_units`` an AUNetwork, ``aligner`` an AlignerNetwork."""
        ...

    @property
    def settings(self) -> HasRecipe:
        """What the training was told."""
        ...


def save_weights(trained: Trained, path: Path) -> str:
    """Write a training's networks as ``write_weights`` does and return the file's digest.

    Raises TrainingError when no AU network was trained; without an aligner the file holds the AU network alone.
    """
    if "action_units" not in trained.averages:
        raise TrainingError("this training made no AU network, so there are no weights to save.")
    action_units = cast(AUNetwork, trained.averages["action_units"])
    aligner = cast(AlignerNetwork | None, trained.averages.get("aligner"))
    return write_weights(path, action_units, aligner, trained.settings.recipe())


def file_digest(path: Path) -> str:
    """Return the first 16 hex digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _fill(network: nn.Module, tensors: Mapping[str, Tensor], prefix: str, path: Path) -> None:
    wanted = network.state_dict()
    state = {}
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            state[name] = value
            continue
        stored = tensors.get(f"{prefix}.{name}")
        if stored is None or stored.shape != value.shape:
            raise WeightsError(f"{path} has no tensor {prefix}.{name} of shape {tuple(value.shape)}; it is damaged.")
        state[name] = stored.to(value.dtype)
        if name.endswith(_IN_BYTES):
            scale = tensors.get(f"{prefix}.{name}.scale")
            if scale is None or scale.shape != (len(value), 1):
                raise WeightsError(f"{path} has no scale for its tensor {prefix}.{name}; it is damaged.")
            state[name] *= scale
        if state[name].is_floating_point() and not state[name].isfinite().all():
            raise WeightsError(f"{path} has values in {prefix}.{name} that are not finite; it is damaged.")
    network.load_state_dict(state)
    network.eval().requires_grad_(False)


def load_weights(path: Path | None = None, device: str | torch.device = "cpu") -> EmbeddedWeights:
    """Read weights that ``write_weights`` wrote; the packaged ones by default.

    Raises WeightsError when the file is missing, no safetensors, or not of this kind and version.
    """
    path = packaged_weights() if path is None else path
    if not path.is_file():
        raise WeightsError(f"{path} is no file; reinstall the package, or train one with `augment train au`.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({shown(error)}).") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT or about.get("version") != VERSION:
        raise WeightsError(f"{path} is no weights file of the embedded AU estimator, version {VERSION}.")
    action_units, aligner = AUNetwork(), None
    _fill(action_units, tensors, "action_units", path)
    if any(name.startswith("aligner.") for name in tensors):
        aligner = AlignerNetwork()
        _fill(aligner, tensors, "aligner", path)
        aligner.to(device).to(memory_format=torch.channels_last)
    action_units.to(device).to(memory_format=torch.channels_last)
    return EmbeddedWeights(action_units, aligner, about.get("recipe", {}), file_digest(path))


def load_network(device: str | torch.device = "cpu", path: Path | None = None) -> AUNetwork:
    """Return the AU network as a torch module: frozen, in eval mode, differentiable in its input.

    ``network(pictures)`` takes float (N, 3, 128, 128) in -1..1 and returns action units (N, 17) in 0..1 and
    landmarks (N, 478, 2) in pixels; with ``features=True`` also the list of feature maps.
    """
    return load_weights(path, device).action_units
