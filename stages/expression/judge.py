"""The trained classifier as a judge of edits, and its file."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.stages.expression.network import ExpressionNetwork

FORMAT = "singanimation-expression-1"
_METADATA = "singanimation"

MakeTrunk = Callable[[], tuple[nn.Module, int]]
"""A new trunk (its weights do not matter) and how many channels it gives."""


class ExpressionJudge:
    """Says how much each crop looks like each emotion, among the ``classes`` that it has learnt.

    ``digest`` names its file (16 hex digits), ``card`` what it was trained on and how well it does on held-out people.
    """

    def __init__(
        self, network: ExpressionNetwork, classes: tuple[str, ...], card: Mapping[str, Any], digest: str, device: str
    ) -> None:
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device
        self._unknown = torch.tensor([name not in classes for name in EMOTIONS], device=device)
        self.classes, self.card, self.digest = classes, dict(card), digest

    @classmethod
    def load(cls, path: Path, make_trunk: MakeTrunk, device: str = "cpu") -> Self:
        """Load a file that ``save`` wrote. Raises WeightsError when it is missing, damaged, or none of ours."""
        try:
            with safe_open(path, "pt") as opened:
                about = json.loads((opened.metadata() or {}).get(_METADATA, "{}"))
                weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no dict
        except (OSError, SafetensorError, ValueError) as error:
            raise WeightsError(
                f"{path} cannot be read as an expression judge ({str(error).splitlines()[0]})."
            ) from None
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise WeightsError(f"{path} is no expression judge; `augment train expression --input DATA` makes one.")
        classes = tuple(name for name in EMOTIONS if name in about.get("classes", ()))
        network = ExpressionNetwork(*make_trunk())
        try:
            network.load_state_dict({name: _full(value) for name, value in weights.items()})
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit this version's expression judge ({str(error)[:120]}).") from None
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        return cls(network, classes, about.get("card", {}), digest, device)

    def save(self, path: Path) -> str:
        """Write it as safetensors, half precision, whole or not at all; return its digest. Raises MachineError."""
        weights = {name: _half(value) for name, value in self._network.state_dict().items()}
        about = {"format": FORMAT, "classes": list(self.classes), "card": self.card}
        data = save(weights, {_METADATA: json.dumps(about, sort_keys=True)})
        with atomic_file(path) as file:
            file.write(data)
        return hashlib.sha256(data).hexdigest()[:16]

    @torch.inference_mode()
    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Return probabilities float32 (N, 7), RAF-DB's order, of crops uint8 (N, 128, 128, 3).

        0 for what it has not learnt. Each crop is seen alone, so that its figures do not depend on its neighbours.
        """
        seen = [torch.from_numpy(crop).permute(2, 0, 1)[None].to(self._device).float() / 127.5 - 1 for crop in crops]
        logits = [self._network(picture).masked_fill(self._unknown, -torch.inf) for picture in seen]
        return torch.cat(logits).softmax(1).float().cpu().numpy()

    def compare(self, crop: np.ndarray, wanted: str, source: str) -> tuple[float, float] | None:
        """Return how much one crop looks like the emotion ``wanted``, and like ``source``: two shares in 0..1.

        None where the two are one, or either was not learnt.
        """
        if wanted == source or not {wanted, source} <= set(self.classes):
            return None
        shares = self(crop[None])[0]
        return float(shares[EMOTION_INDEX[wanted]]), float(shares[EMOTION_INDEX[source]])


def recalls(shares: np.ndarray, labels: np.ndarray) -> dict[str, tuple[float, int]]:
    """Return each class's recall and number of pictures; ``shares`` (N, 7) and ``labels`` (N,)."""
    found = shares.argmax(1)
    counted = {index: labels == index for index in np.unique(labels)}
    return {EMOTIONS[int(i)]: (float((found[rows] == i).mean()), int(rows.sum())) for i, rows in counted.items()}


def _half(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    return (value.half() if value.is_floating_point() else value).contiguous()


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
