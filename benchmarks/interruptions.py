"""Runs that are killed, told to stop, and divided among workers: the rows must be those of an undisturbed run.

    python benchmarks/interruptions.py [--kills 20] [--stops 10] [--faces 60]

Small fake models (those of the tests) take the place of the networks, so that a source takes half a second; processes,
signals, files and locks are the real ones. Each disturbed data set is begun anew as often as it takes, is disturbed at
its start, in the middle of its work and at its end, and is then run to its end. Prefect is away throughout: the address
that the runs are given leads nowhere. Prints one line a kind, and ends with 1 where rows differ.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "flows"
sys.path.insert(0, str(FAKES))

from fake_models import write_faces  # noqa: E402  # pyright: ignore[reportMissingImports] - a test's

BETWEEN_RUNS = ("run_id", "created_at", "settings_sha256")
PLACES = ("start", "work", "end")


class Runs:
    """Starts runs over the same faces and keeps count of how they ended."""

    def __init__(self, faces: Path, seed: int) -> None:
        self.faces, self.draw = faces, random.Random(seed)
        self.ends: Counter[str] = Counter()
        self.faults: list[str] = []
        self.first_part = 3.0  # seconds from the start to the first part, as last seen

    def start(self, output: Path, workers: int = 2) -> "subprocess.Popen[str]":
        command = [sys.executable, str(FAKES / "fake_augment.py"), "--input", str(self.faces), "--output", str(output)]
        command += ["--per-image", "4", "--singan-iterations", "40", "--workers", str(workers)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(FAKES), str(ROOT / "src")]),
            "PREFECT_API_URL": "http://127.0.0.1:1/api",
        }
        return subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def disturb(self, output: Path, number: signal.Signals, place: str) -> None:
        """Start a run, send it a signal at that place of its life, and look at how it ends."""
        self.last = len(list((output / "runs").glob("2*")))
        before, began = count_parts(output), time.monotonic()
        process = self.start(output)
        self._wait(process, output, place, before, began)
        group = self.draw.random() < 0.5  # a terminal and systemd signal all processes, `kill` the one
        if process.poll() is None:
            (os.killpg if group else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=120)
        self.ends[f"{number.name} at {place}: exit code {process.returncode}"] += 1
        begun = len(list((output / "runs").glob("2*"))) > self.last
        # while Python imports its own library the signal has its usual effect (a traceback for Ctrl-C): nothing is
        # written yet, and no code of ours has run
        allowed = {-number, 0} if number == signal.SIGKILL else {130, 0} if begun else {130, 0, -number}
        if process.returncode not in allowed or begun and "Traceback" in said:
            self.faults.append(f"{number.name} at {place}: exit code {process.returncode}\n{said}")
        if number != signal.SIGKILL and place != "start":
            self._look_at_summary(output, process.returncode)

    def _wait(self, process: "subprocess.Popen[str]", output: Path, place: str, before: int, began: float) -> None:
        if place == "start":
            time.sleep(self.draw.uniform(0.05, self.first_part))
            return
        whole = len(list(self.faces.glob("train/*/*.png")))
        while process.poll() is None and count_parts(output) == before < whole:
            time.sleep(0.005)
        self.first_part = time.monotonic() - began
        if place == "work":
            time.sleep(self.draw.uniform(0, 0.5))
            return
        while process.poll() is None and count_parts(output) < whole:
            time.sleep(0.005)
        time.sleep(self.draw.uniform(0, 0.3))

    def _look_at_summary(self, output: Path, code: int) -> None:
        runs = sorted((output / "runs").glob("2*/summary.json"), key=lambda path: path.stat().st_mtime)
        summary = json.loads(runs[-1].read_text()) if runs else {}
        if len(list((output / "runs").glob("2*"))) > self.last and summary.get("exit_code") != code:
            self.faults.append(f"summary says {summary.get('exit_code')}, the process {code}")

    def finish(self, output: Path, workers: int = 2) -> None:
        """Run to the end, undisturbed."""
        process = self.start(output, workers)
        _, said = process.communicate()
        if process.returncode != 0:
            self.faults.append(f"the last run: exit code {process.returncode}\n{said}")


def count_parts(output: Path) -> int:
    """Return how many parts a manifest has."""
    return len(list((output / "manifest").glob("part-*.parquet")))


def rows_of(output: Path) -> list[dict[str, object]]:
    """Return a manifest's rows with their pictures' bytes, by id, without what differs between any two runs."""
    rows = [row for part in sorted((output / "manifest").glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    for row in rows:
        for name in BETWEEN_RUNS:
            row.pop(name)
    return sorted(rows, key=lambda row: row["variant_id"])


def main() -> None:
    """Disturb, compare, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how many kill -9")
    parser.add_argument("--stops", type=int, default=10, help="how many SIGTERM, and how many SIGINT")
    parser.add_argument("--faces", type=int, default=60)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background jobs have it ignored, and pass that on
    different = False
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        runs = Runs(write_faces(place / "faces", asked.faces), asked.seed)
        runs.finish(place / "undisturbed", workers=1)
        wanted = rows_of(place / "undisturbed")
        print(f"undisturbed, 1 worker: {len(wanted):,} rows", flush=True)
        for workers in (2, 4):
            runs.finish(place / f"workers-{workers}", workers)
            same = rows_of(place / f"workers-{workers}") == wanted
            different |= not same
            print(f"{workers} workers: rows and bytes {'equal' if same else 'DIFFER'}", flush=True)
        for number, times in (
            (signal.SIGKILL, asked.kills),
            (signal.SIGTERM, asked.stops),
            (signal.SIGINT, asked.stops),
        ):
            output = place / number.name
            for index in range(times):
                at = PLACES[min(index % 3, 1)] if index < times - times // 4 else "end"
                runs.disturb(output, number, at)
            runs.finish(output)
            same = rows_of(output) == wanted
            different |= not same
            ends = ", ".join(f"{end} ({count})" for end, count in sorted(runs.ends.items()))
            print(f"{times} {number.name}: rows {'equal' if same else 'DIFFER'}; {ends}", flush=True)
            runs.ends.clear()
    for fault in runs.faults:
        print(f"FAULT: {fault}")
    sys.exit(1 if different or runs.faults else 0)


if __name__ == "__main__":
    main()
