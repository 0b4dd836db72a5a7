"""No picture fails on figures that never move, are nothing, or are hardly there: it draws what there is, or says so."""

import dataclasses
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib import charts
from ebank_lib.arma import fit_arma
from ebank_lib.errors import EbankError
from ebank_lib.forecasting import backtest, forecast, revise
from ebank_lib.forecasting.joint import JointPaths, plan_of
from ebank_lib.growth import analyse_growth
from ebank_lib.peers import compare_peers
from ebank_lib.province import growth_decomposition, league_table, who_carries
from ebank_lib.rules import stylised_facts
from ebank_lib.scenarios import evaluate_targets
from ebank_lib.stationarity import unit_root_battery

KEYS = ["mobile", "coverage", "affluent", "affluent_signed", "mobile_txn", "sms", "income_total"]
SHAPES = ("constant", "zero", "single", "missing", "two_months")


def shaped(panel, shape):
    """The panel with each series of a shape; a ratio stays below one."""
    first = panel.groupby(level="branch").transform("first").fillna(1.0)
    place = np.broadcast_to(panel.groupby(level="branch").cumcount().to_numpy()[:, None], panel.shape)
    if shape == "missing":
        return panel * np.nan
    if shape == "zero":
        return panel * 0.0
    if shape == "single":
        return panel.where(place == 20)
    return first if shape == "constant" else panel


def of(cleaned, shape, months=None):
    """The sample with figures of a shape; of two months where the shape says so."""
    months = 2 if shape == "two_months" else months
    panel = shaped(cleaned.panel, shape)
    if months:
        kept = panel.index.get_level_values("month").unique()[-months:]
        panel = panel[panel.index.get_level_values("month").isin(kept)]
    return dataclasses.replace(cleaned, panel=panel)


def drawn(make):
    """Draw what `make` returns; where the figures do not allow the result, there is nothing to draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = make()
        except EbankError:
            return
    for plot in result:
        picture = plot()
        fig = picture if isinstance(picture, plt.Figure) else picture.figure
        fig.canvas.draw()
        assert all(np.isfinite(ax.get_position().extents).all() for ax in fig.axes)
        plt.close(fig)


def pictures(cleaned):
    """For each stage what it draws, made when called."""
    y = cleaned.series("rizhao", "sms")

    def growth():
        found = analyse_growth(cleaned.panel[KEYS], "rizhao", cleaned.catalog)
        return [lambda k=k, g=g: found.plot(k, g, "en") for k in ("mom", "base", "yoy", "ratio", "volatility")
                for g in (None, "services")[:1 if k == "ratio" else 2] if g is None or g in cleaned.catalog.groups]

    def tried():
        found = backtest(y, ("theta",), kind="stock")
        return [found.plot, lambda: charts.plot_accuracy(found), lambda: charts.plot_coverage(found)]

    def revised():
        return [revise(*(forecast(x, models=("snaive",), kind="stock") for x in (y.iloc[:-2], y))).plot]

    def targets():
        found = evaluate_targets(cleaned, "rizhao")
        return [found.plot, found.plot_odds, lambda: found.plot(brief=True)]

    def grown():
        return [growth_decomposition(cleaned, "mobile").plot]

    def order():
        chosen = eb.select_order(y, 1, 1)
        return [chosen.plot]

    def model():
        found = fit_arma(y, (1, 0, 0))
        return [lambda: charts.plot_roots(found), lambda: charts.plot_residuals(found),
                lambda: charts.plot_correlations(found)]

    def together():
        paths = made_paths(cleaned)
        return [lambda: charts.plot_total_fan(paths, "mobile"), who_carries(paths, "mobile").plot]

    return {
        "cleaning": lambda: [cleaned.plot, lambda: cleaned.plot("rizhao", "sms"),
                             lambda: cleaned.plot("rizhao", "coverage")],
        "growth": growth, "facts": lambda: [stylised_facts(cleaned, "rizhao").plot],
        "stationarity": lambda: [unit_root_battery(y, name="sms").plot], "order": order, "model": model,
        "forecast": lambda: [forecast(y, models=("snaive", "theta"), kind="stock").plot], "backtest": tried,
        "revision": revised, "peers": lambda: [compare_peers(cleaned, "rizhao").plot],
        "targets": targets,
        "multiples": lambda: [lambda k=k: charts.plot_multiples(cleaned, k) for k in ("mobile", "coverage")],
        "league": lambda: [lambda k=k: league_table(cleaned, k).plot(k) for k in ("mobile", "coverage")],
        "decomposition": grown, "paths": together,
    }


def made_paths(cleaned):
    panel = cleaned.panel[KEYS]
    plan, branches = plan_of(cleaned.catalog, KEYS), tuple(cleaned.catalog.reporting)
    origin = pd.Period(panel.index.get_level_values("month").max(), "M")
    now = panel.xs(origin, level="month").reindex(list(branches))
    values = {k: now[k].to_numpy()[:, None, None] * np.ones((len(branches), 12, 20)) for k in plan.free}
    months = pd.period_range(origin + 1, periods=12, freq="M")
    return JointPaths(plan.complete(values, {k: now[k].to_numpy() for k in KEYS}), branches, months, origin, panel,
                      cleaned.catalog, plan)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.filterwarnings("error")
def test_every_picture_of_figures_that_never_move_or_are_hardly_there(cleaned, shape):
    data = of(cleaned, shape)
    for name, make in pictures(data).items():
        try:
            drawn(make)
        except Exception as error:
            error.add_note(f"{name} of a source that is {shape}")
            raise
