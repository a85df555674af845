"""`augment export`: hand a manifest over in another layout."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(add_completion=False)

Layout = Literal["hf", "imagefolder", "raf-db", "webdataset", "csv"]
RealChoice = Literal["all", "train", "none"]

_REAL = "Real pictures of all splits, of train alone, or none."
_INPUT = "The data set that was augmented, as the job's --input names it: every real picture of it goes out."

_REPO = "OWNER/NAME"
_MAY = "With --push: you have the right to pass the pictures on, though a source's licence does not say so."


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="An output folder.", metavar="OUT")],
    to: Annotated[Layout, typer.Option(help="The layout.")],
    output: Annotated[Path, typer.Option(help="A new folder.")],
    real: Annotated[RealChoice, typer.Option(help=_REAL)] = "all",
    input: Annotated[str | None, typer.Option(help=_INPUT, metavar="DATA")] = None,
    data_root: Annotated[Path, typer.Option(help="Where named sets lie.", envvar="SINGANIMATION_DATA")] = Path("data"),
    splits_from: Annotated[str | None, typer.Option(help="The job's option of that name, where it had one.")] = None,
    edits: Annotated[bool, typer.Option("--edits", help="Include the edits themselves.")] = False,
    all_rows: Annotated[bool, typer.Option("--all", help="Rejected rows too, not only accepted ones.")] = False,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Rows without a label too.")] = False,
    splits: Annotated[str | None, typer.Option(help="Only these splits, comma-separated, or all.")] = None,
    push: Annotated[
        str | None,
        typer.Option(help="Send the export (--to hf) to this data set on the Hugging Face hub.", metavar=_REPO),
    ] = None,
    may_redistribute: Annotated[bool, typer.Option("--may-redistribute", help=_MAY)] = False,
    no_real: Annotated[bool, typer.Option("--no-real", help="As --real none.", hidden=True)] = False,
) -> None:
    """Write real and accepted synthetic pictures as Hugging Face shards, class folders, RAF-DB's tree, WebDataset, CSV.

    Only pictures with a label go out, unless asked. What is left out is counted.
    """
    from singanimation.manifests.exports import export as write
    from singanimation.manifests.exports import make_options
    from singanimation.manifests.exports.push import check_hub, check_push, licences_of
    from singanimation.manifests.exports.push import push as send

    options = make_options(
        real="none" if no_real else real,
        splits=splits,
        edits=edits,
        every_status=all_rows,
        unlabelled=unlabelled,
        input=input,
        data_root=data_root,
        splits_from=splits_from,
    )
    if push is not None:
        check_push(push, to, licences_of(source), may_redistribute)
        check_hub(push)
    report = write(source, to, output, options)
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for (split, label, kind), count in sorted(report.counts.items(), key=str):
        print(f"{split:>10} {label or 'no label':>10} {kind:>8} {count:,}")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.kinds().items())
    licences = report.output / "LICENCES.txt"
    print(f"{report.total:,} pictures ({kinds}) in {report.output}; mind the licences in {licences}.")
    if push is not None:
        # with --input other sources may have come in than the manifest's
        check_push(push, to, {*report.licences, *([None] if report.unlicensed else [])}, may_redistribute)
        print(f"Sent to {send(report.output, push)}")
