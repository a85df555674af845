"""Sending an export to the hub: on the user's own yes alone, private, and errors in one sentence."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from singanimation.flows import cli
from singanimation.flows.commands.export import Layout, RealChoice
from singanimation.manifests.exports import EXPORTERS
from singanimation.manifests.exports.records import RealChoice as RealOption
from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import licences
from singanimation.pipeline.datasets.licences import forbids_passing_on
from singanimation.pipeline.records import Row

huggingface_hub = pytest.importorskip("huggingface_hub")


class FakeHub:
    """Takes what HfApi is told, and answers as it does."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.sent: dict[str, bytes] = {}
        self.fault = fault

    def create_repo(self, repo_id: str, **options: Any) -> str:
        if self.fault:
            raise self.fault
        self.made.append((repo_id, options))
        return f"https://hub.example/datasets/{repo_id}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, repo_type: str, **_: Any) -> None:
        assert repo_type == "dataset" and repo_id == self.made[-1][0]
        self.sent = {
            p.relative_to(folder_path).as_posix(): p.read_bytes() for p in folder_path.rglob("*") if p.is_file()
        }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    return fake


@pytest.fixture
def grown(tmp_path: Path, source_rows: Callable[..., list[Row]]) -> Callable[[str | None], Path]:
    def write(licence: str | None) -> Path:
        rows = [replace(row, licence=licence) for row in source_rows("a")]
        write_part(tmp_path / "out" / "manifest", "part-a.parquet", rows)
        return tmp_path / "out"

    return write


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(source: Path, *more: str, to: str = "hf") -> tuple[int, str, str]:
        arguments = ["augment", "export", str(source), "--to", to, "--output", str(tmp_path / "export"), *more]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_an_open_export_is_sent_to_a_private_data_set(hub: FakeHub, grown: Any, export: Any) -> None:
    code, out, err = export(grown("CC0-1.0"), "--push", "me/faces")
    assert code == 0 and "Sent to https://hub.example/datasets/me/faces" in out, err
    assert hub.made == [("me/faces", {"repo_type": "dataset", "private": True, "exist_ok": True})]
    assert {"README.md", "LICENCES.txt", "data/train-00000-of-00001.parquet"} <= set(hub.sent)
    card = huggingface_hub.DatasetCard(hub.sent["README.md"].decode())
    assert card.data.to_dict()["configs"][0]["data_files"][0]["split"] == "train"
    json.dumps(card.data.to_dict())


@pytest.mark.parametrize(
    "licence", [licences.RAF_DB, licences.AFFECTNET, licences.FER2013, "all rights reserved", None]
)
def test_a_closed_or_unknown_licence_wants_an_explicit_yes(
    hub: FakeHub, grown: Any, export: Any, licence: str | None, tmp_path: Path
) -> None:
    source = grown(licence)
    code, _, err = export(source, "--push", "me/faces")
    assert code == 2 and "--may-redistribute" in err and len(err.splitlines()) == 1
    assert (licence or "not known") in err and not hub.made and not (tmp_path / "export").exists()
    assert export(source, "--push", "me/faces", "--may-redistribute")[0] == 0 and hub.sent


@pytest.mark.parametrize(
    ("more", "to", "words"),
    [
        (["--push", "faces"], "hf", "OWNER/NAME"),
        (["--push", "../faces"], "hf", "OWNER/NAME"),
        (["--push", "me/faces"], "csv", "--to hf"),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is_written(
    hub: FakeHub, grown: Any, export: Any, tmp_path: Path, more: list[str], to: str, words: str
) -> None:
    code, _, err = export(grown("CC0-1.0"), *more, to=to)
    assert code == 2 and words in err and not hub.made and not (tmp_path / "export").exists()


def test_nobody_logged_in_is_said_before_anything_is_written(
    grown: Any, export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    code, _, err = export(grown("CC0-1.0"), "--push", "me/faces")
    assert code == 2 and "hf auth login" in err and not (tmp_path / "export").exists()


def test_without_a_network_the_export_stays_and_one_sentence_says_how_to_go_on(
    grown: Any, export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    code, _, err = export(grown("CC0-1.0"), "--push", "me/faces")
    assert code == 2 and "hf upload me/faces" in err.splitlines()[-1] and "Traceback" not in err
    assert (tmp_path / "export" / "README.md").exists()


def test_a_hub_that_refuses_is_one_sentence(hub: FakeHub, grown: Any, export: Any) -> None:
    hub.fault = RuntimeError("403 Forbidden\nmany\nlines")
    code, _, err = export(grown("CC0-1.0"), "--push", "me/faces")
    assert code == 2 and "403 Forbidden" in err and "many" not in err


@pytest.mark.parametrize("licence", ["CC0-1.0", "CC-BY-4.0", "public domain (NASA)", "MIT", " cc by-nc-sa 4.0"])
def test_open_licences_allow_passing_on(licence: str) -> None:
    assert not forbids_passing_on(licence)


def test_the_help_names_the_layouts_that_there_are() -> None:
    assert get_args(Layout) == tuple(EXPORTERS) and get_args(RealChoice) == get_args(RealOption)
