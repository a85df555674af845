"""`augment verify`: is a manifest whole, sound, and free of leakage?"""

from pathlib import Path
from typing import Annotated

import typer

from singanimation.pipeline.errors import ExitCode

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    output: Annotated[Path, typer.Argument(help="An output folder, its manifest folder, or one part.")],
    pictures: Annotated[bool, typer.Option(help="Check each picture's bytes against its hash too.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check schema, hashes, splits, people, duplicates, parents and summaries; exit code 1 when there are faults."""
    from singanimation.flows.cli import print_json
    from singanimation.manifests.verify import verify as check

    result = check(output, pictures=pictures)
    if as_json:
        faults = [{"check": fault.check, "message": fault.message} for fault in result.faults]
        print_json({"clean": result.clean, "parts": result.parts, "rows": result.rows, "faults": faults})
    else:
        for fault in result.faults:
            print(f"{fault.check}: {fault.message}")
        verdict = "clean" if result.clean else f"{len(result.faults):,} faults"
        print(f"{output}: {result.parts:,} parts, {result.rows:,} rows, {verdict}.")
    if not result.clean:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))
