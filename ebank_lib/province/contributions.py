"""Where the province's growth came from, and who is expected to carry what is to come: shares that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..cleaning import reporting, trusted_panel
from ..display import Shown, describe, html_table
from ..errors import SeriesError
from ..forecasting import JointPaths
from ..wording import cell, cite, join, language, listed, month_name, number, percent, t
from .sums import TENTH, YEAR, add_up, additive, full_years, leaves, name_of, table_unit, total_of


@dataclass(frozen=True, repr=False)
class GrowthDecomposition(Shown):
    """Contributions to the province's growth; see :func:`growth_decomposition`.

    Attributes
    ----------
    table : DataFrame
        ``branch, indicator, before, after, change, points, filled, reason``: a row a branch and part. ``points`` is
        the change over the province's ``before`` (a fraction), ``filled`` how many months without a figure were put
        in. A branch without figures keeps its row with the reason and is in no sum.
    start, end : Period
        The months compared; of a flow the last ones of the two spans.
    """

    table: pd.DataFrame
    indicator: str
    parts: tuple[str, ...]
    start: pd.Period
    end: pd.Period
    catalog: Catalog

    @property
    def known(self) -> pd.DataFrame:
        """The rows that have figures."""
        return self.table[self.table["reason"] == ""]

    @property
    def growth(self) -> float:
        """Growth of the province, the sum of all points; NaN where it began at nothing."""
        before = self.known["before"].sum()
        return float(self.known["change"].sum() / before) if before > 0 else np.nan

    def span(self, lang: str | None = None) -> str:
        """Return what is compared with what, in words."""
        kind = self.catalog.indicator(self.indicator).kind
        return t(f"province.span_{kind}", lang, end=month_name(self.end, language(lang)), n=YEAR)

    def by(self) -> pd.DataFrame:
        """Return ``before, after, change, points`` by branch, the largest change first."""
        sums = self.known.groupby("branch", sort=False)[["before", "after", "change", "points"]].sum()
        return sums.sort_values("change", ascending=False, kind="stable")

    def full(self) -> pd.DataFrame:
        """Return branch by branch, the largest change first, and all together what :meth:`reading` says."""
        rows = self.by().reset_index()
        total = {"branch": total_of(self.catalog), "before": rows["before"].sum(), "after": rows["after"].sum(),
                 "change": rows["change"].sum(), "points": self.growth}
        return describe(pd.concat([rows, pd.DataFrame([total])], ignore_index=True), branch="branch", **_SOURCES)

    def reading(self, lang: str | None = None) -> str:
        """Say in a sentence who made the growth.

        Its numbers know their cells in the table recorded as ``contributions_branches`` (:meth:`full`).
        """
        lang, table = language(lang), "contributions_branches"
        ind, rows = self.catalog.indicator(self.indicator), self.by()
        values = {"label": ind.short_label(lang), "span": self.span(lang)}
        change = rows["change"].sum()
        if not np.isfinite(self.growth) or change == 0:
            return t("province.growth_none", lang, **values)
        up, first = change > 0, rows.index[0 if change > 0 else -1]
        said = t(f"province.growth_{'up' if up else 'down'}", lang, first=self.catalog.branch(first).label(lang),
                 growth=cite(percent(abs(self.growth)), cell(table, "points", branch=total_of(self.catalog))),
                 change=cite(number(abs(change), self.catalog.unit_label(ind.key, lang), lang),
                             cell(table, "change", branch=total_of(self.catalog))),
                 points=cite(f"{abs(rows.loc[first, 'points']) * 100:.1f}", cell(table, "points", branch=first)),
                 **values)
        against = int((rows["change"] < 0).sum() if up else (rows["change"] > 0).sum())
        counted = cell(table, branch=f"!={total_of(self.catalog)}", change="<0" if up else ">0")
        return join([said, t("province.growth_against", lang, n=cite(against, counted)) if against else
                     t("province.growth_all", lang)], "" if lang == "zh" else " ")

    def plot(self, ax=None, lang: str | None = None):
        """Draw the contributions of branches and parts; see ``charts.province.plot_decomposition``."""
        from ..charts.province import plot_decomposition

        return plot_decomposition(self, ax, lang)

    def to_html(self, lang: str | None = None) -> str:
        """Return branch by branch what was, what came and what it contributed."""
        lang, ind = language(lang), self.catalog.indicator(self.indicator)
        rows, total = self.by(), total_of(self.catalog)
        unit = table_unit(rows[["before", "after"]].sum().abs().max(), self.catalog.unit_label(ind.key, lang), lang)
        shown = add_up(rows[["before", "change"]], unit.step, "after").rename(index={"after": total})
        shown = shown[["before", "after", "change"]]
        if np.isfinite(self.growth):
            shown["points"] = add_up(rows[["points"]], TENTH, total)["points"]
        shown = shown.rename(index=lambda b: name_of(self.catalog, b, lang)).reset_index(names="branch")
        notes, filled = [self.reading(lang), t("province.adds_up", lang)], int((self.known["filled"] > 0).sum())
        without = self.table.loc[self.table["reason"] != "", "branch"].unique()
        if filled:
            notes.append(t("province.filled", lang, n=filled))
        if len(without):
            notes.append(t("province.without", lang, names=_names(self.catalog, without, lang)))
        caption = t("province.growth_caption", lang, label=ind.short_label(lang), unit=unit.text, span=self.span(lang))
        return html_table(shown, caption=caption, notes=notes, lang=lang,
                          heads={k: t(f"province.{k}", lang) for k in ("before", "after", "change", "points")},
                          formats=dict.fromkeys(("before", "after", "change"), unit.write) | {"points": points_text})


_SOURCES = {"months": {"before": "before", "after": "window", "change": "windows", "points": "windows"},
            "across": ["points"]}


def growth_decomposition(cleaned, indicator: str = "") -> GrowthDecomposition:
    """Divide the province's growth among its branches and, where the indicator is a sum, among its channels.

    A stock is compared with itself twelve months earlier; of a flow the last twelve months with the twelve before.

    Parameters
    ----------
    cleaned : Cleaned
    indicator : str
        A stock or flow; default the first of the catalogue's headline.

    Returns
    -------
    GrowthDecomposition
        Whose contributions add up to the province's growth, in units and in points.

    Raises
    ------
    SeriesError
        A ratio, or too few months.
    UnknownNameError
        An unknown indicator.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    ind = additive(catalog, indicator)
    reported = panel.index.get_level_values("month")
    first, end = reported.min(), reported.max()
    start, needed = end - YEAR, 2 * YEAR if ind.kind == "flow" else YEAR + 1
    if (end - first).n + 1 < needed:
        raise SeriesError("too few months to compare", found=f"{first} to {end}", expected=f"{needed} months")
    branches = reporting(catalog, panel)
    parts = leaves(catalog, ind.key, panel.columns[panel.notna().any()])
    values, filled = full_years(panel, [(b, k) for b in branches for k in parts], ind)
    table = pd.DataFrame({
        "branch": [b for b in branches for _ in parts], "indicator": [k for _ in branches for k in parts],
        "before": values.loc[start].to_numpy(), "after": values.loc[end].to_numpy()})
    table["change"] = table["after"] - table["before"]
    lost = table.groupby("branch", sort=False)["change"].transform(lambda c: c.isna().any())
    total = table.loc[~lost, "before"].sum()
    if lost.all():
        raise SeriesError("no branch has figures to compare", found=ind.key, expected=f"figures in {start} and {end}")
    table["points"] = table["change"] / total if total > 0 else np.nan
    table["filled"] = (filled.loc[start] + filled.loc[end]).to_numpy()
    table["reason"] = np.where(lost, "missing", "")
    describe(table, branch="branch", indicator="indicator", **_SOURCES)
    return GrowthDecomposition(table, ind.key, parts, start, end, catalog)


@dataclass(frozen=True, repr=False)
class Carriers(Shown):
    """Each branch's part of what the province is expected to gain; see :func:`who_carries`.

    Attributes
    ----------
    table : DataFrame
        ``branch, now, then, increase, share, lo-80, hi-80, reason``: ``then`` and ``increase`` are means over the paths
        and add up, ``share`` of the province's increase (NaN where it gains nothing).
    total : Series
        ``now, then, increase, lo-80, hi-80`` of the province; its limits are those of the sum, narrower than the sum
        of the limits.
    """

    table: pd.DataFrame
    total: pd.Series
    indicator: str
    month: pd.Period
    origin: pd.Period
    catalog: Catalog

    def when(self, lang: str | None = None) -> str:
        """Return by when, or over which twelve months, in words."""
        kind = self.catalog.indicator(self.indicator).kind
        return t(f"province.by_{kind}", lang, month=month_name(self.month, language(lang)))

    @property
    def ranked(self) -> pd.DataFrame:
        """The branches with paths, the largest increase first."""
        known = self.table[self.table["reason"] == ""]
        return known.sort_values("increase", ascending=False, kind="stable")

    def full(self) -> pd.DataFrame:
        """Return the table for recording, the largest increase first, with what :meth:`reading` says besides.

        ``order`` counts the branches from the largest increase, ``cumulative`` is the share of all up to there; the
        last row is the province.
        """
        rows = self.table.sort_values("increase", ascending=False, kind="stable")
        known = rows["reason"] == ""
        rows = rows.assign(order=known.cumsum().where(known), cumulative=rows["share"].where(known).cumsum())
        total = {**self.total, "branch": total_of(self.catalog)}
        return describe(pd.concat([rows, pd.DataFrame([total])], ignore_index=True), branch="branch",
                        kinds={"share": "percent", "cumulative": "percent"}, months={"now": "window"},
                        across=["share", "cumulative", "order"], pooled=True)

    def reading(self, lang: str | None = None) -> str:
        """Say in a sentence who is expected to carry the increase.

        Its numbers know their cells in the table recorded as ``carriers`` (:meth:`full`).
        """
        lang, gain = language(lang), self.total["increase"]
        ind, rows = self.catalog.indicator(self.indicator), self.ranked
        values = {"label": ind.short_label(lang), "when": self.when(lang),
                  "increase": cite(number(abs(gain), self.catalog.unit_label(ind.key, lang), lang),
                                   cell("carriers", "increase", branch=total_of(self.catalog)))}
        if not gain > 0:
            return t("province.carry_none", lang, **values)
        half = int((rows["share"].cumsum() < 0.5).sum()) + 1
        first, last = rows["branch"].iloc[0], rows["branch"].iloc[half - 1]
        return t("province.carry", lang, first=self.catalog.branch(first).label(lang),
                 share=cite(percent(rows["share"].iloc[0], 0), cell("carriers", "share", branch=first)),
                 half=cite(half, cell("carriers", "order", branch=last)),
                 n=cite(len(rows), cell("carriers", order="!=")), **values)

    def plot(self, ax=None, lang: str | None = None):
        """Draw each branch's expected increase with its limits; see ``charts.province.plot_carriers``."""
        from ..charts.province import plot_carriers

        return plot_carriers(self, ax, lang)

    def to_html(self, lang: str | None = None) -> str:
        """Return the table, the largest increase first, the province last."""
        lang, total = language(lang), total_of(self.catalog)
        ind, rows = self.catalog.indicator(self.indicator), self.ranked.set_index("branch")
        unit = table_unit(self.total[["now", "then"]].abs().max(), self.catalog.unit_label(ind.key, lang), lang)
        shown = add_up(rows[["now", "increase"]], unit.step, "then").rename(index={"then": total})
        shown = shown[["now", "then", "increase"]]
        for column in ("lo-80", "hi-80"):
            shown[column] = [*rows[column], self.total[column]]
        if np.isfinite(rows["share"]).all():
            shown["share"] = add_up(rows[["share"]], TENTH, total)["share"]
        shown = shown.rename(index=lambda b: name_of(self.catalog, b, lang)).reset_index(names="branch")
        now, then = (t(f"province.now_{ind.kind}", lang, month=month_name(m, lang)) for m in (self.origin, self.month))
        heads = {k: t(f"province.{k.replace('-80', '')}", lang) for k in ("increase", "lo-80", "hi-80", "share")}
        heads |= {"now": now, "then": t("province.then", lang, when=then)}
        notes = [self.reading(lang), t("province.carry_note", lang)]
        if ind.kind == "flow":
            notes.append(t("province.year_note", lang))
        if len(rows) < len(self.table):
            lost = self.table.loc[self.table["reason"] != "", "branch"]
            notes.append(t("province.no_paths", lang, names=_names(self.catalog, lost, lang)))
        return html_table(shown, caption=t("province.carry_caption", lang, label=ind.short_label(lang), unit=unit.text),
                          heads=heads, notes=notes, lang=lang, formats=dict.fromkeys(
                              ("now", "then", "increase", "lo-80", "hi-80"), unit.write))


def who_carries(paths: JointPaths, indicator: str = "") -> Carriers:
    """Divide the increase that is expected of the province by the last month of its paths among its branches.

    A stock is compared with its last observed value; a flow's last twelve months with the last twelve observed.

    Parameters
    ----------
    paths : JointPaths
    indicator : str
        A stock or flow; default the first of the catalogue's headline.

    Raises
    ------
    SeriesError
        A ratio; no branch with paths.
    UnknownNameError
        An unknown indicator.
    """
    ind = additive(paths.catalog, indicator)
    values = paths.array(ind.key)
    ahead = len(paths.months)
    past, _ = full_years(paths.history, [(b, ind.key) for b in paths.branches], ind)
    now = past.loc[paths.origin].to_numpy()
    if ind.kind == "flow":
        single, _ = full_years(paths.history, [(b, ind.key) for b in paths.branches], ind, 1)
        known = single.to_numpy()[len(single) - max(12 - ahead, 0):].sum(axis=0)
        then = values[:, max(ahead - 12, 0):].sum(axis=1) + known[:, None]
    else:
        then = values[:, -1]
    able = np.isfinite(then).all(axis=1) & np.isfinite(now)
    if not able.any():
        raise SeriesError("no branch has paths", found=ind.key, expected="paths of at least one branch")
    gain = then - now[:, None]
    increase = gain.mean(axis=1)
    total, more = now[able].sum(), increase[able].sum()
    share = increase / more if more > 0 else np.full(len(able), np.nan)
    low, high = np.quantile(gain, (0.1, 0.9), axis=1)
    least, most = np.quantile(gain[able].sum(axis=0), (0.1, 0.9))
    whole = pd.Series({"now": total, "increase": more, "then": total + more, "lo-80": least, "hi-80": most})
    table = pd.DataFrame({"branch": list(paths.branches), "now": now, "then": now + increase, "increase": increase,
                          "share": share, "lo-80": low, "hi-80": high,
                          "reason": ["" if ok else paths.reasons.get((b, ind.key), "no paths")
                                     for b, ok in zip(paths.branches, able, strict=True)]})
    return Carriers(table, whole, ind.key, paths.months[-1], paths.origin, paths.catalog)


def _names(catalog: Catalog, branches, lang: str) -> str:
    return listed((catalog.branch(b).label(lang) for b in branches), lang)


def points_text(value: float) -> str:
    """Return a contribution as it is written, in points."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
