"""A table comes back from its bytes as it was: values, kinds, categories, objects and the numbers of its rows."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.keeping import frame_of, from_plain, parquet_of, to_plain


class Said(NamedTuple):
    key: str
    values: dict = {}


KINDS = {"said": Said}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBER = st.floats() | st.sampled_from([np.nan, -0.0, 5e-324, 0.1])
MONTH = st.none() | st.integers(0, 900).map(lambda n: pd.Period(ordinal=n, freq="M"))
PLAIN = st.none() | st.booleans() | st.integers(-2**60, 2**60) | st.floats(allow_nan=False) | TEXT | MONTH
OBJECT = st.recursive(PLAIN, lambda inner: (
    st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(TEXT | st.just("~"), inner, max_size=3)
    | st.builds(Said, TEXT, st.dictionaries(TEXT, inner, max_size=2))), max_leaves=6)


@st.composite
def frames(draw):
    n = draw(st.integers(0, 7))
    several = {"text": TEXT | st.none(), "of": st.sampled_from("abc") | st.none(), "number": NUMBER, "month": MONTH,
               "detail": OBJECT, "whole": st.integers(-2**62, 2**62), "yes": st.booleans()}
    held = {name: draw(st.lists(kind, min_size=n, max_size=n)) for name, kind in several.items()}
    detail = np.empty(n, object)
    for at, value in enumerate(held["detail"]):
        detail[at] = value
    return pd.DataFrame({
        "text": pd.array(held["text"], dtype="str"), "of": pd.Categorical(held["of"], list("cabz"), ordered=n % 2 == 1),
        "number": np.array(held["number"], float), "month": pd.PeriodIndex(held["month"], freq="M"),
        "detail": detail, "whole": np.array(held["whole"], np.int64), "yes": np.array(held["yes"], bool)})


def exactly(value):
    if isinstance(value, (list, tuple)):
        return (type(value), [exactly(v) for v in value])
    if isinstance(value, dict):
        return (dict, [(k, exactly(v)) for k, v in value.items()])
    return (type(value), repr(value))


def same(a, b):
    pd.testing.assert_frame_equal(a.drop(columns="detail"), b.drop(columns="detail"), check_exact=True,
                                  check_categorical=True)
    assert a.columns.equals(b.columns)
    assert a["number"].to_numpy().tobytes() == b["number"].to_numpy().tobytes() or a["number"].isna().any()
    assert [exactly(v) for v in a["detail"]] == [exactly(v) for v in b["detail"]]


@given(frames())
def test_a_table_comes_back_as_it_was(frame):
    same(frame_of(parquet_of(frame, KINDS), KINDS), frame)


@given(frames(), st.data())
def test_parts_read_alone_keep_the_numbers_and_order_of_their_rows(frame, data):
    part = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(frame), max_size=len(frame))), int)
    wanted = data.draw(st.lists(st.integers(0, 2), unique=True, max_size=3))
    body = parquet_of(frame, KINDS, [np.flatnonzero(part == n) for n in range(3)])
    same(frame_of(body, KINDS, wanted), frame[np.isin(part, wanted)])
    same(frame_of(body, KINDS), frame)


@given(OBJECT)
def test_an_object_comes_back_as_it_was(value):
    assert exactly(from_plain(to_plain(value, KINDS), KINDS)) == exactly(value)


def test_the_same_table_gives_the_same_bytes():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y", "x"]), "b": [1.5, np.nan, 2.0]})
    assert parquet_of(frame) == parquet_of(frame.copy())


@pytest.mark.parametrize("column", [pd.date_range("2008-01-01", periods=2), [{1, 2}, {3}], [object(), None],
                                    pd.period_range("2008-01-01", periods=2, freq="D")])
def test_what_would_not_come_back_is_refused(column):
    with pytest.raises(TypeError, match="cannot be kept"):
        parquet_of(pd.DataFrame({"a": column}))
