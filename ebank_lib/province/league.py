"""The league table: how large each branch is, its share of the province, how fast it grows, its ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..cleaning import reporting, trusted_panel
from ..display import Shown, describe, html_table
from ..errors import SeriesError
from ..monthly import checked_name
from ..wording import cell, cite, join, language, month_name, number, percent, t
from .sums import TENTH, add_up, full_years, name_of, table_unit, total_of


@dataclass(frozen=True, repr=False)
class League(Shown):
    """Branches ranked by one or several indicators; see :func:`league_table`.

    Attributes
    ----------
    table : DataFrame
        ``branch, indicator, value, share, growth, rank, rank_growth``: ``share`` of the province (NaN for a ratio),
        ``growth`` on the year (of a ratio the change, a fraction), ranks from 1, ties sharing the better one; the
        province's row is the last of each indicator and has no rank.
    """

    table: pd.DataFrame
    indicators: tuple[str, ...]
    end: pd.Period
    catalog: Catalog

    def of(self, indicator: str = "") -> pd.DataFrame:
        """Return one indicator's rows, the largest first, the province last.

        Raises
        ------
        UnknownNameError
            The indicator is not in the table.
        """
        key = self.catalog.indicator(indicator or self.indicators[0]).key
        checked_name(key, "indicator in the table", self.indicators)
        return self.table[self.table["indicator"] == key].sort_values("rank", kind="stable", ignore_index=True)

    def largest(self, indicator: str = "", n: int = 3) -> pd.DataFrame:
        """Return what the largest branches together have of an indicator: ``indicator, branches, share``."""
        rows = self.of(indicator)
        ranked = rows.dropna(subset=["rank"])
        return describe(pd.DataFrame({"indicator": rows["indicator"].iloc[:1].tolist(),
                                      "branches": [min(n, len(ranked))], "share": [ranked["share"].iloc[:n].sum()]}),
                        kinds={"share": "percent"}, branch="*", indicator="indicator", months={"share": "window"})

    def reading(self, lang: str | None = None, indicator: str = "") -> str:
        """Say in a sentence who leads, who is last and who grows fastest.

        Its numbers know their cells in the tables recorded as ``league`` and ``league_first`` (:meth:`largest`).
        """
        lang, ranked = language(lang), self.of(indicator).dropna(subset=["rank"])
        ind = self.catalog.indicator(indicator or self.indicators[0])
        label, ratio = ind.short_label(lang), ind.kind == "ratio"
        if ranked.empty:
            return t("province.league_none", lang, label=label)

        def named(row: pd.Series) -> str:
            return self.catalog.branch(row["branch"]).label(lang)

        def refer(row: pd.Series, column: str, text: str) -> str:
            return cite(text, cell("league", column, branch=row["branch"], indicator=ind.key))

        def value(row: pd.Series) -> str:
            return refer(row, "value", percent(row["value"]) if ratio else number(
                row["value"], self.catalog.unit_label(ind.key, lang), lang))

        first, last = ranked.iloc[0], ranked.iloc[-1]
        text = t(f"province.league_{'ratio' if ratio else 'sum'}", lang, label=label, when=t(
            f"province.when_{'flow' if ind.kind == 'flow' else 'stock'}", lang, end=month_name(self.end, lang)),
                 first=named(first), last=named(last), high=value(first), low=value(last), share=cite(
                     percent(self.largest(indicator)["share"].iloc[0], 0),
                     cell("league_first", "share", indicator=ind.key)))
        quick = ranked.sort_values("rank_growth", kind="stable").iloc[0]
        if not np.isfinite(quick["growth"]):
            return text
        growth = t("province.in_points", lang, n=refer(quick, "growth", f"{quick['growth'] * 100:+.1f}")) if ratio \
            else refer(quick, "growth", percent(quick["growth"], sign=True))
        return join([text, t("province.league_fastest", lang, branch=named(quick), growth=growth)],
                    "" if lang == "zh" else " ")

    def plot(self, indicator: str = "", lang: str | None = None):
        """Draw an indicator's ranking; see ``charts.province.plot_league``."""
        from ..charts.province import plot_league

        return plot_league(self, indicator, lang=lang)

    def to_html(self, lang: str | None = None) -> str:
        """Return one table: branches in the order of the first indicator, figures that add up, ranks in brackets."""
        lang = language(lang)
        order = self.of()["branch"]
        shown = pd.DataFrame({"branch": [name_of(self.catalog, b, lang) for b in order]})
        heads = {}
        for key in self.indicators:
            rows = self.of(key).set_index("branch").reindex(order)
            ind = self.catalog.indicator(key)
            columns, unit = self._columns(rows, ind, lang)
            for name, values in columns.items():
                at = f"{key}/{name}"
                shown[at] = values
                heads[at] = t(f"province.head_{name}", lang, label=ind.short_label(lang), unit=unit)
        notes = [self.reading(lang, key) for key in self.indicators] + [t("province.league_note", lang)]
        return html_table(shown, caption=t("province.league_caption", lang, end=month_name(self.end, lang)),
                          heads=heads, notes=notes, lang=lang)

    def _columns(self, rows: pd.DataFrame, ind, lang: str) -> tuple[dict[str, list[str]], str]:
        """Value with rank, share and growth as written; sums and shares rounded so that they add up."""
        def ranked(text: str, rank: float) -> str:
            return text if not np.isfinite(rank) else t("province.ranked", lang, value=text, rank=int(rank))

        if ind.kind == "ratio":
            values = [ranked(percent(v), r) for v, r in zip(rows["value"], rows["rank"], strict=True)]
            change = [f"{v * 100:+.1f}" if np.isfinite(v) else "–" for v in rows["growth"]]
            return {"ratio": values, "points": change}, ""
        unit = table_unit(rows["value"].max(), self.catalog.unit_label(ind.key, lang), lang)
        total = total_of(self.catalog)
        known = rows.drop(index=total)["value"].dropna()
        whole = add_up(known.to_frame(), unit.step, total)["value"].reindex(rows.index)
        share = add_up((known / known.sum()).to_frame(), TENTH, total)["value"].reindex(rows.index) \
            if known.sum() > 0 else rows["share"]
        return {"value": [ranked(unit.write(v), r) for v, r in zip(whole, rows["rank"], strict=True)],
                "share": [percent(v) for v in share],
                "growth": [percent(v, sign=True) for v in rows["growth"]]}, unit.text


def league_table(cleaned, indicators: Sequence[str] | str | None = None) -> League:
    """Rank the branches.

    Parameters
    ----------
    cleaned : Cleaned
    indicators : names, optional
        Default: the catalogue's headline. Of a stock or ratio the month's value, of a flow the last twelve months; of
        the province the sum, of a ratio the ratio of the sums.

    Raises
    ------
    SeriesError
        Fewer than twelve months for a flow.
    UnknownNameError
        An unknown indicator.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    names = [indicators] if isinstance(indicators, str) else indicators
    keys = tuple(catalog.indicator(k).key for k in (catalog.headline if names is None else names))
    for key in keys:
        checked_name(key, "indicator in the panel", panel.columns)
    end = panel.index.get_level_values("month").max()
    branches = reporting(catalog, panel)
    table = pd.concat([_rows(catalog, panel, key, branches, end) for key in keys], ignore_index=True)
    describe(table, kinds={"share": "percent"}, branch="branch", indicator="indicator", exact=["value"], months={
        "value": "window", "share": "window", "growth": "windows", "rank": "window", "rank_growth": "windows"},
             across=["share", "rank", "rank_growth"])
    return League(table, keys, end, catalog)


def _rows(catalog: Catalog, panel: pd.DataFrame, key: str, branches: list[str], end: pd.Period) -> pd.DataFrame:
    ind = catalog.indicators[key]
    if ind.kind == "ratio":
        now, total = _ratio(catalog, panel, key, branches, end)
        then, before = _ratio(catalog, panel, key, branches, end - 12)
        growth, whole = now - then, total - before
        share, of_all = np.full(len(branches), np.nan), np.nan
    else:
        values, _ = full_years(panel, [(b, key) for b in branches], ind)
        if ind.kind == "flow" and end < values.index[0] + 11:
            raise SeriesError("too few months", found=f"{values.index[0]} to {end}", expected="12 months of a flow")
        now = values.loc[end].to_numpy()
        then = values.loc[end - 12].to_numpy() if end - 12 in values.index else np.full(len(now), np.nan)
        total, before = np.nansum(now), then[np.isfinite(now)].sum()
        growth, whole = _over(now, then) - 1, float(_over(total, before)) - 1
        share, of_all = _over(now, total), 1.0
    out = pd.DataFrame({"branch": branches, "indicator": key, "value": now, "share": share, "growth": growth})
    out["rank"] = out["value"].rank(ascending=False, method="min")
    out["rank_growth"] = out["growth"].rank(ascending=False, method="min")
    last = {"branch": total_of(catalog), "indicator": key, "value": total, "share": of_all, "growth": whole}
    return pd.concat([out, pd.DataFrame([last])], ignore_index=True)


def _over(above, below):
    return above / np.where(below > 0, below, np.nan)


def _ratio(catalog: Catalog, panel: pd.DataFrame, key: str, branches: list[str], month: pd.Period):
    """A ratio of each branch in a month, and of all together where numerators and denominators are known."""
    rows = panel[panel.index.get_level_values("month") == month].droplevel("month").reindex(branches)
    ind = catalog.indicators[key]
    parts = [ind.numerator, *ind.denominators]
    if ind.numerator is None or not set(parts) <= set(panel.columns):
        return rows[key].to_numpy(), np.nan
    known = rows[parts].notna().all(axis=1)
    below = rows.loc[known, ind.denominators].to_numpy().sum()
    return rows[key].to_numpy(), float(rows.loc[known, ind.numerator].sum() / below) if below > 0 else np.nan
