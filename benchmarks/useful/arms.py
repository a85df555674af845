"""What is compared: how many real pictures there are, and what each arm trains on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from singanimation.manifests.torch_mixing import Share, falling, two_steps
from singanimation.pipeline.expressions import EMOTIONS

RARE, COMMON = 30, 250
"""Pictures a class in the setting ``rare``; happiness and neutral are the common ones."""


@dataclass(frozen=True)
class Arm:
    """One way to train: kinds of synthetic pictures beside the real ones, their share, the augmentation of all.

    ``judged``: a network trained on the real pictures alone chooses the half of each class that looks most like it.
    """

    name: str
    kinds: tuple[str, ...] = ()
    share: Share = 0.0
    augmentation: str = "classic"
    judged: bool = False


BOTH = ("table", "forms")
OF_RARE = [0.0 if emotion in ("happiness", "neutral") else 0.5 for emotion in EMOTIONS]
SINGLE_KINDS = ("table", "table at 1", "first", "forms", "forms, plain", "donors", "continuous")

ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("real", augmentation="none"),
        Arm("real + classic"),
        Arm("real + trivial", augmentation="trivial"),
        *(Arm(f"{kind} .5", (kind,), 0.5) for kind in ("table", "forms")),
        *(Arm(f"{kind} .5, then real", (kind,), two_steps(0.6, 0.5)) for kind in ("table", "forms")),
        *(Arm(f"{kind} .5, then .25", (kind,), two_steps(0.6, 0.5, 0.25)) for kind in SINGLE_KINDS),
        Arm("variants .5, then .25", ("variants of table",), two_steps(0.6, 0.5, 0.25)),
        Arm("table, then real", ("table",), two_steps()),
        Arm("table 1 to 0", ("table",), falling()),
        Arm("table + forms .5", BOTH, 0.5),
        Arm("table + forms .25", BOTH, 0.25),
        Arm("table + forms .5, then .25", BOTH, two_steps(0.6, 0.5, 0.25)),
        Arm("table + forms .5, then .25, judged", BOTH, two_steps(0.6, 0.5, 0.25), judged=True),
        Arm("table + forms 1, then .25", BOTH, two_steps(0.5, 1.0, 0.25)),
        Arm("table + forms .25, then .1", BOTH, two_steps(0.6, 0.25, 0.1)),
        Arm("table + forms .5, then real", BOTH, two_steps(0.6, 0.5)),
        Arm("table + forms .5 of rare classes, then real", BOTH, two_steps(0.6, OF_RARE)),
        Arm("table + forms, then real", BOTH, two_steps()),
    )
}


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
