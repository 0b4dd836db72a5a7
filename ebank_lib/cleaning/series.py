"""What a series says about its own next number: where it should lie, and how far off it usually is.

Levels are compared on a scale that is logarithmic for large numbers and linear near zero,
``g(x) = asinh(x / 2s)`` with ``s`` a fiftieth of the series' median, so that flows that touch or cross zero need no
other treatment. A number is expected between its neighbours, moved by what all branches did in that month (the Spring
Festival is no error); the noise is the median absolute deviation from that, over the whole series or the year around,
whichever is larger. Nothing here is a fixed percentage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Expectation", "common_move", "expect", "mad", "median", "neighbours"]

_FLOOR = 0.002      # no printed series is followed more closely than this by its neighbours
_WINDOW = 13
_ENOUGH = 5         # branches whose common movement counts
_MAD_TO_SD = 1.4826


def median(x: np.ndarray, axis: int = 0, least: int = 1) -> np.ndarray:
    """Return the median along an axis, NaN where fewer than `least` values are there.

    Examples
    --------
    >>> median(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]), axis=1)
    array([ 2., nan])
    """
    x = np.sort(np.moveaxis(x, axis, -1), axis=-1)  # NaN goes last
    count = np.sum(~np.isnan(x), axis=-1)
    if x.shape[-1] == 0:
        return np.full(x.shape[:-1], np.nan)
    at = np.maximum(count - 1, 0)
    low = np.take_along_axis(x, (at // 2)[..., None], -1)[..., 0]
    high = np.take_along_axis(x, ((at + 1) // 2)[..., None], -1)[..., 0]
    return np.where(count >= max(least, 1), 0.5 * (low + high), np.nan)


def mad(x: np.ndarray, axis: int = 0, least: int = 4) -> np.ndarray:
    """Return the standard deviation that the median of ``|x|`` implies (the centre is zero by construction)."""
    return _MAD_TO_SD * median(np.abs(x), axis, least)


def neighbours(x: np.ndarray, reach: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return for every place along axis 1 the nearest value before and after it, itself excluded, and how far they are.

    NaN and `reach` + 1 where there is none within `reach`.
    """
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
    """Where each number should lie: ``centre`` and ``sd`` on the scale of g; ``scale`` is 2s; ``sides`` how many
    neighbours say so."""

    centre: np.ndarray
    sd: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    sides: np.ndarray
    step_sd: np.ndarray

    def z(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return how many standard deviations `x` lies from what is expected at the (flat) places `at`; 0 where nothing
        is expected."""
        with np.errstate(invalid="ignore"):
            g = np.arcsinh(x * self.factor.ravel()[at] / self.scale.ravel()[at])
            return np.nan_to_num((g - self.centre.ravel()[at]) / self.sd.ravel()[at])

    def likely(self) -> np.ndarray:
        """Return the expected numbers in the base unit."""
        return np.sinh(self.centre) * self.scale / self.factor


def expect(x: np.ndarray, half: np.ndarray, factor: np.ndarray, own: np.ndarray) -> Expectation:
    """Return what every place of the grid should hold, judged by the months around it.

    Parameters
    ----------
    x, half : array (units, months, indicators)
        Numbers (NaN: unknown or not to be relied on) and half a unit of their last printed digit.
    factor : array, same shape
        Brings months before a merger to the size after it; 1 elsewhere.
    own : array of bool (units,)
        Units whose common movement counts (not the total, which is their sum).
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
    sides = (~np.isnan(before)).astype(int) + ~np.isnan(after)

    common = common_move(g - centre, own)
    two = sides == 2
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
    return Expectation(centre + common, sd, scale, factor, sides, np.broadcast_to(step_sd, sd.shape))


def common_move(x: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return what all branches did together: (months, indicators), 0 where too few are known."""
    return np.nan_to_num(median(x[own], axis=0, least=_ENOUGH)) if own.sum() >= _ENOUGH else np.zeros_like(x[0])


def _noise(away: np.ndarray) -> np.ndarray:
    """Return the larger of the whole series' noise and that of the year around each month."""
    whole = np.broadcast_to(mad(away, axis=1)[:, None, :], away.shape)
    if away.shape[1] < _WINDOW:
        return whole
    padded = np.pad(away, ((0, 0), (_WINDOW // 2, _WINDOW // 2), (0, 0)), constant_values=np.nan)
    around = mad(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1), axis=-1, least=6)
    return np.fmax(whole, around)
