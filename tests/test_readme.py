"""Every `augment` line that the documentation shows names commands and options that exist."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from singanimation.flows.cli import COMMANDS, app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINES = sorted(
    {
        line.split(" #")[0].strip().removeprefix("$ ")
        for page in PAGES
        for line in re.findall(r"^(?:\$ )?augment [^\n`]*", page.read_text(), re.MULTILINE)
    }
)


def test_the_pages_show_the_main_job_and_its_commands() -> None:
    assert any("--per-image" in line for line in LINES)
    assert {"edit", "aus", "verify", "export"} <= {line.split()[1] for line in LINES}


@pytest.mark.parametrize("line", LINES)
def test_a_shown_command_line_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    command = typer.main.get_command(app)
    if not words[0].startswith("-"):
        assert words[0] in COMMANDS, f"there is no command {words[0]!r}"
        command = typer.main.get_command(importlib.import_module(f"singanimation.flows.commands.{words[0]}").app)
        words = words[1:]
    if isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        _, found, _ = command.resolve_command(command.context_class(command), words)  # raises where there is none
        assert found is not None
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


def test_relative_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
