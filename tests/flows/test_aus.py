"""`augment aus` in OpenFace's forms: what others read, and what we read back."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import augment
from PIL import Image
from skimage.data import astronaut

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.openface import read_openface

COLUMNS = [f"{name}_r" for name in AU_NAMES]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(astronaut()).save(folder / "eileen.png")
    Image.fromarray(np.ascontiguousarray(astronaut()[:, ::-1])).save(folder / "mirrored.png")
    Image.new("RGB", (100, 100)).save(folder / "black.png")
    return folder


def units(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """File -> estimator and action units of a plain CSV."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    values = [np.array([float(row[name] or "nan") for name in AU_NAMES]) for row in rows]
    return {Path(row["file"]).name: (row["au_estimator"], value) for row, value in zip(rows, values, strict=True)}


@pytest.fixture(scope="module")
def measured(pictures, tmp_path_factory) -> dict[str, tuple[str, np.ndarray]]:
    output = tmp_path_factory.mktemp("measured") / "units.csv"
    assert augment("aus", pictures, "--output", output) == 0
    return units(output)


@pytest.mark.parametrize("form", ["units.csv", "processed"])
def test_what_we_write_for_openface_we_read_back_as_openfaces(pictures, measured, tmp_path, form):
    folder = tmp_path / "faces"
    folder.mkdir()
    for path in pictures.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert augment("aus", folder, "--to", "openface-csv", "--output", folder / form) == 0
    assert augment("aus", folder, "--aus", "openface", "--output", tmp_path / "back.csv") == 0
    back = units(tmp_path / "back.csv")
    for name in ("eileen.png", "mirrored.png"):
        assert (measured[name][0].split("@")[0], back[name][0]) == ("embedded", "openface")
        np.testing.assert_allclose(back[name][1], measured[name][1], atol=0.0011)  # two digits of 0..5
    assert np.isnan(back["black.png"][1]).all()


def test_feature_extractions_form_has_its_columns_in_its_order_and_the_file_behind(pictures, tmp_path):
    output = tmp_path / "units.csv"
    assert augment("aus", pictures, "--to", "openface-csv", "--output", output) == 0
    with output.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["frame", "face_id", "timestamp", "confidence", "success", *COLUMNS, "file"]
    assert [row[0] for row in rows] == ["1", "2", "3"] and [Path(row[-1]).stem for row in rows][0] == "black"
    assert [row[4] for row in rows] == ["0", "1", "1"] and set(rows[0][5:-1]) == {"0.00"}
    assert [row.problem is None for row in read_openface(output).rows] == [False, True, True]


def test_face_landmark_imgs_form_is_what_ganimations_preparation_reads_by_position(pictures, measured, tmp_path):
    assert augment("aus", pictures, "--to", "openface-csv", "--output", tmp_path / "aus") == 0
    assert sorted(path.name for path in (tmp_path / "aus").iterdir()) == ["black.csv", "eileen.csv", "mirrored.csv"]
    # its own call is np.loadtxt(path, delimiter=', ', skiprows=1), which today's NumPy refuses for its two characters
    content = np.array((tmp_path / "aus" / "eileen.csv").read_text().splitlines()[1].split(", "), float)
    np.testing.assert_allclose(content[2:19] / 5, measured["eileen.png"][1], atol=0.0011)
    assert (tmp_path / "aus" / "black.csv").read_text().count("\n") == 1


@pytest.mark.slow
def test_py_feats_reader_of_openface_files_takes_them(pictures, tmp_path):
    from singanimation.pipeline.pyfeat import package_folder

    if package_folder() is None:
        pytest.skip('py-feat is not installed (pip install "py-feat>=2.1.5")')
    assert augment("aus", pictures, "--to", "openface-csv", "--output", tmp_path / "units.csv") == 0
    code = (
        "import sys; from feat.utils.io import read_openface;"
        f"d = read_openface({str(tmp_path / 'units.csv')!r}, features=['frame', 'success', {str(COLUMNS)[1:-1]}]);"
        "print(len(d), d['AU12_r'].max() > 2)"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1:] == ["3 True"], done.stderr


def test_a_folder_as_output_is_for_openfaces_form_alone(pictures, tmp_path, capsys):
    assert augment("aus", pictures, "--output", tmp_path) == 2
    assert "--to openface-csv" in capsys.readouterr().err


def test_without_an_output_the_table_goes_to_stdout_and_words_to_stderr(
    pictures, measured, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert augment("aus", pictures) == 0
    said = capsys.readouterr()
    (tmp_path / "piped.csv").write_text(said.out)
    for name, (estimator, values) in units(tmp_path / "piped.csv").items():
        assert estimator == measured[name][0]
        np.testing.assert_array_equal(values, measured[name][1])
    assert "2 of 3 pictures have a face" in said.err and [path.name for path in tmp_path.iterdir()] == ["piped.csv"]
