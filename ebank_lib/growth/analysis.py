"""All indicators of one branch: how fast they grow, how steadily, and whether either changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table
from ebank_lib.errors import UnknownNameError
from ebank_lib.growth import measures
from ebank_lib.growth.measures import as_month, as_months, growth, log_growth, robust_sd, total12, trend, volatility
from ebank_lib.wording import language, month_name, number, percent, t

__all__ = ["GrowthAnalysis", "analyse_growth"]


@dataclass(frozen=True)
class GrowthAnalysis:
    """Growth of one branch's indicators.

    Attributes
    ----------
    table : DataFrame
        ``indicator, month, y, mom, base, yoy, index, total12, note``: one row an indicator and month. ``index`` is
        ``mom + 1``; ``total12`` only for flows; ``note`` says why ``mom`` is missing.
    summary : DataFrame
        One row an indicator, see :func:`analyse_growth`.
    notes : tuple of str
        What could not be computed, in the language in use when it was.
    """

    branch: str
    catalog: Catalog = field(repr=False)
    base_month: pd.Period
    table: pd.DataFrame = field(repr=False)
    summary: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()
    events: tuple = field(default=(), repr=False)

    def series(self, indicator: str, column: str = "y") -> pd.Series:
        """Return one column of the table for one indicator, by month."""
        if indicator not in self._rows_of:
            raise UnknownNameError("indicator", indicator, self.summary["indicator"])
        rows, months = self._rows_of[indicator]
        return pd.Series(self.table[column].to_numpy()[rows], months, name=indicator)

    @cached_property
    def _rows_of(self) -> dict[str, tuple[np.ndarray, pd.PeriodIndex]]:
        """Each indicator's rows of the table and its months: pictures and readings ask hundreds of times."""
        months = pd.PeriodIndex(self.table["month"], freq="M")
        return {key: (rows, months[rows]) for key, rows in self.table.groupby("indicator", sort=False).indices.items()}

    @cached_property
    def months(self) -> pd.PeriodIndex:
        """The months from the first to the last in which the branch has a figure."""
        there = self.table.loc[self.table["y"].notna(), "month"]
        return pd.period_range(there.min(), there.max(), freq="M")

    def keys(self, kinds: Sequence[str] = ("stock", "flow"), group: str | None = None) -> list[str]:
        """Return the analysed indicators of these kinds (and group) that have a value, without net new customers,
        which have no growth of their own."""
        if group is not None and group not in self.catalog.groups:
            raise UnknownNameError("group", group, self.catalog.groups)
        new = {part for i in self.catalog.identities if i.kind == "change" for part in i.parts}
        rows = self.summary[self.summary["n"] > 0]
        return [key for key in rows["indicator"] if self.catalog.indicators[key].kind in kinds and key not in new
                and group in (None, self.catalog.indicators[key].group)]

    def full(self) -> pd.DataFrame:
        """Return the summary for recording, with what the readings say besides.

        ``of`` tells what a row counts as (size: stocks and flows, ratio, new: net new customers, none: no value);
        ``y_first, y_last, gain, base`` are the first and last value, their difference and the last multiple of the
        base month.
        """
        size, ratio = set(self.keys()), set(self.keys(("ratio",)))
        rows = []
        for key, n in zip(self.summary["indicator"], self.summary["n"], strict=True):
            y, base = self.series(key).dropna(), self.series(key, "base").dropna()
            ends = (float(y.iloc[0]), float(y.iloc[-1])) if len(y) else (math.nan, math.nan)
            rows.append({"of": "size" if key in size else "ratio" if key in ratio else "new" if n > 0 else "none",
                         "y_first": ends[0], "y_last": ends[1], "gain": ends[1] - ends[0],
                         "base": float(base.iloc[-1]) if len(base) else math.nan})
        return pd.concat([self.summary, pd.DataFrame(rows, index=self.summary.index)], axis=1)

    def groups(self, kinds: Sequence[str] = ("stock", "flow")) -> list[str]:
        """Return the groups that have something to draw, in the catalogue's order."""
        here = {self.catalog.indicators[key].group for key in self.keys(kinds)}
        return [group for group in self.catalog.groups if group in here]

    def events_for(self, keys: Sequence[str]) -> list[dict]:
        """Return the events that concern these indicators: ``month, zh, en``; one without indicators concerns all."""
        return [{"month": as_month(_get(e, "month")), "zh": str(_get(e, "zh")), "en": str(_get(e, "en"))}
                for e in self.events if not _get(e, "indicators") or set(keys) & set(_get(e, "indicators"))]

    def plot(self, kind: str = "mom", group: str | None = None, lang: str | None = None):
        """Draw ``mom`` (figure 4-1), ``base`` (4-3), ``ratio`` (4-4), ``yoy`` or ``volatility``; returns the Figure."""
        from ebank_lib.charts.growth import plot_growth, plot_volatility

        return plot_volatility(self, group, lang) if kind == "volatility" else plot_growth(self, kind, group, lang)

    def reading(self, lang: str | None = None, kind: str = "yoy", group: str | None = None) -> str:
        """Say in one sentence what the picture of this kind shows."""
        return _reading(self, language(lang), kind, group)

    def labelled(self, lang: str | None = None) -> pd.DataFrame:
        """Return the summary with labels instead of keys and verdicts in words, for showing."""
        out = self.summary.copy()
        out["indicator"] = [self.catalog.indicators[key].label(lang) for key in out["indicator"]]
        for column in ("verdict", "vol_verdict"):
            out[column] = [t(f"growth.{column}_{value}", lang) for value in out[column]]
        return out

    def _repr_html_(self) -> str:
        shown = self.labelled().query("n > 0")
        shown = shown[["indicator", "n", "mean_index", "last_yoy", "volatility", "robust", "verdict", "vol_verdict"]]
        heads = {name: t(f"growth.{name}") for name in shown.columns if name != "indicator"}
        there = self.table["y"].notna()
        months = self.table.loc[there if there.any() else slice(None), "month"]
        caption = t("growth.caption", branch=self.catalog.branch(self.branch).label(),
                    first=month_name(months.min()), last=month_name(months.max()))
        formats = {"mean_index": "{:.3f}", "last_yoy": lambda v: percent(v, sign=True), "volatility": percent,
                   "robust": percent}
        return html_table(shown, caption=caption, heads=heads, formats=formats,
                          notes=[t("growth.method"), *self.notes])


def analyse_growth(data, branch: str, catalog: Catalog | None = None, indicators: Sequence[str] | None = None,
                   base_month: pd.Period | str | None = None, events: Sequence = ()) -> GrowthAnalysis:
    """Analyse the growth of a branch's indicators.

    Parameters
    ----------
    data : Cleaned or DataFrame
        What cleaning hands on; or a panel with index ``(branch, month)`` and a float column an indicator, in base
        units, which needs `catalog`.
    branch, indicators : str, sequence of str
        Default: every indicator of the catalogue that the panel has.
    base_month : Period or str, optional
        Of 定基; default the first month in which at least half of the branch's indicators are above zero.
    events : sequence, optional
        Default: the source's. Objects with ``month, indicators, branches`` and ``zh, en``; marked in the pictures.

    Returns
    -------
    GrowthAnalysis
        Its ``summary`` has for each indicator: ``n`` months with a value, ``missing``, ``mean_index`` (mean of
        month-on-month indices), ``geo_mean`` (geometric), ``last_yoy`` (of the panel's last month), ``volatility`` (sd
        of log growth), ``robust`` (1.4826 MAD), ``vol_first, vol_last`` (12-month volatility of the first and last
        year), ``slope, p_value, verdict`` (trend of log growth, per month) and ``vol_slope, vol_p, vol_verdict`` (trend
        of its absolute deviations from that trend: whether growth becomes more or less steady), see :func:`trend`.

    Raises
    ------
    UnknownNameError
        Branch or indicator; lists what exists.
    """
    catalog = data.catalog if catalog is None else catalog
    branch = catalog.branch(branch).id
    whole = isinstance(data, pd.DataFrame)
    known = data.index.get_level_values("branch").unique() if whole else data.branches
    if branch not in known:
        raise UnknownNameError("branch in the panel", branch, known)
    frame = (data.xs(branch, level="branch") if whole else data.block(branch)).sort_index()
    if not whole:
        events = events or data.source.config.events
    keys = [k for k in catalog.indicators if k in frame.columns] if indicators is None else list(indicators)
    for key in keys:
        if catalog.indicator(key).key not in frame.columns:
            raise UnknownNameError("indicator", key, frame.columns)
    base = as_month(base_month) if base_month is not None else _first_month(frame[keys])
    if base not in frame.index:
        raise UnknownNameError("base month", base, [str(frame.index[0]), "…", str(frame.index[-1])])
    table = pd.concat([_rows(frame[key], key, catalog.indicators[key].kind, base) for key in keys], ignore_index=True)
    summary = pd.DataFrame([_summary(frame[key], key) for key in keys])
    notes = tuple(_notes(frame[keys], catalog, base))
    mine = tuple(e for e in events if not _get(e, "branches") or branch in _get(e, "branches"))
    return GrowthAnalysis(branch, catalog, base, table, summary, notes, mine)


def _first_month(frame: pd.DataFrame) -> pd.Period:
    """Return the month in which a branch's figures begin."""
    there = frame.loc[:, (frame > 0).any()] > 0
    share = there.mean(axis=1)
    begun = there.index[share >= min(0.5, share.max())] if there.shape[1] else there.index
    return begun[0]


def _get(event: object, name: str):
    return event.get(name) if isinstance(event, dict) else getattr(event, name, None)


def _rows(y: pd.Series, key: str, kind: str, base: pd.Period) -> pd.DataFrame:
    y = as_months(y)
    mom = growth(y)
    return pd.DataFrame({
        "indicator": key, "month": y.index, "y": y.to_numpy(), "mom": mom.to_numpy(),
        "base": growth(y, "base", base).to_numpy(), "yoy": growth(y, "yoy").to_numpy(), "index": mom.to_numpy() + 1,
        "total12": (total12(y) if kind == "flow" else y * np.nan).to_numpy(), "note": _why_missing(y)})


def _why_missing(y: pd.Series) -> np.ndarray:
    earlier = y.shift(1)
    codes = np.select(
        [y.isna(), np.arange(len(y)) == 0, earlier.isna(), (earlier <= 0) | (y < 0)],
        ["missing", "first", "earlier_missing", "not_positive"], default="")
    return codes.astype(object)


def _summary(y: pd.Series, key: str) -> dict:
    y, dlog = as_months(y), log_growth(y)
    mom, yoy, vol = growth(y), growth(y, "yoy"), volatility(y).dropna()
    drift = trend(dlog)
    time = pd.Series(np.arange(len(dlog), dtype=float), dlog.index)
    centred = dlog - drift.slope * time if drift.n >= measures.MIN_TREND else dlog
    spread = trend((centred - centred.median()).abs())
    return {"indicator": key, "n": int(y.notna().sum()), "missing": int(y.isna().sum()),
            "mean_index": float(mom.mean() + 1), "geo_mean": float(np.exp(dlog.mean())),
            "last_yoy": float(yoy.iloc[-1]),
            "volatility": float(dlog.std()), "robust": robust_sd(dlog),
            "vol_first": float(vol.iloc[0]) if len(vol) else math.nan,
            "vol_last": float(vol.iloc[-1]) if len(vol) else math.nan,
            "slope": drift.slope, "p_value": drift.p_value, "verdict": drift.verdict,
            "vol_slope": spread.slope, "vol_p": spread.p_value, "vol_verdict": spread.verdict}


def _notes(frame: pd.DataFrame, catalog: Catalog, base: pd.Period) -> list[str]:
    def names(keys) -> str:
        return "、".join(catalog.indicators[k].short_label() for k in keys) if language() == "zh" else ", ".join(
            catalog.indicators[k].short_label() for k in keys)

    notes = []
    empty = [k for k in frame.columns if frame[k].isna().all()]
    if empty:
        notes.append(t("growth.note_empty", n=len(empty), names=names(empty)))
    # A branch that began late or ended early misses nothing outside its own time.
    alive = frame.index[frame.notna().any(axis=1)]
    own = frame.loc[alive.min():alive.max()] if len(alive) else frame
    gaps = {k: int(own[k].isna().sum()) for k in frame.columns if k not in empty}
    if any(gaps.values()):
        most = max(gaps, key=gaps.get)
        notes.append(t("growth.note_missing", n=sum(g > 0 for g in gaps.values()),
                       most=catalog.indicators[most].short_label(), months=gaps[most]))
    no_base = [k for k in frame.columns if not frame.loc[base, k] > 0 and frame[k].notna().any()]
    if no_base:
        notes.append(t("growth.note_base", names=names(no_base), month=month_name(base)))
    low = [k for k in frame.columns if (frame[k] <= 0).any()]
    if low:
        notes.append(t("growth.note_not_positive", names=names(low)))
    return notes


def _times(value: float, lang: str) -> str:
    text = f"{value:.2f}" if value < 100 else number(value, "", lang)
    return t(f"growth.times_{'up' if value >= 1 else 'down'}", lang, value=text)


def _reading(result: GrowthAnalysis, lang: str, kind: str, group: str | None) -> str:
    kinds = ("ratio",) if kind == "ratio" else ("stock", "flow")
    rows = result.summary[result.summary["indicator"].isin(result.keys(kinds, group))].set_index("indicator")
    label = {k: result.catalog.indicators[k].short_label(lang) for k in rows.index}
    who = result.catalog.branch(result.branch).label(lang)
    there = result.table[result.table["indicator"].isin(rows.index) & result.table["y"].notna()]
    months = there["month"] if len(there) else result.table["month"]
    if kind == "ratio":
        if not any(result.catalog.indicators[k].kind == "ratio" for k in result.summary["indicator"]):
            return t("growth.reading_without_ratio", lang, branch=who)
        first, last = ({k: result.series(k).dropna().iloc[i] for k in rows.index if result.series(k).notna().any()}
                       for i in (0, -1))
        gain = {k: last[k] - first[k] for k in last}
        if not gain:
            return t("growth.reading_no_ratio", lang, branch=who)
        bounded = [k for k in gain if result.catalog.indicators[k].bounded]
        best = max(bounded or gain, key=gain.get)
        return t("growth.reading_ratio", lang, branch=who, up=sum(g > 0 for g in gain.values()), n=len(gain),
                 best=label[best], before=percent(first[best]), after=percent(last[best]))
    column = {"mom": "mean_index", "volatility": "volatility", "base": "geo_mean"}.get(kind, "last_yoy")
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return t("growth.reading_nothing", lang, branch=who)
    high, low = rows[column].idxmax(), rows[column].idxmin()
    values = {"branch": who, "n": len(rows), "high": label[high], "low": label[low],
              "first": month_name(months.min(), lang), "last": month_name(months.max(), lang)}
    if kind == "mom":
        mean = rows["mean_index"] - 1
        return t("growth.reading_mom", lang, up=int((mean > 0).sum()), high_value=percent(mean[high], 1, True),
                 low_value=percent(mean[low], 1, True), **values)
    if kind == "volatility":
        more = int((rows["vol_verdict"] == "rises").sum())
        key = "growth.reading_volatility" if more else "growth.reading_volatility_none"
        return t(key, lang, high_value=percent(rows.loc[high, column]), more=more,
                 low_value=percent(rows.loc[low, column]), **values)
    if kind == "base":
        final = {k: result.series(k, "base").dropna() for k in rows.index}
        final = {k: float(v.iloc[-1]) for k, v in final.items() if len(v)}
        if not final:
            return t("growth.reading_nothing", lang, branch=who)
        high, low = max(final, key=final.get), min(final, key=final.get)
        values |= {"high": label[high], "low": label[low]}
        return t("growth.reading_base", lang, base=month_name(result.base_month, lang),
                 high_value=_times(final[high], lang), low_value=_times(final[low], lang), **values)
    return t("growth.reading_yoy", lang, high_value=percent(rows.loc[high, column], 0, True),
             low_value=percent(rows.loc[low, column], 0, True), **values)
