"""`augment singan ...`: what a SinGAN of one picture does besides: the uses of the paper's section 4."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from singanimation.flows.commands.train_options import DeviceOption, SeedOption
from singanimation.flows.options import QuietOption
from singanimation.flows.singan.files import named, read_mask, read_pixels, size_of, starts_of, write_picture
from singanimation.pipeline.runs import make_folder

if TYPE_CHECKING:
    from singanimation.stages.singan.uses import PictureModel

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A SinGAN of one picture, of anything: train it, then sample, enlarge, paint, harmonise, edit, animate.",
)

ModelArgument = Annotated[Path, typer.Argument(help="A model of `augment singan train`.", show_default=False)]
OutputOption = Annotated[Path, typer.Option("--output", help="Folder for what is made.")]
StartsOption = Annotated[
    str | None, typer.Option("--start-scale", help="Where it is fed in, such as N-1,N-2 (N: coarsest).")
]
NoiseOption = Annotated[float, typer.Option(min=0, max=10, help="Noise, as a multiple of training's; 0 for none.")]
MaskOption = Annotated[Path, typer.Option(help="A picture, white where something was pasted or changed.")]

_OUTPUT = Path("singan")
_FED_IN = {"paint": ("N-1", "N-2"), "harmonise": ("N-2", "N-3"), "edit": ("N-2", "N-3")}
"""Where each use feeds its picture in unless told, as far as the model's scales go."""


@app.command("train")
def train_picture(
    picture: Annotated[Path, typer.Argument(help="A picture, of anything.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", help="The model's file; default: <picture>.singan.safetensors.")
    ] = None,
    max_size: Annotated[int, typer.Option(min=26, max=1024, help="Pixels of the longer side that are learnt.")] = 250,
    iterations: Annotated[int, typer.Option(min=1, max=100_000, help="Iterations a scale.")] = 2000,
    kernels: Annotated[int, typer.Option(min=1, max=512, help="Kernels at the coarsest scale.")] = 32,
    enlarge: Annotated[int, typer.Option(min=1, max=8, help="Train for `superresolve`, so many times.")] = 1,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; the bytes are those of their number.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Train the SinGAN of one picture as published; the same command goes on where it stopped.

    On a CPU take --max-size 64 to 100 and some hundreds of --iterations: minutes to half an hour.
    """
    from singanimation.flows.commands.train_options import check_output, use_threads
    from singanimation.flows.models import choose_device
    from singanimation.flows.singan.training import train_model
    from singanimation.stages.singan.uses import ModelSettings

    path = output or Path(f"{picture.stem}.singan.safetensors")
    check_output(path)
    use_threads(threads)
    settings = ModelSettings(iterations, kernels, enlarge, seed)
    say = (lambda text: None) if quiet else (lambda text: print(text, flush=True))
    train_model(read_pixels(picture), settings, max_size, path, choose_device(device), say)


@app.command("sample")
def sample_pictures(
    model: ModelArgument,
    output: OutputOption = _OUTPUT,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 6,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, such as 400x120; default: the picture's.")] = None,
    start_scale: Annotated[str, typer.Option(help="Where randomness begins: N, N-1, ... (N: coarsest).")] = "N",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Draw random pictures, of any size."""
    from singanimation.stages.singan.uses import sample

    loaded, shape = _ready(model, output, device), size_of(size)
    for start in starts_of(start_scale, loaded):
        for index in range(count):
            drawn = sample(loaded, [seed + index], start=start, shape=shape)[0]
            _say(write_picture(named(output, model, f"sample@{start}_{seed + index}"), drawn), quiet)


@app.command("superresolve")
def superresolve(
    model: ModelArgument,
    output: OutputOption = _OUTPUT,
    truth: Annotated[
        Path | None, typer.Option(help="The large picture, where there is one: the result is measured against it.")
    ] = None,
    noise: NoiseOption = 1.0,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Enlarge the picture that a model of `train --enlarge TIMES` has learnt; a table compares it to bicubic."""
    from singanimation.flows.singan.enlarged import table_of
    from singanimation.stages.singan.uses import bicubic, enlarge

    original = None if truth is None else read_pixels(truth)
    loaded = _ready(model, output, device)
    made = enlarge(loaded, seed, noise)
    plain = bicubic(loaded.picture, made.shape[:2])
    table = table_of({"bicubic": plain, "singan": made}, original)
    times = loaded.settings.enlarge
    _say(write_picture(named(output, model, f"bicubic@{times}x"), plain), quiet)
    _say(write_picture(named(output, model, f"superresolve@{times}x"), made), quiet)
    if not quiet:
        print(table)


@app.command("paint")
def paint(
    model: ModelArgument,
    painting: Annotated[Path, typer.Argument(help="A painting of the same aspect.", show_default=False)],
    output: OutputOption = _OUTPUT,
    start_scale: StartsOption = None,
    noise: NoiseOption = 1.0,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Turn a painting, such as clip-art, into a picture with the model's textures, from N-1 and N-2 unless told."""
    _inject(model, painting, None, "paint", output, start_scale, (seed, noise), device, quiet)


@app.command("harmonise")
def harmonise(
    model: ModelArgument,
    composite: Annotated[Path, typer.Argument(help="The model's picture, with something pasted in.")],
    mask: MaskOption,
    output: OutputOption = _OUTPUT,
    start_scale: StartsOption = None,
    noise: NoiseOption = 1.0,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Give a pasted object the textures of the picture around it: redrawn under the mask, the model's own elsewhere."""
    _inject(model, composite, mask, "harmonise", output, start_scale, (seed, noise), device, quiet)


@app.command("edit")
def edit(
    model: ModelArgument,
    composite: Annotated[Path, typer.Argument(help="The model's picture, with parts copied or moved.")],
    mask: MaskOption,
    output: OutputOption = _OUTPUT,
    start_scale: StartsOption = None,
    noise: NoiseOption = 1.0,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Make copied and moved parts fit: redrawn under the (wider) mask, the model's own picture elsewhere."""
    _inject(model, composite, mask, "edit", output, start_scale, (seed, noise), device, quiet)


@app.command("animate")
def animate_picture(
    model: ModelArgument,
    output: OutputOption = _OUTPUT,
    frames: Annotated[int, typer.Option(min=2, max=500)] = 24,
    start_scale: Annotated[str, typer.Option(help="Coarser scales stand still: N, N-1, ... (N: coarsest).")] = "N-2",
    alpha: Annotated[float, typer.Option(min=0, max=1, help="How near it stays to the picture.")] = 0.1,
    beta: Annotated[float, typer.Option(min=0, max=1, help="How smoothly it moves.")] = 0.9,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Make the picture move, as a GIF: a random walk of its noise, there and back."""
    from singanimation.flows.sheets.animation import write_gif
    from singanimation.stages.singan.uses import animate

    loaded = _ready(model, output, device)
    for start in starts_of(start_scale, loaded):
        made = animate(loaded, frames, start=start, alpha=alpha, beta=beta, seed=seed)
        _say(write_gif(named(output, model, f"animate@{start}", ".gif"), list(made), seconds=frames / 10), quiet)


def _inject(
    model: Path,
    picture: Path,
    mask: Path | None,
    what: str,
    output: Path,
    starts: str | None,
    random: tuple[int, float],
    device: str,
    quiet: bool,
) -> None:
    """Feed a picture in at each start, and where there is a mask keep the model's own picture around it."""
    from singanimation.stages.singan.uses import blend, inject, soften_mask

    pixels, (seed, noise) = read_pixels(picture), random
    loaded = _ready(model, output, device)
    own, chosen = loaded.picture, starts_of(starts, loaded, _FED_IN[what])
    weights = None
    if mask is not None:
        weights = soften_mask(read_mask(mask, loaded))
    for start in chosen:
        made = inject(loaded, pixels, start, seed, noise)
        shown = made if weights is None else blend(own, made, weights)
        _say(write_picture(named(output, picture, f"{what}@{start}"), shown), quiet)


def _ready(path: Path, output: Path, device: str) -> "PictureModel":
    """Make the folder and load the model. Raises WeightsError, UsageError, OutputError."""
    from singanimation.flows.models import choose_device
    from singanimation.stages.singan.uses import load_model

    model = load_model(path, choose_device(device))
    make_folder(output)
    return model


def _say(path: Path, quiet: bool) -> None:
    if not quiet:
        print(path)
