"""The command line. ``augment --help`` imports neither torch nor Prefect; a command's module loads when it runs."""

import importlib
import json
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from singanimation.flows import interrupts
from singanimation.flows.options import QuietOption, check_input, with_settings
from singanimation.pipeline.errors import ExitCode, SinganimationError
from singanimation.pipeline.files.places import is_stores_own, why
from singanimation.pipeline.settings import make_settings

COMMANDS: dict[str, str] = {
    "edit": "Edit the expression of faces: one picture per edit, and a sheet.",
    "aus": "Estimate the action units of faces, as CSV.",
    "serve": "Augment on a schedule.",
    "train": "Train the models: `augment train au|ganimation --input FACES`.",
    "singan": "The SinGAN of one picture: sample, enlarge, paint, harmonise, edit, animate.",
    "evaluate": "Measure the models: `augment evaluate models --input FACES`.",
    "verify": "Check a manifest.",
    "prune": "Take out rows of pictures that changed or left the data set.",
    "forget": "Take out a person's rows, for good.",
    "compact": "Join a manifest's many parts into few.",
    "figure": "Draw figures for print: single units, paths, emotions, regenerations.",
    "report": "See a manifest: one page with counts, distributions, warnings and a gallery.",
    "study": "Ask people: real or fake, and which emotion.",
    "export": "Hand a manifest over in another layout.",
    "weights": "List, fetch, verify and import weights.",
    "doctor": "Check this machine and installation.",
}
"""Command -> its line in the help. Each is a module of ``commands`` with a typer ``app``."""


class LazyGroup(TyperGroup):
    """A command group that imports a command's module only when that command runs.

    Until then light stand-ins with the command's line serve the help, the completion and "did you mean".
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, line in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the module of the command that is asked for."""
        if args[0] not in COMMANDS:
            return super().resolve_command(ctx, args)
        module = importlib.import_module(f"singanimation.flows.commands.{args[0]}")
        interrupts.begin()
        command = typer.main.get_command(module.app)
        command.name = args[0]
        _show_plainly(command)
        return args[0], command, args[1:]


def _show_plainly(command: Any) -> None:
    """Give a command and those below it the help without boxes: in 80 columns boxes cut options' names off."""
    command.rich_markup_mode = None
    for below in getattr(command, "commands", {}).values():
        _show_plainly(below)


app = typer.Typer(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},  # the commands inherit it
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
@with_settings
def augment(
    context: typer.Context,
    options: dict[str, Any],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    quiet: QuietOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and stop.")] = False,
) -> None:
    """Grow a facial-expression data set: edit each face, regenerate the edits, keep the good ones.

    Exit codes: 0 done; 1 nothing was accepted; 2 wrong usage or input, nothing started; 3 done but for sources
    lost to faults of machine or disk; 130 interrupted.
    """
    if version:
        from singanimation.pipeline.digests import code_version

        typer.echo(code_version())
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    check_input(options)
    settings = make_settings(**options)
    from singanimation.flows.commands.augment import run_main_job

    raise typer.Exit(int(run_main_job(settings, dry_run=dry_run, quiet=quiet, as_json=as_json)))


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(run())


def run() -> int:
    """Return the command line's exit code; what users do wrong becomes one sentence on stderr and no traceback."""
    try:
        code = app(prog_name="augment", standalone_mode=False)
        if code == ExitCode.INTERRUPTED:  # what the parser makes of Ctrl-C
            code = complain(interrupts.SENTENCE, ExitCode.INTERRUPTED)
    except SinganimationError as error:
        if interrupts.came():  # what it complains of is that
            code = complain(interrupts.SENTENCE, ExitCode.INTERRUPTED)
        else:
            code = complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = complain(interrupts.SENTENCE, ExitCode.INTERRUPTED)
    except Exception as error:
        if is_stores_own(error) and not isinstance(error, OSError):
            code = complain(
                f"The bucket does not answer ({why(error)}); what was finished is kept.", ExitCode.PARTLY_DONE
            )
        else:
            code = _command_line_error(error)
    return code if isinstance(code, int) else int(ExitCode.DONE)


def _command_line_error(error: Exception) -> int:
    """Say what the option parser found wrong; anything else is a fault of ours and goes on as it is.

    By name: releases of typer bring click along in different places.
    """
    name = type(error).__name__
    if name == "Exit":
        return int(getattr(error, "exit_code", 0))
    if name == "Abort":
        return complain(interrupts.SENTENCE, ExitCode.INTERRUPTED)
    message = getattr(error, "format_message", None)
    if message is None:
        raise error
    if name == "NoArgsIsHelpError":
        print(error, file=sys.stderr)
        return int(ExitCode.USAGE)
    # typer checks values by pydantic, which names the kind of its error first
    return complain(message().replace("Value error, ", ""), ExitCode.USAGE)


def complain(message: str, code: int) -> int:
    """Print one sentence on stderr and return the exit code."""
    print(f"augment: {message}", file=sys.stderr)
    return int(code)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(content, indent=2, sort_keys=True, default=str))


if __name__ == "__main__":
    main()
