"""What statsmodels would have said of the same grid, and what a simulation study says of choosing at all."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..display import Shown, describe, html_table
from ..store import kept_arrays
from ..wording import cell, cite, join, t
from .levels import name_of
from .model import LABELS

if TYPE_CHECKING:
    from .selection import OrderSelection

MISS = 1e-3  # a log-likelihood this much below the best one is not the optimum
_THEIRS = {"loglik_theirs": float, "criterion_theirs": float, "converged": bool, "warnings": np.int64}
STUDY = Path(__file__).with_name("simulation_study.csv")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """The orders of an `OrderSelection` fitted again by statsmodels as it comes; made by its ``against_statsmodels()``.

    Attributes
    ----------
    table : DataFrame
        One row an order: ``p, d, q, P, D, Q, loglik`` (ours), ``loglik_theirs`` (the same exact likelihood at the ARMA
        coefficients that statsmodels ends at, the rest at its best), ``missed`` (their difference), ``misses`` (above
        0.001), ``better`` (theirs above ours by as much), ``criterion_theirs`` (as statsmodels reports it),
        ``converged, warnings`` (what it says itself).
    order, raw_order, their_order : str
        Our choice; of the orders compared the lowest criterion of ours, and of those that statsmodels reports:
        (p,d,q)(P,D,Q)[s].
    """

    table: pd.DataFrame
    order: str
    raw_order: str
    their_order: str | None
    season: int = 1
    label: str = "AICc"

    def reading(self, lang: str | None = None) -> str:
        """Say in plain words where statsmodels ends, what it would choose, and where it is the better one."""
        def count(**rows):
            shown = self.table[np.all([self.table[name] == value for name, value in rows.items()], axis=0)]
            return cite(len(shown), cell("against_statsmodels", **rows))

        whole = cite(len(self.table), cell("against_statsmodels"))
        said = [t("arma.theirs_all", lang, n=whole)]
        if self.table["misses"].any():
            worst = self.table.loc[self.table["missed"].idxmax()]
            at = {name: int(worst[name]) for name in "pqPQ"}
            said = [t("arma.theirs_miss", lang, n=whole, count=count(misses=True),
                      worst=cite(f"{worst['missed']:.2f}", cell("against_statsmodels", "missed", **at)),
                      order=_name(self.season, worst), silent=count(misses=True, converged=True))]
        if self.table["better"].any():
            said.append(t("arma.theirs_better", lang, count=count(better=True)))
        if self.their_order is not None:
            key = "same_choice" if self.their_order == self.order else (
                "same_raw" if self.their_order == self.raw_order else "other_choice")
            said.append(t(f"arma.theirs_{key}", lang, criterion=self.label, theirs=self.their_order,
                          raw=self.raw_order, order=self.order))
        return join(said, " " if said[0].isascii() else "")

    def to_html(self, lang: str | None = None) -> str:
        """Return the eight orders that it misses most as HTML."""
        keep, orders = ["loglik", "loglik_theirs", "missed", "converged", "warnings"], [*"pdq"]
        orders += [*"PDQ"] * (self.season > 1)
        shown = self.table.sort_values("missed", ascending=False).head(8)[[*orders, *keep]]
        return html_table(shown, caption=t("arma.caption_theirs", lang, n=len(shown)), lang=lang,
                          heads={c: t(f"arma.head_{c}", lang) for c in keep} | {c: c for c in orders},
                          formats=dict.fromkeys(keep[:3], "{:.2f}"), notes=[self.reading(lang)])


def _name(season: int, row) -> str:
    """An order as it is written, of a row of the table."""
    return name_of(row[[*"pdq"]], [*row[[*"PDQ"]], season]).removeprefix("ARIMA")


def compare(selection: OrderSelection, max_order: int | None = None) -> Comparison:
    """Return what `OrderSelection.against_statsmodels` returns."""
    d, chosen = selection.design, selection.chosen
    orders = sorted(order for order in selection._optima if max_order is None or (
        order[0] + order[1] <= max_order and order[2:] == chosen[2:]))
    theirs = kept_arrays("theirs", (d.y, d.exog, d.columns, d.gaps, d.scale, d.nobs, d.trend, d.d, selection.criterion,
                                    d.big_d, d.season, orders), lambda: _theirs(selection, orders))
    loglik = np.array([selection.fit(*order).loglik for order in orders])
    # What nothing varies in is infinitely likely to both.
    missed = np.subtract(loglik, theirs["loglik_theirs"], out=np.zeros(len(orders)), where=np.isfinite(loglik))
    table = describe(pd.DataFrame({
        **dict(zip("pqPQ", np.array(orders).T)), "d": d.d, "D": d.big_d, "loglik": loglik,
        "loglik_theirs": theirs["loglik_theirs"], "missed": missed, "misses": ~(missed <= MISS),
        "better": missed < -MISS, **{name: theirs[name] for name in _THEIRS if name != "loglik_theirs"}})[
            [*"pdqPDQ", "loglik", "loglik_theirs", "missed", "misses", "better", *list(_THEIRS)[1:]]])
    value = table["criterion_theirs"]
    best = _name(d.season, table.loc[value.idxmin()]) if value.notna().any() else None
    ours = (selection.best, selection.fit(*min(orders, key=lambda order: selection._at(order, selection.criterion))))
    return Comparison(table, *(model.name().removeprefix("ARIMA") for model in ours), best, d.season,
                      LABELS[selection.criterion])


def _theirs(selection: OrderSelection, orders: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Fit every order by statsmodels: where it ends, what it reports."""
    from statsmodels.tsa.arima.model import ARIMA  # slow to import, and used here only

    d = selection.design
    trend = {"c": "c" if d.lost == 0 else "n", "ct": "ct" if d.lost == 0 else "t", "n": "n"}[d.trend]
    rows = []
    for key in orders:
        ours = selection.fit(*key)
        row = {"loglik_theirs": np.nan, "criterion_theirs": np.nan, "converged": False}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                *seasonal, season = ours.seasonal_order
                fit = ARIMA(d.y, d.exog if d.exog.shape[1] else None, order=ours.order, trend=trend,
                            seasonal_order=(*seasonal, season if season > 1 else 0)).fit(
                                cov_type="none", low_memory=True)
            except (ValueError, np.linalg.LinAlgError):  # it cannot start: the row stays, without a figure
                fit = None
        if fit is not None:
            parts = (fit.arparams, fit.maparams, fit.seasonalarparams, fit.seasonalmaparams)
            _, _, value = ours._concentrated(np.concatenate([np.asarray(v, dtype=float) for v in parts]))
            row["loglik_theirs"] = d.loglik(value) if np.isfinite(value) or d.scale == 0 else np.nan
            row["criterion_theirs"] = getattr(fit, selection.criterion)
            row["converged"] = bool(fit.mle_retvals["converged"]) if fit.mle_retvals else True
        rows.append(row | {"warnings": len(caught)})
    return {name: np.array([row[name] for row in rows], kind) for name, kind in _THEIRS.items()}


@dataclass(frozen=True, eq=False, repr=False)
class SimulationStudy(Shown):
    """How often the right order is chosen and how often limits cover, in series of known order.

    Attributes
    ----------
    table : DataFrame
        ``measure, of, model, T, share, series, std_error``, one row a figure; written by
        ``benchmarks/arma_simulation.py``.
    """

    table: pd.DataFrame

    def summary(self, lang: str | None = None) -> pd.DataFrame:
        """Mean and lowest share over the models, in per cent, one row a measure, by length."""
        rows = self.table.assign(of=self.table["of"].str.replace(r"^\w+\d?, (?=profile|Wald)", "", regex=True))
        share = 100 * rows.pivot_table(index=["measure", "of"], columns="T", values="share", aggfunc=["mean", "min"],
                                       sort=False).swaplevel(axis=1).sort_index(axis=1)
        share.columns = [t(f"arma.study_{how}", lang, months=n) for n, how in share.columns]
        share = share.reset_index()
        for at, column in enumerate(("measure", "of")):
            share.insert(at, t(f"arma.study_{column}", lang), [_translated(text, lang) for text in share.pop(column)])
        return share

    def reading(self, lang: str | None = None) -> str:
        """Say in plain words what a choice and its limits are worth at 44 and at 120 months."""
        rows, figures = self.table, {}
        for key, measure, of in (
                ("right", "right order", "aicc, regular orders"), ("raw", "right order", "aicc, raw"),
                ("bic", "right order", "bic, regular orders"), ("wald", "95% interval", "Wald"),
                ("profile", "95% interval", "profile"), ("limits", "95% forecast limits", "chosen model, 12 ahead")):
            here = rows[(rows["measure"] == measure) & rows["of"].str.endswith(of)]
            figures |= {f"{key}{n}": f"{100 * share:.0f}" for n, share in here.groupby("T")["share"].mean().items()}
        return t("arma.study_reading", lang, series=int(rows["series"].iloc[0]), models=rows["model"].nunique(),
                 **figures)

    def to_html(self, lang: str | None = None) -> str:
        """Return the shares of the study as HTML."""
        shown = self.summary(lang)
        caption = t("arma.caption_study", lang, series=int(self.table["series"].iloc[0]))
        return html_table(shown, caption=caption, lang=lang,
                          formats=dict.fromkeys(shown.columns[2:], "{:.0f}"), notes=[self.reading(lang)])


def simulation_study() -> SimulationStudy:
    """Return the stored simulation study."""
    return SimulationStudy(pd.read_csv(STUDY))


def _translated(text: str, lang: str | None) -> str:
    """Write what is measured, and of what ("aicc, raw"), in the language of the reader."""
    keys = (part.lower().replace("% ", "_").replace(" ", "_") for part in text.split(", "))
    return "".join(t(f"arma.study_{key}", lang) for key in keys)
