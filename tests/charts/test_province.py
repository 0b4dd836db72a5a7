"""The province's pictures show what its tables say, in both languages, with no label upon another."""

import importlib.util
import types
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from ebank_lib.charts.province import plot_multiples, plot_total_fan
from ebank_lib.errors import SeriesError
from ebank_lib.forecasting import JointPaths
from ebank_lib.forecasting.joint import plan_of
from ebank_lib.peers import compare_peers
from ebank_lib.province import growth_decomposition, league_table, who_carries
from ebank_lib.province.contributions import Carriers

_spec = importlib.util.spec_from_file_location("readable", Path(__file__).with_name("test_style.py"))
_style = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_style)
assert_readable, texts_of = _style.assert_readable, _style.texts_of

LANGS = pytest.mark.parametrize("lang", ["zh", "en"])


@pytest.fixture(scope="module")
def paths(cleaned):
    """All sixteen branches, growing at random."""
    keys = ["mobile", "coverage", "affluent", "affluent_signed", "mobile_txn"]
    panel, rng = cleaned.panel[keys], np.random.default_rng(0)
    plan = plan_of(cleaned.catalog, keys)
    branches = tuple(cleaned.catalog.reporting)
    origin = pd.Period(panel.index.get_level_values("month").max(), "M")
    now = panel.xs(origin, level="month").reindex(list(branches))
    growth = np.exp(np.cumsum(rng.normal(0.01, 0.02, (16, 24, 100)), axis=1))
    values = {k: now[k].to_numpy()[:, None, None] * growth ** (k != "coverage") for k in plan.free}
    months = pd.period_range(origin + 1, periods=24, freq="M")
    return JointPaths(plan.complete(values, {k: now[k].to_numpy() for k in keys}), branches, months, origin, panel,
                      cleaned.catalog, plan)


def words(fig):
    return [text.get_text() for text in fig.findobj(mpl.text.Text)]


@pytest.mark.parametrize(("indicator", "lang"), [("mobile", "zh"), ("coverage", "en")])
def test_every_branch_has_a_panel_on_one_scale(cleaned, indicator, lang):
    fig = plot_multiples(cleaned, indicator, lang)
    assert_readable(fig)
    panels = [ax for ax in fig.axes if ax.get_visible()]
    assert {ax.get_title(loc="left") for ax in panels} == {cleaned.catalog.branch(b).label(lang) for b in
                                                          cleaned.catalog.reporting}
    assert len({ax.get_ylim() for ax in panels}) == 1
    history, = panels[0].get_lines()
    y = cleaned.series("jinan", indicator)
    assert history.get_ydata()[-1] == pytest.approx(y.iloc[-1] * (1 if indicator == "coverage" else 100 / y.iloc[0]))


def test_a_number_in_doubt_is_not_drawn_and_the_picture_says_how_many(cleaned):
    panel, last = cleaned.panel.copy(), cleaned.months[-1]
    panel.loc[("jinan", last), "mobile"] *= 10
    doubtful = types.SimpleNamespace(panel=panel, catalog=cleaned.catalog, trusted=panel.assign(
        mobile=panel["mobile"].drop(("jinan", last))))
    fig, plain = plot_multiples(doubtful, "mobile", "en"), plot_multiples(cleaned, "mobile", "en")
    assert fig.axes[0].get_ylim() == plain.axes[0].get_ylim()
    history, before = (next(ax for ax in f.axes if ax.get_title(loc="left") == cleaned.catalog.branch("jinan").label(
        "en")) for f in (fig, plain))
    drawn = history.get_lines()[0].get_ydata()
    assert np.isnan(drawn[-1]) and np.array_equal(drawn[:-1], before.get_lines()[0].get_ydata()[:-1])
    assert [text.get_text() for text in history.texts] == ["–"]
    assert any("suspected errors that are left out: 1" in text for text in words(fig))
    assert not any("suspected" in text for text in words(plain))


def test_a_province_without_figures_is_a_sentence(cleaned):
    empty = types.SimpleNamespace(panel=cleaned.panel * np.nan, catalog=cleaned.catalog)
    assert any("nothing to draw" in text for text in words(plot_multiples(empty, "sms", lang="en")))


@pytest.mark.parametrize(("indicator", "lang"), [("mobile", "zh"), ("coverage", "en"), ("mobile_txn", "en")])
def test_the_fan_of_the_whole_starts_at_its_last_month(cleaned, paths, indicator, lang):
    ax = plot_total_fan(paths, indicator, lang=lang)
    assert_readable(ax.figure)
    history, median = ax.get_lines()[:2]
    assert median.get_ydata()[0] == history.get_ydata()[-1]
    now = cleaned.panel.xs(paths.origin, level="month").drop("shandong")
    total = now["affluent_signed"].sum() / now["affluent"].sum() if indicator == "coverage" else now[indicator].sum()
    assert history.get_ydata()[-1] == pytest.approx(total)
    assert median.get_ydata()[-1] == pytest.approx(np.median(paths.total(indicator).iloc[-1]))


def test_a_fan_of_nothing_is_an_error(paths):
    with pytest.raises(SeriesError, match="no branch has paths"):
        plot_total_fan(replace(paths, values=paths.values | {"mobile": paths.values["mobile"] * np.nan}), "mobile")


@pytest.mark.parametrize(("indicator", "lang"), [("etxn_total", "en"), ("income_total", "zh"), ("sms", "en")])
def test_bars_of_the_growth_end_where_the_contributions_do(cleaned, indicator, lang):
    found = growth_decomposition(cleaned, indicator)
    ax = found.plot(lang=lang)
    assert_readable(ax.figure)
    widths = sum(bar.get_width() for bar in ax.patches)
    assert widths == pytest.approx(found.growth * 100)
    assert [label.get_text() for label in ax.get_yticklabels()] == [cleaned.catalog.branch(b).label(lang)
                                                                   for b in found.by().index]


@LANGS
def test_league_and_carriers_are_readable_and_in_order(cleaned, paths, lang):
    for indicator in ("mobile_txn",) if lang == "zh" else ("coverage",):
        ax = league_table(cleaned, indicator).plot(lang=lang)
        assert_readable(ax.figure)
        widths = [bar.get_width() for bar in ax.patches]
        assert widths == sorted(widths, reverse=True) and len(widths) == 16
    found = who_carries(paths, "mobile")
    ax = found.plot(lang=lang)
    assert_readable(ax.figure)
    assert sum(bar.get_width() for bar in ax.patches) == pytest.approx(found.total["increase"])


@pytest.fixture(scope="module")
def many(cleaned):
    """A province of forty branches: the sample's over and over, none the size of another."""
    catalog, branches, blocks = cleaned.catalog, {}, []
    for n in range(40):
        like = catalog.reporting[n % len(catalog.reporting)]
        name = f"b{n}"
        branches[name] = replace(catalog.branches[like], id=name, zh=f"第{n}支行", en=f"Branch {n}", aliases=())
        ratio = np.array([catalog.indicators[k].kind == "ratio" for k in cleaned.panel.columns])
        blocks.append(cleaned.block(like).to_numpy() * np.where(ratio, 1, 1 + n / 7))
    index = pd.MultiIndex.from_product([list(branches), cleaned.months], names=["branch", "month"])
    catalog = replace(catalog, branches=branches)
    return replace(cleaned, catalog=catalog, panel=pd.DataFrame(np.concatenate(blocks), index, cleaned.panel.columns))


@pytest.mark.parametrize(("indicator", "size", "lang"), [("mobile", "mobile", "zh"), ("coverage", "affluent", "en")])
def test_of_many_branches_the_largest_have_a_panel_and_the_picture_says_so(many, indicator, size, lang):
    fig = plot_multiples(many, indicator, lang=lang)
    assert_readable(fig)
    drawn = [ax.get_title(loc="left") for ax in fig.axes if ax.get_visible()]
    largest = many.panel[size].groupby(level="branch").last().nlargest(24).index
    assert set(drawn) == {many.catalog.branch(b).label(lang) for b in largest} and len(drawn) == 24
    assert any("24" in text and "40" in text for text in words(fig))


@LANGS
def test_of_many_branches_the_largest_have_a_bar_and_the_picture_says_so(many, lang):
    rng, ids = np.random.default_rng(0), list(many.catalog.reporting)
    rise = rng.lognormal(8, 1, len(ids))
    table = pd.DataFrame({"branch": ids, "now": 1.0, "then": 1 + rise, "increase": rise, "share": rise / rise.sum(),
                          "lo-80": 0.5 * rise, "hi-80": 1.5 * rise, "reason": ""})
    total = {"now": 40.0, "then": 40 + rise.sum(), "increase": rise.sum()}
    carriers = Carriers(table, total, "mobile", many.months[-1] + 12, many.months[-1], many.catalog)
    for result in (growth_decomposition(many, "mobile"), league_table(many, "mobile"), carriers):
        ax = result.plot(lang=lang)
        assert_readable(ax.figure)
        assert len(ax.get_yticklabels()) == len(ax.patches) == 24
        assert "24" in ax.get_xlabel() and "40" in ax.get_xlabel()


# --- a branch among its peers

@LANGS
def test_a_branch_among_its_peers_is_readable_in_both_languages(cleaned, lang):
    assert_readable(compare_peers(cleaned, "rizhao").plot(lang))


def test_a_row_of_dots_is_every_branch_and_the_large_one_is_the_branch(cleaned):
    peers = compare_peers(cleaned, "rizhao", ["personal_online_activity"])
    fig = peers.plot("en")
    ax = fig.axes[0]
    small = next(line for line in ax.get_lines() if line.get_markersize() == 4 and line.get_marker() == "o")
    large = next(line for line in ax.get_lines() if line.get_markersize() == 7)
    y = peers.everyone.loc[("personal_online_activity", "level")]
    scaled = (y - y.min()) / (y.max() - y.min())
    assert large.get_xdata()[0] == pytest.approx(scaled["rizhao"])
    assert sorted(small.get_xdata()) == pytest.approx(sorted(scaled.drop("rizhao")))
    row = peers.latest.query("indicator == 'personal_online_activity'").iloc[0]
    assert f"{row['leader_months']:.0f} months behind" in [text for text, _ in texts_of(fig)]


def test_where_there_is_nothing_to_draw_a_sentence_stands(cleaned):
    empty = compare_peers(cleaned, "rizhao", []).plot("en")
    assert any("Too little data" in text for text, _ in texts_of(empty))
