"""What a training of a generator can be told. No torch here: the command line reads its defaults from it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Recipe = Literal["geometry", "paper"]

PAPER_RATE = 1e-4
"""Adam's learning rate in the paper (Pumarola et al., ECCV 2018)."""


@dataclass(frozen=True)
class TrainSettings:
    """How a generator is trained; the defaults are the recipe of the shipped one.

    ``steps`` are generator steps; the learning rate falls to 0 over them. ``regression`` (geometry recipe) weighs the
    AU network's reading of what was asked, beyond the teacher's picture.
    """

    recipe: Recipe = "geometry"
    steps: int = 3200
    batch_size: int = 8
    learning_rate: float = 1e-3
    width: float = 1.0
    average: float = 0.998
    adversarial: float = 0.0
    regression: float = 6.0
    seed: int = 0
    device: str = "cpu"
    mixed_precision: bool = False
    init: Path | None = None

    def card(self) -> dict[str, str]:
        """Return the settings as text, for the checkpoint's metadata; of a file its name alone, not where it lay."""
        fields = {name: value for name, value in asdict(self).items() if name != "device"}
        return {
            f"train_{name}": value.name if isinstance(value, Path) else str(value) for name, value in fields.items()
        }
