"""Ids of cells: the same in every language, and each leads back to its cell."""

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebank_lib.reports.cells import cell_id, cells_at, row_ids, value_text
from ebank_lib.reports.record import table_of

words = st.text("abcdefg_123.", min_size=1, max_size=6)
frames = st.lists(st.tuples(words, words, st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False)),
                  min_size=1, max_size=12)


@given(frames)
@example([("1", "1", 0, 0.0), ("1", "11", 0, 0.0), ("11", "1", 0, 0.0)])
def test_every_cell_has_an_id_of_its_own_that_leads_back_to_it(rows):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "b", "n", "x"]))
    ids = [cell_id(table, n, "x") for n in range(len(rows))]
    assert len(set(ids)) == len(rows)
    for n, one in enumerate(ids):
        found = cells_at([table], one)
        assert [cell.at for cell in found] == [n] and found[0].id == one and found[0].value == table["rows"][n][3]


@given(frames, st.integers(-5, 5))
def test_a_condition_counts_the_rows_that_meet_it(rows, limit):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "b", "n", "x"]))
    for sign, meets in ((">=", lambda v: v >= limit), ("<", lambda v: v < limit), ("=", lambda v: v == limit),
                        ("!=", lambda v: v != limit)):
        (count,) = cells_at([table], f"t[n{sign}{limit}]")
        assert count.value == sum(meets(row[2]) for row in rows) and count.id == f"t[n{sign}{limit}]"
        assert [c.at for c in cells_at([table], f"t[n{sign}{limit}].x")] == [
            at for at, row in enumerate(rows) if meets(row[2])]
    assert cells_at([table], "t[]")[0].value == len(rows)


def test_keys_are_words_that_are_the_same_in_every_language():
    frame = pd.DataFrame({"statement": ["一", "二"], "fact": [1, 1], "part": ["a", "b"], "month": ["2010-01"] * 2})
    table = table_of("t", frame)
    assert row_ids(table) == ["a", "b"]
    same = table_of("t", pd.DataFrame({"label": ["甲", "甲"]}))
    assert row_ids(same) == ["#1", "#2"] and cells_at([same], "t[#2].label")[0].at == 1
    assert [cell.at for cell in cells_at([same], "t[#1].label")] == [0] and cells_at([same], "t[#12].label") == []


def test_missing_is_what_nothing_equals_and_a_part_of_a_key_names_all_that_have_it():
    frame = pd.DataFrame({"month": ["2010-01", "2010-01", "2010-02"], "model": ["a", "b", "a"], "y": [1.0, None, 3.0]})
    table = table_of("t", frame)
    assert cells_at([table], "t[y=]")[0].value == 1 and cells_at([table], "t[y!=]")[0].value == 2
    assert [c.id for c in cells_at([table], "t[2010-01].y")] == ["t[2010-01,a].y", "t[2010-01,b].y"]
    assert value_text(None) == "–"


@pytest.mark.parametrize("text", ["", "a b", "t[", "t]x", "[a].b", "图 3", "1,234", "t[a].b[c]", "../x"])
def test_what_is_no_id_is_none(text):
    assert cells_at([table_of("t", pd.DataFrame({"a": [1]}))], text) == []


@pytest.mark.parametrize("text", ["x[a].y", "t[a].nope", "t[nope].y", "t[#99].y", "t[y>word].y"])
def test_an_id_of_nothing_finds_nothing(text):
    table = table_of("t", pd.DataFrame({"k": ["a"], "y": [1.0]}))
    assert cells_at([table], text) == []
