"""`augment evaluate models`: places for its outcome are looked at before the work, and the two files stay two."""

import csv
from pathlib import Path

import pytest
from command import augment

from singanimation.flows.evaluate import _as_csv


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--output", "figures.csv"], "name a JSON file"), (["--output", "file/figures.json"], "Cannot write"),
     (["--sheets", "file"], "Cannot write")],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    assert augment("evaluate", "models", "--input", "absent.parquet", *options) == 2
    assert words in capsys.readouterr().err


def test_a_table_without_edits_has_its_head() -> None:
    assert list(csv.reader(_as_csv([], {}).splitlines())) == [["AU"]]
