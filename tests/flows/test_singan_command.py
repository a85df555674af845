"""`augment singan`: one picture trained, and each of its uses as a user types it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import augment
from PIL import Image

from singanimation.pipeline.files.signed import is_signed

TINY = ("--max-size", "44", "--iterations", "1", "--kernels", "2")


def _save(path: Path, height: int, width: int) -> Path:
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], -1).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 60 x 88 pixels, a painting, a mask, and models for all uses and for enlarging."""
    made = tmp_path_factory.mktemp("singan")
    _save(made / "scene.png", 60, 88)
    _save(made / "painting.png", 120, 176)
    _save(made / "square.png", 60, 60)
    mask = np.zeros((30, 44), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(made / "mask.png")
    Image.fromarray(np.zeros((30, 44), np.uint8)).save(made / "nothing.png")
    assert augment("singan", "train", str(made / "scene.png"), "--output", str(made / "m.safetensors"), *TINY) == 0
    options = ("--output", str(made / "x2.safetensors"), "--enlarge", "2", *TINY)
    assert augment("singan", "train", str(made / "scene.png"), *options) == 0
    return made


def _shape(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_training_tells_each_scale_and_does_not_train_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert augment("singan", "train", str(folder / "scene.png"), *TINY) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("44 x 30 pixels, 3 scales, 0 of them trained, c")
    assert [line.split(":")[0] for line in said[1:4]] == [
        "scale 1 of 3, 37 x 25",
        "scale 2 of 3, 41 x 28",
        "scale 3 of 3, 44 x 30",
    ]
    assert said[4].startswith("scene.singan.safetensors written, digest ")
    assert (tmp_path / "scene.singan.safetensors").read_bytes() == (folder / "m.safetensors").read_bytes()
    assert augment("singan", "train", str(folder / "scene.png"), *TINY) == 0
    assert capsys.readouterr().out == "scene.singan.safetensors is trained to its end.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["scene.png", *TINY[:-1], "3"], "kernels 2 (now 3)"),
        (["scene.png", *TINY, "--seed", "1"], "seed 0 (now 1)"),
        (["scene.png", "--max-size", "50", *TINY[2:]], "another picture, or another --max-size"),
        (["square.png", *TINY], "another picture"),
    ],
)
def test_a_model_of_another_training_is_not_written_over(
    folder: Path, options: list[str], words: str, capsys: pytest.CaptureFixture
) -> None:
    before = (folder / "m.safetensors").read_bytes()
    picture, *rest = options
    assert augment("singan", "train", str(folder / picture), "--output", str(folder / "m.safetensors"), *rest) == 2
    assert words in capsys.readouterr().err
    assert (folder / "m.safetensors").read_bytes() == before


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT interrupts: a shell that runs the tests in the background leaves it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_stopped_training_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from singanimation.stages.singan import uses

    train = uses.train
    with monkeypatch.context() as patch:

        def stopped(model: uses.PictureModel):
            for count, each in enumerate(train(model)):
                if count == 2:  # within the second scale
                    signal.raise_signal(signal.SIGINT)
                yield each

        patch.setattr(uses, "train", stopped)
        command = ("singan", "train", str(folder / "scene.png"), "--output", str(tmp_path / "m.safetensors"), *TINY)
        assert augment(*command) == 130
    model = uses.load_model(tmp_path / "m.safetensors")
    assert not model.complete and model.going is not None and model.going.scale == 1
    assert augment("singan", "sample", str(tmp_path / "m.safetensors"), "--output", str(tmp_path)) == 2
    assert augment(*command) == 0
    assert (tmp_path / "m.safetensors").read_bytes() == (folder / "m.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (["sample", "m.safetensors", "--count", "2"], {"m__sample@N_0.png": (44, 30), "m__sample@N_1.png": (44, 30)}),
        (["sample", "m.safetensors", "--count", "1", "--size", "90x25"], {"m__sample@N_0.png": (90, 25)}),
        (["sample", "m.safetensors", "--count", "1", "--start-scale", "N-1"], {"m__sample@N-1_0.png": (44, 30)}),
        (
            ["superresolve", "x2.safetensors", "--truth", "painting.png"],
            {"x2__superresolve@2x.png": (88, 60), "x2__bicubic@2x.png": (88, 60)},
        ),
        (
            ["paint", "m.safetensors", "painting.png"],
            {"painting__paint@N-1.png": (44, 30), "painting__paint@N-2.png": (44, 30)},
        ),
        (
            ["harmonise", "m.safetensors", "painting.png", "--mask", "mask.png"],  # of three scales: no N-3
            {"painting__harmonise@N-2.png": (44, 30)},
        ),
        (
            ["edit", "m.safetensors", "painting.png", "--mask", "mask.png", "--start-scale", "N-2"],
            {"painting__edit@N-2.png": (44, 30)},
        ),
        (["animate", "m.safetensors", "--frames", "3"], {"m__animate@N-2.gif": (44, 30)}),
    ],
)
def test_each_use_writes_pictures_that_say_whose_they_are(
    folder: Path, tmp_path: Path, command: list[str], files: dict[str, tuple[int, int]], capsys: pytest.CaptureFixture
) -> None:
    typed = [str(folder / word) if word.endswith((".png", ".safetensors")) else word for word in command]
    assert augment("singan", *typed, "--output", str(tmp_path / "out")) == 0
    assert {path.name: _shape(path) for path in (tmp_path / "out").iterdir()} == files
    assert all(is_signed(tmp_path / "out" / name) for name in files)
    said = capsys.readouterr().out
    assert all(name in said for name in files)
    if command[0] == "superresolve":
        table = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")]
        assert [row[0] for row in table] == ["| picture", "| bicubic", "| singan", "| truth"]
        assert float(table[3][1]) == 0 < float(table[1][1])


def test_around_the_mask_the_picture_stays(folder: Path, tmp_path: Path) -> None:
    from singanimation.stages.singan.uses import load_model

    options = ("--mask", str(folder / "mask.png"), "--start-scale", "N-1", "--output", str(tmp_path), "--quiet")
    assert augment("singan", "edit", str(folder / "m.safetensors"), str(folder / "painting.png"), *options) == 0
    made = np.asarray(Image.open(tmp_path / "painting__edit@N-1.png"))
    own = load_model(folder / "m.safetensors").picture
    np.testing.assert_array_equal(made[:, 35:], own[:, 35:])
    assert (made[12:18, 12:18] != own[12:18, 12:18]).any()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train", "absent.png"], "absent.png"),
        (["train", "mask.png", "--output", "m.txt"], ".safetensors"),
        (["train", "scene.png", "--max-size", "30", "--output", "new.safetensors"], "more than 25"),
        (["sample", "absent.safetensors"], "augment singan train"),
        (["sample", "scene.png"], "cannot be read as safetensors"),
        (["sample", "m.safetensors", "--size", "big"], "WIDTHxHEIGHT"),
        (["sample", "m.safetensors", "--size", "\u00b2x20"], "WIDTHxHEIGHT"),
        (["sample", "m.safetensors", "--size", "9" * 5000 + "x20"], "WIDTHxHEIGHT"),
        (["sample", "m.safetensors", "--start-scale", "N-\u00b2"], "is no scale"),
        (["edit", "m.safetensors", "painting.png", "--mask", "square.png"], "mask square.png is 60 x 60"),
        (["sample", "m.safetensors", "--start-scale", ","], "names nothing"),
        (["superresolve", "m.safetensors"], "not trained to enlarge"),
        (["superresolve", "x2.safetensors", "--truth", "square.png"], "--truth is 60 x 60"),
        (["paint", "m.safetensors", "square.png"], "same aspect"),
        (["harmonise", "m.safetensors", "painting.png", "--mask", "nothing.png"], "black all over"),
        (["animate", "m.safetensors", "--start-scale", "N-7"], "N to N-2"),
        (["paint", "m.safetensors", "painting.png", "--start-scale", "N-1,N-9"], "N to N-2"),
        (["anime", "m.safetensors"], "animate"),
    ],
)
def test_wrong_use_is_one_sentence(
    folder: Path, tmp_path: Path, command: list[str], words: str, capsys: pytest.CaptureFixture
) -> None:
    typed = [str(folder / word) if word.endswith((".png", ".safetensors", ".txt")) else word for word in command]
    if "--output" not in command:
        typed += ["--output", str(tmp_path / ("out.safetensors" if command[0] == "train" else "out"))]
    assert augment("singan", *typed) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))
