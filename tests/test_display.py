"""Tables are escaped, labelled and the same bytes for the same numbers."""

import pandas as pd

from ebank_lib.display import html_table, plain_text, show


def frame():
    return pd.DataFrame({"branch": ["<script>", "b"], "month": pd.PeriodIndex(["2010-01", "2010-02"], freq="M"),
                         "value": [1234567.0, float("nan")], "ok": [True, False], "n": [1, 2000]})


def test_texts_are_escaped_and_missing_values_are_dashes():
    text = html_table(frame(), caption="<b>", notes=["a & b"], lang="en")
    assert "<script>" not in text and "&lt;script&gt;" in text and "&lt;b&gt;" in text and "a &amp; b" in text
    assert "Jan 2010" in text and "1,234,567" in text and "–" in text and ">yes<" in text and "2,000" in text


def test_headings_are_in_the_readers_language():
    assert "<th>分行</th>" in html_table(frame(), lang="zh")
    assert "<th>Branch</th>" in html_table(frame(), lang="en")
    assert "<th>Own</th>" in html_table(frame(), lang="en", heads={"branch": "Own"})


def test_formats_are_templates_or_functions():
    text = html_table(frame(), formats={"value": "{:.0e}", "n": lambda n: f"#{n}"}, lang="en")
    assert "1e+06" in text and "#2000" in text


def test_the_same_numbers_give_the_same_bytes():
    assert show(frame())._repr_html_() == show(frame())._repr_html_()


def test_a_terminal_shows_what_the_page_shows_in_columns():
    made = show(frame(), "A & b", formats={"value": "{:.0e}"}, heads={"ok": "好"}, notes=["<b>"], lang="en")
    assert repr(made) == """\
A & b
Branch    Month     Value  好       n
<script>  Jan 2010  1e+06  yes      1
b         Feb 2010      –  no   2,000
<b>"""
    assert repr(show(frame().iloc[:0], lang="en")).splitlines()[1] == "none"


def test_an_empty_table_says_that_there_is_nothing():
    assert '<td colspan="2">none</td>' in html_table(pd.DataFrame({"a": [], "b": []}), lang="en")


def test_small_p_values_and_shares_are_written_as_they_are_read():
    made = html_table(pd.DataFrame({"p_value": [1.5e-6, 0.0426], "share": [0.115, 0.5]}), lang="en")
    assert [s.split("<")[0] for s in made.split('<td class="n">')[1:]] == ["&lt;0.001", "11.5%", "0.043", "50.0%"]


def test_a_long_word_may_be_broken_and_stays_whole_in_text():
    name = "2016/RTGS16112016ACB4064CDD064613B7E3B9ADD29A9191.XLS"
    made = html_table(pd.DataFrame({"file": [name]}))
    assert "<wbr>" in made and name in made.replace("<wbr>", "")


def test_in_a_terminal_no_column_is_lost_where_tables_differ_in_width():
    narrow, wide = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    lines = plain_text(html_table(narrow, lang="en") + html_table(wide, lang="en")).splitlines()
    assert [line.split() for line in lines] == [["a"], ["1"], ["a", "b", "c"], ["1", "2", "3"]]
    assert plain_text(html_table(wide.iloc[:0], lang="en")).splitlines()[0].split() == ["a", "b", "c"]
