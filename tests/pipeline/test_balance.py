"""--balance: the same total, poured where classes are rare."""

import pytest

from singanimation.pipeline.balance import MOST_PER_SOURCE, balance, balanced_totals
from singanimation.pipeline.expressions import EMOTIONS

SKEWED = ["happiness"] * 40 + ["neutral"] * 20 + ["sadness"] * 15 + ["surprise"] * 10 + ["anger"] * 5 + ["fear"] * 2


def test_pouring_evens_out_the_levels():
    room = dict.fromkeys("abc", 1000)
    assert balanced_totals({"a": 10, "b": 4, "c": 1}, 3, room) == {"a": 0, "b": 0, "c": 3}
    assert balanced_totals({"a": 10, "b": 4, "c": 1}, 15, room) == {"a": 0, "b": 6, "c": 9}
    assert balanced_totals({"a": 10, "b": 4, "c": 1}, 18, room) == {"a": 1, "b": 7, "c": 10}


def test_pouring_stops_at_capacities():
    assert balanced_totals({}, 10, {"a": 2, "b": 100}) == {"a": 2, "b": 8}
    assert balanced_totals({}, 10, {"a": 2, "b": 3}) == {"a": 2, "b": 3}


@pytest.mark.parametrize("per_image", [1, 7, 50])
def test_the_total_stays_and_no_source_gives_too_much_or_its_own_class(per_image):
    given = balance(SKEWED, per_image)
    assert sum(sum(counts.values()) for counts in given) == len(SKEWED) * per_image
    for label, counts in zip(SKEWED, given, strict=True):
        assert label not in counts and sum(counts.values()) <= MOST_PER_SOURCE * per_image


def test_classes_become_equal_where_the_total_reaches():
    given = balance(SKEWED, 10)
    totals = {name: SKEWED.count(name) + sum(counts.get(name, 0) for counts in given) for name in EMOTIONS}
    assert max(totals.values()) - min(totals.values()) <= 1


def test_sources_share_the_work_evenly():
    per_source = [sum(counts.values()) for counts in balance(SKEWED, 10)]
    assert max(per_source) <= 2 * 10 and min(per_source) >= 5


def test_a_class_with_one_possible_source_is_held_by_the_cap():
    given = balance(["fear"] + ["anger"] * 100, 5)
    assert given[0].get("anger", 0) <= MOST_PER_SOURCE * 5
    assert sum(sum(counts.values()) for counts in given) == 505


def test_unlabelled_sources_can_give_every_class():
    assert sum(balance([None, None], 7)[0].values()) == 7


def test_only_the_asked_for_emotions_are_given():
    given = balance(SKEWED, 4, ("fear", "anger"))
    assert {name for counts in given for name in counts} == {"fear", "anger"}
