"""What carrying and taking off leave of a face: expression, person, and every pixel outside the mask, with controls.

    python benchmarks/attributes.py attributes.safetensors --faces faces.parquet [--judge JUDGE.safetensors]
        [--identity SFACE.onnx] [--pictures FOLDER]

Held-out faces (the Parquet's validation split) that wear nothing are given what others wear, and wearers have it taken
off. Controls: the donor's pixels pasted by one affine map of the landmarks, networks that were never trained, the
donor's layer laid on by its landmarks alone (no network puts it on), and the face's own picture as a JPEG.
``--pictures`` writes a sheet of 24 people for each attribute, and every picture, for other judges.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from PIL import Image

from singanimation.flows.evaluation.identity import Network, load_identity
from singanimation.flows.models import load_judge
from singanimation.flows.sheets.model_sheets import write_rows
from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.action_units.training.faces import load_faces
from singanimation.stages.expansion.attributes.checkpoints import load_attributes
from singanimation.stages.expansion.attributes.editor import AttributeEdit, AttributeEditor, Face
from singanimation.stages.expansion.attributes.networks import AttributeNetwork
from singanimation.stages.expansion.attributes.registration import Registration
from singanimation.stages.expansion.geometry.movement.flow import warp
from singanimation.stages.expression import ExpressionJudge

PEOPLE = 24

Ways = Mapping[str, Callable[[Face, Face, str], AttributeEdit]]
"""How -> (face, donor, attribute) -> its edit."""


def main(
    weights: Annotated[Path, typer.Argument(help="A file of augment train attributes.")],
    faces: Annotated[Path, typer.Option(help="A Parquet of aligned faces with a validation split.")],
    judge: Annotated[Path | None, typer.Option(help="An expression judge.")] = None,
    identity: Annotated[Path | None, typer.Option(help="An ONNX network of SFace's form.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for sheets and pictures.")] = None,
) -> None:
    """Print one table for each attribute."""
    torch.set_num_threads(1)
    crops = load_faces(faces, "validation").crops()
    estimator = EmbeddedEstimator.load()
    landmarks = estimator(crops).landmarks
    assert landmarks is not None
    people = [Face(*each) for each in zip(crops, landmarks, strict=True)]
    editor, ways = _ways(weights)
    readings = _Readings(
        estimator,
        load_judge(judge) if judge else None,
        load_identity(identity) if identity else None,
    )
    for attribute in editor.attributes:
        wears = [editor.wears(face, attribute) for face in people]
        lends = [face for face in people if editor.lends(face, attribute)]
        bare = [face for face, worn in zip(people, wears, strict=True) if not worn][:PEOPLE]
        worn = [face for face, worn in zip(people, wears, strict=True) if worn][:PEOPLE]
        print(f"\n{attribute}: worn by {sum(wears)} of {len(people)}, lent by {len(lends)}")
        if not lends:
            continue
        pairs = [(face, lends[place % len(lends)]) for place, face in enumerate(bare)]
        put_on = {how: [make(*pair, attribute) for pair in pairs] for how, make in ways.items()}
        _table("put on", readings, bare, put_on)
        taken = {"ours": [editor.remove(face, attribute) for face in worn]}
        untrained = AttributeEditor(_untrained(editor), "untrained")
        taken["untrained networks"] = [untrained.remove(face, attribute) for face in worn]
        _table("taken off", readings, worn, taken)
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            _sheets(pictures, attribute, pairs, put_on, worn, taken)


def _ways(weights: Path) -> tuple[AttributeEditor, Ways]:
    loaded = load_attributes(weights)
    editor = AttributeEditor(loaded.network, loaded.digest)
    alone = AttributeNetwork(**_options(loaded.network)).eval()
    alone.load_state_dict(loaded.network.state_dict())
    alone.carry.load_state_dict(_untrained(editor).carry.state_dict())
    untrained = AttributeEditor(_untrained(editor), "untrained")
    registration = Registration()
    return editor, {
        "ours": editor.carry,
        "landmarks alone": AttributeEditor(alone, "alone").carry,
        "untrained networks": untrained.carry,
        "affine paste": lambda face, donor, attribute: _pasted(registration, face, donor, attribute),
        "the picture as a JPEG": lambda face, donor, attribute: _reencoded(face),
    }


def _options(network: AttributeNetwork) -> dict:
    unet = network.remove
    widths = [unet.stem.out_channels, unet.down1.out_channels, unet.down2.out_channels]
    last = unet.finish[0]
    assert isinstance(last, torch.nn.Conv2d)
    return {
        "attributes": network.attributes,
        "widths": widths,
        "blocks": len(unet.residuals),
        "fine_blocks": len(unet.film2),
        "finish": last.out_channels,
    }


def _untrained(editor: AttributeEditor) -> AttributeNetwork:
    torch.manual_seed(0)
    return AttributeNetwork(**_options(editor.network)).eval()


def _pasted(registration: Registration, face: Face, donor: Face, attribute: str) -> AttributeEdit:
    """The donor's pixels in the attribute's whole place, laid there by one affine map of the landmarks."""
    points, theirs = (torch.from_numpy(each.landmarks)[None].float() for each in (face, donor))
    pixels = torch.from_numpy(donor.pixels.copy()).permute(2, 0, 1)[None].float()
    moved = warp(pixels, registration.rigid(theirs, points))[0].permute(1, 2, 0).numpy()
    mask = registration.places(torch.tensor([ATTRIBUTES.index(attribute)]), points).allowed[0, 0].numpy()
    made = np.rint(face.pixels * (1 - mask[..., None]) + moved * mask[..., None]).astype(np.uint8)
    return AttributeEdit(made, mask, np.rint(moved).astype(np.uint8))


def _reencoded(face: Face) -> AttributeEdit:
    out = io.BytesIO()
    Image.fromarray(face.pixels).save(out, "JPEG", quality=75)
    made = np.asarray(Image.open(out).convert("RGB"))
    return AttributeEdit(made, np.ones(made.shape[:2], np.float32), made)


class _Readings:
    """The judges that are at hand: action units always, expressions and identity where files are given."""

    def __init__(self, estimator: EmbeddedEstimator, judge: ExpressionJudge | None, identity: Network | None) -> None:
        self._estimator, self._judge, self._identity = estimator, judge, identity

    def between(self, before: np.ndarray, after: np.ndarray) -> Iterator[tuple[str, float]]:
        """Yield what the judges say of pictures uint8 (N, 128, 128, 3) before and after, by name."""
        change = np.abs(self._estimator(after).action_units - self._estimator(before).action_units)
        yield "AU change", float(change.mean())
        yield "largest AU change", float(change.max(1).mean())
        if self._judge is not None:
            one, other = self._judge(before), self._judge(after)
            yield "same expression", float((one.argmax(1) == other.argmax(1)).mean())
            yield "shares moved", float(np.abs(one - other).sum(1).mean() / 2)
        if self._identity is not None:
            network = self._identity
            distances = [1 - network(a) @ network(b) for a, b in zip(before, after, strict=True)]
            yield "identity distance", float(np.mean(distances))


def _table(name: str, readings: _Readings, faces: list[Face], made: Mapping[str, list[AttributeEdit]]) -> None:
    before = np.stack([face.pixels for face in faces])
    for how, edits in made.items():
        after = np.stack([edit.picture for edit in edits])
        changed = (after != before).any(3)
        outside = int(sum((moved & (edit.mask == 0)).sum() for moved, edit in zip(changed, edits, strict=True)))
        figures = {"pixels changed": float(changed.mean()), **dict(readings.between(before, after))}
        text = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
        print(f"{name}, {how} ({len(edits)}): {text}, changed outside the mask {outside}")


def _sheets(
    folder: Path,
    attribute: str,
    pairs: list[tuple[Face, Face]],
    put_on: Mapping[str, list[AttributeEdit]],
    worn: list[Face],
    taken: Mapping[str, list[AttributeEdit]],
) -> None:
    rows = [
        [face.pixels, donor.pixels, *(put_on[how][place].picture for how in put_on)]
        for place, (face, donor) in enumerate(pairs)
    ]
    write_rows(folder / f"{attribute}-put-on.png", ["face", "donor", *put_on], rows)
    rows = [[face.pixels, *(taken[how][place].picture for how in taken)] for place, face in enumerate(worn)]
    write_rows(folder / f"{attribute}-taken-off.png", ["face", *taken], rows)
    for name, faces, made in (("on", [face for face, _ in pairs], put_on), ("off", worn, taken)):
        for place, face in enumerate(faces):
            _write(folder / f"{attribute}-{name}-{place:02d}-before.png", face.pixels)
            for how, edits in made.items():
                _write(folder / f"{attribute}-{name}-{place:02d}-{how.split()[0]}.png", edits[place].picture)


def _write(path: Path, pixels: np.ndarray) -> None:
    cv2.imwrite(str(path), pixels[..., ::-1])


if __name__ == "__main__":
    typer.run(main)
