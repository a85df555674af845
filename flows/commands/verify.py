"""`augment verify`: is a manifest whole, sound, and free of leakage?"""

from pathlib import Path
from typing import Annotated

import typer

from singanimation.pipeline.errors import ExitCode

app = typer.Typer(add_completion=False)

_INPUT = "The data set that the rows came from; by default what the runs were given, where it is still there."


@app.command()
def verify(
    output: Annotated[Path, typer.Argument(help="An output folder, its manifest folder, or one part.")],
    pictures: Annotated[bool, typer.Option(help="Check each picture's bytes against its hash too.")] = True,
    input: Annotated[str | None, typer.Option(help=_INPUT, metavar="DATA", show_default=False)] = None,
    data_root: Annotated[Path, typer.Option(help="Where named sets lie.", envvar="SINGANIMATION_DATA")] = Path("data"),
    splits_from: Annotated[str | None, typer.Option(help="The job's option of that name, where it had one.")] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Do not compare with the data set.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check files, values, splits, people, duplicates, parents, summaries, and rows that the data set has left behind.

    Each fault comes with what mends it. Exit code 1 when there are faults.
    """
    from singanimation.flows.cli import print_json
    from singanimation.manifests.care.verify import verify as check
    from singanimation.manifests.run_settings import Input, open_inputs
    from singanimation.pipeline.files.places import place

    output = place(output)
    if no_input:
        datasets, notes = [], []
    elif input is not None:
        datasets, notes = [Input(input, data_root, splits_from).open()], []
    else:
        datasets, notes = open_inputs(output)
    result = check(output, pictures=pictures, datasets=datasets)
    told = [*result.notes, *notes]
    if as_json:
        faults = [{"check": fault.check, "message": fault.message, "advice": fault.advice} for fault in result.faults]
        print_json({"clean": result.clean, "parts": result.parts, "rows": result.rows, "faults": faults, "notes": told})
    else:
        for fault in result.faults:
            print(f"{fault.check}: {fault.message}{f' Advice: {fault.advice}.' if fault.advice else ''}")
        for note in told:
            print(f"note: {note}")
        verdict = "clean" if result.clean else f"{len(result.faults):,} faults"
        print(f"{output}: {result.parts:,} parts, {result.rows:,} rows, {verdict}.")
    if not result.clean:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))
