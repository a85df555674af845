"""What is compared: how many real pictures there are, and what each arm trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from singanimation.manifests.torch_mixing import Share, falling, two_steps
from singanimation.pipeline.expressions import EMOTIONS
from useful.finish import FINISHES

RARE, COMMON = 30, 250
"""Pictures a class in the setting ``rare``; happiness and neutral are the common ones."""

UNITS = 5.0
"""Weight of the action units' squared error beside the classes' cross-entropy, where they are learnt as well."""


@dataclass(frozen=True)
class Arm:
    """One way to train: kinds of synthetic pictures beside the real ones, their share, the augmentation of all.

    ``edits``: of each kind a face, at most (None: as the benchmark is told). ``together``: a batch's synthetic pictures
    are made of its real ones. ``units``: weight of the loss of the action units, 0 where they are not learnt.
    ``better_half``: a network trained on the real pictures alone chooses the half of each class that it knows best.
    """

    name: str
    kinds: tuple[str, ...] = ()
    share: Share = 0.0
    augmentation: str = "classic"
    edits: int | None = None
    together: bool = False
    units: float = 0.0
    better_half: bool = False

    def classes(self) -> list[int]:
        """Return the classes 0..6 that have a synthetic share at some time."""
        moments = [
            np.broadcast_to(self.share(at / 100) if callable(self.share) else self.share, 7) for at in range(100)
        ]
        return np.flatnonzero(np.max(moments, 0)).tolist()


BOTH = ("table", "forms")
FALLS = two_steps(0.6, 0.5, 0.25)
OF_RARE = [0.0 if emotion in ("happiness", "neutral") else 0.5 for emotion in EMOTIONS]
SINGLE_KINDS = (
    "table",
    "table at 1",
    "first",
    "forms",
    "forms, plain",
    "forms at 1",
    "forms, weaker",
    "forms, mostly the first",
    "donors",
    "continuous",
)
ENGINES = tuple(name for name in FINISHES if name)


def _plans(name: str, kinds: tuple[str, ...]) -> list[Arm]:
    """Return the shares and schedules of an arm, apart; ``_and`` gives what else can be done with each."""
    return [
        Arm(f"{name} .5", kinds, 0.5),
        Arm(f"{name} .25", kinds, 0.25),
        Arm(f"{name} .5, then .25", kinds, FALLS),
        Arm(f"{name} .25, then .1", kinds, two_steps(0.6, 0.25, 0.1)),
        Arm(f"{name} .5, then real", kinds, two_steps(0.6, 0.5)),
        Arm(f"{name} .5 of rare classes, then real", kinds, two_steps(0.6, OF_RARE)),
        Arm(f"{name} .5 of rare classes", kinds, OF_RARE),
        Arm(f"{name} 1, then .25", kinds, two_steps(0.5, 1.0, 0.25)),
        Arm(f"{name}, then real", kinds, two_steps()),
        Arm(f"{name} 1 to 0", kinds, falling()),
    ]


def _and(arm: Arm) -> list[Arm]:
    """Return an arm, the same with faces together, with action units, and with both."""
    together = replace(arm, name=f"{arm.name}, together", together=True)
    return [arm, together, *(replace(each, name=f"{each.name}, units", units=UNITS) for each in (arm, together))]


def _all_arms() -> list[Arm]:
    """Return all arms that can be named."""
    mixed = [
        plan
        for name, kinds in (("table + forms", BOTH), ("table", ("table",)), ("forms", ("forms",)))
        for plan in _plans(name, kinds)
    ]
    mixed += [Arm(f"{kind} .5, then .25", (kind,), FALLS) for kind in SINGLE_KINDS if kind not in BOTH]
    mixed += [Arm("donors + forms .5, then .25", ("donors", "forms"), FALLS)]
    mixed += [Arm("judged forms .5, then .25", ("judged of forms",), FALLS)]
    mixed += [Arm("one edit a face .5, then .25", ("forms",), FALLS, edits=1)]
    for engine in ENGINES:
        made = f"{engine} of forms"
        mixed.append(Arm(f"{engine} of one edit a face .5, then .25", (made,), FALLS, edits=1))
        mixed.append(Arm(f"one edit a face + {engine} .5, then .25", ("forms", made), FALLS, edits=1))
    return [
        Arm("real", augmentation="none"),
        Arm("real + classic"),
        Arm("real + classic, units", units=UNITS),
        Arm("real + trivial", augmentation="trivial"),
        Arm("table + forms .5, then .25, better half", BOTH, FALLS, better_half=True),
        *(each for arm in mixed for each in _and(arm)),
    ]


ARMS: dict[str, Arm] = {arm.name: arm for arm in _all_arms()}


def chosen_pictures(labels: np.ndarray, allowed: np.ndarray, setting: str, seed: int) -> np.ndarray:
    """Return the indices of the real pictures of one training, drawn anew by each ``seed`` from the ``allowed``.

    ``setting`` is a number a class (or all that a class has), ``rare`` (happiness and neutral 250, others 30), ``all``.
    """
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for label, emotion in enumerate(EMOTIONS):
        members = random.permutation(np.flatnonzero(allowed & (labels == label)))
        chosen += members[: _wanted(setting, emotion, len(members))].tolist()
    return np.array(sorted(chosen))


def _wanted(setting: str, emotion: str, there: int) -> int:
    if setting == "all":
        return there
    if setting == "rare":
        return COMMON if emotion in ("happiness", "neutral") else RARE
    return int(setting)


def arms_named(names: Sequence[str]) -> list[Arm]:
    """Return the arms of these names; raises KeyError for one that does not exist."""
    return [ARMS[name] for name in names]
