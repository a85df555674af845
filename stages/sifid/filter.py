"""The filter: which variants are near enough to the edit they were made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.stages.sifid.frechet import GaussianFit

THRESHOLDS: Mapping[str, float | None] = MappingProxyType(
    {"embedded": 2.2, "inception-64": 0.07, "inception-192": None}
)
"""The largest SIFID accepted, per feature set; None: there is none, ``--sifid-max`` must say it.

``embedded`` is calibrated on 30 faces of 128 px (benchmarks/sifid_threshold.py) as the middle between what must
pass and what must not; 5th, 50th and 95th percentile:

    bad   patches shuffled 5.0 7.4 13.7, blurred (sigma 2 px) 6.4 9.0 14.3, fast engine from N 2.8 3.4 4.7
    mild  re-encoded 0.007 0.014 0.020, 2% noise 0.015 0.019 0.028, shifted by a pixel 0.35 0.57 0.84
    fast  from N-1 1.1 1.4 1.8, from N-2 0.44 0.56 0.78

``inception-64`` is not calibrated: it is the middle of SinGAN's published 0.09 (from N) and 0.05 (from N-1) on
natural images. Nothing is published for ``inception-192``.
"""


@dataclass(frozen=True)
class SifidFilter:
    """Measures variants against their edit and accepts those at or below ``threshold``.

    ``name`` is that of the feature set and is shown wherever a SIFID is; ``features`` maps uint8
    (N, H, W, 3) to float (N, P, C), one vector per position.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    threshold: float

    def measure(self, edit: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """Return the SIFID of each of ``variants`` uint8 (K, H, W, 3) to ``edit`` uint8 (H, W, 3): float32 (K,)."""
        if len(variants) == 0:
            return np.zeros(0, np.float32)
        if edit.shape != variants.shape[1:]:
            raise UsageError(f"SIFID compares pictures of one size, got {edit.shape} and {variants.shape[1:]}.")
        fit = GaussianFit(self.features(edit[None])[0])
        return np.array([fit.distance(self.features(variant[None])[0]) for variant in variants], np.float32)

    def accepts(self, values: np.ndarray) -> np.ndarray:
        """Return bool (K,): which SIFIDs are at or below the threshold. NaN is never accepted."""
        return np.asarray(values) <= self.threshold
