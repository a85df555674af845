"""The early layers of Inception-v3 that SIFID is measured on.

With torchvision's ImageNet weights and pictures in -1..1 at their own size, as SinGAN's code has it (Shaham et al.
2019, section 3.2). Its script divides pictures by 255 twice; here they enter as uint8 and are scaled once.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.inception import NOT_INSTALLED, WEIGHTS
from singanimation.pipeline.weights import find, locate

Features = Callable[[np.ndarray], np.ndarray]
"""uint8 (N, H, W, 3) -> float32 (N, P, C): one vector per position."""

LAYERS: dict[int, tuple[str, ...]] = {
    64: ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"),
    192: ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
}
"""64: before the first max-pool, as SinGAN's released code; 192: before the second, as its paper says."""


def weights_at_hand() -> bool:
    """Tell whether Inception-v3's weights were fetched or named for this program.

    A copy that another library happens to keep does not count: what a filter measures is not left to chance.
    """
    found = locate(WEIGHTS)
    return found is not None and found.where != "library"


class InceptionStem:
    """Features of the first layers of Inception-v3; pictures enter at their own size, in -1..1."""

    def __init__(self, channels: int, network: nn.Sequential, name: str, device: str = "cpu") -> None:
        self.name, self.channels = name, channels
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device

    @classmethod
    def load(cls, channels: int, path: Path | str | None = None, device: str = "cpu") -> "InceptionStem":
        """Load torchvision's (or pytorch-fid's) Inception-v3 state dict from a local file.

        ``channels`` is 64 or 192; without ``path`` the registry looks (see `augment weights path inception-v3`).
        Raises WeightsError where there is no such file or it is not one of Inception-v3.
        """
        network = _stem(channels)
        path = find(WEIGHTS, path)
        state = _read_state(path)
        wanted = {name: state[name] for name in network.state_dict() if name in state}
        bad = [name for name, value in wanted.items() if value.is_floating_point() and not value.isfinite().all()]
        if bad:
            raise WeightsError(f"{path} has values in {bad[0]} that are not finite; it is damaged.")
        try:
            network.load_state_dict(wanted)
        except RuntimeError as error:
            raise WeightsError(
                f"{path} holds no Inception-v3 weights: {str(error).splitlines()[-1].strip()}"
            ) from error
        return cls(channels, network, f"inception-{channels}", device)

    @classmethod
    def random(cls, channels: int, seed: int = 0, device: str = "cpu") -> "InceptionStem":
        """Return the stem with weights drawn from ``seed``: for tests and benchmarks, named ``random-64``."""
        network, generator = _stem(channels), torch.Generator().manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                scale = (2 / module.weight[0].numel()) ** 0.5
                module.weight.data = torch.randn(module.weight.shape, generator=generator) * scale
        return cls(channels, network, f"random-{channels}", device)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3) to float32 (N, P, C)."""
        values = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        features = self._network(values.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return features.flatten(2).transpose(1, 2).cpu().numpy()


def _stem(channels: int) -> nn.Sequential:
    if channels not in LAYERS:
        raise UsageError(f"SIFID is measured on 64 or 192 channels of Inception-v3, not {channels}.")
    try:
        from torchvision.models.inception import BasicConv2d
    except ImportError:
        raise UsageError(NOT_INSTALLED) from None
    modules: dict[str, nn.Module] = {
        "Conv2d_1a_3x3": BasicConv2d(3, 32, kernel_size=3, stride=2),
        "Conv2d_2a_3x3": BasicConv2d(32, 32, kernel_size=3),
        "Conv2d_2b_3x3": BasicConv2d(32, 64, kernel_size=3, padding=1),
        "maxpool1": nn.MaxPool2d(kernel_size=3, stride=2),
        "Conv2d_3b_1x1": BasicConv2d(64, 80, kernel_size=1),
        "Conv2d_4a_3x3": BasicConv2d(80, 192, kernel_size=3),
    }
    network = nn.Sequential()
    for name in LAYERS[channels]:
        network.add_module(name, modules[name])
    return network


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path} cannot be read as weights: {shown(error)}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no state dict.")
    return state
