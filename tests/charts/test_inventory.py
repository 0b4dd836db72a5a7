"""What stands in each picture of the sample is what stood there when a person last looked at it.

After a change that is meant, look at the pictures, then write what stands in them anew:
``EBANK_LOOKED_AT=1 python -m pytest tests/charts/test_inventory.py``.
"""

import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.charts import plot_accuracy, plot_coverage, plot_multiples, plot_residuals, plot_roots
from ebank_lib.forecasting import backtest, forecast, revise
from ebank_lib.growth import analyse_growth
from ebank_lib.peers import compare_peers
from ebank_lib.province import growth_decomposition, league_table
from ebank_lib.rules import stylised_facts
from ebank_lib.stationarity import unit_root_battery

KEPT = Path(__file__).with_name("inventory.json")


def pictures(cleaned):
    """Each picture of a branch of the sample, drawn when asked for."""
    y = cleaned.series("rizhao", "sms")
    growth = analyse_growth(cleaned.panel, "rizhao", cleaned.catalog, events=cleaned.source.config.events)
    yield "quality", lambda: cleaned.plot()
    yield "before_after", lambda: cleaned.plot("rizhao", "sms")
    for kind in ("mom", "base", "yoy", "ratio", "volatility"):
        yield kind, lambda kind=kind: growth.plot(kind)
    group = cleaned.catalog.indicator("sms").group
    for kind in ("base", "volatility"):
        yield f"{kind}_of_group", lambda kind=kind: growth.plot(kind, group)
    yield "facts", stylised_facts(cleaned, "rizhao").plot
    yield "stationarity", lambda: unit_root_battery(y, name="sms").plot(unit="户")
    yield "criteria", lambda: select_order(np.log(y).diff().dropna(), 2, 2).plot()
    model = fit_arma(np.log(y).diff().dropna(), (1, 0, 1))
    yield "roots", lambda: plot_roots(model)
    yield "residuals", lambda: plot_residuals(model)
    made = forecast(y, models=("theta", "snaive"), kind="stock", unit="户")
    yield "forecast", lambda: made.plot()
    yield "forecast_brief", lambda: made.plot(months=24, brief=True)
    tried = backtest(y, ("theta",), kind="stock", unit="户")
    yield "backtest", tried.plot
    yield "accuracy", lambda: plot_accuracy(tried)
    yield "coverage", lambda: plot_coverage(tried)
    yield "revision", revise(*(forecast(x, models=("theta",), kind="stock", unit="户") for x in (y.iloc[:-2], y))).plot
    yield "peers", compare_peers(cleaned, "rizhao").plot
    for key in ("mobile", "coverage"):
        yield f"multiples_{key}", lambda key=key: plot_multiples(cleaned, key)
        yield f"league_{key}", lambda key=key: league_table(cleaned, key).plot(key)
    yield "decomposition", growth_decomposition(cleaned, "etxn_total").plot


def moments(rows):
    """Count, mean and mean square of each column, so that no artist is moved or recoloured unseen."""
    values = np.nan_to_num(np.array(rows, dtype=float))
    return [len(rows), *values.mean(axis=0).tolist(), *(values**2).mean(axis=0).tolist()] if rows else [0]


def within(ax, points):
    """Where points of data lie in the axes, with the number of those that are there."""
    points = ax.transLimits.transform(ax.transScale.transform(np.asarray(points, dtype=float).reshape(-1, 2)))
    known = points[np.isfinite(points).all(axis=1)]
    return [len(known), *(known.mean(axis=0) if len(known) else (0, 0)), *(known.std(axis=0) if len(known) else (0, 0))]


def described(fig):
    fig.canvas.draw()
    texts = [x for x in fig.findobj(plt.Text) if x.get_visible() and x.get_text().strip()]
    lines, faces, frames = [], [], []
    for ax in fig.axes:
        frames.append([ax.get_visible(), ax.axison, *np.sign(np.diff(ax.get_xlim())), *np.sign(np.diff(ax.get_ylim())),
                       ax.get_xscale() == "log", ax.get_yscale() == "log", ax.get_legend() is not None])
        for line in ax.get_lines():
            # A line of the axes' own height or width has one coordinate that is no datum.
            points = within(ax, line.get_xydata()) if line.get_transform() == ax.transData else [0.0] * 5
            lines.append([*points, *to_rgba(line.get_color()), line.get_linewidth(), line.get_markersize(),
                          line.get_alpha() or 1, line.get_zorder(), line.get_linestyle() == "-"])
        for patch in ax.patches:
            box = patch.get_path().transformed(patch.get_patch_transform())
            faces.append([*within(ax, box.vertices), *patch.get_facecolor(), patch.get_linewidth(), patch.get_zorder()])
        for drawn in ax.collections:
            paths = [path.vertices for path in drawn.get_paths()]
            offsets = within(ax, drawn.get_offsets()) if len(drawn.get_offsets()) > 1 else within(
                ax, np.concatenate(paths)) if paths else [0.0] * 5
            colour = drawn.get_facecolor() if len(drawn.get_facecolor()) else [[0] * 4]
            faces.append([*offsets, *np.mean(colour, axis=0),
                          float(np.mean(drawn.get_linewidth())), drawn.get_zorder()])
    return {"words": sorted(x.get_text() for x in texts), "size": fig.get_size_inches().tolist(),
            "texts": moments([[x.get_fontsize(), *to_rgba(x.get_color()), x.get_ha() == "left", x.get_ha() == "right",
                               x.get_va() == "top", x.get_va() == "bottom", x.get_zorder()] for x in texts]),
            "frames": moments(frames), "lines": moments(lines), "faces": moments(faces)}


def test_what_stands_in_each_picture_is_what_was_looked_at(cleaned):
    found = {}
    for name, plot in pictures(cleaned):
        picture = plot()
        fig = picture if isinstance(picture, plt.Figure) else picture.figure
        found[name] = described(fig)
        plt.close(fig)
    if os.environ.get("EBANK_LOOKED_AT"):
        rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.5g}"))
        KEPT.write_text(json.dumps(rounded, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert list(found) == list(kept)
    for name, one in kept.items():
        assert found[name]["words"] == one["words"], name
        for what in ("size", "texts", "frames", "lines", "faces"):
            assert found[name][what] == pytest.approx(one[what], rel=2e-3, abs=2e-4), f"{name}: {what}"
