"""The choice of an order repeated on series drawn from the chosen model."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .levels import state_space
from .search import climb_grid
from .selection import OrderSelection, audit_of, choose


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


def picks(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Return p, q, P, Q and how often the order was chosen among `n` drawn series, an order a row."""
    d, count = selection.design, Counter()
    if selection._allowed.sum() == 1:
        return np.array([[*selection.chosen, n]])
    for series in draws(selection, n, seed):
        found = climb_grid(np.vstack([d.columns[:-1], series]), d.gaps, selection._allowed, d.season)
        count[choose(audit_of(d, found), selection.criterion)[0]] += 1
    return np.array([(*order, c) for order, c in count.items()], np.int64)
