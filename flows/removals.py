"""Taking rows out of a manifest from the command line: told first, done when asked, under the folder's lock."""

from collections.abc import Callable, Sequence
from pathlib import Path

from singanimation.manifests.care.compaction_plan import finish_compaction
from singanimation.manifests.care.removal import Removal, remove_rows
from singanimation.manifests.reading import MANIFEST_FOLDER, part_paths
from singanimation.manifests.write import remove_leftovers
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.places import place
from singanimation.pipeline.runs import hold_output

Plan = Callable[[Sequence[Path]], Removal]


def remove(
    output: Path, plan: Plan, *, apply: bool, before: Callable[[Path, Removal], None] = lambda output, removal: None
) -> Path:
    """Print what ``plan`` would take out; with ``apply`` take it out. Returns the output folder.

    ``before`` is called with the lock held, before the first part is written anew. Raises UsageError for a folder that
    is no output folder, and what ``plan`` raises.
    """
    output = place(output)
    if output.absolute().name == MANIFEST_FOLDER and not (output / MANIFEST_FOLDER).is_dir():
        output = output.absolute().parent
    if not (output / MANIFEST_FOLDER).is_dir():
        raise UsageError(f"{output} is no output folder: it has no folder {MANIFEST_FOLDER}.")
    if not apply:
        removal = plan(part_paths(output))
        _tell(removal)
        print("This was the dry run; --yes takes these rows out." if removal.rows else "Nothing to do.")
        return output
    with hold_output(output):
        _clear(output)
        removal = plan(part_paths(output))
        _tell(removal)
        before(output, removal)
        if removal.rows:
            record = remove_rows(output, removal)
            print(f"Taken out; recorded in {record}.")
        else:
            print("Nothing to do.")
    return output


def _tell(removal: Removal) -> None:
    for note in removal.notes:
        print(note)
    if removal.rows:
        print(f"{removal.sentence()}.")


def _clear(output: Path) -> None:
    """Finish what killed runs left, as a run does at its start."""
    remove_leftovers(output / MANIFEST_FOLDER)
    finish_compaction(output / MANIFEST_FOLDER)
