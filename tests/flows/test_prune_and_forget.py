"""`augment prune` and `augment forget` as a user types them, and the runs and exports after them."""

import json

import pytest
from fake_models import add_picture

from singanimation.manifests import read
from singanimation.manifests.care.verify import verify
from singanimation.pipeline.runs import hold_output


@pytest.fixture
def output(augmented, faces, tmp_path):
    augmented(input=str(faces), output=tmp_path / "out")
    return tmp_path / "out"


def _sources(output):
    return set(read(output, columns=["source_id"])["source_id"])


def test_a_moved_picture_leaves_stale_rows_that_prune_takes_out(augment, augmented, output, faces, rows_of):
    assert augment("verify", output)[0] == 0
    name = sorted(_sources(output))[0]
    moved = faces / "train" / "anger" / "moved.png"
    moved.parent.mkdir(exist_ok=True)
    (faces / name).rename(moved)
    augmented(input=str(faces), output=output)
    code, out, _ = augment("verify", output)
    assert code == 1 and f"1 sources lie elsewhere in the data set now (another class or name): {name}." in out
    assert "Advice: `augment prune` with the same --input" in out
    assert augment("verify", output, "--no-input")[0] == 0
    before = rows_of(output)
    for words in ([], ["--dry-run"], ["--yes", "--dry-run"]):
        code, out, _ = augment("prune", output, "--input", faces, *words)
        assert code == 0 and "1 of which go altogether" in out and "This was the dry run" in out
        assert rows_of(output) == before
    code, out, _ = augment("prune", output, "--input", faces, "--yes")
    assert code == 0 and "Taken out; recorded in" in out and name not in _sources(output)
    assert augment("verify", output)[0] == 0
    assert augmented(input=str(faces), output=output)["sources"]["worked_on"] == 0
    assert "Nothing to do" in augment("prune", output, "--input", faces, "--yes")[1]


def test_rows_taken_out_of_a_replaced_picture_are_made_anew(augment, augmented, output, faces):
    name = sorted(_sources(output))[0]
    (faces / name).unlink()
    add_picture(faces, name, 99)
    augmented(input=str(faces), output=output)
    code, out, _ = augment("verify", output)
    assert code == 1 and "1 sources are other pictures now" in out
    assert augment("prune", output, "--input", faces, "--yes")[0] == 0
    assert augment("verify", output)[0] == 0 and name in _sources(output)
    assert len(read(output, kind="real")) == 4


def test_a_forgotten_person_does_not_come_back(augment, augmented, output, faces, tmp_path):
    person = sorted(_sources(output))[0]
    (output / "contact_sheet.png").write_bytes(b"shows faces")
    code, out, _ = augment("forget", output, "--group", person)
    assert code == 0 and "This was the dry run" in out and person in _sources(output)
    code, out, _ = augment("forget", output, "--group", person, "--yes")
    assert code == 0 and "May still show or name the person" in out and "summary.json" in out
    assert person not in _sources(output) and not (output / "contact_sheet.png").exists()
    assert person not in (output / "runs" / "forgotten.json").read_text()
    summary = augmented(input=str(faces), output=output)
    assert summary["sources"]["worked_on"] == 0 and summary["sources"]["chosen"] == 3
    assert verify(output).clean and person not in _sources(output)
    arguments = ["--to", "csv", "--output", tmp_path / "csv", "--input", faces]
    code, out, err = augment("export", output, *arguments)
    assert code == 0 and "1 pictures are of people" in err
    assert not any(person in path.read_text() for path in (tmp_path / "csv").glob("*.csv"))
    code, _, err = augment("forget", output, "--group", person, "--yes")
    assert code == 2 and "no rows of that person" in err and len(err.splitlines()) == 1


def test_what_cannot_be_done_is_one_sentence(augment, output, faces, tmp_path):
    for arguments, words in (
        (["prune", tmp_path / "nowhere", "--input", faces], "is no output folder"),
        (["prune", output, "--input", tmp_path / "nowhere"], "no such file or folder"),
        (["prune", output], "--input"),
        (["forget", output], "--group"),
        (["forget", tmp_path, "--group", "x"], "is no output folder"),
        (["verify", output, "--input", tmp_path / "nowhere"], "no such file or folder"),
    ):
        code, _, err = augment(*arguments)
        assert code == 2 and words in err and len(err.splitlines()) == 1
    with hold_output(output):
        name = sorted(_sources(output))[0]
        (faces / name).unlink()
        assert augment("prune", output, "--input", faces)[0] == 0  # telling needs no lock
        code, _, err = augment("prune", output, "--input", faces, "--yes")
        assert code == 2 and "is in use by" in err
    (output / "runs" / "forgotten.json").write_text("{")
    code, _, err = augment("export", output, "--to", "csv", "--output", tmp_path / "c", "--input", faces)
    assert code == 2 and "forgotten.json cannot be read" in err


def test_verify_tells_its_advice_and_notes_in_json(augment, output, faces):
    part = sorted((output / "manifest").glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:100])
    found = json.loads(augment("verify", output, "--json")[1])
    assert not found["clean"] and {fault["check"] for fault in found["faults"]} == {"schema", "summaries"}
    assert any("run the same command again" in fault["advice"] for fault in found["faults"])


def test_the_advice_of_verify_mends_a_damaged_manifest(augment, augmented, output, faces, rows_of):
    rows = rows_of(output)
    part = sorted((output / "manifest").glob("*.parquet"))[1]
    data = bytearray(part.read_bytes())
    data[len(data) // 4] ^= 8
    part.write_bytes(bytes(data))
    assert augment("verify", output)[0] == 1
    part.unlink()
    augmented(input=str(faces), output=output)
    assert augment("verify", output)[0] == 0 and rows_of(output) == rows
