"""The way to a model of one series: differences with their tests, orders by criterion, roots, residuals."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.signal import lfilter
from scipy.stats import norm
from statsmodels.tsa.stattools import acf, pacf

from ..arma import ARMA, OrderSelection
from ..arma.model import LABELS
from ..stationarity import Battery, without_gaps
from ..wording import t
from . import style

FAR = 15.0  # an order this much above the lowest criterion is as good as out; the colours end there
LAGS = 24


@style.in_style
def plot_stationarity(result: Battery, lang: str | None = None, unit: str = "") -> Figure:
    """Draw level (log scale where logs are modelled) and difference, each with its verdict and autocorrelations.

    Above the level's axis stands `unit`, the base unit as it is written; "%" is a ratio's, whose fractions are then
    written as per cent.
    """
    y = result.y.loc[result.y.first_valid_index():result.y.last_valid_index()]
    scaled = without_gaps(np.log(y) if result.log else y)
    if scaled.empty:
        return style.sentence(result.name, lang).figure
    fig, axes = style.panels(2, 2, 5.6, width_ratios=[3, 2])
    whole = np.log(y.where(y > 0)).diff() if result.log else y.diff()
    for (ax, _), series, transform in zip(axes, (y, whole), ("log", "dlog") if result.log else ("level", "diff"),
                                          strict=True):
        ax.plot(style.month_numbers(y.index), series.to_numpy(), color=style.colours[0], lw=1.4, marker="o", ms=2)
        if transform == "log":
            ax.set_yscale("log")
        style.month_axis(ax, lang, y.index)
        against, of = result.rejections(transform)
        verdict = t(f"stationarity.short_{result.finding(transform)}", lang, k=against, n=of)
        # Above the level stands its unit, above the difference nothing.
        ax.set_title(t("stationarity.panel", lang, scale=t(f"stationarity.panel_{transform}", lang), verdict=verdict),
                     fontsize=9.5, pad=None if series is y else 7)
    (level, first), (change, second) = axes
    style.value_axis(level, "ratio" if unit == "%" else "", unit, lang)
    change.axhline(0, color=style.MUTED, lw=0.8)
    style.value_axis(change, "ratio" if result.log or unit == "%" else "", unit, lang, sign=True)
    for ax, x in ((first, scaled), (second, scaled.diff().iloc[1:])):
        _correlogram(ax, x.to_numpy(dtype=float), lang)
        ax.set_ylim(-1, 1)
        ax.set_title(t("arma.acf", lang), fontsize=9.5, pad=7)
    first.set_xlabel("")
    return style.headline(fig, result.name)


def _correlogram(ax: Axes, x: np.ndarray, lang: str) -> None:
    """Draw the autocorrelations of a series without gaps, with the limits of white noise."""
    lags = min(LAGS, x.size // 2)
    if lags and np.ptp(x) > 0:
        ax.vlines(np.arange(1, lags + 1), 0, acf(x, nlags=lags, fft=False)[1:], color=style.INK, lw=1.8)
    for side in (-1, 1):
        ax.axhline(side * 1.96 / math.sqrt(max(x.size, 1)), color=style.MUTED, lw=0.8, ls=(0, (4, 3)))
    ax.axhline(0, color=style.MUTED, lw=0.8)
    _lag_axis(ax, max(lags, 1), t("arma.acf_lag", lang))


@style.in_style
def plot_criteria(result: OrderSelection, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the criterion over p and q as its distance from the lowest; irregular orders hatched, the choice framed.

    P and Q are those of the choice.
    """
    ax = style.axes_of(ax, 4.8, 6.2)
    table = result.table
    table = table[(table[["P", "Q"]].to_numpy() == result.chosen[2:]).all(axis=1)]
    size = table["p"].max() + 1, table["q"].max() + 1
    delta = np.full(size, np.nan)
    delta[table["p"], table["q"]] = table["delta"].to_numpy(dtype=float)
    image = ax.imshow(np.minimum(delta, FAR).T, origin="lower", cmap="Blues_r", vmin=0, vmax=FAR, aspect="auto")
    for row in table.itertuples():
        if not np.isfinite(row.delta):
            continue
        if not row.regular:
            ax.add_patch(Rectangle((row.p - 0.5, row.q - 0.5), 1, 1, fill=False, hatch="////", lw=0,
                                   edgecolor=style.MUTED, alpha=0.6))
        box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75}
        ax.text(row.p, row.q, f"{row.delta:.1f}", ha="center", va="center", fontsize=8, color=style.INK, bbox=box)
    p, _, q = result.order
    ax.add_patch(Rectangle((p - 0.5, q - 0.5), 1, 1, fill=False, lw=2.4, edgecolor=style.colours[1], zorder=5))
    ax.set(xticks=range(size[0]), yticks=range(size[1]), xlabel=t("arma.ar_order", lang),
           ylabel=t("arma.ma_order", lang))
    ax.grid(False)
    bar = ax.figure.colorbar(image, ax=ax, extend="max", pad=0.02)
    bar.set_label(t("arma.above_lowest", lang, criterion=LABELS[result.criterion]))
    notes = [result.best.name()] * (result.seasonal_order[3] > 1) + [t("arma.framed", lang)]
    notes += [t("arma.hatched", lang)] * bool((~table["regular"] & table["delta"].notna()).any())
    notes += [t("arma.impossible", lang)] * bool(np.isnan(delta).any())
    ax.set_title(" · ".join(notes), fontsize=8.5, color=style.MUTED)
    return ax


@style.in_style
def plot_correlations(model: ARMA, lang: str | None = None) -> Figure:
    """Draw sample ACF and PACF of the differenced series beside the model's, with bands under the model.

    The bands are 95% limits of the sample correlations of series of this length drawn from the fitted model (400
    draws, seed 0), about the model's own correlations: points outside speak against the model.
    """
    w = model.design.columns[-1]
    lags, burn = min(LAGS, w.size // 2 - 1), 200
    shocks = np.random.default_rng(0).standard_normal((w.size + burn, 400))
    drawn = lfilter(np.r_[1, model.ma_polynomial], np.r_[1, -model.ar_polynomial], shocks, axis=0)[burn:]
    bands = np.quantile([_both(column, lags) for column in drawn.T], (0.025, 0.5, 0.975), axis=0)
    fig, axes = style.panels(1, 2, 3.2, sharey=True)
    x = np.arange(1, lags + 1)
    for n, (ax, kind, sample) in enumerate(zip(axes[0], ("acf", "pacf"), _both(w, lags), strict=True)):
        low, mid, high = bands[:, n]
        ax.fill_between(x, low, high, color=style.BAND, alpha=0.15, lw=0)
        ax.plot(x, mid, color=style.colours[0], lw=1.4, label=t("arma.of_model", lang))
        ax.vlines(x, 0, sample, color=style.INK, lw=1.6)
        ax.plot(x, sample, "o", color=style.INK, ms=3.5, label=t("arma.sample", lang))
        ax.axhline(0, color=style.MUTED, lw=0.8)
        ax.set_title(t(f"arma.{kind}", lang))
        _lag_axis(ax, lags, t("arma.lag", lang))
    axes[0, 0].legend(fontsize=8)
    return fig


@style.in_style
def plot_roots(model: ARMA, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the inverse roots of the AR and MA polynomials against the unit circle: inside is regular."""
    ax = style.axes_of(ax, 4.4, 4.4)
    ax.add_patch(Circle((0, 0), 1, fill=False, color=style.MUTED, lw=1.2))
    roots = model.roots()
    for part, marker, colour in (("ar", "o", style.colours[0]), ("ma", "X", style.colours[1])):
        here = roots[roots["part"] == part]
        if len(here):
            ax.plot(here["real"], here["imag"], marker, color=colour, ms=8, ls="", alpha=0.85,
                    label=t(f"arma.{part}_roots", lang))
    ax.axhline(0, color=style.GRID, lw=0.8, zorder=0)
    ax.axvline(0, color=style.GRID, lw=0.8, zorder=0)
    ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", xlabel=t("arma.real", lang),
           ylabel=t("arma.imaginary", lang))
    if len(roots):
        ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
    return ax


@style.in_style
def plot_residuals(model: ARMA, lang: str | None = None) -> Figure:
    """Draw standardised residuals in time, their autocorrelations with 95% bands, and against normal quantiles."""
    if model.design.scale == 0:
        return style.sentence(model.name(), lang).figure
    e = model.resid / np.sqrt(model.sigma2)
    seen = e.dropna().to_numpy()
    fig, axes = style.panels(1, 3, 2.9, width_ratios=[3, 2, 2])
    ax, lagged, against = axes[0]
    monthly = hasattr(e.index, "freqstr")
    x = style.month_numbers(e.index) if monthly else np.asarray(e.index, dtype=float)
    ax.axhspan(-1.96, 1.96, color=style.BAND, alpha=0.10, lw=0)
    ax.plot(x, e.to_numpy(), color=style.colours[0], lw=1.2, marker="o", ms=2.5)
    ax.axhline(0, color=style.MUTED, lw=0.8)
    ax.set_title(t("arma.standardised", lang))
    if monthly:
        style.month_axis(ax, lang, e.index)
    _correlogram(lagged, seen, lang)
    lagged.set_title(t("arma.acf", lang))
    quantiles = norm.ppf((np.arange(1, seen.size + 1) - 0.5) / seen.size)
    against.plot(quantiles, np.sort(seen), "o", color=style.colours[0], ms=3)
    against.axline((0, 0), slope=1, color=style.MUTED, lw=0.8)
    against.set(title=t("arma.against_normal", lang), xlabel=t("arma.normal_quantile", lang))
    return fig


def _lag_axis(ax: Axes, lags: int, label: str) -> None:
    ax.set(xlabel=label, xlim=(0, lags + 1))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 3, 6, 10], integer=True))


def _both(w: np.ndarray, lags: int) -> np.ndarray:
    """Sample ACF and PACF (Durbin-Levinson), (2, lags)."""
    return np.stack([acf(w, nlags=lags, fft=False)[1:], pacf(w, nlags=lags, method="ldb")[1:]])
