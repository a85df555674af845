"""A manifest as a ``torch.utils.data.Dataset``: three lines in a training script.

data = ManifestDataset("out", split="train", transform=my_transform)
loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
for pictures, labels in loader: ...

How real and synthetic rows share a training's batches: ``torch_mixing``.
"""

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import torch
from torch.utils.data import Dataset

from singanimation.manifests.reading import Choice, open_part, part_paths
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import read_picture

_COLUMNS = ("kind", "status", "split", "dataset", "source_id", "group_id", "label", "label_weights")
_UNITS = ("au_target", "au_measured")
"""Where a row's action units stand: what it aims at comes first, of real pictures there is the measured alone."""

_CACHED_GROUPS = 32


class ManifestDataset(Dataset[tuple[Any, ...]]):
    """Pictures and labels of a manifest's rows that have both.

    ``labels="hard"`` gives an int 0..6, ``"soft"`` a float32 (7,) that sums to 1 (the row's weights, else one-hot).
    ``transform`` gets the picture as uint8 (H, W, 3) RGB numpy array, or, where it is made of torchvision's v2
    transforms, as ``tv_tensors.Image`` uint8 (3, H, W): those pass arrays on as they are. Without a transform, items
    are float32 (3, H, W) in 0..1.
    ``units=True`` gives the action units as well, float32 (17,) in 0..1: those that a synthetic row aims at, those
    measured of a real one; rows without any are left out.
    ``targets`` lists the hard labels, ``groups`` the people, ``sources`` the data set and source of each, all in the
    items' order; ``group_id`` keeps only these people.
    Pictures are read when asked for; only labels stay in memory. Raises ManifestError where no row matches.
    """

    def __init__(
        self,
        path: Path | str,
        split: Choice = None,
        kind: Choice = ("real", "variant"),
        status: Choice = "accepted",
        labels: Literal["hard", "soft"] = "hard",
        transform: Callable[[Any], Any] | None = None,
        group_id: Choice = None,
        units: bool = False,
    ) -> None:
        if labels not in ("hard", "soft"):
            raise ManifestError(f"labels={labels!r} does not exist; use 'hard' or 'soft'.")
        self.labels, self.units, self.transform = labels, units, transform
        self._as_image = transform is not None and _is_v2(transform)
        self._warned = False
        self.parts = part_paths(path)
        chosen = {"split": split, "kind": kind, "status": status, "group_id": group_id}
        wanted = {column: _names(choice) for column, choice in chosen.items()}
        self.rows: list[tuple[int, int, int]] = []
        self.targets: list[int] = []
        self.groups: list[str] = []
        self.sources: list[str] = []
        self._weights: list[np.ndarray] = []
        self._units: list[np.ndarray] = []
        for index, part in enumerate(self.parts):
            self._gather(index, open_part(part), wanted)
        if not self.rows:
            people = "" if group_id is None else ", of the people asked for"
            people += ", with action units" if units else ""
            raise ManifestError(
                f"{path} has no labelled picture with split={split}, kind={kind}, status={status}{people}."
            )
        self._cache: OrderedDict[tuple[int, int], list[bytes | None]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return (picture, label), or (picture, label, units); see the class for their forms."""
        part, group, row = self.rows[index]
        data = self._group(part, group)[row]
        if data is None:
            raise ManifestError(f"{self.parts[part]} has lost a picture; run `augment verify`.")
        pixels = read_picture(data, name=f"{self.parts[part].name}, row {row}").pixels
        picture = self._transformed(pixels) if self.transform else _tensor(pixels)
        label = self.targets[index] if self.labels == "hard" else torch.from_numpy(self._weights[index].copy())
        if not self.units:
            return picture, label
        return picture, label, torch.from_numpy(self._units[index].copy())

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cached pictures behind when a DataLoader's worker gets its copy."""
        return self.__dict__ | {"_cache": OrderedDict()}

    def _transformed(self, pixels: np.ndarray) -> Any:
        assert self.transform is not None
        if self._as_image:
            from torchvision.tv_tensors import Image

            return self.transform(Image(torch.from_numpy(pixels.transpose(2, 0, 1).copy())))
        picture = self.transform(pixels)
        if picture is pixels and not self._warned:
            self._warned = True
            warnings.warn(
                "The transform gave a picture back as it was: torchvision's v2 transforms do so with numpy arrays. "
                "Inside a function of your own, begin with v2.ToImage().",
                stacklevel=3,
            )
        return picture

    def _gather(self, index: int, part: pq.ParquetFile, wanted: dict[str, set[str] | None]) -> None:
        for group in range(part.num_row_groups):
            # A row has an image_sha256 exactly where it has a picture: no picture is read here.
            columns = [*_COLUMNS, "image_sha256", *(_UNITS if self.units else ())]
            table = part.read_row_group(group, columns=columns, use_threads=False)
            for row, values in enumerate(table.to_pylist()):
                matches = all(names is None or values[name] in names for name, names in wanted.items())
                units = next((values[name] for name in _UNITS if values.get(name) is not None), None)
                if self.units and units is None:
                    continue
                if matches and values["label"] is not None and values["image_sha256"] is not None:
                    self.rows.append((index, group, row))
                    self.targets.append(values["label"])
                    self.groups.append(values["group_id"])
                    self.sources.append(f"{values['dataset']}/{values['source_id']}")
                    self._weights.append(_soft(values["label"], values["label_weights"]))
                    if units is not None:
                        self._units.append(np.asarray(units, np.float32))

    def _group(self, part: int, group: int) -> list[bytes | None]:
        key = (part, group)
        if key not in self._cache:
            column = open_part(self.parts[part]).read_row_group(group, columns=["image"], use_threads=False).column(0)
            self._cache[key] = [(image or {}).get("bytes") for image in column.to_pylist()]
            if len(self._cache) > _CACHED_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]


def _names(choice: Choice) -> set[str] | None:
    if choice is None:
        return None
    return {choice} if isinstance(choice, str) else set(choice)


def _soft(label: int, weights: Sequence[float] | None) -> np.ndarray:
    if weights is None:
        return np.eye(len(EMOTIONS), dtype=np.float32)[label]
    return np.asarray(weights, np.float32)


def _is_v2(transform: Callable[..., Any]) -> bool:
    """Whether ``transform`` is torchvision's v2, or a module, a Compose or a partial with any of it inside."""
    if isinstance(transform, functools.partial):
        return _is_v2(transform.func) or any(_is_v2(value) for value in transform.args if callable(value))
    parts = [*transform.modules()] if isinstance(transform, torch.nn.Module) else [transform]
    classes = [cls for part in parts for cls in inspect.getmro(type(part))]
    if any(cls.__module__.startswith("torchvision.transforms.v2") for cls in classes):
        return True
    inside = getattr(transform, "transforms", ())  # Compose, of torchvision's first version too
    return isinstance(inside, list | tuple) and any(_is_v2(part) for part in inside)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
