"""Facts of the world: read strictly, each with its source, and never unlabelled beside a branch's own figures."""

import csv
import gzip
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.reference import own_figure, reference_facts


@pytest.fixture(scope="module")
def facts():
    return reference_facts()


@pytest.fixture(scope="module")
def fact(facts):
    return facts.table.set_index("id").loc


def test_the_central_bank_s_figures_of_2010_are_as_published(fact):
    """84.98亿笔 +70.54%, 522.39万亿元 +48.80%; 5.20 +0.52%, 9.44 +54.76%; 1.18 +77.08%, 0.57 +102.01%."""
    printed = {"online": (84.98, 70.54, 522.39, 48.80), "phone": (5.20, 0.52, 9.44, 54.76),
               "mobile": (1.18, 77.08, 0.57, 102.01)}
    for channel, (count, up, value, up_value) in printed.items():
        names = [f"pboc-2010-{channel}-{what}" for what in ("count", "count-growth", "value", "value-growth")]
        found = [fact[name] for name in names]
        assert [f["value"] for f in found] == pytest.approx([count * 1e8, up / 100, value * 1e12, up_value / 100])
        assert {f["kind"] for f in found} == {"published"} and {f["time"] for f in found} == {"2010"}


@pytest.mark.parametrize(("id", "value"), [("icbc-2010-share", 0.52), ("boa-2008-ratio", 2.37), ("ccb-2010-count", 3),
                                           ("hsbc-boa-share-low", 0.9), ("hsbc-boa-share-high", 0.95)])
def test_the_study_s_milestones_are_as_stated(fact, id, value):
    assert fact[id]["value"] == value and fact[id]["kind"] == "stated"


def test_every_fact_has_a_source_and_both_languages_and_speaks_of_known_indicators(facts, cleaned):
    table = facts.table
    assert (table[["subject", "zh", "en", "source_zh", "source_en"]] != "").all().all() and table["id"].is_unique
    assert set(table["kind"]) <= {"published", "stated", "computed"}
    assert set(table["measure"]) <= {"milestone", "level", "total", "annual_growth", "rank"}
    undated = table["time"] == ""           # the study does not date all that it states
    assert table["time"][~undated].str.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?").all()
    assert set(table["kind"][undated]) <= {"stated"} and np.isfinite(table["value"].dropna()).all()
    assert set(table["indicator"]) - {""} <= set(cleaned.catalog.indicators)
    assert table["value"].notna().sum() == (table["measure"] != "milestone").sum()


@pytest.mark.real_data
def test_computed_facts_are_computed_from_the_published_series(fact, shared_data):
    upi = pd.read_csv(shared_data / "upi" / "upi_monthly.csv")
    upi = upi.groupby("Year")[upi.columns[3]].sum()
    assert fact["upi-2017-count"]["value"] == upi[2017] * 1e6
    assert fact["upi-2024-count"]["value"] == upi[2024] * 1e6
    assert fact["upi-2024-growth"]["value"] == pytest.approx(upi[2024] / upi[2023] - 1, abs=5e-5)
    assert f"{upi[2024] / upi[2017]:.0f}" in fact["upi-2024-count"]["en"]
    with gzip.open(shared_data / "rbi" / "mobile_bank_month_raw.csv.gz", "rt", encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["row_type"] == "total" and float(r["volume"]) > 1000]
    # Some months print the total a second time, in millions.
    year = pd.Series([float(r["volume"]) for r in rows]).groupby([r["month"][:4] for r in rows]).sum()
    for y in ("2010", "2015"):
        assert fact[f"rbi-{y}-mobile-count"]["value"] == year[y]
    for y in (2011, 2012, 2013):
        growth = year[str(y)] / year[str(y - 1)] - 1
        assert fact[f"rbi-{y}-mobile-growth"]["value"] == pytest.approx(growth, abs=5e-5)
    assert f"{year['2015'] / year['2010']:.0f} times" in fact["rbi-2015-mobile-count"]["en"]


# --- beside a branch's own figures

def test_own_figures_are_of_the_fact_s_year_and_by_the_same_definition(cleaned):
    frame = cleaned.panel.loc["rizhao"].loc["2010-01":"2010-12"]
    first, last, value = own_figure(cleaned, "rizhao", "echannel_share", "level", 2010)
    whole = frame["etxn_total"] + frame["counter_txn"]
    assert (str(first), str(last)) == ("2010-01", "2010-12")
    assert value == pytest.approx(frame["etxn_total"][whole.notna()].sum() / whole.sum())
    now, before = frame["mobile_txn"], cleaned.panel.loc["rizhao"].loc["2009-01":"2009-12", "mobile_txn"]
    both = now.notna().to_numpy() & before.notna().to_numpy()
    growth = now.to_numpy()[both].sum() / before.to_numpy()[both].sum() - 1
    assert own_figure(cleaned, "rizhao", "mobile_txn", "annual_growth", 2010)[2] == pytest.approx(growth)


def test_a_number_in_doubt_is_in_no_own_figure(cleaned):
    at, keys = ("rizhao", pd.Period("2010-06", "M")), ["catalog", "branches"]
    panel, trusted = cleaned.panel.copy(), cleaned.panel.copy()
    panel.loc[at, "mobile_txn"], trusted.loc[at, "mobile_txn"] = 1e9, np.nan
    doubtful = SimpleNamespace(**{k: getattr(cleaned, k) for k in keys}, panel=panel, trusted=trusted)
    now, before = (trusted.loc["rizhao"].loc[f"{year}-01":f"{year}-12", "mobile_txn"] for year in (2010, 2009))
    growth = now.sum() / before.drop(before.index[5]).sum() - 1
    assert own_figure(doubtful, "rizhao", "mobile_txn", "annual_growth", 2010)[2] == pytest.approx(growth)


def test_figures_of_other_years_are_not_set_beside_each_other(cleaned):
    assert own_figure(cleaned, "rizhao", "mobile_txn", "annual_growth", 2024)[0] is None
    rows = reference_facts().beside(cleaned, "rizhao")
    assert len(rows) and [str(month.year) for month in rows["own_last"]] == [time[:4] for time in rows["fact_time"]]
    young = SimpleNamespace(catalog=cleaned.catalog, branches=["rizhao"], panel=cleaned.panel.loc[["rizhao"]].tail(8))
    assert own_figure(young, "rizhao", "mobile_txn", "annual_growth", 2010)[0] is None


@pytest.mark.parametrize(("lang", "own", "world"), [("zh", "日照分行（模拟数据）", "公开数据"),
                                                    ("en", "Rizhao (simulated)", "published")])
def test_figures_of_the_world_and_simulated_ones_carry_their_labels(facts, cleaned, lang, own, world):
    table = facts.beside(cleaned, "rizhao")
    assert set(table["own_kind"]) == {"simulated"} and set(table["fact_kind"]) <= {"published", "stated", "computed"}
    html = facts.beside_table(cleaned, "rizhao", lang)._repr_html_()
    assert own in html and world in html and ("模拟" in html.rsplit("</table>")[-1] or "simulated" in html)
    reported = SimpleNamespace(**{n: getattr(cleaned, n) for n in ("catalog", "branches", "panel")},
                               source=SimpleNamespace(simulated=False))
    assert set(facts.beside(reported, "rizhao")["own_kind"]) == {"reported"}
    assert own not in facts.beside_table(reported, "rizhao", lang)._repr_html_()
