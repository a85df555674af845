"""``--dry-run``: what a planned run would do, counted and estimated, without starting anything."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from singanimation.flows.job.balance_plan import allot
from singanimation.flows.job.class_counts import UNLABELLED, Classes, class_lines, planned_classes
from singanimation.flows.job.cost import estimate_cost
from singanimation.flows.job.plan import RunPlan
from singanimation.flows.job.progress import readable_seconds
from singanimation.flows.source.remaining import canonical_label, planned
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.expressions import COMPOUNDS, EMOTIONS
from singanimation.pipeline.forms import FORMS
from singanimation.pipeline.runs import free_bytes, human_bytes

_PLANNED, _LOOKED_AT = 20_000, 5_000
"""Up to so many sources are planned one by one, 0.1 ms each; of more, so many."""


@dataclass(frozen=True)
class Preview:
    """Counts and estimates of a run. ``classes``: split -> label -> sources; ``targets``: class or kind -> variants.

    ``planned_every`` is 1 where each source was planned, N where the counts are those of every Nth, scaled.
    ``forms``: emotion, and its form -> edits; ``notes``: what was decided by the pictures.
    """

    dataset: str
    output: str
    warnings: tuple[str, ...]
    classes: dict[str, dict[str, int]]
    sources: int
    edits: int
    variants: int
    targets: dict[str, int]
    seconds: float
    bytes: int
    free_bytes: int | None
    workers: int
    balance: Classes | None = None
    balance_note: str | None = None
    planned_every: int = 1
    forms: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def make_preview(plan: RunPlan) -> Preview:
    """Count what a plan comes to; of very many sources every Nth is planned, and the others are taken to be alike.

    Raises UsageError, OutputError for what --balance cannot plan.
    """
    settings, sources = plan.settings, plan.sources
    classes: dict[str, Counter[str]] = {}
    for source in sources:
        classes.setdefault(source.split, Counter())[canonical_label(source) or UNLABELLED] += 1
    balance = allot(sources, settings, ManifestScan(settings.output_folder)) if settings.balance else None
    step = 1 if len(sources) <= _PLANNED else -(-len(sources) // _LOOKED_AT)
    share = len(sources) / max(len(range(0, len(sources), step or 1)), 1)
    targets: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    edits = 0
    for place in range(0, len(sources), step or 1):
        source, allotment = sources[place], balance.each[place] if balance else None
        aims, wanted = planned(source, settings, allotment, plan.donors_of(source))
        edits += len(aims)
        for aim, count in zip(aims, wanted, strict=True):
            targets[aim.name if aim.kind == "discrete" else aim.kind] += count
            if aim.form is not None and len(FORMS[aim.aim]) > 1:
                forms.setdefault(aim.aim, Counter())[aim.form.name] += 1
    edits, variants = round(edits * share), round(targets.total() * share)
    targets = Counter({name: round(count * share) for name, count in targets.items()})
    forms = {
        emotion: Counter({name: round(count * share) for name, count in of.items()}) for emotion, of in forms.items()
    }
    cost = estimate_cost(len(sources), edits, variants, settings, plan.workers)
    return Preview(
        plan.dataset.name,
        str(settings.output_folder),
        tuple(plan.dataset.warnings),
        {split: _ordered(counts) for split, counts in sorted(classes.items())},
        len(sources),
        edits,
        variants,
        _ordered(targets),
        round(cost.seconds),
        cost.bytes,
        free_bytes(settings.output_folder),
        plan.workers,
        planned_classes(sources, balance.each) if balance else None,
        balance.sentence() if balance else None,
        step,
        {emotion: dict(forms[emotion].most_common()) for emotion in EMOTIONS if emotion in forms},
        plan.notes,
    )


def print_preview(preview: Preview, console: Console) -> None:
    """Print it as two small tables and a sentence."""
    console.print(f"{preview.dataset}: sources that would be augmented", highlight=False)  # wider than the table
    table = Table()
    table.add_column("label")
    for split in preview.classes:
        table.add_column(split, justify="right")
    for label in (*EMOTIONS, UNLABELLED):
        counts = [preview.classes[split].get(label, 0) for split in preview.classes]
        if any(counts):
            table.add_row(label, *(f"{count:,}" for count in counts))
    console.print(table)
    listed = ", ".join(f"{name} {count:,}" for name, count in preview.targets.items())
    console.print(
        f"{preview.sources:,} sources, {preview.edits:,} edits, {preview.variants:,} variants wanted ({listed})."
    )
    if preview.planned_every > 1:
        console.print(f"Edits and variants are counted on every {preview.planned_every}th source and scaled.")
    if preview.balance_note:
        console.print(preview.balance_note, highlight=False)
    for line in class_lines(preview.balance, "Planned by --balance") if preview.balance else []:
        console.print(line, highlight=False)
    free = "" if preview.free_bytes is None else f" ({human_bytes(preview.free_bytes)} free)"
    console.print(
        f"About {readable_seconds(preview.seconds)} with {preview.workers} worker(s), and {human_bytes(preview.bytes)} "
        f"in {preview.output}{free}: estimates from figures measured on one CPU core."
    )
    if preview.forms:
        console.print(f"Forms of their edits: {'; '.join(map(_counted, preview.forms.items()))}.", highlight=False)
    for note in preview.notes:
        console.print(note, highlight=False)
    for warning in preview.warnings:
        console.print(f"warning: {warning}")
    console.print("Dry run: nothing was started.")


def _counted(forms: tuple[str, dict[str, int]]) -> str:
    emotion, counts = forms
    return f"{emotion} " + ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _ordered(counts: Counter[str]) -> dict[str, int]:
    order = [*EMOTIONS, *COMPOUNDS, "donor", "appearance", "continuous", "single", UNLABELLED]
    return {name: counts[name] for name in order if counts[name]}
