"""The optimum of every order of a grid, each order helped by its neighbours.

The likelihood of a short series has many local maxima, most of them at or near moving-average roots on the unit
circle. Every order is therefore climbed from several starts: the optima of the orders that it contains (so an order
is never worse than one nested in it), the same with a root near the unit circle or a nearly common pair of roots
added, the Hannan-Rissanen (1982, Biometrika 69) regression, and random ones where asked. Sweeps down and up the
grid then carry every improvement to the neighbours until nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .likelihood import axpy, compiled, copy, dot, levinson, objective, step_down

MODES = {"fast": 0, "thorough": 12}  # random starts for every order

LONGEST_STEP = 0.6  # in any angle: a longer one jumps over the valley it should follow
SAME_PLACE = 0.03  # partial autocorrelations this near to the best known optimum's will end there
CLIMB, POLISH = 1e-6, 1e-9  # expected gain of log-likelihood below which a climb, the last climb, stops
MORE = 3  # times as many random starts for an order that may be chosen
UNIT_ROOT, COMMON_ROOT = 0.99, 0.95  # inverse roots that are added to a neighbour's optimum
PAIR, FREQUENCIES = 0.95, np.pi * np.arange(1, 12) / 12  # and, in "thorough", pairs of them
EDGE = 0.9999  # largest partial autocorrelation of a start: on the circle itself the gradient is blind to it


@compiled
def set_diagonal(a, value):
    a[:] = 0.0
    for i in range(a.shape[0]):
        a[i, i] = value


@compiled
def minimise(x, shape, columns, gaps, tolerance, best, f_best):
    """BFGS (Nocedal & Wright 2006, ch. 6) on `objective` from `x`, overwritten.

    Stops early where it is about to arrive at the optimum `best`, of value `f_best`, that is known already, and
    where it is settling on a much worse one; never where `f_best` is NaN.
    Returns the value and whether the expected gain fell below `tolerance`.
    """
    k = x.size
    beta = np.empty(columns.shape[0] - gaps)
    work = np.zeros((6, k))
    g, g_new, x_new, y, d, hy = work[0], work[1], work[2], work[3], work[4], work[5]
    f = objective(x, shape, False, columns, gaps, beta, g)
    if k == 0 or not f < np.inf:
        return f, f < np.inf
    # The information about a partial autocorrelation is about the number of months.
    h, first = np.zeros((k, k)), 1.0 / columns.shape[1]
    set_diagonal(h, first)
    fresh, converged = True, False
    for step in range(100 + 20 * k):
        longest = 0.0
        for i in range(k):
            d[i] = -dot(h[i], g)
            longest = max(longest, abs(d[i]))
        slope = dot(d, g)
        converged = -slope < 2.0 * tolerance
        if converged and (not fresh or step == 0):
            break
        if step >= 8 and f + 50.0 * slope > f_best + 1.0:
            break
        if step >= 3 and f < f_best + 0.01:
            apart = 0.0
            for i in range(k):
                apart = max(apart, abs(np.sin(x[i]) - np.sin(best[i])))
            if apart < SAME_PLACE:
                f = max(f, f_best)
                break
        a = min(1.0, LONGEST_STEP / longest)
        found = False
        while a * longest > 1e-10:
            copy(x, x_new)
            axpy(a, d, x_new)
            f_new = objective(x_new, shape, False, columns, gaps, beta, g_new)
            if f_new <= f + 1e-4 * a * slope:
                found = True
                break
            shrink = 0.3
            if f_new < np.inf:
                shrink = min(max(-0.5 * slope * a / (f_new - f - slope * a), 0.1), 0.5)
            a *= shrink
        if not found:
            if fresh:
                break
            set_diagonal(h, first)
            fresh = True
            continue
        for i in range(k):
            y[i] = g_new[i] - g[i]
            d[i] *= a
            x[i], g[i] = x_new[i], g_new[i]
        f = f_new
        sy, yy = dot(d, y), dot(y, y)
        if sy > 1e-10 * yy:
            if fresh:
                set_diagonal(h, np.sqrt(dot(d, d) / yy))
                fresh = False
            for i in range(k):
                hy[i] = dot(h[i], y)
            c = (1.0 + dot(hy, y) / sy) / sy
            for i in range(k):
                for j in range(k):
                    h[i, j] += c * d[i] * d[j] - (hy[i] * d[j] + d[i] * hy[j]) / sy
    return f, converged


def times(angles, factor) -> np.ndarray:
    """Angles of the polynomial of `angles` times `factor`, the coefficients (1, c_1, ...) of another."""
    k = angles.size
    stages, product = np.zeros((k + 1, k + 1)), np.ones(k + 1)
    levinson(np.sin(angles), stages)
    product[1:] = -stages[k - 1, :k]
    return to_angles(-np.convolve(product, factor)[1:], EDGE)


def to_angles(coefficients, edge: float) -> np.ndarray:
    """Angles of a polynomial, its partial autocorrelations held within `edge`."""
    k = coefficients.size
    partial = np.zeros(k)
    step_down(coefficients, np.zeros((k, k)), partial)
    return np.arcsin(np.clip(np.nan_to_num(partial), -edge, edge))


def long_autoregression(z, lags) -> np.ndarray:
    """Innovations of an AR(lags) fitted by Burg's method: the first step of Hannan and Rissanen."""
    forward, backward, a, e = z, z, np.zeros(0), np.zeros(z.size)
    for _ in range(lags):
        forward, backward = forward[1:], backward[:-1]
        power = forward @ forward + backward @ backward
        r = 2.0 * (forward @ backward) / power if power > 0.0 else 0.0
        a = np.append(a - r * a[::-1], r)
        forward, backward = forward - r * backward, backward - r * forward
    e[lags:] = forward
    return e


def hannan_rissanen(z, e, lags, p, q) -> np.ndarray | None:
    """Regression of z on its own lags and on lagged innovations `e`, as angles; None where it has no solution."""
    first = max(p, q + lags)
    n, k = z.size - first, p + q
    if n <= k:
        return None
    x = np.stack([*(z[first - i:][:n] for i in range(1, p + 1)), *(-e[first - i:][:n] for i in range(1, q + 1))])
    a = x @ x.T * (1.0 + 1e-6 * np.eye(k))
    if not a.diagonal().all():
        return None
    coefficients = np.linalg.solve(a, x @ z[first:])
    return np.concatenate([to_angles(coefficients[:p], 0.95), to_angles(coefficients[p:], 0.95)])


@dataclass(frozen=True)
class Optimum:
    """Where the search of one order ended.

    `angles` (p + q + P + Q,) are arguments of `objective`, `value` is the concentrated negative log-likelihood there;
    `converged` says that a further step promises less than 1e-9 of log-likelihood.
    """

    angles: np.ndarray
    value: float
    converged: bool


class Search:
    """The climbs of one series, and where every order (p, q, P, Q) stands before its last climb.

    `columns` (gaps + regressors + 1, T) are dummies of the missing months, regressors, and last the series, scaled to
    about unit variance; `allowed` (max_p + 1, max_q + 1, max_P + 1, max_Q + 1) are the orders to fit. `angles` and
    `values` are the best place of every order, smaller ones first, and its concentrated negative log-likelihood,
    infinite where not tried.
    """

    def __init__(self, columns, gaps, allowed, season=1):
        self.columns, self.gaps, self.season = columns, gaps, season
        self._orders = sorted(map(tuple, np.argwhere(allowed).tolist()), key=lambda o: (sum(o), o))
        self.angles = {order: np.zeros(sum(order)) for order in self._orders}
        self.values = np.full(allowed.shape, np.inf)
        z = columns[-1]
        self._lags = min(max(int(0.6 * np.log(z.size) ** 2), sum(allowed.shape[:2]) - 2), z.size // 4)
        self._innovations = long_autoregression(z, self._lags)
        self._version = dict.fromkeys(self._orders, 0)
        self._seen: dict = {}

    def visit(self, order, starts) -> None:
        """Climb an order from every start."""
        before, best = self.values[order], self.angles[order]
        for start in starts:
            x = start.copy()
            f, _ = minimise(x, (*order, self.season), self.columns, self.gaps, CLIMB, best, self.values[order])
            if f < self.values[order]:
                self.values[order], best[:] = f, x
        self._version[order] += self.values[order] < before - 1e-6

    def grow(self, random=0, rng=None) -> None:
        """Climb every order by degree, from Hannan-Rissanen and from the neighbours below."""
        for order in self._orders:
            starts = self._starts(order) + self._roots(order)
            if sum(order) and random:
                starts.extend(rng.uniform(-1.4, 1.4, (random, sum(order))))
            self.visit(order, starts)
            for other, _ in neighbours(order, -1):
                self._seen[order, other] = self._version.get(other)

    def _starts(self, order) -> list[np.ndarray]:
        """Hannan-Rissanen, which knows no season, and the optima of the neighbours below with a coefficient of zero."""
        p, q, *seasonal = order
        below = [(self.angles[other], at) for other, at in neighbours(order, -1) if self.tried(other)]
        starts = [np.concatenate([x[:at], (0.0,), x[at:]]) for x, at in below]
        if p + q and not (starts and any(seasonal)):
            regression = hannan_rissanen(self.columns[-1], self._innovations, self._lags, p, q)
            if regression is not None:
                starts.insert(0, np.r_[regression, np.zeros(sum(seasonal))])
        return starts or [np.zeros(sum(order))]

    def tried(self, order) -> bool:
        return min(order) >= 0 and self.values[order] < np.inf

    def _roots(self, order) -> list[np.ndarray]:
        """The optima of the neighbours below with a moving-average root near the unit circle, or a common root."""
        starts, (p, q, *seasonal) = [], order
        if q and self.tried((p, q - 1, *seasonal)):
            x = self.angles[(p, q - 1, *seasonal)]
            ar, ma, rest = x[:p], x[p:p + q - 1], x[p + q - 1:]
            starts = [np.concatenate([ar, times(ma, (1.0, -root)), rest]) for root in (-UNIT_ROOT, UNIT_ROOT)]
        if not any(seasonal) and p and q and self.tried((p - 1, q - 1, *seasonal)):
            starts += self.pairs((p - 1, q - 1, *seasonal),
                                 [((1.0, -root), (1.0, -root)) for root in (-COMMON_ROOT, COMMON_ROOT)])
        return starts

    def pairs(self, order, factors) -> list[np.ndarray]:
        """Starts from the optimum of an order, each with a pair of factors added to AR and MA."""
        (p, q, *_), x = order, self.angles[order]
        return [np.concatenate([times(x[:p], ar), times(x[p:p + q], ma), x[p + q:]]) for ar, ma in factors]

    def sweep(self) -> None:
        """Carry every improvement down and up the grid until nothing changes."""
        for _ in range(3):
            for order in reversed(self._orders):
                self._from_neighbours(order, 1)
            before = dict(self._version)
            for order in self._orders:
                self._from_neighbours(order, -1)
            if before == self._version:
                break

    def _from_neighbours(self, order, step):
        starts = []
        for other, at in neighbours(order, step):
            # A neighbour that has not moved since it was last tried would lead to the same place.
            if other not in self._version or self._seen.get((order, other)) == self._version[other]:
                continue
            self._seen[order, other] = self._version[other]
            x = self.angles[other]
            starts.append(np.concatenate([x[:at], x[at + 1:]] if step > 0 else [x[:at], (0.0,), x[at:]]))
        if starts:
            self.visit(order, starts)


def neighbours(order, step: int):
    """Yield the orders with one coefficient more or less, each with that coefficient's place among the angles."""
    for block in range(4):
        other = (*order[:block], order[block] + step, *order[block + 1:])
        yield other, sum((other if step > 0 else order)[:block + 1]) - 1


def climb_grid(columns, gaps, allowed, season=1, random=0, seed=0) -> dict[tuple[int, ...], Optimum]:
    """Optimum of every allowed order (p, q, P, Q); `random` starts for each, drawn with `seed`, the rest as of
    `Search`."""
    if not columns[-1].any():       # nothing varies: no coefficient has anything to say
        return {order: Optimum(np.zeros(sum(order)), 0.0, True)
                for order in map(tuple, np.argwhere(allowed).tolist())}
    search, rng = Search(columns, gaps, allowed, season), np.random.default_rng(seed)
    search.grow(random, rng)
    search.sweep()
    if random:
        # A sharp peak of the spectrum is a narrow hill of the likelihood: look for one at every frequency.
        pairs = [((1.0, -2 * PAIR * c, PAIR**2), (1.0, -2 * c, 1.0)) for c in np.cos(FREQUENCIES)]
        for p, q, *seasonal in search.angles:
            if search.tried(smaller := (p - 2, q - 2, *seasonal)):
                search.visit((p, q, *seasonal), search.pairs(smaller, pairs))
        search.sweep()
        # The orders that may be chosen get more starts: an error there costs most.
        degree = np.indices(search.values.shape).sum(axis=0)
        k, n = degree + columns.shape[0] - gaps, columns.shape[1] - gaps
        half = np.where(n > k + 1, search.values + k * n / np.maximum(n - k - 1, 1), np.inf)   # of AICc
        for order in map(tuple, np.argwhere(half < half.min() + 4.0).tolist()):
            if sum(order):
                search.visit(order, rng.uniform(-1.4, 1.4, (MORE * random, sum(order))))
        search.sweep()
    found = {}
    for order, x in search.angles.items():
        value, converged = minimise(x, (*order, season), columns, gaps, POLISH, x, np.nan)      # the last climb
        found[order] = Optimum(x, value, converged)
    return found
