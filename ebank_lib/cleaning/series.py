"""What a series says about its own numbers: where each should lie, and which lie elsewhere.

Levels are compared on a scale that is logarithmic for large numbers and linear near zero, ``g(x) = asinh(x / 2s)`` with
``s`` a fiftieth of the series' median, so that flows that touch or cross zero need no other treatment. A number is
expected between its neighbours, moved by what all branches did in that month (the Spring Festival is no error); the
noise is the median absolute deviation from that, over the whole series or the year around, whichever is larger.
Nothing here is a fixed percentage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

_FLOOR = 0.002      # no printed series is followed more closely than this by its neighbours
_ENOUGH = 5         # branches whose common movement counts
_MAD_TO_SD = 1.4826
_YEAR = 13          # months around one, itself in their middle
ODD = 6.0           # standard deviations from what both neighbours suggest
_CLEAR = 8.0        # a power of ten must stand out this much
_FIT = 3.0          # and what is left must be this ordinary,
_NEAR = 0.15        # in logs this close to what the neighbours suggest,
_NEAR_TELLING = 0.5  # or this, where the digits themselves speak for a moved point
_SMOOTH = 0.02      # (a smoother series is not asked for more)
_MANIFOLD, _BEYOND, _SIDE = 8.0, 2.5, 4     # times both sides, and their own spreads, in so many months;
_UNUSUAL = 3.0      # standard deviations that it must be as well: of a series that does so by itself nothing is known
_NEWS = 0.25        # in logs: the least by which a newest month may be off


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
    away = np.where(two, g - centre - common, np.nan)
    noise = np.broadcast_to(mad(away, axis=1)[:, None, :], away.shape)
    if away.shape[1] >= _YEAR:
        noise = np.fmax(noise, mad(_windows(away, _YEAR // 2, _YEAR // 2), axis=-1, least=6))
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


def _windows(x: np.ndarray, before: int, after: int) -> np.ndarray:
    """Return for every month, along a last axis, the months around it, itself among them; NaN beyond the ends."""
    padded = np.pad(x, ((0, 0), (before, after), (0, 0)), constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after, axis=1)


# --- single cells, and levels that break -----------------------------------------------------------------------------

@dataclass(frozen=True)
class Oddity:
    """One cell: what its neighbours suggest, its distance `z`, the power of ten that would explain it (`sure`: that its
    digits ask for, too; then `likely` is the number with its point moved), and how many times the level before a level
    break is."""

    place: int
    likely: float
    z: float
    power: int = 0
    sure: bool = False
    times: float = np.nan


def find_spikes(x: np.ndarray, step: np.ndarray, expected: Expectation) -> list[Oddity]:
    """Return the cells that only this month lie far from both neighbours.

    Both must be on the same side and closer to one another than either is to the cell: a series that has moved to
    another level, or starts after zeros, does not come back, and neither side of its step is a spike. A spike also
    makes its neighbours look odd, half as much; so a cell counts only if it is odder than the cells beside it.
    """
    z = expected.z(x.ravel(), np.arange(x.size)).reshape(x.shape)
    size = np.where(comes_back(x, expected), np.abs(z), 0.0)
    far, near = _far(x, step)
    far &= np.abs(z) >= _UNUSUAL
    odd = (size > ODD) & (size >= maximum_filter1d(size, 3, axis=1))
    likely = np.where(odd, expected.likely(), near)
    step = _usual(step)
    out = []
    for place in np.flatnonzero((odd | far).ravel()):
        value, digit, centre, sd = (float(a.flat[place]) for a in (x, step, likely, expected.sd))
        out.append(_oddity(int(place), value, digit, centre, float(z.flat[place]), sd))
    return out


def _oddity(place: int, value: float, digit: float, likely: float, z: float, sd: float) -> Oddity:
    power, sure = _power(value, digit, likely, sd)
    return Oddity(place, float(np.round(value / 10.0**power / digit) * digit) if power else likely, z, power, sure)


def _usual(step: np.ndarray) -> np.ndarray:
    """Return the digits of most months: one cell's own would let any slip of its point look printed."""
    return np.maximum(step, np.nan_to_num(median(step, axis=1))[:, None, :])


def _far(x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers many times (or a small part of) what stands on both sides, and the level of the nearer side.

    Each side is judged by its own four months, so that a new level hides nothing; counts of a few digits are too small
    to tell.
    """
    log = np.log(np.where((x > 0) & ~(x < 0).any(axis=1, keepdims=True), x + 10 * step, np.nan))
    away, level = np.full((2, *x.shape), np.nan), np.full((2, *x.shape), np.nan)
    for n, side in enumerate((log, log[:, ::-1])):
        past = _windows(side, _SIDE, 0)[..., :-1]
        centre = median(past, axis=-1, least=2)
        there = np.maximum(np.sum(~np.isnan(past), axis=-1), 1)
        spread = np.nansum(np.abs(past - centre[..., None]), axis=-1) / there
        beyond = np.where(np.abs(side - centre) >= np.maximum(np.log(_MANIFOLD), _BEYOND * spread), side - centre, 0.0)
        away[n], level[n] = (a[:, ::-1] if n else a for a in (beyond, centre))
    nearer = np.abs(away).argmin(axis=0)[None]
    return (away[0] * away[1] > 0), np.exp(np.take_along_axis(level, nearer, 0)[0]) - 10 * step


def comes_back(x: np.ndarray, expected: Expectation) -> np.ndarray:
    """Return where a number lies on one side of both neighbours, and they agree with one another better than with it.

    The neighbours are carried to the month by the growth of the year around, and by what all branches did in it.
    """
    g = np.arcsinh(x * expected.factor / expected.scale)
    before, after, back, ahead = neighbours(g)
    # The median step of the year around.
    growth = np.nan_to_num(median(_windows((g - before) / back, _YEAR // 2, _YEAR // 2), axis=-1))
    common = expected.centre - (before * ahead + after * back) / (back + ahead)
    rise = g - common - (before + growth * back)
    fall = g - common - (after - growth * ahead)
    return (rise * fall > 0) & (np.abs(rise - fall) <= np.minimum(np.abs(rise), np.abs(fall)))


def _power(value: float, step: float, likely: float, sd: float) -> tuple[int, bool]:
    """Return the power of ten by which a number is too large, if both neighbours support just that (else 0), and
    whether its digits do, too.

    Too large and moved back, the number must be one the column could print and would: 99,434 customers are no 9,943.4,
    and 991,436.10 yuan are unlikely where the column prints fen. Too small, it must have digits the column does not
    print: 1,862 is no 186,200 that lost two noughts, but 943.4 is a slipped 9,434. Where a column prints so many
    digits that any number will do, the fit must be close.
    """
    power = int(np.round(np.log10(value / likely))) if value > 0 and likely > 0 and step > 0 else 0
    if power == 0 or abs(power) > 8 or np.log(10) * abs(power) < _CLEAR * sd:
        return 0, False
    moved = value / 10.0**power
    natural = _whole(moved / step) and not _whole(moved / (10 * step)) if power > 0 else not _whole(value / step)
    near = _NEAR_TELLING if step >= 1e-6 * moved else _NEAR
    off = abs(np.log(moved / likely))
    sure = natural and off <= min(max(_FIT * sd, _SMOOTH), near)
    return (power if sure or off <= _NEAR else 0), sure


def _whole(steps: float) -> bool:
    return abs(steps - np.round(steps)) <= 1e-6 + 1e-12 * steps


def find_edges(x: np.ndarray, doubtful: np.ndarray, step: np.ndarray, expected: Expectation, own: np.ndarray
               ) -> list[Oddity]:
    """Return the first and last numbers, which nothing beyond can confirm, that lie far from what the others foretell.

    A month is foretold from the one beside it by the drift of the half year, by what all branches did in it, and by the
    same month's step of two other years; it must lie off all of them by far more than the series moved lately. The
    newest month of all is judged by that; other ends only where they are many times off beside steady months, and where
    others have months beyond only if too large: a branch begins and ends with less.
    """
    g = np.where(doubtful, np.nan, np.arcsinh(x * expected.factor / expected.scale))
    newest, sd, step, out = x.shape[1] - 1, expected.step_sd[:, 0], _usual(step), []
    for back in (False, True):
        move = np.diff(g[:, ::-1] if back else g, axis=1, prepend=np.nan)
        last = newest - np.argmax(~np.isnan(x if back else x[:, ::-1]), axis=1)     # counted in the turned months
        at = last - np.arange(25)[:, None, None]        # (months back from each series' last, units, indicators)
        tail = np.where(at > 0, np.take_along_axis(np.moveaxis(move, 1, 0), np.maximum(at, 0), 0), np.nan)
        shared = tail - np.take_along_axis(common_move(move, own)[:, None], np.maximum(at, 0), 0)
        drift, usual = median(tail[1:7], least=3), median(shared[1:])
        off = np.fmin.reduce(np.abs([tail[0] - drift, shared[0] - usual, tail[0] - tail[12], tail[0] - tail[24]]))
        second = np.sort(np.nan_to_num(np.abs(shared[1:] - usual)), axis=0)[-2]
        limit = np.maximum(np.maximum(8 * sd, 1.5 * second), _NEWS)
        calm = 4 * np.fmax.reduce(np.abs(tail[1:5] - drift))
        ends = np.maximum(np.maximum(limit, np.log(_MANIFOLD / 2)), calm)
        outer = last == newest
        far = (off > np.where(outer & (not back), limit, ends)) & (outer | (tail[0] > drift))
        for u, i in np.argwhere(far & ~np.isnan(drift)):
            at = u, newest - last[u, i] if back else last[u, i], i
            likely = float(np.sinh(g[at] - tail[0, u, i] + drift[u, i]) * expected.scale[at] / expected.factor[at])
            place = int(np.ravel_multi_index(at, x.shape))
            out.append(_oddity(place, float(x[at]), float(step[at]), likely, float(off[u, i] / sd[u, i]),
                               float(sd[u, i])))
    return out


def find_breaks(x: np.ndarray, expected: Expectation, own: np.ndarray, window: int = 6) -> list[Oddity]:
    """Return the months from which on a series stays on another level.

    The step into the month is compared with the series' own steps; before and after it, `window` months must be
    ordinary, and the level must not come back.
    """
    g = np.arcsinh(x * expected.factor / expected.scale)
    step = np.diff(g, axis=1, prepend=np.nan)
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
    """Whether a level has moved by a step: its first month is at the new level, and none later back at the old."""
    before, after = g[:at], g[at:]
    before, after = before[~np.isnan(before)], after[~np.isnan(after)]
    if len(before) < 3 or len(after) < 3:
        return False
    spread = max(np.median(np.abs(np.diff(before))), np.median(np.abs(np.diff(after))), 0.01)
    old, new = np.median(before[-3:]), np.median(after[:3])
    moved, way = (new - old) * np.sign(step), (after - old) * np.sign(step)
    return bool(moved > max(0.6 * abs(step), 6 * spread) and way.min() > 0.4 * moved
                and way[0] - moved < max(0.25 * moved, 4 * spread))
