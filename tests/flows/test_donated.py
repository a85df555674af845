"""Edits by donor through the flow: recorded, measured once, and rejected where the donor has no face."""

from dataclasses import replace

import fake_models
import numpy as np
from one_source import frame_of, source_of
from PIL import Image

from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.preview import make_preview
from singanimation.flows.source.outcome import SourceJob
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import augment_source, file_sha256
from singanimation.pipeline.donors import Donors
from singanimation.pipeline.settings import make_settings


def test_an_edit_by_donor_aims_at_its_units_and_names_it(work, picture, tmp_path):
    fake_models.add_picture(tmp_path, "donor.png", 77)
    Image.new("RGB", (100, 100), (9, 9, 9)).save(tmp_path / "flat.png")
    settings = make_settings(input="x", per_image=4, expressions="donor")
    models = fake_models.load(settings)
    donors = Donors(
        fear=source_of(tmp_path / "donor.png", label="fear"), anger=source_of(tmp_path / "flat.png", label="anger")
    )
    source = source_of(picture)
    identity = Identity(source, file_sha256(source), settings, models.fingerprint, donors=donors)
    augment_source(SourceJob(identity, {}, "run", work.manifest), models)
    rows = frame_of(work)
    edits = rows[rows["kind"] == "edit"].set_index("edit_name")
    assert edits.loc["fear", "edit_donor"] == "donor.png" and edits.loc["fear", "edit_kind"] == "donor"
    pixels = np.asarray(Image.open(tmp_path / "donor.png").convert("RGB"))
    wanted = models.faces.action_units(models.faces.find_face(pixels, source).pixels[None])[0]
    np.testing.assert_allclose(edits.loc["fear", "au_target"][:16], wanted[:16], atol=1e-6)
    assert (edits.loc["anger", "status"], edits.loc["anger", "reason"]) == ("rejected", "no_donor")
    variants = rows[rows["kind"] == "variant"]
    assert set(variants["edit_donor"]) == {"donor.png"} and set(variants["label_name"].astype(str)) == {"fear"}


def test_other_donors_make_other_rows(picture, tmp_path):
    settings = make_settings(input="x", expressions="donor")
    models = fake_models.load(settings)
    source = source_of(picture)
    identity = Identity(source, "5" * 64, settings, models.fingerprint)
    keys = [f"donor:fear/{name}@1.00" for name in ("a.png", "b.png")]
    assert len({replace(identity).edit(key) for key in keys}) == 2


def test_the_plan_says_which_emotions_have_no_donors(tmp_path):
    faces = fake_models.write_faces(tmp_path / "faces", 6)
    settings = make_settings(input=str(faces), per_image=4, expressions="donor")
    plan = plan_run(settings)
    assert any(note.startswith("No donors for surprise, disgust, sadness, anger:") for note in plan.notes)
    preview = make_preview(plan)
    assert preview.targets == {"donor": 24} and preview.edits == 12
