"""Every Python block of docs/python.md runs, in order, beside a portrait."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_on_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    Image.fromarray(astronaut()[:256, 96:352]).save(tmp_path / "portrait.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(code, str(PAGE), "exec"), names)
    assert names["afraid"].size == (256, 256) and names["units"].shape == (17,)
    assert len(names["edits"]) == 2 and names["crops"][0].size == (128, 128) and names["table"].shape == (2, 17)
    assert len(names["variants"]) == 3 and names["plan"]["variants"] == 8
    assert names["picture"].shape == (3, 256, 256) and 0 <= names["label"] < 7
    assert np.asarray(names["afraid"]).std() > 0
