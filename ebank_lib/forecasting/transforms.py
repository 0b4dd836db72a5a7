"""The scale on which an indicator is modelled: chosen once by its kind, named on the result, undone without bias.

Stocks and flows grow by per cent, so their logarithm is modelled; a share moves slower near 0 and 1, so its logit is.
What has zeros takes the square root, what is negative stays as it is. Medians and limits are quantiles and go back as
they are; a mean does not, and is taken over the distribution after going back, without the bias of the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError, UnknownNameError

__all__ = ["KINDS", "Transform", "choose_transform", "modelling_scale"]

KINDS = ("stock", "flow", "ratio", "multiple")
_EDGE = 1e-4      # a share of exactly 0 or 1 is moved inside by this much


@dataclass(frozen=True)
class Transform:
    """A scale: ``name`` (log, logit, sqrt, none), the bounds ``low, high`` that no forecast crosses."""

    name: str
    low: float = -np.inf
    high: float = np.inf
    monotone: bool = False      # a stock that never fell: no path of it does

    def forward(self, y):
        """Put values on the scale."""
        y = np.asarray(y, dtype=float)
        if self.name == "log":
            return np.log(y)
        if self.name == "sqrt":
            return np.sqrt(y)
        if self.name == "logit":
            inside = np.clip(y, _EDGE, 1 - _EDGE)
            return np.log(inside / (1 - inside))
        return y.copy()

    def back(self, z):
        """Bring values back from the scale; quantiles stay quantiles."""
        z = np.asarray(z, dtype=float)
        if self.name == "log":
            y = np.exp(np.minimum(z, 700.0))
        elif self.name == "sqrt":
            y = np.maximum(z, 0.0) ** 2
        elif self.name == "logit":
            y = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        else:
            y = z
        return np.clip(y, self.low, self.high)

    def mean_back(self, z: np.ndarray) -> np.ndarray:
        """Return the mean after going back of distributions given by equally likely points, (points, horizon)."""
        return self.back(z).mean(axis=0)


def choose_transform(y: pd.Series, kind: str | None = None) -> Transform:
    """Return the scale for a series of a kind.

    Parameters
    ----------
    y : Series
        Finite values or NaN.
    kind : {"stock", "flow", "ratio", "multiple"}, optional
        ``ratio`` lies within 0..1, ``multiple`` is a ratio without a ceiling. Without a kind the logarithm is taken of
        what is positive throughout, as for a flow, but nothing is held above zero that has been below it.

    Raises
    ------
    UnknownNameError
        No such kind.
    SeriesError
        A ratio outside 0..1.

    Examples
    --------
    >>> choose_transform(pd.Series([1.0, 20.0]), "flow").name, choose_transform(pd.Series([0.2, 0.4]), "ratio").name
    ('log', 'logit')
    >>> choose_transform(pd.Series([-1.0, 20.0]), "flow").name
    'none'
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    values = np.asarray(y, dtype=float)
    values = values[np.isfinite(values)]
    if kind == "ratio":
        outside = values[(values < 0) | (values > 1)]
        if outside.size:
            raise SeriesError("a share lies outside 0..1", found=float(outside[0]), expected="fractions within 0..1",
                              hint="A ratio without a ceiling has kind 'multiple'")
        return Transform("logit", 0.0, 1.0)
    if not values.size or values.min() < 0:
        return Transform("none")        # net new customers may be negative, and their forecast too
    return Transform("log" if values.min() > 0 else "sqrt", 0.0)


def modelling_scale(y: pd.Series, kind: str | None = None) -> pd.Series:
    """Return a series on the scale that is modelled: logs of counts and sums, logits of shares.

    Parameters
    ----------
    y : Series
    kind : {"stock", "flow", "ratio", "multiple"}, optional
        As for :func:`choose_transform`, which names the scale.

    Examples
    --------
    >>> modelling_scale(pd.Series([1.0, np.e], name="y"), "flow").tolist()
    [0.0, 1.0]
    """
    return pd.Series(choose_transform(y, kind).forward(y), index=y.index, name=y.name)
