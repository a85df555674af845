"""What `--frame auto` makes of a data set by its pictures."""

from pathlib import Path

import numpy as np
from one_source import source_of
from PIL import Image
from skimage.data import astronaut

from singanimation.flows.job.face_crops import mark_crops

FACE = (slice(62, 202), slice(150, 290))


def write(folder: Path, name: str, pixels: np.ndarray):
    Image.fromarray(pixels).save(folder / name)
    return source_of(folder / name, source_id=name)


def test_tight_face_crops_are_known_by_the_pictures_and_said(tmp_path):
    sources = [write(tmp_path, f"{index}.png", astronaut()[FACE]) for index in range(4)]
    said = mark_crops(sources[:2], sources)
    assert [source.fills_picture for source in sources] == [True, True, False, False]
    assert said is not None and said.startswith("4 of 4 pictures looked at are face crops")


def test_photographs_with_more_than_a_face_are_not(tmp_path):
    sources = [write(tmp_path, f"{index}.png", astronaut()) for index in range(3)]
    assert mark_crops(sources, sources) is None and not any(source.fills_picture for source in sources)


def test_small_pictures_in_which_no_face_is_seen_count_and_large_ones_do_not(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    small, large = write(tmp_path, "small.png", noise[:48, :48]), write(tmp_path, "large.png", noise)
    assert mark_crops([small], [small]) and small.fills_picture
    assert mark_crops([large], [large]) is None and not large.fills_picture


def test_a_data_sets_own_boxes_tell_and_what_the_reader_knows_is_left_alone(tmp_path):
    wide = write(tmp_path, "wide.png", astronaut())
    assert wide.path is not None
    boxed = source_of(wide.path, box=(0.0, 0.0, 500.0, 500.0))
    assert mark_crops([boxed], [boxed]) and boxed.fills_picture
    aligned = source_of(wide.path, is_face_crop=True)
    assert mark_crops([aligned], [aligned]) is None and not aligned.fills_picture


def test_files_that_cannot_be_read_do_not_tell(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = source_of(tmp_path / "broken.png")
    assert mark_crops([broken], [broken]) is None and not broken.fills_picture
