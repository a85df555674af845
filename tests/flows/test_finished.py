"""The memory of what is finished: used where nothing has changed, and nowhere else."""

import pytest

from singanimation.flows.job import finished


def planned_again(monkeypatch) -> list[str]:
    """Return a list that gathers the sources which are planned instead of remembered."""
    asked: list[str] = []
    plain = finished.state_of

    def told(identity, known):
        asked.append(identity.source.source_id)
        return plain(identity, known)

    monkeypatch.setattr(finished, "state_of", told)
    return asked


def test_what_a_run_has_finished_is_not_planned_again(augmented, faces, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = augmented(input=str(faces), output=out)
    asked = planned_again(monkeypatch)
    second = augmented(input=str(faces), output=out)
    assert asked == [] and second["sources"]["complete_before"] == 4
    assert second["sources"]["short"] == first["sources"]["short"]
    augmented(input=str(faces), output=out, limit=1)
    augmented(input=str(faces), output=out)
    assert asked == []


def test_without_the_memory_everything_is_planned_once_more(augmented, faces, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = augmented(input=str(faces), output=out)
    (out / "runs" / finished.NAME).unlink()
    asked = planned_again(monkeypatch)
    for _ in range(2):
        summary = augmented(input=str(faces), output=out)
        assert len(asked) == 4 and summary["sources"]["short"] == first["sources"]["short"]


@pytest.mark.parametrize("change", ["rows", "number", "label", "frame", "damage"])
def test_whatever_changes_is_planned_again(augmented, faces, tmp_path, monkeypatch, change):
    out = tmp_path / "out"
    for _ in range(2):
        augmented(input=str(faces), output=out)
    asked = planned_again(monkeypatch)
    options, again, worked_on = {}, 4, 0
    if change == "rows":
        sorted((out / "manifest").glob("*.parquet"))[0].unlink()
        again, worked_on = 0, 1
    elif change == "number":
        options, worked_on = {"per_image": 5}, 4
    elif change == "label":
        (faces / "train" / "fear").rename(faces / "train" / "sadness")
        again, worked_on = 1, 1  # another source id, looked at when it was done
    elif change == "frame":
        options, worked_on = {"frame": "crop"}, 4  # so small pictures count as face crops by themselves
    else:
        (out / "runs" / finished.NAME).write_text('{"key": 3}')
    summary = augmented(input=str(faces), output=out, **options)
    assert len(asked) == again and summary["sources"]["worked_on"] == worked_on


def test_failed_sources_are_never_remembered_as_finished(augmented, faces, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        augmented("fake_models:load_blind", input=str(faces), output=out, limit=2)
    assert augmented(input=str(faces), output=out, limit=2, retry_failed=True)["sources"]["worked_on"] == 1
