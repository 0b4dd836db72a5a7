"""Exponential smoothing in its additive innovations form, all six admissible shapes, by exact concentrated likelihood.

On the log scale the additive forms are the multiplicative ones of the level, so the forms {no, additive, damped trend}
x {no, additive season} on a transformed series stand for the usual family (Hyndman, Koehler, Ord & Snyder 2008).

Given the smoothing weights the residuals are linear in the initial states, ``e = a - B x0``: least squares gives the
best initial states exactly, and only one to four weights are left to search. statsmodels searches all of them
together, at 60 ms a form and more; this takes about a millisecond and does not end below it (tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..compiled import compiled

FORMS = ("ANN", "AAN", "AAdN", "ANA", "AAA", "AAdA")
_EDGE = 1e-4


@compiled
def _weights(theta, trend, season):
    """Unbounded search values -> alpha, beta, gamma, phi within their admissible intervals."""
    alpha = _EDGE + (1 - 2 * _EDGE) / (1 + np.exp(-theta[0]))
    beta, gamma, phi, n = 0.0, 0.0, 1.0, 1
    if trend > 0:
        beta = alpha * (_EDGE + (1 - 2 * _EDGE) / (1 + np.exp(-theta[n])))
        n += 1
    if season:
        gamma = (1 - alpha) * (_EDGE + (1 - 2 * _EDGE) / (1 + np.exp(-theta[n])))
        n += 1
    if trend == 2:      # weaker damping is no damping, stronger is no trend (Hyndman & Athanasopoulos)
        phi = 0.80 + 0.18 / (1 + np.exp(-theta[n]))
    return alpha, beta, gamma, phi


@compiled
def _passes(y, alpha, beta, gamma, phi, season, states):
    """Residuals (T, m) from m starting states, which end as the final ones.

    A state is level, trend, then 12 seasonal terms. The first sees the series, the others nothing but zeros.
    """
    e = np.zeros((y.size, states.shape[0]))
    for t in range(y.size):
        at = 2 + t % 12
        for k in range(states.shape[0]):
            ahead = states[k, 0] + phi * states[k, 1]
            error = (y[t] if k == 0 else 0.0) - (ahead + states[k, at] if season else ahead)
            states[k, 0], states[k, 1] = ahead + alpha * error, phi * states[k, 1] + beta * error
            if season:
                states[k, at] += gamma * error
            e[t, k] = error
    return e


@compiled
def _concentrated(y, alpha, beta, gamma, phi, trend, season):
    """Sum of squares at the best initial state, that state, the last one."""
    first = 1 + (trend > 0)
    free = first + 11 * season
    states = np.zeros((free + 1, 14))
    for k in range(free):
        states[1 + k, k if k < first else 2 + k - first] = 1.0
        if k >= first:                  # the twelve terms sum to zero: the last is minus the others
            states[1 + k, 13] = -1.0
    e = _passes(y, alpha, beta, gamma, phi, season, states)
    a, columns = e[:, 0].copy(), -e[:, 1:]
    normal = columns.T @ columns
    for k in range(free):
        normal[k, k] += 1e-9 * (1.0 + normal[k, k])
    x = np.linalg.solve(normal, columns.T @ a)
    start = np.zeros((1, 14))
    start[0, :first] = x[:first]
    for k in range(first, free):
        start[0, 2 + k - first] = x[k]
        start[0, 13] -= x[k]
    last = start.copy()
    e = _passes(y, alpha, beta, gamma, phi, season, last)
    return (e * e).sum(), start[0], last[0]


@compiled
def _objective(theta, y, trend, season):
    alpha, beta, gamma, phi = _weights(theta, trend, season)
    sse, _, _ = _concentrated(y, alpha, beta, gamma, phi, trend, season)
    # A weak pull towards the middle keeps the search values finite where a weight wants to be 0 or 1.
    return y.size * np.log(sse + 1e-300) + 1e-4 * (theta * theta).sum()


@compiled
def _nelder_mead(start, y, trend, season, steps):
    """Nelder and Mead (1965) with the usual constants; at most four unknowns."""
    n = start.size
    simplex = np.empty((n + 1, n))
    value = np.empty(n + 1)
    for i in range(n + 1):
        simplex[i] = start
        if i:
            simplex[i, i - 1] += 1.5
        value[i] = _objective(simplex[i], y, trend, season)
    for _ in range(steps):
        order = np.argsort(value)
        simplex, value = simplex[order], value[order]
        if value[n] - value[0] < 1e-4:
            break
        centre = np.zeros(n)
        for i in range(n):
            centre += simplex[i] / n
        trial = centre + (centre - simplex[n])
        got = _objective(trial, y, trend, season)
        if got < value[0]:
            far = centre + 2.0 * (centre - simplex[n])
            beyond = _objective(far, y, trend, season)
            if beyond < got:
                trial, got = far, beyond
            simplex[n], value[n] = trial, got
        elif got < value[n - 1]:
            simplex[n], value[n] = trial, got
        else:
            near = centre + 0.5 * ((trial if got < value[n] else simplex[n]) - centre)
            got = _objective(near, y, trend, season)
            if got < value[n]:
                simplex[n], value[n] = near, got
            else:
                for i in range(1, n + 1):
                    simplex[i] = simplex[0] + 0.5 * (simplex[i] - simplex[0])
                    value[i] = _objective(simplex[i], y, trend, season)
    best = np.argmin(value)
    return simplex[best]


@compiled
def _fit(y, trend, season):
    n = 1 + (trend > 0) + (1 if season else 0) + (trend == 2)
    best, found = np.inf, np.zeros(n)
    for first in (0.5, -2.0):
        start = np.full(n, -2.0)
        start[0] = first
        if trend == 2:
            start[n - 1] = 1.0 if first < 0 else -2.0
        end = _nelder_mead(start, y, trend, season, 300)
        got = _objective(end, y, trend, season)
        if got < best:
            best, found = got, end
    alpha, beta, gamma, phi = _weights(found, trend, season)
    sse, start_state, last = _concentrated(y, alpha, beta, gamma, phi, trend, season)
    return np.array([alpha, beta, gamma, phi]), sse, start_state, last


@compiled
def _ahead(last, weights, trend, season, now, horizon):
    """Mean forecast and the weights psi_1.. of the innovations in it."""
    alpha, beta, gamma, phi = weights
    mean, psi = np.empty(horizon), np.empty(horizon)
    damp, power, run = 0.0, 1.0, 0.0
    for h in range(horizon):
        power = power * phi
        damp += power
        mean[h] = last[0] + damp * last[1] + (last[2 + (now + h) % 12] if season else 0.0)
        psi[h] = 1.0 if h == 0 else alpha + beta * run + (gamma if season and h % 12 == 0 else 0.0)
        run += power
    return mean, psi


@dataclass(frozen=True)
class ETS:
    """One fitted form: weights ``alpha, beta, gamma, phi``, criterion, and what forecasting needs."""

    form: str
    weights: np.ndarray
    sse: float
    nobs: int
    k: int
    start: np.ndarray
    last: np.ndarray

    @property
    def sigma2(self) -> float:
        """Innovation variance, degrees of freedom taken off."""
        return self.sse / max(self.nobs - (self.k - 1), 1)

    @property
    def loglik(self) -> float:
        """Gaussian log-likelihood at the maximum."""
        return -0.5 * self.nobs * (np.log(2 * np.pi * max(self.sse, 1e-300) / self.nobs) + 1)

    @property
    def aicc(self) -> float:
        """Corrected Akaike criterion; infinite when the parameters are too many."""
        spare = self.nobs - self.k - 1
        return np.inf if spare <= 0 else -2 * self.loglik + 2 * self.k + 2 * self.k * (self.k + 1) / spare

    def residuals(self, y: np.ndarray) -> np.ndarray:
        """Return the one-step errors (T,) of the series it was fitted to."""
        _, season = _shape(self.form)
        return _passes(np.ascontiguousarray(y, dtype=float), *self.weights, season, self.start[None].copy())[:, 0]

    def forecast(self, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean forecast (horizon,) and the error weights psi (horizon,), psi[0] = 1."""
        return _ahead(self.last, self.weights, *_shape(self.form), self.nobs % 12, horizon)


def _shape(form: str) -> tuple[int, bool]:
    return (0 if form[1] == "N" else 2 if form[2] == "d" else 1), form[-1] == "A"


def fit_ets(y: np.ndarray, form: str = "ANN") -> ETS:
    """Fit one form to a complete series (T,); once, for several methods begin with it."""
    return _fitted(np.asarray(y, dtype=float).tobytes(), form)


@lru_cache(maxsize=2048)    # the late months of one origin are another origin's own: a quarter of a backtest's fits
def _fitted(values: bytes, form: str) -> ETS:
    y = np.frombuffer(values)
    trend, season = _shape(form)
    centre, scale = np.mean(y), np.std(y) or 1.0
    weights, sse, start, last = _fit((y - centre) / scale, trend, season)
    start, last = start * scale, last * scale
    start[0] += centre
    last[0] += centre
    if trend:       # steeper than all steps but one: that one is a jump, and does not go on
        steps = np.abs(np.diff(y))
        most = np.partition(steps, -2)[-2] if steps.size > 1 else np.inf
        last[1] = np.clip(last[1], -most, most)
    # smoothing weights, initial states, variance
    k = (1 + (trend > 0) + season + (trend == 2)) + (1 + (trend > 0) + 11 * season) + 1
    return ETS(form, weights, float(sse) * scale**2, y.size, k, start, last)


def select_ets(y: np.ndarray, forms: tuple[str, ...] = FORMS) -> ETS:
    """Fit every form that the length admits and return the one of least AICc; a season needs 24 months."""
    fits = [fit_ets(y, form) for form in forms if form[-1] == "N" or len(y) >= 24]
    best = min(fits, key=lambda found: (found.aicc, found.k))
    return best if np.isfinite(best.aicc) else min(fits, key=lambda found: found.k)
