"""The models one worker uses, loaded once per process. The rest of the flow sees only this bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.records import Crop, Fault, Source
from singanimation.pipeline.settings import Settings


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


class Checks(Protocol):
    """What a variant must be besides near its edit; see ``stages.singan.checks.VariantChecks``."""

    def first_fault(
        self,
        pictures: tuple[np.ndarray, np.ndarray],
        units: tuple[np.ndarray, np.ndarray],
        kept: Sequence[np.ndarray],
    ) -> Fault | None:
        """Return why a variant is to be rejected, None where nothing is wrong."""


@dataclass(frozen=True)
class Fingerprint:
    """What identifies the models in a row: weights' digests, and the filter with its threshold.

    ``detector`` is who finds faces where a data set does not say; ``notes`` are for the log, ``warnings`` for the
    user; ``checks`` says in words what variants are rejected for besides their SIFID.
    """

    editor: str
    estimator: str
    estimator_digest: str
    sifid_name: str
    sifid_threshold: float
    detector: str = "haar"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: str = "none"

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
    checks: Checks
    fingerprint: Fingerprint


@dataclass(frozen=True)
class FaceModels:
    """What it takes to find faces, read their action units, and edit them."""

    find_face: Callable[[np.ndarray, Source], Crop]
    cut: Callable[[np.ndarray, np.ndarray], np.ndarray]
    paste: Callable[[np.ndarray, Crop, np.ndarray], np.ndarray]
    paste_edit: Callable[..., np.ndarray]
    action_units: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], np.ndarray]
    estimator: str
    estimator_digest: str
    editor: Editor
    detector: str = "haar"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_device(device: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``; raise UsageError for a device that is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = ["cpu"]
    if torch.cuda.is_available():
        known += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if device not in known:
        raise UsageError(f"--device {device} is not available here; use cpu, or auto.")
    return device


def load_face_models(aus: str = "auto", ganimation: Path | None = None, device: str = "cpu") -> FaceModels:
    """Load the estimator (see ``choose_estimator`` for ``aus``), the aligner, the face detector and the generator.

    Raises WeightsError, UsageError.

    From then on torch uses one thread in this process: the same bytes everywhere, and on a busy machine several
    threads made these small networks seven times slower.
    """
    import torch

    torch.set_num_threads(1)
    from singanimation.flows.estimators import choose_detector, choose_estimator
    from singanimation.stages import crop
    from singanimation.stages.action_units.estimators import EmbeddedAligner, EmbeddedEstimator
    from singanimation.stages.expansion.checkpoints import load_generator
    from singanimation.stages.expansion.editor import ExpressionEditor

    generator = load_generator(ganimation, device)
    embedded, aligner = EmbeddedEstimator.load(device), EmbeddedAligner.load(device)
    estimator = choose_estimator(aus, embedded, generator.card, device)
    detector = choose_detector(estimator)

    def find_face(pixels: np.ndarray, source: Source) -> Crop:
        return crop.find_face(
            pixels,
            box=source.box,
            landmarks=source.landmarks,
            is_face_crop=source.is_face_crop,
            align=aligner,
            eyes_of=embedded.find_eyes,
            detector=detector,
        )

    return FaceModels(
        find_face,
        crop.cut,
        crop.paste,
        crop.paste_edit,
        estimator.measure,
        embedded.features,
        estimator.name,
        estimator.digest,
        ExpressionEditor(generator.network, generator.digest, device),
        detector.name,
        estimator.notes,
        estimator.warnings,
    )


def load_models(settings: Settings) -> Models:
    """Load everything a worker needs for a run. Raises WeightsError, UsageError."""
    from singanimation.stages.action_units.estimators import WELL_MEASURED, EmbeddedEstimator
    from singanimation.stages.sifid import make_filter
    from singanimation.stages.singan import VariantChecks, make_regenerator, start_size

    device = choose_device(settings.device)
    faces = load_face_models(settings.aus, settings.ganimation, device)
    regenerator = make_regenerator(
        settings.engine,
        iterations=settings.singan_iterations,
        noise=settings.singan_noise,
        downsampling=settings.downsampling,
        device=device,
    )
    sifid = make_filter(settings.sifid_features, faces.features, settings.sifid_max, device)
    # of another estimator's action units it is not known which it measures well
    known = faces.estimator.startswith(f"{EmbeddedEstimator.name}@")
    checks = VariantChecks(judged_units=tuple(AU_NAMES.index(name) for name in WELL_MEASURED) if known else ())
    return Models(
        faces.find_face,
        faces.cut,
        faces.paste,
        faces.action_units,
        faces.editor,
        regenerator,
        lambda start: start_size(start, settings.singan_size),
        sifid,
        checks,
        Fingerprint(
            faces.editor.digest,
            faces.estimator,
            faces.estimator_digest,
            sifid.name,
            sifid.threshold,
            faces.detector,
            faces.notes,
            faces.warnings,
            checks.describe(),
        ),
    )
