"""A branch's summary: its figures are the report's, and its list of what needs attention follows written rules."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.reports.cells import row_ids
from ebank_lib.reports.content import Content, Executed
from ebank_lib.reports.page import About
from ebank_lib.reports.record import table_of
from ebank_lib.reports.summary import summarise, summary_bytes
from ebank_lib.sources import open_source
from ebank_lib.wording import number

FIRST, LAST = pd.Period("2009-01", "M"), pd.Period("2010-12", "M")


@pytest.fixture(scope="module")
def cleaned(project):
    return clean(open_source(project / "data" / "small"))


def grade(letter="B", **changed):
    row = {"model": "combination", "letter": letter, "ratio": 0.5, "smape": 8.0, "coverage": 0.9, "level": 95.0,
           "origins": 12}
    return table_of("grade", pd.DataFrame([row | changed]))


def forecast(months=12):
    ahead = pd.period_range(LAST + 1, periods=months, freq="M")
    frame = pd.DataFrame({"month": ahead, "model": "combination", "y_hat": np.arange(months) + 11000.123456789012})
    for name, by in (("lo-80", -50), ("hi-80", 50), ("lo-95", -90), ("hi-95", 90)):
        frame[name] = frame["y_hat"] + by
    return table_of("forecast", frame)


def targets(*odds, kind="level", goal=12000.0, then=9000.0):
    return table_of("targets", pd.DataFrame({
        "target": [f"t{n}" for n in range(len(odds))], "indicator": "online", "kind": kind, "goal": goal,
        "reached_from": 10000.0, "deadline": LAST + 12, "trend_at_deadline": then, "p_at": odds, "ratio": 1.5,
        "n": 1000, "verdict": "behind"}))


def check(inside):
    return table_of("check", pd.DataFrame([{"month": LAST, "actual": 10851.0, "y_hat": 9000.0, "lo-95": 8000.0,
                                            "hi-95": 9900.0, "inside-95": inside}]))


def made(cleaned, *tables, branch="0351", not_done=None, first=FIRST, last=LAST, **state):
    books = [Executed("04_forecasting", {"branch": branch, "lang": "en", "indicator": "online"}, not_done=not_done)]
    about = About(branch, "East", "Online", "Trial", True, first, last, "en", indicator="online")
    return summarise(about, Content(books, tables=list(tables), **state), cleaned)


def codes(summary):
    return [(one["code"], one["level"]) for one in summary["attention"]]


def test_its_figures_are_those_of_the_data_and_of_the_recorded_tables(cleaned):
    said = made(cleaned, forecast(), grade(), targets(0.5))
    y = cleaned.series("0351", "online")
    assert said["latest"] == {"month": "2010-12", "y": y.iloc[-1], "yoy": pytest.approx(y.iloc[-1] / y.iloc[-13] - 1)}
    assert said["spark"]["months"][0] == "2009-01" and said["spark"]["y"] == list(y)
    assert [row["month"] for row in said["forecast"]] == [f"2011-{m:02d}" for m in range(1, 13)]
    assert said["forecast"][0]["y_hat"] == 11000.12346     # ten significant digits
    assert said["trust"]["grade"] == "B" and "Trust B" in said["trust"]["why"]["en"]
    assert said["label"] == {"zh": "东城分行", "en": "East"} and said["indicator"]["unit"]["en"] == "customers"
    assert said["attention"] == []
    assert said["targets"][0]["goal"]["en"] == "12 k customers" and said["targets"][0]["then"]["en"] == "9 k customers"


@pytest.mark.parametrize(("kind", "goal", "then", "short"), [
    ("level", 12000.0, 9000.0, 0.25), ("level", None, 9000.0, 0.1), ("level", 9000.0, 12000.0, 0.0),
    ("rank", 3.0, 4.0, 0.25), ("rank", 3.0, 1.0, 0.0), ("growth", 0.0, 0.1, None), ("level", 12000.0, None, None)])
def test_what_will_be_short_is_a_part_of_the_goal(cleaned, kind, goal, then, short):
    assert made(cleaned, targets(0.5, kind=kind, goal=goal, then=then))["targets"][0]["short"] == short


def test_it_is_plain_json_that_repeats(cleaned):
    first, second = (summary_bytes(made(cleaned, forecast(), grade(), targets(0.1))) for _ in range(2))
    assert first == second and json.loads(first)["schema"] == 1


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("letter", "ABCDE")
def test_attention_follows_the_rules_in_their_order(cleaned, inside, letter):
    said = made(cleaned, forecast(), grade(letter), targets(0.0), check(inside))
    assert codes(said) == [("grade", "act")] * (letter in "DE") + [("outside", "act")] * (not inside)
    ids = {"grade": "grade[combination].letter", "outside": "check[2010-12].actual"}
    assert all(one["cells"][0] == ids[one["code"]] for one in said["attention"])
    assert all(one["text"][lang].strip() for one in said["attention"] for lang in ("zh", "en"))


def test_a_stage_that_ended_early_is_named_with_its_reason(cleaned):
    said = made(cleaned, not_done={"cell": 5, "message": "only 3 months"})
    assert codes(said) == [("not_done", "act")] and "only 3 months" in said["attention"][0]["text"]["en"]
    assert said["not_done"] == {"04_forecasting": {"cell": 5, "message": "only 3 months"}}
    assert said["forecast"] == [] and said["trust"] is None and said["targets"] == []


def test_a_series_that_ends_early_or_is_empty_is_said(cleaned):
    panel = cleaned.panel.copy()
    panel.loc[("0351", LAST), "online"] = np.nan
    early = made(replace(cleaned, panel=panel))
    assert codes(early) == [("no_latest", "act")] and early["latest"]["month"] == "2010-11"
    assert early["attention"][0]["text"]["en"] == (
        "Online customers has no value for Dec 2010; the last that can be used is of Nov 2010.")
    assert early["spark"]["y"][-1] is None
    panel.loc["0351", "online"] = np.nan
    assert made(replace(cleaned, panel=panel))["latest"] is None


def doubted(cleaned, *months, branch="0351", indicator="online"):
    """The same numbers, of which cleaning doubts some."""
    entries = cleaned.entries.astype({"decision": str, "rule": str})
    mine = (entries["branch"] == branch) & (entries["indicator"] == indicator) & entries["month"].isin(months)
    entries.loc[mine, ["decision", "rule"]] = ["flagged", "spike"]
    return replace(cleaned, entries=entries)


def test_a_number_in_doubt_is_neither_the_latest_nor_compared_with_nor_drawn(cleaned):
    y = cleaned.series("0351", "online")
    said = made(doubted(cleaned, LAST, LAST - 13))
    assert said["latest"] == {"month": "2010-11", "y": y[LAST - 1], "yoy": None}
    assert [month for month, v in zip(*said["spark"].values(), strict=True) if v is None] == ["2009-11", "2010-12"]


def test_a_newest_month_in_doubt_is_not_said_to_be_missing(cleaned):
    doubts = table_of("doubtful", doubted(cleaned, LAST).doubtful)
    said = made(doubted(cleaned, LAST), doubts)
    assert codes(said) == [("no_latest", "act"), ("suspicious", "watch")]
    first = said["attention"][0]
    y = cleaned.series("0351", "online")[LAST]
    assert first["text"]["en"] == (f"The value of Online customers for Dec 2010 ({number(y, 'customers', 'en')}) is "
                                   "suspected to be an error and left out; the last that can be used is of Nov 2010.")
    assert "存疑" not in first["text"]["zh"] and "疑为差错，未采用" in first["text"]["zh"]
    assert first["cells"] == [f"doubtful[{row_ids(doubts)[0]}].value"]
    assert codes(made(doubted(cleaned, LAST - 1))) == [("suspicious", "watch")]
    assert said["attention"][1]["text"]["en"] == (
        "Suspicious values of the last 3 months, without proof and left as printed: 1 (Online customers).")


def test_suspicious_cells_count_for_three_months(cleaned):
    entries = cleaned.entries.copy()
    entries["decision"] = "parsed"
    mine = (entries["branch"] == "0351") & (entries["indicator"] == "phone")
    entries.loc[mine & (entries["month"] == LAST - 3), "decision"] = "flagged"
    assert made(replace(cleaned, entries=entries))["attention"] == []
    entries.loc[mine & (entries["month"] == LAST - 2), "decision"] = "flagged"
    said = made(replace(cleaned, entries=entries))
    assert codes(said) == [("suspicious", "watch")] and "Phone customers" in said["attention"][0]["text"]["en"]


def test_all_branches_together_are_their_sum_and_need_no_attention(cleaned):
    said = made(cleaned, grade("D"), branch="province")
    both = cleaned.series("0351", "online") + cleaned.series("west", "online")
    assert said["role"] == "total" and said["spark"]["y"] == list(both) and said["attention"] == []
    doubt = made(doubted(cleaned, LAST), grade("D"), branch="province")
    assert doubt["latest"]["month"] == "2010-11" and doubt["attention"] == []
