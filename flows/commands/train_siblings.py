"""`augment train transfer|stargan|cyclegan|landmarks`: the smaller siblings among the expanders."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from singanimation.flows.commands.train_ganimation import check_init, prepare, train_and_say
from singanimation.flows.commands.train_options import (
    DeviceOption,
    MinutesOption,
    OutputOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    WorkersOption,
    check_output,
    check_size,
    use_threads,
)
from singanimation.flows.training.labels import LabelsFrom, joined, labelled
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS, canonical_emotion
from singanimation.stages.expansion.training.settings import Recipe, TrainSettings

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces


class Asked(NamedTuple):
    """What every sibling's training can be told, as options of the command line."""

    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")]
    output: OutputOption
    steps: Annotated[int | None, typer.Option(min=1, help="Generator steps; default: the recipe's.")] = None
    batch_size: Annotated[int | None, typer.Option(min=1, help="Faces a step; default: the recipe's.")] = None
    learning_rate: Annotated[float | None, typer.Option(min=1e-8, help="Adam's; default: the recipe's.")] = None
    width: Annotated[float, typer.Option(min=0.125, max=8, help="Share of the published networks' width.")] = 1.0
    size: Annotated[int, typer.Option(help="Pixels that it learns and paints, 64 or 128.")] = TrainSettings.size
    average: Annotated[
        float | None, typer.Option(min=0, max=0.99999, help="How much of the averaged weights a step keeps; default 0.")
    ] = None
    init: Annotated[Path | None, typer.Option(help="Start from this generator's weights.")] = None
    seed: SeedOption = 0
    device: DeviceOption = "auto"
    mixed_precision: Annotated[
        bool, typer.Option("--mixed-precision", help="bfloat16: faster on GPUs and CPUs that compute in it.")
    ] = False
    workers: WorkersOption = None
    threads: ThreadsOption = None
    minutes: MinutesOption = 5.0
    resume: ResumeOption = True

    def settings(self, recipe: Recipe, **own: Any) -> TrainSettings:
        """Return the settings of a training by ``recipe``, with what is its ``own``. Raises UsageError."""
        from singanimation.flows.models import choose_device

        check_output(self.output)
        check_size(self.size)
        check_init(self.init)
        use_threads(self.threads)
        others = ("faces", "output", "device", "workers", "threads", "minutes", "resume")
        given = {name: value for name, value in self._asdict().items() if name not in others}
        return TrainSettings.for_recipe(recipe, device=choose_device(self.device), **given, **own)

    def train(self, settings: TrainSettings, prepared: "PreparedFaces", also: str | None = None) -> None:
        """Train, and say how it goes; ``also`` is the second set of faces, for the card."""
        name = self.faces if also is None else f"{Path(self.faces).name} and {Path(also).name}"
        train_and_say(settings, prepared, self.output, self.minutes, self.resume, name)


def with_training(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command(asked, ...)`` one option per field of ``Asked``."""
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "asked"]
    hints, defaults = Asked.__annotations__, Asked._field_defaults
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(name, inspect.Parameter.empty),
            annotation=hints[name],
        )
        for name in Asked._fields
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        asked = Asked(**{name: values.pop(name) for name in Asked._fields})
        command(asked=asked, **values)

    parameters = [*shared, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own)]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__  # else typer reads the undecorated signature
    return wrapper


_LabelsOption = Annotated[
    LabelsFrom, typer.Option(help="The data set's own labels, or the nearest form of the action units.")
]


@with_training
def train_transfer(asked: Asked, labels: _LabelsOption = "data") -> None:
    """Train an auto-encoder whose code does not know the expression (Liu & Jin): edits by label.

    Writes the generator and, beside it, card, losses, sheet and checkpoint; the same command goes on where it stopped.
    """
    settings = asked.settings("transfer")
    prepared, said = labelled(prepare(asked.faces, asked.output, asked.workers), labels, asked.faces)
    asked.train(replace(settings, labels=said), prepared)


@with_training
def train_stargan(
    asked: Asked,
    labels: _LabelsOption = "data",
    also: Annotated[str | None, typer.Option(help="A second set of faces, with labels of its own.")] = None,
    also_labels: _LabelsOption = "data",
    critic_steps: Annotated[int, typer.Option(min=1, help="The critic's batches for one of the generator.")] = 5,
) -> None:
    """Train StarGAN: one generator for all labels, of one data set or, with a mask, of two. Edits are by the first's.

    Writes the generator and, beside it, card, losses, sheet and checkpoint; the same command goes on where it stopped.
    """
    settings = asked.settings("stargan", critic_steps=critic_steps)
    if also is None and also_labels != "data":
        raise UsageError("--also-labels are those of --also; name a second set of faces.")
    prepared, said = labelled(prepare(asked.faces, asked.output, asked.workers), labels, asked.faces)
    if also is not None:
        second = prepare(also, asked.output.with_stem(f"{asked.output.stem}.also"), asked.workers)
        second, more = labelled(second, also_labels, also)
        prepared, said = joined(prepared, second), f"{said}; of {Path(also).name}: {more}"
    asked.train(replace(settings, labels=said), prepared, also)


@with_training
def train_cyclegan(
    asked: Asked,
    labels: _LabelsOption = "data",
    pair: Annotated[str, typer.Option(help="The two emotions.")] = "neutral,happiness",
) -> None:
    """Train CycleGAN between two emotions: unconditional pairs. Edits towards either of them, by label.

    Writes the generator and, beside it, card, losses, sheet and checkpoint; the same command goes on where it stopped.
    """
    settings = asked.settings("cyclegan")
    words = [word.strip() for word in pair.split(",") if word.strip()]
    known = {canonical_emotion(word) for word in words}
    names = [name for name in EMOTIONS if name in known]
    if len(words) != 2 or len(names) != 2:
        raise UsageError(f"--pair {pair!r}: name two of {', '.join(EMOTIONS)}.")
    prepared, said = labelled(prepare(asked.faces, asked.output, asked.workers), labels, asked.faces, names)
    asked.train(replace(settings, labels=said), prepared)


@with_training
def train_landmarks(asked: Asked) -> None:
    """Train G2-GAN: heat maps of landmarks say the expression, put on and taken off. Edits by action units.

    Writes the generator and, beside it, card, losses, sheet and checkpoint; the same command goes on where it stopped.
    """
    settings = asked.settings("landmarks")
    asked.train(settings, prepare(asked.faces, asked.output, asked.workers))
