"""Edits of appearance through the flow: who gives, what is recorded, what is refused, and that a seed decides it."""

from dataclasses import replace
from typing import Any, cast

import fake_models
import numpy as np
import pytest
from one_source import frame_of, source_of

from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.preview import make_preview
from singanimation.flows.source.outcome import SourceJob
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import augment_source, file_sha256
from singanimation.pipeline.choices import plan_choices
from singanimation.pipeline.donors import CANDIDATES, DonorPool
from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.expressions import attributes_asked, parse_expressions
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import make_settings
from singanimation.stages.expansion.attributes.checkpoints import save_attributes
from singanimation.stages.expansion.attributes.editor import AttributeEdit, Face
from singanimation.stages.expansion.attributes.networks import AttributeNetwork


class Editor:
    """Bright faces wear everything; what is put on is the donor's first pixel, what is taken off leaves black."""

    attributes = ("spectacles",)
    digest = "f" * 16

    def wears(self, face: Face, attribute: str) -> bool:
        return attribute in self.attributes and face.pixels.mean() > 140

    lends = wears

    def remove(self, face: Face, attribute: str, seen: object = None) -> AttributeEdit:
        return self._painted(face, np.zeros(3, np.uint8))

    def carry(self, face: Face, donor: Face, attribute: str, seen: object = None) -> AttributeEdit:
        return self._painted(face, donor.pixels[0, 0])

    def _painted(self, face: Face, colour: np.ndarray) -> AttributeEdit:
        made = face.pixels.copy()
        made[30:60] = colour
        mask = np.zeros((128, 128), np.float32)
        mask[30:60] = 1
        return AttributeEdit(made, mask, made)


def add_face(folder, name: str, seed: int, low: int) -> Source:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(low, low + 100, (100, 100, 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return source_of(folder / name, group_id=name)


def made(work, folder, source: Source, others: list[Source], seed: int = 0) -> Any:
    settings = make_settings(input="x", per_image=6, edits=6, expressions="appearance", seed=seed)
    models = fake_models.load(settings)
    print_of = replace(models.fingerprint, attributes=Editor.digest)
    models = replace(models, attributes=cast(Any, Editor()), fingerprint=print_of)
    donors = DonorPool([source, *others], settings.expressions).of(source, seed)
    identity = Identity(source, file_sha256(source), settings, models.fingerprint, donors=donors)
    augment_source(SourceJob(identity, {}, "run", work.manifest), models)
    return frame_of(work)


def test_a_bare_face_is_given_donors_spectacles_and_keeps_label_and_person(work, tmp_path):
    source = add_face(tmp_path, "bare.png", 1, 20)
    others = [add_face(tmp_path, f"worn{k}.png", 10 + k, 150) for k in range(2)]
    others += [add_face(tmp_path, f"plain{k}.png", 20 + k, 20) for k in range(3)]
    rows = made(work, tmp_path, source, others)
    edits = rows[rows["kind"] == "edit"].set_index("edit_name")
    taken = edits[edits["attribute"].astype(str).str.startswith("spectacles") & (edits["status"] == "accepted")]
    assert sorted(taken["edit_donor"]) == ["worn0.png", "worn1.png"]
    assert set(taken["attribute_change"]) == {"added"} and set(taken["attribute_weights"]) == {"f" * 16}
    assert set(taken["label_name"]) == {"happiness"} and set(taken["label_origin"]) == {"source"}
    assert set(edits["group_id"]) == {"bare.png"} and set(edits["edit_kind"]) == {"appearance"}
    np.testing.assert_allclose(np.stack(taken["au_target"]), np.stack(taken["au_source"]))
    third = edits.loc["spectacles-3"]
    assert third["reason"] == "no_donor" and "fewer than 3 of them wear spectacles" in third["message"]
    assert "not beard" in edits.loc["beard", "message"]
    variants = rows[rows["kind"] == "variant"]
    assert set(variants["attribute"]) == {"spectacles"} and set(variants["edit_donor"]) == {"worn0.png", "worn1.png"}


def test_the_same_seed_gives_the_same_pictures(work, tmp_path):
    source = add_face(tmp_path, "bare.png", 1, 20)
    others = [add_face(tmp_path, f"worn{k}.png", 10 + k, 150) for k in range(9)]

    def found(seed: int) -> dict[str, tuple[str, str]]:
        rows = made(work, tmp_path, source, others, seed)
        edits = rows[(rows["kind"] == "edit") & (rows["status"] == "accepted")].set_index("variant_id")
        return {name: (row["edit_donor"], row["image_sha256"]) for name, row in edits.iterrows()}

    first = found(0)
    assert found(0) == first and len(first) == 3
    other = {name: row for name, row in found(1).items() if name not in first}
    assert len(other) == 3 and {donor for donor, _ in other.values()} != {donor for donor, _ in first.values()}


def test_a_wearer_has_them_taken_off_and_then_exchanged(work, tmp_path):
    source = add_face(tmp_path, "wearer.png", 1, 150)
    rows = made(work, tmp_path, source, [add_face(tmp_path, "other.png", 2, 150)])
    edits = rows[rows["kind"] == "edit"].set_index("edit_name")
    assert edits.loc["spectacles", "attribute_change"] == "removed" and edits["edit_donor"].isna()["spectacles"]
    assert edits.loc["spectacles-2", "attribute_change"] == "exchanged"
    assert edits.loc["spectacles-2", "edit_donor"] == "other.png"


def test_candidates_are_other_people_of_the_same_split_and_hang_on_the_seed():
    def source(number: int, split: str, person: str) -> Source:
        return Source("faces", f"{number:03d}", None, f"{number:03d}", split=split, group_id=person)

    sources = [source(n, "train" if n % 3 else "test", f"p{n // 2}") for n in range(120)]
    pool = DonorPool(sources, ("appearance",))
    found = pool.of(sources[1], 0)
    assert len(found) == 0 and len(found.candidates) == CANDIDATES
    assert {each.split for each in found.candidates} == {"train"}
    assert all(each.group_id != sources[1].group_id for each in found.candidates)
    assert len({each.source_id for each in found.candidates}) == CANDIDATES
    named = found.each(lambda each: replace(each, label="fear"))
    assert [each.label for each in named.candidates] == ["fear"] * CANDIDATES
    assert pool.of(sources[1], 0).candidates == found.candidates != pool.of(sources[1], 1).candidates


def test_other_networks_make_other_rows_of_appearance_alone(picture):
    settings = make_settings(input="x", expressions="appearance")
    prints = [replace(fake_models.load(settings).fingerprint, attributes=name) for name in ("a", "b")]
    ids = [Identity(source_of(picture), "5" * 64, settings, each) for each in prints]
    assert len({each.edit("appearance:spectacles@1.00") for each in ids}) == 2
    assert len({each.edit("discrete:fear@1.00") for each in ids}) == 1


def test_a_set_of_one_person_is_refused_and_so_are_missing_networks(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="one person alone"):
        DonorPool([add_face(tmp_path, "a.png", 1, 20)], ("appearance",)).check_wearers(["train"])
    faces = fake_models.write_faces(tmp_path / "faces", 4)
    monkeypatch.setenv("SINGANIMATION_ATTRIBUTES", str(tmp_path / "gone.safetensors"))
    with pytest.raises(WeightsError, match="gone.safetensors does not exist"):
        plan_run(make_settings(input=str(faces), per_image=2, expressions="appearance"))


def test_without_a_file_of_the_users_the_networks_that_ship_carry_spectacles_and_beards(tmp_path):
    faces = fake_models.write_faces(tmp_path / "faces", 4)
    preview = make_preview(plan_run(make_settings(input=str(faces), per_image=4, edits=2, expressions="appearance")))
    assert preview.targets == {"appearance": 16}
    with pytest.raises(UsageError, match="the networks that ship know spectacles, beard, not hair"):
        plan_run(make_settings(input=str(faces), per_image=2, expressions="hair"))


def test_a_run_asks_for_no_more_than_the_networks_know_and_its_plan_counts_it(tmp_path):
    faces = fake_models.write_faces(tmp_path / "faces", 6)
    options = {"attributes": ["spectacles"], "widths": [8, 8, 8], "blocks": 1, "fine_blocks": 1, "finish": 8}
    weights = tmp_path / "a.safetensors"
    save_attributes(weights, AttributeNetwork(**options), options, {})
    given = {"input": str(faces), "per_image": 4, "edits": 2, "attributes": weights}
    with pytest.raises(UsageError, match="knows spectacles, not beard"):
        plan_run(make_settings(**given, expressions="appearance"))
    preview = make_preview(plan_run(make_settings(**given, expressions="spectacles")))
    assert preview.edits == 12 and preview.targets == {"appearance": 24}


def test_the_words_of_appearance_and_what_they_stand_for():
    assert attributes_asked(parse_expressions("fear,appearance")) == ("spectacles", "beard")
    assert attributes_asked(parse_expressions("Hair,beard")) == ("beard", "hair")
    assert attributes_asked(parse_expressions("all")) == ()
    names = [each.name for each in plan_choices("fear", ("beard",), 9, 3)]
    assert names == ["beard", "beard-2", "beard-3"]
