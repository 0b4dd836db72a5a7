"""Order selection and the fitted model: criteria over the grid, correlations, roots, residuals, fan chart."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MultipleLocator
from scipy.stats import norm

from ebank_lib.arma import ARMA, OrderSelection
from ebank_lib.arma.diagnostics import autocorrelations
from ebank_lib.arma.selection import LABELS
from ebank_lib.charts import style
from ebank_lib.wording import language, t

__all__ = ["plot_correlations", "plot_criteria", "plot_fan", "plot_residuals", "plot_roots"]

FAR = 15.0  # an order this much above the lowest criterion is as good as out; the colours end there


def plot_criteria(result: OrderSelection, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the criterion over the grid as its distance from the lowest; irregular orders hatched, the choice framed."""
    lang, ax = language(lang), _axes(ax, (6.2, 4.8))
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


def plot_correlations(model: ARMA, lags: int = 24, lang: str | None = None) -> Figure:
    """Draw sample ACF and PACF of the differenced series beside the model's, with bands under the model.

    The bands are 95% limits of the sample correlations of series of this length drawn from the fitted model (400
    draws, seed 0), about the model's own correlations: points outside speak against the model.
    """
    lang = language(lang)
    w = model.design.columns[-1]
    lags = min(lags, w.size // 2 - 1)
    draws = _sample_correlations(model, w.size, lags)
    fig, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 3.2), sharey=True, layout="constrained")
    x = np.arange(1, lags + 1)
    for ax, kind, sample in zip(axes, ("acf", "pacf"), _both(w, lags)):
        low, mid, high = np.quantile(draws[kind], (0.025, 0.5, 0.975), axis=0)
        ax.fill_between(x, low, high, color=style.BAND, alpha=0.15, lw=0)
        ax.plot(x, mid, color=style.colours[0], lw=1.4, label=t("arma.of_model", lang))
        ax.vlines(x, 0, sample, color=style.INK, lw=1.6)
        ax.plot(x, sample, "o", color=style.INK, ms=3.5, label=t("arma.sample", lang))
        ax.axhline(0, color=style.MUTED, lw=0.8)
        ax.set_title(t(f"arma.{kind}", lang))
        _lag_axis(ax, lags, lang)
    axes[0].legend(frameon=False, fontsize=8)
    return fig


def plot_roots(model: ARMA, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the inverse roots of the AR and MA polynomials against the unit circle: inside is regular."""
    lang, ax = language(lang), _axes(ax, (4.4, 4.4))
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
        ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
    return ax


def plot_residuals(model: ARMA, lang: str | None = None) -> Figure:
    """Draw standardised residuals in time, their autocorrelations with 95% bands, and against normal quantiles."""
    lang = language(lang)
    e = model.resid / np.sqrt(model.sigma2)
    seen = e.dropna().to_numpy()
    fig, axes = plt.subplots(1, 3, figsize=(style.WIDTH, 2.9), width_ratios=[3, 2, 2], layout="constrained")
    x = _positions(e.index)
    axes[0].axhspan(-1.96, 1.96, color=style.BAND, alpha=0.10, lw=0)
    axes[0].plot(x, e.to_numpy(), color=style.colours[0], lw=1.2, marker="o", ms=2.5)
    axes[0].axhline(0, color=style.MUTED, lw=0.8)
    axes[0].set_title(t("arma.standardised", lang))
    _months(axes[0], e.index, lang)
    lags = min(24, seen.size // 2 - 1)
    lag, r, band = np.arange(1, lags + 1), autocorrelations(seen, lags), 1.96 / np.sqrt(seen.size)
    axes[1].axhspan(-band, band, color=style.BAND, alpha=0.15, lw=0)
    axes[1].vlines(lag, 0, r, color=style.INK, lw=1.6)
    axes[1].axhline(0, color=style.MUTED, lw=0.8)
    axes[1].set_title(t("arma.acf", lang))
    _lag_axis(axes[1], lags, lang)
    axes[1].set_ylim(*(np.array([-1, 1]) * max(2 * band, 1.1 * np.abs(r).max())))
    quantiles = norm.ppf((np.arange(1, seen.size + 1) - 0.5) / seen.size)
    axes[2].plot(quantiles, np.sort(seen), "o", color=style.colours[0], ms=3)
    axes[2].axline((0, 0), slope=1, color=style.MUTED, lw=0.8)
    axes[2].set(title=t("arma.against_normal", lang), xlabel=t("arma.normal_quantile", lang))
    return fig


def plot_fan(model: ARMA, horizon: int = 12, level=(50, 80, 95), exog=None, ax: Axes | None = None, unit: str = "",
             lang: str | None = None) -> Axes:
    """Draw the series and its forecast with limits, the wider the paler."""
    lang, ax = language(lang), _axes(ax, (style.WIDTH, 3.6))
    y, fc = model.y, model.forecast(horizon, level=level, exog=exog)
    whole = y.index.append(fc.index)
    x = _positions(whole)
    past, ahead = x[:len(y)], x[len(y):]
    # The fan opens at the last value that is known.
    last = y.last_valid_index()
    from_last = np.r_[past[y.index.get_loc(last)], ahead]
    levels = sorted(np.atleast_1d(level), reverse=True)
    for i, lv in enumerate(levels):
        low, high = (np.r_[y[last], fc[f"{side}-{lv:g}"]] for side in ("lo", "hi"))
        ax.fill_between(from_last, low, high, color=_paler(style.BAND, 0.15 + 0.35 * (i + 1) / len(levels)), lw=0,
                        label=t("arma.limits", lang, level=f"{lv:g}"))
    ax.plot(past, y.to_numpy(), color=style.INK, lw=1.4, label=t("arma.observed", lang))
    ax.plot(from_last, np.r_[y[last], fc["y_hat"]], color=style.colours[0], lw=1.8,
            label=t("arma.point_forecast", lang))
    _months(ax, whole, lang)
    style.unit_axis(ax, unit, lang)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    return ax


def _axes(ax: Axes | None, size) -> Axes:
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def _paler(colour: str, share: float) -> tuple[float, float, float]:
    """Mix a colour with white, so that overlapping bands and the legend show one shade."""
    return tuple(1 - share * (1 - v) for v in to_rgb(colour))


def _lag_axis(ax: Axes, lags: int, lang: str) -> None:
    ax.set(xlabel=t("arma.lag", lang), xlim=(0, lags + 1))
    ax.xaxis.set_major_locator(MultipleLocator(12 if lags > 24 else 6))


def _positions(index) -> np.ndarray:
    return style.month_numbers(index) if hasattr(index, "freqstr") else np.asarray(index, dtype=float)


def _months(ax: Axes, index, lang: str) -> None:
    if hasattr(index, "freqstr"):
        style.month_axis(ax, lang, index)


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
    phi, theta, burn = model.ar_polynomial, model.ma_polynomial, 200
    a = rng.standard_normal((n + burn, draws))
    w = a.copy()
    for i in range(n + burn):
        for j, c in enumerate(theta[:i]):
            w[i] += c * a[i - 1 - j]
        for j, c in enumerate(phi[:i]):
            w[i] += c * w[i - 1 - j]
    pairs = [_both(column, lags) for column in w[burn:].T]
    return {"acf": np.array([p[0] for p in pairs]), "pacf": np.array([p[1] for p in pairs])}
