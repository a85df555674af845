"""Small models for the flow's tests: fast, deterministic, and with each kind of fault on demand.

Faces are made by ``write_faces``; a picture of one colour has no face.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from singanimation.flows.models import FaceModels, Fingerprint, Models
from singanimation.pipeline.errors import PictureError, WeightsError
from singanimation.pipeline.records import Crop, Source
from singanimation.pipeline.settings import Settings

LABELS = ("happiness", "fear", "neutral")


def add_picture(faces: Path, name: str, seed: int, size: int = 100) -> None:
    """Noise of ``size`` x ``size`` px."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    Image.fromarray(pixels).save(faces / name)


def write_faces(folder: Path, count: int, size: int = 100) -> Path:
    """Write ``count`` noisy pictures as ``train/<emotion>/NN.png`` and one in ``test``; return ``folder``."""
    for index in range(count + 1):
        split = "train" if index < count else "test"
        place = folder / split / LABELS[index % len(LABELS)]
        place.mkdir(parents=True, exist_ok=True)
        add_picture(place, f"{index:02d}.png", index, size)
    return folder


def find_face(pixels: np.ndarray, source: object) -> Crop:
    """The whole picture is the face."""
    if pixels.std() == 0:
        raise PictureError("no_face", "No face was found in this picture.")
    scale = 128 / pixels.shape[1]
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], float)
    return Crop(_cut(pixels, matrix), matrix, np.zeros((478, 2), np.float32), float(pixels.shape[1]))


def _cut(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(pixels, matrix, (128, 128), borderMode=cv2.BORDER_REPLICATE)


def _paste(pixels: np.ndarray, crop: Crop, new: np.ndarray) -> np.ndarray:
    return cv2.resize(new, pixels.shape[1::-1])


def _action_units(crops: np.ndarray) -> np.ndarray:
    return np.stack([np.resize(crop.mean((0, 2)) / 255, 17) for crop in crops]).astype(np.float32)


class Edits:
    """What an editor returns, as far as the flow looks."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures


class Expander:
    """Brightens by the mean of the target."""

    digest = "e" * 64
    drawing = ""
    labels: tuple[str, ...] | None = None

    def edit(
        self,
        crop: np.ndarray,
        au_source: np.ndarray,
        au_targets: np.ndarray,
        sides: np.ndarray | None = None,
        seen: np.ndarray | None = None,
    ) -> Edits:
        change = np.rint(40 * (au_targets.mean(1) - au_source.mean()))
        return Edits(np.clip(crop[None] + change[:, None, None, None], 0, 255).astype(np.uint8))


class Fitted:
    """Noise on the edit, from the fit's and the draw's seed; every third seed gives a bad variant."""

    def __init__(self, edits: np.ndarray, seeds: list[int]) -> None:
        self.edits, self.seeds = edits, seeds

    def draw(self, index: int, start: str, seeds: list[int]) -> np.ndarray:
        return np.stack([self._one(index, start, seed) for seed in seeds])

    def _one(self, index: int, start: str, seed: int) -> np.ndarray:
        edit = self.edits[index]
        amplitude = 90 if seed % 3 == 0 else 4
        noise = np.random.default_rng([self.seeds[index], seed, len(start)]).normal(0, amplitude, edit.shape)
        return np.clip(edit + noise, 0, 255).astype(np.uint8)


class Regenerator:
    """Takes ``delay`` seconds for a fit."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def fit(self, edits: np.ndarray, seeds: list[int], starts: list[str], wanted: object = None) -> Fitted:
        while os.path.exists(os.environ.get("FAKE_HOLD", "")):  # noqa: PTH110 - a test holds the work back by a file
            time.sleep(0.02)
        time.sleep(self.delay)
        return Fitted(edits, seeds)


class Filter:
    """Mean absolute difference, at most ``threshold`` (``--sifid-max``)."""

    name = "embedded"

    def __init__(self, threshold: float = 20.0) -> None:
        self.threshold = threshold

    def measure(self, edit: np.ndarray, variants: np.ndarray) -> np.ndarray:
        return np.abs(variants.astype(float) - edit).mean((1, 2, 3)).astype(np.float32)

    def accepts(self, values: np.ndarray) -> np.ndarray:
        return values <= self.threshold


class NoChecks:
    """Nothing is wrong with any variant: the fakes' faces are noise."""

    def first_fault(self, pictures: object, units: object, kept: object) -> None:
        return None


def load(settings: Settings) -> Models:
    """The loader: ``--singan-iterations`` is how many hundredths of a second a fit takes."""
    limit = settings.sifid_max or 20.0
    faces = FaceModels(
        find_face=find_face,
        cut=_cut,
        paste=_paste,
        paste_edit=_paste,
        action_units=_action_units,
        features=_action_units,
        expander=cast(Any, Expander()),
        estimator="fake",
        estimator_digest="a" * 64,
    )
    return Models(
        faces=faces,
        regenerator=cast(Any, Regenerator((settings.singan_iterations or 1) / 100)),
        start_size={"N": 25, "N-1": 32, "N-2": 40}.__getitem__,
        sifid=cast(Any, Filter(limit)),
        checks=cast(Any, NoChecks()),
        fingerprint=Fingerprint("e" * 64, "fake", "a" * 64, "embedded", limit),
    )


def _with_faces(settings: Settings, **others: Callable) -> Models:
    models = load(settings)
    return replace(models, faces=replace(models.faces, **others))


def load_deadly(settings: Settings) -> Models:
    """A worker dies on the picture 01.png."""

    def die(pixels: np.ndarray, source: Source) -> Crop:
        if source.source_id.endswith("01.png"):
            os._exit(9)
        return find_face(pixels, source)

    return _with_faces(settings, find_face=die)


def load_dying(settings: Settings) -> Models:
    """Each worker that loads the models takes a letter from the file in FAKE_DEATHS, and dies of it."""
    file = Path(os.environ.get("FAKE_DEATHS", "none"))
    letters = file.read_text() if file.exists() else ""
    if letters:
        file.write_text(letters[1:])
        os._exit(9)
    return load(settings)


def load_blind(settings: Settings) -> Models:
    """No face is found in the picture 01.png."""

    def look(pixels: np.ndarray, source: Source) -> Crop:
        return find_face(np.zeros_like(pixels) if source.source_id.endswith("01.png") else pixels, source)

    return _with_faces(settings, find_face=look)


def load_faulty(settings: Settings) -> Models:
    """A fault of ours in the middle of the work."""
    return _with_faces(settings, cut=lambda pixels, matrix: 1 // 0, action_units=lambda crops: 1 // 0)


def load_nothing(settings: Settings) -> Models:
    """Weights are missing."""
    raise WeightsError("no weights here")
