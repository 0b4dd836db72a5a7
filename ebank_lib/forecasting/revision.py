"""A new month arrives: was it within the limits, and what does it do to the forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ..display import Shown, describe, html_table
from ..errors import SeriesError
from ..wording import language, percent, t
from .forecast import Forecast, distribution, heads_of, in_language

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
    check : DataFrame
        ``month, actual, y_hat, lo-80, hi-80, inside-80, ..., pit``: the new months against the old forecast. ``pit`` is
        the probability that the old forecast gave to less than what came, 0.5 where it came as the median.
    before, after : Forecast
    departure : float
        The probability, were the old forecast right, that the new months together lie as far to one side; NaN below two
        months.
    """

    table: pd.DataFrame
    check: pd.DataFrame
    before: Forecast
    after: Forecast
    departure: float = np.nan

    @property
    def status(self) -> str:
        """``nothing_new``, ``inside``, ``outside`` (the last month) or ``off_track`` (all of them together)."""
        if self.check.empty:
            return "nothing_new"
        if self.departure < _OFF:
            return "off_track"
        return "inside" if self.check[f"inside-{max(self.before.level):g}"].iloc[-1] else "outside"

    def reading(self, lang: str | None = None) -> str:
        """Return what came and what it means for the forecast."""
        lang = language(lang)
        f, status = self.before, self.status
        label = in_language(f.label, lang) or t("forecasting.the_series", lang)
        if status == "nothing_new":
            return t("forecasting.revision_none", lang, label=label)
        row, widest = self.check.iloc[-1], max(f.level)
        far = 2 * min(row["pit"], 1 - row["pit"])
        said = [t(f"forecasting.revision_{'inside' if row[f'inside-{widest:g}'] else 'outside'}", lang,
                  label=label, month=f._month(row["month"], lang), actual=f.said(row["actual"], lang),
                  expected=f.said(row["y_hat"], lang), level=f"{widest:g}",
                  lo=f.said(row[f"lo-{widest:g}"], lang), hi=f.said(row[f"hi-{widest:g}"], lang),
                  odds=percent(far, 0) if far >= 0.01 else "<1%")]
        if status == "off_track":
            said.append(t("forecasting.off_track", lang, n=len(self.check), odds=percent(self.departure, 1)))
        said.append(self._moved(lang))
        return ("" if lang == "zh" else " ").join(said)

    def _moved(self, lang: str) -> str:
        if self.table.empty:
            return t("forecasting.revision_over", lang)
        f, last = self.before, self.table.iloc[-1]
        month, new = f._month(last["month"], lang), f.said(last["new"], lang)
        share = last["change"] if f.kind == "ratio" else last["change_pct"] / 100
        if not np.isfinite(share) or abs(share) < 0.0005:
            return t("forecasting.revision_still", lang, month=month, new=new)
        change = t("forecasting.points", lang, n=f"{share * 100:+.1f}") if f.kind == "ratio" else (
            f"{'+' if share > 0 else ''}{f.said(last['change'], lang)}, {share:+.1%}")    # as the table below has it
        return t("forecasting.revision_moved", lang, month=month, old=f.said(last["old"], lang), new=new, change=change)

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw old and new forecast and what came; see ``charts.forecasting.plot_revision``."""
        from ..charts.forecasting import plot_revision

        return plot_revision(self, ax=ax, lang=lang, **options)

    def to_html(self, lang: str | None = None) -> str:
        """Return the tables of the revision as HTML: what came, what changed."""
        lang = language(lang)
        f, label = self.before, in_language(self.before.label, lang) or self.before.unique_id
        limits = [c for c in self.check if c[:3] in ("lo-", "hi-")]
        said = {c: lambda v: f.said(v, lang) for c in ("actual", "y_hat", "old", "new", *limits)}
        said |= {"change": lambda v: ("+" if v > 0 else "") + f.said(v, lang), "change_pct": "{:+.1f}",
                 "pit": lambda v: percent(v, 0)}
        shown = self.table if f.kind != "ratio" else self.table.drop(columns="change_pct")
        moved = html_table(shown, caption=t("forecasting.revision_caption", lang, label=label), lang=lang,
                           heads=heads_of(shown, lang), formats=said, notes=[self.reading(lang)])
        if self.check.empty:
            return moved
        return html_table(self.check, caption=t("forecasting.check_caption", lang, label=label), lang=lang,
                          heads=heads_of(self.check, lang), formats=said,
                          notes=[t("forecasting.pit_note", lang)]) + moved


def revise(before: Forecast, after: Forecast) -> Revision:
    """Say what new data did to a forecast: `after` is of the same series as `before`, as it is known now."""
    y = after.y
    if y.index[-1] < before.y.index[-1]:
        raise SeriesError("the new forecast starts before the old one", found=str(y.index[-1]),
                          expected=f"{before.y.index[-1]} or later")
    old, new = before.block().set_index("month"), after.block().set_index("month")["y_hat"]
    ahead = old.index.intersection(new.index)
    table = pd.DataFrame({"month": ahead, "old": old.loc[ahead, "y_hat"].to_numpy(), "new": new[ahead].to_numpy()})
    table["change"] = table["new"] - table["old"]
    table["change_pct"] = 100 * table["change"] / table["old"].abs().where(table["old"] != 0)
    check, departure = _check(before, y[y.index > before.y.index[-1]].dropna(), old)
    return Revision(describe(table, pooled=True),
                    describe(check, months={"actual": "row"}, exact=["actual"], pooled=True), before, after, departure)


def _check(before: Forecast, came: pd.Series, said: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The new months against the old forecast, and how improbable they are together."""
    came = came[came.index.isin(said.index)]
    rows, actual, at = said.loc[came.index], came.to_numpy(), said.index.get_indexer(came.index)
    check = pd.DataFrame({"month": came.index, "actual": actual, "y_hat": rows["y_hat"].to_numpy()})
    for lv in before.level:
        low, high = rows[f"lo-{lv:g}"].to_numpy(), rows[f"hi-{lv:g}"].to_numpy()
        check[f"lo-{lv:g}"], check[f"hi-{lv:g}"] = low, high
        check[f"inside-{lv:g}"] = (actual >= low) & (actual <= high)
    points = distribution(before, before.headline, _POINTS)[:, at]
    check["pit"] = ((points < actual).mean(axis=0) + (points <= actual).mean(axis=0)) / 2
    part = before.parts[before.headline]
    if len(came) < 2 or not (part.sd[at] > 0).all():
        return check, np.nan
    # Months of one forecast err together: the sum of their normal scores has the spread that its paths have.
    corr = part.cov[np.ix_(at, at)] / np.outer(part.sd[at], part.sd[at])
    score = ndtri(check["pit"].clip(0.5 / _POINTS, 1 - 0.5 / _POINTS).to_numpy()).sum() / np.sqrt(corr.sum())
    return check, float(2 * ndtr(-abs(score)))
