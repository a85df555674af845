"""The type checker is handed every file: it walks into no links by itself, sees nothing, and is content."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("flows", "manifests", "pipeline", "stages")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make names the files")


@pytest.fixture(scope="module")
def handed() -> list[str]:
    """What `make lint` hands to the checker."""
    done = subprocess.run(["make", "-s", "python-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def _files(place: str) -> set[str]:
    real = (ROOT / place).resolve()
    return {str(Path(place) / path.relative_to(real)) for path in real.rglob("*.py")}


def test_the_checker_is_handed_every_file_once(handed: list[str]) -> None:
    places = ["benchmarks", "tests", *(f"src/singanimation/{room}" for room in ROOMS)]
    places += [place for place in ("examples", "findings") if (ROOT / place).is_dir()]
    ours = {place: _files(place) for place in places}
    for place, files in ours.items():
        assert files or place in ("examples", "findings"), f"{place} holds no file: does this checkout have links?"
    assert sorted(handed) == sorted({"src/singanimation/__init__.py"}.union(*ours.values()))


@pytest.mark.slow
def test_the_checker_sees_every_file_and_finds_no_error(handed: list[str]) -> None:
    command = [sys.executable, "-m", "basedpyright", "--outputjson", *handed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    summary = json.loads(done.stdout)["summary"]
    assert summary["filesAnalyzed"] == len(handed)
    assert summary["errorCount"] == 0, done.stdout
