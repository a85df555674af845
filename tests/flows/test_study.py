"""`augment study`: trials without repeats, answers kept safely, rates by closed form, a subject in a real browser."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from browser import open_browser
from fastapi.testclient import TestClient

from singanimation.flows.study.plan import Shown, Study, Trial, make_study
from singanimation.flows.study.score import agreement, confusion_rates, exposure
from singanimation.flows.study.server import make_app
from singanimation.flows.study.store import Answers, Refused, load_study, read_answers, save_study
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import encode_png


def png(shade: int) -> bytes:
    return encode_png(np.full((8, 8, 3), shade % 256, np.uint8))


def pictures(count: int) -> tuple[list[Shown], list[Shown]]:
    """``count`` sources with a real picture each, and for each two variants from N-1 and two from N-2."""
    labels = [EMOTIONS[index % 7] for index in range(count)]
    real = [Shown(png(index), False, f"{index}.png", labels[index]) for index in range(count)]
    fake = [
        Shown(png(50 * number + index), True, f"{index}.png", labels[index], scale)
        for index in range(count)
        for number, scale in enumerate(("N-1", "N-2", "N-1", "N-2"))
    ]
    return real, fake


def test_paired_trials_show_a_source_once_with_a_variant_of_it_and_both_scales_alike() -> None:
    real, fake = pictures(40)
    study = make_study("paired", real, fake, 1, 20)
    assert len(study.trials) == 30 and sum(trial.tutorial for trial in study.trials) == 10
    names = [name for trial in study.trials for name in trial.pictures]
    assert len(set(names)) == len(names) == 60
    own = {shown.name: shown for shown in (*real, *fake)}
    for trial in study.trials:
        left, right = (own[name] for name in trial.pictures)
        assert left.source == right.source and left.synthetic != right.synthetic
        assert (trial.answer == "left") == left.synthetic
    assert max(Counter(trial.scale for trial in study.trials).values()) == 15
    assert {trial.answer for trial in study.trials} == {"left", "right"}


def test_unpaired_trials_are_half_real_never_repeat_and_too_few_pictures_are_said() -> None:
    real, fake = pictures(40)
    study = make_study("unpaired", real, fake, 0, 20)
    assert Counter(trial.answer for trial in study.trials) == {"real": 25, "fake": 25}
    assert len({trial.pictures for trial in study.trials}) == 50
    assert abs(Counter(t.scale for t in study.trials)["N-1"] - Counter(t.scale for t in study.trials)["N-2"]) <= 1
    with pytest.raises(UsageError, match="needs 55 real pictures that differ, and the manifest gives 40"):
        make_study("unpaired", real, fake, 0, 50)


def test_emotion_trials_ask_each_emotion_of_edits_and_real_pictures() -> None:
    study = make_study("emotion", *pictures(40), 0, 14)
    edits = [trial for trial in study.trials if trial.scale]
    assert len(edits) == len(study.trials) - len(edits) == 19
    assert set(Counter(trial.answer for trial in edits).values()) <= {2, 3}


def test_each_subject_has_an_order_of_their_own_tutorial_first() -> None:
    study = make_study("unpaired", *pictures(40), 0, 20)
    one, two = study.for_subject("one"), study.for_subject("two")
    assert sorted(one) == sorted(two) == list(range(50)) and one != two and one == study.for_subject("one")
    assert [study.trials[place].tutorial for place in one] == [True] * 10 + [False] * 40


def test_rates_are_shares_of_answers_with_the_deviation_of_a_coin() -> None:
    trials = [Trial((str(n),), "fake", "N-1" if n % 2 else "N-2") for n in range(40)]
    trials += [Trial((f"r{n}",), "real", None) for n in range(40)] + [Trial(("t",), "fake", "N-1", tutorial=True)]
    study = Study("unpaired", 0, trials)
    answers = [
        {
            "subject": f"s{person}",
            "trial": n,
            "answer": "real" if n < 40 and n % 4 == 1 else trials[n].answer,
            "shown_ms": 1000 + person,
            "took_ms": 1,
        }
        for person in range(5)
        for n in range(81)
    ]  # every second N-1 picture is taken for real, no N-2 one is
    rates = confusion_rates(study, answers)
    assert (rates["N-1"].share, rates["N-2"].share, rates["all"].share) == (0.5, 0.0, 0.25)
    assert rates["N-1"].number == 100 and rates["N-1"].subjects == 5 and rates["N-2"].deviation == 0
    assert rates["N-1"].deviation == pytest.approx(0.05, abs=0.005)  # sqrt(.5 * .5 / 100)
    assert rates["real called fake"].share == 0 and exposure(answers) == (1000, 1002, 1004)


def test_the_table_of_emotions_has_rows_that_sum_to_one() -> None:
    study = Study("emotion", 0, [Trial(("a",), "fear", "edit"), Trial(("b",), "anger", None)])
    seen = [("s", 0, "fear"), ("t", 0, "surprise"), ("s", 1, "anger")]
    table = agreement(study, [{"subject": s, "trial": n, "answer": a} for s, n, a in seen])
    assert table["edits"]["fear"]["fear"] == table["edits"]["fear"]["surprise"] == 0.5
    assert table["real"]["anger"]["anger"] == 1 and sum(table["edits"]["fear"].values()) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_study(tmp_path / "study", make_study("unpaired", *pictures(12), 0, 1, 2))
    return tmp_path / "study"


def test_answers_come_in_order_once_each_and_survive_a_cut_line(folder: Path) -> None:
    study = load_study(folder)
    answers = Answers(folder, study)
    assert len(answers.begin("subject-1")) == 4
    assert answers.add("subject-1", 0, "fake", 1000, 500) in ("real", "fake")  # a tutorial trial tells
    for subject, number in (("subject-1", 0), ("subject-1", 5), ("stranger", 0)):
        with pytest.raises(Refused):
            answers.add(subject, number, "fake", 1000, 500)
    with pytest.raises(Refused):
        answers.begin("subject-1")
    with (folder / "answers.jsonl").open("a") as file:
        file.write('{"subject": "cut o')
    assert len(read_answers(folder)) == 1
    with pytest.raises(Refused):  # after a restart the subject is still known
        Answers(folder, study).begin("subject-1")


def test_another_study_never_lands_beside_answers(folder: Path) -> None:
    answers = Answers(folder, load_study(folder))
    answers.begin("subject-1")
    answers.add("subject-1", 0, "fake", 1000, 500)
    save_study(folder, make_study("unpaired", *pictures(12), 0, 1, 2))  # the same one goes on
    with pytest.raises(UsageError, match="holds answers to another study"):
        save_study(folder, make_study("unpaired", *pictures(12), 1, 1, 2))


def test_strangers_and_bad_answers_change_nothing(folder: Path) -> None:
    study = load_study(folder)
    client = TestClient(make_app(folder, study, "secret"))
    assert client.get("/").status_code == client.get("/wrong/").status_code == 404
    assert client.post("/wrong/subjects").status_code == 404
    begun = client.post("/secret/subjects").json()
    assert "answer" not in json.dumps(begun["trials"]) and begun["choices"] == ["real", "fake"]
    good = {"subject": begun["subject"], "number": 0, "answer": "fake", "shown_ms": 1000, "took_ms": 900}
    for bad in ({"answer": "maybe"}, {"number": 3}, {"shown_ms": -1}, {"subject": "../../etc/x"}, {"subject": "x" * 9}):
        assert client.post("/secret/answers", json=good | bad).status_code in (404, 409, 422)
    assert read_answers(folder) == []
    assert client.post("/secret/answers", json=good).status_code == 200
    assert client.post("/secret/answers", json=good).status_code == 409
    assert len(read_answers(folder)) == 1
    assert client.get("/secret/pictures/..%2F..%2Fstudy.json").status_code == 404
    name = begun["trials"][0]["pictures"][0]
    assert client.get(f"/secret/pictures/{name}").content.startswith(b"\x89PNG")
    assert client.get("/secret/").headers["cache-control"] == "no-store"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(folder, load_study(folder), "token"), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/token/"
    finally:
        server.should_exit = True
        thread.join(10)


def test_a_subject_answers_by_keys_and_pictures_are_shown_for_a_second(folder: Path) -> None:
    with served(folder) as address, open_browser() as (page, complaints):
        from playwright.sync_api import expect

        buttons = page.locator("#choices button")
        page.goto(address)
        page.keyboard.press("Space")
        for number in range(4):
            expect(buttons).to_have_count(2, timeout=20_000)
            assert not page.locator("#stage").evaluate("stage => stage.classList.contains('shown')")
            page.keyboard.press("1" if number % 2 else "2")
            if number < 2:
                expect(buttons).to_have_count(1, timeout=20_000)
                assert page.locator("#say").inner_text().startswith(("Right", "No"))
                page.keyboard.press("Space")
        expect(page.locator("#say")).to_contain_text("That was all", timeout=20_000)
        trace = page.evaluate("window.trace")
        assert complaints == []
    answers = read_answers(folder)
    assert [answer["answer"] for answer in answers] == ["fake", "real"] * 2
    assert [answer["shown_ms"] for answer in answers] == pytest.approx(trace, abs=0.01)
    assert min(trace) > 980 and min(trace) < 1050  # a crowded machine may hold single ones longer, which is kept
    assert set(confusion_rates(load_study(folder), answers)) <= {"N-1", "N-2", "all", "real called fake"}
