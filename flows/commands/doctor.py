"""`augment doctor`: can the main job run here, how fast, and what to do where it cannot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from singanimation.flows.cli import print_json
from singanimation.flows.diagnosis.checks import (
    OK,
    PROBLEM,
    Check,
    Finding,
    check_dataset,
    check_disk,
    check_estimators,
    check_machine,
    check_python,
    check_weights,
)
from singanimation.flows.diagnosis.speed import check_speed
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.settings import Settings, make_settings

app = typer.Typer(add_completion=False)

CHECKS: tuple[Check, ...] = (
    check_python,
    check_machine,
    check_disk,
    check_weights,
    check_estimators,
    check_dataset,
    check_speed,
)
_COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}


@app.command()
def doctor(
    source: Annotated[str | None, typer.Option("--input", help="A data set that the main job is to read.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Where named sets lie.")] = None,
    output: Annotated[Path, typer.Option(help="Where the main job is to write.")] = Path("augmented"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check this machine and installation, line by line, with what to do.

    Exit codes: 0 the main job can run; 1 it cannot.
    """
    settings = make_settings(input=source, data_root=data_root, output=output) if source else None
    findings = examine(settings, output, CHECKS)
    can_run = all(finding.state != PROBLEM for finding in findings)
    if as_json:
        print_json({"can_run": can_run, "checks": [vars(finding) for finding in findings]})
    else:
        _print(findings, can_run)
    if not can_run:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))


def examine(settings: Settings | None, output: Path, checks: Sequence[Check]) -> list[Finding]:
    """Run the checks. A library that cannot be imported, or a check that fails by itself, is a finding too."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(settings, output)
        except ImportError as error:
            advice = "pip install -c constraints.txt -e . in the checkout"
            findings.append(Finding("libraries", PROBLEM, f"cannot be imported: {error}", advice))
        except Exception as error:  # the other lines are worth more than a traceback
            name = check.__name__.removeprefix("check_")
            findings.append(
                Finding(name, PROBLEM, f"{type(error).__name__}: {error}", "report this as a fault of ours")
            )
    return findings


def _print(findings: Sequence[Finding], can_run: bool) -> None:
    table = Table(title="augment doctor", title_justify="left")
    for column in ("check", "state", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        state = Text(finding.state, style=_COLOURS[finding.state])
        table.add_row(finding.name, state, finding.found, finding.advice)
    console = Console(markup=False, emoji=False)
    console.print(table)
    notes = sum(finding.state not in (OK, PROBLEM) for finding in findings)
    problems = sum(finding.state == PROBLEM for finding in findings)
    if can_run:
        console.print(f"The main job can run ({notes} notes).")
    else:
        console.print(f"The main job cannot run: {problems} problems.")
