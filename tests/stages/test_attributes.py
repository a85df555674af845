"""Attributes carried and taken off: flows that land where they should, masks that leave the rest alone, files."""

import numpy as np
import pytest
import torch
from torch import Tensor

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.attributes.bareness import bareness, barest
from singanimation.stages.expansion.attributes.checkpoints import load_attributes, save_attributes
from singanimation.stages.expansion.attributes.editor import AttributeEditor, Face
from singanimation.stages.expansion.attributes.networks import AttributeNetwork, Bare
from singanimation.stages.expansion.attributes.registration import Registration, composed
from singanimation.stages.expansion.geometry.movement.flow import warp

OPTIONS = {"attributes": ["spectacles", "beard"], "widths": [8, 8, 8], "blocks": 1, "fine_blocks": 1, "finish": 8}


@pytest.fixture(scope="module")
def registration() -> Registration:
    return Registration()


def spot(x: float, y: float) -> Tensor:
    """A round bright spot of 5 px around (x, y), on black: (1, 1, 128, 128)."""
    rows, columns = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 12)[None, None]


def middle_of(picture: Tensor) -> tuple[float, float]:
    rows, columns = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    total = picture.sum()
    return float((picture[0, 0] * columns).sum() / total), float((picture[0, 0] * rows).sum() / total)


def face_of(points: Tensor, seed: int = 0) -> Face:
    pixels = np.random.default_rng(seed).integers(40, 220, (128, 128, 3), np.uint8)
    return Face(pixels, points[0].numpy().astype(np.float32))


def wild_network(seed: int = 0, **options: object) -> AttributeNetwork:
    """A network that paints everywhere it may: heads are not at rest."""
    torch.manual_seed(seed)
    network = AttributeNetwork(**{**OPTIONS, **options})  # pyright: ignore[reportArgumentType]
    for parameter in network.parameters():
        if parameter.dim() != 2:
            torch.nn.init.normal_(parameter, std=0.15)
    return network.eval()


@pytest.mark.parametrize("way", ["dense", "rigid"])
def test_a_face_moved_as_a_whole_carries_a_patch_by_just_as_much(registration, points, way):
    moved = points + torch.tensor([6.0, -3.0])
    x, y = points[0, mesh.NOSE_TIP].tolist()
    flow = getattr(registration, way)(points, moved)
    found = middle_of(warp(spot(x, y), flow))
    assert found == pytest.approx((x + 6, y - 3), abs=0.4 if way == "dense" else 0.02)


def test_the_dense_flow_takes_a_patch_from_a_moved_chin_to_where_the_chin_is(registration, points):
    source = points.clone()
    below = points[0, :, 1] > points[0, mesh.LIPS[0], 1]
    source[0, below, 1] += 5
    x, y = points[0, mesh.CHIN].tolist()
    carried = warp(spot(x, y + 5 - 6), registration.dense(source, points))
    assert middle_of(carried)[1] == pytest.approx(y - 6, abs=0.8)
    assert middle_of(warp(spot(x, 45), registration.dense(source, points)))[1] == pytest.approx(45, abs=0.3)


def test_spectacles_are_carried_by_one_affine_map(registration, points):
    turn = torch.tensor([[0.98, 0.1], [-0.12, 1.05]])
    donor = points @ turn.T + torch.tensor([3.0, -2.0])
    flow = registration.rigid(donor, points)
    at = torch.tensor([30.5, 70.5])
    wanted = at @ turn.T + torch.tensor([3.0, -2.0]) - at
    torch.testing.assert_close(flow[0, :, 70, 30], wanted, atol=1e-3, rtol=0)


def test_the_same_landmarks_carry_everything_to_where_it_was(registration, points):
    which = torch.arange(3)
    three = points.expand(3, -1, -1)
    assert float(registration.flow(which, three, three).abs().max()) < 1e-3


def test_two_flows_in_one_are_the_two_after_each_other():
    picture = torch.rand(1, 3, 128, 128)
    first, second = torch.full((1, 2, 128, 128), 3.0), torch.full((1, 2, 128, 128), -2.0)
    both, one = warp(warp(picture, first), second), warp(picture, composed(first, second))
    torch.testing.assert_close(both[..., 4:-4, 4:-4], one[..., 4:-4, 4:-4])


def test_an_attribute_has_its_own_place_on_the_face(registration, points):
    allowed = registration.places(torch.arange(3), points.expand(3, -1, -1)).allowed[:, 0]
    eye, chin, forehead = ([round(v) for v in points[0, index].tolist()] for index in (468, 199, 10))
    mouth = points[0, [13, 14]].mean(0).round().int().tolist()
    at = {name: [float(allowed[k, y, x]) for x, y in (eye, chin, forehead)] for k, name in enumerate(ATTRIBUTES)}
    assert at == {"spectacles": [1, 0, 0], "beard": [0, 1, 0], "hair": [0, 0, 1]}
    assert float(allowed[1, mouth[1], mouth[0]]) < 0.3


def test_a_layer_is_told_apart_from_the_skin_under_it():
    skin, colour = torch.rand(1, 3, 8, 8) * 0.4, torch.rand(1, 3, 8, 8) * 0.4
    mask = torch.full((1, 1, 8, 8), 0.5)
    layer = AttributeNetwork(**OPTIONS).layer(0.5 * skin + 0.5 * colour, Bare(skin, mask, skin))
    torch.testing.assert_close(layer.colour, colour)


@pytest.mark.parametrize("attribute", ["spectacles", "beard"])
def test_outside_its_mask_an_edit_is_the_source_bit_for_bit(points, registration, attribute):
    editor = AttributeEditor(wild_network(), "0" * 16)
    face, donor = face_of(points, 1), face_of(points + torch.tensor([2.0, 1.0]), 2)
    places = registration.places(torch.tensor([ATTRIBUTES.index(attribute)]), points)
    for edit in (editor.remove(face, attribute), editor.carry(face, donor, attribute)):
        changed = (edit.picture != face.pixels).any(2)
        assert changed.any()
        assert not changed[edit.mask == 0].any()
        assert not changed[places.allowed[0, 0].numpy() == 0].any()


def test_a_donor_that_wears_nothing_gives_the_very_same_picture(points):
    network = wild_network()
    with torch.no_grad():
        last = network.remove.finish[-1]
        assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
        last.bias[3] = -100.0
    face = face_of(points, 1)
    edit = AttributeEditor(network, "0" * 16).carry(face, face_of(points, 2), "spectacles")
    assert (edit.picture == face.pixels).all() and edit.mask.max() == 0


def test_pixels_that_the_picture_does_not_have_are_left_alone_and_grey_stays_grey(points):
    editor = AttributeEditor(wild_network(), "0" * 16)
    face = face_of(points, 1)
    seen = np.ones((128, 128), bool)
    seen[:, :64] = False
    assert (editor.remove(face, "beard", seen).picture[:, :64] == face.pixels[:, :64]).all()
    grey = Face(np.repeat(face.pixels[..., :1], 3, 2), face.landmarks)
    made = editor.carry(grey, face_of(points, 2), "beard")
    assert (made.picture == made.picture[..., :1]).all() and (made.picture != grey.pixels).any()


def test_untrained_networks_change_next_to_nothing(points):
    network = AttributeNetwork(**OPTIONS).eval()
    face = face_of(points, 1)
    picture = torch.from_numpy(face.pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        bare = network.bare(picture, points, torch.tensor([0]))
    assert float(bare.mask.max()) < 0.05
    torch.testing.assert_close(bare.picture, picture, atol=1e-4, rtol=0)


def test_a_face_looks_less_bare_with_spectacles_and_a_beard(points):
    skin = torch.full((1, 3, 128, 128), 0.6)
    worn = skin.clone()
    worn[:, :, 38:41, 25:103] = 0.05
    worn[:, :, 80:125, 30:98] = 0.15
    scores = bareness(torch.cat([skin, worn]), points.expand(2, -1, -1))
    assert (scores[0, :2] > scores[1, :2] + 0.1).all()
    assert barest(scores).tolist()[0][:2] == [True, True] and barest(scores).tolist()[1][:2] == [False, False]


def test_a_file_comes_back_as_it_was_and_the_same_bytes(tmp_path, points):
    network = wild_network()
    for name in ("a", "b"):
        save_attributes(tmp_path / f"{name}.safetensors", network, OPTIONS, {"faces": "drawn"})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load_attributes(tmp_path / "a.safetensors")
    assert loaded.network.attributes == ("spectacles", "beard") and loaded.card["faces"] == "drawn"
    face = face_of(points)
    mine, theirs = (AttributeEditor(each, "0").remove(face, "beard") for each in (network, loaded.network))
    assert np.abs(mine.mask - theirs.mask).max() < 0.05


def test_other_files_are_refused_in_a_sentence(tmp_path):
    from small_training import SMALL_OPTIONS, small_generator

    from singanimation.stages.expansion.checkpoints import save_generator

    generator = tmp_path / "generator.safetensors"
    save_generator(generator, small_generator(), SMALL_OPTIONS, {})
    with pytest.raises(WeightsError, match="holds no attributes"):
        load_attributes(generator)
    (tmp_path / "noise.safetensors").write_bytes(b"x" * 64)
    with pytest.raises(WeightsError):
        load_attributes(tmp_path / "noise.safetensors")
    cut = tmp_path / "cut.safetensors"
    save_attributes(cut, wild_network(), {**OPTIONS, "widths": [16, 8, 8]}, {})
    with pytest.raises(WeightsError, match="does not fit"):
        load_attributes(cut)
