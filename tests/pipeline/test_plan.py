"""The expression plan: order, stability, strengths, labels, quotas."""

import numpy as np
import pytest

from singanimation.pipeline.choices import CONTINUOUS_ALPHAS, DISCRETE_STRENGTHS, SINGLE_STRENGTHS, plan_choices
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES, EMOTIONS, au_vector
from singanimation.pipeline.forms import FORMS, first_form
from singanimation.pipeline.plan import (
    SourceFace,
    continuous_target,
    discrete_target,
    edits_wanted,
    plan_seed,
    quotas,
    single_target,
    start_of_attempt,
    targets_of,
)
from singanimation.pipeline.settings import make_settings

NEUTRAL = np.full(17, 0.1, np.float32)


def settings(**options):
    return make_settings(input="sample", **({"per_image": 50} | options))


def plan(label: str | None = "happiness", seed=3, units=NEUTRAL, **options):
    asked = settings(**options)
    choices = plan_choices(label, asked.expressions, edits_wanted(asked), seed)
    return targets_of(choices, SourceFace(label, units))


def test_discrete_edits_come_first_each_class_once_without_the_sources_own():
    targets = plan(edits=12)
    assert [t.kind for t in targets[:6]] == ["discrete"] * 6
    assert {t.name for t in targets[:6]} == set(EMOTIONS) - {"happiness"}
    assert [t.kind for t in targets[6:]] == ["continuous", "single"] * 3


def test_a_source_without_a_label_gets_all_seven_classes():
    assert {t.name for t in plan(label=None, edits=7)} == set(EMOTIONS)


def test_the_plan_is_prefix_stable_in_edits_and_per_image():
    whole = plan(edits=40)
    for count in (1, 4, 8, 23):
        assert plan(edits=count) == whole[:count]
        assert plan(edits=40, per_image=count) == whole[:count]


def test_keys_within_a_plan_are_unique_and_a_plan_ends_when_expressions_do():
    targets = plan(edits=1000, per_image=1000)
    discrete = sum(len(FORMS[emotion]) for emotion in EMOTIONS if emotion != "happiness")
    assert len({t.key for t in targets}) == len(targets) == discrete + 6 * len(CONTINUOUS_ALPHAS) + 17 * 3


def test_other_seeds_give_other_orders_and_strengths():
    plans = {tuple(t.key for t in plan(seed=seed)) for seed in range(20)}
    assert len(plans) == 20
    assert {t.strength for seed in range(40) for t in plan(seed=seed)[:6]} == set(DISCRETE_STRENGTHS)
    assert plan_seed(0, "a") != plan_seed(0, "b") != plan_seed(1, "b")


def test_strengths_come_from_the_stated_ranges():
    targets = plan(edits=200, per_image=200)
    ranges = {"discrete": DISCRETE_STRENGTHS, "continuous": CONTINUOUS_ALPHAS, "single": SINGLE_STRENGTHS}
    assert all(t.strength in ranges[t.kind] for t in targets)
    assert 0.5 not in CONTINUOUS_ALPHAS and SINGLE_STRENGTHS == (0.33, 0.66, 1.0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fear,sadness", {("discrete", "fear"), ("discrete", "sadness")}),
        ("AU12", {("single", "AU12")}),
        ("anger,AU4", {("discrete", "anger"), ("single", "AU04")}),
    ],
)
def test_expressions_restrict_to_what_is_named(words, expected):
    assert {(t.kind, t.name) for t in plan(expressions=words, edits=30)} == expected


def test_expressions_restrict_to_kinds():
    assert {t.kind for t in plan(expressions="continuous,single", edits=30)} == {"continuous", "single"}


def test_a_narrower_choice_finds_the_same_targets_again():
    fear = next(t for t in plan() if t.name == "fear")
    assert plan(expressions="fear")[0] == fear


def test_naming_only_the_sources_own_class_leaves_nothing_to_do():
    assert plan(label="fear", expressions="fear") == ()


def test_a_discrete_edit_moves_all_units_but_the_blink_by_its_strength():
    y = np.linspace(0, 1, 17).astype(np.float32)
    target = discrete_target(SourceFace("neutral", y), "surprise", 0.8)
    expected = y + 0.8 * (first_form("surprise").units - y)
    expected[AU_INDEX["AU45"]] = y[AU_INDEX["AU45"]]
    np.testing.assert_allclose(target.action_units, expected, atol=1e-6)


@pytest.mark.parametrize(("strength", "label", "origin"), [(0.5, "fear", "target"), (0.49, "neutral", "source")])
def test_a_discrete_label_is_the_targets_from_half_strength_up(strength, label, origin):
    target = discrete_target(SourceFace("neutral", NEUTRAL), "fear", strength)
    assert (target.label, target.label_origin) == (label, origin)


def test_strength_zero_is_the_source():
    y = np.linspace(0, 1, 17).astype(np.float32)
    face = SourceFace("sadness", y)
    targets = discrete_target(face, "fear", 0), continuous_target(face, "fear", 0), single_target(face, "AU12", 0)
    for target in targets:
        np.testing.assert_allclose(target.action_units, y)
        assert target.label == "sadness"


@pytest.mark.parametrize(("alpha", "label"), [(0.25, "sadness"), (0.5, None), (0.75, "happiness")])
def test_a_continuous_edit_blends_all_units_and_has_soft_weights(alpha, label):
    y = np.linspace(0, 1, 17).astype(np.float32)
    target = continuous_target(SourceFace("sadness", y), "happiness", alpha)
    np.testing.assert_allclose(target.action_units, alpha * first_form("happiness").units + (1 - alpha) * y, atol=1e-6)
    assert target.name == "sadness>happiness"
    assert target.label == label and target.label_origin == "interpolated"
    weights = dict(zip(EMOTIONS, target.label_weights or (), strict=True))
    assert weights["happiness"] == pytest.approx(alpha) and weights["sadness"] == pytest.approx(1 - alpha)
    assert sum(weights.values()) == pytest.approx(1)


def test_a_continuous_edit_of_an_unlabelled_source_has_a_label_only_beyond_the_middle():
    face = SourceFace(None, NEUTRAL)
    near, far = continuous_target(face, "fear", 0.3), continuous_target(face, "fear", 0.7)
    assert (near.name, near.label, near.label_weights) == ("source>fear", None, None)
    assert (far.label, far.label_weights) == ("fear", None)


def test_soft_source_labels_go_into_the_weights():
    votes = (0.5, 0.5, 0, 0, 0, 0, 0)
    target = continuous_target(SourceFace("surprise", NEUTRAL, votes), "anger", 0.4)
    np.testing.assert_allclose(np.array(target.label_weights), [0.3, 0.3, 0, 0, 0, 0.4, 0])


def test_a_single_edit_raises_its_unit_alone():
    target = single_target(SourceFace("neutral", NEUTRAL), "AU12", 0.66)
    changed = np.flatnonzero(np.abs(np.array(target.action_units) - NEUTRAL) > 1e-6)
    assert [AU_NAMES[i] for i in changed] == ["AU12"]
    assert target.action_units[AU_INDEX["AU12"]] == pytest.approx(0.1 + 0.66 * 0.9)


def test_a_single_edit_keeps_the_label_only_while_the_nearest_prototype_stays():
    near_smile = au_vector({"AU12": 0.2, "AU25": 0.3, "AU06": 0.3})
    face = SourceFace("neutral", near_smile)
    kept, lost = single_target(face, "AU02", 0.33), single_target(face, "AU12", 1.0)
    assert (kept.label, kept.label_origin) == ("neutral", "source")
    assert (lost.label, lost.label_origin) == (None, None)


def test_quotas_are_even_sum_up_and_only_grow():
    assert quotas(10, 8) == (2, 2, 1, 1, 1, 1, 1, 1)
    assert quotas(50, 8) == (7, 7, 6, 6, 6, 6, 6, 6)
    assert quotas(4, 0) == ()
    before = (0,) * 8
    for per_image in range(1, 60):
        edits = min(per_image, 8)
        now = quotas(per_image, edits) + (0,) * (8 - edits)
        assert sum(now) == per_image
        assert all(b <= n for b, n in zip(before, now, strict=True))
        before = now


def test_start_scales_alternate_within_an_edit_and_from_edit_to_edit():
    starts = ("N-1", "N-2")
    assert [start_of_attempt(0, attempt, starts) for attempt in range(3)] == ["N-1", "N-2", "N-1"]
    assert [start_of_attempt(place, 0, starts) for place in range(3)] == ["N-1", "N-2", "N-1"]
    assert start_of_attempt(5, 7, ("N",)) == "N"
