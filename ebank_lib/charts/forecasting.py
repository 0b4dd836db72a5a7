"""Pictures of the forecasts: history with a fan, what was said at each origin, error and coverage, revisions."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ebank_lib.forecasting.backtest import Backtest
from ebank_lib.forecasting.forecast import Forecast, in_language
from ebank_lib.forecasting.revision import Revision
from ebank_lib.wording import language, number, t

from .style import (
    BAND,
    EVENT,
    INK,
    MUTED,
    colours,
    label_lines,
    mark_event,
    month_axis,
    month_numbers,
    percent_axis,
    unit_axis,
)

__all__ = ["plot_accuracy", "plot_backtest", "plot_coverage", "plot_forecast", "plot_revision"]

# The forecast that is read out in the band's colour, the others each in their own.
_OTHERS = {"arma": colours[1], "snaive": "#8C8C8C", "pure_arma": colours[3], "drift": colours[4], "naive": BAND}


def _colour(model: str, n: int) -> str:
    return _OTHERS.get(model, colours[2 + n % 4])


def _values_axis(ax, result, lang: str) -> None:
    """Per cent for a share, else figures with their unit."""
    if result.kind == "ratio":
        percent_axis(ax, lang)
    else:
        unit_axis(ax, in_language(result.unit, lang), lang)


def plot_forecast(f: Forecast, ax=None, lang: str | None = None, months: int | None = 36, models=None,
                  events: Sequence[tuple[pd.Period, str]] = (), title: str | None = None, brief: bool = False):
    """Draw the history, the fan of the forecast that is read out, and the other methods' lines beside it.

    Parameters
    ----------
    f : Forecast
    ax : Axes, optional
    lang : {"zh", "en"}, optional
    months : int, optional
        How much history; None for all.
    models : names, optional
        Default: all that did not fail.
    events : (month, text) pairs
        Marked on the history.
    title : str, optional
    brief : bool
        For a small picture: the key lies on the history and the lines' labels leave the unit to the axis.

    Returns
    -------
    Axes
    """
    lang = language(lang)
    ax = plt.subplots()[1] if ax is None else ax
    y = f.y if months is None else f.y.iloc[-months:]
    past = _as_months(y.index)
    lead = f.block()
    ahead = _as_months(lead["month"])
    x, origin = month_numbers(ahead), month_numbers(past)[-1]
    now = float(f.y.iloc[-1])
    bands = sorted(f.level, reverse=True)
    for level, alpha in zip(bands, np.linspace(0.15, 0.30, len(bands)) if len(bands) > 1 else [0.2], strict=True):
        ax.fill_between(np.r_[origin, x], np.r_[now, lead[f"lo-{level:g}"]], np.r_[now, lead[f"hi-{level:g}"]],
                        color=BAND, alpha=alpha, lw=0, zorder=1)
    lines = ax.plot(month_numbers(past), y.to_numpy(), color=INK, lw=1.6, label="_history", zorder=3)
    labels, ends = [], []
    shown = [m for m in f.models if m in f.parts and (models is None or m in models)]
    for n, model in enumerate(shown):
        rows = f.block(model)
        first = model == f.headline
        line, = ax.plot(np.r_[origin, x], np.r_[now, rows["y_hat"]], color=BAND if first else _colour(model, n),
                        lw=2.0 if first else 1.2, ls="-" if first else (0, (4, 2)), zorder=4 if first else 2,
                        label="_" + model)
        ends.append(line)
        last = rows["y_hat"].iloc[-1]
        said = number(last, "", lang) if brief and f.kind != "ratio" else f.said(last, lang)
        labels.append(f"{t('forecasting.model_' + model, lang)} {said}")
    ax.set_title(title if title is not None else t(
        "forecasting.title", lang, label=in_language(f.label, lang) or f.unique_id, n=f.horizon))
    _values_axis(ax, f, lang)
    month_axis(ax, lang, past.append(ahead))
    ax.axvline(origin, color=MUTED, lw=0.8, zorder=0)
    for month, text in events:
        if pd.Period(month, "M") >= past[0]:
            mark_event(ax, month, text, lang)
    low, high = ax.get_ylim()
    when = f._month(f.y.index[-1], lang)
    ax.annotate(t("forecasting.origin", lang, month=when), (origin, low), (4, 3), textcoords="offset points",
                fontsize=8.5, color=MUTED, va="bottom",
                path_effects=[withStroke(linewidth=2.5, foreground="white")])
    ax.set_ylim(low, high)
    key = [Patch(color=BAND, alpha=0.18 if n == 0 else 0.42, lw=0,
                 label=t("forecasting.limits", lang, level=f"{lv:g}")) for n, lv in enumerate(bands)]
    if brief:
        ax.legend(handles=key, loc="upper left", handlelength=1.6)
    else:
        _legend(ax, key)
    label_lines(ax, ends, labels)
    # The value the reader knows: the last one observed.
    ax.plot([origin], [now], "o", color=INK, ms=4, zorder=5)
    lines[0].set_label("_history")
    return ax


def _legend(ax, handles) -> None:
    """Above the axes at the right, where it covers no data and no event's words."""
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), borderaxespad=0.1,
              columnspacing=1.4, handlelength=1.6)


def _as_months(index) -> pd.PeriodIndex:
    """Months for the axis; numbered months are shown as such only in tables."""
    index = pd.Index(index)
    if isinstance(index, pd.PeriodIndex):
        return index
    if isinstance(index.dtype, pd.PeriodDtype) or (len(index) and isinstance(index[0], pd.Period)):
        return pd.PeriodIndex(index, freq="M")
    return pd.PeriodIndex.from_ordinals(np.asarray(index, dtype="int64"), freq="M")


def plot_backtest(b: Backtest, ax=None, lang: str | None = None, model: str | None = None, every: int = 1,
                  title: str | None = None):
    """Draw what one method said at each origin, with its widest limits at the last month, over what came.

    Parameters
    ----------
    b : Backtest
    model : str, optional
        Default: the first.
    every : int
        Draw every so many origins.

    Returns
    -------
    Axes
    """
    lang = language(lang)
    own = ax is None
    ax = plt.subplots()[1] if ax is None else ax
    model = b.models[0] if model is None else model
    rows = b.table[(b.table["model"] == model) & b.table["y_hat"].notna()]
    ax.set_title(title if title is not None else t(
        "forecasting.backtest_title", lang, label=in_language(b.label, lang) or _name(b),
        model=t(f"forecasting.model_{model}", lang)))
    if rows.empty:
        ax.text(0, 0.95, t("forecasting.grade_E", lang, n=b.origins), transform=ax.transAxes, ha="left", va="top",
                color=MUTED)
        if own:
            ax.figure.set_figheight(0.9)
        ax.set_axis_off()
        return ax
    widest = max(b.level)
    for cutoff in sorted(rows["cutoff"].unique())[::-every]:
        part = rows[rows["cutoff"] == cutoff].sort_values("horizon")
        x = month_numbers(part["month"])
        known = b.y.loc[:cutoff].dropna()
        line, = ax.plot(np.r_[month_numbers(known.index[-1:]), x], np.r_[known.iloc[-1:], part["y_hat"]], color=BAND,
                        lw=0.9, alpha=0.75, zorder=2)
        ax.plot(x[-1:], part["y_hat"].iloc[-1:], "o", color=BAND, ms=2.5, zorder=2)
        end = part.iloc[-1]
        ax.vlines(x[-1], end[f"lo-{widest:g}"], end[f"hi-{widest:g}"], color=BAND, alpha=0.35, lw=1.0)
    actual = b.y.loc[rows["cutoff"].min() - 6:]
    came, = ax.plot(month_numbers(actual.index), actual.to_numpy(), color=INK, lw=1.8, zorder=3)
    _values_axis(ax, b, lang)
    month_axis(ax, lang, pd.PeriodIndex(actual.index, freq="M"))
    limits = Line2D([], [], color=BAND, alpha=0.5, marker="|", ms=11, ls="",
                    label=t("forecasting.limits", lang, level=f"{widest:g}"))
    came.set_label(t("forecasting.history", lang))
    line.set_label(t("forecasting.said_then", lang))
    _legend(ax, [came, line, limits])
    return ax


def _name(b: Backtest) -> str:
    return str(b.y.name or "y")


def plot_accuracy(b: Backtest, ax=None, lang: str | None = None, models=None):
    """Draw each method's error by months ahead, relative to repeating last year's month overall (= 1).

    Returns
    -------
    Axes
    """
    lang = language(lang)
    ax = plt.subplots(figsize=(7, 3.6))[1] if ax is None else ax
    known = b.scored()
    base = known.loc[known["model"] == "snaive"]
    base = float((base["y"] - base["y_hat"]).abs().mean()) if len(base) else np.nan
    error = (known["y"] - known["y_hat"]).abs().groupby([known["model"], known["horizon"]], sort=False).mean() / base
    lines, labels = [], []
    for n, model in enumerate(m for m in b.models if m in error.index and (models is None or m in models)):
        path = error[model].sort_index()
        first = model == b.models[0]
        line, = ax.plot(path.index, path.to_numpy(), color=BAND if first else _colour(model, n),
                        lw=2.0 if first else 1.2, marker="o", ms=3, zorder=3 if first else 2)
        lines.append(line)
        labels.append(t(f"forecasting.model_{model}", lang))
    ax.set_title(t("forecasting.accuracy_title", lang, label=in_language(b.label, lang) or _name(b), n=b.origins))
    ax.set_ylim(bottom=0)
    ax.set_xlim(0.7, b.horizon + 0.3)
    ax.set_xticks(range(1, b.horizon + 1) if b.horizon <= 12 else range(3, b.horizon + 1, 3))
    ax.set_xlabel(t("forecasting.horizon", lang))
    unit_axis(ax, "", lang, t("forecasting.ratio", lang))
    label_lines(ax, lines, labels)
    return ax


def plot_coverage(b: Backtest, ax=None, lang: str | None = None, model: str | None = None):
    """Draw the share of actual values within each pair of limits by months ahead, beside what it should be.

    Returns
    -------
    Axes
    """
    lang = language(lang)
    ax = plt.subplots(figsize=(7, 3.6))[1] if ax is None else ax
    model = b.models[0] if model is None else model
    scores = b.scores("horizon")
    scores = scores[scores["model"] == model].sort_values("horizon")
    ax.set_title(t("forecasting.coverage_title", lang, label=in_language(b.label, lang) or _name(b), n=b.origins))
    marks, labels = [], []
    for level, colour in zip(sorted(b.level), [colours[1], BAND, *colours[2:]], strict=False):
        held = scores[f"coverage-{level:g}"]
        ax.plot(scores["horizon"], held, color=colour, lw=1.8, marker="o", ms=4, clip_on=False, zorder=3,
                label=t("forecasting.limits", lang, level=f"{level:g}"))
        marks.append(ax.plot([1, b.horizon], [level / 100] * 2, color=colour, lw=1.0, ls=(0, (4, 3)), zorder=2,
                             label="_nominal")[0])
        labels.append(t("forecasting.nominal", lang, level=f"{level:g}"))
    ax.set_ylim(min(0.5, float(np.floor(scores[[f"coverage-{lv:g}" for lv in b.level]].min().min() * 10) / 10)
                    if len(scores) else 0.5), 1.0)
    ax.set_xlim(0.7, b.horizon + 0.3)
    ax.set_xticks(range(1, b.horizon + 1) if b.horizon <= 12 else range(3, b.horizon + 1, 3))
    ax.set_xlabel(t("forecasting.horizon", lang))
    percent_axis(ax, lang)
    if len(scores):
        _legend(ax, ax.get_legend_handles_labels()[0])
    label_lines(ax, marks, labels)
    return ax


def plot_revision(r: Revision, ax=None, lang: str | None = None, months: int | None = 24, title: str | None = None):
    """Draw the forecast made before with its widest limits, the new months as they came, and the forecast of now.

    Parameters
    ----------
    r : Revision
    months : int, optional
        How much history; None for all.

    Returns
    -------
    Axes
    """
    lang = language(lang)
    ax = plt.subplots()[1] if ax is None else ax
    widest = max(r.before.level)
    history = r.before.y if months is None else r.before.y.iloc[-months:]
    past, old, now = _as_months(history.index), r.before.block(), r.after.block()
    origin, last = month_numbers(past)[-1], float(history.iloc[-1])
    x_old, x_now = month_numbers(_as_months(old["month"])), month_numbers(_as_months(now["month"]))
    ax.fill_between(np.r_[origin, x_old], np.r_[last, old[f"lo-{widest:g}"]], np.r_[last, old[f"hi-{widest:g}"]],
                    color=MUTED, alpha=0.15, lw=0, zorder=1)
    ax.plot(month_numbers(past), history.to_numpy(), color=INK, lw=1.6, zorder=3)
    before, = ax.plot(np.r_[origin, x_old], np.r_[last, old["y_hat"]], color=MUTED, lw=1.4, ls=(0, (4, 2)), zorder=3)
    came = r.after.y.loc[r.after.y.index > r.before.y.index[-1]]
    x_came = month_numbers(_as_months(came.index))
    start = (x_came[-1], float(came.iloc[-1])) if len(came) else (origin, last)
    ax.fill_between(np.r_[start[0], x_now], np.r_[start[1], now[f"lo-{widest:g}"]],
                    np.r_[start[1], now[f"hi-{widest:g}"]], color=BAND, alpha=0.15, lw=0, zorder=1)
    after, = ax.plot(np.r_[start[0], x_now], np.r_[start[1], now["y_hat"]], color=BAND, lw=2.0, zorder=4)
    ax.plot(np.r_[origin, x_came], np.r_[last, came], color=INK, lw=1.6, zorder=4)
    inside = r.check[f"inside-{widest:g}"].astype(bool).to_numpy()
    for held, colour in ((True, INK), (False, EVENT)):
        rows = r.check[inside == held]
        ax.plot(month_numbers(_as_months(rows["month"])), rows["actual"], "o", color=colour, ms=6, zorder=5)
    ax.set_title(title if title is not None else t("forecasting.revision_title", lang,
                                                   label=in_language(r.before.label, lang) or r.before.unique_id))
    _values_axis(ax, r.before, lang)
    month_axis(ax, lang, past.union(_as_months(old["month"])).union(_as_months(now["month"])))
    dots = [Line2D([], [], color=c, marker="o", ms=6, ls="", label=t(f"forecasting.{key}", lang, level=f"{widest:g}"))
            for key, c, some in (("came_inside", INK, inside.any()), ("came_outside", EVENT, (~inside).any())) if some]
    _legend(ax, [*dots, *(Patch(color=c, alpha=0.25, lw=0, label=t(f"forecasting.limits_{key}", lang,
                                                                    level=f"{widest:g}"))
                          for key, c in (("before", MUTED), ("after", BAND)))])
    label_lines(ax, [before, after], [f"{t('forecasting.' + key, lang)} {f.said(rows['y_hat'].iloc[-1], lang)}"
                                      for key, f, rows in (("before", r.before, old), ("after", r.after, now))])
    return ax
