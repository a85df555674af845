"""The main job from Python: ``augment``."""

import multiprocessing
from pathlib import Path
from typing import Any

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.settings import make_settings


def augment(
    input: Path | str,
    *,
    per_image: int | None = None,
    output: Path | str | None = None,
    dry_run: bool = False,
    quiet: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Grow a data set as ``augment --input ... --per-image ...`` does, and return the summary of the run.

    ``input`` is anything that ``--input`` takes; ``output`` the growing folder (default ``augmented/<input>``);
    ``settings`` are the other options by their names (``edits=4, engine="patch", workers=2``; ``augment --help`` and
    docs/command-line.md). ``dry_run`` returns the plan (sources, edits, variants, seconds, bytes) and writes nothing;
    with ``quiet=False`` progress is shown on stderr.

    The summary holds ``output``, ``manifest``, ``exit_code`` (as the command's: 0 done, 1 nothing accepted, 3 partly
    done), ``sources``, ``edits`` and ``variants`` with accepted and rejected by reason; ``singanimation.read(output)``
    gives the rows. What a user does wrong raises UsageError (and its kin), all below ``SinganimationError``.

    Worker processes are started: in a script call it below ``if __name__ == "__main__":``.

    >>> plan = augment("sample", per_image=4, edits=2, dry_run=True)
    >>> plan["sources"], plan["edits"], plan["variants"]
    (1, 2, 4)
    """
    if multiprocessing.parent_process() is not None:
        raise UsageError(
            "augment(...) was called again while a worker process imported your script: put it below `if __name__ == "
            '"__main__":`.'
        )
    resolved = make_settings(input=str(input), per_image=per_image, output=output, **settings)
    from singanimation.flows.commands.augment import run_plan
    from singanimation.flows.job.plan import plan_run
    from singanimation.flows.job.preview import make_preview

    plan = plan_run(resolved)
    return make_preview(plan).as_json() if dry_run else run_plan(plan, quiet=quiet)
