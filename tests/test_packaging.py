"""What is built: the same wheel from a checkout and from its sdist, and an sdist that leaves nothing out."""

import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("flows", "manifests", "pipeline", "stages")


def build_wheel(root: Path, into: Path) -> list[str]:
    """Build a wheel of the project in ``root``; return the names of its files, sorted."""
    (path,) = WheelBuilder(str(root)).build(directory=str(into), versions=["standard"])
    with zipfile.ZipFile(path) as wheel:
        return sorted(wheel.namelist())


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(path) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


def test_the_sdist_gives_the_wheel_of_the_checkout(sdist: Path, tmp_path: Path) -> None:
    ours, theirs = build_wheel(ROOT, tmp_path / "checkout"), build_wheel(sdist, tmp_path / "sdist")
    assert ours == theirs
    package = ROOT / "src" / "singanimation"
    for room in ROOMS:
        files = list((package / room).resolve().rglob("*.py"))
        packed = [name for name in ours if name.startswith(f"singanimation/{room}/") and name.endswith(".py")]
        assert len(packed) == len(files) > 0
    assert "singanimation/py.typed" in ours
    assert "singanimation/stages/action_units/weights/embedded.safetensors" in ours


def test_the_sdist_names_all_that_lies_at_the_top(sdist: Path) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("only a git checkout tells which files are the project's")
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.split("/")[0] for name in done.stdout.splitlines() if not name.startswith(".")} - set(ROOMS)
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert tops - {"pyproject.toml"} <= set(named["only-include"])
    assert tops <= {path.name for path in sdist.iterdir()}
