"""A new month arrives: was it within the limits, what does it do to the forecast, and which datum moved it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ..display import Shown, describe, html_table
from ..errors import SeriesError
from ..wording import language, percent, t
from .forecast import Forecast, distribution, forecast, heads_of, in_language
from .series import as_monthly, observed

_OFF = 0.05         # probability, were the forecast right, of a departure that is called off track
_POINTS = 2000      # of the old distribution, in which a new month's place is looked up


@dataclass(frozen=True, repr=False)
class Revision(Shown):
    """What new data did to a forecast; see :func:`revise`.

    Attributes
    ----------
    table : DataFrame
        ``month, old, new, change, change_pct``: the months ahead that both forecasts speak of. ``change_pct`` is in per
        cent of ``old``, NaN where that is zero.
    moved : DataFrame
        ``datum, cause, was, now, month, contribution``: what each datum did to each of these months. The contributions
        to a month add up to its ``change``. A ``cause`` is ``beside`` (what is known beside the series: calendar, other
        branches, width), ``revised`` (an earlier month was restated), ``passing`` (a month went by and came exactly as
        forecast: what remains is fitting anew) or ``news`` (it came differently); of what follows from other series all
        is ``parts``, what came in those. ``datum`` is None for ``beside`` and ``parts``.
    check : DataFrame
        ``month, actual, y_hat, lo-80, hi-80, inside-80, ..., pit``: the new months against the old forecast. ``pit`` is
        the probability that the old forecast gave to less than what came, 0.5 where it came as the median.
    before, after : Forecast
    departure : float
        The probability, were the old forecast right, that the new months together lie as far to one side; NaN below two
        months.
    """

    table: pd.DataFrame
    moved: pd.DataFrame
    check: pd.DataFrame
    before: Forecast
    after: Forecast
    departure: float = np.nan

    @property
    def status(self) -> str:
        """``nothing_new``, ``restated`` (no new month), ``inside``, ``outside`` (the last one) or ``off_track``."""
        if self.check.empty:
            return "nothing_new" if self.moved.empty else "restated"
        if self.departure < _OFF:
            return "off_track"
        return "inside" if self.check[f"inside-{max(self.before.level):g}"].iloc[-1] else "outside"

    def contributions(self) -> pd.DataFrame:
        """Return one row a datum and cause: ``datum, cause, was, now, contribution``, that to the last month ahead."""
        last = self.moved[self.moved["month"] == self.moved["month"].max()]
        return last.drop(columns="month").reset_index(drop=True)

    def reading(self, lang: str | None = None) -> str:
        """Return what came, what it means for the forecast and which datum moved it most."""
        lang = language(lang)
        f, status = self.before, self.status
        label = in_language(f.label, lang) or t("forecasting.the_series", lang)
        if status == "nothing_new":
            return t("forecasting.revision_none", lang, label=label)
        said = []
        if len(self.check):
            row, widest = self.check.iloc[-1], max(f.level)
            far = 2 * min(row["pit"], 1 - row["pit"])
            said.append(t(f"forecasting.revision_{'inside' if row[f'inside-{widest:g}'] else 'outside'}", lang,
                          label=label, month=f._month(row["month"], lang), actual=f.said(row["actual"], lang),
                          expected=f.said(row["y_hat"], lang), level=f"{widest:g}",
                          lo=f.said(row[f"lo-{widest:g}"], lang), hi=f.said(row[f"hi-{widest:g}"], lang),
                          odds=percent(far, 0) if far >= 0.01 else "<1%"))
            if status == "off_track":
                said.append(t("forecasting.off_track", lang, n=len(self.check), odds=percent(self.departure, 1)))
        if self.table.empty:
            said.append(t("forecasting.revision_over", lang))
        else:
            said += self._moved_words(lang)
        return ("" if lang == "zh" else " ").join(said)

    def _moved_words(self, lang: str) -> list[str]:
        f, last = self.before, self.table.iloc[-1]
        month = f._month(last["month"], lang)
        share = last["change"] if f.kind == "ratio" else last["change_pct"] / 100
        if not np.isfinite(share) or abs(share) < 0.0005:
            return [t("forecasting.revision_still", lang, month=month, new=f.said(last["new"], lang))]
        said = [t("forecasting.revision_moved", lang, month=month, old=f.said(last["old"], lang),
                  new=f.said(last["new"], lang), change=self._change(last["change"], last["old"], lang))]
        rows = self.contributions()
        whose = rows["cause"].where(rows["datum"].isna(), rows["datum"].astype(str))
        by = rows["contribution"].groupby(whose, sort=False)
        rows = rows[whose == by.sum().abs().idxmax()]
        parts = {row["cause"]: self._change(row["contribution"], last["old"], lang) for _, row in rows.iterrows()}
        row = rows.iloc[0]
        month = f._month(row["datum"], lang)
        if by.ngroups > 1:
            cause = month if row["cause"] in ("passing", "news") else self._cause(row, lang)
            said.append(t("forecasting.revision_most", lang, cause=cause,
                          change=self._change(rows["contribution"].sum(), last["old"], lang)))
        if "passing" in parts:
            said.append(t("forecasting.revision_parts", lang, datum=month, **parts))
        return said

    def _change(self, change: float, old: float, lang: str) -> str:
        if self.before.kind == "ratio":
            return t("forecasting.points", lang, n=f"{change * 100:+.1f}")
        said = ("+" if change > 0 else "") + self.before.said(change, lang)      # as the table below has it
        return said + (f", {change / old:+.1%}" if old else "")

    def _cause(self, row, lang: str) -> str:
        return t(f"forecasting.cause_{row['cause']}", lang, month=self.before._month(row["datum"], lang))

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw old and new forecast and what came; see ``charts.forecasting.plot_revision``."""
        from ..charts.forecasting import plot_revision

        return plot_revision(self, ax=ax, lang=lang, **options)

    def to_html(self, lang: str | None = None) -> str:
        """Return the tables of the revision as HTML: what came, what changed, which datum moved it."""
        lang = language(lang)
        f, label = self.before, in_language(self.before.label, lang) or self.before.unique_id
        caption = t("forecasting.revision_caption", lang, label=label)
        if self.check.empty and self.table.empty:
            return html_table(self.table, caption=caption, lang=lang, notes=[self.reading(lang)],
                              heads=heads_of(self.table, lang))
        limits = [c for c in self.check if c[:3] in ("lo-", "hi-")]
        said = {c: lambda v: f.said(v, lang) for c in ("actual", "y_hat", "old", "new", "was", "now", *limits)}
        said |= {c: lambda v: ("+" if v > 0 else "") + f.said(v, lang) for c in ("change", "contribution")}
        said |= {"change_pct": "{:+.1f}", "pit": lambda v: percent(v, 0)}
        last = [t("forecasting.pit_note", lang), *([] if len(self.table) else [self.reading(lang)])]
        parts = []
        if len(self.check):
            parts.append(html_table(self.check, caption=t("forecasting.check_caption", lang, label=label), lang=lang,
                                    heads=heads_of(self.check, lang), formats=said, notes=last))
        if len(self.table):
            shown = self.table if f.kind != "ratio" else self.table.drop(columns="change_pct")
            parts.append(html_table(shown, caption=caption, lang=lang, heads=heads_of(shown, lang), formats=said))
            rows = self.contributions()
            rows["cause"] = [self._cause(row, lang) for _, row in rows.iterrows()]
            rows = rows.drop(columns="datum")
            month = f._month(self.table["month"].iloc[-1], lang)
            parts.append(html_table(rows, lang=lang, formats=said, heads=heads_of(rows, lang),
                                    caption=t("forecasting.moved_caption", lang, month=month),
                                    notes=[self.reading(lang), t("forecasting.moved_note", lang)]))
        return "".join(parts)


def revise(before: Forecast, y, forecaster: Callable[[pd.Series, tuple[str, ...]], Forecast] | None = None) -> Revision:
    """Say what new data do to a forecast made before.

    `before` was made from the series as it was known then; `y` is the same series as it is known now: new months,
    earlier months restated, or both. A `forecaster` ``(y, models) -> Forecast`` stands in the place of ``forecast``
    with the horizon, levels and kind of `before`.

    The contributions come from forecasting again after each step, in this order: with a `forecaster`, what it knows
    beside the series now; restated months from the earliest on; then for each new month first as if it had come exactly
    as forecast, then as it came. The steps lead from the old forecast to the new one, so they add up exactly; another
    order would share out otherwise.
    """
    new = observed(as_monthly(y)[0])
    old = as_monthly(before.y)[0]
    if new.empty or new.index[-1] < old.index[-1]:
        raise SeriesError("the new data end before the old forecast starts",
                          found="no month" if new.empty else str(new.index[-1]),
                          expected=f"{old.index[-1]} or later")
    model = before.headline
    again = forecaster or (lambda y, models: forecast(y, before.horizon, before.level, models, before.kind, before.unit,
                                                      before.label, before.unique_id))
    lead = before.block(model).set_axis(pd.PeriodIndex(before.block(model)["month"]), axis=0)
    ahead = lead.index[lead.index > new.index[-1]]
    arrived = new.index[new.index > old.index[-1]]
    restated = _restated(old, new)
    after = before
    if len(arrived) or restated or forecaster:
        after = again(new, before.models)
    final = pd.Series(after.block()["y_hat"].to_numpy(), pd.PeriodIndex(after.block()["month"]))
    moved = _moved(old, new, lead["y_hat"], final.reindex(ahead), restated, arrived,
                   None if model in before.paths else lambda y: again(y, (model,)).block(), forecaster is not None)
    table = pd.DataFrame({"month": ahead, "old": lead.loc[ahead, "y_hat"].to_numpy(),
                          "new": final.reindex(ahead).to_numpy()})
    table["change"] = table["new"] - table["old"]
    table["change_pct"] = 100 * table["change"] / table["old"].abs().where(table["old"] != 0)
    check, departure = _check(before, new.loc[arrived].dropna(), lead, model)
    return Revision(describe(table, pooled=True), moved,
                    describe(check, months={"actual": "row"}, exact=["actual"], pooled=True), before, after, departure)


def _restated(old: pd.Series, new: pd.Series) -> list[pd.Period]:
    """Months up to the old origin whose value differs, appeared or went."""
    months = old.index.union(new.index[new.index <= old.index[-1]])
    was, now = old.reindex(months), new.reindex(months)
    return list(months[~((was == now) | (was.isna() & now.isna()))])


def _moved(old: pd.Series, new: pd.Series, said: pd.Series, final: pd.Series, restated, arrived,
           again: Callable[[pd.Series], pd.DataFrame] | None, beside: bool) -> pd.DataFrame:
    """The contributions: from the old data to the new in steps, forecasting again after each; in one of what follows
    from other series."""
    y, ahead, rows, path = old, final.index, [], [said.reindex(final.index)]

    def step(cause: str, datum, was: float, now: float) -> None:
        nonlocal said
        block = again(y)
        said = pd.Series(block["y_hat"].to_numpy(), pd.PeriodIndex(block["month"]))
        path.append(said.reindex(ahead))
        rows.append({"datum": datum, "cause": cause, "was": was, "now": now})

    if again is None:
        path.append(final)
        rows.append({"datum": None, "cause": "parts", "was": np.nan, "now": np.nan})
        restated, arrived = [], arrived[:0]
    elif beside:
        step("beside", None, np.nan, np.nan)
        if np.allclose(path[-1], path[-2], rtol=1e-9, equal_nan=True):     # nothing is told where nothing moved
            del rows[-1], path[-2]
    for month in restated:
        was, y = y.get(month, np.nan), y.reindex(y.index.union(pd.PeriodIndex([month], freq="M")))
        y[month] = new.get(month, np.nan)
        step("revised", month, was, y[month])
    for month in arrived[new.loc[arrived].notna()]:
        y, expected = y.reindex(pd.period_range(y.index[0], month, freq="M")), said.get(month, np.nan)
        if np.isfinite(expected):
            y[month] = expected
            step("passing", month, expected, expected)
        y[month] = new[month]
        step("news", month, expected, new[month])
    columns = ["datum", "cause", "was", "now", "month", "contribution"]
    if not rows or not len(ahead):
        return pd.DataFrame(columns=columns)
    path[-1] = final        # the last step ends at the new forecast
    return pd.concat([pd.DataFrame([row] * len(ahead)).assign(
        month=ahead, contribution=(path[n + 1] - path[n]).to_numpy()) for n, row in enumerate(rows)],
        ignore_index=True)[columns]


def _check(before: Forecast, came: pd.Series, lead: pd.DataFrame, model: str) -> tuple[pd.DataFrame, float]:
    """The new months against the old forecast, and how improbable they are together."""
    came = came[came.index.isin(lead.index)]
    rows = lead.loc[came.index]
    check = pd.DataFrame({"month": came.index, "actual": came.to_numpy(), "y_hat": rows["y_hat"].to_numpy()})
    for lv in before.level:
        low, high = rows[f"lo-{lv:g}"].to_numpy(), rows[f"hi-{lv:g}"].to_numpy()
        check[f"lo-{lv:g}"], check[f"hi-{lv:g}"] = low, high
        check[f"inside-{lv:g}"] = (came.to_numpy() >= low) & (came.to_numpy() <= high)
    at = lead.index.get_indexer(came.index)
    points = distribution(before, model, _POINTS)[:, at]
    below = (points < came.to_numpy()).mean(axis=0)
    check["pit"] = (below + (points <= came.to_numpy()).mean(axis=0)) / 2
    part = before.parts[model]
    if len(came) < 2 or not (part.sd[at] > 0).all():
        return check, np.nan
    # Months of one forecast err together: the sum of their normal scores has the spread that its paths have.
    corr = part.cov[np.ix_(at, at)] / np.outer(part.sd[at], part.sd[at])
    score = ndtri(check["pit"].clip(0.5 / _POINTS, 1 - 0.5 / _POINTS).to_numpy()).sum() / np.sqrt(corr.sum())
    return check, float(2 * ndtr(-abs(score)))
