"""One training of the attribute networks: its faces, who wears what, and what is written as it goes."""

import hashlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.training.steps import KeptTraining
from singanimation.pipeline.datasets.attributes import UNKNOWN, AttributeList
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.attributes.settings import AttributeSettings
    from singanimation.stages.expansion.training.loop import Progress


def who_wears(listed: AttributeList, names: Sequence[str], attributes: Sequence[str], text: str) -> np.ndarray:
    """Return 1, 0 or -1 (not known) for each face and attribute: int8 (N, A). Raises DatasetError for another's list.

    ``names`` are the faces' source ids, ``text`` what ``--input`` was given.
    """
    lacking = [name for name in attributes if name not in listed.attributes]
    if lacking:
        raise DatasetError(f"{listed.path} does not tell of {', '.join(lacking)}; leave it out of --only.")
    found = np.stack([listed.wearing(names, name) for name in attributes], 1)
    if (found == UNKNOWN).all():
        raise DatasetError(f"{listed.path} names none of the pictures of --input {text}; is it of another data set?")
    return found


def run_attributes(
    settings: "AttributeSettings",
    faces: "PreparedFaces",
    wearing: np.ndarray | None,
    output: Path,
    *,
    minutes: float = 5.0,
    resume: bool = True,
    name: str = "",
) -> "Iterator[Progress]":
    """Train, yield after every step, and save every ``minutes``, at the end, and at Ctrl-C (the checkpoint alone).

    ``wearing`` is what ``who_wears`` returns; None: the faces that look barest count as bare. Raises TrainingError,
    WeightsError, UsageError for a checkpoint of another training, MachineError, KeyboardInterrupt at Ctrl-C.
    """
    from singanimation.stages.expansion.attributes.objective import AttributeObjective
    from singanimation.stages.expansion.training.loop import train

    same = {key.removeprefix("train_"): value for key, value in settings.card().items() if key != "train_learning_rate"}
    same |= {"faces": f"{len(faces.train.pictures)} of {Path(name).name}", "listed": _digest(wearing)}
    kept = KeptTraining(output, same, resume=resume, minutes=minutes)
    steps = train(settings, AttributeObjective(settings, faces.train, wearing), kept.state)

    def write(progress: "Progress") -> None:
        _write_outputs(settings, faces, wearing is not None, output, name, progress)

    yield from kept.steps(steps, write)


def _digest(wearing: np.ndarray | None) -> str:
    """Tell apart lists by what they say of the faces; empty without one."""
    return "" if wearing is None else hashlib.sha256(wearing.tobytes()).hexdigest()[:16]


def _write_outputs(
    settings: "AttributeSettings",
    faces: "PreparedFaces",
    listed: bool,
    output: Path,
    name: str,
    progress: "Progress",
) -> None:
    """Write the networks, their card and their contact sheet."""
    from singanimation.flows.sheets.attributes import write_attributes
    from singanimation.stages.expansion.attributes.checkpoints import save_attributes
    from singanimation.stages.expansion.attributes.editor import AttributeEditor

    who = "a list of attributes" if listed else "the half of the faces that looks barest"
    card = settings.card() | {"trained_steps": str(progress.step), "faces": Path(name).name, "bare_faces": who}
    save_attributes(output, progress.generator, progress.options, card)
    _write_card(output, card, faces, progress)
    write_attributes(output.with_suffix(".png"), AttributeEditor.load(output), faces.shown)


def _write_card(output: Path, card: dict[str, str], faces: "PreparedFaces", progress: "Progress") -> None:
    lines = [
        f"# {output.name}",
        "",
        "Networks that carry spectacles and beards from picture to picture, and take them off; trained by "
        "`augment train attributes`.",
        f"Use: `augment edit FACE --attributes {output.name} --attributes-from OTHER --attribute spectacles`.",
        "",
        "## Data",
        "",
        f"- {card['faces']}: {len(faces.train.pictures):,} faces; bare ones by {card['bare_faces']}",
        f"- licence: {faces.licence or 'not stated by the data set; the weights may only be passed on as it allows'}",
        "",
        "## Recipe",
        "",
        f"    augment {shlex.join(sys.argv[1:])}",
        "",
        *(f"- {key.removeprefix('train_')}: {value}" for key, value in card.items() if key.startswith("train_")),
        f"- step {progress.step} of {progress.steps}",
        "",
        "## Losses (running means)",
        "",
        *(f"- {key}: {value:.5g}" for key, value in progress.losses.items()),
        "",
    ]
    with atomic_file(output.with_suffix(".md")) as file:
        file.write("\n".join(lines).encode())
