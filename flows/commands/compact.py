"""`augment compact`: join a manifest's many parts into few."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def compact(output: Annotated[Path, typer.Argument(help="An output folder.")]) -> None:
    """Merge small parts into large ones; rows stay as they are. Never happens by itself."""
    from singanimation.manifests.care.compact import compact as merge
    from singanimation.manifests.reading import MANIFEST_FOLDER, part_paths
    from singanimation.pipeline.files.places import place
    from singanimation.pipeline.runs import hold_output

    output = place(output)
    if output.absolute().name == MANIFEST_FOLDER and not (output / MANIFEST_FOLDER).is_dir():
        output = output.absolute().parent  # runs hold the output folder, not the manifest in it
    part_paths(output)  # says where there is none, before a folder is made for the lock
    with hold_output(output):
        done = merge(output)
    print(f"{output}: {done.rows:,} rows, {done.before:,} parts before, {done.after:,} now.")
