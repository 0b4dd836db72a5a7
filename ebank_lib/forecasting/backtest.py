"""Rolling origin: what each method would have said, month after month, knowing only what was known then.

Order, form, weights, scale and season are chosen anew at every origin from the months up to it. Measures, grades and
the test of a difference are in :mod:`scoring`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property

import numpy as np
import pandas as pd

from ..display import Shown, describe, html_table
from ..errors import ConfigError, EbankError, SeriesError
from ..monthly import checked_count, each
from ..wording import cell, cite, join, language, listed, percent, t
from .candidates import model_name, order_name
from .forecast import DEFAULT, Forecast, checked, distribution, forecast, heads_of, in_language, reason_in_words
from .scoring import SIMPLE, SURE, Grade, compare, crps, grade_rule, scores_of
from .series import as_monthly, observed

_LEAST = 24         # months known at the first origin: two years
_BETTER = 0.8       # share of the first method's MASE from which another is said to be better
_POINTS = 400       # of a forecast's distribution: CRPS of the normal is met within 0.1 per cent


@dataclass(frozen=True, repr=False)
class Backtest(Shown):
    """What each method said at each origin, beside what came; see :func:`backtest`.

    Attributes
    ----------
    table : DataFrame
        ``unique_id, cutoff, month, horizon, model, y, y_hat, lo-80, hi-80, lo-95, hi-95, crps, scale, scale2,
        reason``: a row for each month that was then ahead and is known now. ``crps`` is the score of the whole
        distribution in units of ``y``, ``scale`` the mean absolute yearly change up to the cutoff, ``scale2`` its mean
        square.
    y : Series
        What is known now.
    """

    table: pd.DataFrame
    models: tuple[str, ...]
    level: tuple[float, ...]
    horizon: int
    kind: str | None = None
    unit: object = ""
    label: object = ""
    y: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))

    @property
    def origins(self) -> int:
        """Number of origins."""
        return self.table["cutoff"].nunique()

    @property
    def failures(self) -> pd.DataFrame:
        """``model, origins, reason``: at how many origins a method failed, and why at the last of them."""
        failed = self.table[self.table["reason"].fillna("") != ""].groupby("model", sort=False)
        return failed.agg(origins=("cutoff", "nunique"), reason=("reason", "last")).reset_index()

    @property
    def reason(self) -> str:
        """Why nothing could be scored, "" where something could."""
        if len(self._scored):
            return ""
        if self.table.empty:
            return f"too few months for an origin; found {len(self.y.dropna())}; expected at least 25"
        return next((r for r in self.table["reason"] if r), "no month after an origin is known")

    def scored(self) -> pd.DataFrame:
        """Return the rows that every method that worked at all can be compared on."""
        return self._scored.copy()

    # Worked out once: the display, the grades and the sentences all ask for it.
    @cached_property
    def _scored(self) -> pd.DataFrame:
        known = self.table[self.table["y"].notna()]
        bad = known.loc[known["y_hat"].isna(), ["cutoff", "horizon", "model"]]
        able = [m for m in known["model"].unique() if (bad["model"] == m).sum() < (known["model"] == m).sum()]
        known = known[known["model"].isin(able)]
        if bad.empty:
            return known
        out = pd.MultiIndex.from_frame(bad.loc[bad["model"].isin(able), ["cutoff", "horizon"]].drop_duplicates())
        return known[~pd.MultiIndex.from_frame(known[["cutoff", "horizon"]]).isin(out)]

    def scores(self, by: str | None = None) -> pd.DataFrame:
        """Return the accuracy of each method, the simple rules ``snaive`` and ``drift`` always among them.

        Parameters
        ----------
        by : {"horizon", "cutoff"}, optional
            Break down by this as well.

        Returns
        -------
        DataFrame
            ``model`` (and `by`), ``n``, ``mase``, ``rmsse``, ``smape``, ``wape``, ``bias`` (these three in per cent,
            the last positive when too high), ``crps`` (scaled as ``mase``), ``msis-80`` ..., ``coverage-80`` ...,
            ``ratio``: the mean absolute error against that of the better simple rule on the same months.
        """
        scores = self._by_model.copy() if by is None else scores_of(self._scored, self.level, by)
        return describe(scores, kinds={f"coverage-{lv:g}": "percent" for lv in self.level}, pooled=True)

    @cached_property
    def _by_model(self) -> pd.DataFrame:
        return scores_of(self._scored, self.level)

    def grade(self, model: str | None = None) -> Grade:
        """Return the trust grade of a method (default: the first)."""
        model = self.models[0] if model is None else model
        row = self._by_model[self._by_model["model"] == model]
        widest = max(self.level)
        if row.empty:
            return Grade("E", np.nan, np.nan, np.nan, widest, self.origins)
        row = row.iloc[0]
        ratio, smape, held = (float(row[c]) for c in ("ratio", "smape", f"coverage-{widest:g}"))
        origins = int(self._scored["cutoff"].nunique())
        return Grade(grade_rule(ratio, held, widest, origins), ratio, smape, held, widest, origins)

    def grades(self) -> pd.DataFrame:
        """Return one row a method: ``model, letter, ratio, smape, coverage, level, origins``."""
        rows = [{"model": model, **asdict(self.grade(model))} for model in self.models]
        return describe(pd.DataFrame(rows, columns=["model", *(f.name for f in fields(Grade))]),
                        kinds={"coverage": "percent"}, pooled=True)

    def reading(self, lang: str | None = None) -> str:
        """Return the grade of the first method, and what else a reader of it must know.

        Whether a lead over the simple rules could be chance, and whether another model was clearly better.
        """
        lang, first = language(lang), self.models[0]
        grade = self.grade()
        parts = [grade.reading(lang, model=first)]
        if grade.letter != "E":
            scores = self._by_model.set_index("model")
            mine, best = scores.loc[first], scores["mase"].idxmin()
            if grade.letter in "AB":
                against = compare(self, other=scores.reindex(SIMPLE)["ratio"].idxmin())
                if not (against.table["p_value"] < SURE).all():
                    parts.append(t("forecasting.lead_chance", lang,
                                   n=cite(grade.origins, cell("grade", "origins", model=first))))
            if best not in SIMPLE and scores.loc[best, "mase"] <= _BETTER * mine["mase"]:
                less, mase = (cite(f"{scores.loc[m, 'mase']:.2f}", cell("backtest", "mase", model=m))
                              for m in (best, first))
                parts.append(t("forecasting.other_better", lang, other=model_name(best, lang),
                               model=model_name(first, lang), less=less, mase=mase))
        return join(parts, "" if lang == "zh" else " ")

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw what was said at each origin against what came; see ``charts.forecasting.plot_backtest``."""
        from ..charts.forecasting import plot_backtest

        return plot_backtest(self, ax=ax, lang=lang, **options)

    def to_html(self, lang: str | None = None) -> str:
        """Return the scores as HTML, with the grade below."""
        scores = self.scores()
        scores["model"] = [model_name(m, lang) for m in scores["model"]]
        scores = scores.drop(columns=[f"msis-{lv:g}" for lv in self.level if lv != max(self.level)])
        formats = dict.fromkeys(("mase", "rmsse", "crps", f"msis-{max(self.level):g}", "ratio"), "{:.2f}")
        formats |= dict.fromkeys(("smape", "wape", "bias"), "{:.1f}")
        formats |= {f"coverage-{lv:g}": lambda v: percent(v, 0) for lv in self.level}
        caption = t("forecasting.backtest_caption", lang, n=self.origins, horizon=self.horizon,
                    label=in_language(self.label, lang) or str(self.y.name or "y"))
        return html_table(scores, caption=caption, heads=heads_of(scores, lang), formats=formats, lang=lang,
                          notes=[self.reading(lang), t("forecasting.grade_rule", lang), *(
                              t("forecasting.failed_origins", lang, model=model_name(row.model, lang), n=row.origins,
                                reason=reason_in_words(row.reason, lang)) for row in self.failures.itertuples())])


@dataclass(frozen=True, repr=False)
class Backtests(Shown):
    """Backtests of many series; see :func:`backtest_many` and :func:`backtest_branches`.

    Attributes
    ----------
    parts : mapping of unique_id to Backtest
    table : DataFrame
        Their tables, one below the other.
    what : {"indicator", "branch"}
        What a series is one of.
    """

    parts: Mapping[str, Backtest]
    label: object = ""
    what: str = "indicator"

    @cached_property
    def table(self) -> pd.DataFrame:
        return _stacked([part.table for part in self.parts.values()])

    @property
    def _first(self) -> Backtest:
        """One of them: methods, horizon and levels are the same for all."""
        return next(iter(self.parts.values()))

    @property
    def models(self) -> tuple[str, ...]:
        """The methods."""
        return self._first.models

    def scored(self) -> pd.DataFrame:
        """Return the rows that the methods can be compared on, of all series."""
        return _stacked([part.scored() for part in self.parts.values()])

    def sums(self) -> pd.DataFrame:
        """Return how far the series' forecasts, added up, were from what came; of branches, from what came of all.

        Returns
        -------
        DataFrame
            ``model, origins, wape, bias``, the last two in per cent of the actual sums: of the first method and of the
            two simple rules. A month is added up over the series that all of them forecast and whose figure is known.
        """
        names = list(dict.fromkeys([self.models[0], *SIMPLE]))
        said = self.scored().pivot_table("y_hat", ["unique_id", "cutoff", "horizon", "y"], "model")
        sums = said.reindex(columns=names).dropna().reset_index("y").groupby(level=["cutoff", "horizon"]).sum()
        off, whole = sums[names].sub(sums["y"], axis=0), sums["y"].mean() / 100
        table = pd.DataFrame({"wape": off.abs().mean() / whole, "bias": off.mean() / whole})
        table.insert(0, "origins", sums.index.get_level_values("cutoff").nunique())
        return describe(table.rename_axis("model").reset_index(), pooled=True)

    def grades(self, model: str | None = None) -> pd.DataFrame:
        """Return the trust grade of one method (default: the first) on each series.

        Returns
        -------
        DataFrame
            ``unique_id, letter, ratio, smape, coverage, n, reason``: ``ratio`` is the mean absolute error against
            that of the better simple rule, ``smape`` in per cent, ``coverage`` the share within the widest limits,
            ``n`` the origins.
        """
        grades = {uid: part.grade(model) for uid, part in self.parts.items()}
        rows = [{"unique_id": uid, **asdict(grade), "n": grade.origins, "reason": self.parts[uid].reason}
                for uid, grade in grades.items()]
        table = pd.DataFrame(rows, columns=["unique_id", "letter", "ratio", "smape", "coverage", "n", "reason"])
        return describe(table.astype({"n": int}), kinds={"coverage": "percent"}, pooled=True,
                        **{self.what: "unique_id"})

    def reading(self, lang: str | None = None) -> str:
        """Return how many series got which grade, and why the most and the least trusted ones got theirs; of branches
        by how much their forecasts missed the sum of all."""
        lang = language(lang)
        if self.what == "branch":
            return self._together(lang)
        grades = {uid: part.grade() for uid, part in self.parts.items()}
        ranked = sorted(grades, key=lambda uid: (grades[uid].letter, np.nan_to_num(grades[uid].ratio, nan=np.inf)))
        letters = pd.Series([g.letter for g in grades.values()]).value_counts().sort_index()
        said = [t("forecasting.grades_count", lang, counts=listed((f"{k} {n}" for k, n in letters.items()), lang))]
        if set(letters.index) == {"E"}:
            said.append(t("forecasting.trusted_none", lang))
        else:
            for key, uid in zip(("trusted_most", "trusted_least"), dict.fromkeys((ranked[0], ranked[-1])),
                                strict=False):
                said.append(t(f"forecasting.{key}", lang, label=self._label(uid, lang),
                              why=grades[uid].reading(lang)))
        return ("" if lang == "zh" else " ").join(said)

    def _together(self, lang: str) -> str:
        grades, sums = self.grades(), self.sums().set_index("model")
        able = grades[grades["letter"] != "E"]
        if able.empty:
            return t("forecasting.trusted_none_branch", lang)
        said = []
        if self.parts[able["unique_id"].iloc[0]].kind in ("stock", "flow"):
            first, rule, wape = self.models[0], sums.loc[list(SIMPLE), "wape"].idxmin(), sums["wape"]
            mine, others = (cite(f"{wape[m]:.1f}", cell("accuracy", "wape", model=m)) for m in (first, rule))
            n = cite(sums.loc[first, "origins"], cell("accuracy", "origins", model=first))
            said.append(t("forecasting.sum_missed", lang, n=n, mine=mine, others=others, rule=model_name(rule, lang),
                          horizon=self._first.horizon))
        said.append(t("forecasting.branches_better", lang,
                      n=cite(len(able), cell("trust_branches", letter="!=E")),
                      k=cite((able["ratio"] < 1).sum(), cell("trust_branches", letter="!=E", ratio="<1"))))
        return join(said, "" if lang == "zh" else " ")

    def _label(self, uid: str, lang: str | None) -> str:
        return in_language(self.parts[uid].label, lang) or uid

    def to_html(self, lang: str | None = None) -> str:
        """Return the grades as HTML, with the rule below."""
        shown = self.grades()
        shown["unique_id"] = [self._label(uid, lang) for uid in shown["unique_id"]]
        shown = shown if shown["reason"].any() else shown.drop(columns="reason")
        cover = f"coverage-{max(self._first.level):g}"
        shown = shown.rename(columns={"coverage": cover})
        formats = {"ratio": "{:.2f}", "smape": "{:.1f}", cover: lambda v: percent(v, 0)}
        caption = t(f"forecasting.grades_caption_{self.what}", lang, label=in_language(self.label, lang),
                    model=model_name(self.models[0], lang))
        heads = heads_of(shown, lang, unique_id=f"general.{self.what}", n="forecasting.origins")
        return html_table(shown, caption=caption, heads=heads, formats=formats, lang=lang,
                          notes=[self.reading(lang), t("forecasting.grade_rule", lang)])


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([x for x in tables if len(x)] or tables, ignore_index=True)


def cutoffs_of(n: int, horizon: int, origins: int) -> list[int]:
    """Return how many months are known at each origin.

    The latest origins that still have `horizon` months after them; where these are fewer than asked for, later ones
    with fewer months after them are added.
    """
    full = list(range(_LEAST, n - horizon + 1))
    short = list(range(max(_LEAST, n - horizon + 1), n))
    chosen = full[-origins:]
    return chosen + short[: origins - len(chosen)]


def backtest(y, models=DEFAULT, horizon: int = 12, origins: int = 12, level=(80, 95),
             kind: str | None = None, unit: object = "", label: object = "", unique_id: str | None = None,
             calendar: str = "none", forecaster: Callable[..., Forecast] | None = None) -> Backtest:
    """Test methods on the past of one series, as it is known now, by a rolling origin.

    Parameters
    ----------
    y : Series or array (T,)
        Monthly, as :func:`ebank_lib.forecast` takes it; the months of an array are counted from January 1970.
    models : list of names, orders and functions
        Names and orders as of :func:`ebank_lib.forecast`; a function ``f(y, horizon)`` is given the months known at an
        origin, in their own unit, and returns the `horizon` values after them. It states no limits and is called by its
        name. ``snaive`` and ``drift`` are always added.
    horizon : int
        Months ahead, 1 to 120.
    origins : int
        So many, a month apart: the latest that still have `horizon` months after them. One origin and horizon 12 is
        the last year foretold at its beginning; twelve and horizon 1 are its months, each foretold the month before.
    level, kind, unit, label, unique_id, calendar
        As of :func:`ebank_lib.forecast`.
    forecaster : callable, optional
        ``(cutoff, horizon, level, models) -> Forecast`` in the place of ``forecast``, for what is known beside the
        series; it must look at nothing after the cutoff.

    Returns
    -------
    Backtest
        ``.scores()`` is one row a method. Where the series is too short for a single origin the table is empty and the
        grade E; a method that fails keeps its rows, with the reason.

    Raises
    ------
    SeriesError
        What is no monthly series of numbers; horizon, origins or level out of range; a function that does not return
        `horizon` values.
    UnknownNameError, ConfigError
        An unknown model or kind; two methods of one name.

    Notes
    -----
    Tashman (2000, Int. J. Forecasting 16, 437-450) on rolling origins; MASE after Hyndman & Koehler (2006, ibid. 22).

    Examples
    --------
    >>> y = pd.Series(np.exp(np.arange(48) / 20), index=pd.period_range("2008-01", periods=48, freq="M"))
    >>> def last(y, horizon):
    ...     return [y.iloc[-1]] * horizon
    >>> backtest(y, models=[(0, 1, 0), last], horizon=1).scores()["model"].tolist()
    ['ARIMA(0,1,0)', 'last', 'snaive', 'drift']
    """
    models = each(models)
    given = [getattr(m, "__name__", type(m).__name__) if callable(m) else order_name(m) for m in models]
    own = {name: model for name, model in zip(given, models, strict=True) if callable(model)}
    horizon, level, named = checked(horizon, level, [m for m in given if m not in own] or (own and SIMPLE), kind,
                                    calendar)
    models, origins = tuple(dict.fromkeys([*given, *SIMPLE])), checked_count(origins, "number of origins", 1200)
    if twice := [m for m in own if given.count(m) > 1 or model_name(m) != m or m in SIMPLE]:
        raise ConfigError("two methods have one name", found=twice[0], expected="a name for each function",
                          hint="f.__name__ = '...' gives it another")
    named = tuple(dict.fromkeys([*named, *SIMPLE]))
    y = observed(as_monthly(y)[0])
    uid = str(unique_id if unique_id is not None else y.name or "y")
    blocks = []
    for known in cutoffs_of(len(y), horizon, origins):
        cutoff, then = y.index[known - 1], y.iloc[:known]
        # An unobserved month just before the cutoff: the forecast reaches further, and counts from the cutoff.
        last = then.last_valid_index()
        reach = horizon + (cutoff - last).n
        months = pd.period_range(end=cutoff + horizon, periods=reach)
        try:
            f = (forecast(then, reach, level, named, kind, unique_id=uid, calendar=calendar) if forecaster is None
                 else forecaster(cutoff, reach, level, named))
            said = f.table.assign(crps=_crps_of(f, y))
        except EbankError as error:
            said = pd.concat([_failed(m, months, str(error)) for m in named])
        if own:
            said = pd.concat([said, *(_said_by(model, m, then.loc[:last], months, y) for m, model in own.items())])
            said = said.iloc[np.argsort(pd.Index(models).get_indexer(said["model"]), kind="stable")]
        blocks.append(_against(said.assign(unique_id=uid), y, then, cutoff, horizon, level, models))
    table = pd.concat(blocks, ignore_index=True) if blocks else empty_table(level)
    return Backtest(table, models, level, horizon, kind, unit, label, y)


def _failed(model: str, months: pd.PeriodIndex, reason: str) -> pd.DataFrame:
    return pd.DataFrame({"month": months, "model": model, "reason": reason})


def _said_by(function, name: str, then: pd.Series, months: pd.PeriodIndex, y: pd.Series) -> pd.DataFrame:
    """What a caller's own function says of the months after those known; of a point the CRPS is the absolute error."""
    try:
        said = function(then.copy(), len(months))
        if isinstance(said, pd.Series) and isinstance(said.index, pd.PeriodIndex):
            said = said.reindex(months)     # it says which months it means
        said = np.asarray(said, dtype=float)
    except (ValueError, ArithmeticError, LookupError) as error:     # of numpy and of this package among them
        return _failed(name, months, f"the method failed; found {str(error) or type(error).__name__}")
    if said.shape != months.shape:
        raise SeriesError("a function returned too few values or too many", key=name, found=said.shape,
                          expected=months.shape)
    if not np.isfinite(said).all():
        return _failed(name, months, "the method returned no finite forecast")
    return pd.DataFrame({"month": months, "model": name, "y_hat": said, "reason": "",
                         "crps": np.abs(y.reindex(months).to_numpy() - said)})


def _against(said: pd.DataFrame, y, then, cutoff, horizon, level, models) -> pd.DataFrame:
    """What the methods said at one origin, for the months known now, beside what came."""
    seen = then.to_numpy(float)
    change = seen[12:] - seen[:-12]
    change = change[~np.isnan(change)]
    months = pd.PeriodIndex(said["month"], freq="M")
    said = said.assign(cutoff=cutoff, horizon=months.asi8 - cutoff.ordinal, y=y.reindex(months).to_numpy(),
                       scale=np.abs(change).mean() if change.size else np.nan,
                       scale2=(change**2).mean() if change.size else np.nan)
    judged = said["model"].isin(models) & months.isin(y.index) & said["horizon"].between(1, horizon)
    return said[judged].reindex(columns=empty_table(level).columns)


def _crps_of(f: Forecast, y: pd.Series) -> np.ndarray:
    """Scores of a forecast's rows against what came; none where a method failed or the month is not known."""
    score, models = np.full(len(f.table), np.nan), f.table["model"].to_numpy()
    came = y.reindex(pd.PeriodIndex(f.table["month"], freq="M")).to_numpy()
    for model in f.parts:
        rows = models == model
        score[rows] = crps(distribution(f, model, _POINTS), came[rows])
    return score


def empty_table(level) -> pd.DataFrame:
    """Return the table of a backtest without a row."""
    limits = [f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")]
    return pd.DataFrame(columns=["unique_id", "cutoff", "month", "horizon", "model", "y", "y_hat", *limits, "crps",
                                 "scale", "scale2", "reason"])
