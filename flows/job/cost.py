"""What a run will cost, before it starts: time and disk, from figures measured once and stated here."""

import math
from dataclasses import dataclass
from pathlib import Path

from singanimation.pipeline.runs import free_bytes, human_bytes
from singanimation.pipeline.settings import Settings

# CPU-seconds on one core of the machine the figures were taken on (2 cores, no GPU), at 128 px and the engine's own
# iterations: an edit (patch and warp only calibrate), and a variant.
_EDIT_SECONDS = {"fast": 0.3, "reference": 15_500.0, "patch": 0.6, "warp": 0.05}
_DRAW_SECONDS = {"fast": 0.007, "reference": 0.05, "patch": 0.02, "warp": 0.002}
_DEFAULT_ITERATIONS = {"fast": 8, "reference": 2000, "patch": 1, "warp": 1}
# what else a variant costs: SIFID, action units, PNG
_JUDGE_SECONDS = 0.03
_SOURCE_SECONDS = 0.5
_START_SECONDS = 12.0
# Bytes: a 128 px PNG and its row; one part's own weight.
_CROP_PICTURE_BYTES = 34_000
_PART_BYTES = 12_000

CHUNK_SECONDS = 120.0
"""About this much work goes into one Prefect task (a task costs milliseconds, its record stays for ever)."""

MOST_TASKS = 1000
"""A run has no more: each leaves about 18 kB in Prefect's data base, whatever it did."""


@dataclass(frozen=True)
class Estimate:
    """``seconds`` of wall time and ``bytes`` on disk, both rough."""

    seconds: float
    bytes: int


def estimate_cost(sources: int, edits: int, variants: int, settings: Settings, workers: int) -> Estimate:
    """Estimate a run of so many sources, fitted edits and accepted variants."""
    engine = settings.engine
    share = (settings.singan_iterations or _DEFAULT_ITERATIONS[engine]) / _DEFAULT_ITERATIONS[engine]
    size = (settings.singan_size / 128) ** 2
    fits = edits * _EDIT_SECONDS[engine] * share * size
    work = fits + variants * (_DRAW_SECONDS[engine] + _JUDGE_SECONDS) + sources * _SOURCE_SECONDS
    return Estimate(
        _START_SECONDS + work / max(min(workers, sources), 1),
        (edits + variants) * _CROP_PICTURE_BYTES + sources * _PART_BYTES,
    )


def cut_into_tasks(count: int, settings: Settings, workers: int) -> list[tuple[int, int]]:
    """Cut ``count`` sources into ranges (first, last + 1) of CHUNK_SECONDS, MOST_TASKS, enough for all workers."""
    if not count:
        return []
    edits = min(settings.edits, settings.per_image)
    costs = [estimate_cost(n, n * edits, n * settings.per_image, settings, 1).seconds for n in (1, 2)]
    size = max(round(CHUNK_SECONDS / (costs[1] - costs[0])), math.ceil(count / MOST_TASKS), 1)
    size = min(size, max(math.ceil(count / (4 * workers)), 1))
    return [(first, min(first + size, count)) for first in range(0, count, size)]


def disk_warning(output: Path, needed: int) -> str | None:
    """Return a warning when the disk looks too small for what a run will write."""
    free = free_bytes(output)
    if free is None or needed <= free:
        return None
    return f"the run may need {human_bytes(needed)}, and the disk of {output} has {human_bytes(free)} free."
