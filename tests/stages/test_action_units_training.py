"""Training: same seed, same weights; interrupted or not; and what it refuses."""

from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from singanimation.pipeline.errors import DatasetError, UsageError, WeightsError
from singanimation.pipeline.face.framing import apply
from singanimation.stages.action_units.training.faces import (
    TO_CROP_WITH_MARGIN,
    decode_picture,
    load_faces,
    load_training_faces,
)
from singanimation.stages.action_units.training.loop import TrainSettings, train_action_units
from singanimation.stages.action_units.training.objectives import concordance, mirrored_names
from singanimation.stages.action_units.weights import load_network, load_weights, save_weights


def _picture(rng: np.random.Generator, size: int) -> bytes:
    blotches = cv2.resize(rng.uniform(0, 255, (6, 6, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", blotches.clip(0, 255).astype(np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Twelve blotches with a face's mean landmarks, jittered: enough to run every line of the training."""
    rng = np.random.default_rng(0)
    inverse = np.linalg.inv(np.concatenate([TO_CROP_WITH_MARGIN, [[0, 0, 1]]]))[:2]
    mean = load_network().mean_shape.numpy().astype(np.float64) + 64 + 16
    landmarks = [apply(inverse, mean + rng.normal(0, 1, mean.shape)) / 256 for _ in range(12)]
    table = pa.table(
        {
            "image": [_picture(rng, 256) for _ in range(12)],
            "split": ["train"] * 10 + ["validation"] * 2,
            "landmarks": [points.ravel().astype(np.float32) for points in landmarks],
            "action_units": list(rng.uniform(0, 1, (12, 17)).astype(np.float32)),
        }
    )
    path = tmp_path_factory.mktemp("faces") / "faces.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def warped(tmp_path_factory):
    rng = np.random.default_rng(1)
    table = pa.table(
        {
            "image": [_picture(rng, 160) for _ in range(5)],
            "split": ["train"] * 5,
            "action_units": list(rng.uniform(0, 1, (5, 17)).astype(np.float32)),
        }
    )
    path = tmp_path_factory.mktemp("warped") / "warped.parquet"
    pq.write_table(table, path)
    return path


def _with_column(path, name: str, values: list) -> pa.Table:
    table = pq.read_table(path)
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.list_(pa.float32())))


def _settings(faces, warped=None, **changes) -> TrainSettings:
    small: dict[str, Any] = {
        "steps": 4,
        "aligner_steps": 3,
        "batch_size": 4,
        "aligner_batch_size": 4,
        "report_every": 1,
    }
    return TrainSettings(faces, warped, **(small | changes))


def _same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in first.state_dict().items())


@pytest.fixture(scope="module")
def trained(faces, warped, tmp_path_factory):
    """An undisturbed training, its progress, and a checkpoint from the middle of each phase."""
    folder = tmp_path_factory.mktemp("checkpoints")
    reports = []
    for progress in train_action_units(_settings(faces, warped)):
        reports.append(progress)
        if progress.step == 2:
            progress.session.save(folder / f"{progress.phase}.ckpt")
    return reports, folder


def test_progress_names_every_step_of_both_phases(trained):
    reports, _ = trained
    steps = [(report.phase, report.step) for report in reports]
    assert steps == [("action_units", n) for n in (1, 2, 3, 4)] + [("aligner", n) for n in (1, 2, 3)]
    assert all(np.isfinite(report.loss) for report in reports)
    assert {"units", "concordance", "landmarks"} <= set(reports[0].parts)
    assert [report.calibration is not None for report in reports] == [False] * 6 + [True]


@pytest.mark.parametrize("phase", ["action_units", "aligner"])
def test_a_resumed_training_ends_with_the_weights_of_an_undisturbed_one(faces, warped, trained, phase):
    reports, folder = trained
    *_, last = train_action_units(_settings(faces, warped, resume=folder / f"{phase}.ckpt"))
    for name, network in reports[-1].session.averages.items():
        assert _same(network, last.session.averages[name]), name


def test_an_interrupted_training_reports_the_step_at_hand(faces, warped):
    came = iter([False, True, False])
    reports = train_action_units(_settings(faces, warped, report_every=50), interrupted=lambda: next(came))
    report = next(reports)
    assert (report.phase, report.step) == ("action_units", 2)


def test_a_training_can_be_saved_and_read_back(trained, tmp_path):
    reports, _ = trained
    save_weights(reports[-1].session, tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors")
    assert loaded.aligner is not None
    assert loaded.recipe["steps"] == 4 and loaded.recipe["seed"] == 0
    assert {"faces", "resume", "device"}.isdisjoint(loaded.recipe)


def test_a_finished_phase_is_reported_once_more_and_not_trained_again(faces, warped, trained, tmp_path):
    reports, _ = trained
    reports[-1].session.save(tmp_path / "done.ckpt")
    (report,) = train_action_units(_settings(faces, warped, resume=tmp_path / "done.ckpt"))
    assert report.step == report.steps == 3
    assert _same(report.session.averages["aligner"], reports[-1].session.averages["aligner"])


def test_another_seed_gives_other_weights(faces, warped, trained):
    reports, _ = trained
    *_, last = train_action_units(_settings(faces, warped, seed=1, phases=("action_units",)))
    assert not _same(reports[-1].session.averages["action_units"], last.session.averages["action_units"])


def test_training_leaves_the_global_random_state_alone(faces):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    list(train_action_units(_settings(faces, steps=1, phases=("action_units",))))
    assert torch.equal(torch.rand(1), expected)


def test_a_checkpoint_of_other_settings_is_refused(faces, warped, trained):
    _, folder = trained
    with pytest.raises(WeightsError, match="other settings"):
        list(train_action_units(_settings(faces, warped, steps=5, resume=folder / "action_units.ckpt")))


def test_a_file_that_is_no_checkpoint_is_refused(faces, tmp_path):
    (tmp_path / "not.ckpt").write_text("hello")
    with pytest.raises(WeightsError, match="not.ckpt cannot be read"):
        list(train_action_units(_settings(faces, resume=tmp_path / "not.ckpt")))


def test_validation_is_called_when_due_and_handed_on(faces):
    seen = []

    def validate(phase, network):
        seen.append((phase, network.training))
        return {"calls": len(seen)}

    settings = _settings(faces, phases=("action_units",), validate_every=2)
    reports = list(train_action_units(settings, validate))
    assert seen == [("action_units", False)] * 2
    assert [report.validation for report in reports] == [None, {"calls": 1}, None, {"calls": 2}]


def test_warped_faces_have_no_landmarks_and_real_ones_keep_theirs(faces, warped):
    both = load_training_faces(faces, warped, "train")
    assert len(both) == 15
    assert both.warped.tolist() == [False] * 10 + [True] * 5
    assert np.isfinite(both.landmarks[:10]).all() and np.isnan(both.landmarks[10:]).all()


def test_landmarks_are_in_pixels_of_the_crop_with_margin(faces):
    stored = np.stack(pq.read_table(faces)["landmarks"].to_pylist()[:1]).reshape(478, 2) * 256
    expected = (stored - [128, 134]) * (128 / 176) + 80
    np.testing.assert_allclose(load_faces(faces, "train").landmarks[0], expected, atol=1e-3)


def test_a_missing_column_is_named(tmp_path):
    pq.write_table(pa.table({"image": [b"x"], "split": ["train"]}), tmp_path / "bad.parquet")
    with pytest.raises(DatasetError, match="action_units"):
        load_faces(tmp_path / "bad.parquet", "train")


@pytest.mark.parametrize("picture", [b"x", b"", None, {"bytes": b"x", "path": "x.png"}])
def test_a_damaged_picture_is_named_by_its_row(tmp_path, picture):
    table = pa.table({"image": [picture], "split": ["train"], "action_units": [np.zeros(17, np.float32)]})
    pq.write_table(table, tmp_path / "bad.parquet")
    with pytest.raises(DatasetError, match="row 0.*no picture"):
        load_faces(tmp_path / "bad.parquet", "train")


def test_a_picture_of_another_size_is_refused_by_its_head_alone(monkeypatch):
    data = _picture(np.random.default_rng(0), 300)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DatasetError, match="a picture of 300x300, expected one of 256x256"):
        decode_picture(data, 256, "faces.parquet, row 3")


@pytest.mark.parametrize(("column", "width"), [("action_units", 17), ("landmarks", 956)])
@pytest.mark.parametrize("values", [[[0.1] * 5] * 12, [None] * 12])
def test_rows_without_the_right_count_of_numbers_are_refused(faces, tmp_path, column, width, values):
    pq.write_table(_with_column(faces, column, values), tmp_path / "bad.parquet")
    with pytest.raises(DatasetError, match=f"{column} must be {width} numbers in every row"):
        load_faces(tmp_path / "bad.parquet", "train")


def test_landmarks_that_the_aligner_lacks_are_missed_before_the_first_step(faces, tmp_path):
    pq.write_table(pq.read_table(faces).drop(["landmarks"]), tmp_path / "bare.parquet")
    with pytest.raises(DatasetError, match="lacks the column landmarks"):
        next(train_action_units(_settings(tmp_path / "bare.parquet")))


def test_faces_that_all_have_the_same_action_units_are_refused(faces, tmp_path):
    pq.write_table(_with_column(faces, "action_units", [[0.1] * 17] * 12), tmp_path / "same.parquet")
    with pytest.raises(DatasetError, match="the same action units"):
        next(train_action_units(_settings(tmp_path / "same.parquet")))


def test_a_checkpoint_of_other_faces_is_refused(faces, warped, trained, tmp_path):
    _, folder = trained
    pq.write_table(pq.read_table(faces).slice(1), tmp_path / "fewer.parquet")
    for data in ((tmp_path / "fewer.parquet", warped), (faces, None)):
        with pytest.raises(WeightsError, match="on other faces"):
            next(train_action_units(_settings(*data, resume=folder / "aligner.ckpt")))


def test_an_absent_split_is_named(faces):
    with pytest.raises(DatasetError, match="'test'"):
        load_faces(faces, "test")


def test_unknown_phases_and_empty_trainings_are_refused(faces):
    with pytest.raises(UsageError, match="phases"):
        TrainSettings(faces, phases=("eyes",))
    with pytest.raises(UsageError, match="steps"):
        TrainSettings(faces, steps=0)


def test_concordance_is_one_for_equality_and_penalises_a_shift():
    wanted = torch.tensor([[0.0], [0.5], [1.0]])
    assert concordance(wanted, wanted).item() == pytest.approx(1, abs=1e-3)
    spread = wanted.var(correction=0).item()
    expected = 2 * spread / (2 * spread + 0.25**2)
    assert concordance(wanted + 0.25, wanted).item() == pytest.approx(expected, abs=1e-3)


def test_a_mirror_swaps_left_and_right_blendshapes():
    names = ("browDownLeft", "browDownRight", "jawOpen", "mouthLeft", "mouthRight")
    assert mirrored_names(names).tolist() == [1, 0, 2, 4, 3]
