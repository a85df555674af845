"""A multitask network whose "weights" say in JSON how it behaves."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import torch

NAMES = [
    "AU01",
    "AU02",
    "AU04",
    "AU05",
    "AU06",
    "AU07",
    "AU09",
    "AU10",
    "AU11",
    "AU12",
    "AU14",
    "AU15",
    "AU17",
    "AU20",
    "AU23",
    "AU24",
    "AU25",
    "AU26",
    "AU28",
    "AU43",
]


class MultitaskModel:
    """The nth action unit is the chip's mean red value plus n hundredths."""

    def __init__(self, device="cpu", weights_path=None, amp=None):
        self.asked = json.loads(Path(str(weights_path)).read_text())
        if self.asked.get("damaged"):
            raise RuntimeError("multitask checkpoint mismatch: 3 missing\nand more lines")
        print("py-feat prints on stdout")
        self.au_names = self.asked.get("names", NAMES)
        torch.set_grad_enabled(False)

    def __call__(self, chips):
        assert chips.shape[1:] == (3, 256, 256) and chips.dtype == torch.float32 and torch.get_num_threads() == 1
        red = chips[:, 0].mean((1, 2))
        if self.asked.get("deadly") and red.max() > 0.9:
            os.write(2, b"Segmentation fault, says the library\n")
            os._exit(9)
        if self.asked.get("slow") and red.max() > 0.9:
            time.sleep(60)
        if self.asked.get("faulty") and red.max() > 0.9:
            raise ValueError("no such face")
        units = red[:, None] + torch.arange(len(self.au_names)) / 100
        mesh = torch.full((len(chips), 478, 3), 0.25)
        return SimpleNamespace(au=units.numpy(), mesh478=mesh.numpy(), au_names=self.au_names)
