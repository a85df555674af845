"""SinGANimation: grow facial-expression datasets from the faces they have.

In a checkout the rooms (``pipeline``, ``stages``, ``manifests``, ``flows``) lie at the repository's top
level; installed, they lie beside this file. Both are reached as ``singanimation.<room>``.
"""

from pathlib import Path as _Path

_root = _Path(__file__).resolve().parents[2]
if (_root / "pyproject.toml").exists() and (_root / "pipeline").is_dir():
    __path__.append(str(_root))
