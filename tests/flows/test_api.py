"""Three lines of Python: pictures in memory edited, measured and regenerated; a run that returns its summary."""

import doctest
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import singanimation
from singanimation import AU_NAMES, Editor, PictureError, Regenerator, SinganimationError, action_units, edit
from singanimation.pipeline.errors import UsageError

AU12, AU25 = AU_NAMES.index("AU12"), AU_NAMES.index("AU25")
PICTURE = np.ascontiguousarray(astronaut()[:256, 96:352])
PICTURE.flags.writeable = False
BLACK = np.zeros((64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor(device="cpu")


@pytest.mark.parametrize("module", ["editor", "regenerator", "run", "transforms", "albumentations_style"])
def test_the_examples_in_the_docstrings_run(module):
    if module == "albumentations_style":
        pytest.importorskip("albumentations")
    done = doctest.testmod(importlib.import_module(f"singanimation.flows.api.{module}"))
    assert done.attempted >= 2 and done.failed == 0


def test_importing_the_package_loads_nothing_heavy_and_its_names_are_there():
    code = (
        "import sys, singanimation; assert not {'torch', 'prefect', 'numpy', 'pyarrow', 'cv2'} & set(sys.modules);"
        "print(*singanimation.__all__); assert set(singanimation.__all__) <= set(dir(singanimation));"
        "from singanimation import read, augment; assert 'torch' not in sys.modules; print(singanimation.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, version = done.stdout.splitlines()
    assert {"edit", "action_units", "Editor", "Regenerator", "augment", "read"} <= set(names.split())
    assert version and not hasattr(singanimation, "no_such_name")


def test_every_name_can_be_had_and_a_star_asks_for_no_extra():
    for name in dir(singanimation):
        if name == "albumentations" and importlib.util.find_spec("albumentations") is None:
            with pytest.raises(UsageError, match="pip install"):
                getattr(singanimation, name)
        else:
            assert getattr(singanimation, name) is not None or name == "__doc__"
    assert not {"ExpressionEdit", "RegeneratedVariant", "albumentations"} & set(singanimation.__all__)


def test_an_edit_changes_the_face_alone_and_gives_back_its_own_kind(editor):
    picture = PICTURE
    array = editor.edit(picture, "sadness", strength=0.9)
    pil = editor.edit(Image.fromarray(picture), "sadness", strength=0.9)
    assert array.dtype == np.uint8 and array.shape == picture.shape
    assert isinstance(pil, Image.Image) and np.array_equal(np.asarray(pil), array)
    changed = np.abs(array.astype(int) - picture).max(2) > 8
    assert changed[60:200, 64:194].mean() > 0.02 and not changed[240:].any() and not changed[:, :20].any()
    smiling, sad = editor.action_units([picture, array])
    assert smiling[AU12] > sad[AU12] + 0.2


def test_grey_pictures_stay_grey(editor):
    grey = np.asarray(Image.fromarray(PICTURE).convert("L"))
    assert editor.edit(grey, "AU25", 1.0).shape == grey.shape
    pil = editor.edit(Image.fromarray(grey), "AU25", 1.0)
    assert pil.mode == "L" and np.array_equal(np.asarray(pil), editor.edit(grey, "AU25", 1.0))


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "LA", "I;16"])
def test_other_modes_are_taken_as_files_of_them_are(editor, mode):
    picture = Image.fromarray(PICTURE)
    if mode == "I;16":
        wide = Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16) << 8).astype(np.uint16))
        edited = editor.edit(wide, "fear")
    else:
        edited = editor.edit(picture.convert(mode), "fear")
    assert edited.mode in ("RGB", "L") and edited.size == (256, 256)


def test_strength_nothing_is_the_picture_itself(editor):
    for aim in ("fear", "AU12", {"AU12": 0.1}, np.ones(17)):
        assert np.array_equal(editor.edit(PICTURE, aim, strength=0), PICTURE)


def test_aims_are_emotions_compounds_units_mappings_and_vectors(editor):
    crop = editor.edit(PICTURE, "neutral", as_crop=True)
    assert crop.shape == (128, 128, 3)
    shut = editor.edit(PICTURE, {"au12_r": 0, "AU25": 0}, as_crop=True)
    units = editor.action_units(PICTURE)
    vector = units.copy()
    vector[[AU12, AU25]] = 0
    assert np.array_equal(editor.edit(PICTURE, vector, as_crop=True), shut)
    assert np.array_equal(editor.edit(PICTURE, vector.tolist(), as_crop=True), shut)
    half = editor.edit(PICTURE, {"AU12": 0, "AU25": 0}, 0.5, as_crop=True)
    assert not np.array_equal(half, shut)
    assert not np.array_equal(editor.edit(PICTURE, "sadly-angry", as_crop=True), crop)


def test_lists_go_in_and_out_in_order_with_one_aim_or_one_each(editor):
    pictures = [PICTURE, Image.fromarray(PICTURE)]
    same = editor.edit(pictures, "fear")
    assert isinstance(same[1], Image.Image) and np.array_equal(same[0], np.asarray(same[1]))
    fear, joy = editor.edit(pictures, ["fear", "happiness"])
    assert np.array_equal(fear, same[0]) and not np.array_equal(np.asarray(joy), fear)
    assert editor.edit([], "fear") == [] and editor.action_units([]).shape == (0, 17)
    assert editor.action_units(pictures).dtype == np.float32


def test_a_seed_varies_the_form_and_repeats_itself(editor):
    def seeded(seed: int | None, **more: object) -> np.ndarray:
        return editor.edit(PICTURE, "anger", as_crop=True, seed=seed, **more)

    assert np.array_equal(seeded(None), seeded(None)) and np.array_equal(seeded(3), seeded(3))
    assert not np.array_equal(seeded(3), seeded(4)) and not np.array_equal(seeded(3), seeded(None))
    assert np.array_equal(seeded(None, form="open"), seeded(None)) and not np.array_equal(
        seeded(None, form="closed"), seeded(None)
    )
    assert len({seeded(seed, form="any").tobytes() for seed in (3, 4)}) == 2
    first, second = editor.edit([PICTURE, PICTURE], "anger", as_crop=True, seed=3)
    assert np.array_equal(first, seeded(3)) and not np.array_equal(second, first)
    twin = Editor(device="cpu", seed=3)
    assert np.array_equal(twin.edit(PICTURE, "anger", as_crop=True), seeded(3))


def test_without_a_face_it_is_said_or_left_out(editor):
    with pytest.raises(PictureError) as raised:
        editor.edit([PICTURE, BLACK], "fear")
    assert raised.value.reason == "no_face"
    edited, nothing = editor.edit([PICTURE, BLACK], "fear", missing="none")
    assert nothing is None and edited.shape == (256, 256, 3)
    units = editor.action_units([BLACK, PICTURE], missing="none")
    assert np.isnan(units[0]).all() and not np.isnan(units[1]).any()


def test_a_face_crop_is_found_as_one(editor):
    crop = Image.fromarray(editor.edit(PICTURE, "neutral", 0, as_crop=True)).resize((100, 100))
    assert editor.edit(crop, "surprise", face_crop=True).size == (100, 100)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("x.png", "fear"), {}, "not a str"),
        ((PICTURE.astype(float), "fear"), {}, "float64 (256, 256, 3)"),
        ((np.zeros((9, 9, 4), np.uint8), "fear"), {}, "(9, 9, 4)"),
        ((np.zeros((9, 9, 3), np.uint8), "fear"), {}, "cannot show a face"),
        ((PICTURE, "smirk"), {}, "no expression"),
        ((PICTURE, {"AU99": 1}), {}, "no action unit"),
        ((PICTURE, {"AU12": 2}), {}, "from 0 to 1"),
        ((PICTURE, np.full(17, np.nan)), {}, "from 0 to 1"),
        ((PICTURE, np.zeros(16)), {}, "17 numbers"),
        ((PICTURE, ["fear", "anger"]), {}, "2 aims for 1 picture"),
        (([PICTURE], ["fear", "anger"]), {}, "2 aims for 1 picture"),
        ((PICTURE, "fear", 1.5), {}, "strength"),
        ((PICTURE, "fear"), {"form": "loud"}, "no form"),
        ((PICTURE, "fear"), {"form": "any"}, "seed"),
        ((PICTURE, "fear"), {"seed": -1}, "seed"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(editor, arguments, options, words):
    with pytest.raises(SinganimationError, match=r"^[^\n]+$") as raised:
        editor.edit(*arguments, **options)
    assert words in str(raised.value)


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="cuda:99"):
        edit(PICTURE, "fear", device="cuda:99")


def test_the_short_forms_do_what_the_editor_does(editor):
    assert np.array_equal(edit(PICTURE, "fear", strength=0.8), editor.edit(PICTURE, "fear", strength=0.8))
    np.testing.assert_array_equal(action_units(PICTURE), editor.action_units(PICTURE))


def test_torch_keeps_its_random_numbers():
    import torch

    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    Editor(device="cpu").edit(PICTURE, "fear", seed=4)
    assert torch.equal(torch.rand(3), wanted)
    torch.manual_seed(1)
    Regenerator(engine="fast", device="cpu", singan_iterations=1, starts=["N-2"]).variants(PICTURE, 1, checked=False)
    assert torch.equal(torch.rand(3), wanted)


def test_torch_keeps_the_threads_it_had(editor):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        editor.edit(PICTURE, "fear")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_variants_are_the_picture_with_a_face_that_differs_a_little():
    regenerator = Regenerator(engine="patch", device="cpu")
    picture = Image.fromarray(PICTURE)
    first, second = regenerator.variants(picture, 2)
    assert first.size == picture.size and not np.array_equal(np.asarray(first), np.asarray(second))
    difference = np.abs(np.asarray(first).astype(int) - PICTURE)
    assert difference.max() > 0 and not difference[240:].any()
    fitted = regenerator.fit(picture)
    again = fitted.draw(2)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(again, (first, second), strict=True))
    other = fitted.draw(1, seed=9, as_crop=True)[0]
    assert other.size == (128, 128) and fitted.fault(np.array(other)) is None
    assert fitted.fault(fitted.crop.pixels).reason == "near_copy"  # type: ignore[union-attr]


def test_the_fast_engine_serves_too_and_its_settings_are_a_runs():
    drawn = Regenerator(engine="fast", device="cpu", singan_iterations=2, starts=["N-2"]).variants(
        PICTURE, 1, as_crop=True, checked=False
    )
    assert drawn[0].shape == (128, 128, 3)
    with pytest.raises(UsageError, match="--engine"):
        Regenerator(engine="slow")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="count"):
        Regenerator(engine="patch", device="cpu").variants(PICTURE, 0)


def test_a_limit_that_nothing_meets_gives_fewer():
    strict = Regenerator(engine="patch", device="cpu", sifid_max=1e-9)
    assert strict.variants(PICTURE, 1) == []
    assert strict.fit(PICTURE).fault(np.zeros((128, 128, 3), np.uint8)) is not None


def test_augment_returns_the_summary_and_read_the_rows(tmp_path, faces, no_server, monkeypatch):
    from singanimation.flows.commands import augment as command

    asked = {}

    def run_plan(plan, quiet):
        asked.update(per_image=plan.settings.per_image, output=plan.settings.output, engine=plan.settings.engine)
        return {"exit_code": 0, "output": str(plan.settings.output)}

    monkeypatch.setattr(command, "run_plan", run_plan)
    summary = singanimation.augment(faces, per_image=3, output=tmp_path / "out", engine="patch")
    assert summary["exit_code"] == 0 and asked == {"per_image": 3, "output": tmp_path / "out", "engine": "patch"}
    with pytest.raises(UsageError, match="--per-image"):
        singanimation.augment(faces, per_image=0)
    with pytest.raises(UsageError, match="--colour"):
        singanimation.augment(faces, colour=1)


def test_a_worker_that_imports_the_script_again_is_told_where_to_put_the_call(monkeypatch):
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    with pytest.raises(UsageError, match="__main__"):
        singanimation.augment("sample", dry_run=True)


@pytest.mark.slow
def test_a_script_of_three_lines_grows_a_data_set(tmp_path, environment):
    script = tmp_path / "grow.py"
    script.write_text(
        "from singanimation import augment, read\n"
        'if __name__ == "__main__":\n'
        '    summary = augment("sample", per_image=2, edits=1, engine="patch", output="grown")\n'
        '    print(len(read(summary["output"])), summary["variants"]["accepted"])\n'
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    rows, accepted = map(int, done.stdout.split())
    assert accepted == 2 and rows >= 4 and Path(tmp_path / "grown" / "contact_sheet.png").exists()
