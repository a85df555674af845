"""One training of a generator: what is written as it goes, and when."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.flows.training.checkpoint import learning_rates, training_terms
from singanimation.flows.training.steps import KeptTraining
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.training.loop import Objective, Progress, TrainingFaces
    from singanimation.stages.expansion.training.settings import TrainSettings

_SHOWN = 8
_COMMANDS = {"geometry": "ganimation", "paper": "ganimation --recipe paper"}
"""What trains a recipe, where the command has another name."""


def run_training(
    settings: "TrainSettings",
    faces: "PreparedFaces",
    output: Path,
    *,
    minutes: float = 5.0,
    resume: bool = True,
    name: str = "",
) -> "Iterator[Progress]":
    """Train, yield after every step, and save every ``minutes``, at the end, and at Ctrl-C (the checkpoint alone).

    ``name`` is what the model card calls the data. Raises TrainingError, WeightsError, UsageError for a checkpoint of
    another training, MachineError for the disk, and KeyboardInterrupt when Ctrl-C came.
    """
    from singanimation.stages.expansion.training.loop import train

    kept = KeptTraining(output, training_terms(settings, faces, name), resume=resume, minutes=minutes)
    rates = learning_rates(kept.state, settings.learning_rate)
    steps = train(settings, _objective(settings, faces.train), kept.state)

    def write(progress: "Progress") -> None:
        _write_outputs(settings, faces, output, name, rates, progress)

    yield from kept.steps(steps, write, {"rates": rates})


def _write_outputs(
    settings: "TrainSettings",
    faces: "PreparedFaces",
    output: Path,
    name: str,
    rates: list[list[float]],
    progress: "Progress",
) -> None:
    """Write the generator, its card and its contact sheet."""
    from singanimation.flows.training.sheet import write_sheet
    from singanimation.stages.expansion.checkpoints import save_generator

    card = settings.card() | {
        "trained_steps": str(progress.step),
        "faces": Path(name).name,
        "au_estimator": faces.au_estimator,
    }
    if len(rates) > 1 or rates[0][0]:
        card["train_learning_rate"] = ", ".join(f"{rate:g} from step {begun:g} on" for begun, rate in rates)
    save_generator(output, progress.generator, progress.options, card)
    _write_card(output, card, faces, progress)
    write_sheet(output, faces.shown[:_SHOWN], output.with_suffix(".png"))


def _write_card(output: Path, card: dict[str, str], faces: "PreparedFaces", progress: "Progress") -> None:
    lines = [
        f"# {output.name}",
        "",
        f"An expander, trained by `augment train {_COMMANDS.get(card['train_recipe'], card['train_recipe'])}`.",
        f"Use: `augment --expander {output.name}`.",
        "",
        "## Data",
        "",
        f"- {card['faces']}: {len(faces.train.pictures):,} faces",
        f"- licence: {faces.licence or 'not stated by the data set; the weights may only be passed on as it allows'}",
        f"- action units: {card['au_estimator']}",
        *([f"- labels: {card['train_labels']}"] if card["train_labels"] else []),
        "",
        "## Recipe",
        "",
        f"    augment {shlex.join(sys.argv[1:])}",
        "",
        *(f"- {name.removeprefix('train_')}: {value}" for name, value in card.items() if _of_recipe(name)),
        f"- step {progress.step} of {progress.steps}, {progress.seconds / 60:.0f} minutes in this session",
        "",
        "## Losses (running means)",
        "",
        *(f"- {name}: {value:.5g}" for name, value in progress.losses.items()),
        "",
        f"Not evaluated: `augment evaluate edits --expander {output.name}` judges its edits of your faces.",
        "",
    ]
    with atomic_file(output.with_suffix(".md")) as file:
        file.write("\n".join(lines).encode())


def _of_recipe(name: str) -> bool:
    return name.startswith("train_") and name != "train_labels"  # those stand with the data


def _objective(settings: "TrainSettings", faces: "TrainingFaces") -> "Objective":
    if settings.recipe != "geometry":
        from singanimation.stages.expansion.training.recipes import RECIPES

        return RECIPES[settings.recipe]()(settings, faces)
    from singanimation.stages.action_units.weights import load_network
    from singanimation.stages.expansion.geometry.training.recipe import GeometryObjective

    network = load_network(settings.device)

    def describe(pictures: Any) -> tuple[Any, list[Any]]:
        units, _, maps = network(pictures, features=True)
        return units, maps

    return GeometryObjective(settings, faces, describe)
