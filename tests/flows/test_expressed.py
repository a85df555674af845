"""Edits that do not show what was asked for: rejected, with the judge's figures, and without variants."""

from dataclasses import replace
from typing import Any, cast

import fake_models
import numpy as np
from one_source import frame_of, source_of

from singanimation.flows.source.expressed import NOT_EXPRESSED, cannot_close, look_at, shows_chin
from singanimation.flows.source.remaining import state_of
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.expressions import EMOTION_INDEX, au_vector
from singanimation.pipeline.face import mesh
from singanimation.pipeline.plan import SourceFace, discrete_target, single_target
from singanimation.pipeline.records import Crop
from singanimation.pipeline.settings import make_settings

CROP = Crop(np.zeros((128, 128, 3), np.uint8), np.eye(2, 3), np.full((478, 2), 100.5, np.float32), 128.0)
QUIET = np.full(17, 0.1, np.float32)
FACE = SourceFace("happiness", QUIET)


class Judge:
    """Sees ``shares`` in every picture."""

    classes = ("surprise", "disgust", "happiness", "sadness", "anger", "neutral")

    def __init__(self, **shares: float) -> None:
        self.shares = shares

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        row = np.zeros(7, np.float32)
        for name, value in self.shares.items():
            row[EMOTION_INDEX[name]] = value
        return np.repeat(row[None], len(crops), 0)

    def compare(self, crop: np.ndarray, wanted: str, source: str) -> tuple[float, float] | None:
        if wanted == source or not {wanted, source} <= set(self.classes):
            return None
        return self.shares.get(wanted, 0.0), self.shares.get(source, 0.0)


def look(target, shown, judge):
    return look_at(CROP.pixels, CROP, target, shown, QUIET, cast(Any, judge))


def test_an_edit_that_looks_more_like_its_source_is_rejected_with_both_figures():
    anger = discrete_target(FACE, "anger", 0.9)
    found = look(anger, "happiness", Judge(happiness=0.6, anger=0.3))
    assert (found.found, found.source) == (0.3, 0.6)
    assert found.fault and found.fault.reason == NOT_EXPRESSED and "like happiness (0.60)" in found.fault.message
    assert look(anger, "happiness", Judge(happiness=0.2, anger=0.3)).fault is None


def test_without_a_label_the_judge_says_what_the_source_shows():
    found = look(discrete_target(FACE, "anger", 0.9), None, Judge(happiness=0.6, anger=0.3))
    assert found.fault is not None and found.source == 0.6


def test_what_keeps_its_label_or_was_not_learnt_is_not_judged():
    weak, unit = discrete_target(FACE, "anger", 0.4), single_target(FACE, "AU04", 0.3)
    fear = discrete_target(FACE, "fear", 0.9)
    for target in (weak, unit, fear):
        found = look(target, "happiness", Judge(happiness=0.9))
        assert found.fault is None and found.found is None
    assert look(discrete_target(FACE, "anger", 0.9), "happiness", None).found is None


def test_a_wide_open_mouth_does_not_close():
    wide = au_vector({"AU25": 0.9, "AU26": 0.8})
    assert cannot_close(wide, au_vector({"AU04": 1.0}))
    assert cannot_close(wide, au_vector({"AU25": 0.8})) is None  # lips may stay parted while the jaw rises
    assert cannot_close(au_vector({"AU25": 0.9, "AU26": 0.3}), au_vector({})) is None
    assert cannot_close(wide, wide) is None


def test_a_mouth_above_a_chin_that_is_cut_off_closes_from_less_far_only():
    open_, closed = au_vector({"AU25": 0.8, "AU26": 0.5}), au_vector({"AU17": 0.9})
    assert cannot_close(open_, closed) is None
    fault = cannot_close(open_, closed, chin=False)
    assert fault and fault.reason == NOT_EXPRESSED and "cuts its chin off" in fault.message
    assert cannot_close(au_vector({"AU25": 0.8, "AU26": 0.4}), closed, chin=False) is None
    # its jaw does not rise below parted lips either, but may stay where it is
    assert cannot_close(open_, au_vector({"AU25": 0.8}), chin=False)
    assert cannot_close(open_, au_vector({"AU25": 0.8, "AU26": 0.4}), chin=False) is None


def test_a_chin_is_seen_where_it_lies_in_the_picture():
    assert shows_chin(CROP)
    seen = np.ones((128, 128), bool)
    seen[100:] = False
    assert not shows_chin(replace(CROP, seen=seen))
    below = CROP.landmarks.copy()
    below[mesh.CHIN, 1] = 128.5
    assert not shows_chin(replace(CROP, landmarks=below))


def test_a_rejected_edit_is_a_row_without_variants_and_the_source_is_done(work, picture):
    models = replace(fake_models.load(make_settings(input="x")), judge=cast(Any, Judge(happiness=1.0)))
    outcome, identity = work(source_of(picture), models, per_image=12, edits=6, expressions="discrete")
    rows = frame_of(work)
    rejected = rows[(rows["kind"] == "edit") & (rows["status"] == "rejected")]
    assert set(rejected["edit_name"]) == {"surprise", "disgust", "sadness", "anger", "neutral"}  # fear: not learnt
    assert (rejected["reason"] == NOT_EXPRESSED).all()
    assert (rejected["expression_source"] == 1.0).all() and (rejected["expression_found"] == 0.0).all()
    assert set(rows[rows["kind"] == "variant"]["edit_name"]) == {"fear"}
    assert outcome.edits == 6 and outcome.edits_rejected == 5 and outcome.missing >= 10
    known = ManifestScan(work.manifest).known("faces", picture.name)
    state = state_of(identity, known)
    assert state.done and state.missing >= 10
    again, _ = work(source_of(picture), models, per_image=12, edits=6, expressions="discrete")
    assert again.edits == 0 and again.accepted == 0
