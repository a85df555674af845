"""`augment verify`, `augment compact` and `augment export` as a user types them."""

import json
import os
from pathlib import Path

import fake_models
import pytest

from singanimation.flows.source.outcome import SourceJob
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import augment_source, file_sha256
from singanimation.manifests import read
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.runs import hold_output
from singanimation.pipeline.settings import make_settings


@pytest.fixture
def output(faces: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    settings = make_settings(input=str(faces), per_image=2, include_real=True)
    models = fake_models.load(settings)
    for source in open_input(str(faces)).sources:
        identity = Identity(source, file_sha256(source), settings, models.fingerprint)
        augment_source(SourceJob(identity, {}, "run", out / "manifest"), models)
    return out


def test_a_whole_manifest_is_clean_and_a_torn_part_is_named_with_exit_code_1(augment, output):
    rows = len(read(output, columns=["kind"]))
    assert augment("verify", output) == (0, f"{output}: 5 parts, {rows} rows, clean.\n", "")
    part = next((output / "manifest").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:200])
    code, out, _ = augment("verify", output, "--json")
    found = json.loads(out)
    assert code == 1 and not found["clean"] and part.name in found["faults"][0]["message"]


def test_compacting_keeps_the_rows_and_waits_for_nobody(augment, output):
    rows = len(read(output, columns=["kind"]))
    with hold_output(output):
        code, out, err = augment("compact", output)
        assert code == 2 and out == "" and f"process {os.getpid()}" in err and len(err.splitlines()) == 1
        assert augment("compact", output / "manifest") == (code, out, err)
    assert augment("compact", output) == (0, f"{output}: {rows} rows, 5 parts before, 1 now.\n", "")
    assert len(read(output, columns=["kind"])) == rows and augment("verify", output)[0] == 0


def test_an_export_tells_its_counts_and_its_licences_and_refuses_a_used_folder(augment, output, tmp_path):
    code, out, _ = augment("export", output, "--to", "csv", "--output", tmp_path / "csv", "--splits", "train")
    assert code == 0 and "LICENCES.txt" in out and " test " not in out
    lines = [line.split() for line in out.splitlines()[:-1]]
    assert sum(int(line[-1]) for line in lines if line[2] == "real") == 4
    code, out, err = augment("export", output, "--to", "csv", "--output", tmp_path / "csv")
    assert code == 2 and "not empty" in err and len(err.splitlines()) == 1


def test_a_folder_without_a_manifest_is_one_sentence(augment, tmp_path):
    for command in (["verify", tmp_path], ["export", tmp_path, "--to", "csv", "--output", tmp_path / "x"]):
        code, _, err = augment(*command)
        assert code == 2 and "holds no manifest" in err and len(err.splitlines()) == 1


def test_compacting_what_is_not_there_leaves_nothing_behind(augment, tmp_path):
    code, _, err = augment("compact", tmp_path / "nowhere")
    assert code == 2 and "holds no manifest" in err and not (tmp_path / "nowhere").exists()
