"""Pools of synthetic pictures of the real ones, and the cache that keeps them."""

import functools
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.stages.expansion.expander import Expander
from useful.finish import FINISHES, Judge, looks_like_its_source
from useful.kinds import KINDS, Aim
from useful.pictures import Faces, small_grey

OF, JUDGED = " of ", "judged"
"""A pool is called by its kind, or ``fast of forms``, ``judged of forms``."""

_ENGINES = Path(__file__).resolve().parents[2] / "stages" / "singan"


class Pool(NamedTuple):
    """M synthetic pictures: uint8 (M, 64, 64), soft labels float32 (M, 7), classes (M,), units (M, 17), sources (M,).

    A picture is drawn as its class; ``units`` are the action units that it aims at, ``sources`` real pictures' indices.
    """

    pictures: np.ndarray
    weights: np.ndarray
    classes: np.ndarray
    units: np.ndarray
    sources: np.ndarray


@dataclass(frozen=True)
class Maker:
    """Makes pools of edits of ``faces``; ``cache`` keeps them by the digest of all that they hang on.

    A face has at most ``edits`` of each kind. ``judge`` is for the pools that are judged.
    """

    faces: Faces
    expander: Expander
    cache: Path
    edits: int = 6
    judge: Judge | None = None

    def pool(
        self, name: str, chosen: Sequence[int], seed: int, classes: Collection[int] = range(len(EMOTIONS))
    ) -> Pool:
        """Return the edits of the ``chosen`` real pictures that ``name`` stands for, or what is made of them.

        None that is to be drawn as another class than these is made.
        """
        kind, finish = name.rpartition(OF)[2], name.rpartition(OF)[0]
        rows: list[tuple[np.ndarray, Aim, int]] = []
        for index in chosen:
            number = int.from_bytes(hashlib.sha256(kind.encode()).digest()[:4])
            random = np.random.default_rng([int(index), number, seed if kind == "donors" else 0])
            planned = KINDS[kind](self.faces, index, chosen, random)
            planned = [aim for aim in planned if EMOTION_INDEX[aim.emotion] in classes]
            planned = [planned[place] for place in random.permutation(len(planned))[: self.edits]]
            for aim, made in zip(planned, self._made(index, planned, finish), strict=True):
                rows += [(picture, aim, index) for picture in made]
        pictures, aims, sources = zip(*rows, strict=True)
        drawn_as = np.array([EMOTION_INDEX[aim.emotion] for aim in aims])
        weights, units = (
            np.array(part, np.float32) for part in zip(*((a.weights, a.units) for a in aims), strict=True)
        )
        return Pool(np.stack(pictures), weights, drawn_as, units, np.array(sources))

    def _made(self, index: int, aims: Sequence[Aim], finish: str) -> list[np.ndarray]:
        """Return what there is of each of a face's edits, uint8 (K, 64, 64); what the cache lacks is made together."""
        crop, units = self.faces.crops[index], self.faces.units[index]
        files = [self._file(crop, units, aim, finish) for aim in aims]
        lacking = [place for place, file in enumerate(files) if not file.exists()]
        if lacking:
            wanted = [aims[place] for place in lacking]
            targets, sides = np.stack([aim.units for aim in wanted]), np.stack([aim.sides for aim in wanted])
            edits = self.expander.edit(crop, units, targets, sides).pictures
            for place, made in zip(lacking, self._finished(finish, edits, wanted, index), strict=True):
                _save(files[place], made)
        return [np.load(file) for file in files]

    def _finished(self, finish: str, edits: np.ndarray, aims: Sequence[Aim], index: int) -> list[np.ndarray]:
        if finish != JUDGED:
            return [small_grey(made) for made in FINISHES[finish](edits)]
        if self.judge is None:
            raise ValueError("a judged pool needs --judge, a file of `augment train expression`")
        wanted = [EMOTION_INDEX[aim.emotion] for aim in aims]
        rejected = looks_like_its_source(self.judge, edits, wanted, int(self.faces.labels[index]))
        return [small_grey(edits[place : place + (not out)]) for place, out in enumerate(rejected)]

    def _file(self, crop: np.ndarray, units: np.ndarray, aim: Aim, finish: str) -> Path:
        whole = hashlib.sha256(f"{self.expander.digest} {self.expander.drawing}".encode())
        for part in (crop, units, aim.units, aim.sides):
            whole.update(part.tobytes())
        if finish == JUDGED:
            whole.update(f"{finish} {self.judge and self.judge.digest}".encode())
        elif finish:
            whole.update(finish.encode() + _engines())
        return self.cache / "edits" / whole.hexdigest()[:2] / f"{whole.hexdigest()[2:32]}.npy"


def better_half(pool: Pool, seen: np.ndarray) -> Pool:
    """Return the half of each class whose emotion a network sees most; ``seen`` are its probabilities (M, 7)."""
    own = seen[np.arange(len(seen)), pool.classes]
    kept = np.zeros(len(own), bool)
    for label in np.unique(pool.classes):
        members = np.flatnonzero(pool.classes == label)
        kept[members[np.argsort(-own[members], kind="stable")[: (len(members) + 1) // 2]]] = True
    return Pool(*(part[kept] for part in pool))


def _save(file: Path, pictures: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as stream:  # other processes may write the same
        np.save(stream, pictures)


@functools.cache
def _engines() -> bytes:
    """Return a digest of the engines' code and weights: a variant hangs on both."""
    code = hashlib.sha256()
    for file in sorted([*_ENGINES.rglob("*.py"), *_ENGINES.rglob("*.safetensors")]):
        code.update(file.read_bytes())
    return code.digest()
