"""`--expander NAME|FILE`: what users can name, and what an expander of labels refuses, each in one sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from singanimation import Editor
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import TRAINED_BY, check_labels, expander_file
from singanimation.pipeline.settings import make_settings
from singanimation.stages.expansion.checkpoints import save_generator
from singanimation.stages.expansion.stargan.networks import StarGenerator

Augment = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def by_label(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained expander of two labels."""
    options = {"labels": ["happiness", "neutral"], "of_sets": [0, 0], "width": 8, "blocks": 1, "size": 64}
    path = tmp_path_factory.mktemp("expanders") / "mine.safetensors"
    save_generator(path, StarGenerator(**options), options, {})
    return path


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "eileen.png"
    Image.fromarray(np.ascontiguousarray(astronaut()[:256, 96:352])).save(path)
    return path


def test_geometry_is_what_ships_a_file_goes_before_a_name_and_others_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expander_file(None) is None and expander_file(Path("geometry")) is None
    assert expander_file(Path("mine.safetensors")) == Path("mine.safetensors")
    assert make_settings(input="sample", ganimation="geometry") == make_settings(input="sample")
    for name, command in TRAINED_BY.items():
        with pytest.raises(UsageError, match=f"no weights of it ship; `{command}"):
            expander_file(Path(name))
    Path("geometry").mkdir()  # a folder of that name is no file of weights
    assert expander_file(Path("geometry")) is None
    Path("stargan").touch()
    assert expander_file(Path("stargan")) == Path("stargan")


def test_only_emotions_that_were_learnt_are_planned() -> None:
    check_labels(None, ("single", "AU12"), "x")
    check_labels(("happiness", "neutral"), ("neutral", "appearance"), "x")
    for beyond in ("discrete", "single", "donor", "AU12", "fear", "happily-surprised"):
        with pytest.raises(UsageError, match="give --expressions happiness,neutral"):
            check_labels(("happiness", "neutral"), ("neutral", beyond), "x")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--input", "sample", "--dry-run", "--expander"), "give --expressions happiness,neutral"),
        (("edit", "FACE", "--aus", "AU12", "--expander"), "use --emotions"),
        (("edit", "FACE", "--emotions", "fear", "--expander"), "fear it has not learnt"),
        (("edit", "FACE", "--emotions", "neutral", "--strengths", "0.5", "--expander"), "at full strength"),
        (("figure", "single", "FACE", "--ganimation"), "by label alone"),
        (("figure", "continuous", "FACE", "--expander"), "by label alone"),
    ],
)
def test_what_an_expander_of_labels_cannot_draw_is_refused_in_one_sentence(
    words: tuple[str, ...], says: str, by_label: Path, augment: Augment, tmp_path: Path, portrait: Path
) -> None:
    given = [str(portrait) if word == "FACE" else word for word in words]
    code, _, err = augment(*given, by_label, "--output", tmp_path / "out.png")
    assert code == 2 and says in err.splitlines()[-1] and "Traceback" not in err


def test_its_labels_are_drawn_and_the_plan_takes_them(
    by_label: Path, augment: Augment, tmp_path: Path, portrait: Path
) -> None:
    code, _, err = augment("edit", portrait, "--emotions", "neutral", "--expander", by_label, "--output", tmp_path)
    assert code == 0, err
    (edited,) = tmp_path.glob("*__neutral@1.png")
    assert np.any(np.asarray(Image.open(edited)) != np.asarray(Image.open(portrait)))
    words = ("--input", portrait, "--expressions", "neutral,happiness", "--dry-run", "--output", tmp_path / "run")
    code, out, err = augment(*words, "--expander", by_label)
    assert code == 0 and "Dry run" in out and "only the emotion is drawn" in " ".join((out + err).split())


def test_python_refuses_alike(by_label: Path, portrait: Path) -> None:
    editor = Editor(device="cpu", ganimation=by_label)
    assert editor.edit(Image.open(portrait), "happiness").size == Image.open(portrait).size
    for aim, strength in (("fear", 1.0), ("AU12", 1.0), ("neutral", 0.5), (np.zeros(17), 1.0)):
        with pytest.raises(UsageError, match="happiness, neutral by label"):
            editor.edit(Image.open(portrait), aim, strength)


def test_python_takes_the_same_names(portrait: Path) -> None:
    named, shipped = (Editor(device="cpu", ganimation=name) for name in ("geometry", None))
    picture = np.asarray(Image.open(portrait))
    assert np.array_equal(named.edit(picture, "fear"), shipped.edit(picture, "fear"))
    with pytest.raises(UsageError, match="`augment train landmarks"):
        Editor(device="cpu", ganimation="landmarks")


def test_a_name_without_weights_is_refused_everywhere(augment: Augment, tmp_path: Path, portrait: Path) -> None:
    for words in (
        ("--input", "sample", "--per-image", 1, "--output", tmp_path / "run"),
        ("edit", portrait, "--emotions", "fear", "--output", tmp_path),
        ("figure", "discrete", portrait, "--output", tmp_path / "f.png"),
        ("evaluate", "edits", "--input", portrait),
    ):
        code, _, err = augment(*words, "--expander", "transfer")
        assert code == 2 and "`augment train transfer --input FACES" in err and "Traceback" not in err
