"""Ids of cells are the same in every language, and each leads back to its cell; sentences know theirs."""

import html
import itertools
import re

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebank_lib.cli.trace import open_report
from ebank_lib.display import plain_cells
from ebank_lib.reports.cells import Sentence, cells_at, cited_tables, linked, row_ids, rows_of, told, value_text
from ebank_lib.reports.content import read_content
from ebank_lib.reports.record import table_of
from ebank_lib.wording import cell, cite

words = st.text("abcdefg_123.", min_size=1, max_size=6)
frames = st.lists(st.tuples(words, words, st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False)),
                  min_size=1, max_size=12)


def at(table, text):
    return cells_at({"t": rows_of(table)}, text)


@given(frames)
@example([("1", "1", 0, 0.0), ("1", "11", 0, 0.0), ("11", "1", 0, 0.0)])
def test_every_cell_has_an_id_of_its_own_that_leads_back_to_it(rows):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "b", "n", "x"]))
    ids = [f"t[{row}].x" for row in row_ids(table)]
    assert len(set(ids)) == len(rows)
    for n, one in enumerate(ids):
        found = at(table, one)
        assert [cell.at for cell in found] == [n] and found[0].id == one and found[0].value == table["rows"][n][3]


@given(frames, st.integers(-5, 5))
def test_a_condition_counts_the_rows_that_meet_it(rows, limit):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "b", "n", "x"]))
    for sign, meets in ((">=", lambda v: v >= limit), ("<", lambda v: v < limit), ("=", lambda v: v == limit),
                        ("!=", lambda v: v != limit)):
        (count,) = at(table, f"t[n{sign}{limit}]")
        assert count.value == sum(meets(row[2]) for row in rows) and count.id == f"t[n{sign}{limit}]"
        assert [c.at for c in at(table, f"t[n{sign}{limit}].x")] == [
            at for at, row in enumerate(rows) if meets(row[2])]
    assert at(table, "t[]")[0].value == len(rows)


def test_keys_are_words_that_are_the_same_in_every_language():
    frame = pd.DataFrame({"statement": ["一", "二"], "fact": [1, 1], "part": ["a", "b"], "month": ["2010-01"] * 2})
    table = table_of("t", frame)
    assert row_ids(table) == ["a", "b"]
    same = table_of("t", pd.DataFrame({"label": ["甲", "甲"]}))
    assert row_ids(same) == ["#1", "#2"] and at(same, "t[#2].label")[0].at == 1
    assert [cell.at for cell in at(same, "t[#1].label")] == [0] and at(same, "t[#12].label") == []


def test_missing_is_what_nothing_equals_and_a_part_of_a_key_names_all_that_have_it():
    frame = pd.DataFrame({"month": ["2010-01", "2010-01", "2010-02"], "model": ["a", "b", "a"], "y": [1.0, None, 3.0]})
    table = table_of("t", frame)
    assert at(table, "t[y=]")[0].value == 1 and at(table, "t[y!=]")[0].value == 2
    assert [c.id for c in at(table, "t[2010-01].y")] == ["t[2010-01,a].y", "t[2010-01,b].y"]
    assert [value_text(v) for v in (None, 0.25, True, "2011-12")] == ["–", "0.25", "True", "2011-12"]


@pytest.mark.parametrize("text", ["", "a b", "t[", "t]x", "[a].b", "图 3", "1,234", "t[a].b[c]", "../x"])
def test_what_is_no_id_is_none(text):
    assert at(table_of("t", pd.DataFrame({"a": [1]})), text) == []


@pytest.mark.parametrize("text", ["x[a].y", "t[a].nope", "t[nope].y", "t[#99].y", "t[y>word].y"])
def test_an_id_of_nothing_finds_nothing(text):
    table = table_of("t", pd.DataFrame({"k": ["a"], "y": [1.0]}))
    assert at(table, text) == []


# --- sentences

FRAME = pd.DataFrame({"key": ["a", "b"], "kind": ["size", None], "x": [0.125, 0.125], "n": [3, 4]})
TABLE = {**table_of("t", FRAME, lang="en"), "notebook": "02_x", "prompt": 3}


def said(text):
    one = Sentence("reading", told({"text": str(text), "cells": plain_cells(text)}))
    return linked(one, {"t": rows_of(TABLE)}, itertools.count(7), "en")


def test_where_values_are_equal_the_cell_is_still_the_one_that_was_meant():
    one = said("up " + cite("12.5%", cell("t", "x", key="b")) + ", then " + cite("12.5%", cell("t", "x", key="a")))
    assert [(one.text[c.start:c.end], c.cells[0].id) for c in one.citations] == [
        ("12.5%", "t[b].x"), ("12.5%", "t[a].x")]
    assert one.cells == ["t[b].x", "t[a].x"]


@pytest.mark.parametrize("ref, ids", [
    (cell("t", kind="size"), ["t[kind=size]"]), (cell("t", n=">3"), ["t[n>3]"]), (cell("t"), ["t[]"]),
    (cell("t", kind=None), ["t[kind=]"]), (cell("t", kind="!="), ["t[kind!=]"]),
    (cell("t", "x"), []), (cell("t", "x", key="c"), []), (cell("t", "y", key="a"), []), (cell("u", "x", key="a"), []),
    (cell("t", "x", wrong="a"), []),
])
def test_a_cell_must_be_the_only_one_and_a_count_may_be_of_none(ref, ids):
    assert said(cite("1", ref)).cells == ids


def test_a_count_has_the_number_of_rows():
    (one,) = said(cite("2", cell("t", x=">0.1"))).citations
    assert one.cells[0].value == 2 and said(cite("0", cell("t", n=">9"))).citations[0].cells[0].value == 0


def test_tooltips_are_escaped_and_lead_to_their_table():
    one = said("<i>" + cite("12.5%", cell("t", "x", key="a")) + "</i> & 3%")
    assert one.html == (
        '&lt;i&gt;<span class="cite"><a class="cell" tabindex="-1" href="#rec-t" aria-describedby="cell-7">12.5%</a>'
        '<span class="tip" role="tooltip" id="cell-7">t[a].x = 0.125</span></span>&lt;/i&gt; &amp; 3%')


def test_a_difference_states_both_cells_and_tables_list_what_is_stated_once():
    both = said(cite("1", cell("t", "n", key="b"), cell("t", "n", key="a")))
    assert both.cells == ["t[b].n", "t[a].n"]
    assert [c.id for c in cited_tables([both, both])["t"]] == ["t[b].n", "t[a].n"]


def test_a_line_of_state_keeps_its_cells_through_the_notebook(executed):
    (line,) = read_content(executed, "zh").state
    assert line.cells == ["growth[2010-01].value"] and line.html.startswith("客户数<span") and "1.25" in line.html


@pytest.fixture(scope="module", params=["rizhao", "shandong"])
def report(request, sample_reports):
    return open_report(sample_reports[request.param])


def test_the_page_shows_id_and_value_and_every_link_leads_somewhere(report):
    page = (report.folder / "report.html").read_text(encoding="utf-8")
    for line in report.sentences:
        assert line.html.split("<span")[0] in page
        for one in line.cells:
            assert f"{html.escape(one)} = " in page or f"{html.escape(one)}：" in page, one
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r'aria-describedby="([^"]*)"', page)) <= set(ids)
    assert {a[1:] for a in re.findall(r'href="(#[^"]*)"', page)} <= {*ids, "all"}
    assert all(f'id="rec-{table["name"]}"' in page for table in report.content.tables)
