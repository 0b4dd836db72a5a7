"""What a series without events would do, and how much more likely an event makes it: evidence over many noises."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from scipy.linalg import toeplitz

from ..compiled import compiled

__all__ = ["FADE", "KINDS", "LEAST", "SPREAD", "State", "log_sum", "shape", "whitener"]

KINDS = ("outlier", "level_shift", "temporary")
FADE = 0.7                  # of a temporary change, what is left a month later (Chen & Liu 1993)
LEAST = 18                  # months
SPREAD = 4.0                # sizes of events are thought of as N(0, (4 shocks)^2)
_SEASON = 1.5               # and the season's waves as about so many shocks
_SEASONAL = 24              # months from which a season is thought possible

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
    """Return what an event of size one in month `at` adds to each of `n` months.

    Examples
    --------
    >>> shape("outlier", 1, 4).tolist(), shape("level_shift", 1, 4).tolist(), shape("temporary", 1, 4).round(2).tolist()
    ([0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.7, 0.49])
    """
    x = np.zeros(n)
    x[at:] = {"outlier": np.eye(1, n - at)[0], "level_shift": 1.0}.get(kind, FADE ** np.arange(n - at))
    return x


def whitener(d: int, phi: float, theta: float, n: int) -> np.ndarray:
    """Return (n, n): lower triangular, makes the noise independent with variance one.

    For differenced noise the first row is the first month itself, which the constant of the base takes up: the
    likelihood of the rest is that of the differences.
    """
    rows = n - d
    lags = np.arange(rows)
    if phi:
        covariance = phi**lags / (1 - phi**2)
    else:
        covariance = np.where(lags == 0, 1 + theta**2, np.where(lags == 1, theta, 0.0))
    white = np.tril(np.linalg.inv(np.linalg.cholesky(toeplitz(covariance))))
    if not d:
        return white
    full = np.eye(n)
    full[1:] = white @ (np.eye(n)[1:] - np.eye(n)[:-1])
    return full


@dataclass(frozen=True)
class _Bank:
    """All that depends on the number of months only; models are noises x bases (drift; with waves of a season)."""

    white: np.ndarray       # (noises, n, n)
    base: np.ndarray        # (S, n, 12) orthonormal, whitened; zeros where a base has fewer columns
    spare: np.ndarray       # (S,) months less columns
    start: np.ndarray       # (S,) log weight, but for the fit
    norms: np.ndarray       # (S, 3n) squared length of each event, whitened, off the base
    extras: dict = field(default_factory=dict)      # id of further candidates -> they, and `_lengths`

    def lengths(self, extra: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what series of the same months share: squared lengths of all candidates, 1 + prior, its logarithm."""
        if id(extra) not in self.extras:
            norms = self.norms
            if extra.shape[1]:
                white = np.tile(self.white @ extra, (len(self.spare) // len(self.white), 1, 1))
                inside = ((self.base.transpose(0, 2, 1) @ white)**2).sum(axis=1)
                norms = np.hstack([norms, np.maximum((white**2).sum(axis=1) - inside, 0.0)])
            prior = SPREAD**2 * norms
            self.extras[id(extra)] = extra, (norms, 1 + prior, np.log1p(prior))
        return self.extras[id(extra)][1]


@lru_cache(maxsize=48)
def _whiteners(n: int) -> np.ndarray:
    return np.stack([whitener(*noise, n) for noise in _NOISES])


@lru_cache(maxsize=96)
def _bank(n: int, yearly: tuple[tuple[float, ...], ...] | None) -> _Bank:
    parts = _usual(n)
    if yearly is not None:
        season = np.resize(np.array(yearly), (n, len(yearly[0])))
        parts = [*parts, _with_base(n, np.hstack([_drift(n), season]))]
    q, spare, start, norms = zip(*parts, strict=True)
    width = max(base.shape[2] for base in q)
    return _Bank(_whiteners(n), np.concatenate([np.concatenate(
        [base, np.zeros((len(base), n, width - base.shape[2]))], axis=2) for base in q]),
        np.concatenate(spare).astype(float), np.concatenate(start), np.concatenate(norms))


def _drift(n: int) -> np.ndarray:
    steps = np.arange(n)
    return np.column_stack([np.ones(n), (steps - steps.mean()) / n])


@lru_cache(maxsize=48)
def _usual(n: int) -> list[tuple[np.ndarray, ...]]:
    """The bases that are the same in whatever month a series begins: none, few and all of a season's waves."""
    drift = _drift(n)
    turns = 2 * np.pi * np.arange(n)[:, None] / 12 * np.arange(1, 6)
    waves = [turns[:, :k] for k in ((2, 5) if n >= _SEASONAL else ())]
    return [_with_base(n, base) for base in (drift, *(
        np.hstack([drift, np.sqrt(2) * np.sin(w), np.sqrt(2) * np.cos(w)]) for w in waves))]


@lru_cache(maxsize=48)
def _whitened_events(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every kind of event in every month, whitened (noises, n, 3n), its squared length, the noises' determinants."""
    noises = _whiteners(n)
    raw = noises @ np.stack([shape(kind, at, n) for kind in KINDS for at in range(n)], axis=1)
    return raw, (raw**2).sum(axis=1), np.log(np.diagonal(noises, axis1=1, axis2=2)).sum(axis=1)


def _with_base(n: int, base: np.ndarray) -> tuple[np.ndarray, ...]:
    """All noises with one base: as in :class:`_Bank`."""
    raw, length, log_det = _whitened_events(n)
    q, r = np.linalg.qr(_whiteners(n) @ base)
    p = base.shape[1]
    size = np.log(np.abs(np.diagonal(r, axis1=1, axis2=2))).sum(axis=1)
    norms = np.maximum(length - ((q.transpose(0, 2, 1) @ raw)**2).sum(axis=1), 0.0)
    return q, np.full(len(q), n - p), log_det - size - (p - 2) * np.log(_SEASON), norms


@cache
def _none(n: int) -> np.ndarray:
    return np.zeros((n, 0))


@compiled
def _sums(u, out):
    """Write the products with outliers, level shifts and temporary changes, given those with each month's shock."""
    models, n = u.shape
    for s in range(models):
        level, fading = 0.0, 0.0
        for t in range(n - 1, -1, -1):
            level = level + u[s, t]
            fading = u[s, t] + FADE * fading
            out[s, t], out[s, n + t], out[s, 2 * n + t] = u[s, t], level, fading


class State:
    """A series, the events taken in so far, and the evidence for each further one.

    Parameters
    ----------
    z : array (T,)
        Complete, on its modelling scale.
    extra : array (T, k), optional
        Further candidates beside every kind in every month, e.g. a festival's windows.
    yearly : tuple of 12 tuples, optional
        Columns of a season of its own form, beginning with the first month, thought possible too.

    Notes
    -----
    The noise is not chosen but averaged over: each of 15 noises (and with each no season, a smooth one, any one) has a
    weight, its likelihood with constant and drift integrated out (Harville 1977, JASA 72: restricted likelihood). For
    an event whose size is thought of as N(0, (4 s)^2), s the standard deviation of the shocks, with squared length v
    (whitened, off all that is fitted) and product g with the residuals of sum of squares Q and d spare months, the
    Bayes factor of one model is ``(1 + 16 v)^(-1/2) (1 - h g^2 / (v Q))^(-d/2)``, ``h = 16 v / (1 + 16 v)``; the
    evidence is the logarithm of its weighted mean. Under no event the mean of a Bayes factor is one in any month, kind
    and noise, so that one threshold serves all of them. A model that explains the month badly without the event gains
    weight with it: an event cannot hide itself by making the noise look wild.
    """

    def __init__(self, z: np.ndarray, extra: np.ndarray | None = None,
                 yearly: tuple[tuple[float, ...], ...] | None = None):
        self.n = n = len(z)
        self._bank = bank = _bank(n, yearly)
        self._bases = len(bank.spare) // len(bank.white)
        scale = np.diff(z).std() or 1.0
        self.scale = scale
        z = self._whitened((z - z[0]) / scale)
        self._residual = z
        self.ssr = (z**2).sum(axis=1)
        self._floor = 1e-10 * (1 + self.ssr.max())
        self.ssr = np.maximum(self.ssr, self._floor)
        self.spare = bank.spare.copy()
        self.weight = bank.start - 0.5 * (n - 2) * np.log(self.ssr / bank.spare)
        self.weight -= log_sum(self.weight)
        self.extra = _none(n) if extra is None else extra
        self.norms, *self._prior = bank.lengths(self.extra)
        self.gains = self._products(z)
        self.columns: list[np.ndarray] = []     # (S, n) orthonormal, one an event
        self.taken: list[int] = []
        self.total = 0.0
        # The search comes back to a state again and again.
        self._factors: np.ndarray | None = None
        self._evidence: np.ndarray | None = None
        self._next: dict[int, State] = {}

    def _whitened(self, x: np.ndarray) -> np.ndarray:
        """(S, n): `x` as each model's shocks see it, off its base."""
        base = self._bank.base
        x = np.tile(self._bank.white @ x, (self._bases, 1))[:, :, None]
        return (x - base @ (base.transpose(0, 2, 1) @ x))[:, :, 0]

    def _products(self, residual: np.ndarray) -> np.ndarray:
        """(S, 3n + k): products of whitened vectors that are off the base with every candidate."""
        white = self._bank.white
        # (noises, bases, n) @ (noises, n, n): one product a noise serves all its bases.
        u = residual.reshape(self._bases, len(white), self.n).transpose(1, 0, 2) @ white
        u = u.transpose(1, 0, 2).reshape(residual.shape)
        out = np.empty((len(u), 3 * self.n + self.extra.shape[1]))
        _sums(u, out)
        out[:, 3 * self.n:] = u @ self.extra
        return out

    def factors(self) -> np.ndarray:
        """(S, 3n + k): log Bayes factor of each candidate in each model."""
        if self._factors is None:
            self._factors = self._worked_out()
        return self._factors

    def _worked_out(self) -> np.ndarray:
        if not self._prior:
            prior = SPREAD**2 * self.norms
            self._prior = [1 + prior, np.log1p(prior)]
        more, log_more = self._prior
        # g^2 / v is what the event takes off the sum of squares.
        share = SPREAD**2 * self.gains**2 / more / self.ssr[:, None]
        return -0.5 * (self.spare[:, None] * np.log1p(-np.minimum(share, 1 - 1e-12)) + log_more)

    def evidence(self) -> np.ndarray:
        """(3n + k,): logarithm of the weighted mean of the Bayes factors of each candidate."""
        if self._evidence is None:
            self._evidence = log_sum(self.factors() + self.weight[:, None])
            self._evidence[[0, self.n, 2 * self.n]] = -np.inf       # before the first month nothing is known
        return self._evidence.copy()

    def event(self, j: int) -> tuple[str, int]:
        """Return kind and position of candidate `j`; of a further one ``festival`` and its number."""
        return (KINDS[j // self.n], j % self.n) if j < 3 * self.n else ("festival", j - 3 * self.n)

    def column(self, j: int) -> np.ndarray:
        """(n,): candidate `j`, unit size."""
        kind, at = self.event(j)
        return self.extra[:, at] if kind == "festival" else shape(kind, at, self.n)

    def take(self, j: int) -> State:
        """Return the state with candidate `j` fitted."""
        if j not in self._next:
            self._next[j] = self._with(j)
        return self._next[j]

    def _with(self, j: int) -> State:
        new = object.__new__(State)
        new.__dict__.update(self.__dict__)
        new._factors = new._evidence = None
        new._next, new._prior = {}, []
        factor = self.factors()[:, j]
        new.weight = self.weight + factor
        gained = log_sum(new.weight)
        new.weight = new.weight - gained
        new.total = self.total + float(gained)
        q = self._whitened(self.column(j))
        for other in self.columns:
            q -= other * (other * q).sum(axis=1)[:, None]
        length = np.sqrt((q**2).sum(axis=1))
        usable = length > 1e-6
        q = np.where(usable[:, None], q / np.where(usable, length, 1.0)[:, None], 0.0)
        along = np.where(usable, self.gains[:, j] / np.where(usable, length, 1.0), 0.0)
        coefficient = self._products(q)
        new.gains = self.gains - coefficient * along[:, None]
        new.norms = np.maximum(self.norms - coefficient**2, 0.0)
        new.ssr = np.maximum(self.ssr - along**2, self._floor)
        new.spare = self.spare - usable
        new.columns, new.taken = [*self.columns, q], [*self.taken, j]
        return new

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return size and standard error of each event taken in: all fitted together, averaged over the models.

        The error holds the error within the models and the spread between them.
        """
        weight = np.exp(self.weight)
        keep = np.flatnonzero(weight > 1e-4 * weight.max())
        weight = weight[keep] / weight[keep].sum()
        x = np.column_stack([self.column(j) for j in self.taken])
        white = self._bank.white[keep % len(self._bank.white)] @ x
        base = self._bank.base[keep]
        white -= base @ (base.transpose(0, 2, 1) @ white)
        inverse = np.linalg.pinv(white.transpose(0, 2, 1) @ white, hermitian=True)
        size = np.einsum("skj,snj,sn->sk", inverse, white, self._residual[keep])
        within = np.diagonal(inverse, axis1=1, axis2=2) * (self.ssr / self.spare)[keep, None]
        mean = weight @ size
        error = np.sqrt(weight @ (within + (size - mean) ** 2))
        return self.scale * mean, self.scale * error
