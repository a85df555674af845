"""A published generator as one of our files, with a model card beside it."""

from pathlib import Path

import torch
from safetensors import SafetensorError

from singanimation.pipeline.errors import MachineError, OutputError, UsageError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.pipeline.weights import file_sha256
from singanimation.stages.expansion.checkpoints import read_about, save_generator
from singanimation.stages.expansion.ganimation.published.mapping import Converted, convert, parameters
from singanimation.stages.expansion.ganimation.published.reading import is_safetensors, read_state

SUFFIX = ".safetensors"


def import_generator(path: Path, output: Path, *, picture_statistics: bool = False) -> dict[str, str]:
    """Write the published generator ``path`` as ``output``, its card as ``.md`` beside it, and return the card.

    Weights keep full precision, so that the result is the published network's. Raises WeightsError for what is no
    published generator, UsageError and OutputError for an output that cannot be.
    """
    if output.suffix != SUFFIX:
        raise UsageError(f"--output {output}: the file to write ends in {SUFFIX}.")
    state = read_state(path)
    if is_safetensors(path) and read_about(path):
        raise UsageError(f"{path} is one of this program's own files already; give it to --ganimation as it is.")
    converted = convert(state, path, picture_statistics=picture_statistics)
    card = make_card(converted, path)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        save_generator(output, converted.network, converted.options, card, torch.float32)
        output.with_suffix(".md").write_text(_markdown(output, card), encoding="utf-8")
    except MachineError as error:
        raise OutputError(str(error)) from error
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{output} could not be written ({error}).") from error
    return card


def make_card(converted: Converted, path: Path) -> dict[str, str]:
    """Return what a user should know of an imported generator: where from, its conventions, what was mapped."""
    options = converted.options
    return {
        "implementation": converted.implementation.name,
        "source": f"{path.name}, sha256 {file_sha256(path)}",
        "size": f"width {options['width']}, {options['blocks']} residual blocks, "
        f"{parameters(converted.network):,} parameters",
        "condition": f"the target's {len(AU_NAMES)} action units themselves (not their change), each 0..1 = OpenFace's "
        f"intensity / 5, in OpenFace's order: {' '.join(AU_NAMES)}",
        "au_estimator": "openface",
        "picture": f"RGB, {CROP_SIZE}x{CROP_SIZE}, -1..1",
        "attention": "1 keeps the input's pixel: A * I + (1 - A) * C",
        "normalisation": converted.normalisation,
        "mapped": f"{converted.mapped} tensors",
        "dropped": "; ".join(converted.dropped) or "nothing",
        "licence": "not stated in the file: that of its publisher and of the faces it was trained on",
    }


def _markdown(output: Path, card: dict[str, str]) -> str:
    rows = "\n".join(f"| {name} | {text} |" for name, text in card.items())
    return (
        f"# {output.name}\n\nA published GANimation generator, imported by `augment weights import`.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n"
        "It was trained on its publisher's own crops. Ours are framed by the eyes (42.2, 45.1) and (85.8, 45.1): where "
        "its faces were framed otherwise, its edits get worse, and no figure of ours says by how much.\n\n"
        f"Use: `augment edit PICTURE --ganimation {output.name} --emotions all`\n"
    )
