"""A plan: ``--limit`` by name or spread evenly over the classes, and what is refused before a run begins."""

import importlib.util
import json
from collections import Counter

import pytest
from command import augment

from singanimation.flows.job.limit import limit_said, limited
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import make_settings


def _sources(**counts: int) -> list[Source]:
    return [
        Source("set", f"{label}/{number:03d}", None, "", label=label)
        for label, count in counts.items()
        for number in range(count)
    ]


def _taken(sources: list[Source], limit: int, seed: int = 0) -> list[Source]:
    return limited(sources, make_settings(input="x", limit=limit, limit_by="class", seed=seed))


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        (1, {"surprise": 1}),
        (3, {"surprise": 1, "fear": 1, "neutral": 1}),
        (8, {"surprise": 3, "fear": 2, "neutral": 3}),
        (40, {"surprise": 19, "fear": 2, "neutral": 19}),
        (999, {"surprise": 50, "fear": 2, "neutral": 30}),
    ],
)
def test_a_limit_by_class_is_even_and_a_small_class_gives_all(limit: int, wanted: dict[str, int]) -> None:
    taken = _taken(_sources(neutral=30, surprise=50, fear=2), limit)
    assert Counter(source.label for source in taken) == wanted


def test_the_choice_is_the_seeds_and_not_the_names() -> None:
    sources = _sources(anger=40, fear=40)
    ids = [source.source_id for source in _taken(sources, 20)]
    assert ids == [source.source_id for source in _taken(list(reversed(sources)), 20)][::-1]
    assert ids != [source.source_id for source in _taken(sources, 20, seed=1)]
    assert ids == sorted(ids)
    assert not {f"anger/{number:03d}" for number in range(10)} <= set(ids)


def test_a_larger_limit_takes_the_same_and_more() -> None:
    sources = _sources(anger=9, fear=5, sadness=1)
    before: set[str] = set()
    for limit in range(1, 16):
        now = {source.source_id for source in _taken(sources, limit)}
        assert len(now) == limit
        assert before < now
        before = now


def test_pictures_that_cannot_be_used_come_last() -> None:
    sources = [Source("set", str(n), None, "", label="fear", problem=None if n == 7 else "broken") for n in range(9)]
    assert [source.source_id for source in _taken(sources, 1)] == ["7"]


def test_classes_outside_the_seven_are_classes_and_pictures_without_one_are_one() -> None:
    sources = [Source("set", f"c{n}", None, "", source_label="happily-surprised") for n in range(5)]
    sources += [Source("set", f"u{n}", None, "") for n in range(5)]
    said = limit_said(_taken(sources, 4), sources, make_settings(input="x", limit=4, limit_by="class"))
    assert said == [
        "--limit takes 4 of 10 sources, spread over the classes: happily-surprised 2 of 5, unlabelled 2 of 5."
    ]


def test_by_class_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="give --limit too"):
        limited(_sources(fear=2), make_settings(input="x", limit_by="class"))


@pytest.mark.parametrize("library", [True, False])
def test_inception_that_cannot_be_had_is_told_by_the_dry_run(
    library: bool, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if library else None)
    options = ["--input", "sample", "--sifid-features", "inception-64", "--output", str(tmp_path / "out")]
    assert augment(*options, "--dry-run") == 2
    assert ("augment weights fetch inception-v3" if library else "[torchvision]") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_and_python_take_and_say_the_same(faces, tmp_path, capsys: pytest.CaptureFixture) -> None:
    from singanimation import augment as augment_from_python

    options = ["--input", str(faces), "--limit", "3", "--limit-by", "class", "--output", str(tmp_path / "out")]
    assert augment(*options, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["classes"] == {"train": {"fear": 1, "happiness": 1, "neutral": 1}}
    (said,) = [each for each in plan["warnings"] if "--limit" in each]
    assert said.endswith("spread over the classes: fear 1 of 1, happiness 1 of 2, neutral 1 of 1.")
    again = augment_from_python(faces, limit=3, limit_by="class", output=tmp_path / "out", dry_run=True)
    assert json.loads(json.dumps(again["classes"])) == plan["classes"]
    assert augment("--input", str(faces), "--limit", "3", "--limit-by", "colour") == 2
    assert "name" in capsys.readouterr().err
