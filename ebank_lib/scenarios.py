"""The strategy's targets against the trend: how far, how fast, and what pace is still needed.

First answer, without odds: the trend is the damped one of the forecasts, on a scale on which a share saturates (logit)
and a count stays positive (log), so that no share passes 100%.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from .catalog import Catalog, Id, Indicator, Texts
from .config import Strict, read_yaml, validate
from .display import html_table
from .errors import ConfigError, EbankError, UnknownNameError
from .forecasting import forecast, kind_of
from .wording import language, month_name, number, percent, t

__all__ = ["Target", "Targets", "default_deadline", "evaluate_targets", "load_targets"]

VERDICTS = ("reached", "on_course", "behind", "far", "away", "past", "no_data")
_FAR = 3.0      # a pace this many times the last twelve months' is called far
_COLUMNS = ["target", "line", "indicator", "goal", "reached_from", "month", "current", "deadline", "months_left", "gap",
            "needed_per_month", "achieved_per_month_12m", "ratio", "trend_at_deadline", "verdict", "reason"]


class Target(Strict):
    """One target: an indicator is to stand at ``goal`` (or, ``raise``, above its last twelve months) by a month.

    ``reached`` is the value from which it counts as reached; without one, the goal itself.
    """

    key: Id
    line: Id
    indicator: str
    zh: str
    en: str
    kind: Literal["level", "raise"] = "level"
    goal: float | None = Field(default=None, gt=0)
    reached: float | None = Field(default=None, gt=0)
    deadline: str | None = None

    def label(self, lang: str | None = None) -> str:
        """Return the target in words."""
        return getattr(self, language(lang))


class _File(Strict):
    lines: dict[str, Texts]
    targets: list[Target]


def load_targets(source, catalog: Catalog | None = None) -> list[Target]:
    """Read the targets that a source names under ``strategies:``; none when it names no file.

    Parameters
    ----------
    source : Source, or path of a YAML file
    catalog : Catalog, optional
        Default: the source's.

    Raises
    ------
    ConfigError
        Wrong YAML; a goal above the ceiling of a share; a deadline that is no month; a key that stands twice.
    UnknownNameError
        An indicator or a line that does not exist.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
    else:
        named = source.config.strategies
        if named is None:
            return []
        path, catalog = (Path(source.path).parent / named).resolve(), catalog or source.catalog
    spec = validate(_File, read_yaml(path), path)
    seen: set[str] = set()
    for n, target in enumerate(spec.targets):
        _check(target, spec, catalog, str(path), f"targets.{n}")
        if target.key in seen:
            raise ConfigError("stands twice", file=str(path), key=f"targets.{n}.key", found=target.key)
        seen.add(target.key)
    return list(spec.targets)


def _check(target: Target, spec: _File, catalog: Catalog | None, file: str, at: str) -> None:
    if target.line not in spec.lines:
        raise UnknownNameError("line", target.line, spec.lines, file=file, key=f"{at}.line")
    if target.kind == "level" and target.goal is None:
        raise ConfigError("a level needs a goal", file=file, key=f"{at}.goal", found="nothing", expected="a number")
    if target.kind == "raise" and (target.goal is not None or target.reached is not None):
        raise ConfigError("a raise has no goal", file=file, key=f"{at}.goal", found=target.goal, expected="nothing")
    if target.goal is not None and target.reached is not None and target.reached > target.goal:
        raise ConfigError("is above the goal", file=file, key=f"{at}.reached", found=target.reached,
                          expected=f"at most {target.goal:g}")
    if target.deadline is not None:
        _month(target.deadline, file=file, key=f"{at}.deadline")
    if catalog is None:
        return
    if target.indicator not in catalog.indicators:
        raise UnknownNameError("indicator", target.indicator, catalog.indicators, file=file, key=f"{at}.indicator")
    if kind_of(catalog.indicator(target.indicator)) == "ratio" and target.goal is not None and target.goal > 1:
        raise ConfigError("is above the ceiling of a share", file=file, key=f"{at}.goal", found=target.goal,
                          expected="at most 1.0 (which is 100%)")


def _month(text, **where) -> pd.Period:
    try:
        month = pd.Period(text, "M")
    except ValueError as error:
        raise ConfigError("is no month", found=text, expected="YYYY-MM", **where) from error
    if pd.isna(month):
        raise ConfigError("is no month", found=text, expected="YYYY-MM", **where)
    return month


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
        A row a target: ``target, line, indicator, goal, reached_from, month`` (last observed), ``current, deadline,
        months_left, gap`` (reached_from - current, 0 when reached), ``needed_per_month``, ``achieved_per_month_12m``
        (a twelfth of the change since the same month a year before), ``ratio`` (needed to achieved),
        ``trend_at_deadline``, ``verdict``, ``reason``. Shares are fractions, so paces are fractions a month.
    """

    table: pd.DataFrame = field(repr=False)
    branch: str
    catalog: Catalog = field(repr=False)
    targets: tuple[Target, ...] = field(default=(), repr=False)
    history: dict[str, pd.Series] = field(default_factory=dict, repr=False)

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return a sentence for each target, in their order; or the one that there are none."""
        lang = language(lang)
        if self.table.empty:
            return [self.reading(lang)]
        return [self._sentence(target, row, lang)
                for target, row in zip(self.targets, self.table.to_dict("records"), strict=True)]

    def reading(self, lang: str | None = None) -> str:
        """Return the whole in a sentence: how many targets are reached, on course, behind, and which is furthest."""
        lang = language(lang)
        if self.table.empty:
            return t("scenarios.no_targets", lang)
        count = self.table["verdict"].value_counts()
        groups = [t(f"scenarios.count_{v}", lang, n=int(count[v])) for v in VERDICTS if v in count.index]
        sep = "，" if lang == "zh" else ", "
        return t("scenarios.reading", lang, branch=self.catalog.branch(self.branch).label(lang), n=len(self.table),
                 groups=sep.join(groups))

    def hardest(self, lang: str | None = None) -> str:
        """Return the sentence of the target that needs the most of today's pace, or that none is behind, or ""."""
        behind = self.table["ratio"].where(self.table["verdict"].isin(["behind", "far", "away"]))
        if behind.isna().all():
            return t("scenarios.none_behind", lang) if len(self.table) else ""
        return self.sentences(lang)[int(behind.fillna(-1.0).to_numpy().argmax())]

    def said(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return a value of an indicator as it is said."""
        ind = self.catalog.indicator(indicator)
        return percent(value) if ind.kind == "ratio" and ind.bounded else number(
            value, self.catalog.unit_label(indicator, lang), lang)

    def pace(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return a change a month as it is said: points for a share, else units."""
        if not np.isfinite(value):
            return "–"
        ind = self.catalog.indicator(indicator)
        if ind.kind == "ratio" and ind.bounded:
            return t("scenarios.points", lang, n=f"{value * 100:+.2f}")
        return ("+" if value > 0 else "") + number(value, self.catalog.unit_label(indicator, lang), lang)

    def _sentence(self, target: Target, row: dict, lang: str) -> str:
        key = target.indicator
        about = {"target": target.label(lang), "current": self.said(key, row["current"], lang),
                 "month": month_name(row["month"], lang), "deadline": month_name(row["deadline"], lang),
                 "goal": self.said(key, row["reached_from"], lang),
                 "needed": self.pace(key, row["needed_per_month"], lang),
                 "achieved": self.pace(key, row["achieved_per_month_12m"], lang),
                 "times": f"{row['ratio']:.1f}", "trend": self.said(key, row["trend_at_deadline"], lang),
                 "reason": row["reason"]}
        name = f"scenarios.verdict_{row['verdict']}"
        if target.kind == "raise" and row["verdict"] not in ("past", "no_data"):
            name = f"scenarios.raise_{row['verdict']}"
        return t(name, lang, **about)

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw the targets with trend and goal, and needed against achieved pace; see ``charts.scenarios``."""
        from ebank_lib.charts.scenarios import plot_targets

        return plot_targets(self, ax=ax, lang=lang, **options)

    def to_html(self, lang: str | None = None) -> str:
        """Return the targets as an HTML table with a sentence each, or the sentence that there are none."""
        lang = language(lang)
        rows = []
        for target, row in zip(self.targets, self.table.to_dict("records"), strict=True):
            key = target.indicator
            rows.append({"target": target.label(lang), "current": self.said(key, row["current"], lang),
                         "goal": self.said(key, row["goal"], lang) if target.kind == "level" else t(
                             "scenarios.higher", lang, value=self.said(key, row["reached_from"], lang)),
                         "deadline": row["deadline"],
                         "trend_at_deadline": self.said(key, row["trend_at_deadline"], lang),
                         "needed_per_month": self.pace(key, row["needed_per_month"], lang),
                         "achieved_per_month_12m": self.pace(key, row["achieved_per_month_12m"], lang),
                         "verdict": t(f"scenarios.short_{row['verdict']}", lang)})
        columns = ["target", "current", "goal", "deadline", "trend_at_deadline", "needed_per_month",
                   "achieved_per_month_12m", "verdict"]
        if not rows:
            return f'<p class="note">{html.escape(self.reading(lang))}</p>'
        caption = t("scenarios.caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        return html_table(pd.DataFrame(rows, columns=columns), caption=caption, lang=lang,
                          heads={c: t(f"scenarios.{c}", lang) for c in columns},
                          notes=[self.reading(lang), *self.sentences(lang), t("scenarios.note", lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def evaluate_targets(cleaned, branch: str, targets: Iterable[Target] | None = None,
                     deadline: str | pd.Period | None = None, months_ahead: int | None = None) -> Targets:
    """Hold a branch's targets against its trend.

    Parameters
    ----------
    cleaned : Cleaned
        Its ``series(branch, indicator)`` and ``catalog`` are used.
    branch : str
    targets : iterable of Target, optional
        Default: :func:`load_targets` of the source.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    months_ahead : int, optional
        Instead of `deadline`: so many months after the last month of data.

    Returns
    -------
    Targets
        A target in the past, already reached or without data is labelled so, not left out.

    Raises
    ------
    UnknownNameError
        An unknown branch, or a target on an unknown indicator.
    ConfigError
        A deadline that is no month, or more than ten years ahead; both `deadline` and `months_ahead`.

    Notes
    -----
    The trend is the damped trend on the logit (share) or log scale; ``trend_at_deadline`` is its mean forecast. The
    verdict: ``reached``; ``past`` (the deadline is not after the data); ``on_course`` (the trend gets there);
    ``behind``; ``far`` (needs three times the pace of the last twelve months or more); ``away`` (moved the wrong way
    over the last twelve months, and the trend does not get there); ``no_data``.
    """
    catalog = cleaned.catalog
    branch = catalog.branch(branch).id
    targets = tuple(load_targets(cleaned.source) if targets is None else targets)
    months = cleaned.panel.index.get_level_values("month")
    last = months.max()
    if deadline is not None and months_ahead is not None:
        raise ConfigError("deadline and months_ahead exclude one another", found=months_ahead, expected="one of them")
    if months_ahead is not None:
        deadline = last + int(months_ahead)
    usual = default_deadline(last) if deadline is None else _month(deadline, key="deadline")
    rows, history = [], {}
    for target in targets:
        ind = catalog.indicator(target.indicator)
        y = cleaned.series(branch, target.indicator)
        history[target.key] = y
        by = usual if target.deadline is None else _month(target.deadline, key=f"{target.key}.deadline")
        if (by - last).n > 120:
            raise ConfigError("is more than ten years ahead", key=f"{target.key}.deadline", found=str(by),
                              expected=f"at most {last + 120}")
        rows.append({"target": target.key, "line": target.line, "indicator": target.indicator,
                     "deadline": by} | _evaluate(target, ind, y, by))
    return Targets(pd.DataFrame(rows, columns=_COLUMNS), branch, catalog, targets, history)


def _evaluate(target: Target, ind: Indicator, y: pd.Series, by: pd.Period) -> dict:
    """Everything about one target that follows from its series."""
    empty = dict.fromkeys(_COLUMNS[3:-2], np.nan) | {"month": pd.NaT, "months_left": 0, "reason": ""}
    del empty["deadline"]
    seen = y.dropna()
    goal = np.nan if target.goal is None else float(target.goal)
    reached = goal if target.reached is None else float(target.reached)
    if seen.empty:
        return empty | {"goal": goal, "reached_from": reached, "verdict": "no_data", "reason": "–"}
    month, current = seen.index[-1], float(seen.iloc[-1])
    if target.kind == "raise":
        reached = float(seen.iloc[-12:].mean())
    left = (by - month).n
    before = float(seen.get(month - 12, np.nan))
    achieved = (current - before) / 12
    row = empty | {"goal": goal, "reached_from": reached, "month": month, "current": current,
                   "months_left": max(left, 0), "gap": max(reached - current, 0.0), "achieved_per_month_12m": achieved}
    if left <= 0:
        at = float(seen.get(by, np.nan))
        done = np.isfinite(at) and at >= reached
        return row | {"trend_at_deadline": at, "verdict": "reached" if done and target.kind == "level" else "past"}
    try:
        trend = float(forecast(y, left, models=("damped",), kind=kind_of(ind)).block()["y_hat"].iloc[-1])
    except EbankError as error:
        return row | {"verdict": "no_data", "reason": str(error)}
    needed = row["gap"] / left
    row |= {"trend_at_deadline": trend, "needed_per_month": needed,
            "ratio": needed / achieved if achieved > 0 else np.inf if needed > 0 else 0.0}
    return row | {"verdict": _verdict(target, row)}


def _verdict(target: Target, row: dict) -> str:
    if target.kind == "raise":
        return "on_course" if row["trend_at_deadline"] > row["reached_from"] else "away"
    if row["current"] >= row["reached_from"]:
        return "reached"
    if row["trend_at_deadline"] >= row["reached_from"]:
        return "on_course"
    if np.isfinite(row["achieved_per_month_12m"]) and row["achieved_per_month_12m"] <= 0:
        return "away"
    return "far" if np.isfinite(row["ratio"]) and row["ratio"] >= _FAR else "behind"
