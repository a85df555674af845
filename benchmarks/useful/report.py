"""Runs into tables: means, paired differences with intervals, as Markdown, JSON and a plot."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from singanimation.pipeline.expressions import EMOTION_INDEX
from useful.figures import Interval, confusion, macro_f1, over_seeds, over_seeds_and_people, recalls

BASE = "real + classic"
RARE = ("surprise", "disgust", "sadness", "anger")
COMMON = ("happiness", "neutral")


class Seen(NamedTuple):
    """What a network saw in one set's tested pictures: the classes (N,), the true ones (N,), and the people (N,)."""

    answers: np.ndarray
    truth: np.ndarray
    people: np.ndarray


Runs = Mapping[tuple[str, str], Mapping[int, Mapping[str, Seen]]]
"""(setting, arm) -> seed -> test set -> what was seen."""


def gathered(lines: Iterable[Mapping[str, Any]], tests: Mapping[str, Mapping[str, Any]]) -> Runs:
    """Order the lines of ``runs.jsonl`` by setting and arm, in the order in which they were first run.

    ``tests`` gives each set's ``truth`` (a digit a picture) and ``people``. The folds of a set count as one set.
    """
    runs: dict[tuple[str, str], dict[int, dict[str, Seen]]] = defaultdict(dict)
    for line in lines:
        runs[line["setting"], line["arm"]][line["seed"]] = {
            name.partition(", fold")[0]: Seen(
                _digits(text), _digits(tests[name]["truth"]), np.array(tests[name]["people"])
            )
            for name, text in line["answers"].items()
        }
    return runs


def rows_of(runs: Runs) -> list[dict[str, Any]]:
    """Return a row a setting, arm and test set: its mean, and its paired differences to real + classic.

    Seeds that real + classic lacks are left out of the differences.
    """
    rows = []
    for (setting, arm), by_seed in runs.items():
        base = runs.get((setting, BASE), {})
        for name in dict.fromkeys(name for seen in by_seed.values() for name in seen):
            mine = {seed: seen[name] for seed, seen in sorted(by_seed.items()) if name in seen}
            row = {"setting": setting, "arm": arm, "test": name, "seeds": len(mine), **_means(list(mine.values()))}
            shared = [seed for seed in mine if name in base.get(seed, {})]
            if arm != BASE and shared:
                row |= {"paired": len(shared)}
                row |= _differences([mine[seed] for seed in shared], [base[seed][name] for seed in shared])
            rows.append(row)
    return rows


def _digits(text: str) -> np.ndarray:
    return np.array(list(map(int, text)))


def _counts(seen: Sequence[Seen]) -> np.ndarray:
    return np.stack([confusion(each.truth, each.answers) for each in seen])


def _means(seen: Sequence[Seen]) -> dict[str, Any]:
    counts = _counts(seen)
    found = recalls(counts).mean(0)
    return {
        "macro_f1": float(macro_f1(counts).mean()),
        "macro_f1_seven": float(macro_f1(counts, ()).mean()),
        "accuracy": float(np.mean([(each.answers == each.truth).mean() for each in seen])),
        "recall": {name: None if np.isnan(found[at]) else float(found[at]) for name, at in EMOTION_INDEX.items()},
    }


def _differences(seen: Sequence[Seen], others: Sequence[Seen]) -> dict[str, Any]:
    mine, base = _counts(seen), _counts(others)
    gained = recalls(mine) - recalls(base)
    found = {
        "gain": over_seeds(macro_f1(mine) - macro_f1(base)),
        "rare_recall_gain": over_seeds(_mean_of(gained, RARE)),
        "common_recall_gain": {name: over_seeds(gained[:, EMOTION_INDEX[name]]) for name in COMMON},
    }
    if all(np.array_equal(each.people, seen[0].people) for each in seen):  # one test, not folds
        first, second = (np.stack([each.answers for each in part]) for part in (seen, others))
        found["gain_people"] = over_seeds_and_people(seen[0].truth, seen[0].people, first, second)
    return found


def _mean_of(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    return np.nanmean(values[:, [EMOTION_INDEX[name] for name in names]], 1)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one table a setting: the arms, and a column of macro-F1 and gain for every test set."""
    lines: list[str] = []
    tests = list(dict.fromkeys(row["test"] for row in rows))
    for setting in dict.fromkeys(row["setting"] for row in rows):
        lines += [f"### {_heading(setting)}", "", "| trained on | seeds | " + " | ".join(tests) + " | rare recall |"]
        lines.append("|---|---:|" + "---|" * len(tests) + "---|")
        for arm in dict.fromkeys(row["arm"] for row in rows if row["setting"] == setting):
            here = {row["test"]: row for row in rows if (row["setting"], row["arm"]) == (setting, arm)}
            cells = [_cell(here[test]) if test in here else "" for test in tests]
            first = here[tests[0]]
            rare = _signed(first["rare_recall_gain"]) if "rare_recall_gain" in first else ""
            lines.append(f"| {arm} | {first['seeds']} | " + " | ".join(cells) + f" | {rare} |")
        lines.append("")
    return "\n".join(lines)


def _heading(setting: str) -> str:
    return f"{setting} pictures a class" if setting.isdigit() else setting


def _cell(row: Mapping[str, Any]) -> str:
    return f"{row['macro_f1']:.3f}" + (f" ({_signed(row['gain'])})" if "gain" in row else "")


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the gains with their intervals, a panel a setting and test set. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    compared = [row for row in rows if "gain" in row]
    settings, tests = (list(dict.fromkeys(row[key] for row in compared)) for key in ("setting", "test"))
    arms = {s: list(dict.fromkeys(row["arm"] for row in compared if row["setting"] == s))[::-1] for s in settings}
    heights = [len(arms[setting]) + 2 for setting in settings]
    figure, axes = plt.subplots(
        len(settings),
        len(tests),
        figsize=(3 + 2.4 * len(tests), 0.6 + 0.17 * sum(heights)),
        sharey="row",
        sharex="col",
        squeeze=False,
        height_ratios=heights,
    )
    for row in compared:
        panel = axes[settings.index(row["setting"])][tests.index(row["test"])]
        mean, low, high = row["gain"]
        place = arms[row["setting"]].index(row["arm"])
        panel.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", ms=3, color="C0")
    for setting, panels in zip(settings, axes, strict=True):
        for test, panel in zip(tests, panels, strict=True):
            panel.axvline(0, color="0.6", lw=0.8)
            panel.set_yticks(range(len(arms[setting])), arms[setting], fontsize=6)
            panel.set_ylim(-0.7, len(arms[setting]) - 0.3)
            panel.tick_params(axis="x", labelsize=6)
            panel.set_title(f"{_heading(setting)}, {test}", fontsize=7)
    figure.supxlabel(f"macro-F1 (six classes) less that of {BASE}; 95% over seeds", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_report(output: Path, lines: Iterable[Mapping[str, Any]], tests: Mapping[str, Mapping[str, Any]]) -> str:
    """Write ``report.md``, ``report.json`` and ``report.png`` into ``output``; return the Markdown."""
    rows = rows_of(gathered(lines, tests))
    text = markdown(rows)
    (output / "report.md").write_text(text, encoding="utf-8")
    (output / "report.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if any("gain" in row for row in rows):
        plot(rows, output / "report.png")
    return text
