"""Training the SinGAN of one picture into a file, or going on with it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.interrupts import hold_interrupt
from singanimation.flows.training.checkpoint import hold_training
from singanimation.pipeline.errors import UsageError

if TYPE_CHECKING:
    from singanimation.stages.singan.uses import ModelSettings, PictureModel

_SAVED_EVERY = 30
"""Seconds."""


def train_model(
    picture: np.ndarray,
    settings: "ModelSettings",
    max_size: int,
    output: Path,
    device: str,
    say: Callable[[str], object],
) -> "PictureModel":
    """Train ``picture`` uint8 (H, W, 3) into ``output``; a file that stopped is gone on with.

    It is written after each scale, each half minute, and at Ctrl-C, which ends the training after its iteration.

    Raises UsageError where ``output`` holds another training, OutputError where another process writes it,
    MachineError for the disk.
    """
    from singanimation.stages.singan.uses import new_model, save_model, train

    with hold_training(output), hold_interrupt() as interrupted:
        model = new_model(picture, settings, max_size, device)
        if output.is_file():
            model = _earlier(output, model, device)
        if model.complete:
            say(f"{output} is trained to its end.")
            return model
        height, width = model.picture.shape[:2]
        done, scales = len(model.pyramid.scales), model.learnt
        say(f"{width} x {height} pixels, {scales} scale{'s' if scales > 1 else ''}, {done} of them trained, {device}.")
        began, saved = time.process_time(), time.monotonic()
        for scale in train(model):
            if scale is not None:
                before = "" if scale.before is None else f" (what it gets, up-sampled: {scale.before:.2f})"
                place = f"scale {scale.scale + 1 - model.pyramid.first} of {scales}, {scale.width} x {scale.height}"
                spent = time.process_time() - began
                say(f"{place}: reconstructed to {scale.error:.2f} of 255{before}, {spent:,.0f} CPU-s")
            if scale is not None or interrupted() or time.monotonic() - saved > _SAVED_EVERY:
                digest, saved = save_model(model, output), time.monotonic()
            if interrupted():
                raise KeyboardInterrupt
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
