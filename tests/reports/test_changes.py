"""What moved against the run before: same months compared, reasons from what differs, nothing said without cause."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.reports.changes import _said, _where, build_changes, changes
from ebank_lib.reports.figures import month_text
from ebank_lib.wording import percent, t


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


def came(pair, actual):
    """The page's line on a month that was forecast as 100 (80%: 90 to 110, 95%: 80 to 120) and came as `actual`."""
    old, now = pair
    month = now["spark"]["months"][-1]
    old["forecast"][0] |= {"month": month, "y_hat": 100.0, "lo-80": 90.0, "hi-80": 110.0, "lo-95": 80.0, "hi-95": 120.0}
    now = copy.deepcopy(now)
    now["spark"]["y"][-1] = actual
    return build_changes([(old, now)], {}, "en"), changes(old, now)["came"]


@pytest.mark.parametrize(("actual", "where"), [
    (79.9, "outside"), (80.0, "95"), (89.9, "95"), (90.0, "80"), (100.0, "80"), (110.0, "80"), (110.1, "95"),
    (120.0, "95"), (120.1, "outside"), (0.0, "outside"), (1e9, "outside")])
def test_a_month_that_came_is_held_against_both_limits(pair, actual, where):
    page, rows = came(pair, actual)
    assert rows[0]["actual"] == actual and rows[0]["hi-95"] == 120.0 and rows[0]["lo-80"] == 90.0
    assert _where(rows[0]) == where and t(f"index.came_{where}", "en") in page


def test_without_limits_what_came_is_outside_none():
    limits = dict.fromkeys(("lo-80", "hi-80", "lo-95", "hi-95"))
    assert _where({"actual": 1.0, **limits}) == "outside"
    assert _where({"actual": 1.0, **limits, "lo-95": 0.0, "hi-95": 2.0}) == "95"


def test_a_month_not_known_yet_has_not_come(pair):
    assert came(pair, None)[1] == []


@pytest.mark.parametrize(("factor", "way", "moved"), [(1.0004, "still", 0), (0.9996, "still", 0), (1.01, "up", 1),
                                                      (0.99, "down", 1)])
def test_what_moves_by_less_than_half_a_per_mille_stands_still(pair, factor, way, moved):
    old, now = pair
    for row in old["forecast"]:
        row["y_hat"] /= factor
    row = _said(changes(old, now), now, "en")
    assert {move["way"] for move in row["moves"]} == {way} and row["differs"] == bool(moved)
    assert row["size"] == pytest.approx(abs(factor - 1), rel=1e-6) and row["last"] == row["moves"][-1]
    assert row["last"]["change"] == percent(factor - 1, sign=True)


def test_a_ratio_moves_in_points_and_from_nothing_there_is_no_share(pair):
    old, now = copy.deepcopy(pair)
    for one in (old, now):
        one["indicator"]["kind"] = "ratio"
        for n, row in enumerate(one["forecast"]):
            row["y_hat"] = 0.5 + 0.012 * (one is now) + 0 * n
    made = changes(old, now)
    assert made["forecasts"][0] == {"month": now["forecast"][0]["month"], "old": 0.5, "new": 0.512, "change": 0.012,
                                    "share": None}
    assert _said(made, now, "en")["last"]["change"] == t("index.points", "en", n="+1.2")
    old, now = copy.deepcopy(pair)
    old["forecast"][0]["y_hat"], now["forecast"][0]["y_hat"] = 0.0, 5.0
    old["forecast"][1]["y_hat"] = None
    rows = changes(old, now)["forecasts"]
    assert rows[0]["share"] is None and rows[0]["change"] == 5.0 and rows[1]["month"] == now["forecast"][2]["month"]


def test_months_fewer_or_later_are_told_apart_and_long_lists_end(pair):
    old, now = pair
    old["months"][1] = "2099-01"
    old["files"] = [{"file": f"f{n}", "sha256": "0"} for n in range(9)]
    why = {one["code"]: one["text"]["en"] for one in changes(old, now)["why"]}
    assert why["months"] == t("index.because_fewer", "en", old=month_text("2099-01", "en"),
                              new=month_text(now["months"][1], "en"))
    gone = why["files_gone"]
    assert "f5" in gone and "f6" not in gone and t("index.more", "en", n=3) in gone
    old["months"][1] = "2000-01"
    assert changes(old, now)["why"][0]["text"]["en"] != why["months"]


@pytest.mark.parametrize("n", [2, 3])
def test_what_is_behind_every_move_is_said_once(summaries, n):
    pairs = [(copy.deepcopy(one), one) for one in summaries(n)]
    for old, _ in pairs:
        old["hashes"]["code"] = "1"
        for row in old["forecast"]:
            row["y_hat"] *= 1.1
    pairs[0][0]["parameters"]["horizon"] = 99
    page = build_changes(pairs, {}, "en")
    assert page.count(t("index.because_code", "en")) == 1 and page.count("horizon") == 1
