"""What the past says of a lever: how large comparable pushes of a branch and its peers were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from ..errors import SeriesError
from ..events import find_interventions
from ..forecasting.joint import JointPaths
from ..peers import by_branch
from ..store import kept_frames
from .strategy import Lever

_COLUMNS = ["branch", "indicator", "month", "size", "t", "zh", "en", "lagged"]
LEAST = 5               # of three the next one's t has one degree of freedom, whose mean does not exist
_TAIL = float(norm.ppf(0.99))


@dataclass(frozen=True)
class Pooled:
    """What the next measure of the kind may bring, from what past ones brought; see :func:`pool`.

    ``table`` has the interventions pooled: ``branch, indicator, month, size, t, zh, en, lagged``, the last where the
    month before the branch was in the lowest third of all; ``mu, tau, se`` are the mean of log(1 + size), the spread
    between interventions and the standard error of the mean. Those that the source does not name were found by their
    size, and are likely too high on the whole.
    """

    table: pd.DataFrame = field(repr=False)
    mu: float
    tau: float
    se: float
    named: bool

    @property
    def k(self) -> int:
        """Number of interventions."""
        return len(self.table)

    @property
    def lagged(self) -> int:
        """Number of them in branches that lagged: what these brought is in part catching up, and no others' to have."""
        return int(self.table["lagged"].sum())

    def size_at(self, z):
        """Return the size at a point of the prediction distribution, given as a standard normal's; never below 0.

        The tails are cut at 1% and 99%: so few interventions say nothing about what lies there.
        """
        spread = np.sqrt(self.tau**2 + self.se**2)
        q = student.ppf(norm.cdf(np.clip(z, -_TAIL, _TAIL)), self.k - 2)
        return np.maximum(np.expm1(self.mu + spread * q), 0.0)


Evidenced = Mapping[tuple[str, ...], Pooled | str]     # by the indicators named: what was learnt, or why nothing was


def pool(effects: np.ndarray, variances: np.ndarray) -> tuple[float, float, float]:
    """Pool effects that differ by more than their errors: mean, spread between them, standard error of the mean.

    Random effects by Paule and Mandel (1982), the error after Hartung and Knapp (2001), never below the plain one;
    computed by ``statsmodels.stats.meta_analysis``. The next effect is then t-distributed with k - 2 degrees of freedom
    and variance tau^2 + se^2 (Higgins, Thompson and Spiegelhalter 2009, JRSS A 172).
    """
    got = combine_effects(np.asarray(effects, float), np.asarray(variances, float), method_re="iterated")
    return (float(got.mean_effect_re), float(np.sqrt(max(got.tau2, 0.0))),
            float(max(got.sd_eff_w_re_hksj, got.sd_eff_w_re)))


def learn_evidence(paths: JointPaths, levers: Iterable[Lever], events: pd.DataFrame | None = None) -> Evidenced:
    """Pool the past pushes that levers name as evidence, once for every branch; for each list of indicators that is
    named, what was learnt, or why nothing was. Nothing after the origin is looked at.

    `events` are the source's known ones (:func:`ebank_lib.events.known_events`). Those that name an indicator count
    whatever they brought, so that nothing is chosen by its size; only when there are fewer than five are level shifts
    upward taken that the search found. With fewer than five of either a lever's effect is assumed.
    """
    named = (tuple(move.evidence.interventions) for lever in levers for move in lever.moves if move.evidence)
    return {key: _pooled(paths, list(key), events) for key in dict.fromkeys(named)}


def _pooled(paths: JointPaths, indicators: list[str], events: pd.DataFrame | None) -> Pooled | str:
    made_from = paths.history[indicators], paths.catalog.reporting, paths.origin, events
    pushes = kept_frames("evidence", made_from, lambda: _pushes(*made_from))
    named = len(pushes["named"]) >= LEAST
    table = pushes["named" if named else "found"]
    if len(table) < LEAST:
        return str(SeriesError("too few comparable interventions to learn from", found=len(table),
                               expected=f"at least {LEAST} of {', '.join(indicators)}"))
    log = np.log1p(table["size"].to_numpy())
    return Pooled(table, *pool(log, (log / table["t"].to_numpy()) ** 2), named)


def _pushes(history: pd.DataFrame, reporting: list[str], origin: pd.Period, events) -> dict[str, pd.DataFrame]:
    """Return what is known of the pushes that the source names, and of the upward shifts that the search found."""
    named, found = [], []
    there = dict(iter(history.groupby(level="branch", sort=False)))
    for key in history.columns:
        place = by_branch(history, key).reindex(columns=reporting).rank(axis=1, pct=True).shift()
        for branch in (b for b in reporting if b in there):
            y = there[branch][key].droplevel("branch")
            try:
                got = find_interventions(y[y.index <= origin], _aimed(events, branch, key))
            except SeriesError:     # too short or constant: a branch without evidence, not without a history
                continue
            for row in got.table[got.table["t"] != 0].to_dict("records") if got.log else []:
                about = [branch, key, *(row[c] for c in _COLUMNS[2:-1]), bool(place.loc[row["month"], branch] <= 1 / 3)]
                if row["en"]:
                    named.append(about)
                elif row["found"] and row["kind"] == "level_shift" and row["size"] > 0:
                    found.append(about)
    return {"named": pd.DataFrame(named, columns=_COLUMNS), "found": pd.DataFrame(found, columns=_COLUMNS)}


def _aimed(events: pd.DataFrame | None, branch: str, key: str) -> pd.DataFrame | None:
    """Events that name this indicator, in this branch: a merger that touches everything is no push."""
    if events is None or events.empty:
        return None
    here = [branch in b.split(";") or not b for b in events["branches"]]
    aimed = [key in i.split(";") for i in events["indicators"]]
    return events[np.array(here) & np.array(aimed)].reset_index(drop=True)
