"""Real and synthetic rows in one batch, at a share that may change while a training goes on.

real = ManifestDataset("out", split="train", kind="real", labels="soft")
synthetic = ManifestDataset("out", split="train", kind="edit", labels="soft")
share = recommended_share(real.targets)
for pictures, labels in mixed_loader(real, synthetic, batch_size=64, steps=2000, share=share, together=True): ...
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from torch.utils.data import ConcatDataset, DataLoader, Sampler

from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import EMOTIONS

_CLASSES = len(EMOTIONS)

Part = float | Sequence[float]
"""Which part of what is drawn is synthetic, 0..1: one number, or one for each of the seven classes."""

Share = Part | Callable[[float], Part]
"""A part that stays, or a function of the training's progress 0..1."""


def two_steps(until: float = 0.5, first: Part = 1.0, then: Part = 0.0) -> Callable[[float], Part]:
    """Return a share of ``first`` until that part of the training is over, and of ``then`` after it."""
    return lambda progress: first if progress < until else then


def falling(first: float = 1.0, last: float = 0.0) -> Callable[[float], float]:
    """Return a share that goes from ``first`` to ``last`` in a straight line."""
    return lambda progress: first + (last - first) * progress


FEW, COMMON = 30, 1.5
"""Real pictures a class, on average, up to which synthetic ones stay in the batches to the end; and how many times the
average a class needs to be left to its real pictures alone."""


def recommended_share(real: Sequence[int]) -> Callable[[float], Part]:
    """Return the share that docs/usefulness.md's measurements favour; ``real`` are the real pictures' classes 0..6.

    Few real pictures: synthetic ones are half of the first three fifths of the training and a quarter of the rest.
    More than 30 a class on average: half of the first three fifths, none in classes that have more than one and a half
    times the average, and real ones alone for the rest.
    """
    counts = np.bincount(np.asarray(real, int), minlength=_CLASSES)
    average = _average(real)
    if average <= FEW:
        return two_steps(0.6, 0.5, 0.25)
    return two_steps(0.6, [0.0 if count > COMMON * average else 0.5 for count in counts.tolist()])


def recommended_units(real: Sequence[int]) -> float:
    """Return the weight of the action units' squared error beside the classes' cross-entropy; 0: do not learn them.

    Where training ends on real pictures alone, a second head that tells their action units keeps what the edits taught;
    where edits stay in the batches, it takes from it (docs/usefulness.md).
    """
    return 0.0 if _average(real) <= FEW else 5.0


def _average(real: Sequence[int]) -> float:
    """Return how many real pictures there are of a class that has any."""
    return len(real) / max(len(set(real)), 1)


class Labelled(Protocol):
    """A data set that knows its items' classes 0..6 and sources before any is read; ``ManifestDataset`` is one."""

    labels: str
    units: bool
    targets: list[int]
    sources: list[str]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class MixedBatches(Sampler[list[int]]):
    """Batches of indices into ``real + synthetic`` (a ``ConcatDataset`` of the two); going through it is a training.

    Every class is drawn equally often, ``share`` of its pictures from the synthetic ones, and every picture of a class
    before any comes again. A class that lacks one sort of pictures is drawn from the other, and is left out where the
    share is of the lacking sort alone (0 or 1). ``real`` and ``synthetic`` are the items' classes 0..6. The same seed
    gives the same batches.

    ``sources``, the names of the real items' sources and of the synthetic ones', puts pictures of one face together: a
    batch's synthetic pictures are made of its real ones wherever these have any of the class that is drawn, so that who
    a face is, and how it was photographed, tells nothing within a batch. Synthetic pictures then come as often as their
    sources do, not equally often.
    """

    def __init__(
        self,
        real: Sequence[int],
        synthetic: Sequence[int],
        batch_size: int,
        steps: int,
        share: Share = 0.5,
        seed: int = 0,
        sources: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
    ) -> None:
        if batch_size < 1 or steps < 1:
            raise ManifestError(f"batch_size={batch_size}, steps={steps}: both have to be at least 1.")
        self.real, self.synthetic = np.asarray(real, int), np.asarray(synthetic, int)
        if sources is not None and tuple(map(len, sources)) != (len(self.real), len(self.synthetic)):
            raise ManifestError("every real and every synthetic picture needs the name of its source.")
        self.batch_size, self.steps, self.seed, self.sources = batch_size, steps, seed, sources
        self.share = share if callable(share) else lambda _progress: share

    def __len__(self) -> int:
        """Return how many batches there are."""
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        """Yield ``steps`` lists of ``batch_size`` indices. Raises ManifestError for a share outside 0..1."""
        random = np.random.default_rng(self.seed)
        real, synthetic = _Decks(self.real, 0, random), _Decks(self.synthetic, len(self.real), random)
        family = _Family(self.synthetic, len(self.real), *self.sources, random) if self.sources else None
        owed = random.random(_CLASSES)  # a synthetic picture comes of a class whenever its shares have summed up to one
        classes: list[int] = []
        for step in range(self.steps):
            shares = _shares(self.share(step / self.steps))
            batch: list[int] = []
            made: list[int] = []
            while len(batch) + len(made) < self.batch_size:
                classes = classes or random.permutation(_drawable(shares, real, synthetic)).tolist()
                label = classes.pop()
                owed[label] += shares[label]
                wanted = owed[label] >= 1
                owed[label] -= wanted
                if not (wanted and label in synthetic) and label in real:
                    batch.append(real.draw(label))
                elif family:
                    made.append(label)  # until all real pictures of the batch are known
                else:
                    batch.append(synthetic.draw(label))
            yield batch + (family.draw(batch, made, synthetic) if family else [])


def _shares(part: Part) -> np.ndarray:
    shares = np.asarray(part, float)
    if shares.shape not in ((), (_CLASSES,)):
        raise ManifestError(f"shares have to be one number or {_CLASSES}, one a class; these are {shares.size}.")
    shares = np.broadcast_to(shares, _CLASSES)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ManifestError(f"a share of {part} synthetic pictures does not exist; it lies between 0 and 1.")
    return shares


def _drawable(shares: np.ndarray, real: "_Decks", synthetic: "_Decks") -> list[int]:
    """Return the classes to draw in turn: those that have pictures where their share wants some."""
    found = [
        label
        for label in range(_CLASSES)
        if (shares[label] < 1 and label in real) or (shares[label] > 0 and label in synthetic)
    ]
    if not found:
        raise ManifestError("there are no pictures to draw from at this share of synthetic ones.")
    return found


def mixed_loader(
    real: Labelled,
    synthetic: Labelled,
    batch_size: int,
    steps: int,
    share: Share = 0.5,
    seed: int = 0,
    together: bool = False,
    **options: Any,
) -> DataLoader[Any]:
    """Return a loader of ``steps`` batches, balanced by class, ``share`` of each synthetic; see ``MixedBatches``.

    ``together`` draws a batch's synthetic pictures from those made of its real ones.
    ``options`` are the DataLoader's own (``num_workers``, ``pin_memory``). Both data sets need the same ``labels`` and
    ``units``, and a ``transform`` that brings their pictures to one size. Raises ManifestError.
    """
    if (real.labels, real.units) != (synthetic.labels, synthetic.units):
        raise ManifestError(
            f"labels={real.labels!r}, units={real.units} beside labels={synthetic.labels!r}, units={synthetic.units}: "
            "give both data sets the same."
        )
    sources = (real.sources, synthetic.sources) if together else None
    batches = MixedBatches(real.targets, synthetic.targets, batch_size, steps, share, seed, sources)
    return DataLoader(_both(real, synthetic), batch_sampler=batches, **options)


def _both(real: Labelled, synthetic: Labelled) -> ConcatDataset[Any]:
    return ConcatDataset([real, synthetic])  # pyright: ignore[reportArgumentType] - both are map-style data sets


class _Decks:
    """A shuffled deck of items for each class; a deck that is used up is shuffled again."""

    def __init__(self, classes: np.ndarray, offset: int, random: np.random.Generator) -> None:
        self._random = random
        self._items = {int(label): offset + np.flatnonzero(classes == label) for label in np.unique(classes)}
        self._decks: dict[int, list[int]] = {label: [] for label in self._items}

    def __contains__(self, label: int) -> bool:
        return label in self._items

    def draw(self, label: int) -> int:
        """Return the next item of a class."""
        if not self._decks[label]:
            self._decks[label] = self._random.permutation(self._items[label]).tolist()
        return self._decks[label].pop()


class _Family:
    """Which synthetic items are made of which source: ``real`` and ``synthetic`` name each item's."""

    def __init__(
        self,
        classes: np.ndarray,
        offset: int,
        real: Sequence[Hashable],
        synthetic: Sequence[Hashable],
        random: np.random.Generator,
    ) -> None:
        self._real = real
        self._made: dict[tuple[Hashable, int], list[int]] = {}
        for index in random.permutation(len(classes)).tolist():
            self._made.setdefault((synthetic[index], int(classes[index])), []).append(offset + index)

    def draw(self, batch: Sequence[int], classes: Sequence[int], others: _Decks) -> list[int]:
        """Return an item of each of ``classes``, made of what is in ``batch``; where nothing is, the next of all.

        The source that has given the fewest in this batch gives, each of its items in turn.
        """
        given = dict.fromkeys((self._real[index] for index in batch), 0)
        drawn = []
        for label in classes:
            able = [source for source in given if (source, label) in self._made]
            if not able:
                drawn.append(others.draw(label))
                continue
            source = min(able, key=given.__getitem__)
            given[source] += 1
            items = self._made[source, label]
            drawn.append(items.pop(0))
            items.append(drawn[-1])
        return drawn
