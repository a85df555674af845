"""Stale rows are taken out, a person is forgotten; what is interrupted is finished, and verify knows of it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from singanimation.manifests import read
from singanimation.manifests.care import removal as removal_module
from singanimation.manifests.care.forget import plan_forget
from singanimation.manifests.care.prune import plan_prune
from singanimation.manifests.care.removal import RECORD, plan_removal, remove_rows
from singanimation.manifests.care.rewrite import rewrite_part
from singanimation.manifests.care.verify import verify
from singanimation.manifests.reading import part_paths
from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
NAMES = {"a": "train/anger/a.png", "b": "train/fear/b.png", "c": "test/anger/c.png"}


def _paint(data: Path, name: str, shade: int) -> str:
    (data / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((32, 32, 3), shade, np.uint8)).save(data / name)
    return hashlib.sha256((data / name).read_bytes()).hexdigest()


def _rows_of(source_rows: Rows, short: str, name: str, sha256: str) -> list[Row]:
    split, label, _ = name.split("/")
    told = {"dataset": "data", "source_id": name, "source_path": name, "source_sha256": sha256, "split": split}
    return [replace(row, **told, group_id=name) for row in source_rows(short, label=label)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def output(tmp_path: Path, data: Path, source_rows: Rows) -> Path:
    for shade, (short, name) in enumerate(NAMES.items()):
        rows = _rows_of(source_rows, short, name, _paint(data, name, 20 * shade))
        write_part(tmp_path / "out" / "manifest", f"part-{short}.parquet", rows)
    return tmp_path / "out"


def _prune(output: Path, data: Path) -> None:
    remove_rows(output, plan_prune(part_paths(output), open_input(str(data))))


CHANGES = {
    "gone": (lambda data: (data / NAMES["a"]).unlink(), "1 sources are not in the data set any more"),
    "moved": (lambda data: (data / NAMES["a"]).rename(data / "train/fear/a.png"), "lie elsewhere in the data set"),
    "replaced": (lambda data: _paint(data, NAMES["a"], 200), "1 sources are other pictures now"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_of_pictures_that_changed_are_named_and_taken_out(output: Path, data: Path, change: str) -> None:
    before = (output / "manifest" / "part-b.parquet").read_bytes()
    assert verify(output, datasets=[open_input(str(data))]).clean
    assert plan_prune(part_paths(output), open_input(str(data))).rows == []
    alter, words = CHANGES[change]
    alter(data)
    faults = verify(output, datasets=[open_input(str(data))]).faults
    assert [fault.check for fault in faults] == ["stale"] and words in faults[0].message
    assert NAMES["a"] in faults[0].message and "augment prune" in faults[0].advice
    removal = plan_prune(part_paths(output), open_input(str(data)))
    assert removal.counts == {"real": 1, "edit": 2, "variant": 8} and removal.whole_parts == 1
    assert len(read(output)) == 33  # only planned so far
    record = json.loads(remove_rows(output, removal).read_text())
    assert record["what"] == "prune" and record["rows"] == removal.counts and len(record["removed"]) == 11
    assert "a.png" not in json.dumps(record)
    assert len(read(output)) == 22 and not (output / "manifest" / "part-a.parquet").exists()
    assert (output / "manifest" / "part-b.parquet").read_bytes() == before
    assert verify(output, datasets=[open_input(str(data))]).clean


@pytest.mark.parametrize("change", ["moved", "replaced"])
def test_without_the_data_set_two_real_rows_are_a_note(
    output: Path, data: Path, source_rows: Rows, change: str
) -> None:
    assert verify(output).notes == []
    CHANGES[change][0](data)
    name = "train/fear/a.png" if change == "moved" else NAMES["a"]
    again = _rows_of(source_rows, "again", name, hashlib.sha256((data / name).read_bytes()).hexdigest())
    write_part(output / "manifest", "part-again.parquet", [replace(row, group_id=NAMES["a"]) for row in again])
    (note,) = verify(output).notes
    words = {"moved": "1 pictures have real rows with different labels", "replaced": "1 sources have real rows of diff"}
    assert words[change] in note and "--input DATA tells" in note and verify(output).clean
    assert verify(output, datasets=[open_input(str(data))]).notes == []


def test_other_labels_splits_and_people_are_stale_too(output: Path, data: Path, tmp_path: Path) -> None:
    def table(*rows: str) -> Path:
        (data / "metadata.csv").write_text("\n".join(["file_name,label,split,person", *rows]) + "\n")
        return data

    same = [f"{name},{name.split('/')[1]},{name.split('/')[0]},{name}" for name in NAMES.values()]
    assert verify(output, datasets=[open_input(str(table(*same)))]).clean
    for old, new, words in (
        ("a.png,anger", "a.png,sadness", "have another label now"),
        ("anger,train", "anger,validation", "are in another split now"),
        ("train,train/anger/a.png", "train,ann", "belong to another person now"),
    ):
        changed = [row.replace(old, new) for row in same]
        assert changed != same
        (fault,) = verify(output, datasets=[open_input(str(table(*changed)))]).faults
        assert fault.check == "stale" and words in fault.message and NAMES["a"] in fault.message


def test_another_data_set_takes_nothing_out(output: Path, tmp_path: Path) -> None:
    _paint(tmp_path / "other", "train/anger/x.png", 3)
    with pytest.raises(UsageError, match=r"none of the manifest's sources \(data\) is in .*other"):
        plan_prune(part_paths(output), open_input(str(tmp_path / "other")))
    _paint(tmp_path / "elsewhere" / "data", "train/anger/x.png", 3)
    with pytest.raises(UsageError, match="nothing is removed"):
        plan_prune(part_paths(output), open_input(str(tmp_path / "elsewhere" / "data")))


def test_rows_of_another_data_set_stay(output: Path, data: Path, source_rows: Rows) -> None:
    write_part(output / "manifest", "part-z.parquet", source_rows("z"))
    (data / NAMES["b"]).unlink()
    _prune(output, data)
    assert set(read(output)["source_id"]) == {NAMES["a"], NAMES["c"], "z.png"}


def test_a_person_is_forgotten_with_what_was_made_with_their_face(output: Path, source_rows: Rows) -> None:
    donated = [
        replace(row, edit_donor=NAMES["a"], variant_id=f"d{row.variant_id}", parent_id=f"d{row.parent_id}")
        for row in _rows_of(source_rows, "b", NAMES["b"], "0")
        if "fear" in row.variant_id
    ]
    donated = [replace(row, parent_id="b-real") if row.kind == "edit" else row for row in donated]
    write_part(
        output / "manifest",
        "part-donated.parquet",
        [replace(row, edit_donor=None) if row.kind == "variant" else row for row in donated],
    )
    assert len(donated) == 5
    removal = plan_forget(part_paths(output), NAMES["a"])
    assert removal.counts == {"real": 1, "edit": 3, "variant": 12} and removal.people == [("data", NAMES["a"])]
    remove_rows(output, removal)
    assert set(read(output)["group_id"]) == {NAMES["b"], NAMES["c"]} and len(read(output)) == 22
    with pytest.raises(UsageError, match=r"no rows of that person; alike are test/anger/c\.png"):
        plan_forget(part_paths(output), "test/anger/c.pgn")
    with pytest.raises(UsageError, match="no rows of that person"):
        plan_forget(part_paths(output), NAMES["b"], "another set")


def test_parts_with_rows_of_others_are_written_anew_whole(output: Path, source_rows: Rows, data: Path) -> None:
    both = [row for short in "ab" for row in _rows_of(source_rows, short, NAMES[short], "0" * 64)]
    both = [replace(row, source_label=row.group_id) for row in both]
    for short in "ab":
        (output / "manifest" / f"part-{short}.parquet").unlink()
    write_part(output / "manifest", "part-both.parquet", both)
    kept = read(output)[lambda frame: frame["group_id"] != NAMES["a"]].reset_index(drop=True)
    removal = plan_forget(part_paths(output), NAMES["a"])
    assert (len(removal.ids), removal.whole_parts) == (1, 0) and "in 1 parts" in removal.sentence()
    remove_rows(output, removal)
    assert read(output).astype(str).equals(kept.astype(str))
    assert verify(output).clean
    raw = pq.read_table(output / "manifest" / "part-both.parquet").column("source_label").chunk(0)
    assert raw.dictionary.to_pylist() == [NAMES["b"]]  # nothing of theirs stays in the file


def test_a_removal_that_was_interrupted_is_finished_by_the_same_command(
    output: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _summary(output)
    (data / NAMES["a"]).unlink()
    (data / NAMES["b"]).unlink()
    calls: list[Path] = []

    def die_at_the_second(part: Path, change: Any) -> None:
        calls.append(part)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rewrite_part(part, change)

    with monkeypatch.context() as patched:
        patched.setattr(removal_module, "rewrite_part", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            _prune(output, data)
    assert len(read(output)) == 22
    result = verify(output)
    assert result.clean  # what is gone was to go
    _prune(output, data)
    assert len(read(output)) == 11 and verify(output, datasets=[open_input(str(data))]).clean
    assert len(list(output.glob(f"runs/*/{RECORD}"))) == 2


def _summary(output: Path) -> None:
    (output / "runs" / "run-1").mkdir(parents=True)
    told = {"run_id": "run-1", "started": "2026-01-01T00:00:00+00:00", "stopped": None, "rows": {"after": 33}}
    told["variants"] = {"accepted": 18, "rejected": {"sifid": 6}}
    (output / "runs" / "run-1" / "summary.json").write_text(json.dumps(told))


def test_verify_tells_rows_that_were_taken_out_from_rows_that_are_lost(
    output: Path, data: Path, source_rows: Rows
) -> None:
    _summary(output)
    assert verify(output).clean
    (data / NAMES["a"]).unlink()
    _prune(output, data)
    assert verify(output).clean
    lost = (output / "manifest" / "part-b.parquet").read_bytes()
    (output / "manifest" / "part-b.parquet").unlink()
    messages = [fault.message for fault in verify(output).faults]
    assert "11 rows that were there when run run-1 ended are gone." in messages
    assert any("8 were removed since" in message for message in messages)
    (output / "manifest" / "part-b.parquet").write_bytes(lost)
    sha256 = _paint(data, NAMES["a"], 0)
    write_part(output / "manifest", "part-a.parquet", _rows_of(source_rows, "a", NAMES["a"], sha256))
    assert verify(output, datasets=[open_input(str(data))]).clean  # it came back
    record = next(output.glob(f"runs/*/{RECORD}"))
    record.write_text("{")
    assert any("not the form of a removal's record" in fault.message for fault in verify(output).faults)


def test_nothing_to_remove_writes_nothing(output: Path, data: Path) -> None:
    removal = plan_removal("prune", part_paths(output), lambda table: table["kind"].is_null())
    assert removal.rows == [] and removal.ids == {}
    assert not list(output.glob("runs/*"))
