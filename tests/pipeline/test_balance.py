"""--balance: the same total, poured where classes are rare."""

import random

import pytest

from singanimation.pipeline.balance import MOST_PER_SOURCE, Share, balance, balanced_totals
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


def test_earlier_shares_are_kept_and_new_sources_give_what_is_lacking():
    first = balance(SKEWED, 6)
    labels = [*SKEWED, "happiness", "happiness", "fear"]
    earlier = [*(Share(6, given) for given in first), None, None, None]
    given = balance(labels, 6, earlier=earlier)
    assert given[: len(SKEWED)] == first
    assert sum(sum(counts.values()) for counts in given[len(SKEWED) :]) == 3 * 6
    totals = {name: labels.count(name) + sum(counts.get(name, 0) for counts in given) for name in EMOTIONS}
    assert max(totals.values()) - min(totals.values()) <= 2
    assert all(label not in counts for label, counts in zip(labels, given, strict=True))
    assert balance(labels, 6, earlier=[Share(6, counts) for counts in given]) == given


def test_what_came_out_decides_what_is_lacking():
    earlier = [Share(4, {"fear": 4}), Share(4, {"anger": 4}), None]
    there = dict.fromkeys(EMOTIONS, 9) | {"fear": 7, "anger": 8}  # some of the planned ones were never accepted
    assert balance([None] * 3, 4, earlier=earlier, there=there)[2] == {"surprise": 1, "fear": 2, "anger": 1}


def test_a_larger_number_grows_shares_without_moving_what_is_before():
    first = balance(SKEWED, 2)
    orders = [random.Random(place).sample(EMOTIONS, 7) for place in range(len(SKEWED))]
    given = balance(SKEWED, 9, earlier=[Share(2, counts) for counts in first], orders=orders)
    assert sum(sum(counts.values()) for counts in given) == 9 * len(SKEWED)
    for had, has, order in zip(first, given, orders, strict=True):
        assert all(has[name] >= count for name, count in had.items())
        planned = [name for name in order if name in has]
        assert planned[: len(had)] == [name for name in order if name in had]


def test_a_smaller_number_takes_nothing_away():
    first = balance(SKEWED, 9)
    assert balance(SKEWED, 2, earlier=[Share(9, counts) for counts in first]) == first
