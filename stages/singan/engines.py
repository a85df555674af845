"""The engines by name: siblings behind ``engine.Regenerator``, imported when asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.engine import EngineOptions, Regenerator


def _fast(options: EngineOptions) -> Regenerator:
    from singanimation.stages.singan.fast.engine import FastRegenerator

    return FastRegenerator(options)


def _patch(options: EngineOptions) -> Regenerator:
    from singanimation.stages.singan.patch import PatchRegenerator

    return PatchRegenerator(options)


def _reference(options: EngineOptions) -> Regenerator:
    from singanimation.stages.singan.reference.engine import ReferenceRegenerator

    return ReferenceRegenerator(options)


def _warp(options: EngineOptions) -> Regenerator:
    from singanimation.stages.singan.warp import WarpRegenerator

    return WarpRegenerator(options)


ENGINES: Mapping[str, Callable[[EngineOptions], Regenerator]] = {
    "fast": _fast,
    "reference": _reference,
    "patch": _patch,
    "warp": _warp,
}
"""Engine name -> what makes it."""


def make_regenerator(engine: str, **options: Any) -> Regenerator:
    """Return the engine called ``fast``, ``reference``, ``patch`` or ``warp``.

    ``options`` are those of ``EngineOptions``. Raises UsageError for an unknown engine or reading of down-sampling.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine: {engine!r} is no engine; use one of {', '.join(ENGINES)}.")
    return ENGINES[engine](EngineOptions(**options))
