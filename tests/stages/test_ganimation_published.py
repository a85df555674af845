"""Published generators: recognised by their tensors, equal to a plain computation of their networks, imported."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from published_networks import compute, random_state

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.ganimation.networks import PaperGenerator
from singanimation.stages.expansion.ganimation.published.importing import import_generator
from singanimation.stages.expansion.ganimation.published.mapping import convert

KINDS = {
    "P": "albertpumarola/GANimation",
    "D": "donydchen/ganimation_replicate",
    "V": "vipermu/ganimation",
}
CROP = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
SOURCE = np.zeros(17, np.float32)
TARGETS = np.random.default_rng(1).uniform(0, 1, (2, 17)).astype(np.float32)


def picture_of(crop: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255 * 2 - 1


def save(state: dict, path: Path) -> Path:
    torch.save(state, path)
    return path


def test_the_states_of_these_tests_have_the_published_sizes() -> None:
    sizes = {kind: random_state(kind, width=64, blocks=6) for kind in "PD"}
    assert (len(sizes["P"]), sum(value.numel() for value in sizes["P"].values())) == (53, 8_471_296)
    assert (len(sizes["D"]), sum(value.numel() for value in sizes["D"].values())) == (36, 8_467_584)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "blocks", "size"), [(8, 2, 128), (64, 6, 48)])
def test_outputs_equal_a_plain_computation_of_the_published_network(
    kind: str, width: int, blocks: int, size: int
) -> None:
    state = random_state(kind, width, blocks)
    converted = convert(state, Path("checkpoint.pth"))
    assert converted.implementation.name == KINDS[kind]
    picture, units = picture_of(CROP[:size, :size]).double(), torch.from_numpy(TARGETS[:1]).double()
    with torch.inference_mode():
        precise = {name: value.double() for name, value in state.items()}
        expected = compute(kind, precise, picture, units, blocks)
        output = converted.network.double()(picture, units)
    for ours, theirs in zip((output.picture, output.attention, output.colour), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
    assert expected[1].std() > 0.05 and expected[2].std() > 0.05  # weights that do something


@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_generator_edits_as_the_published_one(kind: str, tmp_path: Path) -> None:
    state = random_state(kind)
    file = save({f"module.{name}": value for name, value in state.items()}, tmp_path / "any-name.bin")
    card = import_generator(file, tmp_path / "new" / "imported.safetensors")
    assert card["implementation"] == KINDS[kind]
    edits = ExpressionEditor.load(tmp_path / "new" / "imported.safetensors").edit(CROP, SOURCE, TARGETS)
    assert edits.flow is None
    for index, target in enumerate(TARGETS):
        expected, attention, _ = compute(kind, state, picture_of(CROP), torch.from_numpy(target)[None])
        pixels = ((expected[0].permute(1, 2, 0) + 1) * 127.5).numpy()
        assert np.abs(edits.pictures[index] - pixels).max() < 0.51
        np.testing.assert_allclose(edits.attention[index], attention[0, 0], atol=2e-5)
    assert not np.array_equal(edits.pictures[0], edits.pictures[1])  # the target matters


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_file_runs_as_it_is_and_like_its_import(kind: str, tmp_path: Path) -> None:
    file = save(random_state(kind), tmp_path / "net.pth")
    import_generator(file, tmp_path / "imported.safetensors")
    direct = ExpressionEditor.load(file).edit(CROP, SOURCE, TARGETS)
    imported = ExpressionEditor.load(tmp_path / "imported.safetensors").edit(CROP, SOURCE, TARGETS)
    assert np.array_equal(direct.pictures, imported.pictures)


def test_vipermus_generator_can_normalise_by_the_pictures_own_statistics(tmp_path: Path) -> None:
    state = random_state("V")
    file = save(state, tmp_path / "G.ckpt")
    import_generator(file, tmp_path / "own.safetensors", picture_statistics=True)
    loaded = load_generator(tmp_path / "own.safetensors")
    assert type(loaded.network) is PaperGenerator and "each picture's own" in loaded.card["normalisation"]
    picture, units = picture_of(CROP), torch.from_numpy(TARGETS[:1])
    with torch.inference_mode():
        own = compute("V", state, picture, units, running=False)[0]
        running = compute("V", state, picture, units)[0]
        torch.testing.assert_close(loaded.network(picture, units).picture, own, rtol=1e-4, atol=2e-5)
    assert (own - running).abs().max() > 0.1


def test_statistics_left_over_from_old_versions_are_dropped_for_the_official_code(tmp_path: Path) -> None:
    state = random_state("P")
    old = state | {"main.1.running_mean": torch.full((8,), 9.0), "main.1.running_var": torch.full((8,), 9.0)}
    first, second = (convert(each, Path("x.pth")) for each in (state, old))
    assert second.dropped == ("2 running statistics",)
    for ours, theirs in zip(first.network.state_dict().values(), second.network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_dropout_in_the_residual_blocks_moves_the_second_convolution() -> None:
    state = random_state("D")
    moved = {name.replace("conv_block.3.", "conv_block.4."): value for name, value in state.items()}
    first, second = (convert(each, Path("x.pth")).network.state_dict() for each in (state, moved))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_card_says_what_was_mapped_and_by_which_conventions(tmp_path: Path) -> None:
    card = import_generator(save(random_state("D"), tmp_path / "30_net_gen.pth"), tmp_path / "d.safetensors")
    assert card["mapped"] == "11 tensors"
    assert card["dropped"] == "9 convolution biases, which the normalisation after them cancels"
    assert (
        card["au_estimator"] == "openface"
        and "intensity / 5" in card["condition"]
        and "AU01 AU02 AU04" in card["condition"]
    )
    assert card["attention"].startswith("1 keeps the input's pixel") and card["picture"] == "RGB, 128x128, -1..1"
    text = (tmp_path / "d.md").read_text()
    assert all(line in text for line in card.values())
    assert load_generator(tmp_path / "d.safetensors").card["implementation"] == KINDS["D"]
    assert (
        "duplicates of the trunk"
        in import_generator(save(random_state("V"), tmp_path / "v.ckpt"), tmp_path / "v.safetensors")["dropped"]
    )


def test_importing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    file = save(random_state("V"), tmp_path / "v.ckpt")
    written = []
    for _ in range(4):
        import_generator(file, tmp_path / "v.safetensors")
        written.append((tmp_path / "v.safetensors").read_bytes())
    assert len(set(written)) == 1


def test_an_output_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ends in .safetensors"):
        import_generator(save(random_state("P"), tmp_path / "p.pth"), tmp_path / "out.pth")


def test_a_file_of_our_own_needs_no_import(tmp_path: Path) -> None:
    import_generator(save(random_state("P"), tmp_path / "p.pth"), tmp_path / "p.safetensors")
    with pytest.raises(UsageError, match="one of this program's own files already"):
        import_generator(tmp_path / "p.safetensors", tmp_path / "again.safetensors")


def test_a_published_state_dict_may_also_come_as_safetensors(tmp_path: Path) -> None:
    save_file(random_state("D"), tmp_path / "d.safetensors")
    assert load_generator(tmp_path / "d.safetensors").card["implementation"] == KINDS["D"]
    assert import_generator(tmp_path / "d.safetensors", tmp_path / "o.safetensors")["mapped"] == "11 tensors"


def test_a_state_dict_one_level_down_is_found(tmp_path: Path) -> None:
    file = save({"epoch": 3, "state_dict": random_state("P")}, tmp_path / "wrapped.pth")
    assert load_generator(file).card["implementation"] == KINDS["P"]


def test_a_training_may_start_from_an_imported_generator(tmp_path: Path) -> None:
    from singanimation.stages.expansion.training.loop import initial_weights

    import_generator(save(random_state("P"), tmp_path / "p.pth"), tmp_path / "p.safetensors")
    network = PaperGenerator(width=8, blocks=2)
    initial_weights(network, tmp_path / "p.safetensors")
    assert torch.equal(network.state_dict()["stem.0.weight"], random_state("P")["main.0.weight"])


def test_wrong_sizes_are_named(tmp_path: Path) -> None:
    state = random_state("P")
    with pytest.raises(WeightsError, match=r"main.3.weight has the shape \(3, 3\) and \(16, 8, 4, 4\) is needed"):
        convert(state | {"main.3.weight": torch.zeros(3, 3)}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="conditioned on 12 action units; 17 are needed"):
        convert(state | {"main.0.weight": torch.zeros(8, 15, 7, 7)}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="first layer main.0.weight does not fit"):
        convert(state | {"main.0.weight": torch.zeros(1).expand(10**9, 20, 7, 7)}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="lacks main.10.main.4.bias; is it complete"):
        convert({name: value for name, value in state.items() if name != "main.10.main.4.bias"}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"has tensors it does not have: model.1.weight"):
        convert(random_state("D") | {"model.1.weight": torch.ones(8)}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="values in main.0.weight that are not finite"):
        convert(state | {"main.0.weight": torch.full((8, 20, 7, 7), torch.nan)}, tmp_path / "x.pth")
