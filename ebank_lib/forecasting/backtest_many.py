"""The backtest of a whole branch, or of any set of series: one long table, a trust grade each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
import pandas as pd

from ebank_lib.cleaning import Cleaned, clean
from ebank_lib.display import html_table
from ebank_lib.errors import EbankError, SeriesError
from ebank_lib.wording import language, percent, t

from .backtest import Backtest, backtest, cutoffs_of
from .forecast import DEFAULT, checked, in_language, kind_of
from .many import _series_of
from .trust import Grade

__all__ = ["Backtests", "as_known", "backtest_many"]

COLUMNS = ["unique_id", "letter", "ratio", "smape", "coverage", "n", "reason"]


@dataclass(frozen=True)
class Backtests:
    """Backtests of many series; see :func:`backtest_many`.

    Attributes
    ----------
    table : DataFrame
        The tables of :class:`Backtest`, one below the other; a series that could not be tested keeps a row a method
        with the reason.
    parts : mapping of unique_id to Backtest
        In the order of the input; what failed is not there.
    reasons : mapping of unique_id to str
        Why a series could not be tested.
    """

    table: pd.DataFrame = field(repr=False)
    models: tuple[str, ...]
    level: tuple[float, ...]
    horizon: int
    parts: Mapping[str, Backtest] = field(repr=False)
    reasons: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, object] = field(default_factory=dict, repr=False)
    label: object = ""

    def grades(self, model: str | None = None) -> pd.DataFrame:
        """Return the trust grade of one method (default: the first) on each series.

        Returns
        -------
        DataFrame
            ``unique_id, letter, ratio, smape, coverage, n, reason``: ``ratio`` is the mean absolute error against
            seasonal naive's, ``smape`` in per cent, ``coverage`` the share within the widest limits, ``n`` the origins.
        """
        rows = [(uid, g.letter, g.ratio, g.smape, g.coverage, g.origins, self.reasons.get(uid, ""))
                for uid, g in self._grades(model).items()]
        return pd.DataFrame(rows, columns=COLUMNS).astype({"n": int})

    def _grades(self, model: str | None = None) -> dict[str, Grade]:
        none = Grade("E", np.nan, np.nan, np.nan, max(self.level), 0)
        return {uid: self.parts[uid].grade(model) if uid in self.parts else none for uid in self.labels}

    def scores(self) -> pd.DataFrame:
        """Return each method's accuracy on each series, see :meth:`Backtest.scores`."""
        tables = [part.scores().assign(unique_id=uid) for uid, part in self.parts.items()]
        if not tables:
            return pd.DataFrame(columns=["unique_id", "model"])
        out = pd.concat(tables, ignore_index=True)
        return out[["unique_id", *out.columns.drop("unique_id")]]

    def reading(self, lang: str | None = None) -> str:
        """Return how many series got which grade, and why the most and the least trusted ones got theirs."""
        lang = language(lang)
        grades = self._grades()
        ranked = sorted(grades, key=lambda uid: (grades[uid].letter, np.nan_to_num(grades[uid].ratio, nan=np.inf)))
        letters = pd.Series([g.letter for g in grades.values()]).value_counts().sort_index()
        sep = "、" if lang == "zh" else ", "
        said = [t("forecasting.grades_count", lang, counts=sep.join(f"{k} {n}" for k, n in letters.items()))]
        for key, uid in zip(("trusted_most", "trusted_least"), dict.fromkeys((ranked[0], ranked[-1])), strict=False):
            said.append(t(f"forecasting.{key}", lang, label=self._label(uid, lang), why=grades[uid].reading(lang)))
        return ("" if lang == "zh" else " ").join(said)

    def _label(self, uid: str, lang: str) -> str:
        return in_language(self.labels[uid], lang) or uid

    def to_html(self, lang: str | None = None) -> str:
        """Return the grades as HTML, with the rule below."""
        lang = language(lang)
        shown = self.grades()
        shown["unique_id"] = [self._label(uid, lang) for uid in shown["unique_id"]]
        shown = shown if shown["reason"].any() else shown.drop(columns="reason")
        heads = {"unique_id": t("general.indicator", lang), "letter": t("forecasting.letter", lang),
                 "ratio": t("forecasting.ratio", lang), "smape": t("forecasting.smape", lang),
                 "coverage": t("forecasting.coverage", lang, level=f"{max(self.level):g}"),
                 "n": t("forecasting.origins", lang), "reason": t("forecasting.reason", lang)}
        formats = {"ratio": "{:.2f}", "smape": "{:.1f}", "coverage": lambda v: percent(v, 0)}
        caption = t("forecasting.grades_caption", lang, label=in_language(self.label, lang),
                    model=t(f"forecasting.model_{self.models[0]}", lang))
        return html_table(shown, caption=caption, heads=heads, formats=formats, lang=lang,
                          notes=[self.reading(lang), t("forecasting.grade_rule", lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def backtest_many(data, branch: str | None = None, indicators: Iterable[str] | None = None, models=DEFAULT,
                  horizon: int = 12, origins: int = 12, level=(80, 95), kind: str | None = None,
                  reclean: bool = False, workers: int = 1) -> Backtests:
    """Backtest every indicator of a branch, or every series of a frame.

    Parameters
    ----------
    data : Cleaned, DataFrame or mapping of name to Series
        A cleaned source, or series as :func:`ebank_lib.forecasting.forecast_many` takes them.
    branch : str, optional
        Of a cleaned source; needed with it.
    indicators : names, optional
        Of a cleaned source; default: all of its catalogue.
    models, horizon, origins, level, kind
        As in :func:`ebank_lib.forecasting.backtest`; an indicator's own kind is the catalogue's.
    reclean : bool
        Clean the source anew at each origin from the cells up to it, so that no repair that needed a later month helps
        an earlier forecast. About half a second a month on the sample.
    workers : int
        Processes; 1 runs in this one.

    Returns
    -------
    Backtests

    Raises
    ------
    SeriesError
        No series; a cleaned source without a branch; options that :func:`ebank_lib.forecasting.backtest` refuses.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    horizon, level, models = checked(horizon, level, (*np.atleast_1d(models).tolist(), "snaive"))
    if origins < 1:
        raise SeriesError("the number of origins is out of range", found=origins, expected="at least 1")
    if isinstance(data, Cleaned):
        named = _of_branch(data, branch, indicators, reclean, horizon, origins)
        label = data.catalog.branch(branch).label
    else:
        named, label = [(uid, y, own or kind, "", uid, None) for uid, y, own in _series_of(data)], ""
    if not named:
        raise SeriesError("no series to test", expected="at least one")
    jobs = [(uid, y, kind, known, models, horizon, origins, level)
            for uid, y, kind, _, _, known in named]
    if workers > 1 and len(jobs) > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = list(pool.map(_one, jobs))
    else:
        done = [_one(job) for job in jobs]
    parts, reasons, tables = {}, {}, []
    for (uid, _, _, unit, name, _), found in zip(named, done, strict=True):
        if isinstance(found, str):
            reasons[uid] = found
            tables.append(pd.DataFrame({"unique_id": uid, "model": list(models), "reason": found}))
            continue
        parts[uid] = Backtest(**found, unit=unit, label=name)
        tables.append(parts[uid].table)
        reasons[uid] = _why_empty(parts[uid])
    table = pd.concat([x for x in tables if len(x)] or tables, ignore_index=True)
    return Backtests(table, models, level, horizon, parts, reasons, {job[0]: job[4] for job in named}, label)


def as_known(cleaned: Cleaned, branch: str, indicator: str) -> Callable[[pd.Period], pd.Series]:
    """Return what a series was as known at the end of a month, for ``backtest(..., as_known=...)``.

    The source is cleaned anew from the cells up to that month, once a month; what a later month proved is not used.
    """
    past = _Past(cleaned)
    return lambda month: past.series(month, branch, indicator)


class _Past:
    """A source as it was cleaned at the end of each month; each month is cleaned once for all its indicators."""

    def __init__(self, cleaned: Cleaned):
        self.cleaned, self.months = cleaned, {}

    def series(self, month: pd.Period, branch: str, indicator: str) -> pd.Series:
        if month not in self.months:
            now = self.cleaned
            self.months[month] = clean(now.source, now.policy, start=now.months[0], end=month, cells=now.cells)
        then = self.months[month]
        if self.cleaned.catalog.branch(branch).id not in then.branches:      # it had not reported yet
            return pd.Series(dtype=float, index=pd.PeriodIndex([], freq="M"))
        return then.series(branch, indicator)


def _of_branch(cleaned: Cleaned, branch, indicators, reclean: bool, horizon: int, origins: int) -> list[tuple]:
    """(unique_id, y, kind, unit, label, what was known at each cutoff or None) of a branch's indicators."""
    if branch is None:
        raise SeriesError("a cleaned source has many branches", expected="branch=, the id of one of them",
                          hint=f"Known: {', '.join(cleaned.branches[:40])}")
    keys = cleaned.catalog.indicators if indicators is None else [
        cleaned.catalog.indicator(key).key for key in ([indicators] if isinstance(indicators, str) else indicators)]
    past, found = _Past(cleaned), []
    for key in keys:
        y, what = cleaned.series(branch, key), cleaned.catalog.indicator(key)
        seen = y.loc[y.first_valid_index(): y.last_valid_index()]
        cutoffs = [seen.index[n - 1] for n in cutoffs_of(len(seen), horizon, origins)]
        known = {m: past.series(m, branch, key) for m in cutoffs} if reclean else None
        found.append((key, y, kind_of(what), cleaned.catalog.unit_label(key), what.short_label, known))
    return found


def _one(job) -> dict | str:
    uid, y, kind, known, models, horizon, origins, level = job
    try:
        b = backtest(y, models, horizon, origins, level, kind, as_known=None if known is None else known.__getitem__,
                     unique_id=uid)
    except EbankError as error:
        return str(error)
    return {"table": b.table, "models": b.models, "level": b.level, "horizon": b.horizon, "kind": b.kind, "y": b.y}


def _why_empty(b: Backtest) -> str:
    """Why nothing of a series could be scored, "" where something could."""
    if len(b.scored()):
        return ""
    if b.table.empty:
        return f"too few months for an origin; found {len(b.y.dropna())}; expected at least 25"
    return next((r for r in b.table["reason"] if r), "no month after an origin is known")
