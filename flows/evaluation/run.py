"""`augment evaluate OUT`, from reading to files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from singanimation.flows.evaluation.gathering import gather
from singanimation.flows.evaluation.identity import identity_table, load_identity
from singanimation.flows.evaluation.manifest import agreement_table, people_table, tables_of
from singanimation.flows.evaluation.pictures import picture_table
from singanimation.flows.evaluation.plots import write_plots
from singanimation.flows.evaluation.tables import Table, markdown, write_tables
from singanimation.flows.report.thumbnails import decoded
from singanimation.flows.source.reframing import resized
from singanimation.flows.study.plan import Shown
from singanimation.flows.study.score import confusion_rates
from singanimation.flows.study.store import load_study, read_answers
from singanimation.manifests.reading import iter_tables, part_paths

_FEWEST = 5
"""A rank correlation is printed over at least so many variants."""


def evaluate_output(
    output: Path, folder: Path, most: int = 50, judge: Path | None = None, identity: Path | None = None
) -> str:
    """Measure a manifest, write its tables and plots into ``folder``, and return them as Markdown.

    ``most`` edits of each engine and start have their pictures measured; ``judge`` is an expression classifier's file,
    ``identity`` a face-identity network's (ONNX).
    Raises ManifestError, WeightsError, MachineError.
    """
    figures = gather(output)
    tables = tables_of(figures)
    if most:
        pictures = picture_table(output, most)
        tables += [pictures] if pictures.rows else []
    if judge is not None:
        tables.append(_agreement(output, judge, most))
    if identity is not None:
        tables.append(identity_table(output, load_identity(identity), max(most, 1)))
    tables += _people(output)
    write_tables(folder, tables)
    write_plots(folder, figures)
    return markdown(tables)


def _agreement(output: Path, judge: Path, most: int) -> Table:
    from singanimation.flows.models import load_judge

    return agreement_table(output, load_judge(judge), lambda png: _square(decoded(png)), max(most, 1))


def _square(picture: np.ndarray) -> np.ndarray:
    """Return a shipped picture as the judge sees crops: (128, 128, 3), its middle square."""
    edge = min(picture.shape[:2])
    top, left = (picture.shape[0] - edge) // 2, (picture.shape[1] - edge) // 2
    return resized(np.ascontiguousarray(picture[top : top + edge, left : left + edge]), 128)


def _people(output: Path) -> Iterator[Table]:
    """Yield a table for each real-or-fake study below the output folder that has answers."""
    for kind in ("unpaired", "paired"):
        folder = output / f"study-{kind}"
        answers = read_answers(folder)
        if not answers:
            continue
        study = load_study(folder)
        taken: dict[str, list[bool]] = {}
        for answer in answers:
            trial = study.trials[answer["trial"]]
            if trial.scale and not trial.tutorial:
                name = trial.pictures[0 if trial.answer != "right" else 1]
                taken.setdefault(name, []).append(answer["answer"] != trial.answer)
        yield people_table(confusion_rates(study, answers), _correlation(output, taken))


def _correlation(output: Path, taken: dict[str, list[bool]]) -> tuple[float, int] | None:
    """Return Spearman's rank correlation of SIFID and how often a variant was taken for real, and over how many."""
    pairs = []
    columns = ("kind", "status", "image", "source_path", "label_name", "start_scale", "sifid")
    for _, table in iter_tables(part_paths(output), columns, status="accepted", kind="variant"):
        for row in table.to_pylist():
            shown = Shown(row["image"]["bytes"], True, row["source_path"], row["label_name"], row["start_scale"])
            if shown.name in taken and row["sifid"] is not None:
                pairs.append((row["sifid"], float(np.mean(taken[shown.name]))))
    values = np.array(pairs)
    if len(pairs) < _FEWEST or (values.std(0) == 0).any():
        return None
    found = spearmanr(values[:, 0], values[:, 1])
    return float(np.asarray(found[0])), len(pairs)
