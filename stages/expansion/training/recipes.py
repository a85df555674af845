"""Recipes by name, but for geometry's, which needs what another stage knows: each gives its objective's class."""

from collections.abc import Callable, Mapping

from singanimation.stages.expansion.training.loop import Objective, TrainingFaces
from singanimation.stages.expansion.training.settings import Recipe, TrainSettings

Maker = Callable[[TrainSettings, TrainingFaces], Objective]


def _paper() -> Maker:
    from singanimation.stages.expansion.ganimation.recipe import PaperObjective

    return PaperObjective


def _transfer() -> Maker:
    from singanimation.stages.expansion.transfer.recipe import TransferObjective

    return TransferObjective


def _stargan() -> Maker:
    from singanimation.stages.expansion.stargan.recipe import StarObjective

    return StarObjective


def _cyclegan() -> Maker:
    from singanimation.stages.expansion.cyclegan.recipe import CycleObjective

    return CycleObjective


def _landmarks() -> Maker:
    from singanimation.stages.expansion.landmarks.recipe import HeatMapObjective

    return HeatMapObjective


RECIPES: Mapping[Recipe, Callable[[], Maker]] = {
    "paper": _paper,
    "transfer": _transfer,
    "stargan": _stargan,
    "cyclegan": _cyclegan,
    "landmarks": _landmarks,
}
