"""Action-unit tables of OpenFace, py-feat and LibreFace: told by their columns, on their own scales."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from singanimation.pipeline.datasets import Dataset, open_dataset
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.pipeline.openface import form_of, read_openface
from singanimation.pipeline.settings import make_settings

OPENFACE = [f"{name}_r" for name in AU_NAMES]
PYFEAT = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)]
LIBREFACE = [f"au_{number}_intensity" for number in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20)).save(folder / name)


def write(path: Path, *rows: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def opened(folder: Path) -> Dataset:
    return open_dataset(make_settings(input=str(folder), aus="openface"))


def unit(dataset: Dataset, source_id: str, name: str = "AU12") -> float | None:
    (source,) = [source for source in dataset.sources if source.source_id == source_id]
    return None if source.action_units is None else round(source.action_units[AU_INDEX[name]], 4)


NO_NUMBERS = [
    "-nan(ind)",
    "nan(ind)",
    "1.#QNAN",
    "-1.#IND",
    "1.#INF",
    "-1.#IND00",
    "nan",
    "NaN",
    "-nan",
    "inf",
    "-inf",
    "",
    "infinity",
    "1.#SNAN",
]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_a_cell_that_is_no_number_is_a_row_without_a_face_not_the_end_of_the_set(tmp_path: Path, cell: str) -> None:
    put(tmp_path, "happy/a.jpg", "happy/b.jpg")
    values = [cell if name == "AU12" else 0.5 for name in AU_NAMES]
    write(tmp_path / "processed/a.csv", ["face", " confidence", *OPENFACE], [0, 0.98, *[1.5] * 17])
    write(tmp_path / "processed/b.csv", ["face", " confidence", *OPENFACE], [0, 0.98, *values])
    dataset = opened(tmp_path)
    assert unit(dataset, "happy/a.jpg") == 0.3 and unit(dataset, "happy/b.jpg") is None
    said = [warning for warning in dataset.warnings if "no usable row: its action units are no numbers" in warning]
    assert len(said) == 1 and "1 pictures" in said[0] and "happy/b.jpg" in said[0]


@pytest.mark.parametrize("cut", [1, 30, 55])
def test_a_last_line_that_was_cut_off_is_a_row_without_a_face(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.csv", ["frame", "success", *OPENFACE], *([frame, 1, *[1.25] * 17] for frame in (1, 2)))
    path.write_text(path.read_text()[:-cut])
    table = read_openface(path)
    assert table is not None and table.rows[0].problem is None and len(table.rows) == 2
    assert table.rows[0].action_units[0] == 0.25
    if cut > 5:
        assert table.rows[1].problem is not None


def test_numbers_beside_the_units_may_be_missing_too(tmp_path: Path) -> None:
    names = ["frame", "confidence", "success", "x_0", "x_16", *OPENFACE]
    path = write(tmp_path / "a.csv", names, ["", "-nan(ind)", 1, "1.#QNAN", "", *[1] * 17], [2, 1, 1, 9, 5, *[1] * 17])
    table = read_openface(path)
    assert table is not None and [row.problem is None for row in table.rows] == [False, True]
    assert table.rows[1].width == 4 and table.rows[0].width == 0


def test_py_feats_units_are_0_to_1_and_never_divided(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    names = ["FaceRectX", "FaceRectWidth", "FaceScore", *PYFEAT, "anger", "input", "frame"]
    rows = [[5, 90, 0.99, *[0.6] * 20, 0.1, f"/elsewhere/{name}.jpg", index] for index, name in enumerate("ab")]
    write(tmp_path / "fex.csv", names, *rows, [5, 10, 0.99, *[0.1] * 20, 0.1, "/elsewhere/a.jpg", 0])
    dataset = opened(tmp_path)
    assert unit(dataset, "a.jpg") == 0.6  # of its two faces the wider one
    assert unit(dataset, "b.jpg", "AU45") == 0.6  # closed eyes stand in for a blink
    assert {source.units_from for source in dataset.sources} == {"pyfeat"}


def test_libreface_has_0_to_5_for_12_units_and_says_what_it_lacks(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    write(tmp_path / "a.csv", ["au_1", "au_6", *LIBREFACE, "facial_expression"], [1, 0, *[2.5] * 12, "Happiness"])
    dataset = opened(tmp_path)
    assert unit(dataset, "a.jpg") == 0.5 and unit(dataset, "a.jpg", "AU45") == 0.0
    assert dataset.sources[0].units_from == "libreface"
    assert any("lack AU07, AU10, AU14, AU23, AU45, which count as 0" in warning for warning in dataset.warnings)


def test_intensities_without_their_r_are_not_taken_for_shares(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    write(tmp_path / "a.csv", ["face", *AU_NAMES], [0, *[2.5] * 17])
    with pytest.raises(
        DatasetError, match=r"a.csv has columns AU01 ... without _r, which hold 0..1, and values above 1"
    ):
        opened(tmp_path)


def test_what_augment_aus_writes_is_read_back(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    names = ["file", "status", "reason", "au_estimator", *AU_NAMES]
    rows = [["a.jpg", "accepted", "", "x", *[0.5] * 17], ["b.jpg", "failed", "no_face", "x", *[""] * 17]]
    write(tmp_path / "action_units.csv", names, *rows)
    dataset = opened(tmp_path)
    assert unit(dataset, "a.jpg") == 0.5 and unit(dataset, "b.jpg") is None


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (["image", "action_units"], "action_units"),
        (["frame", "au_1", "au_2"], "au_1, au_2"),
        (["AU1", "AU2"], "AU1, AU2"),
    ],
)
def test_a_table_in_another_form_is_named_with_its_columns(tmp_path: Path, columns: list[str], shown: str) -> None:
    put(tmp_path, "a.jpg")
    write(tmp_path / "theirs.csv", columns, ["a.jpg", *["0.5"] * (len(columns) - 1)])
    with pytest.raises(UsageError) as error:
        opened(tmp_path)
    assert f"theirs.csv has the columns {shown}, which are not OpenFace 2's" in str(error.value)


def test_forms_are_told_by_their_columns() -> None:
    forms = [form_of(names) for names in (OPENFACE, PYFEAT, LIBREFACE, ["AU01"], ["au_1"], [*PYFEAT, *OPENFACE])]
    assert [form.name if form else None for form in forms] == [
        "openface",
        "pyfeat",
        "libreface",
        None,
        None,
        "openface",
    ]
