"""Pickles are read as numbers, whoever wrote them, and run nothing."""

import collections
import os
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.restricted_pickle import plain_array, read_pickle

NUMBERS = np.linspace(0, 5, 17)


def put(folder: Path, content: bytes) -> Path:
    path = folder / "aus_openface.pkl"
    path.write_bytes(content)
    return path


def by_python_2(stem: str, values: np.ndarray) -> bytes:
    """What Python 2's pickle wrote for {stem: float64 array}: byte strings as text, NumPy 1's old module names."""
    raw = values.astype("<f8").tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x00U",
            bytes([len(stem)]),
            stem.encode(),
            b"q\x01cnumpy.core.multiarray\n_reconstruct\nq\x02",
            b"cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K",
            bytes([len(values)]),
            b"\x85q\x08",
            b"cnumpy\ndtype\nq\tU\x02f8q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff",
            b"K\x00tq\x0eb\x89T",
            struct.pack("<i", len(raw)),
            raw,
            b"q\x0ftq\x10bs.",
        ]
    )


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("old_names", [False, True])
def test_arrays_of_any_protocol_and_either_numpy_come_back(tmp_path: Path, protocol: int, old_names: bool) -> None:
    content = pickle.dumps({"face": NUMBERS, "other": NUMBERS.astype(">f4")}, protocol)
    if old_names:
        content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        content = content.replace(b"\x8c\x16numpy.core", b"\x8c\x15numpy.core")  # protocols 4, 5 write the length first
        content = pickletools.optimize(content) if protocol < 4 else _framed_anew(content)
    read = read_pickle(put(tmp_path, content))
    assert list(read) == ["face", "other"]
    np.testing.assert_array_equal(plain_array(read["face"]), NUMBERS)
    np.testing.assert_array_equal(plain_array(read["other"]), NUMBERS.astype(np.float32))


def _framed_anew(content: bytes) -> bytes:
    """Write the frame's length again, after its content changed."""
    assert content[2:3] == b"\x95"
    return content[:3] + struct.pack("<Q", len(content) - 11) + content[11:]


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    content = by_python_2("N_0000000437_00540", NUMBERS)
    assert pickle.loads(content, encoding="latin1")["N_0000000437_00540"].shape == (17,)  # it is what we say it is
    read = read_pickle(put(tmp_path, content))
    np.testing.assert_array_equal(plain_array(read["N_0000000437_00540"]), NUMBERS)


def test_containers_numbers_and_scalars_are_read(tmp_path: Path) -> None:
    content = {
        "list": [1, 2.5],
        "nested": collections.OrderedDict(x=(True, None)),
        "scalar": np.float64(3.5),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    }
    for protocol in (2, 5):
        read = read_pickle(put(tmp_path, pickle.dumps(content, protocol)))
        assert read["nested"] == {"x": (True, None)} and read["scalar"] == 3.5
        np.testing.assert_array_equal(plain_array(read["list"]), [1, 2.5])
        np.testing.assert_array_equal(plain_array(read["columns"]), content["columns"])
        assert plain_array(read["nested"]) is None and plain_array(["a"]) is None


class Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_code_runs_nothing_and_is_refused(tmp_path: Path, protocol: int) -> None:
    path = put(tmp_path, pickle.dumps({"face": Runs(tmp_path / "ran")}, protocol))
    with pytest.raises(DatasetError, match=r"was not read: it asks for (posix|os|nt).system, and a pickle may run"):
        read_pickle(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1+1'\ntR.",
        b"c__builtin__\neval\n(S'1+1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"ccollections\nOrderedDict.__init__.__globals__\n.",
        b"Pfile\n.",
        b"\x80\x02\x82\x01.",
    ],
    ids=[
        "eval",
        "eval of Python 2",
        "numpy.load",
        "fromfile",
        "objects",
        "records",
        "attributes",
        "outside",
        "extension",
    ],
)
def test_other_ways_out_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match="was not read: it asks for"):
        read_pickle(put(tmp_path, content))


def test_the_stand_ins_cannot_be_changed(tmp_path: Path) -> None:
    change = b"cnumpy\ndtype\nN}S'_call'\nI1\ns\x86b."  # BUILD with a state for slots
    with pytest.raises(DatasetError, match="asks for a change of a name"):
        read_pickle(put(tmp_path, change))
    read = read_pickle(put(tmp_path, pickle.dumps([NUMBERS])))
    np.testing.assert_array_equal(plain_array(read[0]), NUMBERS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x80\x02}",
        pickle.dumps({"a": NUMBERS})[:-20],
        b"(lr\xff\xff\xff\x7f.",  # remembers at place 2**31: Python's own reader in C would take 32 GB for it
        by_python_2("face", NUMBERS).replace(b"K\x11\x85", b"K\x12\x85"),  # 18 numbers in the bytes of 17
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",  # a byte array of a terabyte
    ],
    ids=["empty", "text", "no end", "truncated", "memo", "shape", "bytes"],
)
def test_damaged_pickles_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, content)
    if content.startswith(b"(lr"):
        assert read_pickle(path) == []
        return
    with pytest.raises(DatasetError, match="is no readable pickle of numbers") as said:
        read_pickle(path)
    assert "\n" not in str(said.value)


def test_a_name_that_would_steer_the_terminal_is_shown_plainly(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"asks for os\.\?\[2Jsystem, and"):
        read_pickle(put(tmp_path, b"cos\n\x1b[2Jsystem\n."))


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no.pkl cannot be read"):
        read_pickle(tmp_path / "no.pkl")
