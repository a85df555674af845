"""The filter: which variants are near enough to the edit they were made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.stages.sifid.frechet import GaussianFit

THRESHOLDS: Mapping[str, float | None] = MappingProxyType(
    {"embedded": 0.035, "inception-64": 0.07, "inception-192": None}
)
"""The largest SIFID accepted, per feature set; None: there is none, ``--sifid-max`` must say it.

``embedded`` is set by benchmarks/sifid_threshold.py on 12 edited faces of 128 px (``fast`` of three): all known-bad lie
far above it, so it is as low as ``fast`` allows, of which it rejects 0 to 3%; of what ``fast`` draws after one
iteration, dull and not broken, it rejects 20 to 45%. The 5th, 50th and 95th percentile:

    bad   patches shuffled 0.104 0.180 0.386, blurred (sigma 2 px) 0.207 0.268 0.309, fast from N 0.098 0.136 0.636
    mild  re-encoded 0.0003 0.0005 0.0012, 2% noise 0.0004 0.0006 0.0010, shifted by a pixel 0.011 0.017 0.026
    fast  from N-1 0.011 0.019 0.030, from N-2 0.014 0.018 0.023, untrained from N-1 0.029 0.037 0.048

``inception-64`` is not calibrated: it is the middle of SinGAN's published 0.09 (from N) and 0.05 (from N-1) on
natural images. Nothing is published for ``inception-192``.
"""


RELATIVE = frozenset({"embedded"})
"""Feature sets whose SIFID is relative to the edit's own feature variance; Inception's is as published."""

FLAT = 1e-6


@dataclass(frozen=True)
class SifidFilter:
    """Measures variants against their edit and accepts those at or below ``threshold``.

    ``name`` is that of the feature set and is shown wherever a SIFID is; ``features`` maps uint8
    (N, H, W, 3) to float (N, P, C), one vector per position. ``relative`` divides the features by the root of the
    edit's own feature variance (the distance by that variance): 0 is the same, 1 as far as a flat picture of the
    edit's mean features. Strongly textured faces have several times the distances of smooth ones otherwise.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    threshold: float
    relative: bool = False

    def measure(self, edit: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """Return the SIFID of each of ``variants`` uint8 (K, H, W, 3) to ``edit`` uint8 (H, W, 3): float32 (K,)."""
        if len(variants) == 0:
            return np.zeros(0, np.float32)
        if edit.shape != variants.shape[1:]:
            raise UsageError(f"SIFID compares pictures of one size, got {edit.shape} and {variants.shape[1:]}.")
        fit = GaussianFit(self.features(edit[None])[0])
        unit = max(fit.variance, FLAT) if self.relative else 1.0
        return np.array([fit.distance(self.features(variant[None])[0]) / unit for variant in variants], np.float32)

    def accepts(self, values: np.ndarray) -> np.ndarray:
        """Return bool (K,): which SIFIDs are at or below the threshold. NaN is never accepted."""
        return np.asarray(values) <= self.threshold
