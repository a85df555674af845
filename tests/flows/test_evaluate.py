"""`augment evaluate models`: places for its outcome are looked at before the work, and the two files stay two."""

import csv
from pathlib import Path

import pytest
from command import augment

from singanimation.flows.evaluation.unit_tables import csv_of_edits
from singanimation.stages.expansion.evaluation.figures import UnitFigures


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "figures.csv"], "name a JSON file"),
        (["--output", "file/figures.json"], "Cannot write"),
        (["--sheets", "file"], "Cannot write"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    assert augment("evaluate", "models", "--input", "absent.parquet", *options) == 2
    assert words in capsys.readouterr().err


def test_a_table_without_edits_has_its_head() -> None:
    assert list(csv.reader(csv_of_edits([], {}).splitlines())) == [["AU"]]


@pytest.mark.parametrize(("share", "seen", "corrected"), [(0.5, "50%", "+0.40"), (None, "", "")])
def test_the_table_corrects_what_a_judge_sees_half_of(share: float | None, seen: str, corrected: str) -> None:
    figures = UnitFigures("AU15", 9, 1.0, {"judge": 0.2}, {"judge": 1.0}, {}, 0.0, 9.0, 0.0, None, 0.0, 0)
    (row,) = csv.DictReader(csv_of_edits([figures], {"AU15": share}).splitlines())
    assert (row["measured"], row["judge sees"], row["corrected"]) == ("+0.20", seen, corrected)
    assert "corrected" not in next(csv.DictReader(csv_of_edits([figures], {}).splitlines()))
