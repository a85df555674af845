"""`augment train au|ganimation`: train the models that ship, or your own."""

import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.runs import usable_cores

if TYPE_CHECKING:
    from singanimation.flows.training_faces import PreparedFaces
    from singanimation.stages.ganimation.training import Objective, Progress, TrainingFaces, TrainSettings

app = typer.Typer(no_args_is_help=True, help="Train the models that ship, or your own.")

FacesOption = Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")]
OutputOption = Annotated[Path, typer.Option("--output", help="The .safetensors file to write; logs go beside it.")]

_LOG_EVERY = 100
_SHOWN = 8


@app.command("ganimation")
def train_ganimation(
    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")],
    output: OutputOption = Path("ganimation.safetensors"),
    recipe: Annotated[str, typer.Option(help="geometry (what ships) or paper.")] = "geometry",
    steps: Annotated[int, typer.Option(min=1, help="Generator steps.")] = 6000,
    batch_size: Annotated[int, typer.Option(min=1)] = 12,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-8, help="Default: 1e-3 (geometry), 1e-4 (paper).")
    ] = None,
    adversarial: Annotated[float, typer.Option(min=0, help="Weight of geometry's adversarial term.")] = 0.0,
    regression: Annotated[float, typer.Option(min=0, help="Weight of geometry's AU regression.")] = 0.0,
    width: Annotated[float, typer.Option(min=0.125, help="Share of the networks' width.")] = 1.0,
    init: Annotated[Path | None, typer.Option(help="Start from this generator's weights.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    mixed_precision: Annotated[
        bool | None, typer.Option(help="bfloat16. Default: where the device gains from it (not on CPUs).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that find faces; default: all cores.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    minutes: Annotated[float, typer.Option(help="Minutes between checkpoints and contact sheets.")] = 5.0,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint beside --output.")] = True,
) -> None:
    """Train a generator; writes it and, beside it, its model card, losses (CSV, PNG), contact sheet and checkpoint.

    Where the input has no AUs they are estimated, faces are found and cut once, and kept in OUTPUT.faces.
    """
    import torch

    from singanimation.flows.models import choose_device
    from singanimation.stages.ganimation.training import TrainSettings

    _check_names(recipe, output)
    if threads:
        torch.set_num_threads(threads)
    device = choose_device(device)
    rate = learning_rate if learning_rate is not None else 1e-3 if recipe == "geometry" else 1e-4
    mixed = _gains_from_bfloat16(device) if mixed_precision is None else mixed_precision
    settings = TrainSettings(
        recipe=recipe, steps=steps, batch_size=batch_size, learning_rate=rate, width=width, adversarial=adversarial,
        regression=regression, seed=seed, device=device, mixed_precision=mixed, init=init,
    )  # fmt: skip
    prepared = _prepare(faces, output, workers)
    typer.echo(f"Training on {len(prepared.train.pictures):,} faces, {device}, {'bfloat16' if mixed else 'float32'}.")
    for progress in run_training(settings, prepared, output, minutes=minutes, resume=resume, name=faces):
        if progress.step % _LOG_EVERY == 0 or progress.step == progress.steps:
            typer.echo(_line(progress))


def _check_names(recipe: str, output: Path) -> None:
    if recipe not in ("geometry", "paper"):
        raise UsageError(f"--recipe must be geometry or paper (got {recipe!r}).")
    if output.suffix != ".safetensors":
        raise UsageError(f"--output {output} has to end in .safetensors.")


def _prepare(faces: str, output: Path, workers: int | None) -> "PreparedFaces":
    from singanimation.flows.training_faces import prepare_faces

    output.parent.mkdir(parents=True, exist_ok=True)
    return prepare_faces(faces, output.with_name(output.stem + ".faces"), workers or usable_cores(), typer.echo)


def run_training(
    settings: "TrainSettings",
    faces: "PreparedFaces",
    output: Path,
    *,
    minutes: float = 5.0,
    resume: bool = True,
    name: str = "",
) -> "Iterator[Progress]":
    """Train, yield after every step, and save every ``minutes`` and at the end. Raises TrainingError, WeightsError.

    ``name`` is what the model card calls the data.
    """  # fmt: skip
    from singanimation.flows.training_log import TrainingLog
    from singanimation.flows.training_sheet import write_sheet
    from singanimation.stages.ganimation.checkpoints import save_generator
    from singanimation.stages.ganimation.training import train

    checkpoint = output.with_suffix(".checkpoint.pt")
    state = _load_checkpoint(checkpoint, settings) if resume and checkpoint.is_file() else None
    log = TrainingLog(output, int(state["step"]) if state else 0)
    objective = _objective(settings, faces.train)
    saved = time.monotonic()
    for progress in train(settings, objective, state):
        yield progress
        last = progress.step == progress.steps
        if progress.step % _LOG_EVERY == 0 or last:
            log.add(progress)
        if time.monotonic() - saved > 60 * minutes or last:
            _save_checkpoint(checkpoint, progress.state | {"settings": _identity(settings)})
            card = settings.card() | {"trained_steps": str(progress.step), "faces": Path(name).name,
                                      "au_estimator": faces.au_estimator}  # fmt: skip
            save_generator(output, progress.generator, progress.options, card)
            _write_card(output, card, faces, progress)
            write_sheet(output, faces.shown[:_SHOWN], output.with_suffix(".png"))
            log.draw()
            saved = time.monotonic()


def _gains_from_bfloat16(device: str) -> bool:
    """Whether the device computes faster in bfloat16: recent GPUs do, most CPUs are many times slower."""
    import torch

    return device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)


def _identity(settings: "TrainSettings") -> dict[str, str]:
    """What a checkpoint and the training that resumes it must have in common."""
    return {name: str(getattr(settings, name)) for name in ("recipe", "width", "batch_size", "seed", "steps")}


def _write_card(output: Path, card: dict[str, str], faces: "PreparedFaces", progress: "Progress") -> None:
    lines = [
        f"# {output.name}", "",
        "A GANimation generator, trained by `augment train ganimation`.",
        f"Use: `augment --ganimation {output.name}`.", "",
        "## Data", "",
        f"- {card['faces']}: {len(faces.train.pictures):,} faces",
        f"- licence: {faces.licence or 'not stated by the data set; the weights may only be passed on as it allows'}",
        f"- action units: {card['au_estimator']}", "",
        "## Recipe", "",
        f"    augment {shlex.join(sys.argv[1:])}", "",
        *(f"- {name.removeprefix('train_')}: {value}" for name, value in card.items() if name.startswith("train_")),
        f"- step {progress.step} of {progress.steps}, {progress.seconds / 60:.0f} minutes in this session", "",
        "## Losses (running means)", "",
        *(f"- {name}: {value:.5g}" for name, value in progress.losses.items()), "",
        "Not evaluated: `augment evaluate models --ganimation` measures it on labelled faces.", "",
    ]  # fmt: skip
    output.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")


def _objective(settings: "TrainSettings", faces: "TrainingFaces") -> "Objective":
    if settings.recipe == "paper":
        from singanimation.stages.ganimation.paper_recipe import PaperObjective

        return PaperObjective(settings, faces)
    from singanimation.stages.action_units.weights import load_network
    from singanimation.stages.ganimation.geometry_recipe import GeometryObjective

    network = load_network(settings.device)

    def describe(pictures: Any) -> tuple[Any, list[Any]]:
        units, _, maps = network(pictures, features=True)
        return units, maps

    return GeometryObjective(settings, faces, describe)


def _line(progress: "Progress") -> str:
    losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    speed = f"{progress.seconds:.0f} s {progress.pictures_per_second:.1f} pictures/s"
    return f"{progress.step}/{progress.steps} {speed} {losses}"


def _save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    import torch

    temporary = path.with_name(path.name + ".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def _load_checkpoint(path: Path, settings: "TrainSettings") -> dict[str, Any]:
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} cannot be resumed from ({reason}); delete it or give --no-resume.") from None
    differing = [f"{name} {old} (now {new})" for name, new in _identity(settings).items()
                 if (old := state.get("settings", {}).get(name, new)) != new]  # fmt: skip
    if differing:
        raise UsageError(f"{path} is of a training with {', '.join(differing)}; give the same options, or --no-resume.")
    if int(state["step"]) >= settings.steps:
        raise UsageError(f"{path}: all {settings.steps} steps are done; give another --output, or --no-resume.")
    return state


@app.command("au")
def train_au(
    faces: FacesOption,
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, used besides.")] = None,
    output: OutputOption = Path("embedded.safetensors"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the shipped recipe's.")] = None,
) -> None:
    """Train the AU estimator, the landmarks and the aligner; writes one safetensors file."""
    import torch

    from singanimation.stages.action_units.training import TrainSettings, train_action_units
    from singanimation.stages.action_units.weights import save_weights

    if threads:
        torch.set_num_threads(threads)
    settings = TrainSettings(faces=faces, warped=warped, seed=seed)
    if steps is not None:
        settings = replace(settings, steps=steps, aligner_steps=steps)
    checkpoint = output.with_suffix(".checkpoint.pt")
    if checkpoint.is_file():
        settings = replace(settings, resume=checkpoint)
    progress = None
    for progress in train_action_units(settings):
        typer.echo(f"{progress.phase} {progress.step}/{progress.steps} loss {progress.loss:.4f}")
        progress.session.save(checkpoint)
    if progress is not None:
        save_weights(progress.session, output)
