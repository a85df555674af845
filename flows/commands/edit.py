"""`augment edit`: edits of pictures, of the expression and of what is worn; one PNG each, and a sheet of all."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from PIL import Image

from singanimation.flows.commands.edit_attributes import AttributeEdits, AttributeRequest, Changed, in_picture
from singanimation.flows.commands.edit_request import Aim, Request
from singanimation.flows.commands.edit_words import (
    read_emotion,
    read_emotions,
    read_numbers,
    read_settings,
    read_units,
    split_words,
)
from singanimation.flows.faces import Face, file_name, find_faces, picture_paths, warn, without_own
from singanimation.flows.models import FaceModels, choose_device, load_face_models
from singanimation.flows.options import ExpanderOption, QuietOption
from singanimation.flows.sheets.animation import write_gif, write_mp4
from singanimation.flows.sheets.contact_sheet import Block, Tile, write_sheet
from singanimation.pipeline.errors import ExitCode, PictureError, UsageError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.signed import encode_signed
from singanimation.pipeline.files.untrusted import readable
from singanimation.pipeline.runs import make_folder

if TYPE_CHECKING:
    from singanimation.stages.expansion.expander import Edits

app = typer.Typer(add_completion=False)

_MOST_STEPS = 101


@app.command()
def edit(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the edits.")] = Path("edits"),
    aus: Annotated[str | None, typer.Option(help="Action units, such as AU12,AU4, or all.")] = None,
    strengths: Annotated[str | None, typer.Option(help="0..1; default 0,0.33,0.66,1 for AUs, 1 for emotions.")] = None,
    fixed: Annotated[str | None, typer.Option("--set", help="Action units to set, such as AU12=0,AU25=0.5.")] = None,
    emotions: Annotated[
        str | None, typer.Option(help="Emotions, such as fear,happiness, compounds such as sadly-angry, or all.")
    ] = None,
    forms: Annotated[
        str, typer.Option(help="Forms of the emotions: first, all, or names such as open,teeth.")
    ] = "first",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Vary the forms' amounts and sides as a run does; default: as they are.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="An emotion to go to step by step.")] = None,
    origin: Annotated[str | None, typer.Option("--from", help="Where --to begins; default: the source.")] = None,
    steps: Annotated[int, typer.Option(min=2, max=_MOST_STEPS, help="Steps of --to, the first being the source.")] = 7,
    crop: Annotated[bool, typer.Option("--crop", help="Write the 128 px crops alone.")] = False,
    masks: Annotated[bool, typer.Option("--masks", help="Write the attention and colour masks too.")] = False,
    gif: Annotated[bool, typer.Option("--gif", help="Write the path of --to as a GIF too.")] = False,
    mp4: Annotated[bool, typer.Option("--mp4", help="Write the path of --to as an MP4 too.")] = False,
    attribute: Annotated[
        str | None, typer.Option(help="What to carry from --attributes-from: spectacles, beard.", show_default=False)
    ] = None,
    attributes_from: Annotated[Path | None, typer.Option(help="The picture it is carried from.")] = None,
    without: Annotated[str | None, typer.Option(help="What to take off: spectacles, beard.")] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="Networks of augment train attributes; default: those that ship.")
    ] = None,
    ganimation: ExpanderOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quiet: QuietOption = False,
) -> None:
    """Edit the expression of faces, or what they wear: one PNG per edit, and a sheet of all of a face.

    Named `<stem>__<edit>@<strength>.png`, `<stem>__<attribute>-from-<stem>.png`, `<stem>__sheet.png`.
    """
    worn = AttributeRequest.of(attribute, attributes_from, without)
    expressive = worn is None or any((aus, fixed, emotions, to, strengths, origin))
    request = Request(
        read_units(aus),
        read_settings(fixed),
        read_emotions(emotions),
        read_emotion("--to", to) if to else None,
        steps,
        read_numbers(strengths),
        split_words(forms),
        seed,
        read_emotion("--from", origin) if origin else None,
        nothing=not expressive,
    )
    if (gif or mp4) and not to:
        raise UsageError("--gif and --mp4 show the path of --to; name its emotion.")
    paths, left_out = without_own(picture_paths(pictures, output), pictures)
    if left_out:
        warn(f"{left_out:,} pictures of earlier edits are left out.", quiet)
    make_folder(output)

    models = load_face_models("auto", ganimation, choose_device(device))
    request.check(models.expander.labels)
    dressing = None if worn is None else AttributeEdits(worn, models, attributes, choose_device(device))
    said = request.said()
    for text in models.warnings + ((said,) if said else ()):
        warn(text, quiet)
    made = 0
    for face in find_faces(paths, models):
        if isinstance(face, PictureError):
            warn(str(face), quiet=False)
            continue
        if expressive:
            targets = request.targets(face.action_units)
            frames = _write_edits(face, targets, models, output, crop, masks, kept=steps if gif or mp4 else 0)
            made += len(targets)
            _write_path(output, face, frames, gif, mp4)
        if dressing is not None:
            made += _write_attributes(face, list(dressing.of(face, quiet)), models, output, crop, masks)
        for note in face.crop.notes:
            warn(f"{face.path}: {note}", quiet)
    if not made:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))
    if not quiet:
        print(f"{made} edits in {output}")


def _write_path(output: Path, face: Face, frames: Sequence[np.ndarray], gif: bool, mp4: bool) -> None:
    """Write the frames of --to's path, which are an edit request's last, as moving pictures."""
    if gif:
        write_gif(output / f"{face.name}__path.gif", frames)
    if mp4:
        write_mp4(output / f"{face.name}__path.mp4", frames)


def _write_edits(
    face: Face, targets: Sequence[Aim], models: FaceModels, output: Path, crop: bool, masks: bool, kept: int
) -> list[np.ndarray]:
    """Write a face's edits, and return the last ``kept`` of them as they were written."""
    sides = np.stack([np.zeros_like(t.action_units) if t.sides is None else t.sides for t in targets])
    units = np.stack([target.action_units for target in targets])
    edits = models.expander.edit(face.crop.pixels, face.action_units, units, sides, face.crop.seen)
    if crop:
        _write(output / f"{face.name}__crop.png", face.crop.pixels, face.picture.mode)
    frames = []
    for index, (name, strength, *_) in enumerate(targets):
        pixels = edits.pictures[index]
        shown = pixels if crop else _in_picture(face, edits, index, models)
        if index >= len(targets) - kept:
            frames.append(shown)
        stem = f"{face.name}__{file_name(name)}@{strength:g}"
        _write(output / f"{stem}.png", shown, face.picture.mode)
        if masks:
            _write(output / f"{stem}__attention.png", np.rint(edits.attention[index] * 255).astype(np.uint8), "L")
            _write(output / f"{stem}__colour.png", edits.colour[index], "RGB")
    columns = _columns(face, targets, edits.pictures)
    write_sheet(
        output / f"{face.name}__sheet.png", [Block(f"{readable(face.path.name)}: the face, and its edits", columns)]
    )
    return frames


def _write_attributes(
    face: Face, changed: Sequence[Changed], models: FaceModels, output: Path, crop: bool, masks: bool
) -> int:
    """Write what became of a face's spectacles or beard; return how many pictures those are."""
    for name, pixels, layers in changed:
        shown = pixels if crop else in_picture(face, layers, models)
        _write(output / f"{face.name}__{name}.png", shown, face.picture.mode)
        if masks:
            mask = np.max([layer.mask for layer in layers], axis=0)
            _write(output / f"{face.name}__{name}__mask.png", np.rint(mask * 255).astype(np.uint8), "L")
    if changed:
        tiles = [(Tile(Image.fromarray(pixels), (name, "")),) for name, pixels, _ in changed]
        first = (Tile(Image.fromarray(face.crop.pixels), ("source", "")),)
        title = f"{readable(face.path.name)}: the face, and what it wears"
        write_sheet(output / f"{face.name}__attributes.png", [Block(title, (first, *tiles))])
    return len(changed)


def _in_picture(face: Face, edits: "Edits", index: int, models: FaceModels) -> np.ndarray:
    """Compose an edit at the picture's own resolution: its own pixels move, only what is painted is 128 px."""
    flow = None if edits.flow is None else edits.flow[index]
    return models.paste_edit(face.picture.pixels, face.crop, edits.attention[index], edits.colour[index], flow)


def _columns(face: Face, targets: Sequence[Aim], pictures: np.ndarray) -> tuple[tuple[Tile, ...], ...]:
    """One column per strength when each name has several, else one column per edit."""
    pairs = zip(targets, pictures, strict=True)
    tiles = [Tile(Image.fromarray(pixels), (name, f"strength {s:g}")) for (name, s, *_), pixels in pairs]
    first = (Tile(Image.fromarray(face.crop.pixels), ("source", "")),)
    names = list(dict.fromkeys(name for name, *_ in targets))
    by_name = [[tile for tile, t in zip(tiles, targets, strict=True) if t.name == name] for name in names]
    if len(names) > 1 and len({len(row) for row in by_name}) == 1 and len(by_name[0]) > 1:
        return (first, *(tuple(column) for column in zip(*by_name, strict=True)))
    return (first, *((tile,) for tile in tiles))


def _write(path: Path, pixels: np.ndarray, mode: str) -> None:
    with atomic_file(path) as file:
        file.write(encode_signed(pixels, mode))
