"""How the program around the models grows with the number of sources: planning, tasks, parts, Prefect's data base.

    python benchmarks/scale.py [--sources 4000] [--workers 64] [--seconds 15] [--faster 200]

The models are taken away: in place of worker processes, threads sleep the measured seconds of a source, ``--faster``
times shortened, and write a small part without pictures. What is left is real: reading a table of that many rows,
hashing the files, finding out what is to do, Prefect's server, flow and tasks, the manifest's parts, compaction, and a
second run that finds nothing to do. Two sizes, a quarter of ``--sources`` and all; a million is the line through them
(tasks are never more than 1,000, whatever the line says). Prints what was measured.
"""

import argparse
import csv
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas
import psutil
import pyarrow as pa
from manifest import make_rows
from PIL import Image

from singanimation.flows.job import job as jobs
from singanimation.flows.job import pools
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.progress import Reporter
from singanimation.flows.models import Fingerprint
from singanimation.flows.prefect_server.server import prepare_environment
from singanimation.flows.source.outcome import Outcome, SourceJob
from singanimation.manifests.care.compact import compact
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import part_name, write_table
from singanimation.pipeline.settings import make_settings
from singanimation.pipeline.system import process_context

MODELS = Fingerprint("e" * 64, "simulated", "a" * 64, "embedded", 1.0)
MILLION = 1_000_000
_LINKS = 30_000  # file systems limit the names of one file
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


class SleepingPool:
    """In place of the worker processes: sleeps for each source and writes a part, made-up rows without pictures."""

    seconds = 0.0

    def __init__(self, settings: object, workers: int, loader: str) -> None:
        self.workers = workers
        self.load = lambda: None
        self.at_most = lambda workers: None

    def fingerprint(self) -> Fingerprint:
        return MODELS

    def augment(self, job: SourceJob) -> Outcome:
        time.sleep(self.seconds)
        rows = list(make_rows(job.identity))
        source = job.identity.source
        part = job.manifest / part_name(source.dataset, source.source_id)
        write_table(part, pa.Table.from_pylist(rows, schema=SCHEMA))
        kinds = Counter(row["kind"] for row in rows if row["status"] == "accepted")
        return Outcome(source.source_id, kinds["variant"], edits=kinds["edit"], part=part, rows=len(rows))

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
    """Plan and work off; return seconds of wall and CPU and the memory in use by step, and the number of tasks."""
    from singanimation.flows.commands.augment import work_off

    marks = [_mark()]
    plan = plan_run(make_settings(input=str(table), output=output, workers=workers, per_image=8))
    marks.append(_mark())
    with jobs.open_job(plan, Reporter(), "simulated") as job:
        tasks = len(job.chunks())
        marks.append(_mark())
        work_off(job, Reporter())
        marks.append(_mark())
    names = ("plan", "what is to do", "work")
    spent = {}
    for name, before, after in zip(names, marks, marks[1:], strict=False):
        spent[name], spent[f"{name}, CPU"] = after[0] - before[0], after[1] - before[1]
        spent[f"{name}, MB"] = after[2]
    return spent, tasks


def _mark() -> tuple[float, float, float]:
    """Return seconds of wall and of CPU, and the megabytes in use."""
    return time.monotonic(), time.process_time(), psutil.Process().memory_info().rss / 1e6


def import_all() -> None:
    """Import what a run imports as it goes, Prefect above all: what is measured then is the sources' own."""
    from singanimation.flows import augment as augment
    from singanimation.flows.commands import augment as command

    assert augment and command and pandas


def measure(sources: int, workers: int, seconds: float) -> dict[str, float]:
    """Return what so many sources cost, by its name in the table; in a process of its own."""
    SleepingPool.seconds = seconds
    setattr(pools, "WorkerPool", SleepingPool)  # noqa: B010 - the type checker knows it as a class
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFECT_HOME"] = str(Path(folder) / "prefect")
        prepare_environment()
        import_all()
        begin = _mark()[2]
        (Path(folder) / "faces").mkdir()
        table, output = write_set(Path(folder) / "faces", sources), Path(folder) / "out"
        first, tasks = run_once(table, output, workers)
        data_base = sum(path.stat().st_size for path in Path(os.environ["PREFECT_HOME"]).glob("prefect.db*"))
        parts = list((output / "manifest").glob("part-*.parquet"))
        clock = time.process_time()
        compact(output)
        compacting = time.process_time() - clock
        second, _ = run_once(table, output, workers)
        left = list((output / "manifest").glob("part-*.parquet"))
    return {
        "reading the table, CPU-s": first["plan, CPU"],
        "hashing and finding what is to do, CPU-s": first["what is to do, CPU"],
        "handing out, parts, counting, CPU-s": first["work, CPU"],
        "Prefect's tasks": tasks,
        "Prefect's data base, MB": data_base / 1e6,
        "memory beside the libraries: planned, MB": first["plan, MB"] - begin,
        "the same, when it is known what to do, MB": first["what is to do, MB"] - begin,
        "the same, at the end, MB": first["work, MB"] - begin,
        "parts": len(parts),
        "parts after compaction": len(left),
        "compaction, CPU-s": compacting,
        "a second run's start (nothing to do), CPU-s": second["plan, CPU"] + second["what is to do, CPU"],
        "the work, s of wall": first["work"],
        "its sleeping alone, s": sources * seconds / workers,
    }


def main() -> None:
    """Simulate two sizes, print them, and say what a million comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=4_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15.0, help="what a source takes a worker")
    parser.add_argument("--faster", type=float, default=200.0, help="by how much the sleeping is shortened")
    asked = parser.parse_args()
    sizes = (max(asked.sources // 4, 1), asked.sources)
    found = []
    for size in sizes:
        with ProcessPoolExecutor(1, mp_context=process_context()) as process:
            found.append(process.submit(measure, size, asked.workers, asked.seconds / asked.faster).result())
    print(f"{'':<46}{sizes[0]:>12,}{sizes[1]:>12,}{'a million':>14}")
    for name, few in found[0].items():
        many = found[1][name]
        whole = many + (many - few) / (sizes[1] - sizes[0]) * (MILLION - sizes[1])
        print(f"{name:<46}{few:>12,.1f}{many:>12,.1f}{whole:>14,.0f}")


if __name__ == "__main__":
    main()
