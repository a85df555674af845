"""Real edits of real faces, and the judge of their variants: shared by the benchmarks of regeneration."""

import io
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from singanimation.flows.models import load_face_models
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS, PROTOTYPES
from singanimation.pipeline.records import Source
from singanimation.stages.action_units.estimators import WELL_MEASURED, EmbeddedEstimator
from singanimation.stages.sifid import SifidFilter, make_filter
from singanimation.stages.sifid.inception import InceptionStem
from singanimation.stages.singan import VariantChecks
from singanimation.stages.singan.checks import mean_pairwise_difference
from singanimation.stages.singan.diversity import diversity
from singanimation.stages.singan.figures.detail import detail_spread, new_detail
from singanimation.stages.singan.figures.two_sample import two_sample_accuracy
from singanimation.stages.singan.tensors import to_tensor

CROP = 128


@dataclass
class Edited:
    """A face's crop uint8 (128, 128, 3) and its edits to the seven emotions, beginning with another one each face."""

    crop: np.ndarray
    edits: list[np.ndarray]


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """Return square uint8 (size, size, 3)."""
    kind = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=kind)


def load_edited(path: Path, count: int) -> list[Edited]:
    """Return ``count`` faces, edited: of the validation split of a table like ``faces.parquet`` the frontal ones,

    of a folder any of its pictures in which a face is found.
    """
    models = load_face_models()
    targets = np.array([PROTOTYPES[emotion] for emotion in EMOTIONS], np.float32)
    faces: list[Edited] = []
    for name, pixels in _of_folder(path) if path.is_dir() else _of_table(path, count):
        try:
            crop = models.find_face(pixels, Source("faces", name, None, name)).pixels
        except PictureError:
            continue
        edits = models.expander.edit(crop, models.action_units(crop[None])[0], targets).pictures
        faces.append(Edited(crop, list(np.roll(edits, -len(faces), axis=0))))
        if len(faces) == count:
            break
    return faces


def _of_table(path: Path, count: int) -> Iterator[tuple[str, np.ndarray]]:
    columns = ["face_id", "image", "yaw"]
    rows = pq.read_table(path, columns=columns, filters=[("split", "==", "validation")]).to_pandas()
    rows = rows[rows["yaw"].abs() < 8].iloc[:: max(1, (rows["yaw"].abs() < 8).sum() // count)].head(count)
    for row in rows.itertuples():
        yield row.face_id, np.asarray(Image.open(io.BytesIO(row.image)).convert("RGB"))


def _of_folder(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the pictures below ``path``, in an order of chance that is always the same."""
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in {".jpg", ".jpeg", ".png"})
    for file in np.random.default_rng(0).permutation(np.array(files, object)):
        yield file.name, np.asarray(Image.open(file).convert("RGB"))


@dataclass
class Figures:
    """What was found of the variants of some faces: a value per face, and the verdicts on single variants."""

    random: list[float] = field(default_factory=list)
    embedded: list[float] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    pairs: list[float] = field(default_factory=list)
    drift: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    detail: list[dict[tuple[str, str], float]] = field(default_factory=list)
    judging: list[float] = field(default_factory=list)
    faults: Counter = field(default_factory=Counter)
    judged: int = 0

    def new_detail(self, band: str, part: str | None = None) -> float:
        """Return the median over faces of the new detail in a band, of one part or the mean of all."""
        found = [
            [value for (name, where), value in each.items() if name == band and part in (None, where)]
            for each in self.detail
        ]
        return float(np.median([np.mean(each) for each in found]))

    def rejected(self) -> str:
        """Return the shares rejected, by reason."""
        return ", ".join(f"{name} {count / self.judged:.0%}" for name, count in self.faults.most_common()) or "0%"


class Judge:
    """Measures variants as the main job does (SIFID, drift, the checks' verdicts), and by the figures that can tell:

    the two-sample accuracy on patches, and new detail by band and part of the face. ``redraws``: whether a mere warp
    is to be rejected, as the main job does for engines that train a GAN. ``two_sample``: whether the classifier is
    trained, which takes longer than all else.
    """

    def __init__(self, *, two_sample: bool = True) -> None:
        self._two_sample = two_sample
        self._estimator = EmbeddedEstimator.load("cpu")
        self._random = SifidFilter("random-64", InceptionStem.random(64), 0.0)
        self._embedded = make_filter("embedded", lambda crops: self._estimator.features(self._crops(crops)))
        self._units = tuple(AU_NAMES.index(name) for name in WELL_MEASURED)

    def __call__(self, edit: np.ndarray, variants: np.ndarray, into: Figures, *, redraws: bool = True) -> None:
        """Add what is found of ``variants`` uint8 (K, H, H, 3) of ``edit`` to ``into``; K is 2 or more."""
        began = time.process_time()
        units = self._verdicts(edit, variants, into, redraws)
        into.judging.append((time.process_time() - began) / len(variants))
        own, *others = units
        into.drift.append(float(np.median([np.abs(each - own)[list(self._units)].max() for each in others])))
        into.random.append(float(np.median(self._random.measure(edit, variants))))
        into.diversity.append(diversity(to_tensor(variants, "cpu"), to_tensor(edit[None], "cpu")))
        into.pairs.append(mean_pairwise_difference(variants, edit)[0])
        into.accuracy.append(two_sample_accuracy(edit, variants) if self._two_sample else np.nan)
        into.spread.append(detail_spread(edit, variants))
        found = [new_detail(edit, variant) for variant in variants]
        into.detail.append({key: float(np.median([each[key] for each in found])) for key in found[0]})

    def _verdicts(self, edit: np.ndarray, variants: np.ndarray, into: Figures, redraws: bool) -> np.ndarray:
        """Do what the main job does for each variant; return the action units of the edit and of the variants."""
        checks = VariantChecks(judged_units=self._units, redraws=redraws)
        sifids = self._embedded.measure(edit, variants)
        into.embedded.append(float(np.median(sifids)))
        own, *units = found = self._estimator(self._crops(np.stack([edit, *variants]))).action_units
        kept: list[np.ndarray] = []
        for variant, each, sifid in zip(variants, units, sifids, strict=True):
            fault = checks.first_fault((edit, variant), (own, each), kept)
            reason = fault.reason if fault else None if sifid <= self._embedded.threshold else "sifid"
            into.judged += 1
            if reason:
                into.faults[reason] += 1
            else:
                kept.append(variant)
        return found

    def _crops(self, pictures: np.ndarray) -> np.ndarray:
        return np.stack([resized(picture, CROP) for picture in pictures])
