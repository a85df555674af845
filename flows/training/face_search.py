"""The search for a training's faces: chunk by chunk, in processes of their own."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from singanimation.flows.job.pool import prepare_worker
from singanimation.pipeline.errors import MachineError, PictureError
from singanimation.pipeline.expressions import EMOTION_INDEX
from singanimation.pipeline.face.framing import CROP_WITH_MARGIN, MARGIN
from singanimation.pipeline.records import Source
from singanimation.pipeline.system import most_processes, process_context


def find_all(chunks: list[list[Source]], workers: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield ``find_chunk`` of each chunk, in their order, by up to ``workers`` processes. Raises MachineError."""
    if workers == 1 or len(chunks) == 1:
        import torch

        threads = torch.get_num_threads()
        try:
            yield from map(find_chunk, chunks)
        finally:
            torch.set_num_threads(threads)  # the training may use more
        return
    count = most_processes(min(workers, len(chunks)))
    pool = ProcessPoolExecutor(count, mp_context=process_context(), initializer=prepare_worker)
    whole = False
    try:
        yield from pool.map(find_chunk, chunks)
        whole = True
    except BrokenProcessPool:
        raise MachineError(
            "A process that finds faces died (killed, or out of memory?); run again to go on, with fewer --workers."
        ) from None
    finally:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in [] if whole else processes:
            process.terminate()  # after Ctrl-C it would go on with its pictures


_models: list[Any] = []


def find_chunk(sources: Iterable[Source]) -> dict[str, np.ndarray]:
    """Cut the faces of ``sources``: arrays by name, which ``places`` they have among the
    sources, and why the others cannot be used. Runs in a worker process.
    """
    import torch

    from singanimation.stages.action_units.estimators import EmbeddedAligner, EmbeddedEstimator

    torch.set_num_threads(1)
    if not _models:
        _models.extend([EmbeddedEstimator.load(), EmbeddedAligner.load()])
    pictures, landmarks, units, labels, trained, reasons, places = [], [], [], [], [], [], []
    for place, source in enumerate(sources):
        try:
            wide, points, found = _face(source, *_models)
        except PictureError as error:
            reasons.append(error.reason)
            continue
        pictures.append(wide)
        landmarks.append(points)
        units.append(found)
        labels.append(EMOTION_INDEX.get(source.label or "", -1))
        trained.append(source.split == "train")
        places.append(place)
    return {
        "pictures": np.array(pictures, np.uint8).reshape(-1, CROP_WITH_MARGIN, CROP_WITH_MARGIN, 3),
        "landmarks": np.array(landmarks, np.float32).reshape(-1, 478, 2),
        "action_units": np.array(units, np.float32).reshape(-1, 17),
        "labels": np.array(labels, np.int64),
        "train": np.array(trained, bool),
        "places": np.array(places, np.int64),
        "reasons": np.array(reasons, "U32"),
    }


def _face(source: Source, estimator: Any, aligner: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from singanimation.pipeline.files.pictures import read_source
    from singanimation.stages import crop

    pixels = read_source(source).pixels
    face = crop.find_face(
        pixels,
        box=source.box,
        landmarks=source.landmarks,
        is_face_crop=source.is_face_crop,
        align=aligner,
        eyes_of=estimator.find_eyes,
    )
    wider = face.matrix.copy()
    wider[:, 2] += MARGIN
    units = source.action_units
    found = estimator(face.pixels[None]).action_units[0] if units is None else np.array(units, np.float32)
    return crop.cut(pixels, wider, CROP_WITH_MARGIN), face.landmarks + MARGIN, found
