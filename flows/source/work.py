"""What one source goes through: picture -> crop -> action units -> edits -> regenerations -> filter -> rows -> part."""

import errno
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from singanimation.flows.models import Models
from singanimation.flows.source.appearance import dressed
from singanimation.flows.source.donated import units_of_donors, without_donor
from singanimation.flows.source.expressed import Expressed, look_at
from singanimation.flows.source.outcome import Outcome, SourceJob
from singanimation.flows.source.reframing import Reframer, as_learnt
from singanimation.flows.source.regeneration import ShippedEdit, VariantJudge, fit_edits, regenerate
from singanimation.flows.source.remaining import EditWork, canonical_label, plan_work
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.rows import RowMaker
from singanimation.manifests.write import existing_part_ids, part_name, write_part
from singanimation.pipeline.errors import MachineError, PictureError, SinganimationError
from singanimation.pipeline.files.pictures import Picture, encode_png, read_source
from singanimation.pipeline.records import Crop, Row, Source


def augment_source(job: SourceJob, models: Models) -> Outcome:
    """Do all that is left to do for one source, and write its part.

    A source that cannot be used becomes a row with its reason. Raises MachineError when the machine or the disk
    failed: then nothing was written, and a later run takes the source up again.
    """
    return keep_rows(job, *make_rows(job, models))


def make_rows(job: SourceJob, models: Models) -> tuple[list[Row], Outcome]:
    """Do what ``augment_source`` does, but return the rows instead of writing them. Raises MachineError."""
    began = time.monotonic()
    try:
        rows, outcome = _make_rows(job, models)
    except MemoryError:
        raise MachineError(f"{job.identity.source.source_id}: out of memory; use fewer --workers.") from None
    except RuntimeError as error:
        if any(sign in str(error).lower() for sign in ("out of memory", "can't allocate memory")):
            raise MachineError(f"{job.identity.source.source_id}: {str(error).splitlines()[0]}") from None
        raise
    outcome.seconds = time.monotonic() - began
    return rows, outcome


def keep_rows(job: SourceJob, rows: Sequence[Row], outcome: Outcome) -> Outcome:
    """Write a source's rows as its part, where there are any, and return the outcome. Raises MachineError."""
    if rows:
        _write(job, rows, outcome)
    return outcome


def give_up(job: SourceJob, reason: str, message: str) -> Outcome:
    """Write the row of a source that cannot be done, where it has none yet, and return the outcome: failed.

    Raises MachineError for the disk.
    """
    outcome = Outcome(job.identity.source.source_id, failed=reason, message=message)
    if job.known.get(job.identity.real()) is None:
        _write(job, [RowMaker(job.identity, job.run_id).failed(reason, message)], outcome)
    return outcome


def _write(job: SourceJob, rows: Sequence[Row], outcome: Outcome) -> None:
    name = _name(job, rows)
    replaced = len(existing_part_ids(job.manifest / name))
    outcome.part = write_part(job.manifest, name, rows)
    outcome.rows = len(rows) - replaced


def file_sha256(source: Source) -> str | None:
    """Return the hex SHA-256 of a source's bytes, None when they cannot be read."""
    if source.data is not None:
        return hashlib.sha256(source.data).hexdigest()
    try:
        with Path(source.path or "").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if error.errno in {errno.EIO, errno.ENFILE, errno.EMFILE, errno.ESTALE}:
            raise MachineError(f"{source.path} could not be read ({error.strerror}).") from None
        return None


def _make_rows(job: SourceJob, models: Models) -> tuple[list[Row], Outcome]:
    identity, source = job.identity, job.identity.source
    outcome = Outcome(source.source_id)
    try:
        picture = read_source(source)
        identity = replace(identity, sha256=picture.sha256)
        crop = models.faces.find_face(picture.pixels, source)
        rows = _augment(identity, job, models, picture, crop, outcome)
    except MachineError:
        raise
    except SinganimationError as error:
        reason = error.reason if isinstance(error, PictureError) else "regeneration_failed"
        outcome = Outcome(source.source_id, failed=reason, message=str(error))
        if job.known.get(identity.real()) is not None:
            return [], outcome
        return [RowMaker(identity, job.run_id).failed(reason, str(error))], outcome
    return rows, outcome


def _augment(
    identity: Identity, job: SourceJob, models: Models, picture: Picture, crop: Crop, outcome: Outcome
) -> list[Row]:
    maker = RowMaker(identity, job.run_id)
    au_source = _source_units(identity, models, crop)
    donor_units = {} if identity.donors is None else units_of_donors(identity, models)
    works = plan_work(identity, job.known, au_source, donor_units)
    ship = Reframer(models.faces, picture, crop, identity.frame)
    outcome.notes = crop.notes
    if identity.settings.aus == "openface" and not identity.own_units:
        outcome.notes += ("no action units of OpenFace's: measured instead",)
    rows: list[Row] = []
    if job.known.get(identity.real()) != "accepted":
        image = encode_png(picture.pixels, picture.mode) if identity.settings.include_real else None
        rows.append(maker.real(picture.pixels.shape[:2], au_source, "; ".join(outcome.notes) or None, image))
    if not any(work.attempts or work.edit_id not in job.known for work in works):
        return rows
    works, edits, found = _edit(identity, models, crop, works, (au_source, donor_units))
    # whose edit is rejected now has no variants made; those of an earlier run stay as they are
    works = [
        replace(work, attempts=()) if each.fault and work.edit_id not in job.known else work
        for work, each in zip(works, found, strict=True)
    ]
    judge = VariantJudge(maker, models, ship, au_source, outcome)
    fitted = fit_edits(identity, models, works, edits)
    for index, (work, edit) in enumerate(zip(works, edits, strict=True)):
        new = work.edit_id not in job.known
        if new or work.attempts:
            shipped = ship(edit)
            if new:
                rows.append(maker.edit(work, au_source, shipped, found[index]))
                outcome.edits += 1
                outcome.edits_rejected += found[index].fault is not None
            learnt = as_learnt(edit, identity.settings.singan_size)
            rows += regenerate(fitted, index, work, ShippedEdit(edit, learnt, shipped.action_units), judge)
    return rows


def _edit(
    identity: Identity,
    models: Models,
    crop: Crop,
    works: Sequence[EditWork],
    units: tuple[np.ndarray, Mapping[str, np.ndarray]],
) -> tuple[Sequence[EditWork], np.ndarray, list[Expressed]]:
    """Draw the edits, uint8 (K, 128, 128, 3), and look at each; ``units`` are the source's AUs and its donors'.

    The works come back with what an edit of appearance turned out to be.
    """
    au_source, donor_units = units
    targets = np.array([work.target.action_units for work in works], np.float32)
    sides = np.array([work.target.sides or np.zeros(len(au_source)) for work in works], np.float32)
    edits = models.faces.expander.edit(crop.pixels, au_source, targets, sides, crop.seen).pictures
    works, edits, faults = dressed(identity, models, crop, works, edits)
    shown = canonical_label(identity.source)
    found = []
    for place, (work, edit) in enumerate(zip(works, edits, strict=True)):
        lacking = Expressed(fault=faults[place]) if place in faults else without_donor(work.target, donor_units)
        found.append(lacking or look_at(edit, crop, work.target, shown, au_source, models.judge))
    return works, edits, found


def _source_units(identity: Identity, models: Models, crop: Crop) -> np.ndarray:
    """Return the source's action units (17,): its own where it brings them and they are asked for, else measured."""
    if identity.own_units:
        return np.array(identity.source.action_units, np.float32)
    return models.faces.action_units(crop.pixels[None])[0]


def _name(job: SourceJob, rows: Sequence[Row]) -> str:
    """Name the part after its rows' ids: the same work gives the same name, other work another.

    A source whose failed row is there already keeps that row's part: the new rows take its place.
    """
    source, real = job.identity.source, job.identity.real()
    if job.known.get(real) == "failed" or [row.status for row in rows] == ["failed"]:
        return part_name(source.dataset, source.source_id, real, "failed")
    return part_name(source.dataset, source.source_id, *sorted(row.variant_id for row in rows))
