"""What the series show, whatever the identities say: where a number should lie, and the mistakes that show by it.

Levels are compared on a scale that is logarithmic for large numbers and linear near zero, ``g(x) = asinh(x / 2s)`` with
``s`` a fiftieth of the series' median, so that flows that touch or cross zero need no other treatment. A number is
expected between its neighbours, moved by what all branches did in that month (the Spring Festival is no error); the
noise is the median absolute deviation from that, over the whole series or the year around, whichever is larger.
Nothing here is a fixed percentage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ODD", "Expectation", "Oddity", "Slip", "Swap", "common_move", "conforming", "expect", "find_breaks",
           "find_spikes", "find_stale", "find_swaps", "find_unit_slips", "mad", "median", "neighbours"]

_FLOOR = 0.002      # no printed series is followed more closely than this by its neighbours
_ENOUGH = 5         # branches whose common movement counts
_MAD_TO_SD = 1.4826
_YEAR = 13          # months around one, itself in their middle
_AGREE = 0.8        # of a column's rows must move together
_CHANCE = 1e-3      # a repeat that chance would bring about more often than this is no suspect
_ROW = 14.0         # minus the log of the chance that a whole row repeats
_TENFOLD = 0.7      # of a power of ten is the least that may be one
_CELL_CAP = 25.0    # of a squared z, so that one column cannot decide
ODD = 6.0           # standard deviations from what both neighbours suggest
_CLEAR = 8.0        # a power of ten must stand out this much
_FIT = 3.0          # and what is left must be this ordinary,
_NEAR = 0.15        # in logs this close to what the neighbours suggest,
_NEAR_TELLING = 0.5  # or this, where the digits themselves speak for a moved point


def median(x: np.ndarray, axis: int = 0, least: int = 1) -> np.ndarray:
    """Return the median along an axis, NaN where fewer than `least` values are there; no warning, unlike NumPy's."""
    x = np.sort(np.moveaxis(x, axis, -1), axis=-1)  # NaN goes last
    if x.shape[-1] == 0:
        return np.full(x.shape[:-1], np.nan)
    count = np.sum(~np.isnan(x), axis=-1)
    at = np.maximum(count - 1, 0)
    low = np.take_along_axis(x, (at // 2)[..., None], -1)[..., 0]
    high = np.take_along_axis(x, ((at + 1) // 2)[..., None], -1)[..., 0]
    return np.where(count >= max(least, 1), 0.5 * (low + high), np.nan)


def mad(x: np.ndarray, axis: int = 0, least: int = 4) -> np.ndarray:
    """Return the standard deviation that the median of ``|x|`` implies (the centre is zero by construction)."""
    return _MAD_TO_SD * median(np.abs(x), axis, least)


def neighbours(x: np.ndarray, reach: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return for every place along axis 1 the nearest value before and after it, itself excluded, and how far they are;
    NaN and `reach` + 1 where there is none within `reach`."""
    before, after = np.full_like(x, np.nan), np.full_like(x, np.nan)
    back, ahead = np.full(x.shape, reach + 1), np.full(x.shape, reach + 1)
    for step in range(reach, 0, -1):
        for out, far, here, source in ((before, back, np.s_[:, step:], x[:, :-step]),
                                       (after, ahead, np.s_[:, :-step], x[:, step:])):
            there = ~np.isnan(source)
            out[here] = np.where(there, source, out[here])
            far[here] = np.where(there, step, far[here])
    return before, after, back, ahead


@dataclass
class Expectation:
    """Where each number should lie: ``centre`` and ``sd`` on the scale of g; ``scale`` is 2s; ``step_sd`` how far the
    series moves from month to month."""

    centre: np.ndarray
    sd: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    step_sd: np.ndarray

    def z(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return how many standard deviations `x` lies from what is expected at the flat places `at`; else 0."""
        with np.errstate(invalid="ignore"):
            g = np.arcsinh(x * self.factor.ravel()[at] / self.scale.ravel()[at])
            return np.nan_to_num((g - self.centre.ravel()[at]) / self.sd.ravel()[at])

    def likely(self) -> np.ndarray:
        """Return the expected numbers in the base unit."""
        return np.sinh(self.centre) * self.scale / self.factor


def expect(x: np.ndarray, half: np.ndarray, factor: np.ndarray, own: np.ndarray) -> Expectation:
    """Return what every place of the grid (units, months, indicators) should hold, judged by the months around it.

    `half` is half a unit of the last printed digit; `factor` brings months before a merger to the size after it; `own`
    marks the units whose common movement counts (not the total, which is their sum).
    """
    y = x * factor
    typical = median(np.abs(np.where(y == 0, np.nan, y)), axis=1)[:, None, :]
    scale = np.broadcast_to(np.nan_to_num(0.04 * typical, nan=1.0), y.shape)
    scale = np.maximum(np.where(scale > 0, scale, 1.0), 1e-300)
    g = np.arcsinh(y / scale)
    before, after, back, ahead = neighbours(g)
    step = (g - before) / back
    drift = np.nan_to_num(median(step, axis=1)[:, None, :])
    both = (before * ahead + after * back) / (back + ahead)
    centre = np.where(np.isnan(both), np.where(np.isnan(before), after - drift * ahead, before + drift * back), both)
    common = common_move(g - centre, own)
    two = ~np.isnan(both)
    noise = _noise(np.where(two, g - centre - common, np.nan))
    resolution = half * factor / np.sqrt(y**2 + scale**2)
    floor = _FLOOR + np.nan_to_num(median(resolution, axis=1))[:, None, :]
    moves = step - drift
    step_sd = mad(moves - common_move(moves, own), axis=1)[:, None, :]
    step_sd = np.maximum(np.nan_to_num(step_sd, nan=1.0), floor)
    noise = np.where(np.isnan(noise), step_sd, noise)
    # A longer way between the neighbours is a wider guess.
    gap = np.sqrt(np.maximum(back + ahead, 2) / 2)
    one_sided = np.hypot(step_sd, floor) * np.sqrt(np.minimum(back, ahead)) * 1.5
    sd = np.where(two, np.maximum(noise, floor) * gap, one_sided)
    return Expectation(centre + common, sd, scale, factor, np.broadcast_to(step_sd, sd.shape))


def common_move(x: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return what all branches did together: (months, indicators), 0 where too few are known."""
    return np.nan_to_num(median(x[own], axis=0, least=_ENOUGH)) if own.sum() >= _ENOUGH else np.zeros_like(x[0])


def _noise(away: np.ndarray) -> np.ndarray:
    """Return the larger of the whole series' noise and that of the year around each month."""
    whole = np.broadcast_to(mad(away, axis=1)[:, None, :], away.shape)
    if away.shape[1] < _YEAR:
        return whole
    return np.fmax(whole, mad(_year_around(away), axis=-1, least=6))


def _year_around(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (_YEAR // 2, _YEAR // 2), (0, 0)), constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(padded, _YEAR, axis=1)


# --- many cells with one cause ----------------------------------------------------------------------------------------

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
    same = np.zeros(x.shape, bool)
    same[:, 1:] = x[:, 1:] == x[:, :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = step / (2.5 * expected.step_sd * np.abs(x))
    chance = np.where(same & np.isfinite(chance) & (x != 0), np.minimum(chance, 1.0), 1.0)
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
    """Return pairs of rows of one sheet (`blocks`: its indicators) and month that fit each other's branch better than
    their own."""
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


# --- single cells, and levels that break -----------------------------------------------------------------------------

@dataclass(frozen=True)
class Oddity:
    """One cell: what its neighbours suggest, its distance `z`, the power of ten that would explain it, and how many
    times the level before a level break is."""

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
    growth = np.nan_to_num(median(_year_around((g - before) / back), axis=-1))   # the median step of the year around
    common = expected.centre - (before * ahead + after * back) / (back + ahead)
    rise = g - common - (before + growth * back)
    fall = g - common - (after - growth * ahead)
    return (rise * fall > 0) & (np.abs(rise - fall) <= np.minimum(np.abs(rise), np.abs(fall)))


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
    step = step - common_move(step, own)
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
