"""Does a classifier get better with synthetic faces, by how much, and with what recipe?

    OMP_NUM_THREADS=1 python benchmarks/usefulness.py run --input ../shared/wild-mini --test ../shared/raf-mini \
        --output usefulness --settings 20 --arms "real + classic;forms .5" --seeds 8
    python benchmarks/usefulness.py report --output usefulness

Any labelled data set that ``augment`` reads, its people split (by its own splits, else 30% of the people are tested).
For each seed some of the training people's pictures are drawn (``--settings``: so many a class, ``rare``, ``all``), and
each arm trains the same small network on them for equally many steps; edits are made of the drawn pictures alone. All
are tested on real pictures of other people, and on the labelled pictures of every ``--test`` set. ``--validate`` tests
on a third of the training people instead, another third by each seed, and trains on the others: recipes are chosen so,
and reported without it. Each training is a line of ``runs.jsonl``; what is there is not run again. ``report`` writes
Markdown, JSON and a plot: means, and paired differences to ``real + classic`` with bootstrap intervals over the seeds,
and over seeds and tested people.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn
from useful.arms import ARMS, Arm, arms_named, chosen_pictures
from useful.network import Rows, Way, probabilities, trained
from useful.pictures import Faces, load_faces, small_grey
from useful.report import write_report
from useful.synthetic import Maker, Pool, better_half

from singanimation.flows.models import load_face_models, load_judge
from singanimation.manifests.torch_mixing import MixedBatches
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
    judge: Annotated[Path | None, typer.Option(help="a file of `augment train expression`, for judged arms")] = None,
    validate: Annotated[bool, typer.Option(help="test on training people that are held out")] = False,
    half: Annotated[bool, typer.Option(help="convolutions in bfloat16, for processors that have it")] = False,
    device: Annotated[str, typer.Option()] = "cpu",
) -> None:
    """Train every arm in every setting that is not yet in the runs, seed by seed."""
    models = load_face_models("embedded", device=device)
    faces = load_faces(input, output, models)
    others = [load_faces(path, output, models) for path in test or []]
    maker = Maker(faces, models.expander, output, edits, load_judge(judge, device) if judge else None)
    runs = output / "runs.jsonl"
    for seed in _range(seeds):
        tests = [faces.validation(seed) if validate else faces, *others]
        _write_tests(output / "tests.json", tests)
        for setting in settings.split(","):
            for arm in arms_named(arms.split(";")):
                plan = Plan(setting, seed, steps or STEPS.get(setting, 400), batch, half, device)
                if (tests[0].name, setting, arm.name, seed) not in {_key(line) for line in read_runs(runs)}:
                    line = one_run(arm, plan, maker, tests)
                    with runs.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(line) + "\n")
                    print(setting, arm.name, seed, line["cpu_s"], flush=True)


@app.command()
def report(output: Annotated[Path, typer.Option(help="the folder of `run`")]) -> None:
    """Write report.md, report.json and report.png beside the runs, and print the tables."""
    tests = json.loads((output / "tests.json").read_text(encoding="utf-8"))
    print(write_report(output, read_runs(output / "runs.jsonl"), tests))


@dataclass(frozen=True)
class Plan:
    """One training: the setting, the seed, how many batches of how many pictures, and where."""

    setting: str
    seed: int
    steps: int
    batch: int
    half: bool = False
    device: str = "cpu"


def one_run(arm: Arm, plan: Plan, maker: Maker, tests: list[Faces]) -> dict[str, Any]:
    """Train one arm and return its line: who was tested, and a digit of the class seen for each tested picture.

    The first of ``tests`` are the faces themselves: those of its pictures that are not tested are trained on.
    """
    faces = tests[0]
    chosen = chosen_pictures(faces.labels, faces.trained, plan.setting, plan.seed)
    maker = maker if arm.edits is None else replace(maker, edits=arm.edits)
    pools = [maker.pool(kind, chosen.tolist(), plan.seed, arm.classes()) for kind in arm.kinds]
    began = time.process_time()
    if arm.better_half:
        judge = _fitted(replace(arm, share=0.0), plan, faces, chosen, [])
        seen = [probabilities(judge, torch.from_numpy(pool.pictures), plan.device).numpy() for pool in pools]
        pools = [better_half(*each) for each in zip(pools, seen, strict=True)]
    model = _fitted(arm, plan, faces, chosen, pools)
    answers = {}
    for place, other in enumerate(tests):
        tested = other.tested if place == 0 else np.ones(len(other.labels), bool)
        answer = probabilities(model, torch.from_numpy(small_grey(other.crops[tested])), plan.device).argmax(1)
        answers[other.name] = "".join(map(str, answer.tolist()))
    return {
        "set": faces.name,
        "setting": plan.setting,
        "arm": arm.name,
        "seed": plan.seed,
        "steps": plan.steps,
        "real": len(chosen),
        "synthetic": sum(len(pool.classes) for pool in pools),
        "cpu_s": round(time.process_time() - began, 1),
        "answers": answers,
    }


def _fitted(arm: Arm, plan: Plan, faces: Faces, chosen: np.ndarray, pools: list[Pool]) -> nn.Module:
    """Train a network as the arm does on the chosen real pictures and the pools."""
    rows, classes = _together(faces, chosen, pools)
    real = len(chosen)
    sources = (chosen.tolist(), [int(index) for pool in pools for index in pool.sources]) if arm.together else None
    labels = classes.tolist()
    batches = MixedBatches(labels[:real], labels[real:], plan.batch, plan.steps, arm.share, plan.seed, sources)
    return trained(rows, batches, Way(plan.steps, plan.seed, arm.augmentation, arm.units, plan.device, plan.half))


def _write_tests(path: Path, tests: list[Faces]) -> None:
    """Keep who is tested, so that a report needs no pictures: the first set's tested people, all of the others."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for place, faces in enumerate(tests):
        tested = faces.tested if place == 0 else np.ones(len(faces.labels), bool)
        truth = "".join(map(str, faces.labels[tested].tolist()))
        known[faces.name] = {"truth": truth, "people": faces.people[tested].tolist()}
    path.write_text(json.dumps(known), encoding="utf-8")


def _together(faces: Faces, chosen: np.ndarray, pools: list[Pool]) -> tuple[Rows, np.ndarray]:
    """Put the chosen real pictures and the pools behind one another; return them and their classes."""
    hot = np.eye(len(EMOTIONS), dtype=np.float32)[faces.labels[chosen]]
    real = Pool(small_grey(faces.crops[chosen]), hot, faces.labels[chosen], faces.units[chosen], chosen)
    pictures, weights, classes, units, _ = (np.concatenate(parts) for parts in zip(real, *pools, strict=True))
    return Rows(*(torch.from_numpy(part) for part in (pictures, weights, units))), classes


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
