"""A study on disk: its pictures, its trials, and the answers, one line each, appended and synced before they count."""

import json
import threading
from pathlib import Path
from typing import Any

from singanimation.flows.study.plan import Study, Trial
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.runs import make_folder
from singanimation.pipeline.system import sync_file

PLAN, ANSWERS, PICTURES = "study.json", "answers.jsonl", "pictures"


class Refused(Exception):
    """An answer that changes nothing: ``status`` is HTTP's, the message one sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def save_study(folder: Path, study: Study) -> None:
    """Write a study's trials and pictures; one that is there must be the same one. Raises UsageError, MachineError."""
    make_folder(folder / PICTURES)
    text = json.dumps(study.as_json(), indent=1)
    plan = folder / PLAN
    if plan.exists() and plan.read_text(encoding="utf-8") != text and (folder / ANSWERS).exists():
        raise UsageError(f"{folder} holds answers to another study; name another --output.")
    for name, png in study.pictures.items():
        with atomic_file(folder / PICTURES / f"{name}.png") as file:
            file.write(png)
    with atomic_file(plan) as file:
        file.write(text.encode())


def load_study(folder: Path) -> Study:
    """Read a study's trials, without pictures. Raises UsageError where there is none or it is damaged."""
    try:
        content = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        trials = [Trial(**{**trial, "pictures": tuple(trial["pictures"])}) for trial in content["trials"]]
        return Study(content["kind"], int(content["seed"]), trials)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no study ({PLAN}).") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder / PLAN} is damaged; make the study anew in another folder.") from None


class Answers:
    """The answers to a study. Thread-safe; what is on disk from before counts."""

    def __init__(self, folder: Path, study: Study) -> None:
        self._path, self._study = folder / ANSWERS, study
        self._lock = threading.Lock()
        self._orders: dict[str, list[int]] = {}
        self._given: dict[str, int] = {}
        for answer in read_answers(folder):
            self._given[answer["subject"]] = self._given.get(answer["subject"], 0) + 1

    def begin(self, subject: str) -> list[dict[str, Any]]:
        """Return the trials of a new subject without what is right: their pictures and whether they are tutorial."""
        with self._lock:
            if subject in self._orders or subject in self._given:
                raise Refused(409, "This subject has begun before.")
            self._orders[subject] = self._study.for_subject(subject)
            trials = [self._study.trials[place] for place in self._orders[subject]]
        return [{"pictures": trial.pictures, "tutorial": trial.tutorial} for trial in trials]

    def add(self, subject: str, number: int, answer: str, shown_ms: float, took_ms: float) -> str | None:
        """Keep the answer to a subject's trial; return what was right of a tutorial trial. Raises Refused."""
        with self._lock:
            order = self._orders.get(subject)
            if order is None:
                raise Refused(404, "There is no such subject.")
            given = self._given.get(subject, 0)
            if number != given or number >= len(order):
                raise Refused(409, f"Trial {number} is not the next one; nothing was changed.")
            trial = self._study.trials[order[number]]
            line = {
                "subject": subject,
                "trial": order[number],
                "answer": answer,
                "shown_ms": round(shown_ms, 2),
                "took_ms": round(took_ms, 2),
            }
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                sync_file(file.fileno())
            self._given[subject] = given + 1
        return trial.answer if trial.tutorial else None


def read_answers(folder: Path) -> list[dict[str, Any]]:
    """Return the answers on disk; a last line that was cut off by a crash is left out."""
    try:
        lines = (folder / ANSWERS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    answers = []
    for line in lines:
        try:
            answers.append(json.loads(line))
        except ValueError:
            continue
    return answers
