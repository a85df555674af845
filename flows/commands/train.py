"""`augment train au|ganimation|transfer|...`: train the models that ship, or your own."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from singanimation.flows.commands.train_attributes import train_attributes
from singanimation.flows.commands.train_ganimation import train_ganimation
from singanimation.flows.commands.train_options import (
    FacesOption,
    OutputOption,
    SeedOption,
    ThreadsOption,
    WorkersOption,
    check_output,
    use_threads,
)
from singanimation.flows.commands.train_siblings import train_cyclegan, train_landmarks, train_stargan, train_transfer
from singanimation.flows.interrupts import hold_interrupt
from singanimation.flows.training.checkpoint import hold_training
from singanimation.flows.training.expression import STEPS
from singanimation.pipeline.system import usable_cores

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train the models that ship, or your own.")
app.command("ganimation")(train_ganimation)
app.command("transfer")(train_transfer)
app.command("stargan")(train_stargan)
app.command("cyclegan")(train_cyclegan)
app.command("landmarks")(train_landmarks)
app.command("attributes")(train_attributes)


@app.command("au")
def train_au(
    faces: FacesOption,
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, used besides.")] = None,
    output: OutputOption = Path("embedded.safetensors"),
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the shipped recipe's.")] = None,
) -> None:
    """Train the AU estimator, the landmarks and the aligner; writes one safetensors file.

    The same command goes on where it stopped, from the checkpoint beside --output; Ctrl-C ends it after the step at
    hand.
    """
    from singanimation.stages.action_units.training.loop import TrainSettings, train_action_units
    from singanimation.stages.action_units.weights import save_weights

    check_output(output)
    use_threads(threads)
    settings = TrainSettings(faces=faces, warped=warped, seed=seed)
    if steps is not None:
        settings = replace(settings, steps=steps, aligner_steps=steps)
    checkpoint = output.with_suffix(".checkpoint.pt")
    if checkpoint.is_file():
        settings = replace(settings, resume=checkpoint)
    with hold_training(output), hold_interrupt() as interrupted:
        for progress in train_action_units(settings, interrupted=interrupted):
            if math.isnan(progress.loss):
                typer.echo(f"{progress.phase}: all {progress.steps} steps were done before.")
            else:
                typer.echo(f"{progress.phase} {progress.step}/{progress.steps} loss {progress.loss:.4f}")
                progress.session.save(checkpoint)
            if interrupted():
                raise KeyboardInterrupt
        save_weights(progress.session, output)
    typer.echo(f"{output} written.")


@app.command("mean-face")
def train_mean_face(
    faces: FacesOption,
    output: Annotated[Path, typer.Option("--output", help="The .safetensors file to write.")],
) -> None:
    """Learn the mean face that the geometry's tables lie on: landmarks at rest, a row of teeth, closed lids.

    Takes the training split of a Parquet like that of `augment train au`, with landmarks and the column yaw (degrees).
    """
    import numpy as np
    import torch

    from singanimation.stages.action_units.training.faces import load_faces, load_yaw
    from singanimation.stages.expansion.geometry.mean_face import save_mean_face

    check_output(output)
    found, yaw = load_faces(faces, "train"), load_yaw(faces, "train")
    known = np.isfinite(found.landmarks).all((1, 2))
    pictures = torch.from_numpy(found.pictures[known]).permute(0, 3, 1, 2).float() / 255
    landmarks, units = torch.from_numpy(found.landmarks[known]), torch.from_numpy(found.action_units[known])
    save_mean_face(output, pictures, landmarks, units, torch.from_numpy(yaw[known]))
    typer.echo(f"{output} written: the mean of {int(known.sum()):,} faces with landmarks.")


@app.command("singan-start")
def train_singan_start(
    faces: FacesOption,
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, used besides.")] = None,
    output: OutputOption = Path("start.safetensors"),
    init: Annotated[Path | None, typer.Option(help="Go on from these weights.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the shipped recipe's.")] = None,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
) -> None:
    """Learn the weights from which every edit's SinGAN begins (`--engine fast`); writes one safetensors file.

    Minutes; Ctrl-C leaves the file of the last hundred steps.
    """
    from singanimation.stages.action_units.training.faces import load_training_faces
    from singanimation.stages.singan.fast.start import load_start, save_start
    from singanimation.stages.singan.fast.start_training import StartSettings, learn_start

    check_output(output)
    use_threads(threads)
    begun = None if init is None else load_start("cpu", init)
    settings = StartSettings(steps=StartSettings.steps if steps is None else steps, seed=seed, init=begun)
    pictures = load_training_faces(faces, warped, "train").crops()
    typer.echo(f"Training on {len(pictures):,} faces.")
    with hold_training(output), hold_interrupt() as interrupted:
        for progress in learn_start(pictures, settings):
            if progress.step % 100 == 0 or progress.step == settings.steps:
                save_start(progress.start, output)
                typer.echo(f"{progress.step}/{settings.steps} error {progress.error:.5f}")
            if interrupted():
                raise KeyboardInterrupt
    typer.echo(f"{output} written.")


@app.command("expression")
def train_expression_judge(
    pictures: Annotated[str, typer.Option("--input", help="Labelled faces: anything that `augment --input` takes.")],
    output: OutputOption = Path("expression.safetensors"),
    steps: Annotated[int, typer.Option(min=1)] = STEPS,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train a small classifier of expressions on labelled pictures: `augment --expression-judge FILE` takes it.

    Writes the file and, beside it, its card with the recall on held-out people.
    """
    from singanimation.flows.training.expression import train_judge

    check_output(output)
    use_threads(threads)
    with hold_training(output):
        trained = train_judge(pictures, output, steps, seed, workers or usable_cores(), typer.echo)
    for name, (recall, count) in trained.recalls.items():
        typer.echo(f"{name}: recall {recall:.2f} on {count:,} held-out pictures")
    typer.echo(f"{output} written; its card is {output.with_suffix('.md')}.")
