"""The backtest of a whole branch, or of any set of series: one long table, a trust grade each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ebank_lib.cleaning import Cleaned, clean
from ebank_lib.display import html_table
from ebank_lib.errors import EbankError, SeriesError
from ebank_lib.pools import pool
from ebank_lib.wording import language, percent, t

from .backtest import Backtest, at_origin, backtest, cutoffs_of, empty_table, scores_of
from .context import Context
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
    label: object = field(default="", repr=False)

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
        by = dict(iter(self._scores.groupby("unique_id", sort=False)))
        return {uid: self.parts[uid].grade(model, by.get(uid, self._scores.iloc[:0])) if uid in self.parts else none
                for uid in self.labels}

    def scores(self) -> pd.DataFrame:
        """Return each method's accuracy on each series, see :meth:`Backtest.scores`."""
        return self._scores.copy()

    # All series in one call, and once: the measures cost as much for one series as for twenty.
    @cached_property
    def _scores(self) -> pd.DataFrame:
        rows = [part.scored().assign(unique_id=uid) for uid, part in self.parts.items()]
        rows = [known for known in rows if len(known)] or [empty_table(self.level)]
        out = scores_of(pd.concat(rows, ignore_index=True), self.level, "unique_id")
        return out[["unique_id", *out.columns.drop("unique_id")]]

    def reading(self, lang: str | None = None) -> str:
        """Return how many series got which grade, and why the most and the least trusted ones got theirs."""
        lang = language(lang)
        grades = self._grades()
        ranked = sorted(grades, key=lambda uid: (grades[uid].letter, np.nan_to_num(grades[uid].ratio, nan=np.inf)))
        letters = pd.Series([g.letter for g in grades.values()]).value_counts().sort_index()
        sep = "、" if lang == "zh" else ", "
        said = [t("forecasting.grades_count", lang, counts=sep.join(f"{k} {n}" for k, n in letters.items()))]
        if set(letters.index) == {"E"}:
            return said[0] + ("" if lang == "zh" else " ") + t("forecasting.trusted_none", lang)
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
                  full: str | None = None, beside: bool = True, reclean: bool = False, workers: int = 1) -> Backtests:
    """Backtest every indicator of a branch, or every series of a frame.

    Parameters
    ----------
    data : Cleaned, DataFrame or mapping of name to Series
        A cleaned source, whose indicators are forecast as :func:`ebank_lib.forecasting.forecast_indicator` does, or
        series as :func:`ebank_lib.forecasting.forecast_many` takes them.
    branch : str, optional
        Of a cleaned source; needed with it.
    indicators : names, optional
        Of a cleaned source, its indicators or its groups of them; default: all of its catalogue.
    models, horizon, origins, level, kind
        As in :func:`ebank_lib.forecasting.backtest`; an indicator's own kind is the catalogue's.
    full : str, optional
        Try all `models` on this indicator only, and on the others the first and seasonal naive, which is what a grade
        needs. It is added to the indicators where it is not among them.
    beside : bool
        Of a cleaned source: test the forecasts of :func:`ebank_lib.forecasting.forecast_indicator`, with all that is
        known beside a series; else those of :func:`ebank_lib.forecasting.forecast`, which needs a fraction of the time.
    reclean : bool
        Clean the source anew at each origin from the cells up to it, so that no repair that needed a later month helps
        an earlier forecast. About half a second an origin on the sample.
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
    how = {"models": models, "horizon": horizon, "level": level}
    if isinstance(data, Cleaned):
        if branch is None:
            raise SeriesError("a cleaned source has many branches", expected="branch=, the id of one of them",
                              hint=f"Known: {', '.join(data.branches[:40])}")
        keys = _keys(data.catalog, indicators, full)
        few = how if full is None else how | {"models": tuple(dict.fromkeys((models[0], "snaive")))}
        found = _of_branch(data, branch, {key: how if key == full else few for key in keys}, origins, beside, reclean,
                           workers)
        labels = {key: data.catalog.indicator(key).short_label for key in keys}
        units = {key: _unit(data.catalog, key) for key in keys}
        label = data.catalog.branch(branch).label
    else:
        jobs = [(uid, y, own or kind, how, origins) for uid, y, own in _series_of(data)]
        found = dict(zip([job[0] for job in jobs], _shared_out(_one, jobs, workers), strict=True))
        labels, units, label = {uid: uid for uid in found}, {}, ""
    if not found:
        raise SeriesError("no series to test", expected="at least one")
    parts, reasons, tables = {}, {}, []
    for uid, result in found.items():
        if isinstance(result, str):
            reasons[uid] = result
            tables.append(pd.DataFrame({"unique_id": uid, "model": list(models), "reason": result}))
            continue
        parts[uid] = replace(result, unit=units.get(uid, ""), label=labels[uid])
        tables.append(parts[uid].table)
        reasons[uid] = _why_empty(parts[uid])
    table = pd.concat([x for x in tables if len(x)] or tables, ignore_index=True)
    return Backtests(table, models, level, horizon, parts, reasons, labels, label)


def _keys(catalog, indicators, full: str | None) -> list[str]:
    names = catalog.indicators if indicators is None else np.atleast_1d(indicators).tolist()
    found = []
    for name in names:
        group = [key for key, what in catalog.indicators.items() if what.group == name]
        found += group or [catalog.indicator(name).key]
    return list(dict.fromkeys(found + ([] if full is None else [catalog.indicator(full).key])))


def _unit(catalog, key: str) -> Callable:
    return lambda lang=None: catalog.unit_label(key, lang)


def _shared_out(work: Callable, jobs: list, workers: int) -> list:
    """Do the jobs in this process or in several, results in the order of the jobs."""
    if workers < 2 or len(jobs) < 2:
        return [work(job) for job in jobs]
    with pool(workers) as processes:
        return list(processes.map(work, jobs))


def _one(job) -> Backtest | str:
    uid, y, kind, how, origins = job
    try:
        return backtest(y, **how, origins=origins, kind=kind, unique_id=uid)
    except EbankError as error:
        return str(error)


def _of_branch(cleaned: Cleaned, branch: str, how: dict[str, dict], origins: int, beside: bool, reclean: bool,
               workers: int) -> dict[str, Backtest]:
    """The backtests of a branch, shared out by origin: what the branches say together is learnt once an origin."""
    branch = cleaned.branch_id(branch)
    series, wanted = {}, {}
    for key in how:
        y = cleaned.series(branch, key)
        series[key] = y.loc[y.first_valid_index(): y.last_valid_index()] if y.notna().any() else y.iloc[:0]
        for n in cutoffs_of(len(series[key]), how[key]["horizon"], origins):
            wanted.setdefault(series[key].index[n - 1], []).append(key)
    then = cleaned if reclean else Context.of(cleaned)
    jobs = [(then, beside, branch, cutoff, {key: (series[key], how[key]) for key in wanted[cutoff]})
            for cutoff in sorted(wanted)]
    blocks = _shared_out(_at, jobs, workers)
    found = {}
    for key in how:
        of = [block for part in blocks for uid, block in part if uid == key]
        table = pd.concat(of, ignore_index=True) if of else empty_table(how[key]["level"])
        found[key] = Backtest(table, **how[key], kind=kind_of(cleaned.catalog.indicator(key)), y=series[key])
    return found


def _at(job) -> list[tuple[str, pd.DataFrame]]:
    """What was said of each indicator at one origin."""
    known, beside, branch, cutoff, series = job
    if isinstance(known, Cleaned):
        known = Context.of(clean(known.source, known.policy, start=known.months[0], end=cutoff, cells=known.cells))
    context, said = known.until(cutoff), []
    for key, (y, how) in series.items():
        past = context.series(branch, key) if branch in context.present else y.iloc[:0]
        kind = context.kind(key)
        forecaster = _beside(context, branch, key) if beside else None
        said.append((key, at_origin(y, past, cutoff, how["horizon"], how["level"], how["models"], kind, key,
                                    forecaster)))
    return said


def _beside(context: Context, branch: str, key: str) -> Callable:
    return lambda past, horizon, level, models, cutoff: context.forecast(branch, key, horizon, level, models)


def as_known(cleaned: Cleaned, branch: str, indicator: str) -> Callable[[pd.Period], pd.Series]:
    """Return what a series was as known at the end of a month, for ``backtest(..., as_known=...)``.

    The source is cleaned anew from the cells up to that month; what a later month proved is not used.
    """
    def known(month: pd.Period) -> pd.Series:
        then = clean(cleaned.source, cleaned.policy, start=cleaned.months[0], end=month, cells=cleaned.cells)
        if cleaned.branch_id(branch) not in then.branches:      # it had not reported yet
            return pd.Series(dtype=float, index=pd.PeriodIndex([], freq="M"))
        return then.series(branch, indicator)

    return known


def _why_empty(b: Backtest) -> str:
    """Why nothing of a series could be scored, "" where something could."""
    if len(b.scored()):
        return ""
    if b.table.empty:
        return f"too few months for an origin; found {len(b.y.dropna())}; expected at least 25"
    return next((r for r in b.table["reason"] if r), "no month after an origin is known")
