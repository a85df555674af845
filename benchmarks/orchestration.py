"""What a run costs beside its work: until the first source, after the last one, and in Prefect's server.

    python benchmarks/orchestration.py [--sources 200] [--seconds 1.5] [--repeats 1] [--beside OTHER_CHECKOUT]

Small fake models (those of the tests) take the place of the networks: a source sleeps ``--seconds`` (the patch engine,
the cheapest, takes about 1.5 on one core) and computes nearly nothing. ``working`` is how long the workers say they
were at sources, divided among them; what the wall clock shows beyond is the program's own: Python's and Prefect's
imports, processes, tasks, records. With ``--beside`` another checkout's runs take turns with this one's. Prints a
line a run and the medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "flows"
sys.path.insert(0, str(FAKES))

from fake_models import write_faces  # noqa: E402

HEAD = "checkout      first source  after last     wall  working  overhead   CPU-s"


@dataclass(frozen=True)
class Costs:
    """Wall seconds until the first source was begun, from the last part to the end, in all, of a worker at sources;

    CPU seconds.
    """

    first: float
    last: float
    wall: float
    working: float
    cpu: float

    def line(self, name: str) -> str:
        share = (self.wall - self.working) / self.wall
        return (
            f"{name:<12}{self.first:>12.1f} s{self.last:>10.1f} s{self.wall:>7.1f} s{self.working:>7.1f} s"
            f"{share:>10.1%}{self.cpu:>8.1f}"
        )


def run_once(checkout: Path, faces: Path, home: Path, seconds: float, workers: int) -> Costs:
    """Run over all faces into a new folder and look at the clock when the first and the last part are there."""
    fakes = checkout / "tests" / "flows"
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "out" / "manifest"
        command = [sys.executable, str(fakes / "fake_augment.py"), "--input", str(faces), "--quiet"]
        command += ["--output", str(manifest.parent), "--per-image", "1", "--edits", "1"]
        command += ["--workers", str(workers), "--singan-iterations", str(round(seconds * 100))]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(fakes), str(checkout / "src")]),
            "PREFECT_HOME": str(home),
        }
        count = len(list(faces.glob("train/*/*.png")))
        began, first, last = time.monotonic(), 0.0, 0.0
        process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        spent: dict[int, float] = {}
        while process.poll() is None:
            parts = len(list(manifest.glob("part-*.parquet"))) if manifest.is_dir() else 0
            first = first or (time.monotonic() - began if parts else 0.0)
            last = last or (time.monotonic() - began if parts == count else 0.0)
            note_cpu(process, spent)
            time.sleep(0.02 if not first or parts > count - workers else 0.2)
        wall = time.monotonic() - began
        (summary,) = manifest.parent.glob("runs/*/summary.json")
        working = json.loads(summary.read_text())["working_seconds"] / min(workers, count)
    return Costs(first - seconds, wall - last, wall, working, sum(spent.values()))


def note_cpu(process: psutil.Popen, spent: dict[int, float]) -> None:
    """Note the CPU seconds of a process and those below it, as far as they got."""
    try:
        for each in [process, *process.children(recursive=True)]:
            times = each.cpu_times()
            spent[each.pid] = times.user + times.system
    except psutil.Error:
        return


def main() -> None:
    """Run, print and take the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.5, help="what a source takes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--beside", type=Path, help="another checkout to measure in turn")
    asked = parser.parse_args()
    checkouts = [ROOT, *([asked.beside.resolve()] if asked.beside else [])]
    found: dict[Path, list[Costs]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        faces = write_faces(Path(folder) / "faces", asked.sources)
        few = write_faces(Path(folder) / "few", 1)
        homes = {checkout: Path(folder) / f"home-{index}" for index, checkout in enumerate(checkouts)}
        for checkout in checkouts:  # makes Prefect's data base, which later runs find
            run_once(checkout, few, homes[checkout], 0.01, 1)
        print(HEAD, flush=True)
        for _ in range(asked.repeats):
            for checkout in checkouts:
                found[checkout].append(run_once(checkout, faces, homes[checkout], asked.seconds, asked.workers))
                print(found[checkout][-1].line(checkout.name), flush=True)
    for checkout in checkouts:
        print(Costs(*map(statistics.median, zip(*map(astuple, found[checkout]), strict=True))).line("median"))


if __name__ == "__main__":
    main()
