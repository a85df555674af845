"""SIFID: the Frechet distance between the spatial features of a variant and those of its edit."""

from collections.abc import Callable

import numpy as np

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.stages.sifid.filter import RELATIVE, THRESHOLDS, SifidFilter
from singanimation.stages.sifid.frechet import frechet_distance

__all__ = ["THRESHOLDS", "SifidFilter", "frechet_distance", "make_filter"]


def make_filter(
    choice: str,
    embedded: Callable[[np.ndarray], np.ndarray],
    threshold: float | None = None,
    device: str = "cpu",
) -> SifidFilter:
    """Return the filter for ``--sifid-features``: inception-64, inception-192, embedded, or auto.

    ``auto`` is inception-64 where its weights were fetched or named for this program, else ``embedded``, for which
    the features are handed in: uint8 (N, H, W, 3) -> (N, P, C). ``threshold`` overrides the stated one. Raises
    WeightsError for missing Inception weights, UsageError for an unknown choice or for one that has no threshold
    where none is given.
    """
    from singanimation.stages.sifid.inception import InceptionStem, weights_at_hand

    if choice == "auto":
        choice = "inception-64" if weights_at_hand() else "embedded"
    if choice not in THRESHOLDS:
        raise UsageError(f"--sifid-features: {choice!r} is unknown; use auto, {', '.join(THRESHOLDS)}.")
    threshold = THRESHOLDS[choice] if threshold is None else threshold
    if threshold is None:
        raise UsageError(f"--sifid-features: no threshold is known for {choice}; give one with --sifid-max.")
    try:
        features = embedded if choice == "embedded" else InceptionStem.load(int(choice.split("-")[1]), device=device)
    except WeightsError as error:
        raise WeightsError(f"--sifid-features {choice}: {error}") from None
    return SifidFilter(choice, features, threshold, relative=choice in RELATIVE)
