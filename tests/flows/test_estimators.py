"""What --aus and the weights at hand lead to, and what rows, log and summary say of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from singanimation.flows.commands.augment import run_main_job
from singanimation.flows.estimators import CARD_KEY, choose_detector, choose_estimator
from singanimation.flows.job.job import open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.progress import Reporter
from singanimation.flows.job.summary import close_job
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import make_settings
from singanimation.stages.action_units.estimators import EmbeddedEstimator

FAKE_PYFEAT = Path(__file__).parents[1] / "stages" / "fake_pyfeat"


class Embedded(EmbeddedEstimator):
    """Stands for the embedded estimator."""

    def __init__(self) -> None:
        self.digest = "e" * 64


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    for name in ("FEAT_MULTITASK_WEIGHTS", "SINGANIMATION_YUNET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("singanimation.pipeline.weights.places._library_paths", lambda entry: iter(()))


@pytest.fixture
def pyfeat(tmp_path, monkeypatch):
    """A fake py-feat with its weights."""
    (tmp_path / "v28.safetensors").write_text("{}")
    monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(tmp_path / "v28.safetensors"))
    monkeypatch.setenv("PYTHONPATH", str(FAKE_PYFEAT))
    monkeypatch.syspath_prepend(FAKE_PYFEAT)


def test_auto_is_the_estimator_of_the_generators_training_and_says_what_of_py_feat():
    chosen = choose_estimator("auto", Embedded(), {})
    assert (chosen.name, chosen.warnings) == ("embedded@eeeeeeeeeeee", ())
    assert "as the generator's training" in chosen.notes[0] and "py-feat cannot be used" in chosen.notes[0]
    assert choose_estimator("embedded", Embedded(), {CARD_KEY: "pyfeat@1"}).notes == ()


def test_auto_goes_on_with_the_embedded_estimator_and_warns_where_the_generators_cannot_be_used():
    chosen = choose_estimator("auto", Embedded(), {CARD_KEY: "pyfeat@123"})
    assert chosen.name == "embedded@eeeeeeeeeeee"
    assert "goes on with the embedded estimator" in chosen.warnings[0]
    assert "face_multitask_v28.safetensors" in chosen.warnings[0]
    published = choose_estimator("auto", Embedded(), {"implementation": "P"})
    assert published.name == "embedded@eeeeeeeeeeee" and "openface's scale" in published.notes[0]


def test_what_is_asked_for_and_cannot_be_used_is_an_error():
    with pytest.raises(WeightsError, match=r"face_multitask_v28\.safetensors"):
        choose_estimator("pyfeat", Embedded(), {})
    with pytest.raises(UsageError, match="--aus best: use one of auto, embedded"):
        choose_estimator("best", Embedded(), {})


def test_a_generator_trained_on_py_feats_scale_gets_py_feat_where_it_is(pyfeat):
    chosen = choose_estimator("auto", Embedded(), {CARD_KEY: "pyfeat@123"})
    assert chosen.name.startswith("pyfeat@") and chosen.warnings == ()
    np.testing.assert_allclose(chosen.measure(np.zeros((1, 128, 128, 3), np.uint8))[0, :2], [0, 0.01], atol=1e-6)
    assert "py-feat can be used: --aus pyfeat" in choose_estimator("auto", Embedded(), {}).notes[0]


def test_the_face_detector_is_haars_unless_yunets_file_is_there(tmp_path, monkeypatch):
    estimator = choose_estimator("embedded", Embedded(), {})
    assert choose_detector(estimator).name == "haar"
    assert choose_detector(replace(estimator, detector="its own")) == "its own"
    monkeypatch.setenv("SINGANIMATION_YUNET", str(tmp_path / "none.onnx"))
    with pytest.raises(WeightsError, match=r"SINGANIMATION_YUNET.*none\.onnx"):
        choose_detector(estimator)
    monkeypatch.setenv("SINGANIMATION_YUNET", str(tmp_path / "text.onnx"))
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match="no YuNet network"):
        choose_detector(estimator)


def test_ids_depend_on_a_sources_own_units_and_on_a_better_detector_only_where_they_count():
    models = Fingerprint("e", "embedded@1", "1", "embedded", 0.06)
    yunet = replace(models, detector="yunet@8f23")
    plain = Source("set", "a.png", None, "a.png", action_units=(0.5,) * 17)
    boxed = replace(plain, box=(0, 0, 1, 1))

    def name(source: Source, fingerprint: Fingerprint, aus: str = "auto") -> str:
        return Identity(source, "f" * 64, make_settings(input="x", aus=aus), fingerprint).edit("discrete:fear@1.00")

    assert name(plain, models) == name(replace(plain, action_units=None), models, "openface")
    assert name(plain, models, "openface") != name(plain, models)
    assert name(plain, models, "openface") != name(replace(plain, action_units=(0.4,) * 17), models, "openface")
    assert name(plain, yunet) != name(plain, models) and name(boxed, yunet) == name(boxed, models)


def _openface(faces: Path, value: float) -> None:
    for picture in sorted(faces.rglob("0[0-2].png")):
        row = "0, 0.30" if picture.stem == "02" else "0, 0.98"
        header = ["face", "confidence", "AU12_r"]
        picture.with_suffix(".csv").write_text(f"{', '.join(header)}\n{row}, {value}\n")


def test_with_openface_sources_have_its_values_and_everything_else_is_measured_and_rows_say_so(
    faces, tmp_path, augmented, rows_of
):
    _openface(faces, 4.0)
    output = tmp_path / "out"
    summary = augmented(input=str(faces), output=output, aus="openface", per_image=2)
    rows = rows_of(output)
    real = {row["source_id"].split("/")[-1]: row for row in rows if row["kind"] == "real"}
    assert real["00.png"]["au_source"][8] == sum(real["00.png"]["au_source"]) == pytest.approx(0.8)
    assert [real[f"0{n}.png"]["au_estimator"] for n in range(4)] == ["openface", "openface", "fake", "fake"]
    assert real["00.png"]["message"] is None
    assert real["02.png"]["message"] == real["03.png"]["message"] == "no action units of OpenFace's: measured instead"
    made = [row for row in rows if row["kind"] != "real" and row["source_id"].endswith("00.png")]
    assert {row["au_estimator"] for row in made} == {"au_source openface, au_measured fake"}
    assert all(row["au_source"][8] == pytest.approx(0.8) for row in made)
    assert all(row["au_measured"][0] > 0.2 for row in made)  # the fake measures brightness
    other = [row for row in rows if row["kind"] != "real" and row["source_id"].endswith("03.png")]
    assert {row["au_estimator"] for row in other} == {"fake"}
    assert summary["models"]["au_estimator"] == "fake"
    assert augmented(input=str(faces), output=output, aus="openface", per_image=2)["sources"]["worked_on"] == 0
    _openface(faces, 1.0)  # other values, other edits: rows beside, for those two
    assert augmented(input=str(faces), output=output, aus="openface", per_image=2)["sources"]["worked_on"] == 2


def test_what_the_models_tell_is_in_the_log_the_summary_and_on_the_terminal(faces, tmp_path, no_server):
    class Said(Reporter):
        lines: list[str] = []

        def say(self, text: str) -> None:
            self.lines.append(text)

    settings = make_settings(input=str(faces), output=tmp_path / "out", per_image=1, workers=1)
    with open_job(plan_run(settings), Said(), "fake_warned:load") as job:
        close_job(job)
        log = (job.run.folder / "log").read_text()
        summary = json.loads((job.run.folder / "summary.json").read_text())
    assert "warning: goes on otherwise" in Said.lines and "warning: a note" not in Said.lines
    assert "action units: fake; faces found by: yunet@8f23" in log and "a note" in log and "goes on otherwise" in log
    assert summary["models"]["face_detector"] == "yunet@8f23"
    assert summary["models"]["notes"] == ["a note", "goes on otherwise"]


def test_pyfeat_without_weights_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(UsageError, match="--aus pyfeat: the weights pyfeat are not here"):
        run_main_job(make_settings(input="sample", output=tmp_path / "out", aus="pyfeat"), dry_run=True)
    assert not (tmp_path / "out").exists()
