"""The backtest of a whole branch, or of any set of series: one long table, a trust grade each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ..cleaning import Cleaned
from ..display import describe, html_table
from ..errors import EbankError, SeriesError
from ..wording import language, percent, t
from .backtest import Backtest, backtest, empty_table
from .context import Context
from .forecast import DEFAULT, checked, in_language, series_of
from .scoring import Grade, scores_of

__all__ = ["Backtests", "backtest_many"]


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
        rows = [{"unique_id": uid, **asdict(grade), "n": grade.origins, "reason": self.reasons.get(uid, "")}
                for uid, grade in self._grades(model).items()]
        table = pd.DataFrame(rows, columns=["unique_id", "letter", "ratio", "smape", "coverage", "n", "reason"])
        return describe(table.astype({"n": int}), kinds={"coverage": "percent"}, indicator="unique_id", pooled=True)

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
            said.append(t("forecasting.trusted_none", lang))
        else:
            for key, uid in zip(("trusted_most", "trusted_least"), dict.fromkeys((ranked[0], ranked[-1])),
                                strict=False):
                said.append(t(f"forecasting.{key}", lang, label=self._label(uid, lang),
                              why=grades[uid].reading(lang)))
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
                  beside: bool = True) -> Backtests:
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
        As in :func:`ebank_lib.forecasting.forecast`, ``snaive`` always among the models; an indicator's own kind is the
        catalogue's.
    beside : bool
        Of a cleaned source: test the forecasts of :func:`ebank_lib.forecasting.forecast_indicator`, with all that is
        known beside a series; else those of :func:`ebank_lib.forecasting.forecast`, which needs a fraction of the time.

    Returns
    -------
    Backtests

    Raises
    ------
    SeriesError
        No series; a cleaned source without a branch; options out of range.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    horizon, level, models = checked(horizon, level, (*np.atleast_1d(models).tolist(), "snaive"))
    if origins < 1:
        raise SeriesError("the number of origins is out of range", found=origins, expected="at least 1")
    if isinstance(data, Cleaned):
        if branch is None:
            raise SeriesError("a cleaned source has many branches", expected="branch=, the id of one of them",
                              hint=f"Known: {', '.join(data.branches[:40])}")
        asked = {key: _about(data, data.branch_id(branch), key, beside) for key in _keys(data.catalog, indicators)}
        label = data.catalog.branch(branch).label
    else:
        asked = {uid: {"y": y, "kind": own or kind, "label": uid} for uid, y, own in series_of(data)}
        label = ""
    if not asked:
        raise SeriesError("no series to test", expected="at least one")
    parts, reasons, tables = {}, {}, []
    for uid, about in asked.items():
        try:
            parts[uid] = backtest(models=models, horizon=horizon, origins=origins, level=level, unique_id=uid, **about)
            reasons[uid] = _why_empty(parts[uid])
            tables.append(parts[uid].table)
        except EbankError as error:
            reasons[uid] = str(error)
            tables.append(pd.DataFrame({"unique_id": uid, "model": list(models), "reason": str(error)}))
    table = pd.concat([x for x in tables if len(x)] or tables, ignore_index=True)
    return Backtests(table, models, level, horizon, parts, reasons,
                     {uid: about["label"] for uid, about in asked.items()}, label)


def _keys(catalog, indicators) -> list[str]:
    found = []
    for name in catalog.indicators if indicators is None else np.atleast_1d(indicators).tolist():
        group = [key for key, what in catalog.indicators.items() if what.group == name]
        found += group or [catalog.indicator(name).key]
    return list(dict.fromkeys(found))


def _about(cleaned: Cleaned, branch: str, key: str, beside: bool) -> dict:
    """What ``backtest`` is asked with: an indicator as it was known at each origin, and who forecasts it."""
    whole, y = Context.of(cleaned), cleaned.series(branch, key)

    def past(cutoff: pd.Period) -> pd.Series:
        then = whole.until(cutoff)
        return then[key].series(branch) if branch in then.present else y.iloc[:0]

    def with_all(cutoff: pd.Period, horizon: int, level, models):
        return whole.until(cutoff).forecast(branch, key, horizon, level, models)

    return {"y": y, "kind": cleaned.catalog.indicator(key), "label": cleaned.catalog.indicator(key).short_label,
            "unit": lambda lang=None: cleaned.catalog.unit_label(key, lang), "past": past,
            "forecaster": with_all if beside else None}


def _why_empty(b: Backtest) -> str:
    """Why nothing of a series could be scored, "" where something could."""
    if len(b.scored()):
        return ""
    if b.table.empty:
        return f"too few months for an origin; found {len(b.y.dropna())}; expected at least 25"
    return next((r for r in b.table["reason"] if r), "no month after an origin is known")
