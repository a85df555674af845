"""Scores of classifiers, and paired differences between arms with bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.expressions import EMOTIONS

DRAWS = 2000


class Interval(NamedTuple):
    """A mean with its 95% bootstrap interval."""

    mean: float
    low: float
    high: float


def confusion(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return counts (..., 7, 7), truth by answer, of ``answers`` (..., N) beside ``truth`` (N,)."""
    size = len(EMOTIONS)
    flat = np.asarray(truth) * size + np.asarray(answers)
    counts = [np.bincount(row, minlength=size * size) for row in flat.reshape(-1, flat.shape[-1])]
    return np.array(counts).reshape(*flat.shape[:-1], size, size)


def recalls(counts: np.ndarray) -> np.ndarray:
    """Return each class' recall (..., 7) of counts (..., 7, 7), NaN where a class was not tested."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(-1)


def f1_scores(counts: np.ndarray) -> np.ndarray:
    """Return each class' F1 (..., 7) of counts (..., 7, 7), NaN where a class was not tested."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts.sum(-1) > 0, 2 * hits / (counts.sum(-1) + counts.sum(-2)), np.nan)


def macro_f1(counts: np.ndarray, left_out: Sequence[str] = ("fear",)) -> np.ndarray:
    """Return the mean F1 (...) over the tested classes but those ``left_out``."""
    kept = [index for index, emotion in enumerate(EMOTIONS) if emotion not in left_out]
    return np.nanmean(f1_scores(counts)[..., kept], -1)


def over_seeds(values: np.ndarray) -> Interval:
    """Return the mean of ``values`` (S,) over seeds, and where it lies when seeds are drawn again."""
    drawn = values[np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))].mean(1)
    return Interval(float(values.mean()), *(float(end) for end in np.quantile(drawn, (0.025, 0.975))))


def over_seeds_and_people(
    truth: np.ndarray, people: np.ndarray, answers: np.ndarray, others: np.ndarray, draws: int = 500
) -> Interval:
    """Return the macro-F1 of ``answers`` (S, N) less that of ``others`` (S, N), seeds and tested people drawn again."""
    size = len(EMOTIONS) ** 2
    of_person = np.unique(people, return_inverse=True)[1]
    count = of_person.max() + 1
    # each person's confusions by seed: (S, people, 49), so that drawing people again is a sum of weights
    tables = []
    for given in (answers, others):
        cell = of_person * size + truth * len(EMOTIONS) + given
        tables.append(np.array([np.bincount(row, minlength=count * size) for row in cell]).reshape(-1, count, size))
    random = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        seeds = random.integers(0, len(answers), len(answers))
        weights = np.bincount(random.integers(0, count, count), minlength=count)
        first, second = (
            macro_f1((weights @ table[seeds]).reshape(-1, len(EMOTIONS), len(EMOTIONS))) for table in tables
        )
        values.append((first - second).mean())
    mean = (macro_f1(confusion(truth, answers)) - macro_f1(confusion(truth, others))).mean()
    return Interval(float(mean), *(float(end) for end in np.quantile(values, (0.025, 0.975))))
