"""The registry: what its entries promise, where files are looked for, and what is said when they are not there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from singanimation.pipeline import weights
from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.weights.checks import record_path
from singanimation.pipeline.weights.entries import Entry
from singanimation.pipeline.weights.places import package_path

CONTENT = b"inception" * 100
SHA = hashlib.sha256(CONTENT).hexdigest()
VARIABLES = ("SINGANIMATION_INCEPTION", "FEAT_MULTITASK_WEIGHTS", "SINGANIMATION_YUNET", "SINGANIMATION_GANIMATION")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own, no variables, no other library's downloads."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache"


def entry(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Entry:
    """Put an entry ``small`` into the registry."""
    fields: dict[str, Any] = {
        "name": "small",
        "purpose": "tests",
        "licence": "none",
        "size": "unknown",
        "file": "small.bin",
        "url": "http://127.0.0.1:1/small.bin",
        "variable": "SINGANIMATION_SMALL",
    } | changes
    made = Entry(**fields)
    monkeypatch.setattr("singanimation.pipeline.weights.entries.ENTRIES", {"small": made})
    return made


def test_the_shipped_files_have_the_hashes_that_the_registry_says() -> None:
    shipped = [item for item in weights.ENTRIES.values() if item.package]
    assert len(shipped) == 4
    for item in shipped:
        path = package_path(item)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert item.sha256 == found, f"{path} has changed: put {found} into pipeline/weights/entries.py"
        assert weights.find(item.name) == path


def test_an_entry_without_a_full_hash_says_how_it_is_checked() -> None:
    assert "begins with 0cc3c7bd (its official file name)" in weights.get_entry("inception-v3").promise
    assert "pinned on first use" in weights.get_entry("pyfeat").promise
    for item in weights.ENTRIES.values():
        assert (item.url is None) != (item.package is None)
        assert item.package is None or item.sha256


def test_a_given_path_comes_before_the_variable_the_variable_before_the_cache_and_the_cache_before_libraries(
    tmp_path: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "inception_v3_google-0cc3c7bd.pth"
    monkeypatch.setattr("singanimation.pipeline.weights.places.adopt", lambda *_: None)
    library = tmp_path / "torch" / "hub" / "checkpoints" / file
    for path in (library, places / file, tmp_path / "named.pth", tmp_path / "given.pth"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    monkeypatch.setenv("SINGANIMATION_INCEPTION", str(tmp_path / "named.pth"))
    assert weights.find("inception-v3", tmp_path / "given.pth") == tmp_path / "given.pth"
    assert weights.find("inception-v3") == tmp_path / "named.pth"
    monkeypatch.delenv("SINGANIMATION_INCEPTION")
    assert weights.find("inception-v3") == places / file
    (places / file).unlink()
    assert weights.locate("inception-v3").where == "library" and weights.find("inception-v3") == library


def test_py_feats_own_download_is_found_in_its_package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singanimation.pipeline.weights.places._library_folder", lambda _: tmp_path)
    inside = "resources/models--py-feat--face_multitask_v2/snapshots/abc/face_multitask_v28.safetensors"
    (tmp_path / inside).parent.mkdir(parents=True)
    (tmp_path / inside).write_bytes(CONTENT)
    assert weights.find("pyfeat") == tmp_path / inside


def test_missing_weights_are_named_with_their_file_place_variable_and_command(places: Path) -> None:
    with pytest.raises(WeightsError) as said:
        weights.find("pyfeat")
    for words in ("face_multitask_v28.safetensors", str(places), "FEAT_MULTITASK_WEIGHTS", "weights fetch pyfeat"):
        assert words in str(said.value)
    assert weights.locate("pyfeat") is None


def test_a_path_that_the_user_names_and_that_is_not_there_is_never_passed_over(
    tmp_path: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.mkdir()
    (places / "face_detection_yunet_2023mar.onnx").write_bytes(CONTENT)
    monkeypatch.setenv("SINGANIMATION_YUNET", str(tmp_path / "gone.onnx"))
    with pytest.raises(WeightsError, match=r"SINGANIMATION_YUNET .*gone.onnx, where there is no file"):
        weights.find("yunet")
    with pytest.raises(WeightsError, match="the path given for yunet"):
        weights.find("yunet", tmp_path / "other.onnx")


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(
        UsageError, match="'resnet'; the names are embedded-aus, generator, singan-start, attributes, inception-v3"
    ):
        weights.find("resnet")


def test_the_cache_lies_below_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SINGANIMATION_WEIGHTS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert weights.cache_folder() == Path("/elsewhere/singanimation/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights.cache_folder() == Path.home() / ".cache" / "singanimation" / "weights"


def test_a_file_put_into_the_cache_by_hand_is_checked_and_pinned_on_first_use(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = entry(monkeypatch, prefix=SHA[:8], prefix_from="its file name")
    places.mkdir()
    path = places / small.file
    path.write_bytes(CONTENT)
    assert weights.find("small") == path
    assert json.loads(record_path(path).read_text())["sha256"] == SHA
    path.write_bytes(CONTENT + b"more")
    with pytest.raises(WeightsError, match="904 bytes and had 900 when it was pinned"):
        weights.find("small")


def test_a_wrong_file_in_the_cache_is_refused_with_both_hashes(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = entry(monkeypatch, prefix="00000000", prefix_from="its file name")
    places.mkdir()
    (places / small.file).write_bytes(CONTENT)
    with pytest.raises(
        WeightsError, match=rf"begins with 00000000 \(its file name\), found {SHA}.*fetch small --force"
    ):
        weights.find("small")


def test_a_pin_that_no_longer_fits_is_seen_by_verify(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = entry(monkeypatch)
    places.mkdir()
    path = places / small.file
    path.write_bytes(CONTENT)
    weights.find("small")
    pin = json.loads(record_path(path).read_text())
    assert weights.verify(small, path, pin).good
    path.write_bytes(CONTENT[::-1])
    verdict = weights.verify(small, path, pin)
    assert not verdict.good and f"expected sha256 {SHA} (pinned when it was first used)" in verdict.sentence
    record_path(path).write_text("[]")
    with pytest.raises(WeightsError, match="is no pin of this program; delete it"):
        weights.find("small")
