"""Every number of a sentence is looked up in the recorded cells, within rounding, and nothing else is taken for it."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.reports.citing import cite, matches, numbers_in, tooltips
from ebank_lib.reports.record import table_of
from ebank_lib.wording import number, percent, t

values = st.floats(1e-3, 1e11) | st.integers(1, 10**9).map(float)


def table(name="t", **columns):
    return {**table_of(name, pd.DataFrame(columns), lang="en"), "notebook": "02_x", "prompt": 1}


@given(values, st.sampled_from(["zh", "en"]))
def test_a_number_as_the_wording_writes_it_is_found_and_its_neighbour_is_not(value, lang):
    unit = {"zh": "户", "en": "customers"}[lang]
    (one,) = numbers_in(f"x {number(value, unit, lang)}.")
    assert matches(one, value) == 4
    step = 10.0 ** -one.decimals / one.scales[0]
    assert matches(one, value + 1.1 * step) == matches(one, value - 1.1 * step) == 0


@given(st.floats(-5, 5), st.integers(0, 2), st.booleans())
def test_a_rate_is_found_with_its_sign(value, digits, sign):
    text = percent(value, digits, sign)
    (one,) = numbers_in(text)
    assert matches(one, value) in (2, 4) and one.text == text.replace("-0.", "-0.")
    if sign and round(abs(value), 4) > 0.05:
        assert matches(one, -value) < 4


@given(st.floats(0.001, 0.9), st.sampled_from(["zh", "en"]))
def test_points_and_ranges_share_the_unit_that_is_said_once(value, lang):
    text = t("scenarios.points", lang, n=f"-{value * 100:.2f} to +{value * 100:.2f}")
    low, high = numbers_in(text)
    assert matches(low, -value) == 4 == matches(high, value) and low.points


@pytest.mark.parametrize(("text", "said"), [
    ("-42.12 to +42.12 points", ["-42.12", "+42.12 points"]), ("from 12 to 15", ["12", "15"]), ("212个月", ["212"]),
    ("81.12个月", ["81.12"]), ("1.1 to 3 months ahead", ["1.1", "3"])])
def test_a_number_that_ends_like_a_word_is_a_number(text, said):
    assert [n.text for n in numbers_in(text)] == said


@pytest.mark.parametrize("text", [
    "2011年8月", "Aug 2011", "2011-08", "ARIMA(1,1,2)", "“转化率80%”", 'of "80% converted"', "以2008年1月为1，",
    "近12个月", "B2B", "到2011年8月的12个月", "the 12 months to Aug 2011 against the 12 before",
    "average month of the 12 to Aug 2011", "d=1，D=0",
])
def test_dates_orders_and_names_are_words(text):
    assert numbers_in(text) == []


def test_words_around_a_number_do_not_hide_it():
    text = "以2008年1月为1，28项中4项+149%（-5%），由7.53万笔增至< 1%，p=0.096，1,234.5和3"
    assert [n.text for n in numbers_in(text)] == ["28", "4", "+149%", "-5%", "7.53万", "< 1%", "0.096", "1,234.5", "3"]


def test_the_row_that_explains_most_of_the_sentence_wins():
    rows = table(key=["a", "b", "c"], goal=[0.7, 0.8, 0.8], odds=[0.25, 0.25, 0.5])
    cited = cite("odds 25%, goal 80%", [rows], ["t.odds", "t.goal"])
    assert cited.ids == ["t[b].odds", "t[b].goal"] and cited.uncited == []


def test_the_extreme_wins_where_only_rounding_makes_others_alike():
    rows = table(key=["a", "b", "c"], growth=[0.992, 0.994, 0.5])
    assert cite("highest +99%", [rows], ["t.growth"]).ids == ["t[b].growth"]


def test_counts_and_single_cells_are_said_in_their_turn():
    rows = table(key=["a", "b"], how=["x", "x"], n=[2, 2])
    cited = cite("2 of 2, 2 and 2", [rows], ["t[]", "t[how=x]", "t[b].n", "t[a].n"])
    assert [cells[0].id for cells in cited.cells] == ["t[]", "t[how=x]", "t[b].n", "t[a].n"]


def test_a_change_is_made_of_the_cells_that_are_said_anyway():
    rows = table(key=["now", "then"], y=[200.0, 300.0])
    cited = cite("300, up 50.0% on 200", [rows], ["t.y"])
    assert [sorted(c.id for c in cells) for cells in cited.cells] == [["t[then].y"], ["t[now].y", "t[then].y"],
                                                                      ["t[now].y"]]
    assert cite("up 50.0%", [rows], ["t.y"]).uncited == ["50.0%"]


def test_a_level_is_in_the_name_of_the_column_that_has_the_limit():
    rows = table(key=["a"], **{"lo-95": [3.0], "hi-95": [7.0]})
    assert cite("95% limits 3 to 7", [rows], ["t.lo-95", "t.hi-95"]).uncited == []


def test_what_is_in_no_table_is_said_to_have_no_cell():
    cited = cite("12 and 0.50 and 3%", [table(key=["a"], x=[0.125])], ["t.x"])
    assert cited.uncited == ["12", "0.50", "3%"] and cited.ids == ["t[]"]


def test_without_a_hint_only_tables_of_the_notebook_are_looked_through_and_no_small_whole_numbers():
    rows = table(key=["a"], x=[0.125], n=[28])
    assert cite("12.5% in 28", [rows], notebook="02_x").ids == ["t[a].x"]
    assert cite("12.5% in 28", [rows], notebook="03_y").ids == []


def test_tooltips_are_escaped_and_lead_to_their_table():
    rows = table(key=["<b>"], x=[0.125])
    cited = cite("<i>12.5%</i> & 3%", [rows], ["t.x"])
    made = tooltips(cited, {"t": rows}, 7, "en", {"t": "rec-t"})
    assert made == ('&lt;i&gt;<span class="cite"><a class="cell" href="#rec-t" aria-describedby="cell-7">12.5%</a>'
                    '<span class="tip" role="tooltip" id="cell-7">t[#1].x = 0.125</span></span>&lt;/i&gt; &amp; 3%')
