"""Pictures as tensors and back."""

import numpy as np
import torch


def to_tensor(pictures: np.ndarray, device: str) -> torch.Tensor:
    """Return uint8 (B, H, W, 3) as float32 (B, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(tensor: torch.Tensor) -> np.ndarray:
    """Return (K, 3, H, W) in -1..1 (cut off outside) as uint8 (K, H, W, 3)."""
    pixels = ((tensor.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())
