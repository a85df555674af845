#!/bin/sh
# Guess: brisque 0.2.0 of 2026, which pip installs beside NumPy 2.4 without a word, scores a picture.
# Happens: with NumPy 2.4 or later every score raises TypeError ("only 0-dimensional arrays can be converted to Python
#          scalars"): one of its 36 features is an array of one element, which float() no longer takes. Below 2.4 it
#          scores the same picture. Its requirements name no upper bound.
# Seen:    brisque 0.2.0: NumPy 2.3.5: a score; NumPy 2.4.6: TypeError
# Versions: brisque 0.2.0, scikit-image 0.26.0, opencv-python-headless 5.0.0.93, Python 3.11. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/score.py" <<'PYTHON'
import numpy as np
from brisque import BRISQUE

ramp = np.linspace(0, 255, 96 * 96 * 3).reshape(96, 96, 3)
picture = (ramp + np.random.default_rng(0).normal(0, 8, ramp.shape)).clip(0, 255).astype(np.uint8)
try:
    found = "a score" if np.isfinite(float(BRISQUE(url=False).score(picture))) else "no number"
except TypeError as error:
    found = type(error).__name__
print(f"NumPy {np.__version__}: {found}")
PYTHON
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip brisque==0.2.0 scikit-image==0.26.0 opencv-python-headless==5.0.0.93 numpy==2.3.5
before=$("$folder/venv/bin/python" "$folder/score.py")
pip numpy==2.4.6
after=$("$folder/venv/bin/python" "$folder/score.py")
echo "brisque 0.2.0: $before; $after"
[ "$before; $after" = "NumPy 2.3.5: a score; NumPy 2.4.6: TypeError" ]
