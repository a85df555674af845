"""What one source goes through: frames, colours, sizes, and checks of variants. In this process, with fake models."""

import io
from dataclasses import replace

import fake_models
import numpy as np
import pytest
from one_source import frame_of, source_of
from PIL import Image

from singanimation.pipeline.records import Fault
from singanimation.pipeline.settings import make_settings


@pytest.mark.parametrize(("frame", "size"), [("source", (100, 100)), ("crop", (128, 128)), ("auto", (100, 100))])
def test_variants_take_the_frame_that_was_asked_for(work, picture, frame, size):
    work(source_of(picture, is_face_crop=True), frame=frame)
    rows = frame_of(work).query("kind != 'real'")
    assert set(zip(rows["width"], rows["height"], strict=True)) == {size}
    assert {Image.open(io.BytesIO(image["bytes"])).size for image in rows["image"]} == {size}


def test_auto_frames_whole_photographs_as_crops(work, picture):
    work(source_of(picture))
    assert set(frame_of(work).query("kind != 'real'")["width"]) == {128}


def test_grey_stays_grey(work, picture):
    Image.open(picture).convert("L").save(picture)
    work(source_of(picture, is_face_crop=True))
    rows = frame_of(work).query("kind != 'real'")
    assert {Image.open(io.BytesIO(image["bytes"])).mode for image in rows["image"]} == {"L"}


def test_the_sources_picture_is_embedded_on_request(work, picture):
    work(source_of(picture), include_real=True)
    image = frame_of(work).query("kind == 'real'").iloc[0]["image"]
    shown = np.asarray(Image.open(io.BytesIO(image["bytes"])))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(picture)))


def test_singan_may_work_smaller_than_the_crop(work, picture, monkeypatch):
    sizes = []
    models = fake_models.load(make_settings(input="x"))
    fit = models.regenerator.fit

    def noting(edits, *rest):
        sizes.append(edits.shape[1:])
        return fit(edits, *rest)

    monkeypatch.setattr(models.regenerator, "fit", noting)
    work(source_of(picture), models, singan_size=64)
    assert sizes == [(64, 64, 3)]
    assert set(frame_of(work).query("kind == 'variant'")["width"]) == {128}


class Choosy:
    """Rejects every variant that looks darker than those kept before; notes what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, tuple[float, ...]]] = []

    def first_fault(self, pictures, units, kept):
        own, others = float(pictures[1].mean()), tuple(float(each.mean()) for each in kept)
        self.seen.append((own, others))
        return Fault("near_copy", "darker than one before") if any(own < other for other in others) else None


def test_a_variant_is_checked_against_those_accepted_before_it(work, picture):
    settings = make_settings(input="x", per_image=6)
    checks = Choosy()
    outcome, _ = work(source_of(picture), replace(fake_models.load(settings), checks=checks), per_image=6, edits=1)
    rejected = frame_of(work).query("reason == 'near_copy'")
    assert outcome.rejected["near_copy"] == len(rejected) > 0
    assert (rejected["message"] == "darker than one before").all() and rejected["image"].notna().all()
    assert max(len(others) for _, others in checks.seen) >= 2


def test_topping_up_checks_against_what_an_earlier_run_accepted(work, picture, tmp_path):
    def models():
        return replace(fake_models.load(make_settings(input="x")), checks=Choosy())

    options = {"edits": 1, "seed": 2}
    work(source_of(picture), models(), per_image=2, **options)
    outcome, _ = work(source_of(picture), models(), per_image=6, **options)
    grown = frame_of(work).set_index("variant_id")["status"].astype(str).to_dict()
    work.manifest.rename(tmp_path / "grown")
    work(source_of(picture), models(), per_image=6, **options)
    assert outcome.accepted > 0
    assert grown == frame_of(work).set_index("variant_id")["status"].astype(str).to_dict()
