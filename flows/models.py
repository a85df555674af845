"""The models one worker uses, loaded once per process. The rest of the flow sees only this bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from singanimation.pipeline.records import Crop, Source


class Editor(Protocol):
    """GANimation: edits of one crop."""

    digest: str

    def edit(self, crop: np.ndarray, au_source: np.ndarray, au_targets: np.ndarray) -> Any:
        """Return an object with ``pictures`` uint8 (K, 128, 128, 3)."""


class Regenerator(Protocol):
    """SinGAN: fitted to the edits of one source (a gan_batch), then drawn from."""

    def fit(
        self, edits: np.ndarray, seeds: Sequence[int], starts: Sequence[str], wanted: Sequence[int] | None = None
    ) -> Any:
        """Return an object with ``draw(index, start, seeds) -> uint8 (K, H, W, 3)`` for the ``wanted`` edits."""


class Filter(Protocol):
    """SIFID: measures variants against their edit, and judges the distances."""

    name: str
    threshold: float

    def measure(self, edit: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """Return float32 (K,) distances."""

    def accepts(self, values: np.ndarray) -> np.ndarray:
        """Return bool (K,)."""


@dataclass(frozen=True)
class Fingerprint:
    """What identifies the models in a row: weights' digests, and the filter with its threshold."""

    editor: str
    estimator: str
    estimator_digest: str
    sifid_name: str
    sifid_threshold: float

    def resolved(self) -> dict[str, str]:
        """Return what stands in the pixel digest for the models."""
        return {"editor": self.editor, "estimator": self.estimator_digest}


@dataclass(frozen=True)
class Models:
    """Everything one source needs. Callables, so that tests bring small ones of their own.

    ``find_face(pixels, source) -> Crop`` raises PictureError; ``paste(pixels, crop, new) -> uint8 (H, W, 3)``;
    ``cut(pixels, matrix) -> uint8 (128, 128, 3)``; ``action_units(crops (N, 128, 128, 3)) -> float32 (N, 17)``.
    """

    find_face: Callable[[np.ndarray, Source], Crop]
    cut: Callable[[np.ndarray, np.ndarray], np.ndarray]
    paste: Callable[[np.ndarray, Crop, np.ndarray], np.ndarray]
    action_units: Callable[[np.ndarray], np.ndarray]
    editor: Editor
    regenerator: Regenerator
    start_size: Callable[[str], int]
    sifid: Filter
    fingerprint: Fingerprint
