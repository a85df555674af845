"""What a training of the attribute networks can be told. No torch here: the command line reads its defaults from it."""

from dataclasses import asdict, dataclass

from singanimation.pipeline.expressions import USUAL_ATTRIBUTES
from singanimation.stages.expansion.training.settings import Schedule


@dataclass(frozen=True)
class AttributeSettings:
    """How the attribute networks are trained; those that ship had more steps and a smaller width (their card).

    Nine tenths of ``steps`` teach to take off, the rest to put on, each with a learning rate that falls to 0 by half a
    cosine.
    """

    attributes: tuple[str, ...] = USUAL_ATTRIBUTES
    steps: int = 2400
    batch_size: int = 8
    learning_rate: float = 1.5e-3
    width: float = 1.0
    average: float = 0.99
    seed: int = 0
    device: str = "cpu"
    schedule: Schedule = "cosine"
    mixed_precision: bool = False

    def card(self) -> dict[str, str]:
        """Return the settings as text, for the file's metadata and for resuming."""
        fields = {
            name: value for name, value in asdict(self).items() if name not in ("device", "schedule", "mixed_precision")
        }
        fields["attributes"] = ",".join(self.attributes)
        return {f"train_{name}": str(value) for name, value in fields.items()}
