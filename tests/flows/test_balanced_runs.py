"""`--balance`: the plan, its dry run, pictures and wishes that are added later, a damaged plan."""

import json
from collections import Counter
from pathlib import Path

import pytest
from command import times
from fake_models import add_picture

from singanimation.flows import augment as flow
from singanimation.flows.commands.augment import work_off
from singanimation.flows.job.job import Job, open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.preview import make_preview
from singanimation.flows.job.progress import Reporter
from singanimation.flows.job.summary import close_job, closing_words
from singanimation.manifests.care.verify import verify
from singanimation.pipeline.errors import OutputError
from singanimation.pipeline.settings import make_settings


class Told(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def run_here(job: Job) -> dict:
    for index in range(len(job.todo)):
        job.work(index)
    return close_job(job)


def test_balance_shows_its_plan_before_and_the_outcome_after_per_class_and_split(
    no_server, faces, tmp_path, rows_of, monkeypatch
):
    monkeypatch.setattr(flow, "run_job", run_here)
    settings = make_settings(
        input=str(faces), output=tmp_path / "out", per_image=5, workers=1, balance=True, splits="train,test"
    )
    told = Told()
    with open_job(plan_run(settings), told, "fake_models:load") as job:
        summary = work_off(job, told)
    start = next(place for place, line in enumerate(told.lines) if "Planned by --balance" in line)
    assert [line.split()[:2] for line in told.lines[start + 1 :]][0] == ["test", "surprise"]
    planned, outcome = summary["planned_classes"], summary["classes"]
    train = {name: counts["real"] + counts["variants"] for name, counts in planned["train"].items()}
    assert sum(train.values()) == 4 + 4 * 5 and max(train.values()) - min(train.values()) <= 1
    assert sum(counts["variants"] for counts in planned["test"].values()) == 5
    rows = [row for row in rows_of(tmp_path / "out") if row["kind"] == "variant" and row["status"] == "accepted"]
    assert Counter((row["split"], row["label_name"]) for row in rows) == {
        (split, name): counts["variants"]
        for split, labels in outcome.items()
        for name, counts in labels.items()
        if counts["variants"]
    }
    words = "\n".join(closing_words(summary))
    assert "In the manifest now" in words and "  test  " in words and "  train  " in words
    # any source may give any class but its own
    own = {row["source_id"]: row["label_name"] for row in rows_of(tmp_path / "out") if row["kind"] == "real"}
    assert all(row["label_name"] != own[row["source_id"]] for row in rows)
    assert len({own[row["source_id"]] for row in rows if row["label_name"] == "surprise"}) > 1
    assert verify(tmp_path / "out").clean


def test_a_balanced_dry_run_shows_the_plan_and_says_that_a_set_without_splits_is_all_train(tmp_path, augment):
    for label in ("fear", "happiness"):
        (tmp_path / "flat" / label).mkdir(parents=True)
        add_picture(tmp_path / "flat", f"{label}/a.png", 1)
    for arguments in (["--json"], []):
        command = ["--input", tmp_path / "flat", "--dry-run", "--balance", "--per-image", "6"]
        code, out, _ = augment(*command, *arguments)
        assert code == 0
        if arguments:
            plan = json.loads(out)
            assert plan["balance"]["train"]["surprise"] == {"real": 0, "variants": 2} and plan["variants"] == 12
            assert plan["balance"]["train"]["fear"] == {"real": 1, "variants": 1}
    assert "has no splits: all 2 pictures count as train" in " ".join(out.split())
    assert "Planned by --balance" in out


def balanced(faces: Path, output: Path, **options: object) -> tuple[dict, Told]:
    settings = make_settings(
        **({"input": str(faces), "output": output, "per_image": 5, "workers": 1, "balance": True} | options)
    )
    told = Told()
    with open_job(plan_run(settings), told, "fake_models:load") as job:
        return work_off(job, told), told


def test_balance_leaves_old_sources_alone_when_pictures_are_added(no_server, faces, tmp_path, rows_of, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out)
    before, rows = times(out), rows_of(out)
    again, told = balanced(faces, out)
    assert again["sources"]["worked_on"] == 0 and times(out) == before
    for name in ("fear/00-new.png", "happiness/00-new.png"):
        add_picture(faces, f"train/{name}", len(name))
    summary, told = balanced(faces, out)
    assert any("4 sources keep what was planned" in line and "2 new ones" in line for line in told.lines)
    assert (summary["sources"]["worked_on"], summary["sources"]["complete_before"]) == (2, 4)
    assert before.items() <= times(out).items() and len(times(out)) == 6
    new = [row for row in rows_of(out) if row not in rows]
    assert {row["source_id"] for row in new} == {"train/fear/00-new.png", "train/happiness/00-new.png"}
    planned = {name: cell["real"] + cell["variants"] for name, cell in summary["planned_classes"]["train"].items()}
    assert sum(planned.values()) == 6 + 6 * 5 and max(planned.values()) - min(planned.values()) <= 2
    assert balanced(faces, out)[0]["sources"]["worked_on"] == 0
    assert verify(out).clean


def test_a_larger_balanced_run_adds_to_the_rows_of_a_smaller_one(no_server, faces, tmp_path, rows_of, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out, per_image=2)
    rows = rows_of(out)
    summary, told = balanced(faces, out, per_image=5)
    grown = rows_of(out)
    assert all(row in grown for row in rows) and len(grown) > len(rows)
    variants = [row for row in grown if row["kind"] == "variant"]
    assert Counter(row["status"] for row in variants)["accepted"] + sum(summary["sources"]["short"].values()) == 4 * 5
    assert any("4 give more for the larger --per-image" in line for line in told.lines)
    assert verify(out).clean


def test_a_balanced_dry_run_knows_of_the_runs_before(no_server, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out)
    add_picture(faces, "train/fear/00-new.png", 3)
    settings = make_settings(input=str(faces), output=out, per_image=5, workers=1, balance=True)
    plan = make_preview(plan_run(settings))
    assert "4 sources keep what was planned for them before, 1 new ones" in (plan.balance_note or "")
    assert balanced(faces, out)[0]["planned_classes"] == plan.balance


def test_a_damaged_plan_of_an_earlier_balanced_run_is_named(no_server, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out, limit=1, per_image=1)
    plan = next((out / "runs").glob("balance-*.json"))
    for content in ("{", "[]", '{"faces": {"a": 3}}', '{"faces": {"a": [1, 2]}}'):
        plan.write_text(content)
        with pytest.raises(OutputError, match=f"{plan.name} is damaged; remove it"):
            balanced(faces, out, limit=1, per_image=1)
