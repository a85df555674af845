"""``--dry-run``: what a run would do, counted and estimated, without starting anything."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from singanimation.flows.job.balance_plan import allot
from singanimation.flows.job.class_counts import UNLABELLED, Classes, class_lines, planned_classes
from singanimation.flows.job.cost import estimate
from singanimation.flows.job.job import worker_count
from singanimation.flows.job.progress import readable_seconds
from singanimation.flows.job.todo import open_sources
from singanimation.flows.source.remaining import canonical_label, planned
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.runs import free_bytes, human_bytes
from singanimation.pipeline.settings import Settings


@dataclass(frozen=True)
class Plan:
    """Counts and estimates of a run. ``classes``: split -> label -> sources; ``targets``: class or kind -> variants."""

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
    free_bytes: int
    workers: int
    balance: Classes | None = None
    balance_note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def make_plan(settings: Settings) -> Plan:
    """Open the data set and count; raises UsageError and its kin."""
    dataset, sources = open_sources(settings)
    classes: dict[str, Counter[str]] = {}
    targets: Counter[str] = Counter()
    edits = variants = 0
    balance = allot(sources, settings, ManifestScan(settings.output_folder)) if settings.balance else None
    for source, allotment in zip(sources, balance.each if balance else [None] * len(sources), strict=True):
        classes.setdefault(source.split, Counter())[canonical_label(source) or UNLABELLED] += 1
        aims, wanted = planned(source, settings, allotment)
        edits += len(aims)
        variants += sum(wanted)
        for aim, count in zip(aims, wanted, strict=True):
            targets[aim.name if aim.kind == "discrete" else aim.kind] += count
    workers = worker_count(settings, len(sources))
    cost = estimate(len(sources), edits, variants, settings, workers)
    return Plan(
        dataset.name,
        str(settings.output_folder),
        tuple(dataset.warnings),
        {split: _ordered(counts) for split, counts in sorted(classes.items())},
        len(sources),
        edits,
        variants,
        _ordered(targets),
        round(cost.seconds),
        cost.bytes,
        free_bytes(settings.output_folder),
        workers,
        planned_classes(sources, balance.each) if balance else None,
        balance.sentence() if balance else None,
    )


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan as two small tables and a sentence."""
    table = Table(title=f"{plan.dataset}: sources that would be augmented")
    table.add_column("label")
    for split in plan.classes:
        table.add_column(split, justify="right")
    for label in (*EMOTIONS, UNLABELLED):
        counts = [plan.classes[split].get(label, 0) for split in plan.classes]
        if any(counts):
            table.add_row(label, *(f"{count:,}" for count in counts))
    console.print(table)
    listed = ", ".join(f"{name} {count:,}" for name, count in plan.targets.items())
    console.print(f"{plan.sources:,} sources, {plan.edits:,} edits, {plan.variants:,} variants wanted ({listed}).")
    if plan.balance_note:
        console.print(plan.balance_note, highlight=False)
    for line in class_lines(plan.balance, "Planned by --balance") if plan.balance else []:
        console.print(line, highlight=False)
    console.print(
        f"About {readable_seconds(plan.seconds)} with {plan.workers} worker(s), and {human_bytes(plan.bytes)} in "
        f"{plan.output} ({human_bytes(plan.free_bytes)} free): estimates from figures measured on one CPU core."
    )
    for warning in plan.warnings:
        console.print(f"warning: {warning}")
    console.print("Dry run: nothing was started.")


def _ordered(counts: Counter[str]) -> dict[str, int]:
    order = [*EMOTIONS, "continuous", "single", UNLABELLED]
    return {name: counts[name] for name in order if counts[name]}
