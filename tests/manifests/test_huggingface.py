"""The ``datasets`` library reads parts as they are: pictures decoded, label names known."""

from collections.abc import Callable
from pathlib import Path

import pytest

from singanimation.manifests.write import write_part
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Row


def test_load_dataset_decodes_pictures_and_label_names(
    tmp_path: Path, source_rows: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    for name in ("a", "b"):
        write_part(tmp_path / "manifest", f"part-{name}.parquet", source_rows(name))
    files = str(tmp_path / "manifest" / "*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    assert len(loaded) == 22
    assert loaded.features["label"].names == list(EMOTIONS)
    real, edit = loaded[0], loaded[1]
    assert real["image"] is None and real["split"] == "train"
    assert edit["image"].size == (32, 32) and edit["image"].getpixel((0, 0)) == (1, 1, 1)
    assert loaded.features["label"].int2str(edit["label"]) == edit["label_name"] == "fear"
    assert len(edit["au_target"]) == 17
