"""`augment forget`: take out all rows of a person who withdrew their consent."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

_TRACES = ("contact_sheet.png", "report", "runs/*/log", "runs/*/summary.json", "runs/balance-*.json")


@app.command()
def forget(
    output: Annotated[Path, typer.Argument(help="An output folder.", metavar="OUT")],
    group: Annotated[str, typer.Option(help="The person's group_id.", metavar="PERSON")],
    dataset: Annotated[str | None, typer.Option(help="Only in the data set of this name.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; without this only what would go is told.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go (the default).")] = False,
) -> None:
    """Take out a person's pictures, edits and variants, and what was made with them as a donor.

    A dry run unless --yes is given. Later runs into this folder, and exports of it, leave the person's pictures out
    even where they are still in the data set. What went is recorded in runs/<id>/removal.json, without name or picture.
    """
    from singanimation.flows.removals import remove
    from singanimation.manifests.care.forget import plan_forget
    from singanimation.manifests.care.removal import Removal
    from singanimation.pipeline.forgotten import remember_to_forget

    def before(folder: Path, removal: Removal) -> None:
        remember_to_forget(folder, removal.people)
        (folder / "contact_sheet.png").unlink(missing_ok=True)

    folder = remove(
        output, partial(plan_forget, group=group, dataset=dataset), apply=yes and not dry_run, before=before
    )
    left = sorted(str(path.relative_to(folder)) for trace in _TRACES for path in folder.glob(trace))
    if left:
        print(f"May still show or name the person, look through them: {', '.join(left)}; and earlier exports.")
