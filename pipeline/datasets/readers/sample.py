"""``--input sample``: one public-domain portrait, so that everything can be tried with nothing at hand."""

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.datasets.licences import ASTRONAUT
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Source


def read_sample() -> Dataset:
    """Return one source: NASA's portrait of Eileen Collins, which ships inside scikit-image. She smiles."""
    from skimage import data

    pixels = np.ascontiguousarray(data.astronaut(), np.uint8)
    source = Source(
        dataset="sample",
        source_id="astronaut",
        path=None,
        source_path="astronaut.png",
        split="train",
        group_id="astronaut",
        label="happiness",
        source_label="happiness",
        licence=ASTRONAUT,
        data=encode_png(pixels),
    )
    return Dataset("sample", [source], [], ASTRONAUT, None)
