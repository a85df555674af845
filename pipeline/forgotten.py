"""People whose rows were taken out for good: later runs leave their pictures alone, exports too.

An output folder keeps digests of them alone, in ``runs/forgotten.json``: what was withdrawn should not be written down
anew.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import DatasetError, OutputError
from singanimation.pipeline.files.atomic import atomic_file

NAME = "forgotten.json"


def remember_to_forget(output: Path, people: Iterable[tuple[str, str]]) -> None:
    """Add (data set, group_id) pairs to those that an output folder leaves out. Raises MachineError for the disk."""
    found = _digests(output) | {digest("forgotten", dataset, group) for dataset, group in people}
    with atomic_file(output / "runs" / NAME) as file:
        file.write((json.dumps({"people": sorted(found)}, indent=1) + "\n").encode())


def without_forgotten(dataset: Dataset, output: Path) -> Dataset:
    """Return the data set without the people that an output folder forgot, and a warning with how many pictures.

    Raises DatasetError where no picture is left, OutputError for a file that cannot be read: nobody is to come back by
    an accident.
    """
    people = _digests(output)
    if not people:
        return dataset
    kept = [
        source
        for source in dataset.sources
        if digest("forgotten", source.dataset, source.group_id or source.source_id) not in people
    ]
    gone = len(dataset.sources) - len(kept)
    if not gone:
        return dataset
    sentence = f"{gone:,} pictures are of people that {output} was asked to forget, and are left out."
    if not kept:
        raise DatasetError(sentence)
    return replace(dataset, sources=kept, warnings=[*dataset.warnings, sentence])


def _digests(output: Path) -> set[str]:
    path = output / "runs" / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(each) for each in content["people"]}
    except (FileNotFoundError, NotADirectoryError):  # a file in the way is told by whoever wants to write there
        return set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(f"{path} cannot be read ({type(error).__name__}): put it right, or remove it.") from error
