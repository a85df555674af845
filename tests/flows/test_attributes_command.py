"""`augment train attributes` and `augment edit --attribute`: files that are written, resumed and refused."""

import cv2
import numpy as np
import pytest
from command import augment
from one_source import source_of
from PIL import Image
from skimage import data
from test_training_faces import portraits

from singanimation.stages.expansion.attributes.checkpoints import load_attributes, save_attributes
from singanimation.stages.expansion.attributes.made.spectacles import draw_spectacles, draw_style, place_on
from singanimation.stages.expansion.attributes.networks import AttributeNetwork
from singanimation.stages.expansion.attributes.registration import Registration

OPTIONS = {"attributes": ["spectacles"], "widths": [8, 8, 8], "blocks": 1, "fine_blocks": 1, "finish": 8}


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """Networks that find spectacles on every face, and paint."""
    import torch

    torch.manual_seed(0)
    network = AttributeNetwork(**OPTIONS)
    last = network.remove.finish[-1]
    assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
    with torch.no_grad():
        last.bias.copy_(torch.tensor([0.6, -0.6, 0.6, 1.5, 0.0, 0.0]))
    path = tmp_path_factory.mktemp("weights") / "painted.safetensors"
    save_attributes(path, network, OPTIONS, {})
    return path


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "eileen.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


@pytest.fixture(scope="module")
def wearer(tmp_path_factory):
    """The same person with drawn spectacles."""
    from singanimation.flows.models import load_face_models
    from singanimation.pipeline.face.framing import apply

    found = load_face_models().find_face(data.astronaut(), source_of(tmp_path_factory.mktemp("none") / "none.png"))
    points = apply(cv2.invertAffineTransform(found.matrix), found.landmarks)
    style = draw_style(np.random.default_rng(1))._replace(
        rims=(0.04, 0.04, 0.04),
        frame=(0.05, 0.05, 0.05),
        frame_opacity=0.9,
        lens_opacity=(0.0, 0.0),
        size=(0.34, 0.24),
        drop=0.06,
        shadow=0.0,
        glints=(),
    )
    colour, opacity = draw_spectacles(style, place_on(points, Registration().points.numpy()), 512)
    worn = data.astronaut() * (1 - opacity[..., None]) + 255 * colour * opacity[..., None]
    path = tmp_path_factory.mktemp("pictures") / "worn.png"
    Image.fromarray(worn.astype(np.uint8)).save(path)
    return path


def test_carried_and_taken_off_in_the_photograph_with_mask_and_sheet(painted, photograph, wearer, tmp_path):
    options = ("--attributes", painted, "--output", tmp_path, "--masks")
    assert augment("edit", photograph, *options, "--attribute", "spectacles", "--attributes-from", wearer) == 0
    assert augment("edit", wearer, *options, "--without", "spectacles") == 0
    names = {path.name for path in tmp_path.iterdir()}
    edits = {"eileen__spectacles-from-worn", "worn__without-spectacles"}
    sheets = {"eileen__attributes.png", "worn__attributes.png"}
    assert names == {f"{e}{end}" for e in edits for end in (".png", "__mask.png")} | sheets
    bare = np.asarray(Image.open(tmp_path / "worn__without-spectacles.png"))
    changed = np.argwhere((bare != np.asarray(Image.open(wearer))).any(2))
    assert bare.shape == (512, 512, 3) and len(changed) > 50
    assert changed[:, 0].max() < 180 and changed[:, 1].min() > 120  # about the eyes, and nowhere else


def test_what_cannot_be_asked_is_said(painted, photograph, tmp_path, capsys):
    def said(*options: object) -> tuple[int, str]:
        code = augment("edit", photograph, "--output", tmp_path / "o", *options)
        return code, capsys.readouterr().err

    code, text = said("--attribute", "spectacles")
    assert code == 2 and "give both" in text
    code, text = said("--attribute", "hat", "--attributes-from", photograph)
    assert code == 2 and "use spectacles, beard, hair" in text
    code, text = said("--attribute", "beard", "--attributes-from", photograph, "--attributes", painted)
    assert code == 2 and "know spectacles, not beard" in text
    code, text = said("--attribute", "beard", "--attributes-from", tmp_path / "none.png")
    assert code == 2 and "no such picture" in text
    code, text = said("--without", "hair")  # none of those that ship
    assert code == 2 and "know spectacles, beard, not hair; `augment train attributes` makes others" in text
    wall = tmp_path / "wall.png"
    Image.new("RGB", (120, 120), (90, 120, 90)).save(wall)
    code, text = said("--attribute", "spectacles", "--attributes-from", wall, "--attributes", painted)
    assert code != 0 and "wall.png" in text


def test_a_donor_without_and_a_face_without_are_said(painted, photograph, tmp_path, capsys):
    options = ("--attributes", painted, "--output", tmp_path / "o")
    assert augment("edit", photograph, *options, "--attribute", "spectacles", "--attributes-from", photograph) == 2
    assert "no spectacles are found on that face" in capsys.readouterr().err
    assert augment("edit", photograph, *options, "--without", "spectacles") == 1
    assert "no spectacles are found on this face" in capsys.readouterr().err


def test_a_training_writes_networks_card_losses_and_sheet_by_a_list(tmp_path, capsys):
    faces = portraits(tmp_path / "faces", 8)
    listed = tmp_path / "list_attr_celeba.txt"
    rows = "".join(f"{number}.jpg {1 if number < 2 else -1} -1\n" for number in range(8))
    listed.write_text(f"8\nEyeglasses Bangs\n{rows}")
    command = ("train", "attributes", "--input", faces, "--output", tmp_path / "a.safetensors", "--width", 0.2)
    command += ("--batch-size", 2, "--workers", 1, "--steps", 10, "--attributes", listed)
    assert augment(*command) == 2 and "does not tell of beard" in capsys.readouterr().err
    assert augment(*command, "--only", "hats") == 2
    assert augment(*command, "--only", "spectacles,hair") == 0
    written = {path.name for path in tmp_path.iterdir() if path.name.startswith("a.") and path.is_file()}
    assert written >= {"a.safetensors", "a.md", "a.csv", "a.png", "a.checkpoint.pt"}
    loaded = load_attributes(tmp_path / "a.safetensors")
    assert loaded.network.attributes == ("spectacles", "hair") and loaded.card["bare_faces"] == "a list of attributes"
    assert augment(*command, "--only", "spectacles,hair") == 2 and "all 10 steps are done" in capsys.readouterr().err
    listed.write_text(listed.read_text().replace("0.jpg 1", "0.jpg -1"))
    assert augment(*command, "--only", "spectacles,hair") == 2 and "listed" in capsys.readouterr().err
    listed.write_text("1\nEyeglasses Bangs\nother.jpg 1 1\n")
    assert augment(*command, "--only", "spectacles", "--no-resume") != 0
    assert "another data set" in capsys.readouterr().err
