"""The threshold does what it is for: known-bad variants are rejected, mild ones accepted."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.sifid import SifidFilter, make_filter
from singanimation.stages.sifid.trials import bad_variants, mild_variants
from singanimation.stages.singan import make_regenerator

FACES = Path(__file__).resolve().parents[3] / "shared" / "faces" / "faces.parquet"
needs_faces = pytest.mark.skipif(not FACES.exists(), reason="../shared/faces/faces.parquet is not here")


@pytest.fixture(scope="module")
def sifid() -> SifidFilter:
    return make_filter("embedded", EmbeddedEstimator.load("cpu").features)


def _astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return cv2.resize(astronaut()[20:220, 125:325], (128, 128), interpolation=cv2.INTER_AREA)


def _faces(count: int) -> list[np.ndarray]:
    """Return tight 128 px crops of faces spread over the table; none of those calibrated on is left out."""
    import pyarrow.parquet as pq

    column = pq.read_table(FACES, columns=["image"])["image"]
    faces = []
    for index in range(7, len(column), len(column) // count):
        value = column[index].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[46:222, 40:216]
        faces.append(cv2.resize(pixels, (128, 128), interpolation=cv2.INTER_AREA))
    return faces[:count]


def _shares(sifid: SifidFilter, faces: list[np.ndarray]) -> dict[str, float]:
    verdicts: dict[str, list[bool]] = {}
    for number, face in enumerate(faces):
        variants = bad_variants(face, number) | mild_variants(face, number)
        accepted = sifid.accepts(sifid.measure(face, np.stack(list(variants.values()))))
        for name, verdict in zip(variants, accepted, strict=True):
            verdicts.setdefault(name, []).append(bool(verdict))
    return {name: float(np.mean(values)) for name, values in verdicts.items()}


def _holds(shares: dict[str, float]) -> None:
    for name in ("blurred", "patches shuffled"):
        assert shares[name] <= 0.05, f"{name}: {shares}"
    for name in ("re-encoded", "shifted", "2% noise"):
        assert shares[name] >= 0.90, f"{name}: {shares}"


def test_bad_variants_of_the_astronaut_are_rejected_and_mild_ones_accepted(sifid: SifidFilter) -> None:
    _holds(_shares(sifid, [_astronaut()]))


@needs_faces
def test_at_least_95_percent_of_bad_and_90_of_mild_are_told_apart_on_faces(sifid: SifidFilter) -> None:
    _holds(_shares(sifid, _faces(40)))


def test_a_gan_started_at_n_breaks_the_astronaut_and_is_rejected(sifid: SifidFilter) -> None:
    face = _astronaut()
    variants = make_regenerator("fast", iterations=8).fit(face[None], [1], ["N"]).draw(0, "N", range(4))
    assert not sifid.accepts(sifid.measure(face, variants)).any()


@pytest.mark.slow
@needs_faces
def test_started_at_n_is_rejected_and_later_starts_mostly_accepted(sifid: SifidFilter) -> None:
    accepted: dict[str, list[bool]] = {}
    for face in _faces(3):
        fitted = make_regenerator("fast").fit(face[None], [1], ["N", "N-1", "N-2"])
        for start in ("N", "N-1", "N-2"):
            values = sifid.measure(face, fitted.draw(0, start, range(8)))
            accepted.setdefault(start, []).extend(sifid.accepts(values).tolist())
    shares = {start: float(np.mean(values)) for start, values in accepted.items()}
    assert shares["N"] <= 0.05, shares
    assert min(shares["N-1"], shares["N-2"]) >= 0.8, shares
