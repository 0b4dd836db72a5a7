"""The search for events: step by step by evidence, then each put in question again beside the others."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import stdtrit

from .noise import KINDS, SPREAD, State, log_sum

__all__ = ["critical_value", "listed_value", "place", "required", "search"]

_REQUIRED, _GROWTH = 3.8, 0.8       # see `required`
_FESTIVAL = 1.5                     # one hypothesis, not one a month
_MARGIN = 1.0                       # by which a longer list must be better where the search passed a low
_OFF = np.log(8.0)                  # how much more likely an effect must be a month beside the one that was named
_SQUARED = {"outlier": 2.0, "level_shift": 1.0, "temporary": 1.18}   # lengths as a random walk's differences see them


def required(months: int, times: float = 1.0) -> float:
    """Return the evidence (log Bayes factor) that an event must reach in a series of so many months.

    Parameters
    ----------
    months : int
    times : float
        How many times the critical |t| is asked for.

    Notes
    -----
    ``3.8 + 0.8 log(months / 44)``. The mean of a Bayes factor without an event is one, so at most
    ``3 months / exp(required)`` of the candidates pass by chance, which asks for growth with the logarithm of the
    months; the candidates go together, so that fewer pass and a little less growth does. Both numbers were set by
    simulation of clean series with other seeds than the benchmark's (random walk, smoothed level, white, returning,
    with momentum; 24 to 120 months): 0.05 to 0.20 events found a series, 0.12 in the mean, at no length much more
    (``python -m benchmarks.interventions --calibrate``).
    """
    base = _REQUIRED + _GROWTH * float(np.log(months / 44))
    if times == 1:
        return base
    spare, at = max(months - 3, 2), critical_value(months)
    return base + 0.5 * spare * float(np.log1p((times * at) ** 2 / spare) - np.log1p(at**2 / spare))


def critical_value(months: int, kind: str = "level_shift") -> float:
    """Return the |t| at which an event of a random walk reaches the evidence of :func:`required`.

    Examples
    --------
    >>> [round(critical_value(n), 1) for n in (24, 44, 120)]
    [3.5, 3.5, 3.7]
    """
    spare, prior = max(months - 3, 2), SPREAD**2 * _SQUARED[kind]
    share = -np.expm1(-2 * (required(months) + 0.5 * np.log1p(prior)) / spare) * (1 + prior) / prior
    return float(np.sqrt(share / (1 - share) * (spare - 1)))


def listed_value(months: int, tried: int) -> float:
    """Return the |t| at which an event shows that was named beforehand, `tried` kinds and months being tried (5%)."""
    return float(stdtrit(max(months - 4, 2), 1 - 0.025 / tried))


def _net(state: State, limit: float) -> np.ndarray:
    """Evidence of each candidate less what it must reach; the festival's windows are one hypothesis."""
    value, events = state.evidence.copy(), 3 * state.n
    value[:events] -= limit
    windows = value[events:]
    if windows.size:
        best, together = int(windows.argmax()), float(log_sum(windows) - np.log(windows.size))
        value[events:] = -np.inf
        if all(j < events for j in state.taken):
            value[events + best] = together - _FESTIVAL
    return value


def search(start: State, limit: float, most: int) -> State:
    """Return `start` with the events that reach `limit`, at most `most`.

    Notes
    -----
    The likeliest event is taken in, then the likeliest beside it, and so on. Several large events make the noise look
    large, so that none of them stands out until the last is in: the search therefore goes on past a step that falls
    short, and takes the longer list if in sum it exceeds what is required by 1 more than the shorter does. It stops
    where less stands out than would with `most` events of one size. Then each event is left out in turn: it goes if,
    beside the others, it falls short, and moves if another month or kind is likelier.
    """
    listed = len(start.taken)
    path, sums = [start], [0.0]
    masked = 0.5 * (start.n - 3) * np.log(most / max(most - 1, 0.5)) - 0.5 * np.log1p(2 * SPREAD**2) - 0.5
    while len(path) <= most:
        net = _net(path[-1], limit)
        j = int(net.argmax())
        if net[j] < min(0.0, masked - limit):
            break
        sums.append(sums[-1] + float(net[j]))
        path.append(path[-1].take(j))
    falls = np.flatnonzero(np.diff(sums) < 0)
    first = int(falls[0]) if falls.size else len(sums) - 1
    top = int(np.argmax(sums))
    return _questioned(start, list(path[top if sums[top] > sums[first] + _MARGIN else first].taken[listed:]), limit)


def _questioned(start: State, found: list[int], limit: float) -> State:
    @cache
    def of(taken: tuple[int, ...]) -> State:
        return of(taken[:-1]).take(taken[-1]) if taken else start

    for _ in range(4):
        before = found
        for j in before:
            others = [other for other in found if other != j]
            net = _net(of(tuple(others)), limit)
            best = int(net.argmax())
            if net[best] < 0:
                found = others
            elif net[best] > net[j]:
                found = [best if other == j else other for other in found]
        if found == before:
            break
    return of(tuple(found))


def place(start: State, named: list[tuple[str | None, int]]) -> tuple[State, list[int], list[int]]:
    """Return the state with the named events fitted.

    Parameters
    ----------
    start : State
    named : list of (kind or None, position)
        Without a kind the likeliest is taken. The effect is put a month earlier or later where that is clearly
        likelier (Bayes factor above 8) and no other named event stands there.

    Returns
    -------
    state : State
    off : list of int
        By how many months each effect stands later than named: -1, 0, 1.
    tried : list of int
        How many kinds and months were tried for each.
    """
    n, off, tried = start.n, [], []
    for kind, at in named:
        others = {month for _, month in named} - {at}
        months = [m for m in (at, at - 1, at + 1) if 0 < m < n and m not in others]
        kinds = [KINDS.index(kind)] if kind else range(3)
        value = start.evidence
        options = [(value[k * n + m] - (_OFF if m != at else 0.0), -abs(m - at), k, m) for m in months for k in kinds]
        _, _, k, m = max(options)
        start = start.take(k * n + m)
        off.append(m - at)
        tried.append(len(options))
    return start, off, tried
