"""`augment train expression`: a data set's own labelled pictures become a judge of expressions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from singanimation.flows.models import expression_trunk
from singanimation.flows.training.face_search import find_all
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.face.framing import MARGIN
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from singanimation.stages.expression import ExpressionPictures

STEPS, BATCH = 450, 32
HELD_OUT = 0.2
"""Share of the people that are tested on where the data set has no test or validation split of its own."""

_CHUNK, _SAID_EVERY = 64, 50

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What a training came to: the file's digest, and recall and number of held-out pictures by class."""

    digest: str
    recalls: dict[str, tuple[float, int]]


def train_judge(text: str, output: Path, steps: int, seed: int, workers: int, say: Say) -> Trained:
    """Train on what ``--input text`` names, write ``output`` and its card beside it, and say how well it does.

    People are never on both sides. Raises DatasetError, TrainingError, MachineError.
    """
    from singanimation.stages.expression import ExpressionJudge, train_expression
    from singanimation.stages.expression.judge import recalls
    from singanimation.stages.expression.network import ExpressionNetwork
    from singanimation.stages.expression.training import learnt_classes

    train, held_out = labelled_pictures(text, seed, workers, say)
    classes = tuple(EMOTIONS[index] for index in learnt_classes(train.labels))
    network = ExpressionNetwork(*expression_trunk())
    say(f"Training on {len(train.labels):,} faces of {len(np.unique(train.people)):,} people: {', '.join(classes)}.")
    for progress in train_expression(network, train, steps, BATCH, seed):
        if progress.step % _SAID_EVERY == 0 or progress.step == progress.steps:
            say(f"{progress.step}/{progress.steps} loss {progress.loss:.3f}")
    judge = ExpressionJudge(network, classes, {}, "", "cpu")
    known = held_out.chosen(np.flatnonzero(np.isin(held_out.labels, [EMOTION_INDEX[name] for name in classes])))
    found = recalls(judge(known.crops), known.labels) if len(known.labels) else {}
    judge.card.update(
        {
            "input": text,
            "pictures": {EMOTIONS[i]: int((train.labels == i).sum()) for i in np.unique(train.labels)},
            "people": len(np.unique(train.people)),
            "held_out_people": len(np.unique(known.people)),
            "held_out_recall": {name: {"recall": round(r, 3), "pictures": n} for name, (r, n) in found.items()},
            "steps": steps,
            "seed": seed,
        }
    )
    digest = judge.save(output)
    with atomic_file(output.with_suffix(".md")) as file:
        file.write(card_text(judge.card, output.name, digest).encode())
    return Trained(digest, found)


def labelled_pictures(text: str, seed: int, workers: int, say: Say) -> "tuple[ExpressionPictures, ExpressionPictures]":
    """Return the faces of the pictures with one of the seven labels: those to train on, and those held out.

    The data set's own test and validation splits are held out; where it has none, a share of its people.
    """
    from singanimation.pipeline.datasets import open_input
    from singanimation.stages.expression import ExpressionPictures
    from singanimation.stages.expression.training import hold_out

    dataset = open_input(text)
    for warning in dataset.warnings:
        say(f"warning: {warning}")
    sources = [source for source in dataset.sources if source.label in EMOTION_INDEX]
    if not sources:
        raise DatasetError(f"--input {text} has no picture with one of the labels {', '.join(EMOTIONS)}.")
    chunks = [sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)]
    crops, kept, lost = [], [], 0
    for chunk, found in zip(chunks, find_all(chunks, workers), strict=True):
        crops.append(found["pictures"][:, MARGIN:-MARGIN, MARGIN:-MARGIN])
        kept += [chunk[place] for place in found["places"]]
        lost += len(found["reasons"])
    if lost:
        say(f"{lost:,} of {len(sources):,} pictures have no usable face and are left out.")
    if not kept:
        raise DatasetError(f"--input {text} has no picture with a usable face.")
    people = np.array([source.group_id or source.source_id for source in kept])
    labels = np.array([EMOTION_INDEX[source.label or ""] for source in kept])
    held = np.array([source.split != "train" for source in kept])
    if not held.any():
        held = hold_out(people, HELD_OUT, seed)
        say(f"{text} has no test split: {HELD_OUT:.0%} of its people are held out.")
    elif shared := len(set(people[held]) & set(people[~held])):
        held |= np.isin(people, people[held])
        say(f"warning: {shared:,} people are in several splits; all their pictures are held out.")
    whole = ExpressionPictures(np.concatenate(crops), labels, people)
    return whole.chosen(np.flatnonzero(~held)), whole.chosen(np.flatnonzero(held))


def card_text(card: dict[str, Any], name: str, digest: str) -> str:
    """Return the card as Markdown: what it was trained on, and its recall on people it has not seen."""
    pictures, held = card["pictures"], card["held_out_recall"]
    rows = [
        f"| {emotion} | {count} | {held[emotion]['recall']:.2f} ({held[emotion]['pictures']}) |"
        if emotion in held
        else f"| {emotion} | {count} | not judged |"
        for emotion, count in pictures.items()
    ]
    command = f"augment train expression --input {card['input']} --steps {card['steps']} --seed {card['seed']}"
    lines = [
        f"# Expression judge {name} ({digest})",
        "",
        f"Trained by `{command}`",
        f"on {card['people']} people, tested on {card['held_out_people']} others. It knows expressions as",
        "this data set's labels do; its licence and terms are the data set's.",
        "",
        "| expression | pictures trained on | recall on held-out people (pictures) |",
        "|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)
