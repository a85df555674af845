"""What is built: the same wheel from a checkout and from its sdist, and an sdist that leaves nothing out."""

import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from trove_classifiers import classifiers

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


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, list[str]]:
    """The wheel's METADATA, and the names of its files."""
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (told,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(wheel.read(told)), names


def test_the_metadata_is_what_an_index_asks_for(metadata: tuple[Message, list[str]]) -> None:
    told, _ = metadata
    assert told["License-Expression"] == "MIT"
    assert told["Description-Content-Type"] == "text/markdown"
    assert set(told.get_all("Classifier", [])) <= set(classifiers)
    assert not [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    urls = [each.split(", ") for each in told.get_all("Project-URL", [])]
    assert urls and all(len(label) <= 32 and address.startswith("https://") for label, address in urls)


def test_licences_of_code_and_of_each_weights_data_travel_with_the_wheel(metadata: tuple[Message, list[str]]) -> None:
    told, names = metadata
    named = told.get_all("License-File", [])
    assert "LICENSE" in named
    weights = {name.rsplit("/", 1)[0] for name in names if name.endswith(".safetensors") and "/weights/" in name}
    assert {f"singanimation/{each}".rsplit("/", 1)[0] for each in named if each != "LICENSE"} == weights
    assert all(any(name.endswith(f".dist-info/licenses/{each}") for name in names) for each in named)


def test_the_pythons_that_are_named_are_those_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = [f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)]
    assert [each for each in project["classifiers"] if "Python :: 3." in each] == minors
    assert project["requires-python"] == ">=3.11,<3.15"
