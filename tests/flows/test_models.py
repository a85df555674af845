"""Which device the models run on."""

import pytest
import torch

from singanimation.flows.models import choose_device
from singanimation.pipeline.errors import UsageError


@pytest.mark.parametrize(("device", "there"), [("cuda", True), ("cuda:0", True), ("cuda:1", False), ("cudax", False)])
def test_only_devices_that_are_there_are_chosen(device: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    if there:
        assert choose_device(device) == device
    else:
        with pytest.raises(UsageError, match=f"--device {device} is not available"):
            choose_device(device)
