"""Facts of the world beside a branch's figures: one row a fact, with its source, year and unit.

A fact is published, stated by the study or computed from a published series; a branch's own figures may be simulated.
They never stand in one column: :meth:`Reference.beside` labels both. What the study's text leaves undecidable (a
figure that can be read as 500% or as 5000%) is not among the facts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from .cleaning import trusted_panel
from .config import read_rows
from .display import say, show
from .files import shipped
from .wording import language, month_name, percent, t

COLUMNS = ("id", "time", "subject", "indicator", "measure", "value", "unit", "kind", "zh", "en", "source_zh",
           "source_en")
MIN_MONTHS = 10      # of a year, for its figure to be that year's


@dataclass(frozen=True)
class Reference:
    """Facts with their sources; see :func:`reference_facts`.

    Attributes
    ----------
    table : DataFrame
        One row a fact: ``id, time`` (a year or month as text, "" where the study gives none), ``subject`` (whose),
        ``indicator`` (the catalogue's key it may stand beside, or ""), ``measure, value`` (float in `unit`; shares and
        growth as fractions; missing for a milestone), ``unit, kind, zh, en, source_zh, source_en``.
    """

    table: pd.DataFrame = field(repr=False)

    def beside(self, cleaned, branch: str) -> pd.DataFrame:
        """Set a branch's own figures beside the facts that speak of the same indicator.

        Returns
        -------
        DataFrame
            One row a fact: ``id, indicator, measure, fact_time, fact_value, fact_kind``, then ``own_first, own_last``
            (the months of the branch's figure, of the fact's year: other years are not set beside each other),
            ``own_value`` and ``own_kind``: ``simulated`` or ``reported``.
        """
        branch = cleaned.catalog.branch(branch).id
        kind = "simulated" if cleaned.source.simulated else "reported"
        columns = ["id", "indicator", "measure", "fact_time", "fact_value", "fact_kind", "own_first", "own_last",
                   "own_value", "own_kind"]
        rows = [(r.id, r.indicator, r.measure, r.time, r.value, r.kind, *own, kind) for r in self.table.itertuples()
                if r.time and r.indicator in cleaned.catalog.indicators and r.measure in ("level", "annual_growth")
                and (own := own_figure(cleaned, branch, r.indicator, r.measure, int(r.time[:4])))[1] is not None]
        return pd.DataFrame(rows, columns=columns)

    def beside_table(self, cleaned, branch: str, lang: str | None = None):
        """Show :meth:`beside`, every figure under a heading that says what it is; where no fact has a counterpart, a
        sentence."""
        lang, rows = language(lang), self.beside(cleaned, branch)
        if rows.empty:
            return say(t("reference.none_beside", lang))
        who = cleaned.catalog.branch(branch).label(lang)
        facts, grows = self.table.set_index("id").loc[rows["id"]], rows["measure"] == "annual_growth"
        own = t("reference.own_simulated" if cleaned.source.simulated else "reference.own_reported", lang, branch=who)
        shown = pd.DataFrame({
            "fact": facts[lang].to_numpy(),
            "time": [month_name(pd.Period(v, "M"), lang) if "-" in v else t("reference.year", lang, year=v)
                     for v in rows["fact_time"]],
            "value": [percent(v, sign=grown) for v, grown in zip(rows["fact_value"], grows)],
            "kind": [t(f"reference.kind_{k}", lang) for k in rows["fact_kind"]],
            "source": facts[f"source_{lang}"].to_numpy(),
            "own": [percent(v, sign=grown) for v, grown in zip(rows["own_value"], grows)],
            "months": [t("reference.from_to", lang, first=month_name(a, lang), last=month_name(b, lang))
                       for a, b in zip(rows["own_first"], rows["own_last"])]})
        heads = {c: t(f"reference.head_{c}", lang) for c in shown.columns if c != "own"} | {"own": own}
        notes = [t("reference.beside_note", lang)]
        if cleaned.source.simulated:
            notes.append(t("reference.simulated_note", lang))
        return show(shown, t("reference.beside_caption", lang, branch=who), heads=heads, notes=notes, lang=lang)


def own_figure(cleaned, branch: str, indicator: str, measure: str,
               year: int) -> tuple[pd.Period | None, pd.Period | None, float]:
    """Return a branch's figure like a fact's: first month, last month, value.

    ``level`` of a ratio: the sum of its numerator over that of its denominator where it has them, else the mean.
    ``annual_growth``: the year's sum over that of the year before, on the months that both have (at least ten). Of a
    year that the branch does not have there is none.
    """
    ind, panel = cleaned.catalog.indicators[indicator], trusted_panel(cleaned)
    parts = list(dict.fromkeys([ind.numerator, *ind.denominators])) if ind.numerator else [indicator]
    parts = parts if {*parts} <= {*panel.columns} else [indicator]
    if parts[0] not in panel.columns or branch not in cleaned.branches:
        return None, None, math.nan
    months = pd.period_range(f"{year}-01", f"{year}-12", freq="M")
    now = panel.loc[branch, parts].reindex(months)
    before = panel.loc[branch, parts].reindex(months - 12).set_axis(months)
    growth = measure == "annual_growth"
    there = now.notna().all(axis=1) & (before.notna().all(axis=1) | (not growth))
    if there.sum() < MIN_MONTHS:
        return None, None, math.nan
    above, below = now[there].sum(), float(there.sum())
    if growth:
        below = float(before[there].sum().iloc[0]) if len(parts) == 1 else 0.0
    elif len(parts) > 1:
        below = float(above[ind.denominators].sum())
    return months[0], months[-1], float(above.iloc[0]) / below - (1 if growth else 0) if below > 0 else math.nan


def reference_facts() -> Reference:
    """Return the facts of the world that travel in the package, ``data/reference/facts.csv``.

    Examples
    --------
    >>> reference_facts().table.set_index("id")["value"].at["icbc-2010-share"].item()
    0.52
    """
    rows = pd.DataFrame(read_rows(shipped("data", "reference", "facts.csv"), COLUMNS), columns=list(COLUMNS), dtype=str)
    return Reference(rows.assign(value=pd.to_numeric(rows["value"].where(rows["value"] != "")).astype(float)))
