"""The action units that a source's donors give."""

from collections.abc import Mapping

import numpy as np

from singanimation.flows.models import Models
from singanimation.flows.source.expressed import Expressed
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.records import ExpressionTarget, Fault, Source

NO_DONOR = "no_donor"
_REMEMBERED = 4096

_units: dict[tuple[str, str, str], np.ndarray | None] = {}


def units_of_donors(identity: Identity, models: Models) -> dict[str, np.ndarray]:
    """Return the action units (17,) of a source's donors by source_id; those without a usable face are absent.

    They are the set's own where the run takes those, else measured, once in a process for each picture.
    """
    found: dict[str, np.ndarray] = {}
    for donor in (identity.donors or {}).values():
        if identity.settings.aus == "openface" and donor.action_units is not None:
            found[donor.source_id] = np.array(donor.action_units, np.float32)
            continue
        units = _measured(donor, models)
        if units is not None:
            found[donor.source_id] = units
    return found


def without_donor(target: ExpressionTarget, units: Mapping[str, np.ndarray]) -> Expressed | None:
    """Return why an edit by donor cannot be made, None where it can."""
    if target.kind != "donor" or target.donor in units:
        return None
    return Expressed(fault=Fault(NO_DONOR, f"The donor {target.donor} has no usable face."))


def _measured(donor: Source, models: Models) -> np.ndarray | None:
    key = (donor.dataset, donor.source_id, models.fingerprint.estimator_digest)
    if key not in _units:
        if len(_units) >= _REMEMBERED:
            _units.clear()
        try:
            crop = models.faces.find_face(read_source(donor).pixels, donor)
            _units[key] = models.faces.action_units(crop.pixels[None])[0]
        except PictureError:
            _units[key] = None
    return _units[key]
