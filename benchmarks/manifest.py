"""How a manifest of a million rows is planned, resumed, scanned, verified and summed up: seconds and memory.

    OMP_NUM_THREADS=1 python benchmarks/manifest.py [--sources 20000] [--per-image 40] [--uncompacted 1000]

The rows are made up: real ids, labels and statuses, no pictures (a run also hashes each source's file, at the disk's
pace). Two folders: ten compacted files with all sources, and one small part a source for the first ``--uncompacted``
of them, from which the figures for all sources are extrapolated. Each measurement runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from singanimation.flows.job.resume import open_manifest
from singanimation.flows.job.todo import find_todo
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.remaining import plan_work
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import file_sha256
from singanimation.manifests.care.verify import verify
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.summary import summarize
from singanimation.manifests.write import part_name
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source
from singanimation.pipeline.runs import Run
from singanimation.pipeline.settings import Settings, make_settings

MODELS = Fingerprint("e" * 64, "benchmark", "a" * 64, "embedded", 1.0)
FILES = 10


def make_sources(count: int) -> list[Source]:
    """Make up sources whose bytes are a few letters."""
    return [
        Source(
            "made-up",
            name := f"train/{index:06d}.png",
            None,
            name,
            group_id=f"person-{index // 3}",
            label=EMOTIONS[index % 7],
            data=name.encode(),
        )
        for index in range(count)
    ]


def make_rows(identity: Identity) -> Iterator[dict[str, object]]:
    """Yield a finished source's rows: every tenth attempt was rejected."""
    source = identity.source
    label = EMOTIONS.index(source.label or "neutral")
    base: dict[str, object] = {
        "dataset": source.dataset,
        "source_id": source.source_id,
        "source_path": source.source_path,
        "source_sha256": identity.sha256,
        "split": "train",
        "group_id": source.group_id,
        "run_id": "run",
        "status": "accepted",
        "label": label,
        "label_name": source.label,
    }
    yield base | {"variant_id": identity.real(), "kind": "real"}
    for work in plan_work(identity, {}):
        aim = work.target
        edit = {"edit_kind": aim.kind, "edit_name": aim.name, "edit_strength": aim.strength}
        yield base | edit | {"variant_id": work.edit_id, "kind": "edit", "parent_id": identity.real()}
        row: dict[str, object] = base | edit | {"kind": "variant", "parent_id": work.edit_id, "engine": "fast"}
        lacking = work.quota
        for attempt in work.attempts:
            rejected = attempt.seed % 10 == 0
            told = {"status": "rejected", "reason": "sifid"} if rejected else {}
            yield row | {"variant_id": attempt.variant_id, "seed": attempt.seed, "start_scale": attempt.start} | told
            lacking -= not rejected
            if not lacking:
                break


def write(folder: Path, name: str, sources: list[Source], settings: Settings) -> int:
    """Write the rows of some sources as one file; return how many."""
    identities = (Identity(source, file_sha256(source), settings, MODELS) for source in sources)
    rows = [row for identity in identities for row in make_rows(identity)]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / name, compression="zstd", row_group_size=10_000)
    return len(rows)


def make_manifests(root: Path, sources: list[Source], settings: Settings, uncompacted: int) -> tuple[int, int]:
    """Write both folders; return their rows."""
    counts = []
    for folder, groups in (
        (root / "compacted", [[sources[i] for i in places] for places in np.array_split(range(len(sources)), FILES)]),
        (root / "uncompacted", [[source] for source in sources[:uncompacted]]),
    ):
        manifest = folder / "manifest"
        manifest.mkdir(parents=True)
        counts.append(sum(write(manifest, part_name(group[0].source_id), group, settings) for group in groups))
    return counts[0], counts[1]


def resume(output: Path, sources: list[Source], settings: Settings) -> str:
    """Do what a second run does before it finds that nothing is left."""
    (output / "runs").mkdir(exist_ok=True)
    run = Run("benchmark", output, output / "runs" / "benchmark", settings, datetime.now(UTC))
    todo = find_todo(run, sources, MODELS, open_manifest(output / "manifest"))
    todo.finished.save()
    return f"{todo.complete:,} complete, {len(todo):,} to do"


def measure(step: str, output: Path, sources: list[Source], settings: Settings) -> dict[str, object]:
    """Run one step and return its figures (peak memory: of this process, libraries included)."""
    steps: dict[str, Callable[[], object]] = {
        "libraries alone": lambda: "",
        "scan": lambda: f"{open_manifest(output / 'manifest').rows:,} rows",
        "resume, planned anew": lambda: resume(output, sources, settings),
        "resume, remembered": lambda: resume(output, sources, settings),
        "verify --no-pictures": lambda: "clean" if verify(output, pictures=False).clean else "faults",
        "summarize": lambda: f"{summarize(output)['accepted']:,} accepted",
    }
    wall, cpu = time.monotonic(), time.process_time()
    found = steps[step]()
    return {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "found": found, "peak": peak_megabytes()}


def peak_megabytes() -> float:
    """Return this process' largest resident memory (Linux; getrusage would tell the parent's, were that larger)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


STEPS = ("libraries alone", "scan", "resume, planned anew", "resume, remembered", "verify --no-pictures", "summarize")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=20_000)
    parser.add_argument("--per-image", type=int, default=40)
    parser.add_argument("--uncompacted", type=int, default=1000)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    settings = make_settings(input="made-up", per_image=asked.per_image)
    sources = make_sources(asked.sources)
    if asked.step:
        print(json.dumps(measure(asked.step, asked.folder, sources, settings)))
        return
    with tempfile.TemporaryDirectory() as root:
        began = time.process_time()
        rows = make_manifests(Path(root), sources, settings, asked.uncompacted)
        Console().print(f"{sum(rows):,} rows made up in {time.process_time() - began:.0f} CPU s.")
        show(Path(root), asked, rows)


def show(root: Path, asked: argparse.Namespace, rows: tuple[int, int]) -> None:
    """Measure each step on both folders and print the table."""
    table = Table(title=f"{asked.sources:,} sources")
    for name in ("manifest", "step", "CPU s", "wall s", "peak MB", "CPU s at all rows", "found"):
        table.add_column(name, justify="left" if name in ("manifest", "step", "found") else "right")
    for folder, count, sources in (("compacted", rows[0], asked.sources), ("uncompacted", rows[1], asked.uncompacted)):
        for step in STEPS:
            command = [
                sys.executable,
                __file__,
                "--step",
                step,
                "--folder",
                str(root / folder),
                "--sources",
                str(sources),
                "--per-image",
                str(asked.per_image),
            ]
            done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            extrapolated = done["cpu"] * asked.sources / sources
            files = FILES if folder == "compacted" else sources
            table.add_row(
                f"{count:,} rows, {files:,} files",
                step,
                f"{done['cpu']:.1f}",
                f"{done['wall']:.1f}",
                f"{done['peak']:.0f}",
                f"{extrapolated:.0f}",
                done["found"],
            )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
