"""Is it still the same person? Distances of a face-identity network between sources, edits and variants.

The network is the user's: an ONNX file of OpenCV's SFace form (112 x 112 px, as in OpenCV's model zoo). Controls stand
in the same table: two people of the set, and the source's own picture re-encoded.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from singanimation.flows.evaluation.tables import Mean, Table, mean_of
from singanimation.flows.report.content import read_runs
from singanimation.flows.report.redrawn import find_sources
from singanimation.flows.report.thumbnails import decoded
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.errors import PictureError, UsageError, WeightsError
from singanimation.pipeline.face.framing import EYES, similarity, to_opencv
from singanimation.pipeline.files.pictures import read_source

EDGE = 112
_EYES = np.array([[38.2946, 51.6963], [73.5318, 51.5014]])
"""Where SFace (and ArcFace) expect the eyes."""

Network = Callable[[np.ndarray], np.ndarray]
"""A crop uint8 (128, 128, 3) -> its identity vector, of length 1."""

_COLUMNS = ("kind", "parent_id", "variant_id", "image", "source_path", "label_name", "edit_kind", "status")


def load_identity(path: Path) -> Network:
    """Return the network of an ONNX file. Raises WeightsError for a file that OpenCV cannot run."""
    try:
        network = cv2.FaceRecognizerSF.create(str(path), "")
    except cv2.error as error:
        raise WeightsError(f"{path} is no face-identity network that OpenCV reads ({error.err}).") from None
    matrix = to_opencv(similarity(EYES, _EYES))

    def vector(crop: np.ndarray) -> np.ndarray:
        aligned = cv2.warpAffine(crop, matrix, (EDGE, EDGE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found = network.feature(cv2.cvtColor(aligned, cv2.COLOR_RGB2BGR)).ravel().astype(float)
        return found / max(float(np.linalg.norm(found)), 1e-12)

    return vector


def identity_table(output: Path, network: Network, most: int) -> Table:
    """Return the distances (1 - cosine) of at most ``most`` sources' edits and variants to them, with controls.

    Raises UsageError where the sources' pictures cannot be had.
    """
    crops = _source_crops(output, most)
    vectors = {path: network(crop) for path, (crop, _) in crops.items()}
    groups: dict[str, dict[str, list[float]]] = {}
    for row in _rows(output, crops):
        path = row["source_path"]
        vector = network(crops[path][1](decoded(row["image"]["bytes"])))
        name = f"{row['kind']}, {row['label_name'] or row['edit_kind']}"
        groups.setdefault(name, {}).setdefault(path, []).append(float(1 - vector @ vectors[path]))
    rows: list[tuple[str, Mean, int]] = [
        (name, found := mean_of(values), found.number) for name, values in sorted(groups.items())
    ]
    rows += _controls({path: crop for path, (crop, _) in crops.items()}, vectors, network)
    note = "1 - cosine of the network's vectors to the source's own picture, mean over sources. Controls come last."
    return Table("identity", "Is it still the same person", note, ("picture", "distance", "pictures"), rows)


def _controls(
    crops: Mapping[str, np.ndarray], vectors: Mapping[str, np.ndarray], network: Network
) -> list[tuple[str, Mean, int]]:
    paths = list(vectors)
    again = {path: [float(1 - network(_reencoded(crops[path])) @ vectors[path])] for path in paths}
    others = {path: [float(1 - vectors[path] @ vectors[other]) for other in paths if other != path] for path in paths}
    controls = [("the same picture, re-encoded", again)]
    controls += [("another source", others)] if len(paths) > 1 else []
    return [(name, found := mean_of(values), found.number) for name, values in controls]


def _reencoded(crop: np.ndarray) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(crop).save(out, "JPEG", quality=75)
    return np.asarray(Image.open(out).convert("RGB"))


def _source_crops(output: Path, most: int) -> dict[str, tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]:
    """Return the first sources' crops, and for each what cuts a picture of its frame alike."""
    from singanimation.flows.models import load_face_models

    _, sources, problem = find_sources(list(read_runs(output)))
    if problem:
        raise UsageError(f"--identity compares with the sources. {problem}")
    models = load_face_models()
    crops: dict[str, tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = {}
    wanted = dict.fromkeys(row["source_path"] for row in _rows(output, None))
    for path in list(wanted)[:most]:
        if path not in sources:
            continue
        try:
            crop = models.find_face(read_source(sources[path]).pixels, sources[path])
        except PictureError:
            continue

        def cut(picture: np.ndarray, matrix: np.ndarray = crop.matrix) -> np.ndarray:
            return picture if picture.shape[:2] == (128, 128) else models.cut(picture, matrix)

        crops[path] = crop.pixels, cut
    if not crops:
        raise UsageError("--identity compares with the sources, and no face was found in them.")
    return crops


def _rows(output: Path, chosen: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the accepted edits and variants of the ``chosen`` sources, of all where None."""
    for _, table in iter_tables(part_paths(output), _COLUMNS, status="accepted", kind=("edit", "variant")):
        for row in table.to_pylist():
            if row["image"] is not None and (chosen is None or row["source_path"] in chosen):
                yield row
