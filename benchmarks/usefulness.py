"""Does a classifier get better with synthetic faces, by how much, and with what recipe?

    OMP_NUM_THREADS=1 python benchmarks/usefulness.py run --input ../shared/wild-mini --test ../shared/raf-mini \
        --output usefulness --settings 20 --arms "real + classic;forms .5" --seeds 8
    python benchmarks/usefulness.py report --output usefulness

Any labelled data set that ``augment`` reads, its people split (by its own splits, else 30% of the people are tested).
For each seed some of the training people's pictures are drawn (``--settings``: so many a class, ``rare``, ``all``), and
each arm trains the same small network on them for equally many steps; edits are made of the drawn pictures alone. All
are tested on real pictures of other people, and on the labelled pictures of every ``--test`` set. Each training is
a line of ``runs.jsonl``; what is there is not run again. ``report`` writes Markdown, JSON and a plot: means, and paired
differences to ``real + classic`` with bootstrap intervals over the seeds, and over seeds and tested people.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn
from useful.arms import ARMS, Arm, arms_named, chosen_pictures
from useful.network import probabilities, trained
from useful.pictures import Faces, load_faces, small_grey
from useful.report import write_report
from useful.synthetic import Maker, Pool, judged

from singanimation.flows.models import load_face_models
from singanimation.manifests.torch_mixing import MixedBatches, Share
from singanimation.pipeline.expressions import EMOTIONS

STEPS = {"10": 400, "20": 500, "50": 600, "rare": 600, "all": 800}
"""Batches a training."""

BATCH = 48
app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """Two commands: run, then report."""


@app.command()
def run(
    input: Annotated[Path, typer.Option(help="the labelled data set")],
    output: Annotated[Path, typer.Option(help="folder for crops, edits and runs.jsonl")],
    test: Annotated[list[Path] | None, typer.Option(help="another set to test on; may be repeated")] = None,
    settings: Annotated[str, typer.Option(help="real pictures a class, with commas; rare; all")] = "10,20,50,rare,all",
    arms: Annotated[str, typer.Option(help="names, with semicolons")] = ";".join(ARMS),
    seeds: Annotated[str, typer.Option(help="how many, or first-last")] = "8",
    steps: Annotated[int | None, typer.Option(help="batches a training; default by setting")] = None,
    batch: Annotated[int, typer.Option(help="pictures a step")] = BATCH,
    edits: Annotated[int, typer.Option(help="edits of each kind a face, at most")] = 6,
    device: Annotated[str, typer.Option()] = "cpu",
) -> None:
    """Train every arm in every setting that is not yet in the runs, seed by seed."""
    models = load_face_models("embedded", device=device)
    faces = load_faces(input, output, models)
    tests = [faces, *(load_faces(path, output, models) for path in test or [])]
    _write_tests(output / "tests.json", tests)
    maker, runs = Maker(faces, models.expander, output, edits), output / "runs.jsonl"
    for seed in _range(seeds):
        for setting in settings.split(","):
            for arm in arms_named(arms.split(";")):
                wanted = steps or STEPS.get(setting, 400)
                key = (faces.name, setting, arm.name, seed)
                if key not in {_key(line) for line in read_runs(runs)}:  # another process may have written it
                    line = one_run(arm, (setting, seed, wanted, batch), maker, tests, device)
                    with runs.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(line) + "\n")
                    print(setting, arm.name, seed, line["cpu_s"], flush=True)


@app.command()
def report(output: Annotated[Path, typer.Option(help="the folder of `run`")]) -> None:
    """Write report.md, report.json and report.png beside the runs, and print the tables."""
    tests = json.loads((output / "tests.json").read_text(encoding="utf-8"))
    print(write_report(output, read_runs(output / "runs.jsonl"), tests))


def one_run(arm: Arm, plan: tuple[str, int, int, int], maker: Maker, tests: list[Faces], device: str) -> dict[str, Any]:
    """Train one arm and return its line: who was tested, and a digit of the class seen for each tested picture."""
    faces, (setting, seed, steps, batch) = maker.faces, plan
    chosen = chosen_pictures(faces.labels, ~faces.tested, setting, seed)
    pools = [maker.pool(kind, chosen.tolist(), seed) for kind in arm.kinds]
    began = time.process_time()
    real = len(chosen)

    def fitted(pools: list[Pool], share: Share) -> nn.Module:
        pictures, weights, classes = _together(faces, chosen, pools)
        batches = MixedBatches(classes[:real].tolist(), classes[real:].tolist(), batch, steps, share, seed)
        return trained(pictures, weights, batches, steps, seed, arm.augmentation, device)

    if arm.judged:
        judge = fitted([], 0.0)
        pools = [judged(pool, probabilities(judge, torch.from_numpy(pool.pictures), device).numpy()) for pool in pools]
    model = fitted(pools, arm.share)
    answers = {}
    for place, other in enumerate(tests):
        tested = other.tested if place == 0 else np.ones(len(other.labels), bool)
        answer = probabilities(model, torch.from_numpy(small_grey(other.crops[tested])), device).argmax(1)
        answers[other.name] = "".join(map(str, answer.tolist()))
    spent = time.process_time() - began
    return {
        "set": faces.name,
        "setting": setting,
        "arm": arm.name,
        "seed": seed,
        "steps": steps,
        "real": real,
        "synthetic": sum(len(pool.classes) for pool in pools),
        "cpu_s": round(spent, 1),
        "answers": answers,
    }


def _write_tests(path: Path, tests: list[Faces]) -> None:
    """Keep who is tested, so that a report needs no pictures: the first set's tested people, all of the others."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for place, faces in enumerate(tests):
        tested = faces.tested if place == 0 else np.ones(len(faces.labels), bool)
        truth = "".join(map(str, faces.labels[tested].tolist()))
        known[faces.name] = {"truth": truth, "people": faces.people[tested].tolist()}
    path.write_text(json.dumps(known), encoding="utf-8")


def _together(faces: Faces, chosen: np.ndarray, pools: list[Pool]) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Put the chosen real pictures and the pools behind one another."""
    hot = np.eye(len(EMOTIONS), dtype=np.float32)[faces.labels[chosen]]
    pictures = np.concatenate([small_grey(faces.crops[chosen]), *(pool.pictures for pool in pools)])
    weights = np.concatenate([hot, *(pool.weights for pool in pools)])
    classes = np.concatenate([faces.labels[chosen], *(pool.classes for pool in pools)])
    return torch.from_numpy(pictures), torch.from_numpy(weights), classes


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return the lines of ``runs.jsonl``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return line["set"], line["setting"], line["arm"], line["seed"]


def _range(text: str) -> range:
    first, _, last = text.rpartition("-")
    return range(int(first), int(last) + 1) if first else range(int(last))


if __name__ == "__main__":
    app()
