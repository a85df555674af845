"""Counts of finished runs against the rows that are there: fewer are lost ones, more are strangers."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from singanimation.manifests.checks.findings import Fault, Verification

Runs = Counter[tuple[str, str, str]]
"""Rows by (run id, kind, status)."""

_AGAIN = "run the same command again, which makes lost rows anew"


@dataclass(frozen=True)
class _Told:
    """What one summary tells: variants accepted and rejected, and how many rows the manifest had at the run's end."""

    path: Path
    run_id: str
    started: str
    accepted: int
    rejected: int
    stopped: bool
    rows: int | None


def check_summaries(output: Path, runs: Runs, removed: "Removed", result: Verification) -> None:
    """Compare each finished run's summary with its rows; ``removed`` are those that were taken out on purpose.

    What an earlier run made and a later one had to make anew counts as the later one's: where the manifest has no
    fewer rows than the last run left, nothing that an earlier one tells of is lost.
    """
    told = list(_told(output, result))
    last = max((each for each in told if each.rows is not None), key=lambda each: each.started, default=None)
    whole = False
    if last is not None and last.rows is not None:
        missing = last.rows - result.rows - removed.rows_since(last.started)
        whole = missing <= 0
        if missing > 0:
            message = f"{missing:,} rows that were there when run {last.run_id} ended are gone."
            result.faults.append(Fault("summaries", message, _AGAIN))
    for each in told:
        fault = _fault(each, runs, removed, settled=whole and each is not last)
        if fault is not None:
            result.faults.append(fault)


class Removed:
    """Rows that ``augment prune`` and ``augment forget`` took out, as far as they have not been made anew since."""

    def __init__(self, rows: Mapping[str, list[tuple[str, str, str]]]) -> None:
        """``rows`` maps the time of a removal to (run id, kind, status) of each row that it took out for good."""
        self._rows = rows

    def rows_since(self, time: str) -> int:
        """Return how many rows went after ``time`` (ISO 8601, UTC)."""
        return sum(len(rows) for when, rows in self._rows.items() if when > time)

    def variants(self, run_id: str) -> Counter[str]:
        """Return how many variants of a run are gone, by status."""
        gone = (row for rows in self._rows.values() for row in rows)
        return Counter(status for run, kind, status in gone if run == run_id and kind == "variant")


def _told(output: Path, result: Verification) -> Iterator[_Told]:
    for path in sorted(output.glob("runs/*/summary.json")):
        try:
            summary: Any = json.loads(path.read_text(encoding="utf-8"))
            rows, stopped = summary.get("rows"), bool(summary.get("stopped"))
            # a run that was interrupted before its first source tells of no variants
            variants = summary["variants"] if not stopped else summary.get("variants", {"accepted": 0, "rejected": {}})
            yield _Told(
                path,
                str(summary["run_id"]),
                str(summary.get("started", "")),
                int(variants["accepted"]),
                sum(map(int, variants["rejected"].values())),
                stopped,
                int(rows["after"]) if rows is not None else None,
            )
        except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            message = f"{path} has not the form of a run's summary."
            result.faults.append(Fault("summaries", message, "remove it; it only tells what its run did"))


def _fault(told: _Told, runs: Runs, removed: Removed, *, settled: bool) -> Fault | None:
    found = {status: runs[told.run_id, "variant", status] for status in ("accepted", "rejected")}
    gone = removed.variants(told.run_id)
    accepted, rejected = (max(count - gone[status], 0) for status, count in _counts(told))
    expected, there = accepted + rejected, sum(found.values())
    # --retry-failed may since have turned rejected ones into accepted ones, never the reverse
    fewer = there < expected or found["accepted"] < accepted
    if (fewer and not settled) or (there > expected and not told.stopped):
        message = (
            f"{told.path} tells of {told.accepted:,} accepted and {told.rejected:,} rejected variants, the manifest "
        )
        message += f"holds {found['accepted']:,} and {found['rejected']:,} of that run"
        message += f", {sum(gone.values()):,} were removed since." if gone else "."
        return Fault("summaries", message, _AGAIN if fewer else "")
    return None


def _counts(told: _Told) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("accepted", told.accepted), ("rejected", told.rejected)
