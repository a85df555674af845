"""What SIFID on Inception-v3 needs, looked for before a run begins and without importing it."""

import importlib.util

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.weights import find

WEIGHTS = "inception-v3"
"""The weights' name in the registry: a state dict (.pth or .safetensors)."""

NOT_INSTALLED = (
    "SIFID on Inception needs torchvision: pip install 'singanimation[torchvision]', or use --sifid-features embedded."
)


def check_features(features: str) -> None:
    """Raise UsageError or WeightsError where ``--sifid-features`` asks for Inception and it cannot be had."""
    if not features.startswith("inception"):
        return
    if importlib.util.find_spec("torchvision") is None:
        raise UsageError(NOT_INSTALLED)
    find(WEIGHTS)
