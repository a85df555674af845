"""A part is whole or absent; a full disk leaves nothing half; rows are never lost silently."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from singanimation.manifests import write
from singanimation.manifests.write import part_name, remove_leftovers, write_part
from singanimation.pipeline.errors import MachineError, ManifestError
from singanimation.pipeline.files.atomic import host
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]


def test_a_part_holds_its_rows_and_nothing_else_lies_beside_it(tmp_path: Path, source_rows: Rows) -> None:
    path = write_part(tmp_path / "manifest", part_name("tiny", "a.png"), source_rows())
    assert [entry.name for entry in path.parent.iterdir()] == [part_name("tiny", "a.png")]
    table = pq.read_table(path)
    assert table.num_rows == len(source_rows())
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_part_names_depend_on_every_word_and_its_place() -> None:
    assert part_name("a", "bc") != part_name("ab", "c")
    assert part_name("a", "b") == part_name("a", "b")


def test_a_part_may_grow_but_not_lose_rows(tmp_path: Path, source_rows: Rows) -> None:
    few, many = source_rows(variants=2, rejected=0), source_rows(variants=4, rejected=0)
    write_part(tmp_path, "part-a.parquet", few)
    path = write_part(tmp_path, "part-a.parquet", many)
    assert pq.read_metadata(path).num_rows == len(many)
    with pytest.raises(ManifestError, match="holds 4 rows that the new part lacks"):
        write_part(tmp_path, "part-a.parquet", few)
    assert pq.read_metadata(path).num_rows == len(many)


def test_a_damaged_part_is_replaced(tmp_path: Path, source_rows: Rows) -> None:
    (tmp_path / "part-a.parquet").write_bytes(b"PAR1 torn")
    path = write_part(tmp_path, "part-a.parquet", source_rows())
    assert pq.read_metadata(path).num_rows == len(source_rows())


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk_leaves_no_half_file(
    tmp_path: Path, source_rows: Rows, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    write_part(tmp_path, "part-a.parquet", source_rows(variants=1))
    before = (tmp_path / "part-a.parquet").read_bytes()

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((write.pq, "ParquetWriter") if where == "write" else (write.os, "fsync")), full)
    with pytest.raises(MachineError, match="disk is full.*run again"):
        write_part(tmp_path, "part-a.parquet", source_rows(variants=2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["part-a.parquet"]
    assert (tmp_path / "part-a.parquet").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_machine(tmp_path: Path, source_rows: Rows) -> None:
    (tmp_path / "manifest").write_text("in the way")
    with pytest.raises(MachineError, match="could not be written"):
        write_part(tmp_path / "manifest", "part-a.parquet", source_rows())


def test_a_process_killed_while_writing_leaves_a_file_that_is_cleaned(tmp_path: Path, source_rows: Rows) -> None:
    code = (
        "import os, signal, pathlib; from singanimation.pipeline.files.atomic import atomic_file;"
        f"manager = atomic_file(pathlib.Path({str(tmp_path)!r}) / 'part-a.parquet'); file = manager.__enter__();"
        "file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(".part-a") and leftover.suffix == ".tmp"
    write_part(tmp_path, "part-b.parquet", source_rows("b"))
    assert remove_leftovers(tmp_path) == [leftover]
    assert [entry.name for entry in tmp_path.iterdir()] == ["part-b.parquet"]
    assert remove_leftovers(tmp_path / "absent") == []


def test_a_live_writers_file_and_strangers_files_are_left(tmp_path: Path) -> None:
    live = tmp_path / f".part-a.parquet.{host()}~{os.getppid()}~0a.tmp"
    stranger = tmp_path / ".notes.tmp"
    elsewhere = tmp_path / ".part-a.parquet.another-host~1~0a.tmp"
    for path in (live, stranger, elsewhere):
        path.write_text("x")
    assert remove_leftovers(tmp_path) == []
    os.utime(elsewhere, (0, 0))
    assert remove_leftovers(tmp_path) == [elsewhere]
    assert live.exists() and stranger.exists()
