"""Py-Feat in a process of its own: a script that ``pyfeat.py`` starts, for nobody else.

Importing py-feat sets OMP_NUM_THREADS and its detector switches gradients off, both for a whole process; here they
harm nobody. It reads requests on stdin and answers on stdout, each a message of JSON and a message of plain numbers
(``multiprocessing.connection`` framing, nothing is unpickled). It imports nothing of ours: py-feat's environment may
hold little else. It ends when its stdin closes or its parent is gone, and leaves Ctrl-C to the parent.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

CHIP_SIZE = 256
_SMALLEST_LOOK = 1.0


def main() -> None:
    """Load the models named on the command line, say so, and answer requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    requests, answers = _take_pipes()
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--detector")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    try:
        model = _load_model(arguments.weights, arguments.device)
        detector = _load_detector(arguments.detector, arguments.device) if arguments.detector else None
    except Exception as error:  # whatever py-feat raises is told to the parent, which makes a sentence of it
        _answer(answers, {"error": _sentence(error), "kind": type(error).__name__})
        return
    _answer(answers, {"names": list(model.au_names)})
    while True:
        try:
            header, payload = json.loads(requests.recv_bytes()), requests.recv_bytes()
        except EOFError:
            return
        try:
            _answer(answers, *_work(header, payload, model, detector))
        except Exception as error:
            _answer(answers, {"error": _sentence(error), "kind": type(error).__name__})


def _take_pipes() -> tuple[Connection, Connection]:
    """Keep stdin and stdout for the protocol; what py-feat and its libraries print goes to stderr."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return Connection(requests, writable=False), Connection(answers, readable=False)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SMALLEST_LOOK)
    os._exit(1)


def _load_model(weights: str, device: str) -> Any:
    import torch
    from feat.multitask.inference import MultitaskModel

    torch.set_num_threads(1)
    # no bfloat16 on a GPU: the same figures on every device
    return MultitaskModel(device=device, weights_path=weights, amp=False)


def _load_detector(weights: str, device: str) -> Any:
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
    from safetensors.torch import load_file

    detector = Retinaface(device=device, pretrained="local")
    detector.net.load_state_dict(load_file(weights), strict=True)
    return detector


def _work(header: dict[str, Any], payload: bytes, model: Any, detector: Any) -> tuple[dict[str, Any], bytes]:
    import numpy as np
    import torch

    # a copy: torch wants memory that it may write to
    pictures = torch.from_numpy(np.frombuffer(payload, np.uint8).reshape(header["shape"]).copy()).permute(0, 3, 1, 2)
    if header["what"] == "faces":
        found = np.array(detector(pictures)[0], np.float32).reshape(-1, 5)
        return {"boxes": list(found.shape)}, found.tobytes()
    chips = torch.nn.functional.interpolate(pictures.float() / 255, (CHIP_SIZE, CHIP_SIZE), mode="bilinear")
    output = model(chips)
    units, points = np.float32(output.au), np.float32(output.mesh478[..., :2])
    shapes = {"units": list(units.shape), "points": list(points.shape)}
    return shapes, np.ascontiguousarray(units).tobytes() + np.ascontiguousarray(points).tobytes()


def _answer(answers: Connection, header: dict[str, Any], payload: bytes = b"") -> None:
    answers.send_bytes(json.dumps(header).encode())
    answers.send_bytes(payload)


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")


if __name__ == "__main__":
    sys.exit(main())
