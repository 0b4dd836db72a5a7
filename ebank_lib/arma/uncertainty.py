"""The choice of an order repeated on series drawn from the chosen model.

Only the winner is asked for, so the search goes up the degrees p + q + P + Q and stops where no larger order can be
expected to win: its penalty exceeds the lowest regular criterion so far, even if every further coefficient added GAIN
to the highest log-likelihood so far. And an order is climbed from roots near the unit circle only where one of its
neighbours comes so near the lowest that ROOT_GAIN would bring it there. No bound on the likelihood of a larger order is
known for certain, so this is no theorem; the winner is the full search's in all but a few of a thousand series. What
remains is fitted, and judged, as `select_order` does it.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np

from .levels import state_space
from .model import penalty
from .search import Search, neighbours
from .selection import OrderSelection, marks

__all__ = ["draws", "picks", "winner"]

GAIN = 2.0  # of log-likelihood by one more coefficient, at the most, for as long as it is to be expected
ROOT_GAIN = 3.0  # of log-likelihood by a root near the unit circle; 2.0 changes one winner in 600
SLACK = 0.01  # the last climb moves no criterion by as much


def draws(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Draw `n` series (n, T) from the best model, each scaled to unit variance, without regressors."""
    model = selection.best
    transition, disturbance, observe, initial = state_space(model.ar_polynomial, model.ma_polynomial, np.zeros(0))
    value, vector = np.linalg.eigh(initial)
    normal = np.random.default_rng(seed).standard_normal((n, len(value) + selection.design.columns.shape[1]))
    state = (np.sqrt(np.maximum(value, 0)) * normal[:, :len(value)]) @ vector.T
    shocks = normal[:, len(value):]
    w = np.empty(shocks.shape)
    for s, shock in enumerate(shocks.T):
        w[:, s] = state @ observe
        state = state @ transition.T + shock[:, None] * disturbance
    return w / w.std(axis=1, keepdims=True)


def winner(selection: OrderSelection, columns: np.ndarray) -> tuple[int, int, int, int]:
    """Return (p, q, P, Q) that the criterion chooses for a series in the place of the selection's own.

    `columns` (gaps + regressors + 1, T) is as in `Design`, its last row another series.
    """
    d = selection.design
    search = Search(columns, d.gaps, selection._allowed, d.season)
    degree = np.indices(selection._allowed.shape).sum(axis=0)
    penalties = penalty(selection.criterion, degree + d.x.shape[1] + 1, d.nobs)

    @cache
    def judge(order, _value):
        """Criterion and regularity of an order after its last climb, once for every optimum."""
        best = search.optimum(order)
        ((_, _, cancelling, near_unit),) = marks({order: best}, d.season)
        return penalties[order] - 2 * d.loglik(best.value), best.converged and not near_unit and not cancelling

    def lowest(below=np.inf):
        """The lowest criterion of a regular order, with the order; of all where none is regular, then infinite.

        Orders whose criterion is not under `below` are not looked at.
        """
        rough = penalties - 2 * (d.loglik(0.0) - search.values)
        best = {True: (np.inf, (0, 0, 0, 0)), False: (np.inf, (0, 0, 0, 0))}
        for at in np.argsort(rough, axis=None, kind="stable").tolist():
            order = tuple(map(int, np.unravel_index(at, rough.shape)))
            if not rough[order] < min(best[True][0], below) + SLACK:
                break
            criterion, regular = judge(order, search.values[order])
            best[regular] = min(best[regular], (criterion, order))
        return best[True][0], best[bool(np.isfinite(best[True][0]))][1]

    def worth(least):
        top = d.loglik(0.0) - search.values.min()
        hoped = (penalties - 2 * (top + GAIN * (degree - least + 1)))[selection._allowed & (degree >= least)].min()
        return hoped <= lowest(hoped)[0]

    def near(order):
        below = min((search.values[at] for at, _ in neighbours(order, -1) if min(at) >= 0), default=np.inf)
        return below - ROOT_GAIN + penalties[order] / 2 <= (search.values + penalties / 2).min()

    search.grow(worth=worth, near=near)
    search.sweep()
    return lowest()[1]


def picks(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Return p, q, P, Q and how often the order was chosen among `n` drawn series, an order a row."""
    if selection._allowed.sum() == 1:
        return np.array([[*selection.chosen, n]])
    fixed = selection.design.columns[:-1]
    count = Counter(winner(selection, np.vstack([fixed, series])) for series in draws(selection, n, seed))
    return np.array([(*order, c) for order, c in count.items()], np.int64)
