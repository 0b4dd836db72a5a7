"""The examination of a grid: what the numbers prove about each other, and what they find odd.

The order is that of certainty about causes: first what moved many cells at once (a column's unit, two rows), then the
single cell that explains failing equations, then what equations give where nothing is printed, and last what only a
series' own habits find odd. Every check looks at what the ones before have explained.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..catalog import Catalog
from . import mistakes, series
from .assembling import Grid, tidy
from .blame import Evidence, Verdict, copied, explain, fill, rule_names
from .identities import build_system, learn
from .ledger import in_both, phrase
from .mistakes import Swap
from .panel import Finding, mergers
from .series import Expectation, Oddity

_SLIGHT = 3.0       # log-odds of a swap that an identity proves
_SURE = 3.0         # and of one that only its columns speak for, in each of them and for each of the two rows


def examine(grid: Grid, catalog: Catalog) -> list[Finding]:
    """Return everything the numbers prove or find odd, in the order in which it was found; what to do about it is the
    policy's business."""
    return _Examination(grid, catalog).run() if grid.size else []


class _Examination:
    """The state of one examination: `x` holds the numbers as far as they are explained."""

    def __init__(self, grid: Grid, catalog: Catalog):
        self.grid, self.catalog = grid, catalog
        self.x = grid.value.copy()
        self.step = _step(grid)
        self.factor = _merger_factor(grid, catalog)
        self.own = np.array([catalog.branches[u].role == "branch" for u in grid.units], bool)
        self.findings: list[Finding] = []
        self.touched = grid.stated.ravel().copy()       # nothing is guessed over what a reader states
        self.system = build_system(grid, catalog)

    def run(self) -> list[Finding]:
        self._unit_slips()
        # Learnt after the columns are put right, so that a slipped column does not make an identity look disobeyed.
        half = learn(self.system, replace(self.grid, value=self.x, half=self._rounding()))
        self.half = half.reshape(self.x.shape)
        self._swaps()
        expected = self._expect()
        stale = mistakes.find_stale(self.x, self.step, expected, self.grid.blocks).ravel()
        self.ev = Evidence(self.x.ravel(), half, self.step.ravel(), self._prior(), stale)
        self.ev.settled |= self.grid.stated.ravel()
        likely = expected.likely().ravel()
        for verdict in explain(self.system, self.ev, expected):
            if not self.grid.stated.flat[verdict.place]:
                self._accuse(verdict, float(likely[verdict.place]))
        for verdict in fill(self.system, self.ev, self._expect()):
            what = [phrase(f"id_{r}") for r in rule_names(self.system, verdict.rules) if r != "within_mismatch"]
            self.findings.append(Finding(verdict.place, "from_identity", "fill", verdict.value, {"proof": what}))
        self._oddities(stale)
        return self.findings

    def _find(self, place: int, rule: str, action: str, value: float = np.nan, detail: dict | None = None) -> None:
        self.findings.append(Finding(place, rule, action, value, detail or {}))
        self.touched[place] = True

    def _rounding(self) -> np.ndarray:
        return 0.5 * self.step * self.grid.terms

    def _expect(self) -> Expectation:
        return series.expect(self.x, self._rounding(), self.factor, self.own)

    def _prior(self) -> np.ndarray:
        """Totals and ratios are computed by hand from the rest; between equals they are the likelier mistake."""
        prior = np.zeros(self.grid.value.shape)
        if self.catalog.total in self.grid.units:
            # One of many rows always fits a gap by chance: the more rows, the less one of them is suspected.
            prior[self.grid.units.index(self.catalog.total)] += 2.0 + np.log(len(self.grid.units))
        sums = {i.total for i in self.catalog.identities if i.kind == "sum"}
        for n, key in enumerate(self.grid.indicators):
            prior[:, :, n] += 1.0 * (key in sums) + 1.5 * (self.catalog.indicators[key].kind == "ratio")
        return prior.ravel()

    def _place(self, unit: int, month: int, indicator: int) -> int:
        return int(np.ravel_multi_index((unit, month, indicator), self.grid.value.shape))

    # --- equations

    def _around(self, *cells) -> np.ndarray:
        """Return the equations in which the cells stand: no other can be restored or broken, and asking all of them
        about every suspicion costs the square of the number of branches."""
        return self.system.around(np.concatenate([
            np.ravel_multi_index(np.broadcast_arrays(*at), self.x.shape).ravel() for at in cells]))

    def _holding(self, x: np.ndarray, half: np.ndarray, equations: np.ndarray | None = None):
        """Return which equations (all, or some) hold, and which are asked: their cells are known, they are obeyed."""
        sums = self.system.sums(x.ravel(), half.ravel(), equations)
        which = slice(None) if equations is None else equations
        return sums.holds(self.system.is_within[which]), (sums.unknown == 0) & self.system.used[which]

    # --- columns in another unit

    def _unit_slips(self) -> None:
        found = mistakes.find_unit_slips(self.x, self.factor, self.own)
        for slip in found:
            columns = sum(s.first == slip.first for s in found)
            options = [(p, [(mistakes.conforming(self.x, self.factor, slip, m, p), m, slip.indicator)
                            for m in range(slip.first, slip.last + 1)]) for p in slip.powers]
            restored = [self._restored(cells, 10.0 ** -power) for power, cells in options]
            if max(restored) > 0:
                self._slip(*options[int(np.argmax(restored))], "correct", columns)
            else:
                # A column that stays where it jumped may be a change of the bank's business: nothing proves the unit.
                self._slip(*options[0], "correct" if slip.sure and slip.back else "flag", columns)

    def _restored(self, cells: list[tuple], factor: float) -> int:
        """Return how many equations multiplying some cells restores, less twice those that it breaks."""
        changed, moved = self.x.copy(), self._rounding()
        for at in cells:
            changed[at] *= factor
            moved[at] *= factor
        around = self._around(*cells)
        before, asked = self._holding(self.x, self._rounding(), around)
        after, _ = self._holding(changed, moved, around)
        asked = asked & ~self.system.is_within[around]
        return int((after & ~before & asked).sum()) - 2 * int((before & ~after & asked).sum())

    def _slip(self, power: int, cells: list[tuple], action: str, columns: int) -> None:
        for units, month, indicator in cells:
            for u in units[~self.grid.stated[units, month, indicator]]:
                place = self._place(u, month, indicator)
                value = float(tidy(self.x.flat[place] * 10.0**-power))
                self._find(place, "unit_slip", action, value, {"factor": f"10^{abs(power)}", "columns": columns})
                if action == "correct":
                    self.x.flat[place] = value
                    self.step.flat[place] *= 10.0 ** -power

    # --- rows exchanged

    def _swaps(self) -> None:
        """The clearest pair first: a swapped row also misleads the judgement of the months beside it, so a pair near
        one that was exchanged is judged again by the exchanged numbers."""
        judged: set[tuple] = set()
        for _ in range(len(self.grid.months)):
            found = mistakes.find_swaps(self.x, self._expect(), self.own, self.grid.blocks)
            found = [s for s in found if s.key not in judged]
            exchanged: list[Swap] = []
            for swap in sorted(found, key=lambda s: (-s.gain, s.key)):
                if swap.gain >= _SLIGHT and not any(swap.near(other) for other in exchanged):
                    judged.add(swap.key)
                    if self._judge_swap(swap):
                        exchanged.append(swap)
            if not exchanged:
                return

    def _judge_swap(self, swap: Swap) -> bool:
        """Exchange two rows if identities that fail hold then, flag them if it is only likely; return whether they were
        exchanged."""
        restored, broken = self._after_swap(swap)
        if self.grid.stated[_pair(swap, swap.columns)[0]].any():
            return False
        proven = restored >= 2 and broken == 0 and swap.share > 0.5
        if proven or (broken == 0 and swap.share >= 0.7 and swap.sure >= _SURE):
            self._swap(swap, *(("correct", "proof_identity") if proven else ("flag", "proof_none")))
        return proven

    def _after_swap(self, swap: Swap) -> tuple[int, int]:
        """Return how many sums and changes exchanging the rows would restore, and how many equations it would break."""
        around = self._around(_pair(swap, swap.columns)[0])
        before, asked = self._holding(self.x, self.half, around)
        _exchange(swap, swap.columns, self.x, self.half)   # and back: a copy of the grid for every pair would cost more
        after, asked_after = self._holding(self.x, self.half, around)
        _exchange(swap, swap.columns, self.x, self.half)
        asked = asked & asked_after
        return (int((after & ~before & asked & self.system.is_linear[around]).sum()),
                int((before & ~after & asked).sum()))

    def _swap(self, swap: Swap, action: str, proof: str) -> None:
        here, there = _pair(swap, swap.columns)
        own, other = self.x[here], self.x[there]
        gap = np.isnan(own) | np.isnan(other)
        for n, unit in enumerate((swap.second, swap.first)):
            name = in_both(self.catalog.branches[self.grid.units[unit]])
            detail = {"other": name, "share": swap.share, "proof": phrase(proof)}
            for c, i in enumerate(swap.columns):
                place = self._place((swap.first, swap.second)[n], swap.month, i)
                if not gap[c, n] and own[c, n] != other[c, n]:
                    self._find(place, "swapped_rows", action, other[c, n], detail | {"value": float(other[c, n])})
                elif gap[c, n] and not np.isnan(own[c, n]):
                    # The number beside a gap has nothing to be exchanged with: it stays, and is not relied on.
                    self._find(place, "swapped_rows", "flag", np.nan, detail)
                    self.x.flat[place] = np.nan
        if action == "correct":
            _exchange(swap, swap.columns[~gap[:, 0] & (own[:, 0] != other[:, 0])], self.x, self.step, self.half)

    # --- single cells

    def _accuse(self, v: Verdict, likely: float) -> None:
        """One cell explains failing equations: a row for the kind of mistake, and one for each kind of equation."""
        if self.grid.cell.flat[v.place] < 0:
            return
        rules = rule_names(self.system, v.rules)
        action = "correct" if v.proven else "flag"
        # A number that is never negative is not asked to be.
        able = v.value >= 0 or np.nanmin(self.grid.value[..., v.place % self.x.shape[2]]) < 0
        proof = (phrase("proof_equations", what=[phrase(f"id_{r}") for r in rules]) if v.proven else
                 phrase("proof_maybe", value=v.value) if able else phrase("proof_none"))
        if v.power:
            detail = {"value": v.value, "power": f"10^{v.power:+d}", "proof": proof}
            self._find(v.place, "decimal_slip", action, v.value, detail)
        elif v.stale:
            self._find(v.place, "stale_repeat", action, v.value, {"proof": proof})
        for rule in rules:
            self._find(v.place, rule, action, v.value, None if rule == "within_mismatch" else {"proof": proof})
        if not v.power and abs(v.z) > series.ODD:
            self._spike(v.place, self.grid.value.flat[v.place], v.value if able else likely, v.z, action, v.value)

    def _spike(self, place: int, printed: float, likely: float, z: float, action: str, value: float = np.nan,
               rule: str = "spike") -> None:
        shown = float(f"{likely:.4g}")
        times = _times(printed / likely if likely else np.inf)
        self._find(place, rule, action, value, {"value": shown, "times": times, "z": f"{abs(z):.0f}"})

    def _oddities(self, stale: np.ndarray) -> None:
        """What is left: odd by its own series, and no equation has spoken about it."""
        strong, change = self._confirmed()
        known = (self.grid.cell.ravel() >= 0) & ~self.touched
        expected = self._expect()
        breaks = series.find_breaks(self.x, expected, self.own)
        # The month in which a level breaks and the one before: both sides of a step that stays.
        beside = {place for odd in breaks for place in (odd.place, odd.place - len(self.grid.indicators))}
        for odd in series.find_spikes(self.x, self.step, expected):
            if known[odd.place] and not change[odd.place] and odd.place not in beside:
                self._odd(odd, "proof_neighbours" if odd.sure and not strong[odd.place] else "proof_none")
        # A total is the sum of what was pasted, too: only the change of a stock says that a number stayed.
        for place in np.flatnonzero(stale & known & ~change & ~self.touched):
            self._find(int(place), "stale_repeat", "flag", np.nan, {"proof": phrase("proof_none")})
        doubtful = np.zeros(self.grid.size, bool)
        doubtful[[f.place for f in self.findings if f.action == "flag"]] = True
        for odd in series.find_edges(self.x, doubtful.reshape(self.x.shape), self.step, expected, self.own):
            if known[odd.place] and not change[odd.place] and not self.touched[odd.place]:
                self._odd(odd, "proof_edge", "edge")
        for odd in breaks:
            if known[odd.place] and not change[odd.place] and not self.touched[odd.place]:
                self._find(odd.place, "level_break", "flag", np.nan,
                           {"times": _times(odd.times), "z": f"{abs(odd.z):.0f}"})

    def _odd(self, odd: Oddity, proof: str, rule: str = "spike") -> None:
        if odd.power:
            value = float(tidy(odd.likely))
            detail = {"value": value, "power": f"10^{-odd.power:+d}", "proof": phrase(proof)}
            self._find(odd.place, "decimal_slip", "correct" if proof == "proof_neighbours" else "flag", value, detail)
        else:
            self._spike(odd.place, float(self.x.flat[odd.place]), odd.likely, odd.z, "flag", rule=rule)

    def _confirmed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells that stand in a strong equation that holds, and those in a change that holds."""
        good, asked = self._holding(self.x, self.half)
        sound = good & asked & ~self.system.is_within & ~copied(self.system, self.ev)
        return self.system.standing_in(sound), self.system.standing_in(sound & self.system.is_change)


def _pair(swap: Swap, columns: np.ndarray) -> tuple[tuple, tuple]:
    """Return the places of two rows' cells, and those of the other row's cells."""
    return (([swap.first, swap.second], swap.month, columns[:, None]),
            ([swap.second, swap.first], swap.month, columns[:, None]))


def _exchange(swap: Swap, columns: np.ndarray, *grids: np.ndarray) -> None:
    here, there = _pair(swap, columns)
    for values in grids:
        values[here] = values[there]


def _step(grid: Grid) -> np.ndarray:
    """Return the value of one unit in the last printed place; where nothing is printed, as in the rows around it."""
    step = np.where(grid.cell >= 0, 2 * grid.half / grid.terms, np.nan)
    column, row = series.median(step, axis=0)[None], series.median(step, axis=1)[:, None]
    step = np.where(np.isnan(step), column, step)
    return np.nan_to_num(np.where(np.isnan(step), row, step))


def _merger_factor(grid: Grid, catalog: Catalog) -> np.ndarray:
    """Return what brings an heir's months before the merger to the size after it: one factor for each indicator."""
    factor = np.ones(grid.value.shape)
    for gone, heir, until in mergers(grid, catalog):
        last = slice(max(0, until - 6), until)
        with np.errstate(divide="ignore", invalid="ignore"):
            times = series.median((grid.value[heir, last] + grid.value[gone, last]) / grid.value[heir, last], axis=0)
        additive = np.array([catalog.indicators[k].kind != "ratio" for k in grid.indicators])
        factor[heir, :until] = np.where(additive & np.isfinite(times) & (times > 0), times, 1.0)
    return factor


def _times(value: float) -> str:
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}" if np.isfinite(value) else "∞"
