"""The pictures say what the tables say: lines, limits, units, both languages."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from ebank_lib.charts.forecasting import plot_accuracy, plot_backtest, plot_coverage, plot_forecast, plot_revision
from ebank_lib.charts.scenarios import plot_targets
from ebank_lib.forecasting import backtest, forecast, revise

mpl.use("Agg")


@pytest.fixture(scope="module")
def y():
    rng = np.random.default_rng(0)
    y = pd.Series(1e5 * np.exp(np.cumsum(0.02 + 0.03 * rng.normal(size=44))),
                  index=pd.period_range("2008-01", periods=44, freq="M"), name="sms")
    y.iloc[20] = np.nan
    return y


def words(ax):
    return " ".join(text.get_text() for text in ax.findobj(mpl.text.Text))


@pytest.mark.parametrize("lang, said", [("zh", ("户", "95%区间", "预测起点 2011年8月")),
                                        ("en", ("95% limits", "Forecast from Aug 2011"))])
def test_the_fan_has_limits_unit_and_origin(y, lang, said):
    f = forecast(y, models=("theta", "snaive"), kind="stock", unit="户")
    ax = plot_forecast(f, lang=lang)
    ax.figure.canvas.draw()
    assert all(text in words(ax) for text in said)
    assert len(ax.collections) >= 2
    line = next(li for li in ax.get_lines() if "theta" in li.get_label().lower())
    assert np.allclose(line.get_ydata()[1:], f.block("theta")["y_hat"])
    assert np.isnan(ax.get_lines()[0].get_ydata()).sum() == 1      # the missing month stays blank


def test_a_share_is_drawn_in_per_cent(y):
    f = forecast(y / y.max() / 2, models=("theta",), kind="ratio")
    ax = plot_forecast(f, lang="zh")
    ax.figure.canvas.draw()
    assert any(label.get_text().endswith("%") for label in ax.get_yticklabels())


def test_a_series_that_numbers_its_months_has_a_picture(y):
    ax = plot_forecast(forecast(y.interpolate().to_numpy(), models=("theta",)), lang="en")
    ax.figure.canvas.draw()
    assert len(ax.get_lines()[0].get_ydata()) == 36


def test_backtest_pictures(y):
    b = backtest(y, ("theta",), kind="stock", unit="户")
    ax = plot_backtest(b, lang="zh")
    ax.figure.canvas.draw()
    assert "当时预测" in words(ax)
    ax = plot_accuracy(b, lang="en")
    ax.figure.canvas.draw()
    assert "the average change carried on" in words(ax) and "last year's month" not in words(ax)
    assert ax.get_ylim()[0] == 0
    short = backtest(y.iloc[:20], ("theta",))
    assert "E" in words(plot_backtest(short, lang="zh"))


@pytest.mark.parametrize("lang, said", [("zh", ("80%区间", "应有95%", "提前月数")),
                                        ("en", ("80% limits", "should be 95%", "Months ahead"))])
def test_the_coverage_picture_shows_what_was_held_beside_what_should_be(y, lang, said):
    b = backtest(y, ("theta",), kind="stock", horizon=6)
    ax = plot_coverage(b, lang=lang)
    ax.figure.canvas.draw()
    assert all(text in words(ax) for text in said)
    held = b.scores("horizon").query("model == 'theta'").sort_values("horizon")
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines() if len(line.get_ydata()) == 6}
    assert len(lines) == 2
    assert any(np.allclose(values, held["coverage-80"]) for values in lines.values())
    assert plot_coverage(backtest(y.iloc[:20], ("theta",)), lang=lang).get_title("left")    # nothing tested, no error


@pytest.mark.parametrize("lang, said", [("zh", ("原预测", "新预测", "95%区间外")),
                                        ("en", ("Before", "Now", "outside 95% limits"))])
def test_the_revision_picture_marks_what_came_outside(y, lang, said):
    now = y.copy()
    now.iloc[-1] *= 3
    r = revise(*(forecast(x, models=("theta",), kind="stock", unit="户") for x in (y.iloc[:-2], now)))
    ax = plot_revision(r, lang=lang)
    ax.figure.canvas.draw()
    assert all(text in words(ax) for text in said)
    assert any(np.allclose(li.get_ydata()[1:], r.after.block()["y_hat"]) for li in ax.get_lines()
               if len(li.get_ydata()) == 13)
    dots = [li for li in ax.get_lines() if li.get_marker() == "o" and len(li.get_ydata()) == 1]
    assert sorted(float(li.get_ydata()[0]) for li in dots) == sorted(r.check["actual"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_targets_picture_has_every_target(cleaned, lang):
    from ebank_lib.scenarios import evaluate_targets

    targets = evaluate_targets(cleaned, "rizhao")
    fig = plot_targets(targets, lang=lang)
    fig.canvas.draw()
    labels = "".join(text.get_text() for text in fig.axes[0].get_yticklabels()).replace("\n", "").replace(" ", "")
    assert all(t.label(lang).replace(" ", "") in labels for t in targets.targets)
