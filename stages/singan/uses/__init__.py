"""What else a SinGAN of one picture does (Shaham et al., "SinGAN", ICCV 2019, section 4): pictures of any size.

``train`` learns a picture with the reference engine; a ``PictureModel`` then draws samples of any size, enlarges,
turns paintings into pictures, harmonises and edits composites, and moves.
"""

from singanimation.stages.singan.uses.animation import animate
from singanimation.stages.singan.uses.composites import blend, soften_mask
from singanimation.stages.singan.uses.drawing import check_aspect, inject, sample
from singanimation.stages.singan.uses.enlarging import bicubic, enlarge
from singanimation.stages.singan.uses.model import ModelSettings, PictureModel
from singanimation.stages.singan.uses.storage import load_model, save_model
from singanimation.stages.singan.uses.training import new_model, train, train_scales

__all__ = [
    "ModelSettings",
    "PictureModel",
    "animate",
    "bicubic",
    "blend",
    "check_aspect",
    "enlarge",
    "inject",
    "load_model",
    "new_model",
    "sample",
    "save_model",
    "soften_mask",
    "train",
    "train_scales",
]
