"""What a report says of a manifest, as plain values: counts, distributions, warnings, and a row a picture."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.report.thumbnails import decoded
from singanimation.manifests.care.verify import verify
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.manifests.summary import summarize
from singanimation.pipeline.expressions import AU_NAMES

COLUMNS = (
    "variant_id",
    "kind",
    "parent_id",
    "image",
    "image_sha256",
    "dataset",
    "source_id",
    "source_path",
    "split",
    "group_id",
    "licence",
    "label_name",
    "source_label",
    "edit_kind",
    "edit_name",
    "edit_strength",
    "edit_form",
    "edit_donor",
    "au_source",
    "au_target",
    "au_measured",
    "engine",
    "start_scale",
    "sifid",
    "sifid_features",
    "status",
    "reason",
    "message",
)
"""What a report reads of each row."""

_SHOWN = (
    ("split", "split"),
    ("label_name", "label"),
    ("edit_kind", "edit"),
    ("edit_name", "name"),
    ("edit_form", "form"),
    ("edit_donor", "donor"),
    ("engine", "engine"),
    ("start_scale", "scale"),
    ("status", "status"),
    ("reason", "reason"),
    ("message", "message"),
)
_BINS = 24
_MOST_MEASURED = 200
"""Edits whose variants' diversity is measured, from at most ``_DRAWS`` of each."""
_DRAWS = 8


@dataclass
class Content:
    """A report's content.

    ``rows`` are the pictures' plain values in the manifest's order, ``pictures`` their PNG bytes; ``units`` an edit's
    source and target AUs by its row; ``figures`` maps a distribution's name to its values by group; ``runs`` are what
    the runs were asked and said, the latest last; ``counts`` is ``summarize``'s; ``omitted`` counts rows left out.
    """

    name: str
    counts: Mapping[str, Any]
    runs: list[dict[str, Any]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[bytes | None] = field(default_factory=list)
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    units: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    omitted: int = 0


def read_content(output: Path, most: int) -> Content:
    """Read a manifest's rows for a report, the pictures of the first ``most`` rows in it (of whole sources).

    Raises ManifestError where there is no manifest or a part is damaged.
    """
    content = Content(output.absolute().name, summarize(output), list(read_runs(output)))
    licences: Counter[str] = Counter()
    figures: dict[str, dict[str, list[float]]] = {"SIFID": {}, "AU error of edits": {}, "AU error of variants": {}}
    number: dict[str, int] = {}
    full = False
    for row in _rows(output):
        licences[row["licence"] or "not stated"] += 1
        _measure(row, figures)
        # only whole sources: the first one beyond the limit closes the gallery
        full = full or (len(content.rows) >= most and row["kind"] == "real")
        if full:
            content.omitted += 1
            continue
        number[row["variant_id"]] = len(content.rows)
        content.rows.append(_plain(row, number))
        content.pictures.append((row["image"] or {}).get("bytes"))
        if row["kind"] == "edit" and row["au_source"] is not None and row["au_target"] is not None:
            pair = np.array(row["au_source"], np.float32), np.array(row["au_target"], np.float32)
            content.units[len(content.rows) - 1] = pair
    figures["diversity of an edit's variants"] = _diversities(content)
    content.figures, content.licences = figures, dict(licences.most_common())
    content.warnings = [*_said(content.runs), *_faults(output), *_of_licences(licences)]
    return content


def target_units(content: Content, most: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return the first ``most`` edits' source and target action units, by the index of their row."""
    return dict(list(content.units.items())[:most])


def histogram(groups: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    """Return ``edges`` and each group's ``counts`` and ``median`` over common bins; None where nothing was measured."""
    every = np.array([value for values in groups.values() for value in values if np.isfinite(value)])
    if not len(every):
        return None
    top = float(np.quantile(every, 0.995)) or 1.0
    edges = np.linspace(0, top, _BINS + 1)
    series = {}
    for name, values in groups.items():
        finite = np.array([value for value in values if np.isfinite(value)])
        counts = np.histogram(np.clip(finite, 0, top), edges)[0]
        series[name] = {"counts": counts.tolist(), "median": float(np.median(finite)), "number": len(finite)}
    return {"top": top, "series": series, "highest": max(max(each["counts"]) for each in series.values())}


def _rows(output: Path) -> Iterator[dict[str, Any]]:
    """Yield rows source by source: the real row, then each edit with its variants."""
    for _, table in iter_tables(part_paths(output), COLUMNS):
        rows = table.to_pylist()
        order = {row["variant_id"]: index for index, row in enumerate(rows)}
        sources = {}
        for index, row in enumerate(rows):
            sources.setdefault((row["dataset"], row["source_id"]), index)

        def place(
            row: dict[str, Any], order: dict[str, int] = order, sources: dict[Any, int] = sources
        ) -> tuple[int, int, int]:
            own = order[row["variant_id"]]
            edit = own if row["kind"] != "variant" else order.get(row["parent_id"], own)
            return sources[row["dataset"], row["source_id"]], -1 if row["kind"] == "real" else edit, own

        yield from sorted(rows, key=place)


def _diversities(content: Content) -> dict[str, list[float]]:
    """Return by engine how much the accepted variants of an edit differ (``stages.singan.diversity``)."""
    from singanimation.stages.singan.diversity import diversity
    from singanimation.stages.singan.tensors import to_tensor

    drawn: dict[int, list[int]] = {}
    for index, row in enumerate(content.rows):
        if row["kind"] == "variant" and row["status"] == "accepted" and row["parent"] is not None:
            drawn.setdefault(row["parent"], []).append(index)
    found: dict[str, list[float]] = {}
    for edit, variants in list(drawn.items())[:_MOST_MEASURED]:
        pictures = [decoded(content.pictures[index]) for index in (edit, *variants[:_DRAWS])]
        if len(pictures) > 2 and len({picture.shape for picture in pictures}) == 1 and min(pictures[0].shape[:2]) >= 32:
            tensors = to_tensor(np.stack(pictures), "cpu")
            engine = content.rows[variants[0]].get("engine", "unknown")
            found.setdefault(engine, []).append(diversity(tensors[1:], tensors[:1]))
    return found


def _plain(row: Mapping[str, Any], number: Mapping[str, int]) -> dict[str, Any]:
    plain = {short: row[name] for name, short in _SHOWN if row[name] is not None}
    if row["kind"] == "real":
        plain["label"] = row["label_name"] or row["source_label"]
    plain |= {"kind": row["kind"], "source": row["source_path"], "parent": number.get(row["parent_id"])}
    for name in ("edit_strength", "sifid"):
        if row[name] is not None:
            plain[name.removeprefix("edit_")] = round(float(row[name]), 5)
    error = _au_error(row)
    if error is not None:
        plain["au_error"] = round(error, 3)
    return plain


def _measure(row: Mapping[str, Any], figures: dict[str, dict[str, list[float]]]) -> None:
    error = _au_error(row)
    if row["kind"] == "edit" and error is not None:
        figures["AU error of edits"].setdefault(row["edit_kind"], []).append(error)
    if row["kind"] == "variant":
        group = f"{row['start_scale']}, {row['status']}"
        if row["sifid"] is not None:
            figures["SIFID"].setdefault(group, []).append(float(row["sifid"]))
        if error is not None:
            figures["AU error of variants"].setdefault(group, []).append(error)


def _au_error(row: Mapping[str, Any]) -> float | None:
    """Return the mean absolute difference of asked and measured action units, of those that the edit changes."""
    if row["kind"] == "real" or any(row[name] is None for name in ("au_source", "au_target", "au_measured")):
        return None
    source, target, measured = (np.array(row[name], float) for name in ("au_source", "au_target", "au_measured"))
    asked = np.abs(target - source) > 0.05
    if len(target) != len(AU_NAMES) or not asked.any():
        return None
    return float(np.abs(target - measured)[asked].mean())


def read_runs(output: Path) -> Iterator[dict[str, Any]]:
    """Yield what each run was asked and said, in the order of their ids; files that cannot be read are left out."""
    folder = output if (output / "runs").is_dir() else output.absolute().parent
    for settings in sorted((folder / "runs").glob("*/settings.json")):
        run: dict[str, Any] = {"id": settings.parent.name}
        for name in ("settings", "summary"):
            try:
                run[name] = json.loads((settings.parent / f"{name}.json").read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                run[name] = {}
        if isinstance(run["settings"], dict) and isinstance(run["summary"], dict):
            yield run


def _said(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the runs' models had to say: what was used in place of what, once each."""
    notes = [note for run in runs for note in (run["summary"].get("models") or {}).get("notes", [])]
    return list(dict.fromkeys(str(note) for note in notes))


def _faults(output: Path) -> list[str]:
    return [f"{fault.check}: {fault.message}" for fault in verify(output, pictures=False).faults]


def _of_licences(licences: Mapping[str, int]) -> list[str]:
    missing = licences.get("not stated", 0)
    said = [f"{missing:,} rows carry no licence of their source."] if missing else []
    return [*said, "Synthetic pictures are arguably derived from their sources: the sources' licences hold for them."]
