"""What a series without events would do, and how much more likely an event makes it: evidence over many noises.

A noise is a matrix that turns values into its independent shocks of variance one: the inverse of the Cholesky factor of
its covariance, after differencing where the noise is one of changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz

from .calendar import festival, festival_dates, known_months, place_of, window_shares

KINDS = ("outlier", "level_shift", "temporary")
FADE = 0.7                  # of a temporary change, what is left a month later (Chen & Liu 1993)
LEAST = 18                  # months
SPREAD = 4.0                # sizes of events are thought of as N(0, (4 shocks)^2)
_SEASON = 1.5               # and the season's waves as about so many shocks
_SEASONAL = 24              # months from which a season is thought possible
# Days before and after the festival's first day: the run-up, the public holiday, the weeks after it, all of it.
WINDOWS = ((0, 6), (0, 12), (0, 20), (4, 10), (10, 10), (10, 4), (6, 0), (12, 0), (20, 0), (20, 10), (20, 20))

# (differences, autoregression, moving average) of the noise: levels that drift and are smoothed, momentum, values
# that return to a trend. Neighbours differ by little enough that one of them is near whatever the truth is.
_NOISES = (
    (1, 0.0, 0.0), (1, 0.0, 0.3), (1, 0.0, -0.2), (1, 0.0, -0.4), (1, 0.0, -0.6), (1, 0.0, -0.75), (1, 0.0, -0.9),
    (1, 0.5, 0.0), (1, 0.8, 0.0),
    (0, 0.0, 0.0), (0, -0.3, 0.0), (0, 0.3, 0.0), (0, 0.5, 0.0), (0, 0.7, 0.0), (0, 0.85, 0.0))


def log_sum(x: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum of exponentials along the first axis."""
    top = x.max(axis=0)
    return top + np.log(np.exp(x - top).sum(axis=0))


def shape(kind: str, at: int, n: int) -> np.ndarray:
    """Return what an event of size one in month `at` adds to each of `n` months."""
    x = np.zeros(n)
    x[at:] = {"outlier": np.eye(1, n - at)[0], "level_shift": 1.0}.get(kind, FADE ** np.arange(n - at))
    return x


def whitening(d: int, phi: float, theta: float, n: int) -> np.ndarray:
    """Return (n, n): what turns the values of a noise (differences, autoregression, moving average) into its shocks.

    For differenced noise the first shock is the first month itself, which the constant of the base takes up: the
    likelihood of the rest is that of the differences. No noise has both an autoregression and a moving average.
    """
    lags = np.arange(n - d)
    covariance = np.where(lags == 0, 1 + theta**2, theta * (lags == 1)) if theta else phi**lags / (1 - phi**2)
    shocks = np.linalg.inv(np.linalg.cholesky(toeplitz(covariance)))
    return np.vstack([np.eye(1, n), shocks @ np.diff(np.eye(n), axis=0)]) if d else shocks


def _products(white: np.ndarray, u: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the products (S, 3n + k) of shocks `u` (S, n), of the noises in turn, with the shocks of every event."""
    x = np.matmul(u.reshape(-1, len(white), u.shape[1]).transpose(1, 0, 2), white).transpose(1, 0, 2).reshape(u.shape)
    return x @ candidates.T


@dataclass(frozen=True)
class _Bank:
    """All that depends on the months only; models are noises x bases (drift; with waves of a season)."""

    white: np.ndarray       # (noises, n, n)
    base: np.ndarray        # (S, 12, n) orthonormal, whitened; zeros where a base has fewer vectors
    spare: np.ndarray       # (S,) months less vectors
    start: np.ndarray       # (S,) log weight, but for the fit
    candidates: np.ndarray  # (3n + k, n) an event of each kind in each month, and the festival's windows
    norms: np.ndarray       # (S, 3n + k) squared length of each candidate, whitened, off the base

    def shocks(self, x: np.ndarray) -> np.ndarray:
        """(S, k, n): the rows of `x` as each model's shocks see them."""
        return np.tile(x @ self.white.transpose(0, 2, 1), (len(self.spare) // len(_NOISES), 1, 1))

    def products(self, u: np.ndarray) -> np.ndarray:
        """(S, 3n + k): products of whitened vectors that are off the base with every candidate."""
        return _products(self.white, u, self.candidates)


@lru_cache(maxsize=16)
def _bank(n: int, first: int, calendar: str) -> _Bank:
    """Return the bank of `n` months from the one of ordinal `first` on; without a calendar that does not matter."""
    steps = np.arange(n)
    drift = np.stack([np.ones(n), (steps - steps.mean()) / n])
    turns = 2 * np.pi * steps / 12 * np.arange(1, 6)[:, None]
    bases = [drift, *(np.vstack([drift, np.sqrt(2) * np.sin(turns[:k]), np.sqrt(2) * np.cos(turns[:k])])
                      for k in ((2, 5) if n >= _SEASONAL else ()))]
    extra, yearly = _festivals(n, first, calendar)
    if len(extra):
        bases.append(np.vstack([drift, yearly]))
    width, noises = max(map(len, bases)), len(_NOISES)
    white = np.stack([whitening(*noise, n) for noise in _NOISES])
    candidates = np.vstack([*(shape(kind, at, n) for kind in KINDS for at in range(n)), extra])
    lengths = np.stack([((candidates @ one.T) ** 2).sum(axis=1) for one in white])
    made = []
    for base in bases:
        q, r = np.linalg.qr(white @ base.T)
        size = np.log(np.abs(np.diagonal(r, axis1=1, axis2=2))).sum(axis=1)
        inside = _products(white, q.transpose(2, 0, 1).reshape(-1, n), candidates)
        made.append((np.concatenate([q.transpose(0, 2, 1), np.zeros((noises, width - len(base), n))], axis=1),
                     np.full(noises, float(n - len(base))),
                     np.log(np.diagonal(white, axis1=1, axis2=2)).sum(axis=1) - size
                     - (len(base) - 2) * np.log(_SEASON),
                     np.maximum(lengths - (inside.reshape(len(base), noises, -1) ** 2).sum(axis=0), 0.0)))
    base, spare, start, norms = map(np.concatenate, zip(*made, strict=True))
    return _Bank(white, base, spare, start, candidates, norms)


def _festivals(n: int, first: int, calendar: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows' regressors (k, n), and a season of just the months that they touch.

    Nothing without a calendar or with fewer than two festivals: one is an event like any other.
    """
    nothing = np.zeros((0, n)), np.zeros((0, n))
    if calendar == "none":
        return nothing
    at, (known, festivals) = place_of(first, first + n - 1, calendar), _known(calendar)
    if festivals[at:at + n].sum() < 2:
        return nothing
    touched = [month for month, usual in enumerate(window_shares(calendar, 20, 20)[1]) if usual > 0.01]
    months = np.arange(first, first + n) % 12
    return known[:, at:at + n], np.stack([2.0 * (months == month) for month in touched])


@cache
def _known(calendar: str) -> tuple[np.ndarray, np.ndarray]:
    """The windows' regressors in all months known, and which of them hold the festival's day."""
    months = known_months(calendar)
    days = pd.PeriodIndex(list(festival_dates(calendar).values()), freq="M")
    return np.stack([festival(months, calendar, *window).to_numpy() for window in WINDOWS]), months.isin(days)


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """A series, the events taken in so far, and the evidence for each further one; made by `State.of` and `take`.

    The noise is not chosen but averaged over: each of 15 noises (and with each no season, a smooth one, any one) has a
    weight, its likelihood with constant and drift integrated out (Harville 1977, JASA 72: restricted likelihood). For
    an event whose size is thought of as N(0, (4 s)^2), s the standard deviation of the shocks, with squared length v
    (whitened, off all that is fitted) and product g with the residuals of sum of squares Q and d spare months, the
    Bayes factor of one model is ``(1 + 16 v)^(-1/2) (1 - h g^2 / (v Q))^(-d/2)``, ``h = 16 v / (1 + 16 v)``; the
    evidence is the logarithm of its weighted mean. Under no event the mean of a Bayes factor is one in any month, kind
    and noise, so that one threshold serves all of them. A model that explains the month badly without the event gains
    weight with it: an event cannot hide itself by making the noise look wild.
    """

    bank: _Bank
    scale: float                # standard deviation of the series' changes, the unit of all that follows
    residual: np.ndarray        # (S, n) the series, whitened, off the base
    ssr: np.ndarray             # (S,) sum of squares left
    spare: np.ndarray           # (S,) spare months
    weight: np.ndarray          # (S,) logarithm of a model's weight
    # A candidate is every kind in every month, then each of the festival's windows: (S, 3n + k).
    gains: np.ndarray           # its product with the residuals
    norms: np.ndarray           # and its squared length: whitened, off all that is fitted
    columns: tuple[np.ndarray, ...] = ()        # (S, n) orthonormal, one an event
    taken: tuple[int, ...] = ()                 # the candidates taken in

    @classmethod
    def of(cls, z: np.ndarray, months: pd.PeriodIndex | None = None, calendar: str = "none") -> State:
        """Return the state of a series (T,), complete and on its modelling scale, without events."""
        n = len(z)
        bank = _bank(n, 0 if months is None or calendar == "none" else months[0].ordinal, calendar)
        scale = float(np.diff(z).std()) or 1.0
        residual = _off_base(bank, (z - z[0]) / scale)
        ssr = (residual**2).sum(axis=1)
        ssr = np.maximum(ssr, 1e-10 * (1 + ssr.max()))
        weight = bank.start - 0.5 * (n - 2) * np.log(ssr / bank.spare)
        return cls(bank, scale, residual, ssr, bank.spare, weight - log_sum(weight), bank.products(residual),
                   bank.norms)

    @property
    def n(self) -> int:
        return self.residual.shape[1]

    @cached_property
    def factors(self) -> np.ndarray:
        """(S, 3n + k): log Bayes factor of each candidate in each model."""
        wide = SPREAD**2 * self.norms
        # g^2 / v is what the event takes off the sum of squares.
        share = SPREAD**2 * self.gains**2 / (1 + wide) / self.ssr[:, None]
        return -0.5 * (self.spare[:, None] * np.log1p(-np.minimum(share, 1 - 1e-12)) + np.log1p(wide))

    @cached_property
    def evidence(self) -> np.ndarray:
        """(3n + k,): logarithm of the weighted mean of the Bayes factors of each candidate."""
        out = log_sum(self.factors + self.weight[:, None])
        out[[0, self.n, 2 * self.n]] = -np.inf       # before the first month nothing is known
        return out

    def event(self, j: int) -> tuple[str, int]:
        """Return kind and position of candidate `j`; of a window ``festival`` and its number."""
        return (KINDS[j // self.n], j % self.n) if j < 3 * self.n else ("festival", j - 3 * self.n)

    def column(self, j: int) -> np.ndarray:
        """(n,): candidate `j`, unit size."""
        return self.bank.candidates[j]

    def take(self, j: int) -> State:
        """Return the state with candidate `j` fitted."""
        weight = self.weight + self.factors[:, j]
        q = _off_base(self.bank, self.column(j))
        for other in self.columns:
            q -= other * (other * q).sum(axis=1)[:, None]
        length = np.sqrt((q**2).sum(axis=1))
        usable = length > 1e-6
        length = np.where(usable, length, 1.0)
        q = np.where(usable[:, None], q / length[:, None], 0.0)
        along = np.where(usable, self.gains[:, j] / length, 0.0)
        coefficient = self.bank.products(q)
        floor = 1e-10 * (1 + (self.residual**2).sum(axis=1).max())
        return replace(
            self, weight=weight - log_sum(weight), gains=self.gains - coefficient * along[:, None],
            norms=np.maximum(self.norms - coefficient**2, 0.0), ssr=np.maximum(self.ssr - along**2, floor),
            spare=self.spare - usable, columns=(*self.columns, q), taken=(*self.taken, j))

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return size and standard error of each event taken in: all fitted together, averaged over the models.

        The error holds the error within the models and the spread between them.
        """
        if not self.taken:
            return np.zeros(0), np.zeros(0)
        weight = np.exp(self.weight)
        keep = np.flatnonzero(weight > 1e-4 * weight.max())
        weight = weight[keep] / weight[keep].sum()
        white, base = self.bank.shocks(np.stack([self.column(j) for j in self.taken]))[keep], self.bank.base[keep]
        white -= white @ base.transpose(0, 2, 1) @ base
        inverse = np.linalg.pinv(white @ white.transpose(0, 2, 1), hermitian=True)
        size = np.einsum("skj,sjn,sn->sk", inverse, white, self.residual[keep])
        within = np.diagonal(inverse, axis1=1, axis2=2) * (self.ssr / self.spare)[keep, None]
        mean = weight @ size
        error = np.sqrt(weight @ (within + (size - mean) ** 2))
        return self.scale * mean, self.scale * error


def _off_base(bank: _Bank, x: np.ndarray) -> np.ndarray:
    """(S, n): `x` as each model's shocks see it, off its base."""
    x = bank.shocks(x[None])[:, 0, :, None]
    return (x - bank.base.transpose(0, 2, 1) @ (bank.base @ x))[:, :, 0]
