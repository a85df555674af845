"""How the program around the models grows with the number of sources: planning, tasks, parts, Prefect's data base.

    python benchmarks/scale.py [--sources 5000] [--workers 64] [--seconds 15] [--faster 200]

The models are taken away: in place of worker processes, threads sleep the measured seconds of a source, ``--faster``
times shortened, and write one small part. What is left is real: reading a table of that many rows, hashing the files,
finding out what is to do, Prefect's server, flow and tasks, the manifest's parts, compaction, and a second run that
finds nothing to do. Prints what was measured, and what it comes to for a million sources.
"""

import argparse
import csv
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from singanimation.flows.job import job as jobs
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.progress import Reporter
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.outcome import Outcome, SourceJob
from singanimation.flows.source.work import give_up
from singanimation.manifests.care.compact import compact
from singanimation.pipeline.settings import make_settings

MODELS = Fingerprint("e" * 64, "simulated", "a" * 64, "embedded", 1.0)
MILLION = 1_000_000
_LINKS = 30_000  # file systems limit the names of one file
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


class SleepingPool:
    """In place of the worker processes: sleeps for each source and writes its part."""

    seconds = 0.0

    def __init__(self, *_: object) -> None:
        self.load = lambda: None
        self.at_most = lambda workers: None

    def fingerprint(self) -> Fingerprint:
        return MODELS

    def augment(self, job: SourceJob) -> Outcome:
        time.sleep(self.seconds)
        return give_up(job, "simulated", "no models were there")

    def close(self, *, now: bool = False) -> None:
        return None


def write_set(folder: Path, count: int) -> Path:
    """Write a table that names ``count`` pictures, all of the same few bytes; return its path."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "split", "person"])
        for index in range(count):
            place = folder / f"{index // 1000:04d}"
            place.mkdir(exist_ok=True)
            first = folder / f"whole-{index // _LINKS}.png"
            if index % _LINKS == 0:
                Image.fromarray(pixels).save(first)
            os.link(first, place / f"face-{index:07d}.png")
            table.writerow([f"{place.name}/face-{index:07d}.png", LABELS[index % 7], "train", f"person {index // 20}"])
    return folder / "faces.csv"


def run_once(table: Path, output: Path, workers: int) -> tuple[dict[str, float], int]:
    """Plan and work off; return seconds of wall and CPU by step, and the number of Prefect's tasks."""
    from singanimation.flows.commands.augment import work_off

    marks = [(time.monotonic(), time.process_time())]
    plan = plan_run(make_settings(input=str(table), output=output, workers=workers, per_image=8))
    marks.append((time.monotonic(), time.process_time()))
    with jobs.open_job(plan, Reporter(), "simulated") as job:
        tasks = len(job.chunks())
        marks.append((time.monotonic(), time.process_time()))
        work_off(job, Reporter())
        marks.append((time.monotonic(), time.process_time()))
    names = ("plan", "what is to do", "work")
    spent = {}
    for name, before, after in zip(names, marks, marks[1:], strict=False):
        spent[name], spent[f"{name}, CPU"] = after[0] - before[0], after[1] - before[1]
    return spent, tasks


def megabytes() -> float:
    """Return the most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Simulate, print, and say what a million comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15.0, help="what a source takes a worker")
    parser.add_argument("--faster", type=float, default=200.0, help="by how much the sleeping is shortened")
    asked = parser.parse_args()
    SleepingPool.seconds = asked.seconds / asked.faster
    setattr(jobs, "WorkerPool", SleepingPool)  # noqa: B010 - the type checker knows it as a class
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFECT_HOME"] = str(Path(folder) / "prefect")
        begin = megabytes()
        (Path(folder) / "faces").mkdir()
        table, output = write_set(Path(folder) / "faces", asked.sources), Path(folder) / "out"
        first, tasks = run_once(table, output, asked.workers)
        memory = megabytes() - begin
        data_base = sum(path.stat().st_size for path in Path(os.environ["PREFECT_HOME"]).glob("prefect.db*"))
        parts = list((output / "manifest").glob("part-*.parquet"))
        clock = time.monotonic()
        compact(output)
        compacting = time.monotonic() - clock
        second, _ = run_once(table, output, asked.workers)
    many = MILLION / asked.sources
    rows = [
        ("reading the table, CPU-s", first["plan, CPU"], many),
        ("hashing and finding what is to do, CPU-s", first["what is to do, CPU"], many),
        ("handing out and counting, CPU-s", first["work, CPU"], many),
        ("Prefect's tasks", tasks, many),
        ("Prefect's data base, MB", data_base / 1e6, many),
        ("memory beside the imports, MB", memory, many),
        ("parts", len(parts), many),
        ("compaction, s", compacting, many),
        ("a second run's start (nothing to do), CPU-s", second["plan, CPU"] + second["what is to do, CPU"], many),
        ("the work, s of wall", first["work"], None),
        ("its sleeping alone, s", asked.sources * SleepingPool.seconds / asked.workers, None),
    ]
    print(f"{'':<46}{asked.sources:>12,}{'a million':>14}")
    for name, value, times in rows:
        whole = f"{value * times:>14,.0f}" if times else ""
        print(f"{name:<46}{value:>12,.1f}{whole}")


if __name__ == "__main__":
    main()
