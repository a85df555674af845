"""The rows of one source: what became of it, its edits and its variants, in the manifest's words."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

import numpy as np

from singanimation.flows.source.expressed import Expressed
from singanimation.flows.source.remaining import Attempt, EditWork, canonical_label
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.digests import code_version, digest
from singanimation.pipeline.expressions import COMPOUNDS
from singanimation.pipeline.plan import LABEL_STRENGTH, plan_seed
from singanimation.pipeline.records import ExpressionTarget, Fault, Row

NOT_LOOKED_AT = Expressed()


class RowMaker:
    """Builds the rows of one source; what all of them share is written once."""

    def __init__(self, identity: Identity, run_id: str) -> None:
        self._identity = identity
        source, settings, models = identity.source, identity.settings, identity.fingerprint
        label = canonical_label(source)
        self._base = Row(
            variant_id=identity.real(),
            kind="real",
            dataset=source.dataset,
            source_id=source.source_id,
            source_path=source.source_path,
            source_sha256=identity.sha256,
            split=source.split,
            group_id=source.group_id or source.source_id,
            licence=source.licence,
            label=label,
            source_label=source.source_label,
            label_weights=source.label_weights,
            label_origin="source" if label else None,
            run_id=run_id,
            created_at=datetime.now(UTC),
            code_version=code_version(),
            settings_sha256=settings.settings_digest(),
            weights_sha256=models.editor,
        )

    def failed(self, reason: str, message: str) -> Row:
        """Return the source's row when it cannot be used."""
        return replace(self._base, status="failed", reason=reason, message=message)

    def real(self, size: tuple[int, int], au_source: np.ndarray, message: str | None, image: bytes | None) -> Row:
        """Return the source's row; ``size`` is height, width; ``image`` its PNG when it is to be embedded."""
        units = as_tuple(au_source)
        row = replace(self._base, width=size[1], height=size[0], au_source=units, au_measured=units)
        estimator = (
            self._identity.source.units_from if self._identity.own_units else self._identity.fingerprint.estimator
        )
        row = replace(row, au_estimator=estimator, message=message)
        return self._with_image(row, image, "real") if image is not None else row

    def edit(
        self, work: EditWork, au_source: np.ndarray, shipped: "Shipped", expressed: Expressed = NOT_LOOKED_AT
    ) -> Row:
        """Return the row of an edit; ``expressed`` is what was found of it."""
        row = self._synthetic(work, au_source, shipped, "edit")
        return replace(
            row,
            expression_found=expressed.found,
            expression_source=expressed.source,
            status="rejected" if expressed.fault else "accepted",
            reason=expressed.fault.reason if expressed.fault else None,
            message=expressed.fault.message if expressed.fault else None,
            variant_id=work.edit_id,
            kind="edit",
            parent_id=self._base.variant_id,
            seed=plan_seed(self._identity.settings.seed, self._identity.source.source_id),
        )

    def variant(
        self,
        work: EditWork,
        attempt: Attempt,
        au_source: np.ndarray,
        shipped: "Shipped",
        judged: tuple[float, Fault | None],
        start_size: int,
    ) -> Row:
        """Return the row of an attempted variant; ``judged`` is its SIFID, and why it is rejected, if it is."""
        sifid, fault = judged
        row = self._synthetic(work, au_source, shipped, f"{attempt.start}_{attempt.index}")
        models = self._identity.fingerprint
        return replace(
            row,
            variant_id=attempt.variant_id,
            kind="variant",
            parent_id=work.edit_id,
            seed=attempt.seed,
            engine=self._identity.settings.engine,
            start_scale=attempt.start,
            start_size=start_size,
            sifid=sifid,
            sifid_features=models.sifid_name,
            status="rejected" if fault else "accepted",
            reason=fault.reason if fault else None,
            message=fault.message if fault else None,
        )

    def _synthetic(self, work: EditWork, au_source: np.ndarray, shipped: "Shipped", suffix: str) -> Row:
        target, estimator = work.target, self._identity.fingerprint.estimator
        theirs = self._identity.source.units_from
        row = replace(
            self._base,
            label=target.label,
            label_weights=target.label_weights,
            label_origin=target.label_origin,
            edit_kind=target.kind,
            edit_name=target.name,
            edit_strength=target.strength,
            edit_form=target.form,
            edit_donor=target.donor,
            attribute=target.attribute,
            attribute_change=target.change,
            attribute_weights=self._identity.fingerprint.attributes if target.attribute else None,
            compound=self._compound(target),
            au_source=as_tuple(au_source),
            au_target=target.action_units,
            au_measured=as_tuple(shipped.action_units),
            au_estimator=f"au_source {theirs}, au_measured {estimator}" if self._identity.own_units else estimator,
            width=shipped.size[1],
            height=shipped.size[0],
        )
        form = f"-{target.form}" if target.form else ""
        name = f"{target.kind}-{target.name.replace('>', '-to-')}{form}@{target.strength:.2f}__{suffix}"
        return self._with_image(row, shipped.png, name)

    def _compound(self, target: ExpressionTarget) -> str | None:
        """A compound emotion is the row's label by name where the set is one of compounds, else it has none."""
        has_compounds = self._identity.source.dataset == "raf-db-compound"
        strong = target.strength >= LABEL_STRENGTH
        return target.name if has_compounds and strong and target.name in COMPOUNDS else None

    def _with_image(self, row: Row, png: bytes, name: str) -> Row:
        source = self._identity.source
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", PurePosixPath(source.source_path).stem)
        path = f"{stem}-{digest(source.source_id, length=8)}__{name}.png"
        return replace(row, image=png, image_path=path, image_sha256=sha256_hex(png))


@dataclass(frozen=True)
class Shipped:
    """A synthetic picture as it is shipped: PNG bytes, (height, width), and its measured action units (17,)."""

    png: bytes
    size: tuple[int, int]
    action_units: np.ndarray


def as_tuple(units: np.ndarray) -> tuple[float, ...]:
    """Return an AU vector as plain floats."""
    return tuple(float(value) for value in units)


def sha256_hex(data: bytes) -> str:
    """Return the hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()
