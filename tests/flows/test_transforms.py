"""Random transforms for torchvision and albumentations: kinds, labels, refusals, draws that workers do not repeat."""

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut
from torch.utils.data import DataLoader, Dataset

pytest.importorskip("torchvision")
from torchvision import tv_tensors
from torchvision.transforms import v2

from singanimation import ExpressionEdit, RegeneratedVariant
from singanimation.pipeline.errors import UsageError

PICTURE = np.array(Image.fromarray(astronaut()[30:210, 140:320]).resize((100, 100)))
TENSOR = torch.from_numpy(PICTURE.transpose(2, 0, 1).copy())
NAMES = ["angry", "happy", "sad", "contempt"]
keep = partial(ExpressionEdit, labels="keep", face_crop=True)


@pytest.mark.parametrize("transform", [keep(p=1, emotions=["anger"]), RegeneratedVariant(p=1, face_crop=True)])
def test_a_picture_comes_back_in_its_own_kind_with_the_same_pixels(transform: Callable[..., Any]) -> None:
    def seeded(picture: Any) -> Any:
        torch.manual_seed(1)
        return transform(picture)

    pil, image, plain = map(seeded, (Image.fromarray(PICTURE), tv_tensors.Image(TENSOR), TENSOR))
    assert isinstance(pil, Image.Image) and isinstance(image, tv_tensors.Image)
    assert not isinstance(plain, tv_tensors.TVTensor) and plain.dtype == torch.uint8
    pixels = np.asarray(pil)
    assert np.array_equal(pixels.transpose(2, 0, 1), image) and np.array_equal(pixels.transpose(2, 0, 1), plain)
    assert pixels.shape == PICTURE.shape and not np.array_equal(pixels, PICTURE)


def test_grey_pictures_stay_grey_in_one_plane() -> None:
    grey = Image.fromarray(PICTURE).convert("L")
    one = torch.from_numpy(np.array(grey))[None]
    torch.manual_seed(2)
    edited = keep(p=1)(grey)
    torch.manual_seed(2)
    assert edited.mode == "L" and torch.equal(keep(p=1)(one), torch.from_numpy(np.array(edited))[None])


def test_the_label_follows_the_edit() -> None:
    edit = ExpressionEdit(p=1, emotions=["happiness"], labels=NAMES, face_crop=True)
    picture, label = edit(TENSOR, 0)
    assert label == 1 and not torch.equal(picture, TENSOR)
    sample = edit({"image": TENSOR, "label": 2, "name": "a.png"})
    assert sample["label"] == 1 and sample["name"] == "a.png"
    assert ExpressionEdit(p=0, labels=NAMES, emotions=["anger"])(TENSOR, 3)[1] == 3
    weak = ExpressionEdit(p=1, emotions=["happiness"], strengths=(0.3, 0.4), labels=NAMES, face_crop=True)
    assert weak(TENSOR, 2)[1] == 2


def test_without_a_face_picture_and_label_stay() -> None:
    black = torch.zeros(3, 64, 64, dtype=torch.uint8)
    picture, label = ExpressionEdit(p=1, emotions=["anger"], labels=NAMES)(black, 2)
    assert torch.equal(picture, black) and label == 2
    assert torch.equal(RegeneratedVariant(p=1)(black), black)


def test_a_label_that_would_be_wrong_is_refused_and_a_lonely_picture_is_warned_of() -> None:
    with pytest.raises(UsageError, match="label 3 wrong"):
        ExpressionEdit(p=1)(TENSOR, 3)
    with pytest.raises(UsageError, match="label"):
        ExpressionEdit(p=1)(TENSOR, torch.tensor(3))
    with pytest.warns(UserWarning, match="without its label"):
        ExpressionEdit(p=0)(TENSOR)
    assert ExpressionEdit(p=0, strengths=(0.1, 0.4))(TENSOR, 3)[1] == 3
    assert keep(p=0)(TENSOR, 3)[1] == 3 and RegeneratedVariant(p=0)(TENSOR, 3)[1] == 3


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ((PICTURE, 1), "ToImage"),
        ((TENSOR.float(), 1), "before ToDtype"),
        ((TENSOR[None], 1), "before batches"),
        ((TENSOR[:2], 1), "channels"),
        ((Image.fromarray(PICTURE), tv_tensors.Image(TENSOR), 1), "one picture"),
        ((1,), "one picture"),
        ((TENSOR, 1, 2), "a picture and its label"),
        ((TENSOR, torch.tensor(1)), "whole number"),
        ((TENSOR,), "whole number"),
    ],
)
def test_samples_that_cannot_be_transformed_are_refused(sample: tuple[Any, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ExpressionEdit(p=0, emotions=["anger"], labels=NAMES)(*sample)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ExpressionEdit(p=1.5),
        lambda: ExpressionEdit(p="often"),  # type: ignore[arg-type]
        lambda: ExpressionEdit(emotions=["smirk"]),
        lambda: ExpressionEdit(emotions=[]),
        lambda: ExpressionEdit(strengths=(0.9, 0.1)),
        lambda: ExpressionEdit(labels=["happy"], emotions=["anger"]),
        lambda: ExpressionEdit(labels="happy"),  # type: ignore[arg-type]
        lambda: RegeneratedVariant(p=-1),
        lambda: RegeneratedVariant(kept=0),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_made(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_they_stand_in_a_compose_and_say_what_they_do() -> None:
    chain = v2.Compose([v2.ToImage(), keep(p=1, emotions=["fear"]), v2.ToDtype(torch.float32, scale=True)])
    out = chain(PICTURE)
    assert out.shape == (3, 100, 100) and out.dtype == torch.float32 and out.min() >= 0 and out.max() <= 1
    assert "emotions=['fear']" in repr(chain) and "engine='patch'" in repr(RegeneratedVariant())


def test_a_variant_is_fitted_once_and_not_pickled() -> None:
    variant = RegeneratedVariant(p=1, kept=1, face_crop=True)
    first, second = variant(TENSOR), variant(TENSOR)
    assert not torch.equal(first, second)
    draws = variant._draws
    assert len(draws._fitted) == 1 and len(pickle.loads(pickle.dumps(draws))._fitted) == 0
    variant(torch.flip(TENSOR, [2]))
    assert len(draws._fitted) == 1


class Faces(Dataset[Any]):
    """Six times the same face: what differs is drawn."""

    def __init__(self, transform: Callable[[np.ndarray], torch.Tensor]) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(PICTURE)


def by_torchvision() -> Callable[[np.ndarray], torch.Tensor]:
    return v2.Compose([v2.ToImage(), keep(p=0.8, strengths=(0.3, 1))])


def by_albumentations() -> Callable[[np.ndarray], torch.Tensor]:
    albumentations = pytest.importorskip("albumentations")
    from singanimation import albumentations as ours

    chain = albumentations.Compose([ours.ExpressionEdit(p=0.8, strengths=(0.3, 1), labels="keep", face_crop=True)])
    return partial(_run, chain)


def _run(chain: Any, pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(chain(image=pixels)["image"].copy())


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (by_torchvision, "fork"),
        (by_albumentations, "fork"),
        pytest.param(by_torchvision, "spawn", marks=pytest.mark.slow),
    ],
)
def test_two_workers_give_the_same_batches_twice_and_never_the_same_draws(
    make: Callable[[], Callable[[np.ndarray], torch.Tensor]], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))
    transform = make()
    epochs = 2 if way == "fork" else 1

    def batches(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        loader = DataLoader(Faces(transform), batch_size=3, num_workers=2, multiprocessing_context=way)
        return [batch.clone() for _ in range(epochs) for batch in loader]

    first, second = batches(5), batches(5)
    assert len(first) == 2 * epochs and all(map(torch.equal, first, second))
    pictures = torch.cat(first)
    edited = [each.numpy().tobytes() for each in pictures if each.numpy().tobytes() not in _unedited()]
    assert len(edited) >= 3 * epochs and len(set(edited)) == len(edited)


def _unedited() -> set[bytes]:
    return {PICTURE.tobytes(), TENSOR.numpy().tobytes()}


def test_albumentations_style_takes_and_gives_its_kinds() -> None:
    albumentations = pytest.importorskip("albumentations")
    from singanimation import albumentations as ours

    edit = albumentations.Compose([ours.ExpressionEdit(p=1, emotions=["happiness"], labels=NAMES, face_crop=True)])
    done = edit(image=PICTURE, label=0)
    assert done["label"] == 1 and done["image"].shape == PICTURE.shape and not np.array_equal(done["image"], PICTURE)
    grey = np.asarray(Image.fromarray(PICTURE).convert("L"))
    plain = ours.ExpressionEdit(p=1, labels="keep", face_crop=True)
    assert plain(image=grey)["image"].shape == grey.shape
    assert plain(image=grey[..., None], label=3)["label"] == 3
    variant = albumentations.Compose([ours.RegeneratedVariant(p=1, face_crop=True), albumentations.HorizontalFlip(p=1)])
    assert not np.array_equal(variant(image=PICTURE)["image"], PICTURE[:, ::-1])
    with pytest.raises(UsageError, match="label 0 wrong"):
        ours.ExpressionEdit(p=1)(image=PICTURE, label=0)
    with pytest.raises(UsageError, match="uint8"):
        plain(image=PICTURE.astype(np.float32))
    assert ours.ExpressionEdit(p=0)(image=PICTURE, label=0)["label"] == 0
    restored = albumentations.from_dict(albumentations.to_dict(edit))
    assert restored(image=PICTURE, label=0)["label"] == 1
