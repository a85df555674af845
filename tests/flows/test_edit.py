"""`augment edit` and `augment aus` on a real face, with the shipped models."""

import csv

import cv2
import numpy as np
import pytest
from command import augment
from PIL import Image
from skimage.data import astronaut

from singanimation.flows.commands.edit_request import Request
from singanimation.flows.faces import picture_paths, unique_names
from singanimation.flows.sheets.animation import there_and_back, write_mp4
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "eileen.png"
    Image.fromarray(astronaut()).save(path)
    return path


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_one_picture_per_edit_back_in_the_photograph_and_strength_0_is_the_photograph(photograph, tmp_path):
    assert augment("edit", photograph, "--output", tmp_path, "--aus", "AU12,au4", "--strengths", "0,0.66") == 0
    names = {path.name for path in tmp_path.iterdir()}
    edits = {f"eileen__{unit}@{s}.png" for unit in ("AU12", "AU04") for s in ("0", "0.66")}
    assert names == edits | {"eileen__sheet.png"}
    np.testing.assert_array_equal(pixels(tmp_path / "eileen__AU12@0.png"), astronaut())
    smile = pixels(tmp_path / "eileen__AU12@0.66.png")
    changed = np.argwhere((smile != astronaut()).any(2))
    assert smile.shape == (512, 512, 3) and len(changed) > 50
    assert changed[:, 0].max() < 250 and changed[:, 1].min() > 120  # nothing outside the face


def test_crops_masks_and_a_path_to_an_emotion(photograph, tmp_path):
    code = augment("edit", photograph, "--output", tmp_path, "--to", "happy", "--steps", 3, "--crop", "--masks")
    assert code == 0
    crop = pixels(tmp_path / "eileen__crop.png")
    assert crop.shape == (128, 128, 3)
    np.testing.assert_array_equal(pixels(tmp_path / "eileen__happiness@0.png"), crop)
    assert (pixels(tmp_path / "eileen__happiness@0__attention.png") == 255).all()
    assert pixels(tmp_path / "eileen__happiness@0.5__colour.png").shape == (128, 128, 3)
    assert (tmp_path / "eileen__happiness@1.png").exists()


def test_grey_photographs_stay_grey_and_pictures_without_a_face_are_said(photograph, tmp_path, capsys):
    Image.open(photograph).convert("L").save(tmp_path / "grey.png")
    Image.new("RGB", (200, 200), (120, 120, 120)).save(tmp_path / "flat.png")
    pictures = tmp_path / "grey.png", tmp_path / "flat.png"
    assert augment("edit", *pictures, "--output", tmp_path / "o", "--emotions", "fear") == 0
    assert Image.open(tmp_path / "o" / "grey__fear@1.png").mode == "L"
    assert "flat.png" in capsys.readouterr().err
    assert augment("edit", tmp_path / "flat.png", "--output", tmp_path / "o2", "--emotions", "fear") == 1


def test_action_units_as_csv_and_in_openfaces_names_and_scale(photograph, tmp_path):
    assert augment("aus", photograph, "--output", tmp_path / "a.csv") == 0
    assert augment("aus", photograph, "--output", tmp_path / "o.csv", "--to", "openface-csv") == 0
    plain = next(csv.DictReader((tmp_path / "a.csv").open()))
    openface = next(csv.DictReader((tmp_path / "o.csv").open()))
    assert plain["status"] == "accepted" and float(plain["AU12"]) > 0.4  # she smiles
    for name in AU_NAMES:
        assert float(openface[f"{name}_r"]) == pytest.approx(5 * float(plain[name]), abs=0.01)


def test_set_fixes_units_and_leaves_the_others():
    y = np.full(17, 0.5, np.float32)
    ((name, strength, vector, _),) = Request([], {"AU12": 0.0, "AU25": 1.0}, [], None, 7, None).targets(y)
    assert (name, strength) == ("AU12=0,AU25=1", 1.0)
    assert vector[AU_INDEX["AU12"]] == 0 and vector[AU_INDEX["AU25"]] == 1
    assert (np.delete(vector, [AU_INDEX["AU12"], AU_INDEX["AU25"]]) == 0.5).all()


def test_what_would_write_one_file_twice_is_made_once_or_refused(photograph, tmp_path, capsys):
    assert augment("edit", photograph, "--output", tmp_path, "--aus", "AU12,au12", "--strengths", "1,1.0") == 0
    assert "1 edits in" in capsys.readouterr().out
    for options, words in (
        (["--emotions", "all", "--to", "fear"], "both name fear"),
        (["--to", "fear", "--strengths", "0.5"], "--to goes by --steps"),
        (["--set", "AU12=0,au12=1"], "twice"),
    ):
        assert augment("edit", photograph, "--output", tmp_path, *options) == 2
        assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_the_work(photograph, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert augment("edit", photograph, "--output", tmp_path / "file", "--emotions", "fear") == 2
    assert "Cannot write to the output folder" in capsys.readouterr().err


def test_pictures_of_the_same_name_do_not_overwrite_each_other(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("L", (20, 20)).save(tmp_path / folder / "x.png")
    paths = picture_paths([tmp_path, tmp_path / "a" / "x.png"])
    assert len(paths) == 2 and len(set(unique_names(paths))) == 2


def test_an_earlier_runs_edits_below_the_input_are_not_edited_again(tmp_path):
    for folder in ("a", "edits"):
        (tmp_path / folder).mkdir()
        Image.new("L", (20, 20)).save(tmp_path / folder / "x.png")
    assert picture_paths([tmp_path], tmp_path / "edits") == [tmp_path / "a" / "x.png"]
    assert picture_paths([tmp_path / "edits" / "x.png"], tmp_path / "edits") == [tmp_path / "edits" / "x.png"]
    assert picture_paths([tmp_path / "a"], tmp_path) == picture_paths([tmp_path / "a"], tmp_path / "a")


def test_edits_beside_their_sources_are_left_out_of_the_next_run(photograph, tmp_path, capsys):
    (tmp_path / "eileen.png").write_bytes(photograph.read_bytes())
    (tmp_path / "eileen__crop.png").write_bytes(photograph.read_bytes())  # the user's own, whatever its name
    asked = ("edit", tmp_path, "--output", tmp_path, "--to", "happy", "--steps", 2, "--gif", "--masks")
    assert augment(*asked) == 0
    first = sorted(path.name for path in tmp_path.iterdir())
    assert "left out" not in capsys.readouterr().err
    assert augment(*asked) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == first
    drawn = len(first) - 2
    assert f"{drawn} pictures of earlier edits are left out" in capsys.readouterr().err
    edit = tmp_path / "eileen__happiness@1.png"
    assert augment("edit", edit, "--output", tmp_path / "again", "--emotions", "fear") == 0
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "x.png").write_bytes(edit.read_bytes())
    assert augment("edit", tmp_path / "only", "--output", tmp_path / "o", "--emotions", "fear") == 2
    assert "earlier edits" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_bad_pictures_are_said_and_the_others_edited(photograph, tmp_path, capsys):
    (tmp_path / "b.png").write_bytes(photograph.read_bytes())
    (tmp_path / "a_cut.png").write_bytes(photograph.read_bytes()[:5000])
    (tmp_path / "c_empty.jpg").write_bytes(b"")
    (tmp_path / "d_text.png").write_text("no picture")
    assert augment("edit", tmp_path, "--output", tmp_path / "o", "--emotions", "fear") == 0
    assert (tmp_path / "o" / "b__fear@1.png").exists()
    said = capsys.readouterr().err
    assert all(name in said for name in ("a_cut.png", "c_empty.jpg", "d_text.png")) and "Traceback" not in said


def test_emotions_are_shown_in_their_first_form_and_forms_names_others():
    def named(**options):
        request = Request([], {}, ["anger", "fear"], None, 7, None, **options)
        return [aim.name for aim in request.targets(np.full(17, 0.1, np.float32))]

    assert named() == ["anger", "fear"]
    assert named(forms=["all"])[:3] == ["anger-open", "anger-teeth", "anger-closed"]
    assert "anger open" in str(Request([], {}, ["anger"], None, 7, None).said())
    with pytest.raises(UsageError, match="'loud' is no form of anger, fear"):
        named(forms=["loud"])
    with pytest.raises(UsageError, match="fear has none of teeth"):
        named(forms=["teeth"])


def test_a_seed_varies_the_forms_by_side():
    def aims(seed):
        request = Request([], {}, ["happily-surprised"], None, 7, None, seed=seed)
        return request.targets(np.full(17, 0.1, np.float32))[0]

    assert aims(None).sides is None and aims(3).sides is not None
    assert not np.array_equal(aims(3).action_units, aims(4).action_units)


def test_a_path_between_two_emotions_moves_as_gif_and_mp4_at_the_pictures_size(photograph, tmp_path):
    asked = ["--to", "happiness", "--from", "sadness", "--steps", "3", "--gif", "--mp4"]
    assert augment("edit", photograph, "--output", tmp_path, *asked) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    frames = [f"eileen__sadness-to-happiness@{s}.png" for s in ("0", "0.5", "1")]
    assert names == sorted([*frames, "eileen__sheet.png", "eileen__path.gif", "eileen__path.mp4"])
    assert (pixels(tmp_path / frames[0]) != astronaut()).any()  # it begins sad, not as the picture is
    with Image.open(tmp_path / "eileen__path.gif") as moving:
        assert moving.size == (512, 512) and getattr(moving, "n_frames", 1) == 4  # there and back
    film = cv2.VideoCapture(str(tmp_path / "eileen__path.mp4"))
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_COUNT)) == (512, 4)


def test_a_film_of_odd_edges_grows_by_a_pixel(tmp_path):
    frames = [np.full((33, 47, 3), shade, np.uint8) for shade in (0, 120, 240)]
    film = cv2.VideoCapture(str(write_mp4(tmp_path / "odd.mp4", frames)))
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (48, 34)
    assert [int(frame[0, 0, 0]) for frame in there_and_back(frames)] == [0, 120, 240, 120]


@pytest.mark.parametrize("wrong", [["--from", "fear"], ["--gif"], ["--to", "fear", "--from", "fear"], ["--to", "x"]])
def test_a_path_without_an_end_is_refused(photograph, tmp_path, wrong):
    assert augment("edit", photograph, "--output", tmp_path / "out", *wrong) == 2
    assert not (tmp_path / "out").exists()
