"""Mistakes of many cells with one cause: a column in another unit, a row pasted again, two rows swapped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .series import Expectation, comes_back, mad, median, neighbours

_AGREE = 0.8        # of a column's rows must move together
_CHANCE = 1e-3      # a repeat that chance would bring about more often than this is no suspect
_ROW = 14.0         # minus the log of the chance that a whole row repeats
_TENFOLD = 0.7      # of a power of ten is the least that may be one
_CELL_CAP = 25.0    # of a squared z, so that one column cannot decide
_FEW = 4            # columns of a row


@dataclass(frozen=True)
class Slip:
    """A column of some months that is a power of ten away from the months around it.

    ``powers`` are the powers of ten that its jump may stand for, the nearest first; ``sure`` whether the nearest needs
    no further proof; ``back`` whether the column was seen to come back.
    """

    first: int
    last: int
    indicator: int
    powers: tuple[int, ...]
    sure: bool
    back: bool


def find_unit_slips(x: np.ndarray, factor: np.ndarray, own: np.ndarray) -> list[Slip]:
    """Return the columns that jump by about a power of ten together; branches (`own`) vote, the total follows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log10(np.where(x > 0, x * factor, np.nan))[own]
    step = log - neighbours(log, reach=4)[0]
    jump = median(step, axis=0, least=2)
    usual = median(jump, axis=0)[None, :]
    noise = np.maximum(np.nan_to_num(mad(jump - usual, axis=0, least=4), nan=0.2), 0.01)
    jump = np.nan_to_num(jump - usual)
    votes = np.sum((np.sign(step) == np.sign(jump)) & (np.abs(step) > 0.5 * np.abs(jump)), axis=0)
    asked = np.sum(~np.isnan(step), axis=0)
    agreed = (votes >= _AGREE * asked) & (asked >= min(3, own.sum()))
    real = (np.abs(jump) >= _TENFOLD) & (np.abs(jump) > 6 * noise) & agreed
    return [s for i in np.flatnonzero(real.any(axis=0))
            for s in _stretches(np.where(real[:, i], jump[:, i], 0.0), int(i), float(noise[i]))]


def _stretches(jump: np.ndarray, indicator: int, noise: float) -> list[Slip]:
    """Return the stretches between a jump and the one that undoes it; a jump never undone reaches to the nearer end."""
    at = [int(m) for m in np.flatnonzero(jump)]
    out = []
    while at:
        m = at.pop(0)
        end = next((n for n in at if jump[m] * jump[n] < 0 and abs(jump[m] + jump[n]) <= max(0.5, 4 * noise)), None)
        if end is not None and end - m <= len(jump) // 2:
            at = [n for n in at if n > end]
            out.append(_slip(m, end - 1, indicator, (jump[m] - jump[end]) / 2, noise / np.sqrt(2), True))
        elif m >= len(jump) - m:
            out.append(_slip(m, len(jump) - 1, indicator, jump[m], noise, False))
        else:
            out.append(_slip(0, m - 1, indicator, -jump[m], noise, False))
    return out


def _slip(first: int, last: int, indicator: int, size: float, noise: float, back: bool) -> Slip:
    nearest = int(np.round(size)) or int(np.sign(size))
    other = nearest + (1 if size > nearest else -1)
    left = abs(size - nearest)
    sure = left <= max(0.1, 0.1 * min(abs(nearest), 3)) and 0.5 - left >= noise
    return Slip(first, last, indicator, tuple(p for p in (nearest, other) if p), bool(sure), back)


def conforming(x: np.ndarray, factor: np.ndarray, slip: Slip, month: int, power: int) -> np.ndarray:
    """Return the rows whose number in this month lies nearer to the slipped level than to their own: cells that were
    put right by hand stay; a row that is zero, or has nothing to compare with, goes with its column."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log10(np.abs(x[:, :, slip.indicator] * factor[:, :, slip.indicator]))
    log[~np.isfinite(log)] = np.nan
    months = np.arange(x.shape[1])
    outside = (months < slip.first) | (months > slip.last)
    near = np.argsort(np.where(outside, np.abs(months - month), len(months)), kind="stable")
    level = median(log[:, near[: min(4, outside.sum())]], axis=1)
    here = log[:, month]
    follows = np.isnan(level) | np.isnan(here) | (np.abs(here - level - power) < np.abs(here - level))
    return np.flatnonzero(follows & ~np.isnan(x[:, month, slip.indicator]))


def find_stale(x: np.ndarray, step: np.ndarray, expected: Expectation, blocks: list[np.ndarray]) -> np.ndarray:
    """Return the cells that were pasted again: single ones that chance would not bring about, and whole rows.

    A number with many digits that moves by much more than its last digit every month hardly ever stays the same. Where
    at least half of a row's numbers (of the columns of one sheet) repeat and chance would not repeat them all, the row
    was pasted, and even its least telling repeats belong to it.
    """
    same = np.diff(x, axis=1, prepend=np.nan) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = step / (2.5 * expected.step_sd * np.abs(x))
    chance = np.where(same & np.isfinite(chance), np.minimum(chance, 1.0), 1.0)     # of zeros: not finite
    out = same & (chance < _CHANCE)
    weight = -np.log(np.maximum(chance, 1e-6))
    for block in blocks:
        there = np.sum(~np.isnan(x[:, :, block]), axis=2)
        repeated = np.sum(same[:, :, block], axis=2)
        pasted = (repeated >= 0.5 * there) & (repeated >= 3) & (np.sum(weight[:, :, block], axis=2) > _ROW)
        out[:, :, block] |= same[:, :, block] & pasted[:, :, None]
    return out


@dataclass(frozen=True)
class Swap:
    """Two rows of one sheet that fit each other's branch: `gain` in log-odds, `share` of the telling columns agree.

    ``sure`` is what the worse placed of the two would gain in a column like the others, if one of them (both, where few
    columns tell) comes back the month after: columns that move together are one witness, and rows that enter, leave or
    move to another level fit anywhere better than where they are.
    """

    month: int
    first: int
    second: int
    columns: np.ndarray
    gain: float
    share: float
    sure: float

    @property
    def key(self) -> tuple:
        return self.month, self.first, self.second, tuple(self.columns.tolist())

    def near(self, other: Swap) -> bool:
        """Whether exchanging the other pair changes what this one is judged by."""
        return abs(self.month - other.month) <= 3 and bool({self.first, self.second} & {other.first, other.second})


def find_swaps(x: np.ndarray, expected: Expectation, own: np.ndarray, blocks: list[np.ndarray]) -> list[Swap]:
    """Return pairs of rows of one sheet (`blocks`: its indicators) and month that fit each other's branch better than
    their own."""
    units, back = np.flatnonzero(own), comes_back(x, expected)
    out = []
    for block in blocks:
        for m in range(x.shape[1]):
            rows = units[np.sum(~np.isnan(x[units, m][:, block]), axis=1) >= min(3, len(block))]
            if len(rows) >= 2:
                out += _swaps_of(x, expected, back, rows, m, block)
    return out


def _swaps_of(x, expected: Expectation, back: np.ndarray, rows: np.ndarray, m: int, block: np.ndarray) -> list[Swap]:
    at = np.ix_(rows, [m], block)
    row, back, centre, sd, scale, factor = (a[at][:, 0] for a in (
        x, back, expected.centre, expected.sd, expected.scale, expected.factor))
    # z[a, b, i]: how far row a's number lies from what branch b should print.
    z = (np.arcsinh(row[:, None] * factor[None] / scale[None]) - centre[None]) / sd[None]
    misfit = np.nan_to_num(np.minimum(z**2, _CELL_CAP))
    known = ~np.isnan(z)
    own = np.arange(len(rows))
    both = known & known[own, own][:, None, :] & np.swapaxes(known, 0, 1)
    # What each place gains by the other row's number, and what both gain together.
    place = 0.5 * (misfit[own, own][None] - misfit) * both
    gain = place + np.swapaxes(place, 0, 1)
    total = gain.sum(axis=2)
    out = []
    for a in range(len(rows)):
        b = int(np.argmax(total[a]))
        if b > a and int(np.argmax(total[b])) == a and total[a, b] > 0:
            telling = np.abs(gain[a, b]) > 1.0
            if telling.any():
                returned = (back[a] & back[b]) if len(block) < _FEW else (back[a] | back[b])
                worse = np.minimum(place[a, b], place[b, a]) * returned
                out.append(Swap(m, int(rows[a]), int(rows[b]), block, float(total[a, b]),
                                float(np.mean(gain[a, b][telling] > 0)), float(np.median(worse[both[a, b]]))))
    return out
