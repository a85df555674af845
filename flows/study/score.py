"""What the answers say: confusion rates with bootstrap deviations, and which emotion people see in which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from singanimation.flows.study.plan import Study
from singanimation.pipeline.expressions import EMOTIONS

DRAWS = 2000


@dataclass(frozen=True)
class Rate:
    """A share of answers with its bootstrap deviation, of ``number`` answers by ``subjects`` people."""

    share: float
    deviation: float
    number: int
    subjects: int


def confusion_rates(study: Study, answers: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, Rate]:
    """Return how often people took a synthetic picture for the real one, by start scale and over ``all``.

    Of paired trials the share of wrong answers, of unpaired ones the share of synthetic pictures called real: 0.5 is as
    good as guessing. The deviation is over 2,000 resamplings of people, and of each one's answers. ``real called fake``
    stands beside for unpaired trials. Tutorial trials do not count.
    """
    outcomes: dict[str, dict[str, list[bool]]] = {}
    for answer, trial in _counted(study, answers):
        wrong = answer["answer"] != trial.answer
        names = [trial.scale or "", "all"] if trial.scale else ["real called fake"]
        for name in names:
            outcomes.setdefault(name, {}).setdefault(answer["subject"], []).append(wrong)
    random = np.random.default_rng(seed)
    return {name: _rate(people, random) for name, people in sorted(outcomes.items())}


def agreement(study: Study, answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return for ``edits`` and ``real`` pictures: emotion shown -> emotion seen -> share of the answers."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for answer, trial in _counted(study, answers):
        group = counts.setdefault("edits" if trial.scale else "real", {})
        seen = group.setdefault(trial.answer, {})
        seen[answer["answer"]] = seen.get(answer["answer"], 0) + 1
    return {
        group: {
            shown: {emotion: seen.get(emotion, 0) / sum(seen.values()) for emotion in EMOTIONS}
            for shown, seen in sorted(table.items(), key=lambda item: EMOTIONS.index(item[0]))
        }
        for group, table in sorted(counts.items())
    }


def exposure(answers: Sequence[Mapping[str, Any]]) -> tuple[float, float, float] | None:
    """Return the shortest, median and longest time that pictures were shown, in milliseconds; None without answers."""
    shown = [float(answer["shown_ms"]) for answer in answers]
    return (min(shown), float(np.median(shown)), max(shown)) if shown else None


def _counted(study: Study, answers: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Any]]:
    pairs = [(answer, study.trials[answer["trial"]]) for answer in answers if 0 <= answer["trial"] < len(study.trials)]
    return [(answer, trial) for answer, trial in pairs if not trial.tutorial]


def _rate(people: Mapping[str, list[bool]], random: np.random.Generator) -> Rate:
    groups = [np.array(outcomes, float) for outcomes in people.values()]
    shares = []
    for _ in range(DRAWS):
        chosen = [groups[place] for place in random.integers(len(groups), size=len(groups))]
        drawn = [outcomes[random.integers(len(outcomes), size=len(outcomes))] for outcomes in chosen]
        shares.append(np.concatenate(drawn).mean())
    every = np.concatenate(groups)
    return Rate(float(every.mean()), float(np.std(shares)), len(every), len(groups))
