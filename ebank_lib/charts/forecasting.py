"""Pictures of the forecasts: history with a fan, what was said at each origin, error and coverage, revisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..forecasting.backtest import Backtest
from ..forecasting.candidates import model_name
from ..forecasting.forecast import Forecast, in_language
from ..forecasting.scoring import SIMPLE, Revision
from ..wording import number, t
from . import style
from .style import BAND, EVENT, INK, MUTED, colours, label_lines, legend_above, month_axis, month_numbers

# The forecast that is read out in the band's colour, the others each in their own.
_OTHERS = {"arma": colours[1], "snaive": "#8C8C8C", "pure_arma": colours[3], "drift": colours[4], "naive": BAND}


def _look(model: str, n: int, first: bool) -> dict:
    """Return how a method's line is drawn: the first thick and in the band's colour."""
    return {"color": BAND if first else _OTHERS.get(model, colours[2 + n % 4]), "lw": 2.0 if first else 1.2}


@style.in_style
def plot_forecast(f: Forecast, ax=None, lang: str | None = None, months: int = 36, brief: bool = False):
    """Draw the history, the fan of the forecast that is read out, and the other methods' lines beside it.

    Parameters
    ----------
    months : int
        How much history.
    brief : bool
        For a small picture under a caption: the forecast that is read out alone, without a title, the key on the
        history, the unit on the axis only.
    """
    ax = style.axes_of(ax)
    y = f.y.iloc[-months:]
    past, lead = _as_months(y.index), f.block()
    ahead = _as_months(lead["month"])
    x, origin, now = month_numbers(ahead), month_numbers(past)[-1], float(f.y.iloc[-1])
    key = style.fan(ax, (origin, now), x, {lv: (lead[f"lo-{lv:g}"], lead[f"hi-{lv:g}"]) for lv in f.level}, lang)
    ax.plot(month_numbers(past), y.to_numpy(), color=INK, lw=1.6, label="_history", zorder=3)
    for n, model in enumerate(m for m in f.models if m in f.parts and (m == f.headline or not brief)):
        path, first = f.block(model)["y_hat"], model == f.headline
        last = path.iloc[-1]
        said = number(last, "", lang) if brief and f.kind != "ratio" else f.said(last, lang)
        ax.plot(np.r_[origin, x], np.r_[now, path], ls="-" if first else (0, (4, 2)), zorder=4 if first else 2,
                label=said if brief else f"{t('forecasting.model_' + model, lang)} {said}", **_look(model, n, first))
    if not brief:
        ax.set_title(t("forecasting.title", lang, label=in_language(f.label, lang) or f.unique_id, n=f.horizon))
    style.value_axis(ax, f.kind, in_language(f.unit, lang), lang)
    month_axis(ax, lang, past.append(ahead))
    ax.axvline(origin, color=MUTED, lw=0.8, zorder=0)
    low, high = ax.get_ylim()
    ax.annotate(t("forecasting.origin", lang, month=f._month(f.y.index[-1], lang)), (origin, low), (4, 3),
                textcoords="offset points", fontsize=8.5, color=MUTED, va="bottom", path_effects=style.HALO)
    ax.set_ylim(low, high)
    if brief:
        ax.legend(handles=key, loc="upper left", handlelength=1.6)
    else:
        legend_above(ax, key)
    label_lines(ax)
    ax.plot([origin], [now], "o", color=INK, ms=4, zorder=5)    # the value the reader knows: the last one observed
    return ax


def _as_months(index) -> pd.PeriodIndex:
    """Months for the axis; numbered months are shown as such only in tables."""
    numbered = pd.api.types.is_numeric_dtype(index)
    return pd.PeriodIndex.from_ordinals(np.asarray(index), freq="M") if numbered else pd.PeriodIndex(index, freq="M")


def _label(b: Backtest, lang: str) -> str:
    return in_language(b.label, lang) or str(b.y.name or "y")


@style.in_style
def plot_backtest(b: Backtest, ax=None, lang: str | None = None):
    """Draw what the first method said at each origin, with its widest limits at the last month, over what came."""
    model = b.models[0]
    rows = b.table[(b.table["model"] == model) & b.table["y_hat"].notna()]
    title = t("forecasting.backtest_title", lang, label=_label(b, lang), model=model_name(model, lang))
    if rows.empty:
        return style.sentence(title, lang, t("forecasting.grade_E", lang, n=b.origins), ax)
    ax, widest = style.axes_of(ax), max(b.level)
    ax.set_title(title)
    for cutoff in sorted(rows["cutoff"].unique())[::-1]:
        part = rows[rows["cutoff"] == cutoff].sort_values("horizon")
        x, end = month_numbers(part["month"]), part.iloc[-1]
        known = b.y.loc[:cutoff].dropna()
        line, = ax.plot(np.r_[month_numbers(known.index[-1:]), x], np.r_[known.iloc[-1:], part["y_hat"]], color=BAND,
                        lw=0.9, alpha=0.75, zorder=2, label=t("forecasting.said_then", lang))
        ax.plot(x[-1:], part["y_hat"].iloc[-1:], "o", color=BAND, ms=2.5, zorder=2)
        ax.vlines(x[-1], end[f"lo-{widest:g}"], end[f"hi-{widest:g}"], color=BAND, alpha=0.35, lw=1.0)
    actual = b.y.loc[rows["cutoff"].min() - 6:]
    came, = ax.plot(month_numbers(actual.index), actual.to_numpy(), color=INK, lw=1.8, zorder=3,
                    label=t("forecasting.history", lang))
    style.value_axis(ax, b.kind, in_language(b.unit, lang), lang)
    month_axis(ax, lang, pd.PeriodIndex(actual.index, freq="M"))
    limits = Line2D([], [], color=BAND, alpha=0.5, marker="|", ms=11, ls="",
                    label=t("forecasting.limits", lang, level=f"{widest:g}"))
    legend_above(ax, [came, line, limits])
    return ax


def _horizon_axis(ax: Axes, b: Backtest, lang: str) -> None:
    ax.set_xlim(0.7, b.horizon + 0.3)
    ax.set_xticks(range(1, b.horizon + 1) if b.horizon <= 12 else range(3, b.horizon + 1, 3))
    ax.set_xlabel(t("forecasting.horizon", lang))


@style.in_style
def plot_accuracy(b: Backtest, ax=None, lang: str | None = None):
    """Draw each method's error by months ahead, relative to that of the better simple rule overall (= 1).

    The other simple rule is left out: eight times the error would flatten all lines.
    """
    ax = style.axes_of(ax, 3.6, 7)
    known = b.scored()
    error = (known["y"] - known["y_hat"]).abs()
    simple = error.groupby(known["model"]).mean().reindex(SIMPLE).sort_values()
    error = error.groupby([known["model"], known["horizon"]], sort=False).mean() / (simple.iloc[0] or np.nan)
    shown = [m for m in b.models if m in error.index and (m not in simple.index[1:] or m == b.models[0])]
    for n, model in enumerate(shown):
        path, first = error[model].sort_index(), model == b.models[0]
        ax.plot(path.index, path.to_numpy(), marker="o", ms=3, zorder=3 if first else 2,
                label=model_name(model, lang), **_look(model, n, first))
    ax.set_title(t("forecasting.accuracy_title", lang, label=_label(b, lang), n=b.origins))
    ax.set_ylim(bottom=0)
    _horizon_axis(ax, b, lang)
    style.value_axis(ax, "", "", lang, t("forecasting.accuracy_axis", lang))
    label_lines(ax)
    return ax


@style.in_style
def plot_coverage(b: Backtest, ax=None, lang: str | None = None):
    """Draw the share of actual values within each pair of limits of the first method by months ahead, beside what it
    should be."""
    ax = style.axes_of(ax, 3.6, 7)
    scores = b.scores("horizon")
    scores = scores[scores["model"] == b.models[0]].sort_values("horizon")
    ax.set_title(t("forecasting.coverage_title", lang, label=_label(b, lang), n=b.origins))
    held, marks = [], []
    for level, colour in zip(sorted(b.level), [colours[1], BAND, *colours[2:]], strict=False):
        held += ax.plot(scores["horizon"], scores[f"coverage-{level:g}"], color=colour, lw=1.8, marker="o", ms=4,
                        clip_on=False, zorder=3, label=t("forecasting.limits", lang, level=f"{level:g}"))
        marks += ax.plot([1, b.horizon], [level / 100] * 2, color=colour, lw=1.0, ls=(0, (4, 3)), zorder=2,
                         label=t("forecasting.nominal", lang, level=f"{level:g}"))
    least = scores[[f"coverage-{level:g}" for level in b.level]].min().min()
    ax.set_ylim(min(0.5, float(np.floor(least * 10) / 10)) if np.isfinite(least) else 0.5, 1.0)
    _horizon_axis(ax, b, lang)
    style.value_axis(ax, "ratio", "", lang)
    if len(scores):
        legend_above(ax, held)
    label_lines(ax, marks)
    return ax


@style.in_style
def plot_revision(r: Revision, ax=None, lang: str | None = None):
    """Draw the forecast made before with its widest limits, after two years of history, the new months as they came,
    and the forecast of now."""
    ax = style.axes_of(ax)
    widest = f"{max(r.before.level):g}"
    history = r.before.y.iloc[-24:]
    past, old, now = _as_months(history.index), r.before.block(), r.after.block()
    origin = month_numbers(past)[-1], float(history.iloc[-1])
    came = r.after.y.loc[r.after.y.index > r.before.y.index[-1]]
    x_came = month_numbers(_as_months(came.index))
    start = (x_came[-1], float(came.iloc[-1])) if len(came) else origin
    ax.plot(month_numbers(past), history.to_numpy(), color=INK, lw=1.6, zorder=3)
    limits = []
    for name, f, begin, rows, look in (
            ("before", r.before, origin, old, {"color": MUTED, "lw": 1.4, "ls": (0, (4, 2)), "zorder": 3}),
            ("after", r.after, start, now, {"color": BAND, "lw": 2.0, "zorder": 4})):
        x = np.r_[begin[0], month_numbers(_as_months(rows["month"]))]
        low, high, path = (np.r_[begin[1], rows[column]] for column in (f"lo-{widest}", f"hi-{widest}", "y_hat"))
        ax.fill_between(x, low, high, color=look["color"], alpha=0.15, lw=0, zorder=1)
        ax.plot(x, path, label=f"{t('forecasting.' + name, lang)} {f.said(path[-1], lang)}", **look)
        limits.append(Patch(color=look["color"], alpha=0.25, lw=0,
                            label=t(f"forecasting.limits_{name}", lang, level=widest)))
    ax.plot(np.r_[origin[0], x_came], np.r_[origin[1], came], color=INK, lw=1.6, zorder=4)
    inside = r.check[f"inside-{widest}"].astype(bool).to_numpy()
    dotted = []
    for name, rows, colour in (("came_inside", r.check[inside], INK), ("came_outside", r.check[~inside], EVENT)):
        dots = {"color": colour, "marker": "o", "ms": 6, "ls": ""}
        ax.plot(month_numbers(_as_months(rows["month"])), rows["actual"], zorder=5, **dots)
        if len(rows):
            dotted.append(Line2D([], [], label=t(f"forecasting.{name}", lang, level=widest), **dots))
    ax.set_title(t("forecasting.revision_title", lang,
                   label=in_language(r.before.label, lang) or r.before.unique_id))
    style.value_axis(ax, r.before.kind, in_language(r.before.unit, lang), lang)
    month_axis(ax, lang, past.union(_as_months(old["month"])).union(_as_months(now["month"])))
    legend_above(ax, dotted + limits)
    label_lines(ax)
    return ax
