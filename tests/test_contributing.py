"""CONTRIBUTING.md names files, registries and commands that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`((?:pipeline|stages|manifests|flows|tests|docs)/[\w/.-]+)`", PAGE)))
ROWS = re.findall(r"^\| ([a-z][^|]*) \| `([^`]+)`[^|]* \| (.+?) \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def test_the_page_fits_a_screen_and_names_files() -> None:
    assert len(PAGE.splitlines()) < 80 and len(QUOTED) > 20 and len(ROWS) >= 6


@pytest.mark.parametrize("name", QUOTED)
def test_a_named_file_exists(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("found_by", [row[2] for row in ROWS])
def test_a_named_registry_is_in_the_named_file(found_by: str) -> None:
    names = re.findall(r"`(\w+)(?:\.\w+)?` in `([\w/.]+)`", found_by)
    assert names or found_by.startswith(("`VariantChecks.first_fault`", "itself"))
    for name, path in names:
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), f"{name} in {path}"
