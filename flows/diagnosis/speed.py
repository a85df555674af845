"""A short trial of the main job on the embedded sample face: does it work here, and how fast is it?"""

import time
from collections.abc import Iterator
from pathlib import Path

from singanimation.flows.diagnosis.checks import NOTE, OK, PROBLEM, Finding
from singanimation.flows.job.cost import estimate_cost
from singanimation.flows.job.progress import readable_seconds
from singanimation.pipeline.errors import SinganimationError
from singanimation.pipeline.settings import Settings

_FEW, _MORE = 1, 4
_SLOW = 4.0


def check_speed(settings: Settings | None, _: Path) -> Iterator[Finding]:
    """Run every stage once on the sample face, time a few iterations of the fast engine, and extrapolate."""
    try:
        first_edit = _first_edit_seconds()
    except SinganimationError as error:
        yield Finding("trial", PROBLEM, "the main job fails on the embedded face", str(error))
        return
    yield Finding("trial", OK, "the embedded face went through every stage")
    usual = Settings(input="sample", engine="fast", singan_iterations=None, singan_size=128)
    factor = first_edit / _working_seconds(usual, 1, 0)
    settings = settings or Settings(input="sample")
    edits = min(settings.edits, settings.per_image)
    seconds = _working_seconds(settings, edits, settings.per_image) * factor
    found = (
        f"a first edit takes about {readable_seconds(first_edit)} of one core; a picture with {edits} edits and "
        f"{settings.per_image} variants about {readable_seconds(seconds)} (engine {settings.engine})"
    )
    slow = factor > _SLOW
    advice = f"{factor:.1f} times as slow as where the estimates were measured: is the machine busy?" if slow else ""
    yield Finding("speed", NOTE if slow else OK, found, advice)


def _working_seconds(settings: Settings, edits: int, variants: int) -> float:
    """Return what `estimate` says of one source, without the start of the program."""
    return estimate_cost(1, edits, variants, settings, 1).seconds - estimate_cost(0, 0, 0, settings, 1).seconds


def _first_edit_seconds() -> float:
    """Return about how long the first edit of a picture takes: set-up and the engine's iterations."""
    import numpy as np

    from singanimation.flows.models import load_models
    from singanimation.pipeline.datasets.readers.sample import read_sample
    from singanimation.pipeline.files.pictures import read_source
    from singanimation.stages.singan import make_regenerator
    from singanimation.stages.singan.fast.training import FastRecipe

    models = load_models(Settings(input="sample", device="cpu"))
    source = read_sample().sources[0]
    crop = models.faces.find_face(read_source(source).pixels, source)
    units = models.faces.action_units(crop.pixels[None])[0]
    edit = models.faces.expander.edit(crop.pixels, units, np.clip(units + 0.3, 0, 1)[None]).pictures
    models.sifid.measure(edit[0], crop.pixels[None])
    times = []
    for iterations in (_FEW, _FEW, _MORE):  # the first one also warms up
        began = time.perf_counter()
        make_regenerator("fast", iterations=iterations, device="cpu").fit(edit, [0], ["N-1"])
        times.append(time.perf_counter() - began)
    each = max(times[2] - times[1], 1e-3) / (_MORE - _FEW)
    return max(times[1] - _FEW * each, 0.0) + FastRecipe().iterations * each
