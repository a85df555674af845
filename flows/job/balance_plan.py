"""``--balance``: what each source is to give of each class, planned once and kept for the runs that follow.

The plan is saved in the output folder before any work, so that a run that goes on, or one that finds new pictures,
leaves the shares of the others as they are: new sources get what is lacking, and only a larger ``--per-image`` gives
more to those before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from singanimation.flows.source.remaining import canonical_label
from singanimation.flows.source.row_ids import Allotment
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.summary import summarize
from singanimation.pipeline.balance import Share, balance
from singanimation.pipeline.choices import plan_choices
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import OutputError, UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.plan import plan_seed
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings

Shares = Mapping[tuple[str, str], Share]
"""(data set, source id) -> what an earlier plan gave it."""


@dataclass(frozen=True)
class Allotments:
    """Each source's allotment in the order of the sources; ``kept`` and ``new`` count earlier and new shares."""

    each: Sequence[Allotment]
    kept: int
    grown: int
    new: int

    def sentence(self) -> str | None:
        """Return what a user should know of a plan that goes on with an earlier one, None for a first plan."""
        if not self.kept and not self.grown:
            return None
        grown = f", {self.grown:,} give more for the larger --per-image" if self.grown else ""
        return (
            f"--balance: {self.kept:,} sources keep what was planned for them before{grown}, "
            f"{self.new:,} new ones give what is lacking."
        )


def allot(sources: Sequence[Source], settings: Settings, disk: ManifestScan | None = None) -> Allotments:
    """Share the total out among the sources, split by split: a split is trained or measured on by itself.

    ``disk`` is what the output folder holds. Raises UsageError when no class may be made, OutputError for a damaged
    plan of an earlier run.
    """
    named = [name for name in EMOTIONS if name in settings.expressions or "discrete" in settings.expressions]
    if not named:
        raise UsageError("--balance makes discrete edits: --expressions must hold `discrete` or emotions.")
    before = read_shares(settings)
    shares = [_usable(before.get((source.dataset, source.source_id)), source) for source in sources]
    there = _there(sources, shares, settings, disk) if any(shares) else {}
    each: list[Allotment] = [{}] * len(sources)
    for split in dict.fromkeys(source.split for source in sources):
        places = [place for place, source in enumerate(sources) if source.split == split]
        labels = [canonical_label(sources[place]) for place in places]
        earlier = [shares[place] for place in places]
        orders = [_order(sources[place], share, settings) for place, share in zip(places, earlier, strict=True)]
        given = balance(labels, settings.per_image, named, earlier, there.get(split), orders)
        for place, allotment in zip(places, given, strict=True):
            each[place] = allotment
    grown = sum(share is not None and share.per_image < settings.per_image for share in shares)
    old = sum(share is not None for share in shares)
    return Allotments(each, old - grown, grown, len(sources) - old)


def shares_file(settings: Settings) -> Path:
    """Return where the plan lies: one for each choice of seed, expressions and what else makes rows other rows."""
    key = digest(settings.seed, ",".join(sorted(settings.expressions)), settings.pixel_digest(), length=16)
    return settings.output_folder / "runs" / f"balance-{key}.json"


def read_shares(settings: Settings) -> Shares:
    """Return what earlier runs planned, nothing where there were none. Raises OutputError for a damaged file."""
    path = shares_file(settings)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            (dataset, source_id): Share(
                int(per_image), {name: int(variants[name]) for name in EMOTIONS if name in variants}
            )
            for dataset, listed in content.items()
            for source_id, (per_image, variants) in listed.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        raise OutputError(
            f"{path} is damaged; remove it, and --balance plans anew as if no earlier run had been balanced."
        ) from None


def save_shares(sources: Sequence[Source], allotments: Allotments, settings: Settings) -> None:
    """Save the plan beside those of sources that are not in this run. Raises MachineError."""
    shares = dict(read_shares(settings))
    for source, allotment in zip(sources, allotments.each, strict=True):
        key = (source.dataset, source.source_id)
        had = shares.get(key)
        shares[key] = Share(max(settings.per_image, had.per_image if had else 0), allotment)
    content: dict[str, dict[str, Any]] = {}
    for (dataset, source_id), share in sorted(shares.items()):
        content.setdefault(dataset, {})[source_id] = [share.per_image, dict(share.variants)]
    with atomic_file(shares_file(settings)) as file:
        file.write(json.dumps(content).encode())


def _usable(share: Share | None, source: Source) -> Share | None:
    """Return an earlier share unless the source's label has become one of the classes that it was to give."""
    return None if share is None or canonical_label(source) in share.variants else share


def _there(
    sources: Sequence[Source], shares: Sequence[Share | None], settings: Settings, disk: ManifestScan | None
) -> dict[str, dict[str, int]]:
    """Return split -> class -> variants that came out, and those that are planned and not yet worked on."""
    counts: dict[str, dict[str, int]] = {source.split: {} for source in sources}
    if disk is not None and disk.rows:
        for split, labels in summarize(settings.output_folder)["classes"].items():
            counts[split] = {label: cell["variants"] for label, cell in labels.items()}
    for source, share in zip(sources, shares, strict=True):
        if share is not None and not (disk and disk.known(source.dataset, source.source_id)):
            for name, count in share.variants.items():
                counts[source.split][name] = counts[source.split].get(name, 0) + count
    return counts


def _order(source: Source, share: Share | None, settings: Settings) -> Sequence[str]:
    """Return a source's emotions in the order of its plan, where its share may grow."""
    if share is None or share.per_image >= settings.per_image:
        return ()
    seed = plan_seed(settings.seed, source.source_id)
    return [choice.aim for choice in plan_choices(canonical_label(source), EMOTIONS, len(EMOTIONS), seed)]
