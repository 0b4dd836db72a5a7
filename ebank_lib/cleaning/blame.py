"""Which one cell explains the equations that fail.

A failing equation accuses all its cells. Each of them would make it hold with one other value; that value is then tried
in every other equation of the cell and in the cell's own series. The cell with the best explanation is blamed, never
every part. It is *proven* when its new value

* leaves none of its equations failing and breaks none that held,
* follows to the last printed digit, and
* restores two sharp equations at once (sharp: without rounding); or one, if every other cell in it is cleared, for its
  error would break another equation, and confirmed by another equation that holds; or is a power of ten away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .assembling import tidy
from .identities import RULES, Sums, System
from .series import Expectation

# Log-odds, in the units of half a squared z: an identity restored to the digit by chance is rarer than e^-12.
_FIX, _BREAK, _STILL = 12.0, 15.0, 4.0
_POWER, _STALE = 8.0, 8.0
_CAP = 60.0         # of a squared z: tails are heavy
_CLEAR = 4.0        # by how much the best explanation must lead
_ODD = 6.0          # standard deviations that no ordinary number lies away


@dataclass
class Evidence:
    """Numbers under examination, all flat over the grid; `x` changes as cells are explained."""

    x: np.ndarray
    half: np.ndarray        # half digits the equations leave room for (0: exact)
    step: np.ndarray        # one unit of the last printed digit
    prior: np.ndarray       # log-odds of a cell being wrong before anything is looked at
    stale: np.ndarray       # repeats last month's number, which chance would not

    def __post_init__(self):
        self.settled = np.zeros(len(self.x), bool)
        self.doubtful = np.zeros(len(self.x), bool)     # settled, but not proven: it may still be the one to blame


@dataclass(frozen=True)
class Verdict:
    """One cell that explains failing equations: what it should be, by which rules, and whether that is proven."""

    place: int
    value: float
    proven: bool
    rules: tuple[str, ...]
    power: int = 0
    stale: bool = False
    z: float = 0.0
    exact: bool = False     # the value follows to the last digit and is an ordinary one for its series


def explain(system: System, ev: Evidence, expected: Expectation) -> list[Verdict]:
    """Explain failing equations one cell after another; `ev.x` holds the explained values afterwards."""
    verdicts: list[Verdict] = []
    for _ in range(60):
        sums = system.sums(ev.x, ev.half)
        good = sums.holds(system.is_within)
        failing = ~good & (sums.unknown == 0) & system.used
        if not failing.any():
            break
        best = _candidates(system, ev, expected, sums, good, failing)
        accepted = _accept(system, best)
        if not accepted:
            verdicts += _last_resort(system, ev, expected, best, failing)
            break
        for c in accepted:
            mine = best.touched[(best.pair == c) & best.failed]
            verdicts.append(Verdict(int(best.cell[c]), float(best.value[c]), bool(best.proven[c]), tuple(mine.tolist()),
                                    int(best.power[c]), bool(best.stale[c]), float(best.z[c]), bool(best.exact[c])))
            ev.x[best.cell[c]] = best.value[c]
            ev.settled[best.cell[c]] = True
            ev.doubtful[best.cell[c]] = not best.proven[c]
    return _prove_together(system, ev, verdicts)


def _prove_together(system: System, ev: Evidence, verdicts: list[Verdict]) -> list[Verdict]:
    """Prove verdicts that restore equations together: more sharp equations than cells, every cell in two of them, none
    of the cells' equations failing any more. A stock and its net new, both wrong, hide each other's proof otherwise."""
    sums = system.sums(ev.x, ev.half)
    good, sharp = sums.holds(system.is_within), _sharp(system, ev, sums)
    found = [v for v in verdicts if np.isfinite(v.value) and ev.settled[v.place]]
    # Verdicts that share an equation belong together.
    pairs = np.array([(k, q) for k, v in enumerate(found) for q in v.rules], int).reshape(-1, 2)
    size = len(found) + system.size
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], len(found) + pairs[:, 1])), (size, size))
    group = connected_components(links, directed=False)[1][:len(found)]
    proven: set[int] = set()
    for g in np.unique(group):
        mine = [found[k] for k in np.flatnonzero(group == g)]
        strong = [{q for q in v.rules if sharp[q]} for v in mine]
        q = system.around(np.array([v.place for v in mine]))
        if (all(v.exact for v in mine) and all(len(s) >= 2 for s in strong) and good[q[system.used[q]]].all()
                and len(set().union(*strong)) > len(mine)):
            proven |= {v.place for v in mine}
    return [replace(v, proven=True) if v.place in proven else v for v in verdicts]


@dataclass
class _Candidates:
    cell: np.ndarray
    equation: np.ndarray
    value: np.ndarray
    score: np.ndarray
    proven: np.ndarray
    exact: np.ndarray
    power: np.ndarray
    stale: np.ndarray
    z: np.ndarray
    pair: np.ndarray       # candidate of each (candidate, equation touched)
    touched: np.ndarray
    fixed: np.ndarray      # the pair's equation failed and holds now
    failed: np.ndarray     # the pair's equation failed before


def _candidates(system: System, ev: Evidence, expected: Expectation, sums: Sums, good, failing) -> _Candidates:
    """Return, for every cell of every failing equation, the value that would restore it and what speaks for it."""
    entry = system.entries_of(np.flatnonzero(failing & ~system.is_within))
    entry = entry[~ev.settled[system.cell[entry]]]
    value, slack = _solve(system, sums, ev, entry)
    ok = np.isfinite(value)
    entry, value, slack = entry[ok], value[ok], slack[ok]
    cell = system.cell[entry]
    x = ev.x[cell]
    power, value, exact = _snap(x, value, slack, ev.step[cell])

    pair, touched = system.touching(cell)
    q = system.equation[touched]
    asked = (sums.unknown[q] == 0) & system.used[q]
    pair, touched, q = pair[asked], touched[asked], q[asked]
    after = _hold_after(system, sums, touched, q, (value - x)[pair], ev.half[cell][pair], power[pair])
    echo = copied(system, ev)
    failed = ~good[q]
    strong = ~system.is_within[q]
    size = len(cell)
    mends = failed & after & strong
    fixes = np.bincount(pair[mends], minlength=size)
    sharp_fixes = np.bincount(pair[mends & _sharp(system, ev, sums)[q]], minlength=size)
    weak = np.bincount(pair[failed & after & ~strong], minlength=size)
    breaks = np.bincount(pair[~failed & ~after & ~echo[q]], minlength=size)
    still = np.bincount(pair[failed & ~after], minlength=size)

    z_old, z_new = expected.z(x, cell), expected.z(value, cell)
    gain = 0.5 * (np.minimum(z_old**2, _CAP) - np.minimum(z_new**2, _CAP))
    stale = ev.stale[cell]
    score = (_FIX * (fixes - 1) + 0.5 * _FIX * weak - _BREAK * breaks - _STILL * still + gain + _POWER * (power != 0)
             + _STALE * stale + ev.prior[cell])
    # An equation that holds only by a doubtful change clears nobody.
    clears = ~failed & ~after & ~(echo | system.containing(ev.doubtful))[q]
    cleared = np.bincount(pair[clears], minlength=size) > 0
    sure = _others_confirmed(system, ev, good, sums, entry)
    # ... and whether every other one is cleared, for its error would break an equation that holds.
    equation, possible = system.equation[entry], ~cleared
    rivals = np.bincount(equation[possible], minlength=system.size)[equation] - possible
    lonely = sure & (rivals <= 0) & ~system.containing(ev.doubtful)[equation]
    exact = exact & (np.abs(z_new) < _ODD)
    proven = exact & (breaks == 0) & (still == 0) & (
        (sharp_fixes >= 2) | ((sharp_fixes >= 1) & (fixes >= 2) & sure) | ((fixes >= 1) & (lonely | (power != 0))))
    return _Candidates(cell, equation, value, score, proven, exact, power, stale, z_old, pair, q, failed & after,
                       failed)


def _solve(system: System, sums: Sums, ev: Evidence, entry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the value that makes an entry's equation hold, and the room that the other cells' rounding leaves it."""
    q, cell = system.equation[entry], system.cell[entry]
    n, d, r = system.n[entry], system.d[entry], system.r[entry]
    x = np.nan_to_num(ev.x[cell])
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(r > 0, 1.0, (n - sums.r[q] * d) / sums.d[q])
        gap = sums.n[q] / sums.d[q] - sums.r[q]
        delta = np.where(r > 0, gap, (sums.r[q] * sums.d[q] - sums.n[q]) / (n - sums.r[q] * d))
        room = (sums.hn[q] + np.abs(sums.r[q]) * sums.hd[q]) / np.abs(sums.d[q]) + sums.hr[q]
        own = (np.abs(n) + np.abs(sums.r[q] * d)) * ev.half[cell] / np.abs(sums.d[q]) + r * ev.half[cell]
        slack = np.maximum(room - own, 0) / np.abs(slope) + 1e-9 * (np.abs(x) + np.abs(delta))
    return x + delta, slack


def _snap(x, value, slack, step):
    """Return the power of ten between printed and needed value (0: none), the value to the printed digit, and whether
    the equation leaves only that one digit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.round(np.log10(value / x))
        power = np.where(np.isfinite(power) & (np.abs(power) <= 8), power, 0).astype(int)
        shifted = x * 10.0 ** power
        # Moved back, the number is rounded like its column.
        power = np.where(np.abs(value - shifted) <= slack + 0.5 * step, power, 0)
    sharp = slack < 0.5 * step * (1 - 1e-6)
    digits = np.where(sharp, np.round(value / step) * step, value)
    return power, tidy(np.where(power != 0, x * 10.0 ** power, digits)), sharp | (power != 0)


def _hold_after(system: System, s: Sums, entry, q, delta, half, power):
    """Whether each touched equation holds once its cell has moved by `delta`."""
    n, d, r = system.n[entry], system.d[entry], system.r[entry]
    extra = half * (10.0 ** np.maximum(power, 0) - 1)
    moved = Sums(s.n[q] + n * delta, s.d[q] + d * delta, s.r[q] + r * delta, s.hn[q] + np.abs(n) * extra,
                 s.hd[q] + np.abs(d) * extra, s.hr[q] + r * extra, s.size[q] + np.abs(n * delta))
    return moved.holds(system.is_within[q])


def copied(system: System, ev: Evidence) -> np.ndarray:
    """Equations all of whose cells repeat the month before: they hold because it held there, and confirm nothing."""
    return system.made_of(ev.stale & ~ev.settled)


def _sharp(system: System, ev: Evidence, sums: Sums) -> np.ndarray:
    """Equations that leave no room for rounding: they give a cell to its last digit."""
    return system.is_linear & (sums.hn < 0.5 * np.minimum.reduceat(ev.step[system.cell], system.start[:-1]))


def _others_confirmed(system: System, ev: Evidence, good, sums: Sums, entry: np.ndarray) -> np.ndarray:
    """Whether every other cell of an entry's equation stands in another equation that holds, and is no pasted one.

    Within a branch that equation must be sharp, for mistakes keep company there; between branches, and below a ratio,
    one that holds within rounding will do.
    """
    sound = good & (sums.unknown == 0) & system.used & ~copied(system, ev) & ~system.is_within
    sound &= ~system.containing(ev.doubtful)
    confirmed = np.stack([system.standing_in(sound), system.standing_in(sound & _sharp(system, ev, sums))])
    confirmed &= (~ev.stale | ev.settled) & ~ev.doubtful
    doubtful = ~confirmed[system.in_branch[system.equation].astype(int), system.cell]
    count = np.bincount(system.equation[doubtful], minlength=system.size)
    return count[system.equation[entry]] - doubtful[entry] <= 0


def _accept(system: System, c: _Candidates) -> list[int]:
    """Return the candidates that lead clearly in every failing equation they restore, no two sharing an equation."""
    if not len(c.cell):
        return []
    best, second = _leaders(system.size, c)
    lead = np.full(len(c.cell), np.inf)
    for p in np.flatnonzero(c.fixed):
        k, q = c.pair[p], c.touched[p]
        # The best explanation of this equation by another cell.
        rival = best[q] if best[q] >= 0 and c.cell[best[q]] != c.cell[k] else second[q]
        behind = c.score[rival] if rival >= 0 else -np.inf
        lead[k] = min(lead[k], c.score[k] - behind)
    able = (np.bincount(c.pair[c.fixed], minlength=len(c.cell)) > 0) & (c.score > 0) & (lead >= _CLEAR)
    taken = np.zeros(system.size, bool)
    accepted = []
    for k in np.lexsort((c.cell, ~c.proven, -c.score)):
        if able[k]:
            mine = c.touched[(c.pair == k) & c.failed]
            if not taken[mine].any():
                taken[mine] = True
                accepted.append(int(k))
    return accepted


def _leaders(size: int, c: _Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Return for each equation the best candidate for it and the best of another cell."""
    order = np.lexsort((c.cell, -c.score))

    def first(candidates: np.ndarray) -> np.ndarray:
        found = np.full(size, -1)
        equations, at = np.unique(c.equation[candidates], return_index=True)
        found[equations] = candidates[at]
        return found

    best = first(order)
    return best, first(order[c.cell[order] != c.cell[best[c.equation[order]]]])


def _last_resort(system: System, ev: Evidence, expected: Expectation, c: _Candidates, failing) -> list[Verdict]:
    """Nothing explains what is left clearly: flag the most suspicious cell of each equation, change nothing."""
    best, _ = _leaders(system.size, c)
    out: dict[int, Verdict] = {}
    for q in np.flatnonzero(failing):
        if (k := best[q]) >= 0:
            place, value, z = int(c.cell[k]), float(c.value[k]), float(c.z[k])
        else:
            mine = system.cell[system.entries_of(np.array([q]))]
            odd = np.abs(expected.z(ev.x[mine], mine))
            place, value, z = int(mine[np.argmax(ev.prior[mine] + odd)]), float("nan"), float(odd.max())
        said = out.get(place, Verdict(place, value, False, (), stale=bool(ev.stale[place])))
        out[place] = replace(said, rules=(*said.rules, int(q)), z=z)
    return list(out.values())


def fill(system: System, ev: Evidence, expected: Expectation) -> list[Verdict]:
    """Return what unknown cells must be: given by one equation whose other cells are confirmed, or by two that agree.

    A value that would have to be rounded further than it is printed is no proof and is left out.
    """
    verdicts: list[Verdict] = []
    for _ in range(8):
        sums = system.sums(ev.x, ev.half)
        good = sums.holds(system.is_within)
        entry = system.entries_of(np.flatnonzero((sums.unknown == 1) & system.used & ~system.is_within))
        entry = entry[np.isnan(ev.x[system.cell[entry]])]
        if not len(entry):
            break
        value, slack = _solve(system, sums, ev, entry)
        step = ev.step[system.cell[entry]]
        with np.errstate(divide="ignore", invalid="ignore"):
            rounded = np.round(value / step) * step
        sharp = np.isfinite(value) & (slack < 0.5 * step * (1 - 1e-6)) & (np.abs(rounded - value) <= 0.499 * step)
        lonely = _others_confirmed(system, ev, good, sums, entry)
        found = _agreed(system, ev, expected, sums, entry[sharp], tidy(rounded[sharp]), lonely[sharp])
        if not found:
            break
        for v in found:
            ev.x[v.place] = v.value
        verdicts += found
    return verdicts


def _agreed(system: System, ev: Evidence, expected: Expectation, sums: Sums, entry, value, lonely) -> list[Verdict]:
    """Return the fills on which all equations of a cell that could say something agree."""
    out = []
    cell = system.cell[entry]
    z = np.abs(expected.z(value, cell))
    for place in np.unique(cell):
        mine = np.flatnonzero(cell == place)
        v = value[mine[0]]
        _, touched = system.touching(np.array([place]))
        q = system.equation[touched]
        can = (sums.unknown[q] == 1) & system.used[q]
        none = np.zeros(can.sum())
        after = _hold_after(system, sums, touched[can], q[can], none + v, none, none.astype(int))
        strong = (~system.is_within[q[can]]).sum()
        if after.all() and (strong >= 2 or lonely[mine].any()) and z[mine[0]] < _ODD and (v != 0 or strong >= 2):
            out.append(Verdict(int(place), float(v), True, tuple(int(i) for i in q[can])))
    return out


def rule_names(system: System, equations: tuple[int, ...]) -> list[str]:
    """Return the rules of some equations, each once, in a fixed order."""
    return [RULES[r] for r in sorted({int(system.rule[q]) for q in equations})]
