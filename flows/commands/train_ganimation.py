"""`augment train ganimation`: a generator, by the recipe that ships or by the paper's."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singanimation.flows.commands.train_options import (
    PAPER_OPTIONS,
    SETTINGS_OPTIONS,
    DeviceOption,
    MinutesOption,
    MixedOption,
    OutputOption,
    ResumeOption,
    ThreadsOption,
    WorkersOption,
    check_output,
    check_size,
    paper_terms,
    use_threads,
)
from singanimation.flows.figures.page import NEEDED, can_draw
from singanimation.flows.options import gathered
from singanimation.flows.training.checkpoint import hold_training
from singanimation.flows.training.run import run_training
from singanimation.flows.training.steps import LOG_EVERY
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.system import usable_cores
from singanimation.stages.expansion.training.settings import (
    PaperTerms,
    TrainSettings,
    paper_steps,
    small_batch_sentence,
)

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.training.loop import Progress


@gathered("terms", paper_terms, PAPER_OPTIONS)
@gathered("chosen", dict, SETTINGS_OPTIONS)
def train_ganimation(
    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")],
    chosen: dict[str, Any],
    terms: PaperTerms,
    output: OutputOption = Path("ganimation.safetensors"),
    device: DeviceOption = "auto",
    mixed_precision: MixedOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    minutes: MinutesOption = 5.0,
    resume: ResumeOption = True,
) -> None:
    """Train a generator; writes it and, beside it, its model card, losses (CSV, PNG), contact sheet and checkpoint.

    Where the input has no AUs they are estimated, faces are found and cut once, and kept in OUTPUT.faces. The same
    command goes on where it stopped; Ctrl-C ends it after the step at hand.
    """
    from singanimation.flows.models import choose_device

    recipe = chosen["recipe"]
    _check_recipe(recipe, chosen["adversarial"], chosen["regression"], chosen["size"])
    check_output(output)
    check_init(chosen["init"])
    use_threads(threads)
    device = choose_device(device)
    _check_terms(recipe, terms)
    mixed = _gains_from_bfloat16(device) and recipe != "paper" if mixed_precision is None else mixed_precision
    settings = TrainSettings.for_recipe(**chosen, device=device, mixed_precision=mixed, paper=terms)
    sentence = small_batch_sentence(terms, settings.batch_size) if recipe == "paper" else None
    if sentence is not None:
        typer.echo(sentence)
    prepared = prepare(faces, output, workers)
    if chosen["steps"] is None and recipe == "paper":
        settings = replace(settings, steps=paper_steps(len(prepared.train.pictures), settings.batch_size, terms))
    train_and_say(settings, prepared, output, minutes, resume, faces)


def _check_recipe(recipe: str, adversarial: float, regression: float | None, size: int) -> None:
    check_size(size)
    if recipe != "paper" and size != TrainSettings.size:
        raise UsageError(f"--size {size} goes with --recipe paper; geometry draws crops as they are.")
    if recipe == "paper" and (adversarial or regression):
        raise UsageError("--adversarial and --regression are geometry's; the paper's recipe has both terms already.")


def _check_terms(recipe: str, terms: PaperTerms) -> None:
    if recipe != "paper" and terms != PaperTerms():
        changed = [name for name, value in asdict(terms).items() if value != getattr(PaperTerms(), name)]
        raise UsageError(f"Weights and habits of the paper's terms ({', '.join(changed)}) go with --recipe paper.")


def check_init(init: Path | None) -> None:
    """Raise WeightsError where what a training is to start from is no file of weights, before faces are sought."""
    if init is not None:
        from singanimation.stages.expansion.ganimation.published.reading import check_kind

        check_kind(init)


def prepare(faces: str, output: Path, workers: int | None) -> "PreparedFaces":
    """Return the faces of ``--input``; what has to be found is kept in OUTPUT.faces. Raises DatasetError."""
    from singanimation.flows.training.faces import prepare_faces

    return prepare_faces(faces, output.with_name(output.stem + ".faces"), workers or usable_cores(), typer.echo)


def train_and_say(
    settings: TrainSettings, prepared: "PreparedFaces", output: Path, minutes: float, resume: bool, name: str
) -> None:
    """Train, hold ``output`` meanwhile, and print a line every so many steps."""
    number = "bfloat16" if settings.mixed_precision else "float32"
    typer.echo(f"Training on {len(prepared.train.pictures):,} faces, {settings.device}, {number}.")
    if not can_draw():
        typer.echo(f"No chart of the losses will be drawn: that needs matplotlib ({NEEDED}).")
    with hold_training(output):
        for progress in run_training(settings, prepared, output, minutes=minutes, resume=resume, name=name):
            if progress.step % LOG_EVERY == 0 or progress.step == progress.steps:
                typer.echo(_line(progress))


def _gains_from_bfloat16(device: str) -> bool:
    """Whether the device computes faster in bfloat16: recent GPUs and CPUs with AMX do, others are far slower."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch do not tell
    return bool(capabilities().get("amx_bf16"))


def _line(progress: "Progress") -> str:
    losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    speed = f"{progress.seconds:.0f} s {progress.pictures_per_second:.1f} pictures/s"
    return f"{progress.step}/{progress.steps} {speed} {losses}"
