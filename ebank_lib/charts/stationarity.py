"""A series and its differences, each with what the tests say of it and its autocorrelations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..stationarity import Battery, longest_run
from ..wording import language, t
from . import style

__all__ = ["plot_stationarity"]

MAX_LAG = 24


@style.in_style
def plot_stationarity(result: Battery, lang: str | None = None, unit: str = "") -> Figure:
    """Draw level (log scale where logs are modelled) and difference, each with its verdict and autocorrelations.

    Parameters
    ----------
    result : Battery
    unit : str
        How the base unit is written; stands above the level's axis. "%" for a ratio, whose fractions are then
        written as per cent.
    """
    lang = language(lang)
    y = result.y.loc[result.y.first_valid_index():result.y.last_valid_index()]
    run = longest_run(y)
    if run.empty:
        return style.sentence(result.name, lang).figure
    fig, axes = style.panels(2, 2, 5.6, width_ratios=[3, 2])
    level, change = ("log", "dlog") if result.log else ("level", "diff")
    scaled = np.log(run) if result.log else run
    whole = np.log(y.where(y > 0)).diff() if result.log else y.diff()
    for ax, series, transform in ((axes[0, 0], y, level), (axes[1, 0], whole, change)):
        ax.plot(style.month_numbers(y.index), series.to_numpy(), color=style.colours[0], lw=1.4, marker="o", ms=2)
        if transform == "log":
            ax.set_yscale("log")
        style.month_axis(ax, lang, y.index)
        # Above the level stands its unit, above the difference nothing.
        ax.set_title(_caption(result, transform, lang), fontsize=9.5, pad=None if ax is axes[0, 0] else 7)
    style.value_axis(axes[0, 0], "ratio" if unit == "%" else "", unit, lang)
    axes[1, 0].axhline(0, color=style.MUTED, lw=0.8)
    if result.log or unit == "%":
        style.percent_axis(axes[1, 0], lang, sign=True)
    else:
        style.unit_axis(axes[1, 0], unit, lang)
    _autocorrelations(scaled, axes[0, 1], lang)
    _autocorrelations(scaled.diff().iloc[1:], axes[1, 1], lang)
    axes[0, 1].set_xlabel("")
    return style.headline(fig, result.name)


def _caption(result: Battery, transform: str, lang: str) -> str:
    against, of = result.rejections(transform)
    verdict = t(f"stationarity.short_{result.finding(transform)}", lang, k=against, n=of)
    return t("stationarity.panel", lang, scale=t(f"stationarity.panel_{transform}", lang), verdict=verdict)


def _autocorrelations(x: pd.Series, ax: Axes, lang: str) -> None:
    """Draw the autocorrelations of a series without gaps, with the limits of white noise."""
    x = x.to_numpy(dtype=float)
    n, x = x.size, x - (x.mean() if x.size else 0)
    power = float((x**2).sum())
    lags = np.arange(1, min(MAX_LAG, n // 2) + 1)
    if power > 0:
        values = [float((x[k:] * x[:-k]).sum()) / power for k in lags]
        ax.vlines(lags, 0, values, color=style.colours[0], lw=2.2)
    if n:
        for side in (-1, 1):
            ax.axhline(side * 1.96 / math.sqrt(n), color=style.MUTED, lw=0.8, ls=(0, (4, 3)))
    ax.axhline(0, color=style.MUTED, lw=0.8)
    ax.set_ylim(-1, 1)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1], ["-1", "-0.5", "0", "0.5", "1"])
    last = int(lags[-1]) if lags.size else 1
    ax.set_xlim(0, last + 1)
    ax.set_xticks(range(0, last + 1, 6 if last > 8 else 1))
    ax.set_xlabel(t("stationarity.acf_lag", lang))
    ax.set_title(t("stationarity.acf", lang), fontsize=9.5, pad=7)
