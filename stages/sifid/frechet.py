"""The Frechet distance between two clouds of features, by eigenvalues alone."""

import numpy as np

from singanimation.pipeline.errors import UsageError


class GaussianFit:
    """Mean, covariance and its square root of one picture's features, kept to measure many others against it."""

    def __init__(self, features: np.ndarray) -> None:
        """Fit ``features`` (P, C), one row per position."""
        self.mean, self.covariance = _moments(features)
        values, vectors = np.linalg.eigh(self.covariance)
        self._root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T

    @property
    def variance(self) -> float:
        """The features' variance, summed over channels (the trace of the covariance)."""
        return float(np.trace(self.covariance))

    def distance(self, features: np.ndarray) -> float:
        """Return ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`` to the features (P', C) of another picture.

        The trace of ``(C1 C2)^(1/2)`` is the sum of the roots of the eigenvalues of the symmetric
        ``C1^(1/2) C2 C1^(1/2)`` (Heusel et al. 2017, eq. 6; Dowson & Landau 1982), so that flat pictures, whose
        covariances are singular, give numbers and not the NaN of a matrix square root.
        """
        mean, covariance = _moments(features)
        if mean.shape != self.mean.shape:
            raise UsageError(f"SIFID compares features of one kind, got {len(self.mean)} and {len(mean)} channels.")
        product = self._root @ covariance @ self._root
        shared = np.sqrt(np.clip(np.linalg.eigvalsh((product + product.T) / 2), 0, None)).sum()
        difference = self.mean - mean
        distance = difference @ difference + np.trace(self.covariance) + np.trace(covariance) - 2 * shared
        return float(max(distance, 0.0))


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Frechet distance between two sets of features (P, C) and (P', C)."""
    return GaussianFit(first).distance(second)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise UsageError(f"SIFID needs features (positions, channels) of two positions or more, got {features.shape}.")
    centred = features - features.mean(0)
    return features.mean(0), centred.T @ centred / (len(features) - 1)
