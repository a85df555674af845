import numpy as np
import pytest

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import (
    AU_INDEX,
    EMOTIONS,
    PROTOTYPES,
    canonical_au,
    canonical_emotion,
    nearest_prototype,
    parse_expressions,
)


def test_every_prototype_is_nearest_to_itself() -> None:
    assert [nearest_prototype(PROTOTYPES[name]) for name in EMOTIONS] == list(EMOTIONS)


def test_prototypes_are_weights_between_zero_and_one_and_leave_blinks_alone() -> None:
    table = np.stack([PROTOTYPES[name] for name in EMOTIONS])
    assert table.min() >= 0 and table.max() <= 1
    assert not table[:, AU_INDEX["AU45"]].any()


def test_happiness_follows_table_one_of_du_2014() -> None:
    happy = PROTOTYPES["happiness"]
    assert happy[AU_INDEX["AU12"]] == 1 and happy[AU_INDEX["AU25"]] == 1
    assert happy[AU_INDEX["AU06"]] == pytest.approx(0.51)
    assert np.count_nonzero(happy) == 3


@pytest.mark.parametrize(("text", "name"), [("AU4", "AU04"), ("au12_r", "AU12"), ("AU11", None), ("12", None)])
def test_action_units_are_read_however_they_are_written(text: str, name: str | None) -> None:
    assert canonical_au(text) == name


@pytest.mark.parametrize(("text", "name"), [("Happy", "happiness"), ("ANGRY", "anger"), ("contempt", None)])
def test_emotions_are_read_however_they_are_written(text: str, name: str | None) -> None:
    assert canonical_emotion(text) == name


def test_expressions_option_mixes_kinds_emotions_and_units() -> None:
    assert parse_expressions("happy, AU4,single,AU04") == ("happiness", "AU04", "single")


def test_unknown_expression_is_named_in_the_error() -> None:
    with pytest.raises(UsageError, match="'joyful' is no expression"):
        parse_expressions("happy,joyful")
