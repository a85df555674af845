"""Training the SinGAN of one picture into a file, or going on with it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.training.checkpoint import hold_training
from singanimation.pipeline.errors import UsageError

if TYPE_CHECKING:
    from singanimation.stages.singan.uses import ModelSettings, PictureModel


def train_model(
    picture: np.ndarray,
    settings: "ModelSettings",
    max_size: int,
    output: Path,
    device: str,
    say: Callable[[str], object],
) -> "PictureModel":
    """Train ``picture`` uint8 (H, W, 3), writing ``output`` after each scale; a file that stopped is gone on with.

    Raises UsageError where ``output`` holds another training, OutputError where another process writes it,
    MachineError for the disk.
    """
    from singanimation.stages.singan.uses import new_model, save_model, train

    with hold_training(output):
        model = new_model(picture, settings, max_size, device)
        if output.is_file():
            model = _earlier(output, model, device)
        if model.complete:
            say(f"{output} is trained to its end.")
            return model
        height, width = model.picture.shape[:2]
        done, scales = len(model.pyramid.scales), model.learnt
        say(f"{width} x {height} pixels, {scales} scale{'s' if scales > 1 else ''}, {done} of them trained, {device}.")
        began = time.process_time()
        for scale in train(model):
            digest = save_model(model, output)
            before = "" if scale.before is None else f" (what it gets, up-sampled: {scale.before:.2f})"
            place = f"scale {scale.scale + 1 - model.pyramid.first} of {scales}, {scale.width} x {scale.height}"
            spent = time.process_time() - began
            say(f"{place}: reconstructed to {scale.error:.2f} of 255{before}, {spent:,.0f} CPU-s")
        say(f"{output} written, digest {digest}.")
    return model


def _earlier(output: Path, new: "PictureModel", device: str) -> "PictureModel":
    from singanimation.stages.singan.uses import load_model

    old = load_model(output, device)
    differing = [
        f"{name} {value} (now {new.settings.as_dict()[name]})"
        for name, value in old.settings.as_dict().items()
        if value != new.settings.as_dict()[name]
    ]
    if not np.array_equal(old.picture, new.picture):
        differing.append("another picture, or another --max-size")
    if differing:
        raise UsageError(f"{output} holds another training: {'; '.join(differing)}; give another --output.")
    return old
