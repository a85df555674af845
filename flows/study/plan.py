"""What a study shows: pictures of a manifest, and the trials that every subject is given, in an order of their own.

Real or fake follows SinGAN's test (Shaham et al., ICCV 2019, section 3.1, and the thesis' 5.5.1): 50 paired trials (the
real picture and a variant of it side by side), 50 + 50 unpaired ones, one second each, ten tutorial trials before.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from singanimation.pipeline.digests import derive_seed, digest
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS

Kind = Literal["paired", "unpaired", "emotion"]
KINDS: tuple[Kind, ...] = ("paired", "unpaired", "emotion")

TRIALS = 50
"""Paired trials; of unpaired and emotion ones so many of real and of synthetic pictures each."""

TUTORIAL = 10
SECONDS = 1.0


@dataclass(frozen=True)
class Shown:
    """A picture of a study: PNG bytes, whether it is ``synthetic``, its start ``scale``, source, and label."""

    png: bytes
    synthetic: bool
    source: str
    label: str | None = None
    scale: str | None = None

    @property
    def name(self) -> str:
        """Return the name that a subject's browser sees: it tells nothing."""
        return digest("study", self.source, self.synthetic, self.scale or "", self.png, length=20)


@dataclass(frozen=True)
class Trial:
    """One question: the names of one picture, or two side by side, and the right answer.

    ``answer`` is ``left`` or ``right`` (the synthetic one) of paired trials, ``real`` or ``fake`` of unpaired ones, an
    emotion of the others. ``scale`` is the synthetic picture's start, None where there is none.
    """

    pictures: tuple[str, ...]
    answer: str
    scale: str | None
    tutorial: bool = False


@dataclass
class Study:
    """All pictures by name, and of each kind the trials before they are shuffled for a subject."""

    kind: Kind
    seed: int
    trials: list[Trial] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def for_subject(self, subject: str) -> list[int]:
        """Return the places of the trials in this subject's order: the tutorial's first, none twice."""
        random = np.random.default_rng(derive_seed(self.seed, subject, "study"))
        order = random.permutation(len(self.trials)).tolist()
        return sorted(order, key=lambda place: not self.trials[place].tutorial)

    def as_json(self) -> dict[str, Any]:
        """Return what is kept on disk beside the pictures."""
        return {"kind": self.kind, "seed": self.seed, "trials": [asdict(trial) for trial in self.trials]}


def make_study(
    kind: Kind,
    real: Sequence[Shown],
    synthetic: Sequence[Shown],
    seed: int,
    count: int = TRIALS,
    tutorial: int = TUTORIAL,
) -> Study:
    """Choose a study's trials from real pictures and variants (for ``emotion``: edits). No picture appears twice.

    ``count`` trials (of others than ``paired`` so many of real and synthetic pictures each), ``tutorial`` more.
    Start scales and, for ``emotion``, labels are drawn evenly. Raises UsageError where there are too few pictures.
    """
    study = Study(kind, seed)
    random = np.random.default_rng(derive_seed(seed, kind, "choose"))
    if kind == "paired":
        _paired(study, real, synthetic, (count, tutorial), random)
    else:
        _single(study, real, synthetic, (count, tutorial // 2), random)
    return study


def _paired(
    study: Study,
    real: Sequence[Shown],
    synthetic: Sequence[Shown],
    counts: tuple[int, int],
    random: np.random.Generator,
) -> None:
    own = {shown.source: shown for shown in real}
    by_source: dict[str, list[Shown]] = {}
    for shown in _evenly([each for each in synthetic if each.source in own], "scale", random):
        by_source.setdefault(shown.source, []).append(shown)
    turns: list[Shown] = []
    used: dict[str, int] = {}
    for variants in by_source.values():
        # the scale that is behind, so that both are asked about alike
        variants.sort(key=lambda each: used.get(each.scale or "", 0))
        used[variants[0].scale or ""] = used.get(variants[0].scale or "", 0) + 1
        turns.append(variants[0])
    wanted = sum(counts)
    _enough(len(turns), wanted, "sources with a real picture and an accepted variant")
    for index, fake in enumerate(turns[:wanted]):
        pair = [own[fake.source], fake]
        left = int(random.integers(2))
        if left:
            pair.reverse()
        names = tuple(_keep(study, each) for each in pair)
        study.trials.append(Trial(names, "left" if left else "right", fake.scale, index >= counts[0]))


def _single(
    study: Study,
    real: Sequence[Shown],
    synthetic: Sequence[Shown],
    counts: tuple[int, int],
    random: np.random.Generator,
) -> None:
    wanted = sum(counts)
    by = "label" if study.kind == "emotion" else "scale"
    for pictures, what, turns in ((real, "real pictures", "label"), (synthetic, "synthetic pictures", by)):
        if study.kind == "emotion":
            pictures = [shown for shown in pictures if shown.label in EMOTIONS]
        chosen = _evenly(list(pictures), turns, random)
        chosen = list({shown.name: shown for shown in chosen}.values())
        _enough(len(chosen), wanted, what)
        for index, shown in enumerate(chosen[:wanted]):
            answer = (shown.label or "") if study.kind == "emotion" else "fake" if shown.synthetic else "real"
            trial = Trial((_keep(study, shown),), answer, shown.scale, index >= counts[0])
            study.trials.append(trial)


def _evenly(pictures: list[Shown], attribute: str, random: np.random.Generator) -> list[Shown]:
    """Return the pictures in an order in which the values of ``attribute`` take turns."""
    groups: dict[str, list[Shown]] = {}
    for place in random.permutation(len(pictures)):
        groups.setdefault(str(getattr(pictures[place], attribute)), []).append(pictures[place])
    waiting = [group for _, group in sorted(groups.items())]
    turns: list[Shown] = []
    while waiting:
        turns += [group.pop() for group in waiting]
        waiting = [group for group in waiting if group]
    return turns


def _enough(have: int, wanted: int, what: str) -> None:
    if have < wanted:
        raise UsageError(f"The study needs {wanted} {what} that differ, and the manifest gives {have}; ask for fewer.")


def _keep(study: Study, shown: Shown) -> str:
    study.pictures[shown.name] = shown.png
    return shown.name
