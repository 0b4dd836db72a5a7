"""Order selection and the fitted model: criteria over the grid, correlations, roots, residuals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MultipleLocator
from scipy.signal import lfilter
from scipy.stats import norm

from ..arma import ARMA, OrderSelection
from ..arma.model import LABELS, autocorrelations
from ..wording import language, t
from . import style

__all__ = ["plot_correlations", "plot_criteria", "plot_residuals", "plot_roots"]

FAR = 15.0  # an order this much above the lowest criterion is as good as out; the colours end there


@style.in_style
def plot_criteria(result: OrderSelection, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the criterion over the grid as its distance from the lowest; irregular orders hatched, the choice framed."""
    lang, ax = language(lang), style.axes_of(ax, 4.8, 6.2)
    table = result.table
    size = table["p"].max() + 1, table["q"].max() + 1
    delta = table["delta"].to_numpy(dtype=float).reshape(size)
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
    notes = [t("arma.framed", lang)]
    notes += [t("arma.hatched", lang)] * bool((~table["regular"] & table["delta"].notna()).any())
    notes += [t("arma.impossible", lang)] * bool(table["delta"].isna().any())
    ax.set_title(" · ".join(notes), fontsize=8.5, color=style.MUTED)
    return ax


@style.in_style
def plot_correlations(model: ARMA, lags: int = 24, lang: str | None = None) -> Figure:
    """Draw sample ACF and PACF of the differenced series beside the model's, with bands under the model.

    The bands are 95% limits of the sample correlations of series of this length drawn from the fitted model (400
    draws, seed 0), about the model's own correlations: points outside speak against the model.
    """
    lang = language(lang)
    w = model.design.columns[-1]
    lags = min(lags, w.size // 2 - 1)
    draws = _sample_correlations(model, w.size, lags)
    fig, axes = style.panels(1, 2, 3.2, sharey=True)
    x = np.arange(1, lags + 1)
    for ax, kind, sample in zip(axes[0], ("acf", "pacf"), _both(w, lags)):
        low, mid, high = np.quantile(draws[kind], (0.025, 0.5, 0.975), axis=0)
        ax.fill_between(x, low, high, color=style.BAND, alpha=0.15, lw=0)
        ax.plot(x, mid, color=style.colours[0], lw=1.4, label=t("arma.of_model", lang))
        ax.vlines(x, 0, sample, color=style.INK, lw=1.6)
        ax.plot(x, sample, "o", color=style.INK, ms=3.5, label=t("arma.sample", lang))
        ax.axhline(0, color=style.MUTED, lw=0.8)
        ax.set_title(t(f"arma.{kind}", lang))
        _lag_axis(ax, lags, lang)
    axes[0, 0].legend(fontsize=8)
    return fig


@style.in_style
def plot_roots(model: ARMA, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the inverse roots of the AR and MA polynomials against the unit circle: inside is regular."""
    lang, ax = language(lang), style.axes_of(ax, 4.4, 4.4)
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
    lang = language(lang)
    e = model.resid / np.sqrt(model.sigma2)
    seen = e.dropna().to_numpy()
    fig, axes = style.panels(1, 3, 2.9, width_ratios=[3, 2, 2])
    ax, lagged, against = axes[0]
    x = style.month_numbers(e.index) if hasattr(e.index, "freqstr") else np.asarray(e.index, dtype=float)
    ax.axhspan(-1.96, 1.96, color=style.BAND, alpha=0.10, lw=0)
    ax.plot(x, e.to_numpy(), color=style.colours[0], lw=1.2, marker="o", ms=2.5)
    ax.axhline(0, color=style.MUTED, lw=0.8)
    ax.set_title(t("arma.standardised", lang))
    if hasattr(e.index, "freqstr"):
        style.month_axis(ax, lang, e.index)
    lags = min(24, seen.size // 2 - 1)
    lag, r, band = np.arange(1, lags + 1), autocorrelations(seen, lags), 1.96 / np.sqrt(seen.size)
    lagged.axhspan(-band, band, color=style.BAND, alpha=0.15, lw=0)
    lagged.vlines(lag, 0, r, color=style.INK, lw=1.6)
    lagged.axhline(0, color=style.MUTED, lw=0.8)
    lagged.set_title(t("arma.acf", lang))
    _lag_axis(lagged, lags, lang)
    lagged.set_ylim(*(np.array([-1, 1]) * max(2 * band, 1.1 * np.abs(r).max())))
    quantiles = norm.ppf((np.arange(1, seen.size + 1) - 0.5) / seen.size)
    against.plot(quantiles, np.sort(seen), "o", color=style.colours[0], ms=3)
    against.axline((0, 0), slope=1, color=style.MUTED, lw=0.8)
    against.set(title=t("arma.against_normal", lang), xlabel=t("arma.normal_quantile", lang))
    return fig


def _lag_axis(ax: Axes, lags: int, lang: str) -> None:
    ax.set(xlabel=t("arma.lag", lang), xlim=(0, lags + 1))
    ax.xaxis.set_major_locator(MultipleLocator(12 if lags > 24 else 6))


def _both(w: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample ACF and PACF (Durbin-Levinson), each (lags,)."""
    r = autocorrelations(w, lags)
    pacf, phi = np.empty(lags), np.zeros(0)
    for k in range(lags):
        a = (r[k] - phi @ r[:k][::-1]) / (1 - phi @ r[:k])
        phi = np.r_[phi - a * phi[::-1], a]
        pacf[k] = a
    return r, pacf


def _sample_correlations(model: ARMA, n: int, lags: int, draws: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    burn = 200
    a = rng.standard_normal((n + burn, draws))
    w = lfilter(np.r_[1, model.ma_polynomial], np.r_[1, -model.ar_polynomial], a, axis=0)
    pairs = [_both(column, lags) for column in w[burn:].T]
    return {"acf": np.array([p[0] for p in pairs]), "pacf": np.array([p[1] for p in pairs])}
