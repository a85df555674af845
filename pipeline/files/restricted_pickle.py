"""Numbers out of a pickle without running it: built-in containers and NumPy arrays, nothing else.

A pickle is a program. Here its names lead to stand-ins of this file alone: no class or function of Python, NumPy or
anybody else is ever looked up, called or changed, and an array is made from the bytes by ``numpy.frombuffer``.
Pickles by Python 2 and 3, and by NumPy 1 and 2, are read.
"""

import io
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.untrusted import shown

MOST_BYTES = 1 << 30
_KINDS = "?bBhHiIlLqQefd"
_NUMPY = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy._core.numeric", "numpy.core.numeric")


class _Refused(Exception):
    """The pickle asks for what is no plain data."""


def read_pickle(path: Path) -> Any:
    """Return what ``path`` holds: dicts, lists, tuples, texts, numbers, and arrays of numbers.

    ``plain_array`` makes NumPy arrays of the arrays. Texts of Python 2 come as Latin-1. Raises DatasetError in one
    sentence where the pickle asks for anything else (nothing of it is run), is damaged, or larger than a gigabyte.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DatasetError(f"{path} is larger than 1 GB, more than any list of action units.")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        return _Unpickler(io.BytesIO(data), len(data)).load()
    except _Refused as error:
        raise DatasetError(f"{path} was not read: it asks for {error}, and a pickle may run any code.") from None
    except Exception as error:  # damaged pickles fail in many ways, all of them the file's fault
        reason = shown(error).rstrip(".") or type(error).__name__
        raise DatasetError(f"{path} is no readable pickle of numbers ({reason}).") from None


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C reserves whatever memory a file of a few bytes asks for."""

    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    """Both are set by ``load``."""

    dispatch: dict[int, Callable[..., None]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, size: int) -> None:
        super().__init__(file, fix_imports=False, encoding="latin1")
        self._size = size

    def _load_bytearray8(self) -> None:
        """Read a byte array; Python's own would first fill as much memory as the file says."""
        (length,) = struct.unpack("<Q", self.read(8))
        if length > self._size:
            raise ValueError(f"{length:,} bytes are announced in a file of {self._size:,}")
        self.append(self.read(length))

    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray8

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise _Refused(shown(f"{module}.{name}"))
        return stand_in

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Refused("something outside the file")

    def get_extension(self, code: int) -> NoReturn:
        raise _Refused("an extension")


class _StandIn:
    """What a name in the pickle leads to: it can be called as the unpickler does, and cannot be changed."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise _Refused("a change of a name")

    def __setstate__(self, state: Any) -> NoReturn:
        raise _Refused("a change of a name")


class _Kind:
    """A dtype of plain numbers (or of one text), with its byte order; made once, set once."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 8 else None
        if dtype is None or dtype.char not in _KINDS or dtype.names is not None:
            raise _Refused("an array of something else than numbers")
        self.code = code
        self.order: Literal["<", ">", "|", "="] = "="

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise _Refused("an unknown order of bytes")
        self.order = state[1]

    def dtype(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """An array that is being read. ``numbers`` is there once the pickle has given its state."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_columns, data = state[-5:]
        self.numbers = _numbers(data, kind, shape, "F" if by_columns else "C")


def plain_array(value: Any) -> np.ndarray | None:
    """Return a value of a read pickle as float64 of any shape, None where it is no array or list of numbers."""
    if isinstance(value, _Array):
        value = value.numbers
    if isinstance(value, list | tuple):
        if not all(isinstance(item, int | float) for item in value):
            return None
        value = np.array(value, np.float64)
    return value.astype(np.float64) if isinstance(value, np.ndarray) else None


def _numbers(data: Any, kind: Any, shape: Any, order: Literal["C", "F"] = "C") -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(kind, _Kind) or not isinstance(raw, bytes | bytearray):
        raise _Refused("an array of something else than numbers")
    sizes = tuple(int(size) for size in shape)
    dtype = kind.dtype()
    if min(sizes, default=1) < 0 or math.prod(sizes) * dtype.itemsize != len(raw):
        raise ValueError(f"an array of {sizes} does not fit its {len(raw)} bytes")
    return np.frombuffer(raw, dtype).reshape(sizes, order=order)


def _scalar(kind: Any, data: Any = b"") -> float:
    return float(_numbers(data, kind, (1,), "C")[0])


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"bytes in {shown(encoding)}")
    return text.encode("latin1")


def _called(name: str) -> dict[tuple[str, str], Any]:
    call: dict[str, Callable[..., Any]] = {
        "ndarray": lambda *_: _Array(),
        "_reconstruct": lambda *_: _Array(),
        "dtype": lambda code, *_: _Kind(code),
        "scalar": _scalar,
        "_frombuffer": _numbers,
    }
    return {(module, name): _StandIn(call[name]) for module in _NUMPY}


_STAND_INS: dict[tuple[str, str], _StandIn] = {
    **{
        key: value
        for name in ("ndarray", "_reconstruct", "dtype", "scalar", "_frombuffer")
        for key, value in _called(name).items()
    },
    ("_codecs", "encode"): _StandIn(_encode),
    ("collections", "OrderedDict"): _StandIn(lambda *_: {}),
    ("builtins", "bytearray"): _StandIn(lambda data=b"": data),
    ("__builtin__", "bytearray"): _StandIn(lambda data=b"": data),
}
