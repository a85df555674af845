"""The weights file: what goes in comes out, the same bytes each time, and nothing else is taken for one."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from singanimation.pipeline.errors import WeightsError
from singanimation.stages.action_units.network import AlignerNetwork, AUNetwork
from singanimation.stages.action_units.weights import load_network, load_weights, packaged_weights, write_weights


@pytest.fixture(scope="module")
def networks() -> tuple[AUNetwork, AlignerNetwork]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        networks = AUNetwork().eval(), AlignerNetwork().eval()
        torch.nn.init.normal_(networks[0].shape_basis)
        return networks


def test_a_round_trip_keeps_every_weight_to_half_precision(networks, tmp_path):
    write_weights(tmp_path / "w.safetensors", *networks, recipe={"seed": 3})
    loaded = load_weights(tmp_path / "w.safetensors")
    assert loaded.recipe == {"seed": 3}
    for network, again in zip(networks, (loaded.action_units, loaded.aligner), strict=True):
        theirs = again.state_dict()
        for name, value in network.state_dict().items():
            coarse = float(value.abs().max()) / 254 if name == "shape_basis" else 1e-6
            np.testing.assert_allclose(theirs[name], value, rtol=1e-3, atol=coarse + 1e-6, err_msg=name)


def test_the_same_networks_give_the_same_bytes(networks, tmp_path):
    digests = [write_weights(tmp_path / name, *networks, recipe={"seed": 3}) for name in ("a", "b")]
    assert digests[0] == digests[1]
    assert digests[0] != write_weights(tmp_path / "c", *networks, recipe={"seed": 4})


def test_whoever_may_read_other_files_may_read_the_weights(networks, tmp_path):
    (tmp_path / "other").write_bytes(b"")
    write_weights(tmp_path / "w.safetensors", networks[0], None, {})
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_without_a_scale_or_with_a_strange_card_is_refused(networks, tmp_path):
    write_weights(tmp_path / "w.safetensors", networks[0], None, {})
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        card, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file({k: v for k, v in tensors.items() if not k.endswith(".scale")}, tmp_path / "scale.safetensors", card)
    with pytest.raises(WeightsError, match="no scale"):
        load_weights(tmp_path / "scale.safetensors")
    save_file(tensors, tmp_path / "card.safetensors", {"singanimation": "[]"})
    with pytest.raises(WeightsError, match="no weights file of the embedded"):
        load_weights(tmp_path / "card.safetensors")


def test_an_au_network_alone_can_be_saved(networks, tmp_path):
    write_weights(tmp_path / "w.safetensors", networks[0], None, {})
    assert load_weights(tmp_path / "w.safetensors").aligner is None


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    network = AUNetwork()
    with torch.no_grad():
        network.shape.weight[0, 0] = 1e6
    with pytest.raises(WeightsError, match="shape.weight"):
        write_weights(tmp_path / "w.safetensors", network, None, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64])
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="bad.safetensors cannot be read"):
        load_weights(tmp_path / "bad.safetensors")


def test_another_programs_safetensors_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no weights file of the embedded AU estimator"):
        load_weights(tmp_path / "other.safetensors")


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path):
    metadata = {"singanimation": '{"format": "singanimation-action-units", "version": "1", "recipe": {}}'}
    save_file({"action_units.mirror": torch.zeros(478)}, tmp_path / "half.safetensors", metadata)
    with pytest.raises(WeightsError, match="has no tensor action_units."):
        load_weights(tmp_path / "half.safetensors")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is no file"):
        load_weights(tmp_path / "absent.safetensors")


def test_the_packaged_weights_are_at_most_four_megabytes():
    assert packaged_weights().stat().st_size <= 4_000_000


def test_the_packaged_network_can_be_a_loss():
    network = load_network()
    pictures = torch.zeros(2, 3, 128, 128, requires_grad=True)
    action_units, landmarks, features = network(pictures, features=True)
    assert action_units.shape == (2, 17) and landmarks.shape == (2, 478, 2)
    assert [tuple(maps.shape[1:]) for maps in features] == [(64, 32, 32), (96, 16, 16), (192, 8, 8)]
    action_units.sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())
