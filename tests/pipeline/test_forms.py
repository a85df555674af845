"""Forms of emotions: the table, how one is chosen, and how it is varied."""

from collections import Counter

import numpy as np
import pytest

from singanimation.pipeline.choices import plan_choices
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES, COMPOUNDS, EMOTIONS, au_vector, parse_expressions
from singanimation.pipeline.forms import (
    FORMS,
    MOST_ASIDE,
    PLAN,
    FormMix,
    choose_form,
    draw_form,
    form_named,
)
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target, edits_wanted, targets_of
from singanimation.pipeline.records import ExpressionTarget
from singanimation.pipeline.settings import make_settings

NEUTRAL = np.full(17, 0.1, np.float32)


def _planned(expressions: str) -> tuple[ExpressionTarget, ...]:
    settings = make_settings(input="sample", expressions=expressions)
    choices = plan_choices("neutral", settings.expressions, edits_wanted(settings), 4)
    return targets_of(choices, SourceFace("neutral", NEUTRAL))


def test_every_emotion_but_neutral_has_at_least_three_forms_of_known_units_and_names_of_their_own():
    assert set(FORMS) == {*EMOTIONS, *COMPOUNDS} and len(COMPOUNDS) == 11
    for emotion in EMOTIONS:
        forms = FORMS[emotion]
        assert len(forms) >= 3 or emotion == "neutral"
        assert len({form.name for form in forms}) == len(forms)
    for form in (form for forms in FORMS.values() for form in forms):
        assert set(form.units) <= set(AU_NAMES) - {"AU45"}
        assert all(0 < amount <= 1 for amount in form.units.values())


def test_compounds_have_the_tables_shares_and_the_stand_in_for_the_lip_presser():
    (form,) = FORMS["angrily-disgusted"]
    assert form.units == {"AU04": 1, "AU10": 1, "AU17": 1, "AU07": 0.6, "AU09": 0.57, "AU23": 0.36}
    (form,) = FORMS["sadly-disgusted"]  # AU11 has no stand-in
    assert form.units["AU15"] == 0.54 and "AU11" not in form.units


def test_forms_are_drawn_as_often_as_their_shares_say():
    mix = FormMix(shares={"anger": {"open": 3.0, "closed": 1.0}})
    numbers = np.random.default_rng(0).integers(0, 2**62, 4000)
    drawn = Counter(choose_form("anger", int(number), mix).name for number in numbers)
    assert set(drawn) == {"open", "closed"}
    assert drawn["open"] / 4000 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(UsageError, match="shares of anger"):
        choose_form("anger", 5, FormMix(shares={"anger": {"open": 0.0}}))


def test_a_draw_is_its_seeds_and_spreads_by_the_mixture():
    form = form_named("fear", "stretched")
    again, other = draw_form(form, 1), draw_form(form, 2)
    np.testing.assert_array_equal(draw_form(form, 1).units, again.units)
    assert not np.array_equal(again.units, other.units)
    still = draw_form(form, 1, FormMix(jitter=0, sides=0))
    plain = au_vector(form.units)
    np.testing.assert_allclose(still.units, plain, atol=1e-6)
    assert not still.sides.any()
    draws = [draw_form(form, seed, FormMix(jitter=0.1, sides=0.1)) for seed in range(600)]
    amounts = np.array([draw.units[AU_INDEX["AU04"]] for draw in draws]) / form.units["AU04"]
    sides = np.array([draw.sides for draw in draws])
    assert amounts.mean() == pytest.approx(1, abs=0.02) and amounts.std() == pytest.approx(0.1, abs=0.02)
    assert sides[:, AU_INDEX["AU01"]].std() == pytest.approx(0.1, abs=0.02)
    assert np.corrcoef(sides[:, AU_INDEX["AU01"]], sides[:, AU_INDEX["AU12"]])[0, 1] == pytest.approx(0.5, abs=0.12)
    assert np.abs(sides).max() <= MOST_ASIDE and not sides[:, [AU_INDEX["AU25"], AU_INDEX["AU45"]]].any()


def test_an_emotion_without_units_is_not_varied():
    drawn = draw_form(FORMS["neutral"][0], 3)
    assert not drawn.units.any()


def test_a_mixture_and_the_table_are_told_apart_by_their_digest():
    others = [FormMix(jitter=0.3), FormMix(sides=0.3), FormMix(shares={"anger": {"open": 1.0}})]
    assert len({mix.digest() for mix in (PLAN, *others)}) == 4
    assert FormMix().digest() == PLAN.digest()


def test_a_plan_names_forms_and_other_seeds_draw_others():
    keys = {choice.key for seed in range(60) for choice in plan_choices(None, ("anger",), 1, seed)}
    assert {key.split("@")[0] for key in keys} == {f"discrete:anger/{form.name}" for form in FORMS["anger"]}


def test_named_emotions_come_in_their_other_forms_last():
    choices = plan_choices("neutral", ("anger", "AU12"), 20, 5)
    assert [choice.kind for choice in choices] == ["discrete", *["single"] * 3, *["discrete"] * 2]
    assert {choice.form.name for choice in choices if choice.form} == {form.name for form in FORMS["anger"]}


def test_targets_carry_form_and_sides_and_strength_zero_is_the_source():
    targets = _planned("fear,sadness")
    assert all(target.form and target.sides and len(target.sides) == 17 for target in targets)
    drawn = draw_form(form_named("anger", "open"), 8)
    face = SourceFace("neutral", NEUTRAL)
    for target in discrete_target(face, "anger", 0, drawn), continuous_target(face, "anger", 0, drawn):
        np.testing.assert_allclose(target.action_units, NEUTRAL)


def test_a_compound_is_written_in_usual_ways_and_has_no_label_of_the_seven():
    assert parse_expressions("Happily surprised, sadly_angry,fear") == ("happily-surprised", "sadly-angry", "fear")
    (target,) = _planned("happily surprised")
    assert (target.kind, target.name, target.label, target.label_origin) == (
        "discrete",
        "happily-surprised",
        None,
        None,
    )


def test_an_unknown_form_is_named_with_those_that_there_are():
    with pytest.raises(UsageError, match="anger has no form 'loud'; it has open, teeth, closed"):
        form_named("anger", "loud")
