"""Who made the growth, who leads, who carries what is to come: shares that add up, in words and in tables."""

import re
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.province import growth_decomposition, league_table, who_carries
from ebank_lib.province.windows import table_unit


def numbers_of(html, table=0):
    """The body of one HTML table as numbers, without its first column."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", re.findall(r"<tbody>(.*?)</tbody>", html, re.S)[table], re.S)
    cells = [[re.sub(r"<.*?>", "", c) for c in re.findall(r"<td.*?>(.*?)</td>", row)][1:] for row in rows]
    return np.array([[float(re.sub(r"\(.*\)|[,%+ ]", "", c)) for c in row] for row in cells])


# --- decomposition

@pytest.mark.parametrize("indicator", ["etxn_total", "income_total", "personal_online", "mobile_txn"])
def test_contributions_add_up_to_the_growth_of_the_province(cleaned, indicator):
    found = growth_decomposition(cleaned, indicator)
    assert found.known["change"].sum() == pytest.approx(found.by()["change"].sum())
    assert found.known["points"].sum() == pytest.approx(found.growth)
    rows = found.by("indicator")
    assert rows["after"].sum() - rows["before"].sum() == pytest.approx(found.known["change"].sum())
    assert len(rows) == {"etxn_total": 5, "income_total": 3}.get(indicator, 1)


def test_the_growth_is_that_of_the_printed_total(cleaned):
    stock = cleaned.series("shandong", "personal_online")
    found = growth_decomposition(cleaned, "personal_online")
    assert found.growth == pytest.approx(stock.loc["2011-08"] / stock.loc["2010-08"] - 1, rel=1e-4)
    flow = cleaned.series("shandong", "income_total")
    found = growth_decomposition(cleaned, "income_total")
    assert found.growth == pytest.approx(flow.iloc[-12:].sum() / flow.iloc[-24:-12].sum() - 1, rel=1e-4)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("indicator", ["etxn_total", "personal_online"])
def test_the_printed_tables_add_up_to_the_last_digit(cleaned, indicator, lang):
    html = growth_decomposition(cleaned, indicator).to_html(lang)
    table = numbers_of(html)
    assert table[:-1].sum(axis=0) == pytest.approx(table[-1], abs=1e-9)
    assert table[:, 0] + table[:, 2] == pytest.approx(table[:, 1], abs=1e-9)
    if indicator == "etxn_total":
        points = numbers_of(html, 1)
        assert points[:-1].sum(axis=0) == pytest.approx(points[-1], abs=1e-9)
        assert points[:, :-1].sum(axis=1) == pytest.approx(points[:, -1], abs=1e-9)
        assert points[:, -1] == pytest.approx(table[:, -1])


def test_the_sentence_names_the_largest_and_those_that_went_the_other_way(few):
    panel = few.panel.copy()
    now = panel.index.get_level_values("month") == "2011-08"
    panel.loc[now & (panel.index.get_level_values("branch") == "heze"), "mobile"] = 1.0
    found = growth_decomposition(types.SimpleNamespace(panel=panel, catalog=few.catalog), "mobile")
    assert "Jinan contributed most" in found.reading("en") and "other way: 1." in found.reading("en")
    assert "济南分行贡献最大" in found.reading("zh")


def test_a_branch_without_figures_keeps_its_row_and_is_in_no_sum(few):
    panel = few.panel.copy()
    panel.loc["heze", "mobile"] = np.nan
    found = growth_decomposition(types.SimpleNamespace(panel=panel, catalog=few.catalog), "mobile")
    assert found.table.set_index("branch").loc["heze", "reason"] == "missing"
    whole = panel.loc[["jinan", "rizhao"], "mobile"].groupby(level="month").sum()
    assert found.growth == pytest.approx(whole.iloc[-1] / whole.iloc[-13] - 1)
    assert "Heze" in found.to_html("en")


def test_a_province_that_began_at_nothing_has_units_but_no_points(few):
    panel = few.panel.copy()
    panel.loc[panel.index.get_level_values("month") < "2011-01", "mobile"] = 0.0
    found = growth_decomposition(types.SimpleNamespace(panel=panel, catalog=few.catalog), "mobile")
    assert np.isnan(found.growth) and found.known["change"].sum() > 0
    assert "nothing to divide" in found.reading("en") and "points" not in found.to_html("en").lower()


def test_what_cannot_be_divided_is_said(cleaned):
    with pytest.raises(SeriesError, match="ratio"):
        growth_decomposition(cleaned, "coverage")
    with pytest.raises(SeriesError, match="too few months"):
        growth_decomposition(cleaned, "income_total", end="2009-11")
    with pytest.raises(UnknownNameError, match="2008-01, …, 2011-08"):
        growth_decomposition(cleaned, "sms", end="2012-01")
    with pytest.raises(UnknownNameError, match="branch, indicator"):
        growth_decomposition(cleaned, "sms").by("month")


# --- league

def test_ranks_shares_and_growth_are_those_of_the_panel(cleaned):
    rows = league_table(cleaned, "personal_online").of()
    now = cleaned.panel["personal_online"].xs(pd.Period("2011-08", "M"), level="month").drop("shandong")
    assert rows["branch"].iloc[:-1].tolist() == now.sort_values(ascending=False).index.tolist()
    assert rows["share"].iloc[:-1].sum() == pytest.approx(1) and rows["value"].iloc[-1] == pytest.approx(now.sum())
    y = cleaned.series("rizhao", "personal_online")
    mine = rows.set_index("branch").loc["rizhao"]
    assert mine["growth"] == pytest.approx(y.iloc[-1] / y.iloc[-13] - 1)
    assert sorted(rows["rank_growth"].dropna()) == list(range(1, 17))


def test_a_ratio_of_the_province_is_the_ratio_of_the_sums(cleaned):
    last = league_table(cleaned, "coverage").of().iloc[-1]
    now = cleaned.panel.xs(pd.Period("2011-08", "M"), level="month").drop("shandong")
    assert last["value"] == pytest.approx(now["affluent_signed"].sum() / now["affluent"].sum())
    assert np.isnan(last["share"]) and np.isnan(last["rank"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_printed_league_adds_up(cleaned, lang):
    league = league_table(cleaned, ["sms", "income_total"])
    table = numbers_of(league.to_html(lang).replace("（", "(").replace("）", ")"))
    for column in (0, 1, 3, 4):
        assert table[:-1, column].sum() == pytest.approx(table[-1, column], abs=1e-9)
    assert league.reading(lang) and league_table(cleaned, "coverage").to_html(lang)


def test_the_league_says_what_it_does_not_know(cleaned):
    with pytest.raises(UnknownNameError, match="sms"):
        league_table(cleaned, ["smss"])
    with pytest.raises(UnknownNameError, match="in the table"):
        league_table(cleaned, ["sms"]).of("mobile")
    with pytest.raises(SeriesError, match="12 months of a flow"):
        league_table(cleaned, "income_total", end="2008-06")


# --- who carries

def test_shares_of_the_expected_increase_add_up(paths):
    found = who_carries(paths, "mobile", "2012-08")
    now = paths.history["mobile"].xs(paths.origin, level="month")
    then = paths.total("mobile").loc["2012-08"]
    assert found.total["increase"] == pytest.approx(then.mean() - now.sum())
    assert found.table["increase"].sum() == pytest.approx(found.total["increase"])
    assert found.table["share"].sum() == pytest.approx(1)
    assert found.total["lo-80"] == pytest.approx(np.quantile(then - now.sum(), 0.1))
    assert found.total["hi-80"] - found.total["lo-80"] < (found.table["hi-80"] - found.table["lo-80"]).sum()


@pytest.mark.parametrize("ahead", [3, 12, 20])
def test_a_flow_is_carried_over_twelve_months(paths, ahead):
    found = who_carries(paths, "sms_income", paths.months[ahead - 1])
    past = paths.history.loc["rizhao", "sms_income"]
    y = np.r_[past.to_numpy(), paths.of("rizhao", "sms_income").mean(axis=1).to_numpy()]
    end = len(past) + ahead
    mine = found.table.set_index("branch").loc["rizhao"]
    assert mine["now"] == pytest.approx(past.iloc[-12:].sum())
    assert mine["then"] == pytest.approx(y[end - 12: end].sum())


def test_a_target_is_divided_in_proportion_and_one_that_is_reached_is_not(paths):
    now = paths.history["mobile"].xs(paths.origin, level="month").sum()
    found = who_carries(paths, "mobile", target=now * 2)
    assert found.table["needed"].sum() == pytest.approx(now)
    assert (found.table["needed"] / found.table["share"]).to_numpy() == pytest.approx(now)
    reached = who_carries(paths, "mobile", target=now / 2)
    assert reached.table["needed"].isna().all() and "already reached" in reached.reading("en")
    assert "已经达到" in reached.reading("zh")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_printed_carriers_add_up(paths, lang):
    found = who_carries(paths, "income_total", target=2e8)
    table = numbers_of(found.to_html(lang))
    assert table[:-1, [0, 1, 2, 5, 6]].sum(axis=0) == pytest.approx(table[-1, [0, 1, 2, 5, 6]], abs=1e-9)
    assert table[:, 0] + table[:, 2] == pytest.approx(table[:, 1], abs=1e-9)
    assert found.reading(lang)


def test_a_province_that_gains_nothing_and_a_branch_without_paths(paths):
    less = replace(paths, values=paths.values | {"mobile": paths.values["mobile"] * 0.1})
    found = who_carries(less, "mobile", target=1e9)
    assert found.table["share"].isna().all() and "no increase is expected" in found.reading("en")
    assert found.to_html("zh")
    gap = {"mobile": paths.values["mobile"].copy()}
    gap["mobile"][1] = np.nan
    short = replace(paths, values=paths.values | gap, reasons={("rizhao", "mobile"): "too short"})
    found = who_carries(short, "mobile")
    assert found.table["reason"].tolist() == ["", "too short", ""] and "Rizhao" in found.to_html("en")
    assert found.table["share"].sum() == pytest.approx(1)
    gap["mobile"][:] = np.nan
    with pytest.raises(SeriesError, match="no branch has paths"):
        who_carries(replace(paths, values=paths.values | gap), "mobile")
    with pytest.raises(UnknownNameError, match="month ahead"):
        who_carries(paths, "mobile", "2011-08")
    with pytest.raises(SeriesError, match="ratio"):
        who_carries(paths, "coverage")


# --- how a table writes its figures

@given(st.floats(1, 1e13), st.sampled_from(["zh", "en"]))
def test_one_unit_writes_the_largest_figure_with_two_to_five_digits(largest, lang):
    unit = table_unit(largest, "", lang)
    digits = len(re.sub(r"[^0-9]", "", unit.write(largest)))
    assert digits <= 6
    assert float(unit.write(largest).replace(",", "")) * unit.factor == pytest.approx(largest, abs=unit.step)
