"""The strategy's targets against the trend: how far, how fast, what pace is still needed, and with which odds."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog, Indicator
from ebank_lib.display import html_table
from ebank_lib.errors import ConfigError, EbankError
from ebank_lib.forecasting import forecast, kind_of
from ebank_lib.forecasting.joint import JointPaths, simulate_joint
from ebank_lib.wording import language, month_name, t

from .loading import as_month, check_indicator, load_strategy, load_targets, yearly
from .measures import Measure, View, observed_total, past_values, threshold_of
from .odds import FIELDS, judged, odds_of, pace_of, said_odds
from .said import said_pace, said_value
from .spec import Strategy, Target

__all__ = ["Targets", "default_deadline", "evaluate_targets", "simulate_for"]

VERDICTS = ("reached", "on_course", "behind", "far", "away", "past", "no_data")
LONGEST = 120
_FAR = 3.0          # without odds, a pace this many times the last twelve months' is called far
_UNLIKELY = 0.05    # with odds, below this
_YOUNG = 24         # months of data below which a forecast rests on next to nothing
_COLUMNS = ["target", "line", "indicator", "kind", "goal", "reached_from", "month", "current", "deadline",
            "months_left", "gap", "needed_per_month", "achieved_per_month_12m", "needed_percent_per_month",
            "achieved_percent_per_month_12m", "ratio", "trend_at_deadline", *FIELDS, "months_seen", "verdict", "reason"]
_MONTHS = ("month", "deadline", "month_50", "month_80")


def default_deadline(last: pd.Period) -> pd.Period:
    """Return the end of the first whole year after a month.

    Examples
    --------
    >>> str(default_deadline(pd.Period("2011-08", "M"))), str(default_deadline(pd.Period("2011-12", "M")))
    ('2012-12', '2012-12')
    """
    return pd.Period(year=last.year + 1, month=12, freq="M")


@dataclass(frozen=True)
class Targets:
    """Targets of one branch against its trend; see :func:`evaluate_targets`.

    Attributes
    ----------
    table : DataFrame
        A row a target: ``target, line, indicator, kind, goal, reached_from, month`` (last observed), ``current,
        deadline, months_left, gap`` (what is missing to ``reached_from``, 0 when reached), ``needed_per_month,
        achieved_per_month_12m``, both also in per cent, ``ratio`` (needed to achieved), ``trend_at_deadline`` (with
        odds the median path, else the damped trend), the odds (:func:`ebank_lib.scenarios.odds.odds_of`),
        ``months_seen, verdict, reason``. Shares are fractions, so paces are fractions a month.
    horizon : int
        Months simulated; 0 without odds.
    """

    table: pd.DataFrame = field(repr=False)
    branch: str
    catalog: Catalog = field(repr=False)
    targets: tuple[Target, ...] = field(default=(), repr=False)
    history: dict[str, pd.Series] = field(default_factory=dict, repr=False)
    horizon: int = 0

    @property
    def with_odds(self) -> bool:
        """Whether any target has odds."""
        return bool(self.table["p_at"].notna().any())

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return a sentence for each target, in their order; or the one that there are none."""
        lang = language(lang)
        if self.table.empty:
            return [self.reading(lang)]
        return [self._sentence(target, row, lang)
                for target, row in zip(self.targets, self.table.to_dict("records"), strict=True)]

    def reading(self, lang: str | None = None) -> str:
        """Return the whole in a sentence: how many targets are reached, on course, behind."""
        lang = language(lang)
        if self.table.empty:
            return t("scenarios.no_targets", lang)
        count = self.table["verdict"].value_counts()
        groups = [t(f"scenarios.count_{v}", lang, n=int(count[v])) for v in VERDICTS if v in count.index]
        sep = "，" if lang == "zh" else ", "
        return t("scenarios.reading", lang, branch=self.catalog.branch(self.branch).label(lang), n=len(self.table),
                 groups=sep.join(groups))

    def hardest(self, lang: str | None = None) -> str:
        """Return the sentence of the target that is furthest off, or that none is behind, or "".

        Furthest by the odds at the deadline, and where these are alike or missing by needed against achieved pace.
        """
        behind = self.table[self.table["verdict"].isin(["behind", "far", "away"])]
        if behind.empty:
            return t("scenarios.none_behind", lang) if len(self.table) else ""
        order = behind.assign(p_at=behind["p_at"].round(2).fillna(1.0), ratio=-behind["ratio"].fillna(-1.0))
        return self.sentences(lang)[order.sort_values(["p_at", "ratio"], kind="stable").index[0]]

    def said(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return a value of an indicator as it is said."""
        return said_value(self.catalog, indicator, value, lang)

    def pace(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return a change a month as it is said: points for a share, else units."""
        return said_pace(self.catalog, indicator, value, lang)

    def _terms(self, target: Target, value: float, lang: str) -> str:
        return said_value(self.catalog, target.indicator, value, lang, target.kind)

    def _paces(self, target: Target, row: dict, lang: str) -> dict[str, str]:
        """Needed and achieved pace as they are said; a year's total has average months instead of changes."""
        total = yearly(target, self.catalog)
        say = self.said if total else lambda key, value, lang: said_pace(self.catalog, key, value, lang, target.kind)
        return {"needed": say(target.indicator, row["needed_per_month"], lang),
                "achieved": say(target.indicator, row["achieved_per_month_12m"], lang)}

    def _sentence(self, target: Target, row: dict, lang: str) -> str:
        reason = f"scenarios.reason_{row['reason']}"
        about = {"target": target.label(lang), "current": self._terms(target, row["current"], lang),
                 "month": month_name(row["month"], lang), "deadline": month_name(row["deadline"], lang),
                 "goal": self._terms(target, row["reached_from"], lang), **self._paces(target, row, lang),
                 "times": f"{row['ratio']:.1f}", "trend": self._terms(target, row["trend_at_deadline"], lang),
                 "reason": t(reason, lang) if row["reason"] in REASONS else row["reason"]}
        if not np.isfinite(row["p_at"]):
            name = f"scenarios.verdict_{row['verdict']}"
            if target.kind == "raise" and row["verdict"] not in ("past", "no_data"):
                name = f"scenarios.raise_{row['verdict']}"
            why = row["reason"] if self.horizon and row["verdict"] not in ("past", "no_data", "reached") else ""
            return t(name, lang, **about) + (t("scenarios.without_odds", lang, **about) if why else "")
        n = int(row["n"])
        about |= {"p_at": said_odds(row["p_at"], n, lang), "p_by": said_odds(row["p_by"], n, lang),
                  "short": t(f"scenarios.short_{row['verdict']}", lang)}
        pace = ("none" if target.kind == "rank" else "total" if yearly(target, self.catalog)
                else "kept" if row["needed_per_month"] == 0 else "change")
        said = t("scenarios.odds_sentence", lang, **about) + t(f"scenarios.odds_pace_{pace}", lang, **about)
        if row["months_seen"] < _YOUNG:
            said += t("scenarios.odds_young", lang, n=int(row["months_seen"]))
        return said

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw the targets with trend and goal, and needed against achieved pace; see ``charts.scenarios``."""
        from ebank_lib.charts.scenarios import plot_targets

        return plot_targets(self, ax=ax, lang=lang, **options)

    def plot_odds(self, ax=None, lang: str | None = None):
        """Draw both odds of every target; see :func:`ebank_lib.charts.scenarios.plot_odds`."""
        from ebank_lib.charts.scenarios import plot_odds

        return plot_odds(self, ax=ax, lang=lang)

    def _passed(self, target: Target, row: dict, lang: str) -> str:
        """The months when the odds pass 50% and 80%; those of a year's total end with its deadline."""
        if not np.isfinite(row["p_at"]):
            return "–"
        none = t("scenarios.not_by_then", lang) if yearly(target, self.catalog) else t(
            "scenarios.not_within", lang, n=self.horizon)
        return " / ".join(dict.fromkeys(none if pd.isna(row[c]) else month_name(row[c], lang)
                                        for c in ("month_50", "month_80")))

    def to_html(self, lang: str | None = None) -> str:
        """Return the targets as an HTML table with a sentence each, or the sentence that there are none."""
        lang = language(lang)
        if self.table.empty:
            return f'<p class="note">{html.escape(self.reading(lang))}</p>'
        rows = [self._shown(target, row, lang)
                for target, row in zip(self.targets, self.table.to_dict("records"), strict=True)]
        frame = pd.DataFrame(rows)
        caption = t("scenarios.caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        notes = [self.reading(lang), *self.sentences(lang), t("scenarios.note", lang)]
        if self.with_odds:
            notes.append(t("scenarios.odds_note", lang, n=int(self.table["n"].max()), horizon=self.horizon))
        return html_table(frame, caption=caption, lang=lang, notes=notes,
                          heads={c: t(f"scenarios.{c}", lang) for c in frame.columns})

    def _shown(self, target: Target, row: dict, lang: str) -> dict[str, object]:
        paces, judged_by_odds = self._paces(target, row, lang), np.isfinite(row["p_at"])
        shown: dict[str, object] = {
            "target": target.label(lang), "current": self._terms(target, row["current"], lang),
            "goal": t("scenarios.higher", lang, value=self._terms(target, row["reached_from"], lang))
            if target.kind == "raise" else t("scenarios.at_least", lang, value=self._terms(target, row["reached_from"],
                                                                                           lang))
            if target.goal is None else self._terms(target, row["goal"], lang),
            "deadline": row["deadline"], "trend_at_deadline": self._terms(target, row["trend_at_deadline"], lang)}
        if self.with_odds:
            n = int(row["n"]) if judged_by_odds else 1
            shown |= {c: said_odds(row[c], n, lang, error=c == "p_at") for c in ("p_at", "p_by")}
            shown["shortfall_if_missed"] = said_pace(self.catalog, target.indicator, row["shortfall_if_missed"], lang,
                                                     target.kind, sign=False)
            shown["passes"] = self._passed(target, row, lang)
        return shown | {"paces": f"{paces['needed']} / {paces['achieved']}",
                        "verdict": t(f"scenarios.short_{row['verdict']}", lang)}

    def _repr_html_(self) -> str:
        return self.to_html()


REASONS = ("past", "beyond_horizon", "no_paths", "missing_months", "needs_paths", "no_values")


def evaluate_targets(cleaned, branch: str, targets: Iterable[Target] | None = None,
                     deadline: str | pd.Period | None = None, months_ahead: int | None = None,
                     paths: JointPaths | None = None, odds: bool = True, n: int = 1000, seed: int = 0) -> Targets:
    """Hold a branch's targets against its trend.

    Parameters
    ----------
    cleaned : Cleaned
        Its ``series(branch, indicator)``, ``panel`` and ``catalog`` are used.
    branch : str
    targets : iterable of Target, optional
        Default: :func:`load_targets` of the source.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    months_ahead : int, optional
        Instead of `deadline`: so many months after the last month of data.
    paths : JointPaths, optional
        The branch's simulated futures (and, for a rank, its peers'); default :func:`simulate_for` these targets. Give
        the same paths here and to scenarios, so that both say the same odds.
    odds : bool
        False compares with the trend alone; only levels and raises can then be judged.
    n, seed : int
        Of the default paths.

    Returns
    -------
    Targets
        A target in the past, already reached or without data is labelled so, not left out.

    Raises
    ------
    UnknownNameError
        An unknown branch, or a target on an unknown indicator.
    ConfigError
        A deadline that is no month, or more than ten years ahead; both `deadline` and `months_ahead`; a goal that its
        indicator cannot have.

    Notes
    -----
    The verdict: ``reached`` (today already); ``past`` (the deadline is not after the data); ``on_course`` (odds at the
    deadline of a half or more); ``far`` (below 5%); ``away`` (moved the wrong way over the last twelve months);
    ``behind``; ``no_data``. Without odds: ``on_course`` when the damped trend on the logit (share) or log scale gets
    there, ``far`` when three times the pace of the last twelve months or more is needed.
    """
    catalog = cleaned.catalog
    branch = catalog.branch(branch).id
    targets = tuple(load_targets(cleaned.source) if targets is None else targets)
    for target in targets:
        check_indicator(target, catalog, at=target.key)
    last = cleaned.panel.index.get_level_values("month").max()
    usual = _usual_deadline(last, deadline, months_ahead)
    dates = {target.key: _deadline_of(target, usual, last) for target in targets}
    if paths is None and odds and targets:
        paths = simulate_for(cleaned, branch, Strategy(targets), usual, n=n, seed=seed)
    view = View.of(paths, branch) if paths is not None else None
    rows, history = [], {}
    for target in targets:
        y = cleaned.series(branch, target.indicator)
        history[target.key] = y
        about = {"target": target.key, "line": target.line or target.channel, "indicator": target.indicator,
                 "kind": target.kind, "deadline": dates[target.key]}
        rows.append(about | _evaluate(target, catalog.indicator(target.indicator), y, dates[target.key], view))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    for column in _MONTHS:
        table[column] = pd.PeriodIndex(table[column], freq="M") if rows else table[column]
    return Targets(table, branch, catalog, targets, history, 0 if paths is None else paths.horizon)


def _usual_deadline(last: pd.Period, deadline, months_ahead: int | None) -> pd.Period:
    if deadline is not None and months_ahead is not None:
        raise ConfigError("deadline and months_ahead exclude one another", found=months_ahead, expected="one of them")
    if months_ahead is not None:
        return last + int(months_ahead)
    return default_deadline(last) if deadline is None else as_month(deadline, key="deadline")


def _deadline_of(target: Target, usual: pd.Period, last: pd.Period) -> pd.Period:
    by = usual if target.deadline is None else as_month(target.deadline, key=f"{target.key}.deadline")
    if (by - last).n > LONGEST:
        raise ConfigError("is more than ten years ahead", key=f"{target.key}.deadline", found=str(by),
                          expected=f"at most {last + LONGEST}")
    return by


def simulate_for(cleaned, branch: str, strategy: Strategy | None = None, deadline: str | pd.Period | None = None,
                 n: int = 1000, seed: int = 0, workers: int = 1) -> JointPaths:
    """Simulate what a strategy needs: its indicators, the branch (every one for a rank), to its last deadline.

    Parameters
    ----------
    cleaned : Cleaned
    branch : str
    strategy : Strategy, optional
        Default: that of the source. One without an indicator that has data is given the headline ones.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    n, seed, workers
        As in :func:`ebank_lib.forecasting.joint.simulate_joint`.

    Returns
    -------
    JointPaths
        At least 24 months, at most ten years.
    """
    strategy = load_strategy(cleaned.source) if strategy is None else strategy
    last = cleaned.panel.index.get_level_values("month").max()
    usual = _usual_deadline(last, deadline, None)
    named = [key for target in (*strategy.targets, *strategy.yardsticks) for key in (target.indicator, *target.of)]
    for lever in (*strategy.levers, *strategy.stress):
        named += [key for move in lever.moves for key in (move.indicator, *move.takes_from)]
    data = set(cleaned.panel.columns[cleaned.panel.notna().any()])
    known = [key for key in dict.fromkeys(named) if key in data]
    known = known or [key for key in cleaned.catalog.headline if key in data] or None
    ends = [usual, *(_deadline_of(target, usual, last) for target in strategy.targets)]
    ranked = any(target.kind == "rank" for target in (*strategy.targets, *strategy.yardsticks))
    branches = None if ranked else [branch]
    return simulate_joint(cleaned, horizon=min(max(24, *((by - last).n for by in ends)), LONGEST), n=n, seed=seed,
                          branches=branches, indicators=known, workers=workers)


def _evaluate(target: Target, ind: Indicator, y: pd.Series, by: pd.Period, view: View | None) -> dict:
    """Everything about one target that follows from its series and its paths."""
    row = dict.fromkeys(_COLUMNS[4:-2], np.nan) | dict.fromkeys(_MONTHS, pd.NaT) | {
        "months_left": 0, "n": 0, "months_seen": int(y.notna().sum()), "reason": ""}
    del row["deadline"]
    goal = np.nan if target.goal is None else float(target.goal)
    row |= {"goal": goal, "reached_from": goal if target.threshold is None else float(target.threshold)}
    seen = y.dropna()
    if seen.empty:
        return row | {"verdict": "no_data", "reason": "no_values"}
    there = view is not None and all(key in view.paths.values for key in (target.indicator, *target.of))
    if not there and target.kind not in ("level", "raise"):
        return row | {"verdict": "no_data", "reason": "needs_paths"}
    past = past_values(view, target) if there else y
    own = past.dropna()
    month, current = seen.index[-1], float(own.iloc[-1]) if len(own) else np.nan
    if target.kind == "raise":
        row["reached_from"] = float(seen.iloc[-12:].mean())
    elif target.threshold is None:
        row["reached_from"] = threshold_of(view, target)
    away = current - row["reached_from"] if target.kind == "rank" else row["reached_from"] - current
    row |= {"month": month, "current": current, "months_left": max((by - month).n, 0), "gap": max(away, 0.0),
            "achieved_per_month_12m": (float(seen.iloc[-1]) - float(seen.get(month - 12, np.nan))) / 12}
    if by <= month:
        at = observed_total(y, by) if target.kind == "total" else float(past.get(by, np.nan))
        done = at <= row["reached_from"] if target.kind == "rank" else at >= row["reached_from"]
        return row | {"trend_at_deadline": at, "verdict": "reached" if done and target.kind != "raise" else "past"}
    m = judged(view, target, by) if there else ""
    if isinstance(m, Measure):
        return _with_odds(row, m, y, by, view)
    if target.kind not in ("level", "raise"):
        return row | {"verdict": "no_data", "reason": m}
    return _with_trend(row, target, ind, y, by, m)


def _with_odds(row: dict, m: Measure, y: pd.Series, by: pd.Period, view: View) -> dict:
    target = m.target
    total = yearly(target, view.paths.catalog)
    row |= odds_of(m, by)
    row |= pace_of(m, y, by, total) | {"trend_at_deadline": row["median"]}
    needed, achieved = row["needed_per_month"], row["achieved_per_month_12m"]
    if np.isfinite(needed):
        row["ratio"] = needed / achieved if achieved > 0 else np.inf if needed > 0 else 0.0
    if row["gap"] == 0 and not total and target.goal is not None:
        verdict = "reached"
    elif row["p_at"] >= 0.5:
        verdict = "on_course"
    elif not total and np.isfinite(achieved) and achieved <= 0:
        verdict = "away"
    else:
        verdict = "far" if row["p_at"] < _UNLIKELY else "behind"
    return row | {"verdict": verdict}


def _with_trend(row: dict, target: Target, ind: Indicator, y: pd.Series, by: pd.Period, reason: str) -> dict:
    left = row["months_left"]
    try:
        trend = float(forecast(y, left, models=("damped",), kind=kind_of(ind)).block()["y_hat"].iloc[-1])
    except EbankError as error:
        return row | {"verdict": "no_data", "reason": str(error)}
    needed, achieved = row["gap"] / left, row["achieved_per_month_12m"]
    row |= {"trend_at_deadline": trend, "needed_per_month": needed, "reason": reason,
            "ratio": needed / achieved if achieved > 0 else np.inf if needed > 0 else 0.0}
    if target.kind == "raise":
        return row | {"verdict": "on_course" if trend > row["reached_from"] else "away"}
    if row["gap"] == 0:
        verdict = "reached"
    elif trend >= row["reached_from"]:
        verdict = "on_course"
    elif np.isfinite(achieved) and achieved <= 0:
        verdict = "away"
    else:
        verdict = "far" if np.isfinite(row["ratio"]) and row["ratio"] >= _FAR else "behind"
    return row | {"verdict": verdict}
