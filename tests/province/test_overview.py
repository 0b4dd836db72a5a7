"""Who made the growth, who leads, who carries what is to come: shares that add up, in words and in tables."""

import re
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.catalog import Identity
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.province import growth_decomposition, league_table, who_carries
from ebank_lib.province.sums import table_unit


def numbers_of(html):
    """The body of an HTML table as numbers, without its first column."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", re.findall(r"<tbody>(.*?)</tbody>", html, re.S)[0], re.S)
    cells = [[re.sub(r"<.*?>", "", c) for c in re.findall(r"<td.*?>(.*?)</td>", row)][1:] for row in rows]
    return np.array([[float(re.sub(r"\(.*\)|[,%+ ]", "", c)) for c in row] for row in cells])


@pytest.fixture(scope="module")
def hand(cleaned):
    """Three branches, 24 months, figures that can be reckoned in the head: 200 customers became 280."""
    months = pd.period_range("2009-09", "2011-08", freq="M")
    ends = {"jinan": (100.0, 160.0), "rizhao": (60.0, 50.0), "heze": (40.0, 70.0)}
    frames = {b: pd.DataFrame({
        "mobile": np.r_[np.full(12, first), np.full(11, 1.0), last], "mobile_txn": np.repeat([first, last], 12),
        "mobile_active": np.repeat([first / 2, last / 4], 12), "mobile_activity": np.repeat([0.5, 0.25], 12)},
        index=months) for b, (first, last) in ends.items()}
    return types.SimpleNamespace(panel=pd.concat(frames, names=["branch", "month"]), catalog=cleaned.catalog)


def until(data, month):
    months = data.panel.index.get_level_values("month")
    return types.SimpleNamespace(panel=data.panel[months <= month], catalog=data.catalog)


def cells(said):
    return [(said[a:b], ref.table, ref.column, dict(ref.rows)) for a, b, refs in said.cells for ref in refs]


# --- decomposition

def test_contributions_worked_out_by_hand(hand):
    found = growth_decomposition(hand, "mobile")
    assert found.by().to_numpy().tolist() == [[100, 160, 60, 0.3], [40, 70, 30, 0.15], [60, 50, -10, -0.05]]
    assert (found.growth, str(found.start), str(found.end)) == (0.4, "2010-08", "2011-08")
    assert found.full().iloc[-1].tolist() == ["shandong", 200, 280, 80, 0.4]
    assert numbers_of(found.to_html("en"))[:, -1].tolist() == [30, 15, -5, 40]
    said = found.reading("en")
    assert said.endswith("the province grew by 40.0%, or 80 customers; Jinan contributed most, 30.0 points. Branches "
                         "that went the other way: 1.")
    table = "contributions_branches"
    assert cells(said) == [("40.0%", table, "points", {"branch": "shandong"}),
                           ("80 customers", table, "change", {"branch": "shandong"}),
                           ("30.0", table, "points", {"branch": "jinan"}),
                           ("1", table, "", {"branch": "!=shandong", "change": "<0"})]
    assert growth_decomposition(hand, "mobile_txn").by()["change"].tolist() == [720, 360, -120]
    assert growth_decomposition(hand, "mobile_txn").growth == 0.4


def test_a_province_that_shrank_names_who_took_off_most(hand):
    back = types.SimpleNamespace(catalog=hand.catalog, panel=hand.panel.assign(mobile=np.tile(
        np.repeat([3.0, 1.0], 12), 3) * np.repeat([3, 2, 1], 24)))
    back.panel.loc["heze", "mobile"] = np.repeat([1.0, 2.0], 12)
    found = growth_decomposition(back, "mobile")
    said = found.reading("en")
    assert said.endswith("fell by 56.2%, or 9 customers; Jinan took off most, 37.5 points. Branches that went the "
                         "other way: 1.")
    assert cells(said)[-1][3] == {"branch": "!=shandong", "change": ">0"}
    same = types.SimpleNamespace(catalog=hand.catalog, panel=hand.panel * 0 + 1)
    assert "did not change" in growth_decomposition(same, "mobile").reading("en")
    nothing = types.SimpleNamespace(catalog=hand.catalog, panel=hand.panel.assign(
        mobile=np.tile(np.repeat([0.0, 1.0], 12), 3)))
    found = growth_decomposition(nothing, "mobile")
    assert np.isnan(found.growth) and "<table" in found.to_html("en")


@pytest.mark.parametrize("indicator", ["etxn_total", "income_total", "personal_online", "mobile_txn"])
def test_contributions_add_up_to_the_growth_of_the_province(cleaned, indicator):
    found = growth_decomposition(cleaned, indicator)
    assert found.known["change"].sum() == pytest.approx(found.by()["change"].sum())
    assert found.known["points"].sum() == pytest.approx(found.growth)
    rows = found.known
    assert rows["after"].sum() - rows["before"].sum() == pytest.approx(rows["change"].sum())
    assert rows["indicator"].nunique() == len(found.parts) == {"etxn_total": 5, "income_total": 3}.get(indicator, 1)


def test_the_growth_is_that_of_the_printed_total(cleaned):
    stock = cleaned.series("shandong", "personal_online")
    found = growth_decomposition(cleaned, "personal_online")
    assert found.growth == pytest.approx(stock.loc["2011-08"] / stock.loc["2010-08"] - 1, rel=1e-4)
    flow = cleaned.series("shandong", "income_total")
    found = growth_decomposition(cleaned, "income_total")
    # Months in doubt are made up by the branch's others; the printed total counts them as they stand.
    assert found.growth == pytest.approx(flow.iloc[-12:].sum() / flow.iloc[-24:-12].sum() - 1, rel=5e-3)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("indicator", ["etxn_total", "personal_online"])
def test_the_printed_tables_add_up_to_the_last_digit(cleaned, indicator, lang):
    table = numbers_of(growth_decomposition(cleaned, indicator).to_html(lang))
    assert table[:-1].sum(axis=0) == pytest.approx(table[-1], abs=1e-9)
    assert table[:, 0] + table[:, 2] == pytest.approx(table[:, 1], abs=1e-9)


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


def test_a_sum_of_sums_is_told_by_what_it_is_of_in_the_end(few):
    nested = replace(few.catalog, identities=tuple(Identity(kind="sum", total=total, parts=parts) for total, parts in (
        ("income_total", ["sms_income", "personal_online_income"]),
        ("personal_online_income", ["corporate_online_income", "mobile"]))))
    for panel, parts in ((few.panel, ("sms_income", "corporate_online_income", "mobile")),
                         (few.panel.assign(mobile=np.nan), ("sms_income", "personal_online_income"))):
        assert growth_decomposition(types.SimpleNamespace(panel=panel, catalog=nested), "income_total").parts == parts


def test_what_cannot_be_divided_is_said(cleaned):
    with pytest.raises(SeriesError, match="a ratio does not add up over branches"):
        growth_decomposition(cleaned, "coverage")
    with pytest.raises(SeriesError, match="too few months to compare"):
        growth_decomposition(until(cleaned, "2009-11"), "income_total")
    assert str(growth_decomposition(until(cleaned, "2009-12"), "income_total").start) == "2008-12"
    with pytest.raises(SeriesError, match="2008-01 to 2008-12.*expected 13 months"):
        growth_decomposition(until(cleaned, "2008-12"), "sms")


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
    with pytest.raises(UnknownNameError, match="unknown indicator in the table 'mobile'"):
        league_table(cleaned, ["sms"]).of("mobile")
    with pytest.raises(SeriesError, match="12 months of a flow"):
        league_table(until(cleaned, "2008-11"), "income_total")
    assert len(league_table(until(cleaned, "2008-12"), "income_total").of()) == 17


def test_a_league_worked_out_by_hand(hand):
    league = league_table(hand, ["mobile", "mobile_txn", "mobile_activity"])
    rows = league.of("mobile")
    assert rows["branch"].tolist() == ["jinan", "heze", "rizhao", "shandong"]
    assert rows["value"].tolist() == [160, 70, 50, 280] and rows["rank"].tolist()[:3] == [1, 2, 3]
    assert rows["share"].tolist() == pytest.approx([160 / 280, 0.25, 50 / 280, 1])
    assert rows["growth"].tolist() == pytest.approx([0.6, 0.75, -1 / 6, 0.4])
    assert rows["rank_growth"].tolist()[:3] == [2, 1, 3]
    assert league.of("mobile_txn")["value"].tolist() == [1920, 840, 600, 3360]
    ratio = league.of("mobile_activity")
    assert ratio["value"].tolist() == [0.25] * 4 and ratio["growth"].iloc[0] == -0.25
    assert ratio["growth"].iloc[-1] == pytest.approx(0.25 - 0.5) and ratio["rank"].tolist()[:3] == [1, 1, 1]
    assert league.largest("mobile", 2)["share"].item() == pytest.approx(230 / 280)
    said = league.reading("en", "mobile")
    assert said.endswith("Jinan is first (160 customers), Rizhao last (50 customers); the first three have 100% of the "
                         "province. Largest rise over 12 months: Heze (+75.0%).")
    where = {"indicator": "mobile"}
    assert cells(said) == [("160 customers", "league", "value", {"branch": "jinan"} | where),
                           ("50 customers", "league", "value", {"branch": "rizhao"} | where),
                           ("100%", "league_first", "share", where),
                           ("+75.0%", "league", "growth", {"branch": "heze"} | where)]
    assert "Largest rise over 12 months: Jinan (-25.0 points)." in league.reading("en", "mobile_activity")
    assert "<td>160 (1)</td>" in league.to_html("en") and "<td>57.1%</td>" in league.to_html("en")
    early = league_table(until(hand, "2010-01"), "mobile")
    assert early.of()["growth"].isna().all() and "Largest" not in early.reading("en")


# --- who carries

def test_the_sentence_of_who_carries_knows_its_cells(paths):
    found = who_carries(paths, "mobile")
    full = found.full()
    said, ranked = found.reading("en"), found.ranked
    half = int((ranked["share"].cumsum() < 0.5).sum()) + 1
    assert full["order"].tolist()[:3] == [1, 2, 3] and full["cumulative"].iloc[2] == pytest.approx(1)
    assert full["branch"].iloc[-1] == "shandong"
    whole = {"branch": "shandong"}
    assert [c[1:] for c in cells(said)] == [
        ("carriers", "increase", whole), ("carriers", "share", {"branch": ranked["branch"].iloc[0]}),
        ("carriers", "order", {"branch": ranked["branch"].iloc[half - 1]}), ("carriers", "", {"order": "!="})]
    shown = {c[2]: c[0] for c in cells(said)}
    assert shown["order"] == str(half) and shown["share"] == f"{ranked['share'].iloc[0] * 100:.0f}%"


def test_shares_of_the_expected_increase_add_up(paths):
    found = who_carries(ending(paths, 12), "mobile")
    now = paths.history["mobile"].xs(paths.origin, level="month")
    then = paths.total("mobile").loc["2012-08"]
    assert found.total["increase"] == pytest.approx(then.mean() - now.sum())
    assert found.table["increase"].sum() == pytest.approx(found.total["increase"])
    assert found.table["share"].sum() == pytest.approx(1)
    assert found.total["lo-80"] == pytest.approx(np.quantile(then - now.sum(), 0.1))
    assert found.total["hi-80"] - found.total["lo-80"] < (found.table["hi-80"] - found.table["lo-80"]).sum()


def ending(paths, ahead):
    """The same paths, so many months long."""
    return replace(paths, months=paths.months[:ahead], values={k: y[:, :ahead] for k, y in paths.values.items()})


@pytest.mark.parametrize("ahead", [3, 12, 20])
def test_a_flow_is_carried_over_twelve_months(paths, ahead):
    found = who_carries(ending(paths, ahead), "sms_income")
    past = paths.history.loc["rizhao", "sms_income"]
    y = np.r_[past.to_numpy(), paths.of("rizhao", "sms_income").mean(axis=1).to_numpy()]
    end = len(past) + ahead
    mine = found.table.set_index("branch").loc["rizhao"]
    assert mine["now"] == pytest.approx(past.iloc[-12:].sum())
    assert mine["then"] == pytest.approx(y[end - 12: end].sum())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_printed_carriers_add_up(paths, lang):
    found = who_carries(paths, "income_total")
    table = numbers_of(found.to_html(lang))
    assert table[:-1, [0, 1, 2, 5]].sum(axis=0) == pytest.approx(table[-1, [0, 1, 2, 5]], abs=1e-9)
    assert table[:, 0] + table[:, 2] == pytest.approx(table[:, 1], abs=1e-9)
    assert found.reading(lang)


def test_a_province_that_gains_nothing_and_a_branch_without_paths(paths):
    less = replace(paths, values=paths.values | {"mobile": paths.values["mobile"] * 0.1})
    found = who_carries(less, "mobile")
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
    with pytest.raises(SeriesError, match="ratio"):
        who_carries(paths, "coverage")


# --- how a table writes its figures

@given(st.floats(1, 1e13), st.sampled_from(["zh", "en"]))
def test_one_unit_writes_the_largest_figure_with_two_to_five_digits(largest, lang):
    unit = table_unit(largest, "", lang)
    digits = len(re.sub(r"[^0-9]", "", unit.write(largest)))
    assert digits <= 6
    assert float(unit.write(largest).replace(",", "")) * unit.factor == pytest.approx(largest, abs=unit.step)
