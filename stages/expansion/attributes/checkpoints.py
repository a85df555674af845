"""Attribute networks on disk: safetensors with the options and a short card in the metadata."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import nn

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.weights import file_sha256
from singanimation.stages.expansion.attributes.networks import AttributeNetwork
from singanimation.stages.expansion.checkpoints import fitted, read_about, write_network
from singanimation.stages.expansion.ganimation.published.reading import is_safetensors, read_state

FORMAT = "singanimation-attributes-1"


class LoadedAttributes(NamedTuple):
    """The networks ready to run, the first 16 hex digits of their file's SHA-256, and the card that came with it."""

    network: AttributeNetwork
    digest: str
    card: dict[str, str]


def save_attributes(path: Path, network: nn.Module, options: Mapping[str, object], card: Mapping[str, str]) -> None:
    """Write the networks in half precision, whole or not at all; the same ones give the same bytes.

    ``options`` are the constructor's arguments. Raises TrainingError for weights that are no numbers, MachineError.
    """
    write_network(path, network, {**card, "format": FORMAT, "options": json.dumps(dict(options), sort_keys=True)})


def load_attributes(path: Path, device: str = "cpu") -> LoadedAttributes:
    """Load what ``save_attributes`` wrote, in eval mode. Raises WeightsError for a missing, damaged or strange file."""
    state = read_state(path)
    about = read_about(path) if is_safetensors(path) else {}
    if about.get("format") != FORMAT:
        raise WeightsError(f"{path} holds no attributes; `augment train attributes --input FACES` writes such a file.")
    network = fitted(path, {**about, "architecture": "attribute"}, partial(AttributeNetwork), state)
    network.eval().requires_grad_(False).to(device)
    return LoadedAttributes(network, file_sha256(path)[:16], about)
