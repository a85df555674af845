"""Every code block of docs/classifiers.md runs, in order, beside a small manifest."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from singanimation.flows import cli
from singanimation.manifests.write import write_part
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row

PAGE = Path(__file__).resolve().parents[1] / "docs" / "classifiers.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def picture(shade: int) -> dict:
    return {
        "image": encode_png(np.full((32, 32, 3), shade, np.uint8)),
        "image_path": f"{shade}.png",
        "width": 32,
        "height": 32,
    }


def person_rows(name: str, shade: int, split: str) -> list[Row]:
    """A neutral real picture, an edit half-way to fear, and four variants: two with a label, one rejected."""
    base = {
        "dataset": "tiny",
        "source_id": f"{name}.png",
        "source_path": f"{name}.png",
        "source_sha256": name * 8,
        "split": split,
        "group_id": name,
        "licence": "CC0-1.0",
        "run_id": "run",
        "au_measured": (0.1,) * 17,
    }
    edit = base | {"edit_kind": "continuous", "edit_name": "neutral>fear", "edit_strength": 0.25}
    soft = {"label_weights": (0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.75), "label_origin": "interpolated"}
    real = Row(variant_id=f"{name}-real", kind="real", label="neutral", **base, **picture(shade))
    rows = [real, Row(variant_id=f"{name}-edit", kind="edit", parent_id=real.variant_id, **edit, **picture(shade + 1))]
    for index, label in enumerate(("neutral", "fear", None, "neutral")):
        status = {"status": "rejected", "reason": "sifid"} if index == 3 else {}
        rows.append(
            Row(
                variant_id=f"{name}-{index}",
                kind="variant",
                parent_id=f"{name}-edit",
                label=label,
                sifid=0.1,
                **edit,
                **soft,
                **status,
                **picture(shade + 2 + index),
            )
        )
    return rows


@pytest.fixture
def beside_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for index, name in enumerate("abcd"):
        rows = person_rows(name, 20 * index, "test" if name == "d" else "train")
        write_part(tmp_path / "out" / "manifest", f"part-{name}.parquet", rows)
    for split, shade in (("train", 200), ("test", 220)):
        (tmp_path / "path/to/data-set" / split / "fear").mkdir(parents=True)
        (tmp_path / "path/to/data-set" / split / "fear" / "x.png").write_bytes(picture(shade)["image"])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_command(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0, line


def test_every_block_of_the_page_on_classifiers_runs(beside_a_manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[dict] = []
    for language, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "sh":
            run_command(code, monkeypatch)
            continue
        assert language == "python"
        names: dict = {}
        exec(compile(code, str(PAGE), "exec"), names)
        found.append(names)
    grown = beside_a_manifest / "grown"
    assert len(list(grown.glob("train/*/*.png"))) == 10 and len(list(grown.glob("test/*/*.png"))) == 4
    torch_, sized, mixed, soft, datasets_, folders, web, pandas_, people = found
    assert len(torch_["data"]) == 9 and len(next(iter(torch_["loader"]))[1]) == 9
    assert sized["pictures"].shape == (4, 3, 112, 112) and set(sized["data"].targets) == {1, 6}
    assert len(mixed["loader"]) == 20 and mixed["labels"].shape == (8, 7)
    assert (len(mixed["real"]), len(mixed["synthetic"])) == (3, 6)
    assert soft["weights"].shape == (4, 7) and soft["loss"].item() == pytest.approx(np.log(7))
    assert datasets_["rows"].num_rows == 9 and datasets_["label"] == "neutral"
    assert datasets_["picture"].size == (32, 32)
    assert folders["names"] == ["fear", "neutral"] and len(folders["data"]) == 9
    assert web["picture"].shape == (32, 32, 3) and web["label"] in (1, 6)
    assert len(pandas_["rows"]) == 9 and len(pandas_["classifier_rows"]) == 6 and pandas_["licences"] == {"CC0-1.0"}
    assert len(people["train"]) == 6 and people["validation"].targets == [6]


def test_the_three_lines_for_torch_are_three_lines() -> None:
    first = next(code for language, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if language == "python")
    assert len([line for line in first.splitlines() if line and line != "import torch"]) == 3
