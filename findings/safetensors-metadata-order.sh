#!/bin/sh
# Guess: the same tensors and the same metadata, saved twice by safetensors, are the same bytes: a digest names weights.
# Happens: the entries of the metadata are written in an order that changes from process to process (PYTHONHASHSEED does
#          not matter), so that a file trained again to the very same numbers has another digest. With one entry, such
#          as a JSON of everything, the bytes are the same. Tensors are always in one order.
# Seen:    safetensors 0.8.0: 8 processes, four entries of metadata: 8 digests; one entry: 1 digest; none: 1 digest
# Versions: safetensors 0.8.0, numpy 2.4.6. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
cat >"$folder/save.py" <<'PYTHON'
import hashlib
import sys

import numpy as np
from safetensors.numpy import save

weights = {name: np.arange(4, dtype=np.float32) for name in ("stem", "body", "head")}
names = ("format", "licence", "steps", "trained_on")[: int(sys.argv[1])]
print(hashlib.sha256(save(weights, {name: "x" for name in names} or None)).hexdigest())
PYTHON
count() {
    for turn in 1 2 3 4 5 6 7 8; do
        PYTHONHASHSEED=0 "$folder/venv/bin/python" "$folder/save.py" "$1"
    done | sort -u | wc -l | tr -d ' '
}
four=$(count 4)
one=$(count 1)
none=$(count 0)
echo "safetensors 0.8.0: 8 processes, four entries of metadata: $four digests; one entry: $one digest; none: $none digest"
[ "$four" -gt 1 ] && [ "$one" -eq 1 ] && [ "$none" -eq 1 ]
