"""What a lever does to the paths of a branch: what the past says of its size, how large it is on each path, how it
comes in, what it takes from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from ..catalog import Catalog
from ..errors import SeriesError
from ..events import find_interventions
from ..forecasting.joint import JointPaths
from ..peers import by_branch
from ..store import kept_frames
from ..wording import Ref, cite, percent, t
from .odds import View
from .strategy import Lever, Move, is_share

Z90 = float(norm.ppf(0.9))
_TOP = 0.999            # a share's shift is reckoned up to here: the logit of 1 is infinite
LEAST = 5               # of three the next one's t has one degree of freedom, whose mean does not exist
_TAIL = float(norm.ppf(0.99))
_COLUMNS = ["branch", "indicator", "month", "size", "t", "zh", "en", "lagged"]


# ---------------------------------------------------------------- what the past says

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
            # Events that name this indicator, in this branch: a merger that touches everything is no push.
            aimed = None if events is None else events[np.array([
                key in indicators.split(";") and (branch in branches.split(";") or not branches)
                for indicators, branches in zip(events["indicators"], events["branches"], strict=True)], dtype=bool)]
            try:
                got = find_interventions(y[y.index <= origin], aimed)
            except SeriesError:     # too short or constant: a branch without evidence, not without a history
                continue
            for row in got.table[got.table["t"] != 0].to_dict("records") if got.log else []:
                about = [branch, key, *(row[c] for c in _COLUMNS[2:-1]), bool(place.loc[row["month"], branch] <= 1 / 3)]
                if row["en"]:
                    named.append(about)
                elif row["found"] and row["kind"] == "level_shift" and row["size"] > 0:
                    found.append(about)
    return {"named": pd.DataFrame(named, columns=_COLUMNS), "found": pd.DataFrame(found, columns=_COLUMNS)}


# ---------------------------------------------------------------- what a lever does

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
        """Return the size at a point of its distribution: z = -1.28 and +1.28 are the ends of the 80% range.

        Evidence stands instead of the stated range. A range above 0 is lognormal; of one below 0 the fall,
        -log(1 + size), is; one from 0 or across it is normal in log(1 + size), and cut at 0 when it begins there; a
        part of a gap is normal on the logit scale. So what helps never harms and what harms never helps. All effects of
        a lever rise and fall together.
        """
        if self.pooled is not None:
            return self.pooled.size_at(z)
        low, high = self.move.low, self.move.high
        if low == high:
            return np.zeros_like(np.asarray(z, float))
        if self.move.how == "ceiling":
            return expit(_between(logit(low), logit(high), z))
        if low > 0:
            return np.exp(_between(np.log(low), np.log(high), z))
        if high < 0:
            return np.expm1(-np.exp(_between(np.log(-np.log1p(low)), np.log(-np.log1p(high)), z)))
        size = np.expm1(_between(np.log1p(low), np.log1p(high), z))
        return np.maximum(size, 0.0) if low == 0 else size

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

    def at(self, z) -> Drawn:
        """Return the same lever with every size at a point of its distribution, z standard deviations out."""
        return replace(self, effects=tuple(replace(effect, size=effect.at(z)) for effect in self.effects))

    def times(self, factor) -> Drawn:
        """Return the same lever with every size drawn so many times as large, one factor or one a path; no more than
        a whole gap is closed, and no more lost than there is."""
        most = {"ceiling": 1.0}
        return replace(self, effects=tuple(replace(one, size=np.clip(
            one.size * factor, 1e-9 - 1, most.get(one.move.how, np.inf))) for one in self.effects))


def standard_draws(key: str, n: int, seed: int) -> np.ndarray:
    """Return a lever's own standard normal draws, (n,): the same whatever other levers there are, the first ones the
    same when n grows."""
    name = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, name])).standard_normal(n)


def _between(low: float, high: float, z):
    return (low + high) / 2 + np.asarray(z, float) * (high - low) / (2 * Z90)


def draw(lever: Lever, view: View, seed: int, evidence: Evidenced) -> Drawn:
    """Draw the size of each effect of a lever on each path.

    A SeriesError says that there is not enough of the evidence asked for and no range stated to fall back on.
    """
    effects = []
    for move in lever.moves:
        learnt = evidence[tuple(move.evidence.interventions)] if move.evidence else None
        pooled, reason = (learnt, "") if isinstance(learnt, Pooled) else (None, learnt or "")
        if reason and move.low is None:
            raise SeriesError(reason, key=lever.key, expected="a range stated as low and high beside the evidence")
        plain = 1.0 if is_share(view.paths.catalog, move.indicator) else np.inf
        effects.append(Effect(move, np.array(np.nan), plain if move.ceiling is None else move.ceiling, pooled, reason))
    return Drawn(lever, tuple(effects)).at(standard_draws(lever.key, view.paths.n, seed))


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

def said_size(catalog: Catalog, indicator: str, how: str, sizes: Sequence[float], lang: str | None = None,
              cells: Sequence[Ref] = ()) -> str:
    """Return one size of an effect or the two ends of a range, the unit said once: per cent of a count, points of a
    share, the part of a gap that is closed; the ends know the two `cells` that they state."""
    gap = how == "ceiling"
    if not np.isfinite(sizes).all():
        return "–" if len(sizes) == 1 else t("scenarios.range", lang, **{
            name: said_size(catalog, indicator, how, [size], lang) for name, size in zip(("low", "high"), sizes)})
    points, fine = is_share(catalog, indicator) and not gap, len(sizes) == 1 or np.abs(sizes).min() < 0.02
    ends = [f"{size * 100:+.1f}" if points else percent(size, int(fine and not gap), not gap) for size in sizes]
    said = ends[0] if len(ends) == 1 else t("scenarios.range", lang, low=cite(ends[0], *cells[:1]),
                                            high=cite(ends[1], *cells[1:]))
    if gap:
        return t("scenarios.of_gap", lang, n=said)
    said = t("scenarios.points", lang, n=said) if points else said
    return t("scenarios.a_year", lang, size=said) if how == "growth" else said
