"""What a manifest does not hold and a report shows: the sources' pictures, attention masks, and strips of strengths.

All of it is drawn anew with the run's own models and settings, for the first sources only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from singanimation.flows.models import FaceModels, choose_device, load_face_models
from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.errors import PictureError, SinganimationError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target
from singanimation.pipeline.records import Crop, Source
from singanimation.pipeline.settings import Settings, make_settings

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The strengths, and the alphas, of a strip."""


@dataclass
class Redrawn:
    """Pictures uint8 by the index of their row: ``sources`` (H, W, 3), ``masks`` (128, 128), 255 where an edit paints.

    ``strips`` maps a source's row to ``{"strength" | "alpha": {emotion: [pictures]}}``; ``notes`` say what is missing.
    """

    sources: dict[int, np.ndarray] = field(default_factory=dict)
    masks: dict[int, np.ndarray] = field(default_factory=dict)
    strips: dict[int, dict[str, dict[str, list[np.ndarray]]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_sources(runs: Sequence[Mapping[str, Any]]) -> tuple[Settings | None, dict[str, Source], str | None]:
    """Return the last run's settings, its sources by path, and why there are none."""
    for run in reversed(runs):
        known = {name: value for name, value in run["settings"].items() if name in Settings.model_fields}
        try:
            settings = make_settings(**known)
            return settings, {each.source_path: each for each in open_dataset(settings).sources}, None
        except SinganimationError as error:
            return None, {}, f"The sources' pictures are not shown: {error}"
    return None, {}, "The sources' pictures are not shown: the folder holds no settings of a run."


def redraw(
    rows: Sequence[Mapping[str, Any]],
    wanted: Mapping[int, tuple[np.ndarray, np.ndarray]],
    runs: Sequence[Mapping[str, Any]],
    *,
    masks: bool = True,
    strips: int = 2,
) -> Redrawn:
    """Draw the sources of ``rows``, the masks of the edits in ``wanted``, and strips for the first ``strips`` sources.

    ``wanted`` maps an edit's row to the source's and the target's AUs, (17,) each. What cannot be drawn is said in
    ``notes``.
    """
    done = Redrawn()
    settings, sources, problem = find_sources(runs)
    if problem or settings is None:
        done.notes.append(problem or "")
        return done
    models: FaceModels | None = None
    if masks or strips:
        try:
            models = load_face_models(settings.aus, settings.ganimation, choose_device(settings.device))
        except SinganimationError as error:
            done.notes.append(f"Attention masks and strips are not drawn: {error}")
    if models is not None and models.expander.labels is not None and strips:
        done.notes.append("Strips over strength and alpha are not drawn: the expander goes by labels.")
        strips = 0
    edits = _edits_of(rows)
    for index, row in enumerate(rows):
        source = sources.get(row["source"]) if row["kind"] == "real" else None
        if source is None:
            continue
        try:
            picture = read_source(source)
            done.sources[index] = picture.pixels
            chosen = [edit for edit in edits.get(index, ()) if edit in wanted]
            if models is None or not (chosen or strips > 0):
                continue
            crop = models.find_face(picture.pixels, source)
        except PictureError:
            continue
        for edit in chosen if masks else ():
            drawn = models.expander.edit(crop.pixels, wanted[edit][0], wanted[edit][1][None], None, crop.seen)
            done.masks[edit] = np.rint(255 * (1 - drawn.attention[0])).astype(np.uint8)
        if strips > 0:
            done.strips[index], strips = _strips(models, crop, row), strips - 1
    return done


def _edits_of(rows: Sequence[Mapping[str, Any]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        if row["kind"] == "edit" and row["parent"] is not None:
            found.setdefault(row["parent"], []).append(index)
    return found


def _strips(models: FaceModels, crop: Crop, row: Mapping[str, Any]) -> dict[str, dict[str, list[np.ndarray]]]:
    units = models.action_units(crop.pixels[None])[0]
    label = row.get("label") if row.get("label") in EMOTIONS else None
    face = SourceFace(label, units)
    strips: dict[str, dict[str, list[np.ndarray]]] = {"strength": {}, "alpha": {}}
    for emotion in EMOTIONS:
        if emotion == label:
            continue
        for kind, aim in (("strength", discrete_target), ("alpha", continuous_target)):
            targets = [units if step == 0 else np.array(aim(face, emotion, step).action_units) for step in STEPS]
            drawn = models.expander.edit(crop.pixels, units, np.array(targets, np.float32), None, crop.seen)
            strips[kind][emotion] = list(drawn.pictures)
    return strips
