"""Where things stand in the last month: figures, the year before, and the other branches, for some indicators.

A size is compared by its growth on the same month a year before, which does not depend on how large a city is; a ratio
by its level. The same of all branches together where they have a total.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..cleaning import reporting, trusted_panel
from ..display import Shown, describe, html_table
from ..wording import language, month_name, number, percent, t
from .position import YEAR, by_branch

_COLUMNS = ["indicator", "kind", "month", "y", "before", "yoy", "compared", "n", "rank", "median", "whole", "first",
            "first_value", "last", "last_value"]


@dataclass(frozen=True, repr=False)
class Standing(Shown):
    """A branch, or all together, now and a year before, among the branches; see :func:`standing`.

    Attributes
    ----------
    table : DataFrame
        A row an indicator: ``indicator, kind, month`` (the last with a value), ``y, before`` (the month a year
        earlier), ``yoy`` (growth from there; of a ratio the difference), ``compared`` (what branches are compared by:
        growth of a size, level of a ratio), ``n`` (branches that have it), ``rank`` (1 is the highest), ``median`` of
        the branches, ``whole`` (all together), ``first, first_value, last, last_value`` (highest and lowest branch).
    everyone : DataFrame
        What branches are compared by: indicators x branches.
    branch : str or None
        None is all together, who have no rank.
    """

    table: pd.DataFrame
    everyone: pd.DataFrame
    catalog: Catalog
    branch: str | None = None

    def said(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return what branches are compared by as it is said: growth with its sign, a ratio per cent."""
        return percent(value, sign=self.catalog.indicators[indicator].kind != "ratio")

    def to_html(self, lang: str | None = None) -> str:
        """Return the table as HTML for reading."""
        lang, catalog, rows = language(lang), self.catalog, self.table.to_dict("records")

        def figure(row: dict, name: str) -> str:
            return percent(row[name]) if row["kind"] == "ratio" else number(
                row[name], catalog.unit_label(row["indicator"], lang), lang)

        def end(row: dict, name: str) -> str:
            value = self.said(row["indicator"], row[f"{name}_value"], lang)
            return f"{catalog.branch(row[name]).label(lang)} {value}" if row[name] else "–"

        shown = pd.DataFrame({
            "indicator": [catalog.indicators[row["indicator"]].label(lang) for row in rows],
            "month": [month_name(row["month"], lang) for row in rows],
            "y": [figure(row, "y") for row in rows], "before": [figure(row, "before") for row in rows],
            "yoy": [t("peers.points", lang, n=f"{100 * row['yoy']:+.1f}") if row["kind"] == "ratio"
                    and math.isfinite(row["yoy"]) else percent(row["yoy"], sign=True) for row in rows],
            "rank": [t("peers.rank_of", lang, rank=f"{row['rank']:.0f}", n=row["n"]) if row["rank"] > 0 else "–"
                     for row in rows],
            "median": [self.said(row["indicator"], row["median"], lang) for row in rows],
            "first": [end(row, "first") for row in rows], "last": [end(row, "last") for row in rows]})
        named = ["indicator", "month", "y", "before", "yoy", "first", "last"]
        if self.branch is not None:
            named[5:] = ["rank", "median", "first"] if (self.table["n"] > 1).any() else []
        who = t("report.all_branches", lang) if self.branch is None else catalog.branch(self.branch).label(lang)
        heads = {c: t(f"peers.standing_{c}", lang) for c in named[2:]}
        return html_table(shown[named], lang=lang, caption=t("peers.standing_caption", lang, branch=who), heads=heads,
                          notes=[t("peers.standing_note", lang)])

    def plot(self, lang: str | None = None):
        """Draw the branches of each indicator from the lowest to the highest, this one marked; returns the Figure."""
        from ..charts.peers import plot_standing

        return plot_standing(self, lang)


def standing(cleaned, branch: str | None = None, indicators: Iterable[str] | None = None) -> Standing:
    """Return how a branch, or all together, stand against the year before and among the branches.

    Parameters
    ----------
    cleaned : Cleaned
    branch : str, optional
        Default: all branches together, where there is a total (:meth:`ebank_lib.cleaning.Cleaned.total`).
    indicators : iterable of str, optional
        Default: the catalogue's headline, or all where it names none; those without a value are left out.

    Raises
    ------
    UnknownNameError
        Branch or indicator; lists what exists.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    total = cleaned.total()
    own = total if branch is None else panel.xs(catalog.branch(branch).id, level="branch")
    wanted = [catalog.indicator(key).key for key in indicators or catalog.headline or catalog.indicators]
    peers = reporting(catalog, panel)
    rows, fields = [], {}
    for key in dict.fromkeys(wanted):
        y = own[key].dropna() if key in own else pd.Series(dtype=float)
        if y.empty:
            continue
        ratio, month = catalog.indicators[key].kind == "ratio", y.index[-1]
        # Each branch, this one and all together, as columns: now, and the change over the year to now.
        frame = by_branch(panel, key)[peers].assign(_own=own[key], _whole=total.get(key, np.nan))
        now, before = (frame.reindex([at]).iloc[0] for at in (month, month - YEAR))
        yoy = now - before if ratio else now / before.where(before > 0) - 1
        compared = now if ratio else yoy
        fields[key] = others = compared[peers].dropna().sort_values(ascending=False, kind="stable")
        mine, found = compared["_own"], len(others)
        rows.append({
            "indicator": key, "kind": catalog.indicators[key].kind, "month": month, "y": y.iloc[-1],
            "before": before["_own"], "yoy": yoy["_own"], "compared": mine, "n": found,
            "rank": (others > mine).sum() + 1.0 if branch is not None and np.isfinite(mine) else np.nan,
            "median": others.median(), "whole": compared["_whole"],
            "first": others.index[0] if found else "", "first_value": others.max(),
            "last": others.index[-1] if found else "", "last_value": others.min()})
    table = describe(pd.DataFrame(rows, columns=_COLUMNS), kinds=dict.fromkeys(
        ("yoy", "compared", "median", "whole", "first_value", "last_value"), "percent"), indicator="indicator",
        branch="@" if branch is not None else "*", months={"y": "row", "yoy": "yoy", "compared": "yoy"}, exact=["y"],
        across=["n", "rank", "median", "whole", "first_value", "last_value"])
    return Standing(table, pd.DataFrame(fields).T, catalog, branch and catalog.branch(branch).id)
