"""The one published network that the paper's generator does not cover."""

from torch import nn

from singanimation.stages.expansion.ganimation.networks import PaperGenerator


class StatisticsGenerator(PaperGenerator):
    """The paper's generator, normalising by statistics gathered in its training (vipermu/ganimation in eval mode).

    The same layers; each InstanceNorm keeps running means and variances and uses them, not the picture's own.
    """

    def __init__(self, width: int = 64, blocks: int = 6, units: int = 17) -> None:
        super().__init__(width, blocks, units)
        for parent in list(self.modules()):
            for name, child in parent.named_children():
                if isinstance(child, nn.InstanceNorm2d):
                    setattr(parent, name, nn.InstanceNorm2d(child.num_features, affine=True, track_running_stats=True))
