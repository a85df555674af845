"""`augment weights` as users type it, and every bad file answered in one sentence with exit code 2."""

import hashlib
import io
import json
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "stages"), str(HERE / "pipeline")]
from published_networks import random_state  # noqa: E402
from weights_server import serve  # noqa: E402

CONTENT = b"weights" * 1000


class Runs:
    """A pickle that would leave a file behind when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def augment(augment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function: words of a command line -> (exit code, stdout, stderr)."""
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in (
        "SINGANIMATION_INCEPTION",
        "FEAT_MULTITASK_WEIGHTS",
        "SINGANIMATION_YUNET",
        "SINGANIMATION_GANIMATION",
    ):
        monkeypatch.delenv(name, raising=False)

    return augment


@pytest.fixture
def inception_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the published first digits of Inception's hash be those of the tests' own file."""
    from dataclasses import replace

    from singanimation.pipeline.weights import entries

    own = replace(entries.ENTRIES["inception-v3"], prefix=hashlib.sha256(CONTENT).hexdigest()[:8])
    monkeypatch.setattr(entries, "ENTRIES", dict(entries.ENTRIES) | {"inception-v3": own})


def test_the_list_says_for_what_licence_size_address_hash_and_place(augment, tmp_path: Path) -> None:
    code, out, _ = augment("weights", "list")
    assert code == 0
    for words in (
        "inception-v3: not here",
        "BSD-3-Clause",
        "103.9 MiB",
        "https://download.pytorch.org/models/",
        "sha256 begins with 0cc3c7bd",
        "$SINGANIMATION_INCEPTION",
        "generator: package, ",
        "$FEAT_MULTITASK_WEIGHTS",
        "face_detection_yunet_2023mar.onnx",
        str(tmp_path / "cache"),
    ):
        assert words in out
    code, out, _ = augment("weights", "list", "--json")
    listed = json.loads(out)
    assert listed["generator"]["where"] == "package" and len(listed["generator"]["sha256"]) == 64
    assert listed["yunet"]["found"] is None and listed["yunet"]["licence"] == "MIT"


def test_fetch_verify_and_path_go_together(augment, inception_of_the_tests, tmp_path: Path) -> None:
    wanted = tmp_path / "cache" / "inception_v3_google-0cc3c7bd.pth"
    with serve(CONTENT) as server:
        code, out, err = augment("weights", "fetch", "inception-v3", "--from", server.url)
    assert code == 0 and str(wanted) in out and "licence BSD-3-Clause" in err
    assert augment("weights", "path", "inception-v3")[:2] == (0, f"{wanted}\n")
    code, out, _ = augment("weights", "verify")
    assert code == 0 and f"inception-v3: good: {wanted}" in out and "yunet: not here" in out
    wanted.write_bytes(CONTENT[::-1])
    code, out, err = augment("weights", "verify", "inception-v3")
    assert code == 2 and "NOT GOOD" in out and err == "augment: 1 of the weights are not what they should be.\n"


def test_a_download_with_a_wrong_hash_is_removed_and_said_in_one_sentence(augment, tmp_path: Path) -> None:
    with serve(CONTENT) as server:
        code, out, err = augment("weights", "fetch", "inception-v3", "--from", server.url, "--quiet")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "begins with 0cc3c7bd (its official file name), found" in err and "was removed" in err
    assert not list((tmp_path / "cache").glob("inception*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fetch",), "say what to fetch: inception-v3, pyfeat, yunet."),
        (("fetch", "resnet"), "there are no weights called 'resnet'; the names are"),
        (("fetch", "generator"), "ships with the package"),
        (("fetch", "yunet", "pyfeat", "--from", "x"), "--from gives one file"),
        (("path", "yunet"), "run `augment weights fetch yunet`, set SINGANIMATION_YUNET"),
        (("verify", "pyfeat"), "put face_multitask_v28.safetensors into"),
        (("import", "x.pth"), "Missing option '--output'"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(augment, words: tuple[str, ...], said: str) -> None:
    code, out, err = augment("weights", *words)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1


def test_a_generator_of_the_users_own_is_not_called_wrong(augment, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mine.safetensors").write_bytes(CONTENT)
    monkeypatch.setenv("SINGANIMATION_GANIMATION", str(tmp_path / "mine.safetensors"))
    code, out, _ = augment("weights", "verify", "generator")
    assert code == 0 and f"your own, not compared: {tmp_path / 'mine.safetensors'}: sha256 " in out


def test_the_path_without_a_name_is_the_cache(augment, tmp_path: Path) -> None:
    assert augment("weights", "path")[:2] == (0, f"{tmp_path / 'cache'}\n")


def test_import_writes_a_generator_with_its_card_and_says_how_to_use_it(augment, tmp_path: Path) -> None:
    torch.save(random_state("D"), tmp_path / "30_net_gen.pth")
    code, out, _ = augment("weights", "import", tmp_path / "30_net_gen.pth", "--output", tmp_path / "d.safetensors")
    assert code == 0 and "donydchen/ganimation_replicate" in out and "--ganimation" in out
    assert (tmp_path / "d.safetensors").is_file() and "intensity / 5" in (tmp_path / "d.md").read_text()


def _bytes_of(content: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def _safetensors(state: dict, folder: Path) -> bytes:
    save_file(state, folder / "made.safetensors")
    return (folder / "made.safetensors").read_bytes()


def _compressed(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", b"\0" * 50_000_000)
    return buffer.getvalue()


def _critic(name: str) -> bytes:
    return _bytes_of({"main.0.weight": torch.zeros(1), name: torch.zeros(1)})


def _code(folder: Path) -> dict:
    return {"main.0.weight": Runs(folder / "ran")}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
BAD = {
    "code": (lambda folder: _bytes_of(_code(folder)), "holds code (posix.system), which was not run"),
    "old code": (lambda folder: _bytes_of(_code(folder), _use_new_zipfile_serialization=False), "holds code (posix."),
    "plain pickle": (lambda folder: pickle.dumps(Runs(folder / "ran"), protocol=2), "holds code (posix.system)"),
    "newer pickle": (lambda folder: pickle.dumps(Runs(folder / "ran"), protocol=4), "no PyTorch checkpoint"),
    "whole module": (lambda _: _bytes_of(torch.nn.Conv2d(1, 1, 1)), "holds code (torch.nn.modules.conv.Conv2d)"),
    "wrong shapes": (
        lambda _: _bytes_of(random_state("P") | {"main.3.weight": torch.zeros(16, 8, 3, 3)}),
        "main.3.weight has the shape (16, 8, 3, 3) and (16, 8, 4, 4) is needed",
    ),
    "truncated safetensors": (lambda folder: _safetensors(random_state("P"), folder)[:-500], "is it complete?"),
    "truncated checkpoint": (lambda _: _bytes_of(random_state("P"))[:-5000], "no PyTorch checkpoint"),
    "text": (lambda _: b"hello, these are my weights\n", "is a text file, no checkpoint"),
    "web page": (lambda _: b"<!DOCTYPE html><html>Google Drive - virus scan warning", "is a web page, no checkpoint"),
    "pointer": (lambda _: POINTER, "is a Git LFS pointer"),
    "empty": (lambda _: b"", "is an empty file"),
    "noise": (lambda _: bytes(range(200, 256)) * 20, "is it complete?"),
    "critic": (lambda _: _critic("conv1.weight"), "is a discriminator (albertpumarola"),
    "other critic": (lambda _: _critic("dis_top.weight"), "is a discriminator (donydchen"),
    "optimiser": (lambda _: _bytes_of({"state": {}, "param_groups": []}), "is an optimiser's state"),
    "something else": (lambda _: _bytes_of({"fc.weight": torch.zeros(1)}), "is no GANimation generator that we know"),
    "a tensor": (lambda _: _bytes_of(torch.zeros(3)), "holds a Tensor, no state dict"),
    "a list": (lambda _: _bytes_of([1, 2]), "holds a list, no state dict"),
    "bomb": (lambda _: _compressed(b"\x80\x02}."), "is compressed"),
}


@pytest.mark.parametrize("command", ["import", "edit"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_checkpoint_is_refused_in_one_sentence_and_runs_nothing(
    augment, tmp_path: Path, kind: str, command: str
) -> None:
    make, said = BAD[kind]
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(make(tmp_path))
    if command == "import":
        words = ("weights", "import", file, "--output", tmp_path / "out.safetensors")
    else:
        (tmp_path / "face.png").write_bytes(b"")
        words = ("edit", tmp_path / "face.png", "--emotions", "fear", "--ganimation", file, "--output", tmp_path)
    code, out, err = augment(*words)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1, err
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.safetensors").exists()


def test_a_missing_checkpoint_and_a_folder_are_named(augment, tmp_path: Path) -> None:
    code, _, err = augment("weights", "import", tmp_path / "no.pth", "--output", tmp_path / "o.safetensors")
    assert code == 2 and "no.pth does not exist" in err
    code, _, err = augment("weights", "import", tmp_path, "--output", tmp_path / "o.safetensors")
    assert code == 2 and "is a folder; name the checkpoint file in it" in err
