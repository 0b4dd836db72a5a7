"""The strategy's targets against the trend: how far, how fast, what pace is still needed, and with which odds."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..display import Shown, describe, html_table
from ..errors import ConfigError
from ..forecasting import JointPaths, simulate_joint
from ..monthly import each
from ..wording import language, month_name, t
from .odds import REASONS, Odds, Pace, View, judged, odds_of, pace_of, said_odds, said_pace, said_value
from .strategy import Strategy, Target, as_month, check_target, load_strategy, yearly

VERDICTS = ("reached", "at_risk", "on_course", "slowing", "behind", "far", "away", "past", "no_data")
LONGEST = 120
_UNLIKELY = 0.05    # odds below this are called far
_YOUNG = 24         # months of data below which a forecast rests on next to nothing
_COLUMNS = ["target", "line", "indicator", "kind", "goal", "reached_from", "month", "current", "deadline",
            "months_left", "gap", *(f.name for f in fields(Pace)), "ratio", "trend_at_deadline",
            *(f.name for f in fields(Odds)), "months_seen", "verdict", "reason"]
_MONTHS = ("month", "deadline", "month_50", "month_80")


def dates_of(targets: Iterable[Target], last: pd.Period, deadline=None) -> list[pd.Period]:
    """Return the deadline of each target: its own, or the usual (the end of the first whole year after `last`)."""
    usual = pd.Period(f"{last.year + 1}-12", "M") if deadline is None else as_month(deadline, key="deadline")
    dates = []
    for target in targets:
        by = usual if target.deadline is None else as_month(target.deadline, key=f"{target.key}.deadline")
        if (by - last).n > LONGEST:
            raise ConfigError("is more than ten years ahead", key=f"{target.key}.deadline", found=str(by),
                              expected=f"at most {last + LONGEST}")
        dates.append(by)
    return dates


@dataclass(frozen=True, repr=False)
class Targets(Shown):
    """Targets of one branch against its trend; see :func:`evaluate_targets`.

    Attributes
    ----------
    table : DataFrame
        A row a target: ``target, line, indicator, kind, goal, reached_from, month`` (last observed), ``current,
        deadline, months_left, gap`` (what is missing to ``reached_from``, 0 when reached), ``needed_per_month,
        achieved_per_month_12m, momentum_per_month`` (what the latter brings if kept up),
        ``ratio`` (needed to that), ``trend_at_deadline`` (the median path), the odds
        (:class:`ebank_lib.scenarios.odds.Odds`), ``months_seen, verdict, reason``. Shares are fractions, so paces are
        fractions a month.
    horizon : int
        Months simulated; 0 without targets.
    """

    table: pd.DataFrame
    branch: str
    catalog: Catalog
    targets: tuple[Target, ...] = ()
    horizon: int = 0

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return a sentence for each target, in their order; or the one that there are none."""
        lang = language(lang)
        return [self._sentence(target, row, lang) for target, row in self._rows()] or [self.reading(lang)]

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

    def _rows(self) -> list[tuple[Target, dict]]:
        return list(zip(self.targets, self.table.to_dict("records"), strict=True))

    def _terms(self, target: Target, value: float, lang: str) -> str:
        return said_value(self.catalog, target.indicator, value, lang, target.kind)

    def _paces(self, target: Target, row: dict, lang: str) -> dict[str, str]:
        """Needed and achieved pace as they are said; a year's total has average months instead of changes."""
        say, kind = (said_value, "level") if yearly(target, self.catalog) else (said_pace, target.kind)
        return {name: say(self.catalog, target.indicator, row[column], lang, kind) for name, column in (
            ("needed", "needed_per_month"), ("momentum", "momentum_per_month"))}

    def _sentence(self, target: Target, row: dict, lang: str) -> str:
        about = {"target": target.label(lang), "current": self._terms(target, row["current"], lang),
                 "month": month_name(row["month"], lang), "deadline": month_name(row["deadline"], lang)}
        if not np.isfinite(row["p_at"]):
            reason = t(f"scenarios.reason_{row['reason']}", lang) if row["reason"] in REASONS else row["reason"]
            return t(f"scenarios.verdict_{row['verdict']}", lang, **about, reason=reason)
        n = int(row["n"])
        said = t("scenarios.odds_sentence", lang, short=t(f"scenarios.short_{row['verdict']}", lang), **about,
                 **{odds: said_odds(row[odds], n, lang) for odds in ("p_at", "p_by")})
        said += t(f"scenarios.odds_pace_{self._pace(target, row)}", lang, **self._paces(target, row, lang))
        if row["months_seen"] < _YOUNG:
            said += t("scenarios.odds_young", lang, n=int(row["months_seen"]))
        return said

    def _pace(self, target: Target, row: dict) -> str:
        """How the pace is told: with what is expected of it, where that is not what the pace itself would bring."""
        if np.isnan(row["ratio"]):
            return "none"
        if yearly(target, self.catalog):
            return "total"
        if row["needed_per_month"] == 0:
            return "kept"
        if row["verdict"] == "slowing":
            return "slowing"
        return "quickening" if row["verdict"] == "on_course" and row["ratio"] > 1 else "change"

    def plot(self, lang: str | None = None, brief: bool = False):
        """Draw the targets with trend and goal, and needed against achieved pace; see ``charts.scenarios``."""
        from ..charts.scenarios import plot_targets

        return plot_targets(self, lang, brief)

    def plot_odds(self, ax=None, lang: str | None = None):
        """Draw both odds of every target; see :func:`ebank_lib.charts.scenarios.plot_odds`."""
        from ..charts.scenarios import plot_odds

        return plot_odds(self, ax=ax, lang=lang)

    def to_html(self, lang: str | None = None) -> str:
        """Return the targets as an HTML table with a sentence each, or the sentence that there are none."""
        lang = language(lang)
        if self.table.empty:
            return f'<p class="note">{html.escape(self.reading(lang))}</p>'
        odds = bool(self.table["p_at"].notna().any())
        frame = pd.DataFrame([self._shown(target, row, odds, lang) for target, row in self._rows()])
        caption = t("scenarios.caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        notes = [self.reading(lang), *self.sentences(lang), t("scenarios.note", lang)]
        if odds:
            notes.append(t("scenarios.odds_note", lang, n=int(self.table["n"].max()), horizon=self.horizon))
        return html_table(frame, caption=caption, lang=lang, notes=notes,
                          heads={c: t(f"scenarios.{c}", lang) for c in frame.columns})

    def _shown(self, target: Target, row: dict, odds: bool, lang: str) -> dict[str, str]:
        goal = self._terms(target, row["reached_from"] if target.goal is None else row["goal"], lang)
        if target.goal is None:
            goal = t(f"scenarios.{'higher' if target.kind == 'raise' else 'at_least'}", lang, value=goal)
        shown = {"target": target.label(lang), "current": self._terms(target, row["current"], lang), "goal": goal,
                 "deadline": row["deadline"], "trend_at_deadline": self._terms(target, row["trend_at_deadline"], lang)}
        if odds:
            shown |= {c: said_odds(row[c], int(row["n"]), lang, error=c == "p_at") for c in ("p_at", "p_by")}
            shown["shortfall_if_missed"] = said_pace(self.catalog, target.indicator, row["shortfall_if_missed"], lang,
                                                     target.kind, sign=False)
            shown["passes"] = self._passed(target, row, lang)
        return shown | {"paces": " / ".join(self._paces(target, row, lang).values()),
                        "verdict": t(f"scenarios.short_{row['verdict']}", lang)}

    def _passed(self, target: Target, row: dict, lang: str) -> str:
        """The months when the odds pass 50% and 80%; those of a year's total end with its deadline."""
        if not np.isfinite(row["p_at"]):
            return "–"
        none = t("scenarios.not_by_then", lang) if yearly(target, self.catalog) else t(
            "scenarios.not_within", lang, n=self.horizon)
        return " / ".join(dict.fromkeys(none if pd.isna(row[c]) else month_name(row[c], lang)
                                        for c in ("month_50", "month_80")))


def evaluate_targets(cleaned, branch: str, targets: Iterable[Target] | None = None,
                     deadline: str | pd.Period | None = None, paths: JointPaths | None = None, n: int = 1000,
                     seed: int = 0) -> Targets:
    """Hold a branch's targets against its trend.

    Parameters
    ----------
    cleaned : Cleaned
        Its ``series(branch, indicator)``, ``panel`` and ``catalog`` are used.
    branch : str
    targets : iterable of Target, optional
        Default: those of the source's strategy.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    paths : JointPaths, optional
        The branch's simulated futures (and, for a rank, its peers'); default :func:`simulate_for` these targets. Give
        the same paths here and to scenarios, so that both say the same odds.
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
        A deadline that is no month, or more than ten years ahead; a goal that its indicator cannot have.

    Notes
    -----
    The verdict: ``reached`` today, with odds of a half or more that it is at the deadline, else ``at_risk``;
    ``on_course`` (odds of a half or more); ``slowing`` (less, though the pace of the last twelve months would do if it
    were kept up); ``away`` (moved the wrong way over these); ``far`` (odds below 5%); ``behind``; ``past`` (the
    deadline is not after the data); ``no_data`` (nothing to judge by, and why).
    """
    catalog = cleaned.catalog
    branch = catalog.branch(branch).id
    targets = tuple(load_strategy(cleaned.source).targets if targets is None else each(targets))
    for target in targets:
        if not isinstance(target, Target):
            raise ConfigError("is no target", found=target, expected="a Target, as load_strategy(...).targets holds")
        check_target(target, catalog, at=target.key)
    dates = dates_of(targets, cleaned.panel.index.get_level_values("month").max(), deadline)
    if paths is None and targets:
        paths = simulate_for(cleaned, branch, Strategy(targets=targets), deadline, n=n, seed=seed)
    view = View.of(paths, branch) if targets else None
    table = pd.DataFrame([_evaluate(target, cleaned.series(branch, target.indicator), by, view)
                          for target, by in zip(targets, dates, strict=True)], columns=_COLUMNS)
    for column in _MONTHS if targets else ():
        table[column] = pd.PeriodIndex(table[column], freq="M")
    describe(table, kinds=dict.fromkeys(("p_at", "p_by", "se_at", "se_by"), "percent"), indicator="indicator",
             months={"current": "row"}, exact=["current"], pooled=True)
    return Targets(table, branch, catalog, targets, 0 if paths is None else paths.horizon)


def simulate_for(cleaned, branch: str, strategy: Strategy | None = None, deadline: str | pd.Period | None = None,
                 n: int = 1000, seed: int = 0) -> JointPaths:
    """Simulate what a strategy needs: its indicators and the headline, the branch (every one for a rank), to its last
    deadline.

    Parameters
    ----------
    cleaned : Cleaned
    branch : str
    strategy : Strategy, optional
        Default: that of the source.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    n, seed
        As in :func:`ebank_lib.forecasting.joint.simulate_joint`.

    Returns
    -------
    JointPaths
        At least 24 months, at most ten years.
    """
    strategy = load_strategy(cleaned.source) if strategy is None else strategy
    last = cleaned.panel.index.get_level_values("month").max()
    aims = (*strategy.targets, *strategy.yardsticks)
    named = [*(key for target in aims for key in (target.indicator, *target.of)),
             *(key for lever in strategy.pulled for move in lever.moves for key in (move.indicator, *move.takes_from))]
    data = set(cleaned.panel.columns[cleaned.panel.notna().any()])
    known = [key for key in dict.fromkeys([*named, *cleaned.catalog.headline]) if key in data] or None
    ahead = max([24, *((by - last).n for by in dates_of(aims, last, deadline))])
    return simulate_joint(cleaned, horizon=ahead, n=n, seed=seed, indicators=known,
                          branches=None if any(target.kind == "rank" for target in aims) else [branch])


def _evaluate(target: Target, y: pd.Series, by: pd.Period, view: View) -> dict:
    """Everything about one target that follows from its series and its paths."""
    goal = np.nan if target.goal is None else float(target.goal)
    row = dict.fromkeys(_MONTHS, pd.NaT) | {
        "target": target.key, "line": target.line or target.channel, "indicator": target.indicator,
        "kind": target.kind, "deadline": by, "months_left": 0, "n": 0, "months_seen": int(y.notna().sum()),
        "goal": goal, "reached_from": goal if target.threshold is None else float(target.threshold), "reason": ""}
    seen = y.dropna()
    if seen.empty:
        return row | {"verdict": "no_data", "reason": "no_values"}
    if not all(key in view.paths.values for key in (target.indicator, *target.of)):
        return row | {"verdict": "no_data", "reason": "needs_paths"}
    past = view.past_of(target)
    own, month = past.dropna(), seen.index[-1]
    current, enough = float(own.iloc[-1]) if len(own) else np.nan, view.threshold(target)
    less = target.kind == "rank"        # the first place is the highest
    row |= {"reached_from": enough, "month": month, "current": current, "months_left": max((by - month).n, 0),
            "gap": max(current - enough if less else enough - current, 0.0),
            "achieved_per_month_12m": (float(seen.iloc[-1]) - float(seen.get(month - 12, np.nan))) / 12}
    if by <= month:
        year = pd.period_range(f"{by.year}-01", by, freq="M")
        at = float(y.reindex(year).sum(skipna=False) if target.kind == "total" else past.get(by, np.nan))
        done = target.kind != "raise" and (at <= enough if less else at >= enough)
        return row | {"trend_at_deadline": at, "verdict": "reached" if done else "past"}
    m = judged(view, target, by)
    if isinstance(m, str):
        return row | {"verdict": "no_data", "reason": m}
    total = yearly(target, view.paths.catalog)
    odds, pace = odds_of(m, by), pace_of(m, by)
    row |= asdict(odds) | asdict(pace) | {"ratio": pace.ratio, "trend_at_deadline": odds.median}
    return row | {"verdict": _verdict(target, row["gap"], odds.p_at, pace, total)}


def _verdict(target: Target, gap: float, p_at: float, pace: Pace, total: bool) -> str:
    """What the odds, the gap of today and the pace come to; see the notes of :func:`evaluate_targets`."""
    likely = p_at >= 0.5
    if gap == 0 and not total and target.goal is not None:
        return "reached" if likely else "at_risk"
    if likely:
        return "on_course"
    if not total and pace.ratio <= 1:
        return "slowing"
    if not total and pace.achieved_per_month_12m <= 0:
        return "away"
    return "far" if p_at < _UNLIKELY else "behind"
