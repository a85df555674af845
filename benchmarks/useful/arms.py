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
    """One way to train: kinds of synthetic pictures beside the real ones, their share, the augmentation of all."""

    name: str
    kinds: tuple[str, ...] = ()
    share: Share = 0.0
    augmentation: str = "classic"


ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("real", augmentation="none"),
        Arm("real + classic"),
        Arm("real + trivial", augmentation="trivial"),
        Arm("table .5", ("table",), 0.5),
        Arm("table .25", ("table",), 0.25),
        Arm("table, then real", ("table",), two_steps()),
        Arm("table 1 to 0", ("table",), falling()),
        Arm("table .5, then real", ("table",), two_steps(0.6, 0.5)),
        Arm("table .75, then real", ("table",), two_steps(0.6, 0.75)),
        Arm("table .5, then .25", ("table",), two_steps(0.6, 0.5, 0.25)),
        Arm("forms .5, then .25", ("forms",), two_steps(0.6, 0.5, 0.25)),
        Arm("table + forms .25, then real", ("table", "forms"), two_steps(0.6, 0.25)),
        Arm("table + forms .25, then .1", ("table", "forms"), two_steps(0.6, 0.25, 0.1)),
        Arm("table + forms .75, then .25", ("table", "forms"), two_steps(0.6, 0.75, 0.25)),
        Arm("table + forms 1, then .25", ("table", "forms"), two_steps(0.5, 1.0, 0.25)),
        Arm("table + forms .25", ("table", "forms"), 0.25),
        Arm("table + forms 1, then .1", ("table", "forms"), two_steps(0.5, 1.0, 0.1)),
        Arm("table .5, real at last", ("table",), two_steps(0.8, 0.5)),
        Arm("table .25, then real", ("table",), two_steps(0.6, 0.25)),
        Arm("table at 1 .5", ("table at 1",), 0.5),
        Arm("first .5", ("first",), 0.5),
        Arm("forms .5", ("forms",), 0.5),
        Arm("forms, then real", ("forms",), two_steps()),
        Arm("forms .5, then real", ("forms",), two_steps(0.6, 0.5)),
        Arm("forms, plain .5", ("forms, plain",), 0.5),
        Arm("table + forms .5", ("table", "forms"), 0.5),
        Arm("table + forms, then real", ("table", "forms"), two_steps()),
        Arm("table + forms .5, then real", ("table", "forms"), two_steps(0.6, 0.5)),
        Arm("table + forms .5, then .25", ("table", "forms"), two_steps(0.6, 0.5, 0.25)),
        Arm("donors .25", ("donors",), 0.25),
        Arm("donors .5", ("donors",), 0.5),
        Arm("donors, then real", ("donors",), two_steps()),
        Arm("table + donors .5", ("table", "donors"), 0.5),
        Arm("continuous .5", ("continuous",), 0.5),
        Arm("table + continuous .5", ("table", "continuous"), 0.5),
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
