"""examples/train_classifier.py, from a manifest to a confusion matrix."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from singanimation.manifests.write import write_part
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "train_classifier.py"
EMOTIONS = ("happiness", "anger", "neutral")


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_classifier", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _grey(place: int, seed: int) -> bytes:
    """A picture whose upper, middle or lower third is bright."""
    picture = np.random.default_rng(seed).integers(0, 60, (48, 48, 3), np.uint8)
    picture[16 * place : 16 * place + 16] += 150
    return encode_png(picture)


def _rows(person: str, split: str, seed: int) -> list[Row]:
    emotion = EMOTIONS[seed % 3]
    base: dict[str, Any] = {
        "dataset": "toy",
        "source_id": person,
        "source_path": person,
        "source_sha256": person,
        "split": split,
    }
    base |= {"group_id": person, "licence": "CC0-1.0", "run_id": "run", "width": 48, "height": 48}
    base |= {"au_measured": tuple([0.1] * 17)}
    rows = [Row(variant_id=f"{person}-real", kind="real", label=emotion, image=_grey(seed % 3, seed), **base)]
    for place, other in enumerate(EMOTIONS):
        if other != emotion:
            made: dict[str, Any] = {
                "parent_id": rows[0].variant_id,
                "edit_kind": "discrete",
                "edit_name": other,
                "edit_strength": 1.0,
            }
            name = f"{person}-{other}"
            rows.append(Row(variant_id=name, kind="edit", label=other, image=_grey(place, seed + 99), **base, **made))
    return rows


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[tuple[str, ...]], Path]:
    def make(splits: tuple[str, ...]) -> Path:
        for number in range(24):
            rows = _rows(f"p{number}", splits[number % len(splits)], number)
            write_part(tmp_path / "manifest", f"part-{number}.parquet", rows)
        return tmp_path

    return make


def test_the_example_ends_in_a_confusion_matrix(example: ModuleType, manifest: Callable[..., Path]) -> None:
    app = typer.Typer()
    app.command()(example.main)
    output = manifest(("train", "train", "train", "train", "test"))
    done = CliRunner().invoke(app, [str(output), "--steps", "30", "--batch", "12"])
    assert done.exit_code == 0, done.output
    assert "20 real and 40 synthetic pictures to train on, 4 real ones to test on" in done.output
    lines = [line.split() for line in done.output.splitlines()]
    matrix = {line[0]: line[1:8] for line in lines if line and line[0] in EMOTIONS}
    assert sum(int(count) for row in matrix.values() for count in row) == 4
    assert float(lines[-1][1]) > 0.5


def test_a_manifest_without_training_pictures_is_told_in_a_sentence(
    example: ModuleType, manifest: Callable[..., Path]
) -> None:
    app = typer.Typer()
    app.command()(example.main)
    done = CliRunner().invoke(app, [str(manifest(("test",)))])
    assert done.exit_code == 2 and "--include-real" in done.output


def test_without_a_test_split_people_are_kept_for_the_test(example: ModuleType, manifest: Callable[..., Path]) -> None:
    real, synthetic, tested = example.parts(manifest(("train",)))
    assert set(real.groups) == set(synthetic.groups) and not set(real.groups) & set(tested.groups)
    assert len(real) + len(tested) == 24 and len(tested) >= 2


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 150
