"""`augment train attributes`: networks that carry spectacles, beards and hair between pictures."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from singanimation.flows.commands.train_options import (
    DeviceOption,
    MinutesOption,
    OutputOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    WorkersOption,
    check_output,
    use_threads,
)
from singanimation.flows.training.checkpoint import hold_training
from singanimation.pipeline.datasets.attributes import AttributeList, read_attributes
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.pipeline.system import usable_cores
from singanimation.stages.expansion.attributes.settings import AttributeSettings

if TYPE_CHECKING:
    import numpy as np

    from singanimation.flows.training.faces import PreparedFaces

_Settings = AttributeSettings()


def train_attributes(
    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")],
    attributes: Annotated[
        Path | None,
        typer.Option(help="Who wears what, as CelebA's list_attr_celeba says it; default: judged by looks."),
    ] = None,
    output: OutputOption = Path("attributes.safetensors"),
    only: Annotated[str, typer.Option(help=f"What to learn to carry, of {','.join(ATTRIBUTES)}.")] = ",".join(
        _Settings.attributes
    ),
    steps: Annotated[
        int, typer.Option(min=10, help="Nine tenths teach to take off, the rest to put on.")
    ] = _Settings.steps,
    batch_size: Annotated[int, typer.Option(min=1)] = _Settings.batch_size,
    learning_rate: Annotated[float, typer.Option(min=1e-8)] = _Settings.learning_rate,
    width: Annotated[float, typer.Option(min=0.125, max=8, help="Share of the networks' width.")] = _Settings.width,
    seed: SeedOption = _Settings.seed,
    device: DeviceOption = "auto",
    mixed_precision: Annotated[bool, typer.Option("--mixed-precision", help="Compute in bfloat16.")] = False,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    minutes: MinutesOption = 5.0,
    resume: ResumeOption = True,
) -> None:
    """Train GeoGAN's modules: one takes an attribute off a face, one puts another picture's on, landmarks guiding it.

    Learns from made pairs: spectacles and hairs drawn on faces without. Writes the networks and, beside them, card,
    losses, sheet and checkpoint; the same command goes on where it stopped.
    """
    from singanimation.flows.models import choose_device
    from singanimation.flows.training.attributes import run_attributes
    from singanimation.flows.training.faces import prepare_faces
    from singanimation.flows.training.steps import LOG_EVERY

    check_output(output)
    chosen = _chosen(only)
    listed = None if attributes is None else read_attributes(attributes)
    use_threads(threads)
    settings = AttributeSettings(chosen, steps, batch_size, learning_rate, width, seed=seed)
    settings = replace(settings, device=choose_device(device), mixed_precision=mixed_precision)
    prepared = prepare_faces(faces, output.with_name(output.stem + ".faces"), workers or usable_cores(), typer.echo)
    wearing = None if listed is None else _wearing(listed, prepared, chosen, faces)
    typer.echo(f"Training on {len(prepared.train.pictures):,} faces, {settings.device}: {', '.join(chosen)}.")
    with hold_training(output):
        for progress in run_attributes(settings, prepared, wearing, output, minutes=minutes, resume=resume, name=faces):
            if progress.step % LOG_EVERY == 0 or progress.step == progress.steps:
                losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
                typer.echo(f"{progress.step}/{progress.steps} {progress.seconds:.0f} s {losses}")


def _wearing(listed: AttributeList, prepared: "PreparedFaces", chosen: tuple[str, ...], faces: str) -> "np.ndarray":
    from singanimation.flows.training.attributes import who_wears

    if prepared.names is None:
        raise UsageError(
            f"The faces of --input {faces} were kept without their names: delete them, or do without list."
        )
    return who_wears(listed, prepared.names, chosen, faces)


def _chosen(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    strange = [word for word in chosen if word not in ATTRIBUTES]
    if strange or not chosen:
        raise UsageError(f"--only {text}: {', '.join(strange) or 'nothing'} is none of {', '.join(ATTRIBUTES)}.")
    return chosen
