"""Data sets as users have them on disk: one reader a file, one signature, found by content."""

from singanimation.pipeline.datasets.dataset import Dataset as Dataset
from singanimation.pipeline.datasets.registry import open_dataset as open_dataset
from singanimation.pipeline.datasets.registry import open_input as open_input
