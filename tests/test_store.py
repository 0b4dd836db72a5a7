"""The store: found again by content, never believed when damaged, off unless it is asked for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.store import VARIABLE, Store, code_version, digest, kept_arrays, store

PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                     lambda inner: st.lists(inner, max_size=4), max_leaves=8)


def exactly(value):
    """A value with the types of all it holds: 1, 1.0 and True are three."""
    return [exactly(v) for v in value] if isinstance(value, list) else (type(value), repr(value))


@given(PLAIN, PLAIN)
def test_two_values_have_one_hash_just_if_they_are_the_same(a, b):
    assert (digest(a) == digest(b)) == (exactly(a) == exactly(b))


@pytest.mark.parametrize("change", [
    lambda f: f.assign(y=f["y"] + 1e-12), lambda f: f.rename(columns={"y": "z"}), lambda f: f.iloc[::-1],
    lambda f: f.set_axis(f.index + 1), lambda f: f.assign(name=["a", "b", None]), lambda f: f[["name", "y"]]])
def test_a_table_has_another_hash_when_anything_in_it_differs(change):
    months = pd.period_range("2008-01", periods=3, freq="M")
    frame = pd.DataFrame({"y": [1.0, np.nan, 3.0], "name": ["a", None, "c"]}, index=months)
    assert digest(frame) == digest(frame.copy())
    assert digest(change(frame)) != digest(frame)


def test_what_has_no_content_has_no_hash():
    with pytest.raises(TypeError, match="no hash of a object"):
        digest(object())


def made(what):
    raise AssertionError(f"{what} is made again")


def test_arrays_come_back_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    given = {"a": np.array([0.1, np.nan]), "n": np.arange(3)}
    kept_arrays("x", (), lambda: given)
    back = kept_arrays("x", (), lambda: made("x"))
    assert all(np.array_equal(back[k], given[k], equal_nan=True) and back[k].dtype == given[k].dtype for k in given)


@pytest.mark.parametrize("at", [0, 5, 40, -1])
def test_a_damaged_entry_counts_as_none(tmp_path, at):
    place = Store(tmp_path)
    place.write("x", "ab12", b"some content")
    path = place.path("x", "ab12")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert place.read("x", "ab12") is None


def test_what_is_kept_is_not_made_again_until_its_parts_change(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"y": np.ones(2)}

    for parts in (("a", 1), ("a", 1), ("a", 2)):
        assert kept_arrays("x", parts, make)["y"].tolist() == [1, 1]
    assert len(made) == 2


def test_without_the_variable_nothing_is_kept(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert store() is None
    assert kept_arrays("x", (), lambda: {"y": np.ones(1)})["y"].tolist() == [1]


def test_the_oldest_entries_go_first(tmp_path):
    import os
    place = Store(tmp_path)
    for n in range(4):
        place.write("x", f"{n:02d}aa", bytes(100))
        os.utime(place.path("x", f"{n:02d}aa"), (n, n))
    place.trim(300)
    assert [place.read("x", f"{n:02d}aa") is not None for n in range(4)] == [False, False, True, True]


def test_the_code_has_one_version():
    assert code_version() == code_version() and len(code_version()) == 64
