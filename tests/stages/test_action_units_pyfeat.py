"""Py-feat behind the one signature: against a small fake package, and against the real one with random weights."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline import pyfeat as places
from singanimation.pipeline.errors import MachineError, UsageError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.action_units.pyfeat.estimator import PyFeatEstimator, columns
from singanimation.stages.action_units.pyfeat.process import PyFeatProcess

FAKE = Path(__file__).parent / "fake_pyfeat"
WHITE, GREY = np.full((1, 128, 128, 3), 255, np.uint8), np.full((1, 128, 128, 3), 51, np.uint8)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FAKE))


@pytest.fixture
def weights(tmp_path):
    def write(**behaviour: object) -> Path:
        path = tmp_path / "face_multitask_v28.safetensors"
        path.write_text(json.dumps(behaviour))
        return path

    return write


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_our_units_are_py_feats_of_the_same_name_and_au45_is_its_au43():
    theirs = [*reversed([name for name in AU_NAMES if name != "AU45"]), "AU24", "AU43"]
    found = columns(theirs)
    assert [theirs[place] for place in found[:-1]] == list(AU_NAMES[:-1])
    assert theirs[found[AU_INDEX["AU45"]]] == "AU43"
    assert columns([*AU_NAMES, "AU43"])[AU_INDEX["AU45"]] == AU_INDEX["AU45"]
    with pytest.raises(WeightsError, match="has no AU12, AU43"):
        columns([name for name in AU_NAMES if name not in ("AU12", "AU45")])


def test_crops_go_through_the_worker_in_batches_and_this_process_keeps_its_gradients(fake, weights):
    import torch

    threads = torch.get_num_threads()
    estimator = PyFeatEstimator.load(weights())
    crops = np.arange(0, 34, dtype=np.uint8)[:, None, None, None] * np.ones((1, 128, 128, 3), np.uint8)
    result = estimator(crops)
    assert result.action_units.shape == (34, 17) and result.landmarks.shape == (34, 478, 2)
    np.testing.assert_allclose(result.action_units[:, 0], np.arange(34) / 255, atol=1e-6)
    np.testing.assert_allclose(result.action_units[3, AU_INDEX["AU12"]], 3 / 255 + 0.09, atol=1e-6)
    np.testing.assert_allclose(result.action_units[3, AU_INDEX["AU45"]], 3 / 255 + 0.19, atol=1e-6)
    np.testing.assert_array_equal(result.landmarks, 32)
    assert estimator(WHITE).action_units.max() == 1  # 1.19 is clipped
    assert estimator(crops[:0]).action_units.shape == (0, 17)
    assert torch.is_grad_enabled() and torch.get_num_threads() == threads
    assert len(estimator.digest) == 64 and not estimator.detects
    with pytest.raises(UsageError, match="128"):
        estimator(np.zeros((1, 64, 64, 3), np.uint8))
    pid = estimator._process.pid
    estimator.close()
    assert not Path(f"/proc/{pid}").exists()  # reaped, no zombie


def test_two_estimators_have_a_process_each_and_ctrl_c_is_the_parents(fake, weights):
    one, two = PyFeatEstimator.load(weights()), PyFeatEstimator.load(weights())
    pids = {one._process.pid, two._process.pid} - {None}
    assert len(pids) == 2
    for pid in filter(None, pids):
        os.kill(pid, signal.SIGINT)
    assert one(GREY).action_units[0, 0] == two(GREY).action_units[0, 0] == pytest.approx(0.2)
    one.close()
    two.close()


def test_a_dead_worker_is_one_error_with_its_last_words_and_replaced(fake, weights):
    estimator = PyFeatEstimator.load(weights(deadly=True))
    pid = estimator._process.pid
    with pytest.raises(MachineError, match="died with status 9: Segmentation fault, says the library"):
        estimator(WHITE)
    assert not Path(f"/proc/{pid}").exists()
    assert estimator(GREY).action_units[0, 0] == pytest.approx(0.2)
    estimator.close()


def test_a_hanging_or_stopped_worker_is_ended_in_time_and_a_fault_is_told(fake, weights):
    process = PyFeatProcess(weights(slow=True), None, answer_seconds=1)
    pid = process.pid
    with pytest.raises(MachineError, match="did not answer within 1 s"):
        process.estimate(WHITE)
    assert not Path(f"/proc/{pid}").exists()
    process.estimate(GREY)  # a new one
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(MachineError, match="did not answer within 1 s"):
        process.estimate(np.repeat(GREY, 16, 0))  # more than a pipe holds: it cannot even be sent
    process.close()


def test_a_fault_of_py_feats_is_told_and_the_worker_goes_on(fake, weights):
    process = PyFeatProcess(weights(faulty=True), None)
    pid = process.pid
    with pytest.raises(MachineError, match="ValueError: no such face"):
        process.estimate(WHITE)
    process.estimate(GREY)
    assert process.pid == pid
    process.close()


def test_weights_that_py_feat_cannot_use_are_one_sentence(fake, weights, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r"cannot use the weights .*v28.*checkpoint mismatch: 3 missing\)"):
        PyFeatEstimator.load(weights(damaged=True))
    (tmp_path / "feat").mkdir()
    (tmp_path / "feat/__init__.py").write_text("import a_library_that_is_not_there")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WeightsError, match="installed but cannot be imported .*a_library_that_is_not_there"):
        PyFeatEstimator.load(weights())


def test_the_face_detector_gives_boxes_in_the_pictures_pixels_largest_first(fake, weights, tmp_path):
    import torch
    from safetensors.torch import save_file

    from singanimation.stages.crop import retinaface

    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    estimator = PyFeatEstimator.load(weights(), tmp_path / "model.safetensors")
    assert estimator.detects
    boxes = retinaface(estimator.detect_faces).boxes(np.zeros((640, 1280, 3), np.uint8))
    np.testing.assert_allclose(boxes, [[10, 12, 640, 320], [0, 0, 20, 24]])
    estimator.close()


@pytest.mark.parametrize("end", ["killed", "ended", "multiprocessing"])
def test_the_worker_never_outlives_its_parent(fake, weights, tmp_path, end):
    code = f"""
import os, sys, time
from multiprocessing import get_context
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).resolve().parents[2] / "src")!r})
from singanimation.stages.action_units.pyfeat.process import PyFeatProcess
def start():
    global process
    process = PyFeatProcess(Path({str(weights(slow=True))!r}), None)
    print(process.pid, flush=True)
if {end == "multiprocessing"}:
    child = get_context("fork").Process(target=start)
    child.start()
    child.join()
else:
    start()
{"time.sleep(60)" if end == "killed" else ""}
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    if end == "killed":
        assert alive(pid)
        parent.kill()
    assert parent.wait(20) == (-9 if end == "killed" else 0)
    assert gone(pid)


def test_without_the_package_or_its_weights_the_sentence_says_what_to_do_at_once(monkeypatch, tmp_path):
    for name in ("FEAT_MULTITASK_WEIGHTS", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path))
    began = time.monotonic()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'not installed; `pip install "py-feat>='):
        places.check_estimator("pyfeat")
    monkeypatch.undo()
    monkeypatch.delenv("FEAT_MULTITASK_WEIGHTS", raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path))
    monkeypatch.syspath_prepend(FAKE)
    assert places.package_folder() == FAKE / "feat"
    assert "put face_multitask_v28.safetensors into" in str(places.unusable())
    assert str(tmp_path) in str(places.unusable()) and "FEAT_MULTITASK_WEIGHTS" in str(places.unusable())
    (tmp_path / "old.pt").write_bytes(b"pickle")
    monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(tmp_path / "old.pt"))
    assert "would unpickle" in str(places.unusable())
    assert time.monotonic() - began < 1
    places.check_estimator("auto")


REAL = """
import json, sys
from dataclasses import asdict
import torch
from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
from feat.multitask.inference import MultitaskModel
from safetensors.torch import save_file
torch.manual_seed(0)
config = ModelV2Config(n_au=20, n_emotion=7, n_blendshape=52, mesh_normalized=True, pretrained=False,
                       use_head_v3=True, drop_mefl=True)
state = {name: value.contiguous().clone() for name, value in MEGraphAUv2(config).state_dict().items()}
save_file(state, sys.argv[1], metadata={"config": json.dumps(asdict(config))})
crops = torch.arange(2 * 128 * 128 * 3).mul(7919).remainder(256).reshape(2, 128, 128, 3)
output = MultitaskModel("cpu", sys.argv[1])(crops.permute(0, 3, 1, 2).float() / 255)
print(json.dumps([output.au_names, output.au.tolist(), output.mesh478[..., :2].mean(1).tolist()]))
"""


@pytest.mark.slow
def test_the_real_package_with_random_weights_gives_what_it_gives_by_itself(tmp_path, monkeypatch):
    folder = places.package_folder()
    if folder is None:
        pytest.skip('py-feat is not installed (pip install "py-feat>=2.1.5")')
    path = tmp_path / "face_multitask_v28.safetensors"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", REAL, str(path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, units, points = json.loads(done.stdout.splitlines()[-1])
    monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(path))
    assert places.unusable() is None
    estimator = PyFeatEstimator.load(places.weights_file())
    crops = (np.arange(2 * 128 * 128 * 3) * 7919 % 256).astype(np.uint8).reshape(2, 128, 128, 3)
    result = estimator(crops)
    wanted = np.array(units)[:, [names.index("AU43" if name == "AU45" else name) for name in AU_NAMES]]
    np.testing.assert_allclose(result.action_units, wanted, atol=1e-5)
    assert result.action_units.min() > 0 and result.action_units.max() < 1
    np.testing.assert_allclose(result.landmarks.mean(1), 128 * np.array(points), rtol=1e-3, atol=1e-2)
    one = np.concatenate([estimator(crop[None]).action_units for crop in crops])
    np.testing.assert_allclose(one, result.action_units, atol=1e-5)
    estimator.close()
