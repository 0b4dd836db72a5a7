"""What a single series finds odd about itself when no identity says more: spikes, slipped points, levels that break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .robust import mad, median, neighbours
from .series import Expectation

__all__ = ["Oddity", "find_breaks", "find_spikes"]

ODD = 6.0           # standard deviations from what both neighbours suggest
_CLEAR = 8.0        # a power of ten must stand out this much
_FIT = 3.0          # and what is left must be this ordinary,
_NEAR = 0.15        # in logs this close to what the neighbours suggest,
_NEAR_TELLING = 0.5  # or this, where the digits themselves speak for a moved point
_YEAR = 13          # months whose growth is that of the month in their middle


@dataclass(frozen=True)
class Oddity:
    """One cell: its number, what its neighbours suggest, its distance `z`, the power of ten that would explain
    it, and how many times the level before a level break is."""

    place: int
    likely: float
    z: float
    power: int = 0
    times: float = np.nan


def find_spikes(x: np.ndarray, step: np.ndarray, expected: Expectation) -> list[Oddity]:
    """Return the cells that only this month lie far from both neighbours.

    Both must be on the same side and closer to one another than either is to the cell: a series that has moved to
    another level, or starts after zeros, does not come back, and neither side of its step is a spike. A spike also
    makes its neighbours look odd, half as much; so a cell counts only if it is odder than the cells beside it.
    """
    z = expected.z(x.ravel(), np.arange(x.size)).reshape(x.shape)
    size = np.where(_comes_back(x, expected), np.abs(z), 0.0)
    beside = np.zeros_like(size)
    beside[:, 1:] = size[:, :-1]
    beside[:, :-1] = np.maximum(beside[:, :-1], size[:, 1:])
    likely = expected.likely()
    odd = (size > ODD) & (size >= beside)
    return [Oddity(int(place), float(likely.flat[place]), float(z.flat[place]),
                   _power(float(x.flat[place]), float(step.flat[place]), float(likely.flat[place]),
                          float(expected.sd.flat[place])))
            for place in np.flatnonzero(odd.ravel())]


def _comes_back(x: np.ndarray, expected: Expectation) -> np.ndarray:
    """Return where a number lies on one side of both neighbours, and they agree with one another better than with it.

    The neighbours are carried to the month by the growth of the year around, and by what all branches did in it.
    """
    g = np.arcsinh(x * expected.factor / expected.scale)
    before, after, back, ahead = neighbours(g)
    growth = _growth((g - before) / back)
    common = expected.centre - (before * ahead + after * back) / (back + ahead)
    rise = g - common - (before + growth * back)
    fall = g - common - (after - growth * ahead)
    return (rise * fall > 0) & (np.abs(rise - fall) <= np.minimum(np.abs(rise), np.abs(fall)))


def _growth(step: np.ndarray) -> np.ndarray:
    """Return the median step of the year around each month."""
    padded = np.pad(step, ((0, 0), (_YEAR // 2, _YEAR // 2), (0, 0)), constant_values=np.nan)
    return np.nan_to_num(median(np.lib.stride_tricks.sliding_window_view(padded, _YEAR, axis=1), axis=-1))


def _power(value: float, step: float, likely: float, sd: float) -> int:
    """Return the power of ten by which a number is too large, if both neighbours support just that; else 0.

    The digits must agree. Too large and moved back, the number must be one the column could print and would: 99,434
    customers are no 9,943.4, and 991,436.10 yuan are unlikely where the column prints fen. Too small, it must have
    digits the column does not print: 1,862 is no 186,200 that lost two noughts, but 943.4 is a slipped 9,434. Where a
    column prints so many digits that any number will do, the fit must be close.
    """
    if not (value > 0 and likely > 0 and step > 0):
        return 0
    power = int(np.round(np.log10(value / likely)))
    if power == 0 or abs(power) > 8 or np.log(10) * abs(power) < _CLEAR * sd:
        return 0
    moved = value / 10.0**power
    natural = _whole(moved / step) and not _whole(moved / (10 * step)) if power > 0 else not _whole(value / step)
    near = _NEAR_TELLING if step >= 1e-6 * moved else _NEAR
    return power if natural and abs(np.log(moved / likely)) <= min(_FIT * sd, near) else 0


def _whole(steps: float) -> bool:
    return abs(steps - np.round(steps)) <= 1e-6 + 1e-12 * steps


def find_breaks(x: np.ndarray, expected: Expectation, own: np.ndarray, window: int = 6) -> list[Oddity]:
    """Return the months from which on a series stays on another level.

    The step into the month is compared with the series' own steps; before and after it, `window` months must be
    ordinary, and the level must not come back.
    """
    g = np.arcsinh(x * expected.factor / expected.scale)
    step = np.full_like(g, np.nan)
    step[:, 1:] = g[:, 1:] - g[:, :-1]
    common = np.nan_to_num(median(step[own], axis=0, least=5)) if own.sum() >= 5 else 0.0
    step = step - common
    step = step - np.nan_to_num(median(step, axis=1))[:, None, :]
    noise = np.maximum(mad(step, axis=1)[:, None, :], 0.01)
    size = np.nan_to_num(np.abs(step) / noise)
    out = []
    for place in np.flatnonzero((size > 1.5 * ODD).ravel()):
        u, m, i = np.unravel_index(place, x.shape)
        low, high = max(0, m - window), min(x.shape[1], m + window)
        if m - low < 3 or high - m < 3 or not _stays(g[u, low:high, i], m - low, float(step[u, m, i])):
            continue
        before, after = (v[~np.isnan(v)] for v in (x[u, low:m, i], x[u, m:high, i]))
        level = float(np.median(before[-3:]))
        times = float(np.median(after[:3])) / level if level else np.inf
        out.append(Oddity(int(place), level, float(size[u, m, i] * np.sign(step[u, m, i])), times=times))
    return out


def _stays(g: np.ndarray, at: int, step: float) -> bool:
    before, after = g[:at], g[at:]
    before, after = before[~np.isnan(before)], after[~np.isnan(after)]
    if len(before) < 3 or len(after) < 3:
        return False
    spread = max(np.median(np.abs(np.diff(before))), np.median(np.abs(np.diff(after))), 0.01)
    moved = np.median(after[:3]) - np.median(before[-3:])
    return abs(moved) > 0.6 * abs(step) and abs(moved) > 6 * spread
