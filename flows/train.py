"""`augment train au|ganimation`: train the models that ship, or your own."""

import csv
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singanimation.pipeline.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from singanimation.stages.ganimation.training import Objective, Progress, TrainingFaces, TrainSettings

app = typer.Typer(no_args_is_help=True, help="Train the models that ship, or your own.")

FacesOption = Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")]
OutputOption = Annotated[Path, typer.Option("--output", help="The .safetensors file to write; logs go beside it.")]


@app.command("ganimation")
def train_ganimation(
    faces: FacesOption,
    output: OutputOption = Path("ganimation.safetensors"),
    recipe: Annotated[str, typer.Option(help="geometry (what ships) or paper.")] = "geometry",
    steps: Annotated[int, typer.Option(min=1, help="Generator steps; default: 6000.")] = 6000,
    batch_size: Annotated[int, typer.Option(min=1)] = 12,
    learning_rate: Annotated[float | None, typer.Option(help="Default: 1e-3 (geometry), 1e-4 (paper).")] = None,
    adversarial: Annotated[float, typer.Option(min=0, help="Weight of geometry's adversarial term.")] = 0.0,
    width: Annotated[float, typer.Option(min=0.125, help="Share of the networks' width.")] = 1.0,
    init: Annotated[Path | None, typer.Option(help="Start from this generator's weights.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    mixed_precision: Annotated[bool, typer.Option("--mixed-precision", help="bfloat16 where it helps.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    minutes: Annotated[float, typer.Option(help="Minutes between checkpoints and contact sheets.")] = 5.0,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint beside --output.")] = True,
) -> None:
    """Train a generator; writes it, its log (CSV), its contact sheet (PNG) and a checkpoint to resume from."""
    import torch

    from singanimation.stages.ganimation.training import TrainSettings

    if recipe not in ("geometry", "paper"):
        raise UsageError(f"--recipe must be geometry or paper (got {recipe!r}).")
    if threads:
        torch.set_num_threads(threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    rate = learning_rate or (1e-3 if recipe == "geometry" else 1e-4)
    settings = TrainSettings(
        recipe=recipe, steps=steps, batch_size=batch_size, learning_rate=rate, width=width, adversarial=adversarial,
        seed=seed, device=device, mixed_precision=mixed_precision, init=init,
    )  # fmt: skip
    for progress in run_training(settings, faces, output, minutes=minutes, resume=resume):
        if progress.step % 100 == 0 or progress.step == progress.steps:
            typer.echo(_line(progress))


def run_training(
    settings: "TrainSettings", faces_path: Path, output: Path, *, minutes: float = 5.0, resume: bool = True
) -> "Iterator[Progress]":
    """Train, yield after every step, and save every ``minutes`` and at the end. Raises TrainingError."""
    from singanimation.flows.training_sheet import write_sheet
    from singanimation.stages.ganimation.checkpoints import save_generator
    from singanimation.stages.ganimation.training import train

    output.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = output.with_suffix(".checkpoint.pt")
    state = _load_checkpoint(checkpoint) if resume and checkpoint.is_file() else None
    log = output.with_suffix(".csv")
    objective = _objective(settings, _training_faces(faces_path, "train"))
    shown = _training_faces(faces_path, "validation")
    saved = time.monotonic()
    for progress in train(settings, objective, state):
        yield progress
        if progress.step % 100 == 0 or progress.step == progress.steps:
            _append_csv(log, progress)
        if time.monotonic() - saved > 60 * minutes or progress.step == progress.steps:
            _save_checkpoint(checkpoint, progress.state)
            card = settings.card() | {"trained_steps": str(progress.step), "faces": faces_path.name}
            save_generator(output, progress.generator, progress.options, card)
            write_sheet(output, shown.pictures[:, 16:144, 16:144][:8], output.with_suffix(".png"))
            saved = time.monotonic()


def _training_faces(path: Path, split: str) -> "TrainingFaces":
    from singanimation.stages.action_units.data import load_faces
    from singanimation.stages.ganimation.training import TrainingFaces

    faces = load_faces(path, split)
    return TrainingFaces(faces.pictures, faces.landmarks, faces.action_units)


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


def _append_csv(path: Path, progress: "Progress") -> None:
    row = {"step": progress.step, "seconds": round(progress.seconds, 1)} | progress.losses
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)


def _save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    import torch

    temporary = path.with_name(path.name + ".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def _load_checkpoint(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} cannot be resumed from ({reason}); delete it or give --no-resume.") from None


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
