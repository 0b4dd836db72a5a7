"""What a lever does to the paths of a branch: how large it is on each, how it comes in, what it takes from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from ..catalog import Catalog
from ..errors import SeriesError
from ..forecasting.joint import JointPaths
from ..wording import Ref, cite, percent, t
from .evidence import Evidenced, Pooled
from .odds import View
from .strategy import Lever, Move, is_share

Z90 = float(norm.ppf(0.9))
_TOP = 0.999            # a share's shift is reckoned up to here: the logit of 1 is infinite


@dataclass(frozen=True)
class Effect:
    """One effect of a lever with its size, one or one a path, (n,).

    ``top`` is what it cannot lift the indicator above, ``pooled`` its evidence, ``reason`` why evidence asked for does
    not do and the stated range is taken.
    """

    move: Move
    size: np.ndarray = field(repr=False)
    top: float
    pooled: Pooled | None = None
    reason: str = ""

    def at(self, z):
        """Return the size at a point of its distribution, z standard deviations out."""
        return size_at(self.move, z, self.pooled)

    @property
    def range_80(self) -> tuple[float, float]:
        """The 80% range of its size."""
        low, high = self.at(np.array([-Z90, Z90]))
        return float(low), float(high)


@dataclass(frozen=True)
class Drawn:
    """A lever with the size of each of its effects on each path."""

    lever: Lever
    effects: tuple[Effect, ...]

    @property
    def assumed(self) -> bool:
        """Whether any effect is a stated range."""
        return any(effect.pooled is None for effect in self.effects)

    def at(self, z: float) -> Drawn:
        """Return the same lever with every size at one point of its distribution, z standard deviations out."""
        return replace(self, effects=tuple(replace(effect, size=effect.at(z)) for effect in self.effects))

    def times(self, factor) -> Drawn:
        """Return the same lever with every size drawn so many times as large, one factor or one a path; no more than
        a whole gap is closed, and no more lost than there is."""
        def grown(effect: Effect) -> np.ndarray:
            return np.clip(effect.size * factor, 1e-9 - 1, 1.0 if effect.move.how == "ceiling" else np.inf)

        return replace(self, effects=tuple(replace(effect, size=grown(effect)) for effect in self.effects))


def standard_draws(key: str, n: int, seed: int) -> np.ndarray:
    """Return a lever's own standard normal draws, (n,): the same whatever other levers there are, the first ones the
    same when n grows."""
    name = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, name])).standard_normal(n)


def size_at(move: Move, z, pooled: Pooled | None = None):
    """Return the size of an effect at a point of its distribution: z = -1.28 and +1.28 are the ends of the 80% range.

    Evidence stands instead of the stated range. A range above 0 is lognormal; of one below 0 the fall, -log(1 + size),
    is; one from 0 or across it is normal in log(1 + size), and cut at 0 when it begins there; a part of a gap is normal
    on the logit scale. So what helps never harms and what harms never helps. All effects of a lever rise and fall
    together.
    """
    if pooled is not None:
        return pooled.size_at(z)
    low, high = move.low, move.high
    if low == high:
        return np.zeros_like(np.asarray(z, float))
    if move.how == "ceiling":
        return expit(_between(logit(low), logit(high), z))
    if low > 0:
        return np.exp(_between(np.log(low), np.log(high), z))
    if high < 0:
        return np.expm1(-np.exp(_between(np.log(-np.log1p(low)), np.log(-np.log1p(high)), z)))
    size = np.expm1(_between(np.log1p(low), np.log1p(high), z))
    return np.maximum(size, 0.0) if low == 0 else size


def _between(low: float, high: float, z):
    return (low + high) / 2 + np.asarray(z, float) * (high - low) / (2 * Z90)


def draw(lever: Lever, view: View, seed: int, evidence: Evidenced) -> Drawn:
    """Draw the size of each effect of a lever on each path.

    A SeriesError says that there is not enough of the evidence asked for and no range stated to fall back on.
    """
    z = standard_draws(lever.key, view.paths.n, seed)
    effects = []
    for move in lever.moves:
        learnt = evidence[tuple(move.evidence.interventions)] if move.evidence else None
        pooled, reason = (learnt, "") if isinstance(learnt, Pooled) else (None, learnt or "")
        if reason and move.low is None:
            raise SeriesError(reason, key=lever.key, expected="a range stated as low and high beside the evidence")
        plain = 1.0 if is_share(view.paths.catalog, move.indicator) else np.inf
        effects.append(Effect(move, size_at(move, z, pooled), plain if move.ceiling is None else move.ceiling, pooled,
                              reason))
    return Drawn(lever, tuple(effects))


def apply_lever(view: View, drawn: Drawn, wanted: frozenset[str] | None = None) -> View:
    """Return the paths of a branch with a lever pulled; of its moves only those that concern `wanted` indicators."""
    new: dict[str, np.ndarray] = {}
    gains: list[tuple[Move, np.ndarray]] = []
    for effect in drawn.effects:
        move = effect.move
        for name in (move.indicator, *move.takes_from):
            view.must_be_free(name)
        if wanted is not None and wanted.isdisjoint((move.indicator, *move.takes_from)):
            continue
        y = view[move.indicator]
        new[move.indicator] = _moved(y, effect, drawn.lever, view)
        if move.takes_from:
            gains.append((move, np.maximum(new[move.indicator] - y, 0.0)))
    for move, gain in gains:
        for name, part in move.takes_from.items():
            loser = new.get(name, view[name])
            new[name] = np.maximum(loser - part * gain, np.minimum(loser, 0.0))
    return view.with_free(new)


def needed_for(targets: Iterable, levers: Iterable[Lever], paths: JointPaths) -> frozenset[str]:
    """Return the free indicators whose moves can change any target, those included that take from such ones."""
    wanted = {m for target in targets for key in (target.indicator, *target.of) for m in paths.plan.movers(key)}
    takers = [(move.indicator, move.takes_from) for lever in levers for move in lever.moves if move.takes_from]
    while more := {key for key, losers in takers if key not in wanted and not wanted.isdisjoint(losers)}:
        wanted |= more
    return frozenset(wanted)


def _moved(y: np.ndarray, effect: Effect, lever: Lever, view: View) -> np.ndarray:
    """One effect on one indicator, (horizon, n). Size 0 leaves every byte as it was."""
    move, size, top = effect.move, effect.size, effect.top
    month = np.arange(1, len(y) + 1, dtype=float)[:, None]
    # How far it has come in each month, 0 to 1: a delay, a straight rise, an end.
    work = np.clip((month - lever.delay) / lever.ramp, 0, 1) if lever.ramp else (month > lever.delay).astype(float)
    if move.lasts:
        work = np.where(month > lever.delay + move.lasts, 0.0, work)
    if move.how == "ceiling":
        return y + size * work * np.maximum(top - y, 0.0)
    if move.how == "growth":
        work = np.cumsum(work, axis=0) / 12
    if is_share(view.paths.catalog, move.indicator):
        seen = view.past[move.indicator].dropna()
        now = float(np.clip(seen.iloc[-1] if len(seen) else np.median(y[0]), 1 - _TOP, 1 - 1e-9))
        shift = logit(np.clip(now + size, 1 - _TOP, max(_TOP, now))) - logit(now)
        z = logit(np.clip(y, 1e-12, 1 - 1e-12))
        new = np.clip(y + (expit(z + shift * work) - expit(z)), 0.0, 1.0)
    else:
        new = y * np.exp(np.log1p(size) * work)
    return np.where(new > top, np.maximum(y, top), new) if np.isfinite(top) else new


# ---------------------------------------------------------------- in words

def said_size(catalog: Catalog, indicator: str, how: str, value: float, lang: str | None = None) -> str:
    """Return the size of an effect: per cent of a count, points of a share, the part of a gap that is closed."""
    if not np.isfinite(value):
        return "–"
    if how == "ceiling":
        return t("scenarios.of_gap", lang, n=percent(value, 0))
    said = t("scenarios.points", lang, n=f"{value * 100:+.1f}") if is_share(catalog, indicator) else percent(
        value, sign=True)
    return t("scenarios.a_year", lang, size=said) if how == "growth" else said


def said_range(catalog: Catalog, indicator: str, how: str, low: float, high: float, lang: str | None = None,
               cells: Sequence[Ref] = ()) -> str:
    """Return a range of sizes, its unit said once; its ends know the two `cells` that they state."""
    if not np.isfinite([low, high]).all():
        return t("scenarios.range", lang, low=said_size(catalog, indicator, how, low, lang),
                 high=said_size(catalog, indicator, how, high, lang))
    points = is_share(catalog, indicator) and how != "ceiling"
    digits = 1 if min(abs(low), abs(high)) < 0.02 and how != "ceiling" else 0
    low, high = (f"{value * 100:+.1f}" if points else percent(value, digits, how != "ceiling") for value in (low, high))
    said = t("scenarios.range", lang, low=cite(low, *cells[:1]), high=cite(high, *cells[1:]))
    if how == "ceiling":
        return t("scenarios.of_gap", lang, n=said)
    said = t("scenarios.points", lang, n=said) if points else said
    return t("scenarios.a_year", lang, size=said) if how == "growth" else said
