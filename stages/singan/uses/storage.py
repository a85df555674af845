"""A model of one picture as a file: safetensors, with the picture, the settings and a digest. Nothing in it runs."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import shown
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.reference.pyramid import ReferenceScale
from singanimation.stages.singan.reference.scale import ScaleTraining, make_networks
from singanimation.stages.singan.uses.model import ModelSettings, PictureModel

FORMAT, VERSION = "singanimation-picture-model", 1
_METADATA = "singanimation"
_GOING = "going."
"""Names of the state of the scale that is being trained begin so."""


def save_model(model: PictureModel, path: Path) -> str:
    """Write a model, trained to its end or stopped anywhere, and return the digest of its tensors (16 hex digits).

    The picture at the size that was learnt is in the file. The critic is kept only where training is to go on.
    The same model gives the same bytes. Raises MachineError for the disk.
    """
    tensors = _tensors(model)
    digest = _digest(tensors)
    about = {"format": FORMAT, "version": VERSION, "settings": model.settings.as_dict(), "digest": digest}
    with atomic_file(path) as file:  # one entry: safetensors writes several in an order that changes
        file.write(save(tensors, {_METADATA: json.dumps(about, sort_keys=True)}))
    return digest


def load_model(path: Path, device: str = "cpu") -> PictureModel:
    """Read what ``save_model`` wrote. Raises WeightsError for a file that is missing, damaged or of another kind."""
    if not path.is_file():
        raise WeightsError(f"{path} is no file; `augment singan train PICTURE --output {path}` makes one.")
    about, tensors = _read(path)
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise WeightsError(f"{path} is no model of one picture, version {VERSION}, of `augment singan train`.")
    if about.get("digest") != _digest(tensors):
        raise WeightsError(f"{path} is damaged: its tensors are not those that its digest was taken of.")
    picture = tensors.get("picture")
    try:
        settings = ModelSettings(**about["settings"])
        model = PictureModel(np.array([]) if picture is None else picture.numpy(), settings, device)
    except (UsageError, TypeError, KeyError) as error:
        raise WeightsError(f"{path} does not say what it was trained on ({shown(error)}).") from None
    _fill(model, tensors, path)
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({shown(error)}).") from error
    return (about if isinstance(about, dict) else {}), tensors


def _tensors(model: PictureModel) -> dict[str, torch.Tensor]:
    tensors = {"picture": torch.from_numpy(np.ascontiguousarray(model.picture))}
    if model.pyramid.optimal_noise is not None:
        tensors["optimal_noise"] = model.pyramid.optimal_noise
    if model.going is not None:
        tensors |= {f"{_GOING}{name}": value for name, value in model.going.state().items()}
    last = max(model.pyramid.scales, default=-1)
    for number, scale in model.pyramid.scales.items():
        tensors[f"{number}.sigma"] = scale.noise
        parts: dict[str, nn.Module] = {"generator": scale.generator}
        if number == last and not model.complete:  # the next scale may begin from it
            parts["critic"] = scale.critic
        for part, network in parts.items():
            tensors |= {f"{number}.{part}.{name}": value for name, value in network.state_dict().items()}
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        found.update(f"{name}:{value.dtype}:{tuple(value.shape)}:".encode())
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _fill(model: PictureModel, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    pyramid, recipe = model.pyramid, model.settings.recipe()
    pyramid.optimal_noise = None
    if "optimal_noise" in tensors:
        pyramid.optimal_noise = _checked(tensors, "optimal_noise", (1, 3, *pyramid.shape(0)), path).to(model.like)
    trained = [number for number in range(pyramid.first, model.scales) if f"{number}.sigma" in tensors]
    for number in trained:
        sigma = _checked(tensors, f"{number}.sigma", (1,), path).to(model.like)
        networks = make_networks(pyramid, number, recipe, EditRandomness([0], "replaced", model.like))
        for part, network in zip(("generator", "critic"), networks, strict=True):
            if part == "generator" or (number == trained[-1] and number != model.scales - 1):
                _fill_network(network, tensors, f"{number}.{part}.", path)
            network.eval().requires_grad_(False)
        pyramid.scales[number] = ReferenceScale(*networks, sigma)
    if f"{_GOING}iteration" in tensors and not model.complete:
        _take_up(model, tensors, path)


def _take_up(model: PictureModel, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Go on with the scale that was being trained. Raises WeightsError for a state that is not of this model."""
    pyramid = model.pyramid
    going = ScaleTraining(pyramid, pyramid.first + len(pyramid.scales), model.settings.recipe())
    state = {name: _checked(tensors, _GOING + name, tuple(value.shape), path) for name, value in going.state().items()}
    try:
        going.load_state(state)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} holds no state of a training ({shown(error)}); it is damaged.") from None
    model.going = going


def _fill_network(network: nn.Module, tensors: Mapping[str, torch.Tensor], prefix: str, path: Path) -> None:
    state = {
        name: _checked(tensors, prefix + name, tuple(value.shape), path) for name, value in network.state_dict().items()
    }
    network.load_state_dict(state)


def _checked(tensors: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...], path: Path) -> torch.Tensor:
    value = tensors.get(name)
    if value is None or tuple(value.shape) != shape:
        raise WeightsError(f"{path} has no tensor {name} of shape {shape}; it is damaged.")
    if value.is_floating_point() and not value.isfinite().all():
        raise WeightsError(f"{path} has values in {name} that are not finite; it is damaged.")
    return value
