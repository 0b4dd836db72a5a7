"""What moved against the run before: same months compared, reasons from what differs, nothing said without cause."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.reports.changes import build_changes, changes


@pytest.fixture
def pair(summaries):
    """The summary of a branch and a copy of it that a test may change."""
    now = summaries(1)[0]
    return copy.deepcopy(now), now


def codes(made):
    return [one["code"] for one in made["why"]]


def test_nothing_differs_from_itself(pair):
    made = changes(*pair)
    assert not made["first"] and codes(made) == [] and made["grade"] is None and made["odds"] == [] == made["came"]
    assert all(row["change"] == 0 and row["share"] == 0 for row in made["forecasts"])


@given(factor=st.floats(0.5, 2))
@settings(max_examples=20, deadline=None)
def test_forecasts_are_compared_month_by_month(summaries, factor):
    now = summaries(1)[0]
    old = copy.deepcopy(now)
    for row in old["forecast"]:
        row["y_hat"] /= factor
    made = changes(old, now)
    assert [row["month"] for row in made["forecasts"]] == [row["month"] for row in now["forecast"]]
    assert all(row["share"] == pytest.approx(factor - 1, abs=1e-9) for row in made["forecasts"])


def test_of_a_shifted_forecast_only_shared_months_count_and_what_came_is_held_against_it(pair):
    old, now = pair
    for row, month in zip(old["forecast"], ["2011-08", *(row["month"] for row in now["forecast"])], strict=False):
        row["month"] = month
    old["months"][1], old["files"] = "2011-07", old["files"][:-1]
    made = changes(old, now)
    assert len(made["forecasts"]) == 11 and [row["month"] for row in made["came"]] == ["2011-08"]
    assert made["came"][0]["actual"] == now["latest"]["y"]
    assert codes(made)[:2] == ["months", "files_added"]
    assert old["files"][-1]["file"] != now["files"][-1]["file"] in made["why"][1]["text"]["en"]


@pytest.mark.parametrize(("change", "code"), [
    (lambda old: old["files"][3].update(sha256="1"), "files_changed"),
    (lambda old: old["files"].append({"file": "x.xlsx", "sha256": "1"}), "files_gone"),
    (lambda old: old["files"][3].update(sha256="1") or old["hashes"].update(panel="1"), "files_changed"),
    (lambda old: old["hashes"].update(panel="1"), "panel"),
    (lambda old: old["hashes"].update(code="1"), "code"),
    (lambda old: old["hashes"]["notebooks"].update({"04_forecasting": "1"}), "notebooks"),
    (lambda old: old["parameters"].update(horizon=18), "parameter"),
    (lambda old: old["months"].__setitem__(0, "2007-01"), "start"),
])
def test_each_cause_is_named(pair, change, code):
    old, now = pair
    change(old)
    made = changes(old, now)
    assert code in codes(made) and all(one["text"]["zh"] and one["text"]["en"] for one in made["why"])
    # Other files, the same data: it is other branches that differ.
    assert ("others" in codes(made)) == (code.startswith("files") and old["hashes"] == now["hashes"])


def test_notebooks_are_compared_where_both_runs_name_them(pair):
    old, now = pair
    del old["hashes"]["notebooks"]
    assert codes(changes(old, now)) == []


def test_another_indicator_is_not_compared(pair):
    old, now = pair
    old["indicator"] = old["indicator"] | {"key": "phone"}
    old["trust"]["grade"] = "?"
    made = changes(old, now)
    assert made["forecasts"] == [] and made["grade"] is None and "indicator" in codes(made)


def test_grade_and_odds_that_changed_are_listed(pair):
    old, now = pair
    old["trust"] = None
    old["targets"][1] |= {"odds": 0.5, "said": "<50%>"}
    made = changes(old, now)
    assert made["grade"] == [None, now["trust"]["grade"]] and [one["key"] for one in made["odds"]] == ["t1"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_says_the_largest_move_first_and_what_stayed(summaries, lang):
    now = summaries(4)
    pairs = [(copy.deepcopy(one), one) for one in now]
    for row in pairs[0][0]["forecast"]:
        row["y_hat"] *= 1.02
    for row in pairs[1][0]["forecast"]:
        row["y_hat"] *= 1.3
    for old, _ in pairs[:3]:
        old["hashes"]["code"] = "1"
    pairs[3] = (None, now[3])
    page = build_changes(pairs, {}, lang)
    order = re.findall(r'href="(\w+)/report\.html"', page)
    assert order == [now[n]["branch"] for n in (1, 0, 2, 3)]
    assert page.count('<tr role="row">') == 3 and "-23.1%" in page and "-2.0%" in page
    assert page == build_changes(pairs, {}, lang)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_first_run_says_so(summaries, lang):
    page = build_changes([(None, one) for one in summaries(2)], {}, lang)
    assert "<table" not in page and page.count("/report.html") == 2
    assert build_changes([], {}, lang)
