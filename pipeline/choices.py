"""Which edits a source's plan holds, and how strong: all that its rows' ids need, without its action units.

A plan is prefix-stable: the first n edits are the same however many are asked for, and each edit draws
its strength from its own name, so that a narrower ``--expressions`` finds the very same edits again. The
numbers that are drawn:

* discrete: strength 0.80 .. 1.00 in steps of 0.05 (strong enough for the target's label to be true), and the form of
  the emotion; how it is jittered is drawn from its name, too (``forms.PLAN`` holds the numbers);
* continuous: alpha 0.10 .. 0.90 in steps of 0.05, without 0.50 (that row would have no label); one form each emotion;
* donor: strength 1, another person's picture of the data set (``donors``);
* appearance: strength 1, the source's expression; another person's spectacles or beard, or its own taken off;
* single: strength 0.33, 0.66 or 1, as in the thesis' tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np

from singanimation.pipeline.digests import encoded, encoded_words, seed_of
from singanimation.pipeline.expressions import ATTRIBUTES, AU_NAMES, COMPOUNDS, EMOTIONS, attributes_asked
from singanimation.pipeline.forms import FORMS, PLAN, Form, FormMix, choose_form
from singanimation.pipeline.records import Source, edit_key

T = TypeVar("T")

DISCRETE_STRENGTHS: tuple[float, ...] = PLAN.strengths
CONTINUOUS_ALPHAS: tuple[float, ...] = tuple(round(0.10 + 0.05 * step, 2) for step in range(17) if step != 8)
APPEARANCE_TURNS = 3
"""How many edits of appearance there are for each attribute, each from another donor."""

SINGLE_STRENGTHS: tuple[float, ...] = (0.33, 0.66, 1.0)


class Choice(NamedTuple):
    """One planned edit before the source's action units are known: enough for its ids.

    ``aim`` is the emotion or AU that it goes to, ``name`` what the manifest calls it (``neutral>happiness``), ``form``
    the emotion's form, jittered by ``seed``, ``donor`` the source_id of the picture whose action units it aims at.
    """

    kind: str
    aim: str
    name: str
    strength: float
    form: Form | None = None
    seed: int = 0
    donor: str | None = None

    @property
    def key(self) -> str:
        """Return the ``key`` of the target that comes of it."""
        return edit_key(self.kind, self.name, self.strength, self.form.name if self.form else self.donor)


def plan_choices(
    label: str | None,
    expressions: Sequence[str],
    count: int,
    seed: int,
    donors: Mapping[str, Source] | None = None,
    mix: FormMix = PLAN,
) -> tuple[Choice, ...]:
    """Return the first ``count`` edits of a source's plan: discrete, donor, then continuous and single in turn.

    ``label`` is the source's canonical emotion or None, ``seed`` the plan's own (``plan_seed``). Fewer when
    ``expressions`` do not hold that many; each word of them adds: a kind all its edits, an emotion or a compound its
    discrete edits, an AU its single edits. ``donors`` are the source's, where edits by donor are asked for. Each
    emotion comes once, in the form that the seed draws; its other forms
    come last of all.
    """
    return tuple(islice(_in_order(label, expressions, _Draws(seed), donors or {}, mix), count))


def blend_name(label: str | None, emotion: str) -> str:
    """Return what the manifest calls a continuous edit."""
    return f"{label or 'source'}>{emotion}"


class _Draws:
    """The random numbers of one plan; each hangs on the plan's seed and its own name alone."""

    def __init__(self, seed: int) -> None:
        self._seed = encoded("seed", seed)

    def shuffled(self, values: Sequence[T], name: str) -> list[T]:
        seed = seed_of(self._seed + encoded_words(name, "order", 0))
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(values))
        return [values[index] for index in order.tolist()]

    def number(self, name: str, what: str = "strength") -> int:
        return seed_of(self._seed + encoded_words(name, what, 0))

    def drawn(self, values: Sequence[T], name: str) -> T:
        return values[self.number(name) % len(values)]


def _in_order(
    label: str | None, expressions: Sequence[str], draws: _Draws, donors: Mapping[str, Source], mix: FormMix
) -> Iterator[Choice]:
    yield from _discrete(label, expressions, draws, mix, 0)
    if "donor" in expressions:
        for emotion in draws.shuffled(EMOTIONS, "donor"):
            if emotion in donors and emotion != label:
                yield Choice("donor", emotion, emotion, 1.0, donor=donors[emotion].source_id)
    others = [_continuous(label, expressions, draws, mix), _appearance(expressions, draws), _single(expressions, draws)]
    while others:
        stream = others.pop(0)
        choice = next(stream, None)
        if choice is not None:
            yield choice
            others.append(stream)
    for turn in range(1, max(map(len, FORMS.values()))):
        yield from _discrete(label, expressions, draws, mix, turn)


def _discrete(
    label: str | None, expressions: Sequence[str], draws: _Draws, mix: FormMix, turn: int
) -> Iterator[Choice]:
    wanted = [e for e in EMOTIONS if e != label and (e in expressions or "discrete" in expressions)]
    if not wanted and not any(name in COMPOUNDS for name in expressions):
        return
    named = [emotion for emotion in draws.shuffled(EMOTIONS, "discrete") if emotion in wanted]
    for emotion in named + [name for name in expressions if name in COMPOUNDS]:
        name = f"discrete:{emotion}"
        form = choose_form(emotion, draws.number(name, "form"), mix)
        if turn > 0:
            rest = [other for other in FORMS[emotion] if other is not form]
            if turn > len(rest):
                continue
            form, name = rest[turn - 1], f"{name}:{turn}"
        yield Choice("discrete", emotion, emotion, draws.drawn(mix.strengths, name), form, draws.number(name, "jitter"))


def _continuous(label: str | None, expressions: Sequence[str], draws: _Draws, mix: FormMix) -> Iterator[Choice]:
    if "continuous" not in expressions:
        return
    alphas: dict[str, list[float]] = {}  # shuffled when needed: a plan of eight edits needs one of them
    order = draws.shuffled([e for e in EMOTIONS if e != label], "continuous")
    for turn in range(len(CONTINUOUS_ALPHAS)):
        for emotion in order:
            name = f"continuous:{emotion}"
            if turn == 0:
                alphas[emotion] = draws.shuffled(CONTINUOUS_ALPHAS, name)
            form = choose_form(emotion, draws.number(name, "form"), mix)
            strength, jitter = alphas[emotion][turn], draws.number(name, "jitter")
            yield Choice("continuous", emotion, blend_name(label, emotion), strength, form, jitter)


def _appearance(expressions: Sequence[str], draws: _Draws) -> Iterator[Choice]:
    """Every attribute once; then again with the next donor."""
    order = [name for name in draws.shuffled(ATTRIBUTES, "appearance") if name in attributes_asked(expressions)]
    for turn in range(APPEARANCE_TURNS):
        for attribute in order:
            yield Choice("appearance", attribute, f"{attribute}-{turn + 1}" if turn else attribute, 1.0)


def _single(expressions: Sequence[str], draws: _Draws) -> Iterator[Choice]:
    wanted = AU_NAMES if "single" in expressions else [name for name in AU_NAMES if name in expressions]
    if not wanted:
        return
    strengths: dict[str, list[float]] = {}
    order = [unit for unit in draws.shuffled(AU_NAMES, "single") if unit in wanted]
    for turn in range(len(SINGLE_STRENGTHS)):
        for unit in order:
            if turn == 0:
                strengths[unit] = draws.shuffled(SINGLE_STRENGTHS, f"single:{unit}")
            yield Choice("single", unit, unit, strengths[unit][turn])
