"""The choice of order repeated on series drawn from the chosen model, without the orders that cannot win.

Only the winner is asked for here, so the search goes up the degrees p + q and stops where no larger order can be
expected to win: its penalty exceeds the lowest regular criterion so far, even if every further coefficient added
`GAIN` to the highest log-likelihood so far. No bound on the likelihood of a larger order is known for certain, so this
is not a theorem; the winner is the full search's in all but a few of a thousand series. What remains is fitted, and
judged, as `select_order` does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .kalman import state_space
from .search import climb_from, explore
from .selection import criteria_of, penalties

if TYPE_CHECKING:
    from .selection import OrderSelection

__all__ = ["draws", "picks", "winner"]

GAIN = 2.0  # of log-likelihood by one more coefficient, at the most, for as long as it is to be expected
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


def winner(selection: OrderSelection, columns: np.ndarray) -> tuple[int, int]:
    """Return (p, q) that the criterion chooses for a series in the place of the selection's own.

    `columns` (gaps + regressors + 1, T) is as in `Design`, its last row another series.
    """
    d, seasonal, name = selection.design, selection.seasonal_order, selection.criterion
    inner = (seasonal[0], *seasonal[2:])
    p, q = np.indices(selection._allowed.shape)
    degree = p + q
    penalty = penalties(degree + inner[0] + inner[1] + d.x.shape[1] + 1, d.nobs)[name]

    judged: dict = {}

    def judge(order, angles, value):
        """Criterion and regularity of an order after its last climb; once for every optimum."""
        if (order, value) not in judged:
            start = angles[order][:sum(order) + inner[0] + inner[1]]
            core = criteria_of(d, {order: climb_from(columns, d.gaps, (*order, *inner), start)}, seasonal)
            judged[order, value] = core[name][0], bool(core["regular"][0])
        return judged[order, value]

    def lowest(angles, values, below=np.inf):
        """The lowest criterion of a regular order, with the order; of all where none is regular, then infinite.

        Orders whose criterion is not under `below` are not looked at.
        """
        rough = penalty - 2 * (d.loglik(0.0) - values)
        best = {True: (np.inf, (0, 0)), False: (np.inf, (0, 0))}
        for at in np.argsort(rough, axis=None, kind="stable").tolist():
            order = divmod(at, rough.shape[1])
            if not rough[order] < min(best[True][0], below) + SLACK:
                break
            criterion, regular = judge(order, angles, values[order])
            best[regular] = min(best[regular], (criterion, order))
        found = bool(np.isfinite(best[True][0]))
        return best[True][0], best[found][1]

    def worth(least, angles, values):
        top = d.loglik(0.0) - values.min()
        hoped = (penalty - 2 * (top + GAIN * (degree - least + 1)))[selection._allowed & (degree >= least)].min()
        return hoped <= lowest(angles, values, hoped)[0]

    angles, values, _ = explore(columns, d.gaps, selection._allowed, inner, worth=worth)
    return lowest(angles, values)[1]


def picks(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Return p, q and how often the order was chosen among `n` drawn series, an order a row."""
    fixed, count = selection.design.columns[:-1], {}
    for series in draws(selection, n, seed):
        order = winner(selection, np.vstack([fixed, series]))
        count[order] = count.get(order, 0) + 1
    return np.array([(p, q, c) for (p, q), c in count.items()], np.int64).reshape(-1, 3)
