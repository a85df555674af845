"""Adam by PyTorch's functional form: the steps of ``torch.optim.Adam``, ready sooner.

``torch.optim.Adam`` imports the compiler (``torch._dynamo``) when it is first made: 1.6 CPU-s in every worker, more
than the GANs of four edits take.
"""

from collections.abc import Iterable

import torch
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma & Ba, ICLR 2015) on ``parameters``, fused; ``rate`` may be changed between steps."""

    def __init__(self, parameters: Iterable[torch.Tensor], rate: float, betas: tuple[float, float]) -> None:
        self._parameters = list(parameters)
        self.rate, self._betas = rate, betas
        self._means, self._squares = ([torch.zeros_like(each) for each in self._parameters] for _ in range(2))
        self._steps = [torch.zeros((), device=each.device) for each in self._parameters]

    @torch.no_grad()
    def descend(self, loss: torch.Tensor) -> None:
        """Take one step down the gradient of ``loss``."""
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss, self._parameters)
        adam(
            self._parameters,
            [each.contiguous() for each in gradients],  # the fused step reads them in the order of memory
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=self.rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
