"""Real edits of real faces, and the judge of their variants: shared by the benchmarks of regeneration."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from singanimation.flows.models import load_face_models
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS, PROTOTYPES
from singanimation.pipeline.records import Source
from singanimation.stages.action_units.estimators import WELL_MEASURED, EmbeddedEstimator
from singanimation.stages.sifid import SifidFilter, make_filter
from singanimation.stages.sifid.inception import InceptionStem
from singanimation.stages.singan import VariantChecks
from singanimation.stages.singan.checks import mean_pairwise_difference
from singanimation.stages.singan.diversity import diversity
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
    """Return ``count`` frontal faces of the validation split of a table like ``faces.parquet``, edited."""
    columns = ["face_id", "image", "yaw"]
    rows = pq.read_table(path, columns=columns, filters=[("split", "==", "validation")]).to_pandas()
    rows = rows[rows["yaw"].abs() < 8].iloc[:: max(1, (rows["yaw"].abs() < 8).sum() // count)].head(count)
    models = load_face_models()
    targets = np.array([PROTOTYPES[emotion] for emotion in EMOTIONS], np.float32)
    faces = []
    for number, row in enumerate(rows.itertuples()):
        pixels = np.asarray(Image.open(io.BytesIO(row.image)).convert("RGB"))
        source = Source("faces", row.face_id, None, row.face_id)
        crop = models.find_face(pixels, source).pixels
        edits = models.expander.edit(crop, models.action_units(crop[None])[0], targets).pictures
        faces.append(Edited(crop, list(np.roll(edits, -number, axis=0))))
    return faces


class Judge:
    """Measures variants as the main job does: SIFID on two feature sets, variety, drift, and the checks' verdicts."""

    def __init__(self) -> None:
        self._estimator = EmbeddedEstimator.load("cpu")
        self._random = SifidFilter("random-64", InceptionStem.random(64), 0.0)
        self._embedded = make_filter("embedded", lambda crops: self._estimator.features(self._crops(crops)))
        self._units = tuple(AU_NAMES.index(name) for name in WELL_MEASURED)
        self._checks = VariantChecks(judged_units=self._units)

    def __call__(self, edit: np.ndarray, variants: np.ndarray, into) -> None:
        """Add the medians of ``variants`` uint8 (K, H, H, 3) of ``edit`` to ``into``."""
        sifids = self._embedded.measure(edit, variants)
        into.random.append(float(np.median(self._random.measure(edit, variants))))
        into.embedded.append(float(np.median(sifids)))
        into.diversity.append(diversity(to_tensor(variants, "cpu"), to_tensor(edit[None], "cpu")))
        into.pairs.append(mean_pairwise_difference(variants, edit)[0])
        own, *units = self._estimator(self._crops(np.stack([edit, *variants]))).action_units
        into.drift.append(float(np.median([np.abs(each - own)[list(self._units)].max() for each in units])))
        kept: list[np.ndarray] = []
        for variant, found, sifid in zip(variants, units, sifids, strict=True):
            fault = self._checks.first_fault((edit, variant), (own, found), kept)
            reason = fault.reason if fault else None if sifid <= self._embedded.threshold else "sifid"
            into.judged += 1
            if reason:
                into.faults[reason] += 1
            else:
                kept.append(variant)

    def _crops(self, pictures: np.ndarray) -> np.ndarray:
        return np.stack([resized(picture, CROP) for picture in pictures])
