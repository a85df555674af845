"""What one source goes through: rows, identities, failures, topping up. In this process, with fake models."""

import io
from dataclasses import replace
from pathlib import Path

import fake_models
import numpy as np
import pytest
from one_source import frame_of, source_of
from PIL import Image

from singanimation.flows.source.remaining import plan_work, state_of
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.settings import make_settings


def test_a_source_becomes_one_part_with_a_real_row_edits_and_variants(work, picture):
    outcome, _ = work(source_of(picture))
    rows = frame_of(work)
    assert len(list(work.manifest.glob("*.parquet"))) == 1
    assert (rows["kind"].value_counts()[["real", "edit"]] == [1, 4]).all()
    variants = rows[rows["kind"] == "variant"]
    assert outcome.accepted == (variants["status"] == "accepted").sum() == 4 - outcome.missing
    assert set(variants["parent_id"]) == set(rows[rows["kind"] == "edit"]["variant_id"])
    real = rows[rows["kind"] == "real"].iloc[0]
    assert real["image"] is None and (rows[rows["kind"] == "edit"]["parent_id"] == real["variant_id"]).all()


def test_rejected_attempts_are_rows_with_picture_sifid_and_reason(work, picture):
    work(source_of(picture), per_image=30)
    rejected = frame_of(work).query("status == 'rejected'")
    assert len(rejected) > 0 and (rejected["reason"] == "sifid").all()
    assert (rejected["sifid"] > 20).all() and rejected["image"].notna().all()


def test_at_most_three_attempts_per_wanted_variant(work, picture):
    class NeverPleased(fake_models.Filter):
        def accepts(self, values):
            return values < 0

    models = replace(fake_models.load(make_settings(input="x")), sifid=NeverPleased())
    outcome, identity = work(source_of(picture), models, per_image=4)
    assert outcome.accepted == 0 and outcome.missing == 4
    assert len(frame_of(work).query("kind == 'variant'")) == 12


def test_labels_units_and_seeds_are_written(work, picture):
    work(source_of(picture), per_image=8)
    rows = frame_of(work)
    discrete = rows.query("kind == 'variant' and edit_kind == 'discrete'")
    assert (discrete["label_name"].astype(str) == discrete["edit_name"]).all()
    assert rows.query("kind == 'variant'")["seed"].is_unique
    assert all(len(units) == 17 for units in rows["au_measured"])
    assert set(rows.query("kind == 'variant'")["start_scale"]) == {"N-1", "N-2"}
    sizes = rows.query("kind == 'variant'").groupby("start_scale", observed=True)["start_size"].unique()
    assert sizes["N-1"].tolist() == [32] and sizes["N-2"].tolist() == [40]


def test_a_part_is_never_made_twice(work, picture):
    work(source_of(picture))
    before = frame_of(work)
    outcome, identity = work(source_of(picture))
    assert outcome.accepted == outcome.edits == 0
    assert state_of(identity, dict(zip(before["variant_id"], before["status"].astype(str), strict=True))).done
    assert len(frame_of(work)) == len(before)


def test_topping_up_gives_the_rows_of_a_run_that_asked_for_all_at_once(tmp_path, work, picture, rows_of):
    for per_image in (2, 5, 12):
        work(source_of(picture), per_image=per_image)
    stepwise = rows_of(tmp_path / "out")
    for part in work.manifest.glob("*.parquet"):
        part.unlink()
    work(source_of(picture), per_image=12)
    at_once = rows_of(tmp_path / "out")
    ids = [row["variant_id"] for row in stepwise]
    assert len(ids) == len(set(ids))
    assert stepwise == at_once


def test_other_settings_add_rows_beside_and_share_the_edits(work, picture):
    work(source_of(picture))
    edits = len(frame_of(work).query("kind == 'edit'"))
    work(source_of(picture), engine="patch")
    rows = frame_of(work)
    assert rows["variant_id"].is_unique and set(rows["engine"].dropna()) == {"fast", "patch"}
    assert len(rows.query("kind == 'edit'")) == edits and len(rows.query("kind == 'real'")) == 1


def test_ids_depend_on_bytes_seed_frame_and_weights_but_not_on_workers_or_output(picture):
    settings = make_settings(input="x", per_image=4)
    print_ = fake_models.load(settings).fingerprint

    def ids(source=None, sha="s" * 64, fingerprint=print_, **options):
        identity = Identity(source or source_of(picture), sha, settings.model_copy(update=options), fingerprint)
        return [attempt.variant_id for work in plan_work(identity, {}) for attempt in work.attempts]

    same = ids()
    assert same == ids(workers=3) == ids(output=Path("/x")) == ids(device="cuda") == ids(frame="crop")
    others = (
        ids(sha="t" * 64),
        ids(seed=1),
        ids(frame="source"),
        ids(engine="reference"),
        ids(singan_iterations=7),
        ids(fingerprint=replace(print_, editor="f" * 64)),
        ids(source_of(picture, source_id="b")),
        ids(source_of(picture, dataset="other")),
    )
    assert all(not set(same) & set(other) for other in others)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"plain text", "unreadable"),
        (None, "missing"),
        ("flat", "no_face"),
        ("tiny", "too_small"),
        ("cut", "unreadable"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_failed_row(work, tmp_path, content, reason):
    path = tmp_path / "bad.jpg"
    if content in ("flat", "tiny", "cut"):
        pixels = np.full((1, 1, 3) if content == "tiny" else (90, 90, 3), 128, np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        content = buffer.getvalue()[: -200 if content == "cut" else None]
    if content is not None:
        path.write_bytes(content)
    outcome, identity = work(source_of(path))
    rows = frame_of(work)
    assert outcome.failed == reason and outcome.lost is None
    assert rows[["kind", "reason"]].astype(str).to_numpy().tolist() == [["real", reason]]
    assert rows.iloc[0]["message"] and rows.iloc[0]["split"] == "train"
    again, _ = work(source_of(path))
    assert again.failed == reason and len(frame_of(work)) == 1
    assert state_of(identity, {identity.real(): "failed"}).done


def test_retrying_a_failed_source_replaces_its_row(work, picture, monkeypatch):
    models = fake_models.load(make_settings(input="x"))
    blind = replace(
        models,
        faces=replace(
            models.faces, find_face=lambda pixels, source: fake_models.find_face(np.zeros_like(pixels), source)
        ),
    )
    work(source_of(picture), blind)
    assert frame_of(work)["status"].tolist() == ["failed"]
    outcome, identity = work(source_of(picture), models, retry_failed=True)
    rows = frame_of(work)
    assert outcome.edits == 4 and not state_of(identity, {identity.real(): "failed"}).done
    assert rows["variant_id"].is_unique and (rows["status"] != "failed").all()


def test_faults_of_the_machine_leave_no_part(work, picture, monkeypatch):
    models = fake_models.load(make_settings(input="x"))

    def out_of_memory(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(models.regenerator, "fit", out_of_memory)
    with pytest.raises(MachineError, match="out of memory"):
        work(source_of(picture), models)
    assert not work.manifest.exists() or not list(work.manifest.glob("*.parquet"))


def test_a_disk_fault_is_a_machine_error(work, picture):
    work.manifest.parent.mkdir(parents=True)
    work.manifest.write_text("not a folder")
    with pytest.raises(MachineError):
        work(source_of(picture))
