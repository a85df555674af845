"""What a training of a generator can be told. No torch here: the command line reads its defaults from it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Recipe = Literal["geometry", "paper", "transfer", "stargan", "cyclegan", "landmarks"]
Schedule = Literal["cosine", "paper", "phases", "half"]
SIZES = (64, 128)
"""Edges, in pixels, of the pictures that a network may be trained at: 64 costs a quarter of 128."""

PAPER_RATE = 1e-4
"""Adam's learning rate in the paper (Pumarola et al., ECCV 2018)."""

PAPER_BATCH = 25

PAPER_EPOCHS = 30
PAPER_EPOCHS_AT_FULL_RATE = 20


@dataclass(frozen=True)
class PaperTerms:
    """Weights and habits of ``--recipe paper``; the defaults are those of the paper and of its authors' code.

    ``units`` is divided by the batch's size (160 at the paper's 25); ``variation`` weighs a sum over the batch;
    ``joint_critic`` takes one Adam step on losses and penalty together in place of two; ``clamp_targets`` keeps the
    noisy target AUs in 0..1.
    """

    units: float = 4000.0
    cycle: float = 10.0
    penalty: float = 10.0
    attention: float = 0.1
    variation: float = 1e-5
    critic_steps: int = 5
    noise: float = 0.1
    joint_critic: bool = False
    clamp_targets: bool = False


_OWN: dict[Recipe, dict[str, Any]] = {
    "paper": {
        "batch_size": PAPER_BATCH,
        "learning_rate": PAPER_RATE,
        "average": 0.0,
        "schedule": "paper",
        "regression": 0.0,
    },
    "transfer": {"steps": 6000, "batch_size": 16, "average": 0.0, "schedule": "phases"},
    "stargan": {"steps": 4000, "batch_size": 16, "learning_rate": 1e-4, "average": 0.0, "schedule": "half"},
    "cyclegan": {"steps": 4000, "batch_size": 4, "learning_rate": 2e-4, "average": 0.0, "schedule": "half"},
    "landmarks": {"steps": 3000, "batch_size": 8, "learning_rate": 2e-4, "average": 0.0, "schedule": "half"},
}
"""What each recipe has of its own; the rest are the defaults below."""


@dataclass(frozen=True)
class TrainSettings:
    """How a generator is trained; the defaults are the recipe of the shipped one, ``for_recipe`` gives each its own.

    ``steps`` are generator steps; the learning rate falls to 0 over them by ``schedule``. ``average`` is how much of
    the averaged weights, which are what is saved, each step keeps (0: the last step's alone). ``regression`` (geometry
    recipe) weighs the AU network's reading of what was asked, beyond the teacher's picture. ``size`` (paper recipe) are
    the pixels of the pictures: 64 costs a quarter of 128. ``critic_steps`` (stargan) are the critic's batches for
    one of the generator; ``labels`` says where the labels come from, for the card.
    """

    recipe: Recipe = "geometry"
    steps: int = 3200
    batch_size: int = 8
    learning_rate: float = 1e-3
    width: float = 1.0
    size: int = 128
    critic_steps: int = 5
    labels: str = ""
    average: float = 0.998
    schedule: Schedule = "cosine"
    adversarial: float = 0.0
    regression: float = 6.0
    seed: int = 0
    device: str = "cpu"
    mixed_precision: bool = False
    init: Path | None = None
    paper: PaperTerms = field(default_factory=PaperTerms)

    @staticmethod
    def for_recipe(recipe: Recipe, **given: Any) -> "TrainSettings":
        """Return a recipe's own settings with those that are ``given`` (None: not given) in their place."""
        own = _OWN.get(recipe, {})
        asked = {name: value for name, value in given.items() if value is not None}
        return TrainSettings(recipe=recipe, **(own | asked))

    def card(self) -> dict[str, str]:
        """Return the settings as text, for the checkpoint's metadata; of a file its name alone, not where it lay."""
        fields = {name: value for name, value in asdict(self).items() if name not in ("device", "paper")}
        if self.recipe == "paper":
            fields |= {f"paper_{name}": value for name, value in asdict(self.paper).items()}
        return {
            f"train_{name}": value.name if isinstance(value, Path) else str(value) for name, value in fields.items()
        }


def small_batch_sentence(terms: PaperTerms, batch_size: int) -> str | None:
    """Return what to say where a batch smaller than the paper's makes its AU regression stronger than the paper's."""
    if batch_size >= PAPER_BATCH or terms.units != PaperTerms.units:
        return None
    meant = PaperTerms.units / PAPER_BATCH
    return (
        f"A batch of {batch_size} weighs the action units {terms.units / batch_size:,.0f}, the paper's of "
        f"{PAPER_BATCH} weighs them {meant:.0f}: --unit-weight {meant * batch_size:.0f} keeps that, and the faces."
    )


def paper_steps(faces: int, batch_size: int, terms: PaperTerms) -> int:
    """Return the generator steps of the paper's 30 epochs over so many faces: one after every fifth critic batch."""
    return max(PAPER_EPOCHS * max(faces // batch_size, 1) // terms.critic_steps, 1)
