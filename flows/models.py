"""The models one worker uses, loaded once per process. The rest of the flow sees only this bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_NAMES, attributes_asked
from singanimation.pipeline.records import Crop, Source
from singanimation.pipeline.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from singanimation.stages.expansion.attributes.editor import AttributeEditor
    from singanimation.stages.expansion.expander import Expander
    from singanimation.stages.expression import ExpressionJudge
    from singanimation.stages.sifid import SifidFilter
    from singanimation.stages.singan import Regenerator, VariantChecks


@dataclass(frozen=True)
class Fingerprint:
    """What identifies the models in a row: weights' digests, and the filter with its threshold.

    ``detector`` is who finds faces where a data set does not say; ``notes`` are for the log, ``warnings`` for the
    user; ``checks`` says in words what variants are rejected for besides their SIFID; ``attributes`` is the digest
    of the networks of appearance, empty where none are asked for.
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
    drawing: str = ""
    attributes: str = ""

    def resolved(self) -> dict[str, str]:
        """Return what stands in the pixel digest for the models: their weights, and the code that draws edits."""
        return {"editor": self.editor, "estimator": self.estimator_digest, "drawing": self.drawing}


@dataclass(frozen=True)
class FaceModels:
    """What it takes to find faces, read their action units, and edit them. Callables: tests bring small ones.

    ``find_face(pixels, source) -> Crop`` raises PictureError; ``cut(pixels, matrix) -> uint8 (128, 128, 3)``;
    ``paste(pixels, crop, new) -> uint8 (H, W, 3)``; ``action_units(crops (N, 128, 128, 3)) -> float32 (N, 17)``;
    ``features(pictures (N, H, W, 3)) -> float (N, P, C)``.
    """

    find_face: Callable[[np.ndarray, Source], Crop]
    cut: Callable[[np.ndarray, np.ndarray], np.ndarray]
    paste: Callable[[np.ndarray, Crop, np.ndarray], np.ndarray]
    paste_edit: Callable[..., np.ndarray]
    action_units: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], np.ndarray]
    expander: "Expander"
    estimator: str
    estimator_digest: str
    detector: str = "haar"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Models:
    """Everything one source needs. ``start_size`` maps a start scale to pixels; if asked, ``judge`` looks at edits and
    ``attributes`` changes what a face wears.
    """

    faces: FaceModels
    regenerator: "Regenerator"
    start_size: Callable[[str], int]
    sifid: "SifidFilter"
    checks: "VariantChecks"
    fingerprint: Fingerprint
    judge: "ExpressionJudge | None" = None
    attributes: "AttributeEditor | None" = None


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
        find_face=find_face,
        cut=crop.cut,
        paste=crop.paste,
        paste_edit=crop.paste_edit,
        action_units=estimator.measure,
        features=embedded.features,
        expander=ExpressionEditor(generator.network, generator.digest, device),
        estimator=estimator.name,
        estimator_digest=estimator.digest,
        detector=detector.name,
        notes=estimator.notes,
        warnings=estimator.warnings,
    )


def load_models(settings: Settings) -> Models:
    """Load everything a worker needs for a run. Raises WeightsError, UsageError."""
    from singanimation.stages.action_units.estimators import WELL_MEASURED, EmbeddedEstimator
    from singanimation.stages.sifid import make_filter
    from singanimation.stages.singan import VariantChecks, make_regenerator

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
    judged = tuple(AU_NAMES.index(name) for name in WELL_MEASURED) if known else ()
    # who trains a GAN claims to draw something new; patch and warp move what is there
    checks = VariantChecks(judged_units=judged, redraws=regenerator.is_gan)
    attributes = load_appearance(settings.attributes, device) if attributes_asked(settings.expressions) else None
    fingerprint = Fingerprint(
        editor=faces.expander.digest,
        drawing=faces.expander.drawing,
        estimator=faces.estimator,
        estimator_digest=faces.estimator_digest,
        sifid_name=sifid.name,
        sifid_threshold=sifid.threshold,
        detector=faces.detector,
        notes=faces.notes,
        warnings=faces.warnings,
        checks=checks.describe(),
        attributes="" if attributes is None else attributes.digest,
    )
    judge = load_judge(settings.expression_judge, device) if settings.expression_judge is not None else None
    sizes = partial(_start_size, settings.singan_size)
    return Models(faces, regenerator, sizes, sifid, checks, fingerprint, judge, attributes)


def load_appearance(path: Path | None, device: str = "cpu") -> "AttributeEditor":
    """Load the networks that carry attributes, those that ship where no ``path`` is given. Raises WeightsError."""
    from singanimation.pipeline.weights import find
    from singanimation.stages.expansion.attributes.editor import AttributeEditor

    return AttributeEditor.load(path or find("attributes"), device)


def load_judge(path: Path, device: str = "cpu") -> "ExpressionJudge":
    """Load an expression judge that `augment train expression` wrote. Raises WeightsError."""
    from singanimation.stages.expression import ExpressionJudge

    return ExpressionJudge.load(path, expression_trunk, device)


def expression_trunk() -> "tuple[nn.Module, int]":
    """Return what an expression judge begins with, and its channels: the AU network's trunk, which knows faces."""
    from torch import nn

    from singanimation.stages.action_units.weights import load_network

    network = load_network()
    return nn.Sequential(network.early, network.middle, network.late).requires_grad_(True), 192


def _start_size(size: int, start: str) -> int:
    from singanimation.stages.singan import start_size

    return start_size(start, size)
