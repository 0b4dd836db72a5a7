"""The store of results takes arrays of numbers, tables and JSON; whatever else somebody plants there is not believed.

The hash in front of an entry tells damage, not intent: here each planted entry has a right one.
"""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import ConfigError
from ebank_lib.store import Store, kept_arrays, kept_frames

KEY = "ab" + "0" * 62


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("planted",)


def sealed(body):
    return hashlib.sha256(body).digest() + body


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def with_header(header):
    """An array file whose header says `header`."""
    text = header.encode().ljust(117) + b"\n"
    body = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", body)
    return buffer.getvalue()


PLANTED = [
    npz(a=np.array([Bomb()], dtype=object)),
    b"",
    b"PK\x03\x04",
    b"\x80\x04.",
    b"x" * 100,
    with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
    with_header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
    with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
    with_header("__import__('os').mkdir('planted')"),
    with_header("{" * 100),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Store(tmp_path / "cache")


@pytest.mark.parametrize("body", PLANTED, ids=range(len(PLANTED)))
def test_planted_arrays_are_made_again_and_nothing_in_them_runs(place, monkeypatch, body):
    monkeypatch.setenv("EBANK_CACHE", str(place.folder))
    good = kept_arrays("fit", (1,), lambda: {"a": np.arange(3.0)})
    entry = next(path for path in place.folder.rglob("*") if path.is_file())
    entry.write_bytes(sealed(body))
    again = kept_arrays("fit", (1,), lambda: {"a": np.arange(3.0)})
    assert again["a"].tolist() == good["a"].tolist()
    assert entry.read_bytes()[:32] != hashlib.sha256(body).digest()
    assert not Path("planted").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_and_a_device_are_no_entries(place):
    path = place.path("x", KEY)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert place.read("x", KEY) is None
    path.unlink()
    path.symlink_to("/dev/zero")
    assert place.read("x", KEY) is None


def test_what_is_kept_is_not_written_through_a_link(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    place.folder.mkdir()
    (place.folder / "x").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(ConfigError, match="leads out"):
        place.write("x", KEY, b"1")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def _stream(**columns):
    import pyarrow as pa

    out = pa.BufferOutputStream()
    table = pa.table(columns)
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize("body", [b"", b"ARROW1", b"x" * 1000, b"\xff\xff\xff\xff\xff\xff\xff\x7f", _stream(a=[1])])
def test_planted_tables_are_made_again(place, monkeypatch, body):
    monkeypatch.setenv("EBANK_CACHE", str(place.folder))
    good = pd.DataFrame({"a": [1]})
    kept_frames("x", (), lambda: {"one": good})
    entry = next(path for path in place.folder.rglob("*") if path.is_file())
    entry.write_bytes(sealed(body))
    pd.testing.assert_frame_equal(kept_frames("x", (), lambda: {"one": good})["one"], good)


def test_tables_come_back_as_they_were(place, monkeypatch):
    monkeypatch.setenv("EBANK_CACHE", str(place.folder))
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"]),
                          "month": pd.PeriodIndex(["2010-01", None], freq="M")}, index=[3, 1])
    kept_frames("x", (), lambda: {"one": frame, "none": frame[:0]})
    back = kept_frames("x", (), dict)
    pd.testing.assert_frame_equal(back["one"], frame)
    assert list(back) == ["one", "none"] and list(map(str, back["none"].dtypes)) == list(map(str, frame.dtypes))
