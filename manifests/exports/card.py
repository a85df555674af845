"""The dataset card of an export for the Hugging Face hub, by huggingface_hub's ``DatasetCard``."""

import html
import re
from types import ModuleType

from singanimation.manifests.exports.records import ExportReport, plain_line
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"


def card_library() -> ModuleType:
    """Return huggingface_hub, which is an extra. Raises UsageError where it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError("--to hf needs huggingface_hub: pip install 'singanimation[hub]'.") from None
    return huggingface_hub


def dataset_card(report: ExportReport, figures: list[str], splits: list[str]) -> str:
    """Return the card: front matter that ``datasets`` and the hub read, then sources, licences, counts and settings.

    Raises UsageError without huggingface_hub.
    """
    library = card_library()
    data_files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits]
    data = library.DatasetCardData(
        pretty_name="A grown facial-expression data set",
        license="other",
        license_name="see-licences",
        license_link="LICENCES.txt",
        task_categories=["image-classification"],
        size_categories=[next((name for most, name in _SIZES if report.total < most), _LARGEST)],
        tags=["facial-expression-recognition", "synthetic", "action-units"],
        configs=[{"config_name": "default", "data_files": data_files}],
    )
    return str(library.DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{_body(report, figures)}"))


def _body(report: ExportReport, figures: list[str]) -> str:
    lines = [
        "# A grown facial-expression data set",
        "",
        "Real pictures and synthetic variants of them: GANimation changes the expression, per-image SinGANs "
        "regenerate the picture, SIFID filters. Every row says where it came from.",
        "",
        "## Licences of the sources",
        "",
        *(f"- {escaped(licence)}" for licence in sorted(report.licences) or ["not known"]),
        "",
        "Synthetic pictures are arguably data derived from their sources: what a source forbids, such as passing "
        "pictures on, holds for them too.",
        "",
        "## Pictures",
        "",
        *_count_table(report),
        "",
        "## How it was made",
        "",
        *figures,
        "",
        f"Labels, 0 to 6: {', '.join(EMOTIONS)}.",
        "",
    ]
    return "\n".join(lines)


def _count_table(report: ExportReport) -> list[str]:
    lines = ["| split | label | real | edits | variants |", "|---|---|---|---|---|"]
    for split, label in sorted({(split, label) for split, label, _ in report.counts}):
        cells = (report.counts[split, label, kind] for kind in ("real", "edit", "variant"))
        lines.append(f"| {escaped(split)} | {escaped(label)} | " + " | ".join(f"{count:,}" for count in cells) + " |")
    return lines


def escaped(text: str) -> str:
    """Return a text that stands in Markdown as it is: no tags, links, code, table cells or lines of its own."""
    return re.sub(r"([\\\\`*\[\]|~#])", r"\\\1", html.escape(plain_line(text), quote=False))
