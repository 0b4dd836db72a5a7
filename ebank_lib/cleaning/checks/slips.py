"""Mistakes of many cells at once, which have one cause: a column in another unit, two rows swapped, a row pasted again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .robust import mad, median, neighbours
from .series import Expectation

__all__ = ["Slip", "Swap", "find_stale", "find_swaps", "find_unit_slips"]

_AGREE = 0.8        # of a column's rows must move together
_CHANCE = 1e-3      # a repeat that chance would bring about more often than this is no suspect
_CELL_CAP = 25.0    # of a squared z, so that one column cannot decide


@dataclass(frozen=True)
class Slip:
    """Cells (units, one month, one indicator) that are `power` powers of ten too large; `sides` of it were seen to end."""

    month: int
    indicator: int
    units: np.ndarray
    power: int
    sides: int


def find_unit_slips(x: np.ndarray, factor: np.ndarray, own: np.ndarray) -> list[Slip]:
    """Return the columns that jump by a power of ten together and come back.

    Parameters
    ----------
    x, factor : array (units, months, indicators)
        Numbers, and what brings months before a merger to the size after it.
    own : array of bool (units,)
        Rows that vote (branches; the total follows).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log10(np.where(x > 0, x * factor, np.nan))
    before, _, back, _ = neighbours(log, reach=4)
    step = log - before
    ordinary = np.nan_to_num(median(step[own], axis=0, least=2))
    drift = median(ordinary, axis=0)[None, :]
    noise = np.maximum(mad(ordinary - drift, axis=0, least=4), 0.01)
    noise = np.where(np.isnan(noise), 0.1, noise)[None, :]
    power = np.round(ordinary - drift)
    # A season or a festival may move the month as well; the more powers of ten, the less it can be mistaken.
    left = np.abs(ordinary - drift - power)
    near = (power != 0) & (left <= np.maximum(4 * noise, 0.1 * np.minimum(np.abs(power), 3))) & (np.abs(ordinary) > 6 * noise)
    votes = np.sum(np.abs(step[own] - power) < 0.5, axis=0)
    asked = np.sum(~np.isnan(step[own]), axis=0)
    jump = np.where(near & (votes >= _AGREE * asked) & (asked >= min(3, own.sum())), power, 0).astype(int)
    return [s for i in np.flatnonzero(jump.any(axis=0)) for s in _segments(jump[:, i], i, log)]


def _segments(jump: np.ndarray, indicator: int, log: np.ndarray) -> list[Slip]:
    """Return the stretches of months whose level differs by a power of ten from the level most months have."""
    level = np.cumsum(jump)
    values, counts = np.unique(level, return_counts=True)
    usual = values[np.argmax(counts)]
    out = []
    for m in np.flatnonzero(level != usual):
        power = int(level[m] - usual)
        sides = int((level[:m] == usual).any()) + int((level[m + 1:] == usual).any())
        base = np.where((level == usual)[None, :], log[:, :, indicator], np.nan)
        units = [u for u in range(len(log)) if _conforms(log[u, m, indicator], base[u], m, power)]
        if units:
            out.append(Slip(int(m), int(indicator), np.array(units), power, sides))
    return out


def _conforms(value: float, base: np.ndarray, month: int, power: int) -> bool:
    """Whether one cell lies nearer to the slipped level than to its own: cells put right by hand stay."""
    known = np.flatnonzero(~np.isnan(base))
    if np.isnan(value) or not len(known):
        return not len(known) and not np.isnan(value)
    near = known[np.argsort(np.abs(known - month), kind="stable")[:4]]
    expected = float(np.mean(base[near]))
    return abs(value - expected - power) < abs(value - expected)


def find_stale(x: np.ndarray, step: np.ndarray, expected: Expectation) -> np.ndarray:
    """Return the cells that repeat last month's number where chance would not.

    A number with many digits that moves by much more than its last digit every month hardly ever stays the same. Where
    half of a row's cells are such repeats, the row was pasted, and its other repeats belong to it.
    """
    same = np.zeros(x.shape, bool)
    same[:, 1:] = (x[:, 1:] == x[:, :-1]) & (x[:, 1:] != 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        usual_move = expected.step_sd * np.abs(x)
        chance = np.nan_to_num(step / (2.5 * usual_move), nan=1.0, posinf=1.0)
    suspects = same & (chance < _CHANCE)
    return suspects


def pasted_rows(x: np.ndarray, suspects: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """Return the suspects and, where most of a row (of the columns of one sheet) repeats, the rest of its repeats."""
    same = np.zeros(x.shape, bool)
    same[:, 1:] = (x[:, 1:] == x[:, :-1]) & ~np.isnan(x[:, 1:])
    out = suspects.copy()
    for block in blocks:
        there = np.sum(~np.isnan(x[:, :, block]), axis=2)
        pasted = (np.sum(same[:, :, block], axis=2) >= 0.5 * there) & (np.sum(suspects[:, :, block], axis=2) >= 2)
        out[:, :, block] |= same[:, :, block] & pasted[:, :, None]
    return out


@dataclass(frozen=True)
class Swap:
    """Two rows of one sheet that fit each other's branch: `gain` in log-odds, `share` of the telling columns agree."""

    month: int
    first: int
    second: int
    columns: np.ndarray
    gain: float
    share: float
    telling: int

    @property
    def key(self) -> tuple:
        return self.month, self.first, self.second, tuple(self.columns.tolist())

    def near(self, other: Swap) -> bool:
        """Whether exchanging the other pair changes what this one is judged by."""
        return abs(self.month - other.month) <= 3 and bool({self.first, self.second} & {other.first, other.second})


def find_swaps(x: np.ndarray, expected: Expectation, own: np.ndarray, blocks: list[np.ndarray]) -> list[Swap]:
    """Return pairs of rows of one sheet and month of which each fits the other's branch better than its own.

    Parameters
    ----------
    blocks : list of arrays
        The indicators that stand together in a sheet.
    """
    units = np.flatnonzero(own)
    out = []
    for block in blocks:
        for m in range(x.shape[1]):
            rows = units[np.sum(~np.isnan(x[units, m][:, block]), axis=1) >= min(3, len(block))]
            if len(rows) >= 2:
                out += _swaps_of(x[np.ix_(rows, [m], block)][:, 0], expected, rows, m, block)
    return out


def _swaps_of(row: np.ndarray, expected: Expectation, rows: np.ndarray, m: int, block: np.ndarray) -> list[Swap]:
    at = np.ix_(rows, [m], block)
    centre, sd, scale, factor = (a[at][:, 0] for a in (expected.centre, expected.sd, expected.scale, expected.factor))
    # z[a, b, i]: how far row a's number lies from what branch b should print.
    z = (np.arcsinh(row[:, None] * factor[None] / scale[None]) - centre[None]) / sd[None]
    misfit = np.nan_to_num(np.minimum(z**2, _CELL_CAP))
    known = ~np.isnan(z)
    own = np.arange(len(rows))
    both = known & known[own, own][:, None, :] & np.swapaxes(known, 0, 1)
    mine = misfit[own, own]
    gain = 0.5 * (mine[:, None] + mine[None] - misfit - np.swapaxes(misfit, 0, 1)) * both
    total = gain.sum(axis=2)
    out = []
    for a in range(len(rows)):
        b = int(np.argmax(total[a]))
        if b > a and int(np.argmax(total[b])) == a and total[a, b] > 0:
            telling = np.abs(gain[a, b]) > 1.0
            if telling.any():
                out.append(Swap(m, int(rows[a]), int(rows[b]), block, float(total[a, b]),
                                float(np.mean(gain[a, b][telling] > 0)), int(telling.sum())))
    return out
