"""Rows of an engine whose pixels changed get ids of their own."""

from dataclasses import replace

import pytest

from singanimation.pipeline import settings as module
from singanimation.pipeline.settings import Settings


def test_another_version_of_an_engine_and_other_start_weights_are_other_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Settings(input="x", engine="fast")
    before, edit = fast.pixel_digest(), fast.edit_digest()
    monkeypatch.setitem(module._ENGINE_VERSIONS, "fast", 99)
    assert fast.pixel_digest() != before and fast.edit_digest() == edit
    monkeypatch.undo()
    entry = module.get_entry("singan-start")
    monkeypatch.setattr(module, "get_entry", lambda name: replace(entry, sha256="0" * 64))
    assert fast.pixel_digest() != before


def test_the_version_one_of_an_engine_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = Settings(input="x", engine="patch")
    before = patch.pixel_digest()
    monkeypatch.setattr(module, "get_entry", lambda name: pytest.fail("patch begins from no weights"))
    assert patch.pixel_digest() == before
    assert module._ENGINE_VERSIONS["patch"] == 1
