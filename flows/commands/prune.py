"""`augment prune`: take out rows of pictures that are gone from the data set, or changed in it."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def prune(
    output: Annotated[Path, typer.Argument(help="An output folder.", metavar="OUT")],
    input: Annotated[str, typer.Option(help="The data set as it is now, as the job's --input.", metavar="DATA")],
    data_root: Annotated[Path, typer.Option(help="Where named sets lie.", envvar="SINGANIMATION_DATA")] = Path("data"),
    splits_from: Annotated[str | None, typer.Option(help="The job's option of that name, where it had one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; without this only what would go is told.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go (the default).")] = False,
) -> None:
    """Take out the rows of pictures that were deleted, moved, replaced, or given another label, split or person.

    A dry run unless --yes is given. Rows of other data sets stay. Each part is written anew whole; what went is
    recorded in runs/<id>/removal.json. The job then makes the rows of what changed anew.
    """
    from singanimation.flows.removals import remove
    from singanimation.manifests.care.prune import plan_prune
    from singanimation.manifests.run_settings import Input

    dataset = Input(input, data_root, splits_from).open()
    remove(output, partial(plan_prune, dataset=dataset), apply=yes and not dry_run)
