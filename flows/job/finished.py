"""What earlier runs found finished, so that it need not be worked out again: planning a million rows takes seconds.

Only a memory of ``state_of``: each entry digests all that the answer hangs on (the source's rows and their statuses,
its label, frame, allotment, donors and own inputs; the file's key digests settings, models and version), so that it is
either right or not looked at. Losing the file costs those seconds and nothing else.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from singanimation.flows.models import Fingerprint
from singanimation.flows.source.remaining import State, canonical_label, state_of
from singanimation.flows.source.row_ids import Identity
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.digests import code_version, digest
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.settings import Settings

NAME = "finished.json"


class Finished:
    """The sources that are done, by the id of their real row; kept as ``runs/finished.json`` of the output folder.

    A run fills it as it finds and finishes sources, and saves it at its end.
    """

    def __init__(self, output: Path, settings: Settings, models: Fingerprint) -> None:
        """Read what the last run with the same settings and models found; nothing where there was none."""
        self._path = output / "runs" / NAME
        self._key = digest(
            code_version(),
            settings.seed,
            settings.per_image,
            settings.edits,
            settings.expressions,
            settings.pixel_digest(**models.resolved()),
        )
        self._before = self._read()
        self._now: dict[str, tuple[str, int]] = {}

    def state_of(self, identity: Identity, disk: ManifestScan) -> State:
        """Return ``state_of`` by the rows that ``disk`` holds, from memory where it can; remember what is done."""
        source = identity.source
        rows = disk.rows_digest(source.dataset, source.source_id)
        if rows is None:
            return State(False)
        real, entry = identity.real(), self._entry(identity, rows)
        missing = self._before.get(real, ("", 0))
        if missing[0] == entry:
            self._now[real] = missing
            return State(True, missing[1])
        known = disk.known(source.dataset, source.source_id)
        state = state_of(identity, known)
        if state.done and known[real] != "failed":  # whether failed ones are done is for --retry-failed to say
            self._now[real] = (entry, state.missing)
        return state

    def save(self) -> None:
        """Keep what was found, where it is news. A disk that cannot take it is no reason to stop."""
        found = {**self._before, **self._now}  # sources that this run's --limit left out stay
        if found == self._before:
            return
        with suppress(MachineError), atomic_file(self._path) as file:
            file.write(json.dumps({"key": self._key, "sources": found}).encode())

    def _read(self) -> Mapping[str, tuple[str, int]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["key"] != self._key:
                return {}
            return {real: (str(entry), int(missing)) for real, (entry, missing) in content["sources"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    @staticmethod
    def _entry(identity: Identity, rows: str) -> str:
        allotment = None if identity.allotment is None else sorted(identity.allotment.items())
        donors = sorted((emotion, donor.source_id) for emotion, donor in (identity.donors or {}).items())
        return digest(rows, canonical_label(identity.source), identity.frame, allotment, donors, identity.own_inputs)
