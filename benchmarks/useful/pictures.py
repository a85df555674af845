"""Labelled faces of a data set, cut once and kept: the real pictures of ``benchmarks/usefulness.py``."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from singanimation.flows.models import FaceModels
from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.expressions import EMOTION_INDEX
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.settings import make_settings

SIZE = 64
"""Pixels of what the network sees."""

FOLDS = 3
"""Into so many parts the training people are split, one of which validates."""

TEST_SHARE = 0.3
"""Share of the people who are tested on where a data set has no splits of its own."""


@dataclass(frozen=True)
class Faces:
    """N labelled crops: uint8 (N, 128, 128, 3), ``units`` float32 (N, 17), labels 0..6, people, and who is tested.

    ``held_out`` are pictures that are neither trained on nor tested.
    """

    name: str
    crops: np.ndarray
    units: np.ndarray
    labels: np.ndarray
    people: np.ndarray
    tested: np.ndarray
    held_out: np.ndarray | None = None

    @property
    def trained(self) -> np.ndarray:
        """Return which pictures may be trained on (N,): those of people who are neither tested nor held out."""
        return ~self.tested if self.held_out is None else ~(self.tested | self.held_out)

    def validation(self, seed: int) -> "Faces":
        """Return the same with a third of the training people tested, another by each ``seed``; others unused."""
        fold = seed % FOLDS
        own = np.array([_number(f"v{person}") % FOLDS == fold for person in self.people])
        return replace(self, name=f"{self.name}, fold {fold}", tested=~self.tested & own, held_out=self.tested)

    @property
    def digest(self) -> str:
        """Return 16 hex digits of the crops, their action units and their labels."""
        whole = hashlib.sha256(self.crops.tobytes() + self.units.tobytes() + self.labels.tobytes())
        return whole.hexdigest()[:16]


def load_faces(path: Path, cache: Path, models: FaceModels) -> Faces:
    """Cut every labelled face of the data set at ``path``, or read what an earlier call left in ``cache``.

    Splits are the data set's own (``train`` trains, all others are tested); without any, 30% of the people are tested.
    Pictures without a face are left out. Raises DatasetError.
    """
    file = cache / f"faces-{path.stem}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        parts = _cut(path, models)
        np.savez(file, **parts)  # pyright: ignore[reportArgumentType] - no part is named allow_pickle
    with np.load(file) as parts:
        return Faces(path.stem, *(parts[name] for name in ("crops", "units", "labels", "people", "tested")))


def small_grey(crops: np.ndarray) -> np.ndarray:
    """Return crops uint8 (N, 128, 128, 3) as grey uint8 (N, 64, 64)."""
    grey = np.empty((len(crops), SIZE, SIZE), np.uint8)
    for place, crop in enumerate(crops):
        grey[place] = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return grey


def _cut(path: Path, models: FaceModels) -> dict[str, np.ndarray]:
    sources = [s for s in open_dataset(make_settings(input=str(path))).sources if s.label is not None]
    kept, crops = [], []
    for source in track(sources, f"faces of {path.name}"):
        try:
            crops.append(models.find_face(read_source(source).pixels, source).pixels)
            kept.append(source)
        except PictureError:
            continue
    people = np.array([source.group_id or source.source_id for source in kept])
    tested = np.array([source.split != "train" for source in kept])
    if not tested.any():
        tested = np.array([_unit_interval(person) < TEST_SHARE for person in people])
    return {
        "crops": np.stack(crops),
        "units": np.concatenate([models.action_units(crop[None]) for crop in crops]).astype(np.float32),
        "labels": np.array([EMOTION_INDEX[source.label or ""] for source in kept]),
        "people": people,
        "tested": tested,
    }


def _unit_interval(name: str) -> float:
    return _number(name) / 16**8


def _number(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
