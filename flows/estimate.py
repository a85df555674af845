"""What a run will cost, before it starts: time and disk, from figures measured once and stated here."""

from dataclasses import dataclass

from singanimation.pipeline.settings import Settings

# CPU-seconds on one core of the machine the figures were taken on (2 cores, no GPU), at 128 px: per fitted
# edit, and per drawn variant. The iterations scale the first.
_FIT_SECONDS = {"fast": 32.0, "reference": 15_500.0, "patch": 0.3}
_DRAW_SECONDS = {"fast": 0.03, "reference": 0.05, "patch": 0.06}
_DEFAULT_ITERATIONS = {"fast": 400, "reference": 2000, "patch": 1}
_SOURCE_SECONDS = 0.5
_START_SECONDS = 12.0
# Bytes: a 128 px PNG and its row; one part's own weight.
_CROP_PICTURE_BYTES = 34_000
_PART_BYTES = 12_000


@dataclass(frozen=True)
class Estimate:
    """``seconds`` of wall time and ``bytes`` on disk, both rough."""

    seconds: float
    bytes: int


def estimate(sources: int, edits: int, variants: int, settings: Settings, workers: int) -> Estimate:
    """Estimate a run of so many sources, fitted edits and accepted variants."""
    engine = settings.engine
    share = (settings.singan_iterations or _DEFAULT_ITERATIONS[engine]) / _DEFAULT_ITERATIONS[engine]
    size = (settings.singan_size / 128) ** 2
    work = edits * _FIT_SECONDS[engine] * share * size + variants * _DRAW_SECONDS[engine] + sources * _SOURCE_SECONDS
    return Estimate(
        _START_SECONDS + work / max(min(workers, sources), 1),
        (edits + variants) * _CROP_PICTURE_BYTES + sources * _PART_BYTES,
    )
