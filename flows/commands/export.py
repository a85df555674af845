"""`augment export`: hand a manifest over in another layout."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="An output folder.", metavar="OUT")],
    to: Annotated[str, typer.Option(help="hf, imagefolder, raf-db, webdataset or csv.")],
    output: Annotated[Path, typer.Option(help="A new folder.")],
    real: Annotated[bool, typer.Option(help="Include the real pictures, where they are at hand.")] = True,
    input: Annotated[Path | None, typer.Option(help="Where the sources' files lie, if not embedded.")] = None,
    edits: Annotated[bool, typer.Option("--edits", help="Include the edits themselves.")] = False,
    all_rows: Annotated[bool, typer.Option("--all", help="Rejected rows too, not only accepted ones.")] = False,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Rows without a label too.")] = False,
    splits: Annotated[str | None, typer.Option(help="Only these splits, comma-separated.")] = None,
) -> None:
    """Write accepted, labelled pictures as Hugging Face shards, class folders, RAF-DB's tree, WebDataset or CSV."""
    from singanimation.manifests.exports import ExportOptions
    from singanimation.manifests.exports import export as write

    chosen = tuple(part.strip() for part in splits.split(",") if part.strip()) if splits else None
    options = ExportOptions(
        real=real, edits=edits, every_status=all_rows, unlabelled=unlabelled, splits=chosen, input_root=input
    )
    report = write(source, to, output, options)
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for (split, label, kind), count in sorted(report.counts.items(), key=str):
        print(f"{split:>10} {label or 'no label':>10} {kind:>8} {count:,}")
    print(f"{report.total:,} pictures in {report.output}; mind the licences in {report.output / 'LICENCES.txt'}.")
