"""Sentences know their cells: in the right place, of the right row, and a number without a cell shows."""

import re

import pandas as pd
import pytest

from ebank_lib.display import plain_cells
from ebank_lib.reports.content import read_content
from ebank_lib.reports.record import table_of
from ebank_lib.reports.sentences import Sentence, cited_tables, linked, resolved
from ebank_lib.reports.trace import open_report
from ebank_lib.wording import cell, cite

FRAME = pd.DataFrame({"key": ["a", "b"], "kind": ["size", None], "x": [0.125, 0.125], "n": [3, 4]})
TABLE = {**table_of("t", FRAME, lang="en"), "notebook": "02_x", "prompt": 3}


def said(text):
    return resolved(Sentence("reading", str(text), tuple(plain_cells(text))), [TABLE])


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
    assert linked(one, {"t": TABLE}, 7, "en", {"t": "rec-t"}) == (
        '&lt;i&gt;<span class="cite"><a class="cell" href="#rec-t" aria-describedby="cell-7">12.5%</a>'
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
    for line in report.content.state:
        shown = re.search(rf'<li id="state-{line.name}".*?</li>', page, re.S)[0]
        for one in line.cells:
            assert re.sub(r"<", "&lt;", one).replace(">", "&gt;") in shown, one
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r'aria-describedby="([^"]*)"', page)) <= set(ids)
    assert {a[1:] for a in re.findall(r'href="(#[^"]*)"', page)} <= set(ids)
    assert all(f'id="rec-{table["name"]}"' in page for table in report.content.tables)
