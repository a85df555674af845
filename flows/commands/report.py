"""`augment report`: one page to look at: what was asked, counts, distributions, and a gallery of every picture."""

from pathlib import Path
from typing import Annotated

import typer

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.places import in_bucket, place

app = typer.Typer(add_completion=False)


@app.command()
def report(
    output: Annotated[Path, typer.Argument(help="An output folder of `augment`.")],
    to: Annotated[Path | None, typer.Option("--output", help="Folder of the page; default: OUTPUT/report.")] = None,
    most: Annotated[int, typer.Option(min=1, help="At most about so many pictures in the gallery.")] = 5000,
    masks: Annotated[int, typer.Option(min=0, help="Attention masks are drawn anew for so many edits.")] = 200,
    strips: Annotated[int, typer.Option(min=0, help="Sources with sliders over strength and alpha.")] = 2,
) -> None:
    """Write a page that opens from its file, without a network: counts, reasons, distributions, warnings, a gallery.

    The sources' pictures come from the input that the last run named; attention masks and the sliders' strips are drawn
    anew with the run's own models.
    """
    from singanimation.flows.report.content import read_content, target_units
    from singanimation.flows.report.page import write_page
    from singanimation.flows.report.redrawn import redraw
    from singanimation.pipeline.runs import make_folder

    if to is None and in_bucket(output):
        raise UsageError(f"{place(output)} lies in a bucket: name a folder for the page, --output.")
    content = read_content(output, most)
    folder = to or output / "report"
    if folder.is_file():
        raise UsageError(f"--output {folder} is a file; name a folder.")
    make_folder(folder)
    wanted = target_units(content, masks)
    page = write_page(folder, content, redraw(content.rows, wanted, content.runs, masks=masks > 0, strips=strips))
    print(f"{page}: {len(content.rows):,} rows, {len(content.warnings):,} warnings.")
