"""The strategy's pictures say what the tables say: both odds named, assumptions marked, fans, goals, both languages."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from ebank_lib.catalog import load_catalog
from ebank_lib.charts.scenarios import plot_odds, plot_paths, plot_scenarios, plot_targets, plot_tornado
from ebank_lib.forecasting.joint import JointPaths, plan_of
from ebank_lib.scenarios import Bundle, Lever, Move, Strategy, Stress, Target, evaluate_targets, run_scenarios

H, N = 24, 400
MONTHS = pd.period_range("2008-01", "2011-08", freq="M")


def target(key, indicator="coverage", **about):
    return Target(**({"key": key, "line": "a", "zh": f"目标{key}", "en": f"target {key}", "indicator": indicator}
                     | about))


TARGETS = (target("level", goal=0.65), target("raise", kind="raise"), target("hard", goal=0.999),
           target("total", "mobile_txn", kind="total", goal=1200.0),
           target("growth", "mobile_txn", kind="growth", goal=0.1), target("rank", "mobile_txn", kind="rank", goal=1),
           target("late", goal=0.9, deadline="2015-12"))


@pytest.fixture(scope="module")
def paths(root):
    catalog = load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")
    rng = np.random.default_rng(0)
    steps = np.cumsum(0.02 + 0.05 * rng.standard_normal((H, N)), axis=0)
    values = {"coverage": 1 / (1 + np.exp(-0.3 - steps))[None], "mobile_txn": (100 * np.exp(steps / 4))[None]}
    history = pd.DataFrame({"coverage": np.linspace(0.4, 0.57, 44), "mobile_txn": np.linspace(60, 100, 44)},
                           index=pd.MultiIndex.from_product([["rizhao"], MONTHS], names=["branch", "month"]))
    ahead = pd.period_range("2011-09", periods=H, freq="M", name="month")
    return JointPaths(values, ("rizhao",), ahead, MONTHS[-1], history, catalog, plan_of(catalog, list(values)))


class Data:
    def __init__(self, paths):
        self.catalog, self.panel = paths.catalog, paths.history

    def series(self, branch, indicator):
        return self.panel.loc[branch, indicator]


@pytest.fixture(scope="module")
def targets(paths):
    return evaluate_targets(Data(paths), "rizhao", TARGETS, paths=paths)


@pytest.fixture(scope="module")
def result(paths):
    def lever(key, low, high, indicator="coverage", kind=Lever):
        return kind(key=key, zh=f"措施{key}", en=f"lever {key}",
                    moves=[Move(indicator=indicator, low=low, high=high)])

    return run_scenarios(paths, "rizhao", Strategy(
        targets=TARGETS, levers=(lever("sign", 0.02, 0.1), lever("pay", 0.1, 0.3, "mobile_txn")),
        bundles=(Bundle(key="all", zh="全部", en="all together", levers=["sign", "pay"]),),
        stress=(lever("shock", -0.1, -0.02, kind=Stress),)))


def words(artist):
    artist.figure.canvas.draw()
    return " ".join(text.get_text() for text in artist.findobj(mpl.text.Text)).replace("\n", "")


@pytest.mark.parametrize("lang, named", [("zh", ("期限当月达到", "期限前任一月达到过", "无法给出概率")),
                                         ("en", ("there in the date's month", "in some month up to it", "no odds"))])
def test_both_odds_are_drawn_and_named(targets, lang, named):
    ax = plot_odds(targets, lang=lang)
    assert all(name in words(ax) for name in named)
    widths = [bar.get_width() for bar in ax.patches]
    judged = targets.table[targets.table["p_at"].notna()]
    assert np.allclose(widths, judged[["p_at", "p_by"]].to_numpy().ravel())
    assert " 0% " not in words(ax).split("100%", 1)[1] and "100%" not in "".join(
        text.get_text() for text in ax.texts)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_targets_of_every_kind_have_a_place_in_the_picture(targets, lang):
    fig = plot_targets(targets, lang=lang)
    text = "".join(words(ax) for ax in fig.axes)
    assert "nan" not in text and ("第1名" if lang == "zh" else "place 1") in text


@pytest.mark.parametrize("lang, mark", [("zh", "（假定）"), ("en", "(assumed)")])
def test_scenarios_are_those_that_touch_the_target_and_marked_as_assumed(result, lang, mark):
    ax = plot_scenarios(result, "level", lang=lang)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert len(labels) == 4 and sum(mark in label for label in labels) == 3      # not the one on transactions
    assert np.isclose(ax.patches[0].get_width(), result.block("level")["p_at"].iloc[0])


def test_the_tornado_starts_from_todays_odds_and_is_widest_first(result):
    ax = plot_tornado(result, "level", lang="en")
    table, base = result.tornado("level"), result.block("level")["p_at"].iloc[0]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert np.allclose(ends, table[["p_low", "p_high"]].to_numpy().ravel())
    assert all(np.isclose(bar.get_x(), base) for bar in ax.patches)
    assert "low end" in words(ax)


def test_where_no_odds_move_the_tornado_shows_the_mean(result):
    ax = plot_tornado(result, "hard", lang="en")
    assert "no odds move" in words(ax) and "%" in words(ax)
    nothing = plot_tornado(result, "late", lang="zh")
    assert "没有一项措施" in words(nothing) and not nothing.axison


@pytest.mark.parametrize("goal", ["level", "raise", "total", "growth", "rank"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_fan_has_both_futures_and_the_goal(result, goal, lang):
    ax = plot_paths(result, "all", goal, lang=lang)
    assert len(ax.collections) == 2 and ("目标" if lang == "zh" else "goal") in words(ax)
    assert ("全部" if lang == "zh" else "all together") in words(ax)


def test_no_targets_are_a_sentence(paths):
    ax = plot_odds(evaluate_targets(Data(paths), "rizhao", (), paths=paths), lang="en")
    assert "lists no targets" in words(ax) and not ax.axison


def test_a_target_without_odds_is_a_sentence(result):
    for ax in (plot_scenarios(result, "late", lang="en"), plot_paths(result, "all", "late", lang="en")):
        assert "no odds" in words(ax) and not ax.axison
