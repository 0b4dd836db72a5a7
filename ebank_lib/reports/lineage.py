"""What a recorded number is made of: values of the panel, and the printed cells that these come from.

A few rules say of each table which branch and indicator a row is about and which months a column looks at. A number
that is a value of the panel leads to its own cells; anything computed leads to the series that went in, and no closer
claim is made: a forecast is a function of all its months.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..wording import LANGUAGES, month_name
from .cells import Cell
from .opened import Opened
from .trace import month_of

__all__ = ["RULES", "Inputs", "Rule", "inputs_of", "labels_of", "printed_cells"]


@dataclass(frozen=True)
class Rule:
    """How a table's rows and columns look at the panel.

    `branch` and `indicator` name the column that holds them, "@" the report's own, "*" all. `months` says for a column
    which months it looks at: ``row`` (the month in the row), ``first``, ``last``, ``yoy`` (last and a year before),
    ``window`` (of a flow the twelve last months, else the last), ``windows`` (that and the year before), else all.
    """

    branch: str = "@"
    indicator: str = "@"
    months: Mapping[str, str] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()     # columns that are values of the panel as they stand
    against: frozenset[str] = frozenset()   # columns in which all branches are compared, whoever the row is about


def _rule(branch: str, indicator: str, exact: str = "", against: str = "", **months: str) -> Rule:
    return Rule(branch, indicator, months, frozenset(exact.split()), frozenset(against.split()))


_PEERS = ("rank percentile lo hi median gap_median median_months leader_y gap_leader leader_months n")


# `y_hat` of a forecast looks at every month; that is the default.
RULES: Mapping[str, Rule] = {
    "growth": _rule("@", "indicator", "y_first y_last", y_first="first", y_last="last", last_yoy="yoy", gain="ends",
                    base="ends"),
    "facts": _rule("@", "*"), "fact_verdicts": _rule("@", "*"),
    "series": _rule("@", "@", "y value", y="row", value="row"),
    "forecast": _rule("@", "unique_id"), "trust": _rule("@", "unique_id"),
    "check": _rule("@", "@", "actual", actual="row"),
    "targets": _rule("@", "indicator", "current", current="row"),
    "channels": _rule("@", "indicator"), "scenarios": _rule("@", "indicator"),
    "scenarios_channels": _rule("@", "indicator"), "effects": _rule("@", "indicator"),
    "required": _rule("@", "indicator"),
    "peers": _rule("@", "indicator", "y", _PEERS, y="row"), "peers_free": _rule("@", "indicator", "y", _PEERS, y="row"),
    "problems": _rule("@", "item"),
    "decisions": _rule("*", "*"), "conservation": _rule("*", "*"), "ledger_summary": _rule("*", "*"),
    "decisions_branch": _rule("@", "*"), "ledger_branch": _rule("@", "*"),
    "league": _rule("branch", "indicator", "value", "share rank rank_growth", value="window", share="window",
                    growth="windows", rank="window", rank_growth="windows"),
    "league_first": _rule("*", "indicator", share="window"),
    "contributions": _rule("branch", "indicator", "", "points", before="before", after="window", change="windows",
                           points="windows"),
    "contributions_branches": _rule("branch", "@", "", "points", before="before", after="window", change="windows",
                                    points="windows"),
    "carriers": _rule("branch", "@", "", "share cumulative order", now="window"),
    "province_forecast": _rule("*", "indicator"), "convergence": _rule("*", "indicator"),
    "clusters": _rule("*", "*"),
}
# Tables whose numbers rest on forecasts, which learn from all branches.
_POOLED = frozenset((
    "forecast", "backtest", "grade", "trust", "comparison", "revision", "check", "targets", "channels", "scenarios",
    "scenarios_channels", "required", "carriers", "province_forecast"))


@dataclass(frozen=True)
class Inputs:
    """Values of the panel: every month of `months` of every branch and indicator.

    ``exact``: the number is this one as it stands. ``pooled``: what is learnt from the other branches (the season's
    shape, the width of limits) went in besides.
    """

    branches: tuple[str, ...]
    indicators: tuple[str, ...]
    months: tuple[pd.Period, ...]
    exact: bool = False
    pooled: bool = False


def labels_of(catalog: Any, months: pd.PeriodIndex) -> dict[str, str]:
    """Return what pages call branches, indicators and months, in every language and length, with their keys."""
    labels: dict[str, str] = {}
    for lang in LANGUAGES:
        for one in catalog.indicators.values():
            labels |= {one.label(lang): one.key, one.short_label(lang): one.key}
        for branch in catalog.branches.values():
            labels[branch.label(lang)] = branch.id
        labels |= {month_name(month, lang): str(month) for month in (*months, *(months[-1] + n for n in range(1, 61)))}
    return labels


def inputs_of(report: Opened, cleaned: Any, cell: Cell | None, notebook: str = "") -> Inputs:
    """Return what a cell is made of; without a cell, what its notebook looks at.

    Parameters
    ----------
    report : Opened
    cleaned : Cleaned
        The source, cleaned.
    cell : Cell or None
        Of a recorded table. Counts are made of the rows they count.
    notebook : str
        Where it was made.
    """
    catalog = cleaned.catalog
    table = None if cell is None else report.tables.get(cell.table)
    rule = RULES.get(cell.table) if cell is not None else None
    if rule is None:
        narrow = notebook[:2] in ("03", "04") or cell is not None
        rule = Rule("@", "@") if narrow and not notebook.startswith("06") else Rule("@", "*")
    row = {} if table is None or cell.at < 0 else {
        c["name"]: v for c, v in zip(table["columns"], table["rows"][cell.at], strict=True)}
    column = "" if cell is None else cell.column
    branches = _branches("*" if column in rule.against else rule.branch, row, report, cleaned)
    indicators = _indicators(rule.indicator, row, report, cleaned)
    months = _months(rule.months.get(column, "all"), row, branches, indicators, report, cleaned)
    exact = column in rule.exact and _is_value(cell, branches, indicators, months, cleaned)
    if not exact and rule.months.get(column) == "row":      # the row's month, but something made of more than it
        months = _months("all", row, branches, indicators, report, cleaned)
    pooled = cell is not None and cell.table in _POOLED and not exact
    return Inputs(branches, _with_parts(indicators, exact, catalog), months, exact, pooled)


def _branches(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    everyone = tuple(b for b in cleaned.branches if b in set(cleaned.catalog.reporting))
    named = row.get(how, how) if how not in ("@", "*") else report.about.branch if how == "@" else "*"
    whole = named not in cleaned.branches or named == cleaned.catalog.total
    return everyone if whole else (str(named),)


def _indicators(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    catalog = cleaned.catalog
    if how == "@":
        return (catalog.indicator(report.parameter("indicator")).key,)
    named = row.get(how)
    return (str(named),) if named in catalog.indicators else tuple(
        k for k in catalog.indicators if k in cleaned.panel.columns)


def _with_parts(indicators: tuple[str, ...], exact: bool, catalog: Any) -> tuple[str, ...]:
    """Add what a sum or a ratio consists of, where the number was computed from it rather than printed."""
    if exact or len(indicators) != 1:
        return indicators
    one = catalog.indicators[indicators[0]]
    parts = [one.key, *([one.numerator] if one.numerator else []), *one.denominators]
    return tuple(dict.fromkeys(parts)) if one.kind == "ratio" else indicators


def _months(how: str, row: Mapping[str, Any], branches, indicators, report: Opened, cleaned: Any) -> tuple:
    every = [m for m in report.months if m in set(cleaned.months)]
    if how == "row":
        month = month_of(str(row.get("month", "")))
        return (month,) if month in every else ()
    if how in ("first", "last", "ends"):
        y = cleaned.series(branches[0], indicators[0]).loc[every[0]:every[-1]].dropna()
        ends = (y.index[0], y.index[-1]) if len(y) else ()
        return ends if how == "ends" else ends[:1] if how == "first" else ends[-1:]
    if how == "yoy":
        return tuple(m for m in every if m in (every[-1], every[-1] - 12))
    if how in ("window", "before", "windows"):
        length = 12 if cleaned.catalog.indicators[indicators[0]].kind == "flow" else 1
        now = {every[-1] - n for n in range(length)}
        before = {m - 12 for m in now}
        wanted = now if how == "window" else before if how == "before" else now | before
        return tuple(m for m in every if m in wanted)
    return tuple(every)


def _is_value(cell: Cell, branches, indicators, months, cleaned: Any) -> bool:
    """Whether the recorded number is the value of the panel, to the digits that are recorded."""
    if not (len(branches) == len(indicators) == len(months) == 1) or not isinstance(cell.value, (int, float)):
        return False
    value = float(cleaned.series(branches[0], indicators[0]).get(months[0], math.nan))
    return math.isclose(value, cell.value, rel_tol=1e-9, abs_tol=1e-12)


def printed_cells(cleaned: Any, inputs: Inputs) -> pd.DataFrame:
    """Return the ledger's rows of some values of the panel: ``file, sheet, row, column, branch, month, indicator, text,
    unit, decision, rule, before, after``; of before a merger those of both branches."""
    rows = cleaned.entries
    found = []
    branches = cleaned.catalog.branches.values()
    mine = rows[rows["indicator"].isin(inputs.indicators) & rows["month"].isin(inputs.months)]
    for name in inputs.branches:
        found.append(mine[mine["branch"] == name])
        for old in branches:
            if old.merged_into == name:
                found.append(mine[(mine["branch"] == old.id) & (mine["month"] < old.merged_month)])
    columns = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "decision", "rule",
               "before", "after"]
    return pd.concat(found)[columns].reset_index(drop=True)
