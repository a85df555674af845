"""Tables of an evaluation, and how they leave: JSON, CSV, Markdown, LaTeX."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from singanimation.pipeline.files.atomic import atomic_file

DRAWS = 2000
_LATEX = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "\\": r"\textbackslash{}"})


@dataclass(frozen=True)
class Table:
    """Rows of values under ``columns``; ``name`` is its file's, ``note`` says what the figures are."""

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Mean:
    """A mean with its 95% interval, of ``number`` values from ``groups`` independent groups (sources)."""

    mean: float
    low: float
    high: float
    number: int
    groups: int


def mean_of(groups: Mapping[Any, Sequence[float]]) -> Mean:
    """Return the mean over groups' means with its 95% bootstrap interval (percentile, 2,000 resamplings of groups).

    Variants of one source are alike: sources are what is resampled. With one group the interval is not a number.
    """
    return _mean(np.array([np.mean(group) for group in groups.values()]), sum(map(len, groups.values())))


def mean_by(groups: np.ndarray, values: np.ndarray) -> Mean:
    """Return what ``mean_of`` does for ``values`` (N,) of the ``groups`` (N,) that whole numbers name."""
    _, firsts, places = np.unique(groups, return_index=True, return_inverse=True)
    means = np.bincount(places, values) / np.bincount(places)
    return _mean(means[np.argsort(firsts)], len(values))  # in the order in which the groups came


def _mean(values: np.ndarray, number: int) -> Mean:
    if len(values) < 2:
        return Mean(float(values.mean()), float("nan"), float("nan"), number, len(values))
    random = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=DRAWS, method="percentile", batch=100, rng=random)
    low, high = found.confidence_interval
    return Mean(float(values.mean()), float(low), float(high), number, len(values))


def shown(value: Any) -> str:
    """Return a value as tables show it: three significant digits, its interval if it has one, nothing for None."""
    if isinstance(value, Mean):
        if value.groups < 2:  # of one source there is no interval
            return f"{value.mean:.3g}"
        return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)


def markdown(tables: Sequence[Table]) -> str:
    """Return all tables as Markdown."""
    parts = []
    for table in tables:
        head = f"## {table.title}\n\n{table.note}\n\n"
        lines = [table.columns, ["---"] * len(table.columns)]
        lines += [[shown(value).replace("|", "\\|") for value in row] for row in table.rows]
        parts.append(head + "\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def latex(tables: Sequence[Table]) -> str:
    """Return all tables as LaTeX (``booktabs``)."""
    parts = []
    for table in tables:
        rows = [[shown(value).translate(_LATEX) for value in row] for row in table.rows]
        body = " \\\\\n".join(" & ".join(row) for row in rows)
        head = " & ".join(column.translate(_LATEX) for column in table.columns)
        parts.append(
            "\\begin{table}\n\\centering\n"
            f"\\caption{{{table.title.translate(_LATEX)}. {table.note.translate(_LATEX)}}}\n"
            f"\\begin{{tabular}}{{{'l' * len(table.columns)}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body} \\\\\n"
            "\\bottomrule\n\\end{tabular}\n\\end{table}"
        )
    return "\n\n".join(parts) + "\n"


def write_tables(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Write ``evaluation.json``, ``.md`` and ``.tex``, and a CSV a table; return the files. Raises MachineError."""
    content = {
        table.name: [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows] for table in tables
    }
    files = {
        "evaluation.json": json.dumps(content, indent=2),
        "evaluation.md": markdown(tables),
        "evaluation.tex": latex(tables),
        **{f"{table.name}.csv": _csv(table) for table in tables},
    }
    for name, text in files.items():
        with atomic_file(folder / name) as file:
            file.write(text.encode())
    return [folder / name for name in files]


def _plain(value: Any) -> Any:
    if isinstance(value, Mean):
        return {name: _plain(getattr(value, name)) for name in ("mean", "low", "high", "number", "groups")}
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def _csv(table: Table) -> str:
    """One line a row; a mean becomes its mean, low and high in columns of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    first = table.rows[0] if table.rows else [None] * len(table.columns)
    wide = [isinstance(value, Mean) for value in first]
    writer.writerow(
        [
            name
            for column, split in zip(table.columns, wide, strict=True)
            for name in ((column, f"{column} low", f"{column} high") if split else (column,))
        ]
    )
    for row in table.rows:
        cells: list[Any] = []
        for value in row:
            cells += [value.mean, value.low, value.high] if isinstance(value, Mean) else [value]
        writer.writerow(cells)
    return out.getvalue()
