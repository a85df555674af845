"""SinGAN: one small generative model per edit, which draws variants of it.

``make_regenerator`` gives an engine, its ``fit`` learns the edits of a source, ``draw`` makes variants.
"""

from singanimation.stages.singan.checks import VariantChecks
from singanimation.stages.singan.engine import EngineOptions, FittedRegenerator, Regenerator
from singanimation.stages.singan.engines import ENGINES, make_regenerator
from singanimation.stages.singan.pyramid import pyramid_sizes, start_size

__all__ = [
    "ENGINES",
    "EngineOptions",
    "FittedRegenerator",
    "Regenerator",
    "VariantChecks",
    "make_regenerator",
    "pyramid_sizes",
    "start_size",
]
