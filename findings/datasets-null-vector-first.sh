#!/bin/sh
# Guess: a batch of a column of vectors, some of them null, is formatted for torch or numpy whichever row comes first.
# Happens: a batch that begins with a null and holds a vector raises AttributeError ('NoneType' object has no attribute
#          'shape'); the same rows the other way round, and row by row, are fine. Loaders that fetch batches fail with it.
# Seen:    datasets 5.2.0: vector first: 2 rows; null first: AttributeError; row by row: fine
# Versions: datasets 5.2.0 (3.6.0 the same), pyarrow 26.0.1, numpy 2. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "datasets==5.2.0" "pyarrow==26.0.1"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import datasets

features = datasets.Features({"vector": datasets.List(datasets.Value("float32"), length=3)})
rows = datasets.Dataset.from_dict({"vector": [None, [1.0, 2.0, 3.0], None]}, features=features).with_format("numpy")
good = len(rows[1:3]["vector"])
try:
    rows[0:2]
    bad = "fine"
except AttributeError as error:
    bad = type(error).__name__
rows[0]
alone = "fine" if rows[1]["vector"].shape == (3,) else "another shape"
print(f"datasets {datasets.__version__}: vector first: {good} rows; null first: {bad}; row by row: {alone}")
sys.exit(0 if (good, bad, alone) == (2, "AttributeError", "fine") else 1)
PYTHON
