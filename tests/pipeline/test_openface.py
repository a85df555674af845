"""OpenFace's files: what they say, and which picture they say it of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.pipeline.openface import largest_face, read_openface
from singanimation.pipeline.settings import make_settings

UNITS = [f"{name}_r" for name in AU_NAMES]


def write(path: Path, names: list[str], *rows: list[object], separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in [names, *rows]))
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def au12(source) -> float | None:
    return None if source.action_units is None else round(source.action_units[AU_INDEX["AU12"]], 4)


def intensities(value: float) -> list[float]:
    return [value if name == "AU12" else 0.5 for name in AU_NAMES]


def opened(folder: Path, aus: str = "openface"):
    return open_dataset(make_settings(input=str(folder), aus=aus))


def units_of(folder: Path) -> dict[str, float | None]:
    return {source.source_id: au12(source) for source in opened(folder).sources}


def test_intensities_are_divided_by_5_and_clipped_in_openfaces_order(tmp_path):
    values = [index * 0.25 for index in range(15)] + [5.4, -0.1]
    table = read_openface(write(tmp_path / "a.csv", ["face", "confidence", *UNITS], [0, 0.98, *values]))
    np.testing.assert_allclose(table.rows[0].action_units, [index * 0.05 for index in range(15)] + [1, 0])
    assert table.lacking == () and table.rows[0].problem is None and not table.named and not table.framed


def test_spaces_before_names_and_numbers_and_columns_in_any_order_change_nothing(tmp_path):
    shuffled = [*reversed(UNITS), "AU12_c", "confidence", "face"]
    values = [*reversed(intensities(3.0)), 1, 0.95, 0]
    table = read_openface(write(tmp_path / "a.csv", shuffled, values, separator=", "))
    assert table.rows[0].action_units[AU_INDEX["AU12"]] == pytest.approx(0.6)
    assert table.rows[0].action_units[AU_INDEX["AU01"]] == pytest.approx(0.1)


def test_a_csv_without_intensities_is_not_openfaces(tmp_path):
    assert read_openface(write(tmp_path / "a.csv", ["file", "label", "AU12_c"], ["a.png", "fear", 1])) is None
    assert read_openface(write(tmp_path / "b.csv", [])) is None


def test_rows_without_success_or_confidence_are_not_used_and_nan_is_no_error(tmp_path):
    names = ["frame", "confidence", "success", *UNITS]
    rows = [[1, 0.98, 1, *intensities(1)], [2, 0.0, 0, *["nan"] * 17], [3, 0.7, 1, *intensities(1)]]
    table = read_openface(write(tmp_path / "a.csv", names, *rows))
    assert [row.problem is None for row in table.rows] == [True, False, False]
    assert "success 0" in str(table.rows[1].problem) and "0.725" in str(table.rows[2].problem)


def test_text_among_the_numbers_is_an_error_that_names_line_and_column(tmp_path):
    path = write(tmp_path / "a.csv", ["face", "confidence", *UNITS], [0, 0.9, *["1"] * 16, "many"])
    with pytest.raises(DatasetError, match=r"a\.csv, line 2: 'many' stands in AU45_r"):
        read_openface(path)


def test_of_several_faces_the_widest_usable_one_counts(tmp_path):
    names = ["face", "confidence", "x_0", "x_16", *UNITS]
    rows = ([0, 0.98, 10, 60, *intensities(1)], [1, 0.98, 100, 190, *intensities(2)], [2, 0.3, 0, 300, *intensities(3)])
    table = read_openface(write(tmp_path / "a.csv", names, *rows))
    assert largest_face(table.rows).action_units[AU_INDEX["AU12"]] == pytest.approx(0.4)


@pytest.mark.parametrize("place", ["{folder}/{stem}.csv", "{folder}/processed/{stem}.csv", "processed/{stem}.csv"])
def test_face_landmark_img_files_lie_beside_the_pictures_in_processed_or_in_one_folder(tmp_path, place):
    for index, name in enumerate(("fear/a.png", "happiness/b.png")):
        path = picture(tmp_path / name)
        target = tmp_path / place.format(folder=path.parent.name, stem=path.stem)
        write(target, ["face", "confidence", *UNITS], [0, 0.98, *intensities(index + 1)])
    assert units_of(tmp_path) == {"fear/a.png": 0.2, "happiness/b.png": 0.4}


def test_a_mirrored_tree_tells_pictures_of_one_name_apart_and_one_flat_file_is_refused(tmp_path):
    for index, folder in enumerate(("fear", "happiness")):
        picture(tmp_path / "mirrored" / folder / "a.png")
        picture(tmp_path / "flat" / folder / "a.png")
        write(
            tmp_path / "mirrored/of" / folder / "a.csv",
            ["face", "confidence", *UNITS],
            [0, 0.98, *intensities(index + 1)],
        )
    picture(tmp_path / "flat/fear/b.png")
    for stem in ("a", "b"):
        write(tmp_path / f"flat/of/{stem}.csv", ["face", "confidence", *UNITS], [0, 0.98, *intensities(1)])
    assert units_of(tmp_path / "mirrored") == {"fear/a.png": 0.2, "happiness/a.png": 0.4}
    assert units_of(tmp_path / "flat") == {"fear/a.png": None, "fear/b.png": 0.2, "happiness/a.png": None}


def test_feature_extraction_counts_a_folders_pictures_by_name(tmp_path):
    for name in ("b_9.png", "a_12.png", "c_1.png"):
        picture(tmp_path / "fear" / name)
    names = ["frame", "face_id", "timestamp", "confidence", "success", *UNITS]
    rows = [[frame, 0, 0.0, 0.98, int(frame != 2), *intensities(frame)] for frame in (1, 2, 3)]
    write(tmp_path / "processed/fear.csv", names, *rows, separator=", ")
    dataset = opened(tmp_path)
    assert [au12(source) for source in dataset.sources] == [0.2, None, 0.6]
    assert any("1 pictures have no usable row: OpenFace found no face (success 0)" in text for text in dataset.warnings)


def test_frames_of_a_video_go_by_the_number_in_the_pictures_name(tmp_path):
    for number in (2, 30):
        picture(tmp_path / f"clip/clip_{number:05d}.png")
    names = ["frame", "confidence", "success", *UNITS]
    write(tmp_path / "clip.csv", names, *[[frame, 0.98, 1, *intensities(frame / 10)] for frame in range(1, 41)])
    assert units_of(tmp_path) == {"clip/clip_00002.png": 0.04, "clip/clip_00030.png": 0.6}


def test_a_column_of_file_names_goes_by_the_longest_common_path(tmp_path):
    for folder in ("fear", "happiness"):
        picture(tmp_path / folder / "a.png")
    write(
        tmp_path / "units.csv",
        ["file", *UNITS],
        ["elsewhere/happiness/a.png", *intensities(2)],
        ["fear\\a.png", *intensities(1)],
    )
    assert units_of(tmp_path) == {"fear/a.png": 0.2, "happiness/a.png": 0.4}


def test_action_units_that_no_file_has_are_0_and_said(tmp_path):
    picture(tmp_path / "a.png")
    write(tmp_path / "a.csv", ["face", "confidence", "AU12_r"], [0, 0.98, 2.5])
    dataset = opened(tmp_path)
    assert au12(dataset.sources[0]) == 0.5 and sum(dataset.sources[0].action_units or ()) == 0.5
    assert any("lack AU01, AU02" in text and "count as 0" in text for text in dataset.warnings)


def test_pictures_without_a_row_are_counted_and_named(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    write(tmp_path / "a.csv", ["face", "confidence", *UNITS], [0, 0.98, *intensities(1)])
    write(tmp_path / "b.csv", ["face", "confidence", *UNITS])
    dataset = opened(tmp_path)
    assert [au12(source) for source in dataset.sources] == [0.2, None]
    assert any(
        "1 pictures have no row of OpenFace's and are measured" in text and "b.png" in text for text in dataset.warnings
    )


def test_a_set_without_any_openface_file_is_refused_with_the_command_that_makes_them(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"--aus openface: none of the 1 pictures .*FaceLandmarkImg -fdir"):
        opened(tmp_path)


def test_other_estimators_leave_openfaces_files_unread(tmp_path):
    picture(tmp_path / "a.png")
    write(tmp_path / "a.csv", ["face", "confidence", *UNITS], [0, 0.98, *["x"] * 17])
    assert opened(tmp_path, "auto").sources[0].action_units is None
