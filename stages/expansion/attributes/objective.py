"""How the two networks learn: first to take off, then to put on.

Departures from GeoGAN: both learn from made pairs, whose answers are known to the pixel, in place of unpaired pictures;
so there is no critic and no cycle.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.stages.expansion.attributes.bareness import bareness, barest
from singanimation.stages.expansion.attributes.made.pairs import MadePairs, MadePairSampler
from singanimation.stages.expansion.attributes.networks import AttributeNetwork
from singanimation.stages.expansion.attributes.settings import AttributeSettings
from singanimation.stages.expansion.training.loop import TrainingFaces, half_cosine
from singanimation.stages.expansion.training.losses import laplacian_l1, region_weights, total_variation

REMOVING = 0.9
"""For this share of the training the network learns to take off alone: most of putting on is the landmarks' work."""

WARM_UP = 40
"""Steps over which each network's learning rate rises."""

WEIGHTS = {"pixels": 4.0, "laplacian": 3.0, "mask": 0.6, "variation": 0.03, "flow": 0.02}


class AttributeObjective:
    """Trains ``AttributeNetwork`` on made pairs, in place."""

    def __init__(
        self,
        settings: AttributeSettings,
        faces: TrainingFaces,
        wearing: np.ndarray | None = None,
    ) -> None:
        attributes = settings.attributes
        self.options: Mapping[str, Any] = {"attributes": list(attributes), **_widths(settings.width)}
        self._settings = settings
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.generator: AttributeNetwork = AttributeNetwork(**self.options)
        self.generator.to(settings.device)
        registration = self.generator.registration(torch.device("cpu"))
        bare = _bare(faces, attributes) if wearing is None else wearing == 0
        self._pairs = MadePairSampler(faces, bare, attributes, registration)
        self._optimisers = {
            name: torch.optim.Adam(getattr(self.generator, name).parameters(), betas=(0.9, 0.99))
            for name in ("remove", "carry")
        }

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train one step of one network, by a rate of its own: up over ``WARM_UP`` steps, then half a cosine to 0.

        ``learning_rate``, the loop's for one network over all steps, is not used.
        """
        removing = done < REMOVING
        name = "remove" if removing else "carry"
        share = REMOVING if removing else 1 - REMOVING
        own = (done if removing else done - REMOVING) / share
        warm = min(1.0, (own * share * self._settings.steps + 1) / WARM_UP)
        optimiser = self._optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = self._settings.learning_rate * warm * half_cosine(own)
        drawn = self._pairs.draw(-(-self._settings.batch_size // 2), random).both_ways()
        pairs = MadePairs(*(part.to(self._settings.device) for part in drawn))
        terms = self._removal(pairs) if removing else self._transfer(pairs)
        loss = reduce(add, (WEIGHTS[key] * term for key, term in terms.items()))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(getattr(self.generator, name).parameters(), 2.0)
        optimiser.step()
        return {f"{name}_{key}": float(term.detach()) for key, term in terms.items()}

    def _removal(self, pairs: MadePairs) -> dict[str, Tensor]:
        with self._autocast():
            bare = self.generator.bare(pairs.worn, pairs.landmarks, pairs.which)
        return _picture_terms(pairs.worn, pairs.plain, bare.picture, bare.mask, pairs.mask)

    def _transfer(self, pairs: MadePairs) -> dict[str, Tensor]:
        with self._autocast():
            with torch.no_grad():
                bare = self.generator.bare(pairs.donor, pairs.donor_landmarks, pairs.which)
            done = self.generator.put_on(
                pairs.plain, pairs.landmarks, pairs.donor, pairs.donor_landmarks, pairs.which, bare
            )
        terms = _picture_terms(pairs.plain, pairs.worn, done.picture, done.mask, pairs.mask)
        return terms | {"flow": total_variation(done.flow)}

    def _autocast(self) -> torch.autocast:
        kind = torch.device(self._settings.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self._settings.mixed_precision)

    def state_dict(self) -> dict[str, Any]:
        """Return the networks and their optimisers."""
        parts = {f"{name}_optimiser": each.state_dict() for name, each in self._optimisers.items()}
        return {"generator": self.generator.state_dict(), **parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        for name, each in self._optimisers.items():
            each.load_state_dict(state[f"{name}_optimiser"])


def _picture_terms(source: Tensor, target: Tensor, made: Tensor, mask: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """The terms of both tasks: what is changed counts more, and the mask is asked to be the attribute's opacity."""
    nothing = torch.zeros_like(mask)
    weights = region_weights(source, target, nothing, nothing)
    error = F.binary_cross_entropy(mask.clamp(1e-3, 1 - 1e-3), wanted.clamp(0, 1), reduction="none")
    return {
        "pixels": ((made - target).abs() * weights).mean(),
        "laplacian": laplacian_l1(made, target),
        "mask": (error * (1 + 3 * wanted)).mean(),
        "variation": total_variation(mask),
    }


def _bare(faces: TrainingFaces, attributes: Sequence[str]) -> np.ndarray:
    """Which faces look bare of each attribute, (N, A): the barer half."""
    pieces = []
    for start in range(0, len(faces.pictures), 64):
        pictures = torch.from_numpy(np.ascontiguousarray(faces.pictures[start : start + 64]))
        landmarks = torch.from_numpy(np.ascontiguousarray(faces.landmarks[start : start + 64]))
        pieces.append(bareness(pictures.permute(0, 3, 1, 2).float() / 255, landmarks.float(), attributes))
    return barest(torch.cat(pieces)).numpy()


def _widths(share: float) -> dict[str, Any]:
    *widths, finish = (8 * max(1, round(width * share / 8)) for width in (32, 48, 64, 16))
    return {"widths": widths, "finish": finish}
