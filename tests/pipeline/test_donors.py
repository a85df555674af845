"""Donors: same split, another person, the wanted emotion; drawn by the seed."""

from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.choices import plan_choices
from singanimation.pipeline.donors import DonorPool
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.plan import SourceFace, donor_target, targets_of
from singanimation.pipeline.records import Source


def source(name: str, label: str | None, split: str = "train", person: str = "", **fields) -> Source:
    return Source("faces", name, Path(name), name, split=split, label=label, group_id=person or name, **fields)


POOL = [
    source("a.png", "fear", person="one"),
    source("b.png", "fear", person="two"),
    source("c.png", "fear", split="test", person="three"),
    source("d.png", "anger", person="one"),
    source("e.png", "neutral", person="four", problem="broken"),
    source("f.png", None, person="five"),
]


def test_a_donor_is_of_the_same_split_of_another_person_and_shows_the_emotion():
    pool = DonorPool(POOL)
    found = pool.of(source("g.png", "happiness", person="two"), 0)
    assert {emotion: donor.source_id for emotion, donor in found.items()} == {"fear": "a.png", "anger": "d.png"}
    assert pool.of(POOL[0], 0) == {}  # its own label, and only its own person's anger
    assert pool.of(source("h.png", "anger", split="test"), 0)["fear"].source_id == "c.png"


def test_which_donor_it_is_hangs_on_seed_and_source():
    pool = DonorPool([source(f"{index}.png", "fear", person=f"p{index}") for index in range(50)])
    asked = source("x.png", "neutral")
    assert pool.of(asked, 3) == pool.of(asked, 3)
    assert len({pool.of(asked, seed)["fear"].source_id for seed in range(12)}) > 6
    again = DonorPool(list(reversed([source(f"{index}.png", "fear", person=f"p{index}") for index in range(50)])))
    assert again.of(asked, 3) == pool.of(asked, 3)


def test_emotions_without_donors_are_said_and_a_set_without_any_is_refused():
    said = DonorPool(POOL).check(["train"])
    assert said is not None and said.startswith("No donors for surprise, disgust, happiness, sadness, neutral:")
    with pytest.raises(UsageError, match="no picture in train has one of the labels"):
        DonorPool([source("f.png", None)]).check(["train"])


def test_a_plan_names_its_donors_and_a_target_is_their_action_units_but_the_blink():
    donors = DonorPool(POOL).of(source("g.png", "happiness", person="two"), 0)
    choices = plan_choices("happiness", ("donor",), 8, 5, donors)
    assert {choice.key for choice in choices} == {"donor:fear/a.png@1.00", "donor:anger/d.png@1.00"}
    units = np.linspace(0, 1, 17).astype(np.float32)
    face = SourceFace("happiness", np.full(17, 0.2, np.float32))
    fear = next(t for t in targets_of(choices, face, {"a.png": units, "d.png": units}) if t.name == "fear")
    expected = units.copy()
    expected[AU_INDEX["AU45"]] = 0.2
    np.testing.assert_allclose(fear.action_units, expected, atol=1e-6)
    assert (fear.label, fear.label_origin, fear.donor, fear.key) == ("fear", "target", "a.png", "donor:fear/a.png@1.00")


def test_a_donor_whose_units_are_unknown_leaves_the_source_as_it_is():
    face = SourceFace("happiness", np.full(17, 0.2, np.float32))
    np.testing.assert_allclose(donor_target(face, "fear", 1.0, "a.png", None).action_units, face.action_units)


def test_without_donors_a_plan_has_no_such_edits():
    assert plan_choices("happiness", ("donor",), 8, 5) == ()
