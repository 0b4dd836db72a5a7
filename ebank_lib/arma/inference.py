"""How sure the parameters are: observed information, and profile likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..errors import UnknownNameError
from .design import prepare
from .likelihood import objective
from .search import climb_from

if TYPE_CHECKING:
    from .model import ARMA

__all__ = ["observed_covariance", "profile_interval", "profile_of"]

ON_CIRCLE = 1.0005  # a root nearer than this has no regular information, hence no standard error


def observed_covariance(model: ARMA) -> tuple[np.ndarray, str]:
    """Inverse observed information, and why it is not to be had where it is NaN.

    The log-likelihood is concentrated in beta and sigma2, so the block of the ARMA coefficients is the inverse of
    its Hessian (differences of the analytic gradient); beta adds its own GLS variance.
    """
    c, n = model._coefficients, len(model.params)
    k, nan = len(c), np.full((n, n), np.nan)
    modulus = model.roots()["modulus"].max() if k else 0.0
    if modulus > 1 / ON_CIRCLE:
        return nan, "boundary"
    d, hessian, jacobian = model.design, np.empty((k, k)), np.empty((n - k, k))
    out, gradient = np.empty(len(d.columns) - d.gaps), np.empty((2, k))
    h = 1e-5
    for i in range(k):
        beta = []
        for side in (0, 1):
            x = c.copy()
            x[i] += h if side == 0 else -h
            if not np.isfinite(objective(x, model.shape, True, d.columns, d.gaps, out, gradient[side])):
                return nan, "boundary"
            beta.append(d.scale * (d.back @ out[:-1]))
        hessian[i] = (gradient[0] - gradient[1]) / (2 * h)
        jacobian[:, i] = (beta[0] - beta[1]) / (2 * h)
    hessian = 0.5 * (hessian + hessian.T)
    if k and np.linalg.eigvalsh(hessian).min() <= 1e-8 * model.nobs:
        return nan, "flat"
    arma = np.linalg.inv(hessian)
    cross = jacobian @ arma
    return np.block([[arma, cross.T], [cross, model._gls_covariance + cross @ jacobian.T]]), ""


def profile_interval(model: ARMA, term: str, level: float = 95) -> pd.Series:
    """Return the interval of `ARMA.profile`."""
    from scipy.optimize import brentq  # slow to import, and used by profiles only

    if term not in model.params.index:
        raise UnknownNameError("parameter", term, model.params.index)
    estimate, se = float(model.params[term]), float(model.std_errors[term])
    z = ndtri(0.5 + level / 200)
    reach, best = z**2 / 2, model.optimum.value
    step = se if np.isfinite(se) else (0.1 if term[-1:].isdigit() else model.design.scale)
    drop = profile_of(model, term)
    limits = []
    for sign in (-1, 1):
        inside, outside, limit = estimate, estimate + sign * step, sign * np.inf
        for _ in range(40):
            if not np.isfinite(drop(outside)):
                outside = 0.5 * (inside + outside)  # beyond stationarity: the edge itself may be the limit
                if abs(outside - inside) < 1e-6:
                    limit = outside
                    break
            elif drop(outside) - best > reach:
                limit = brentq(lambda v: drop(v) - best - reach, inside, outside, xtol=1e-6 * step)
                break
            else:
                inside, outside = outside, outside + sign * step
        limits.append(limit)
    return pd.Series({"estimate": estimate, "lower": limits[0], "upper": limits[1],
                      "wald_lower": estimate - z * se, "wald_upper": estimate + z * se}, name=term)


def profile_of(model: ARMA, term: str):
    """The concentrated negative log-likelihood as a function of one parameter's value."""
    from scipy.optimize import minimize

    d, at, c = model.design, list(model.params.index).index(term), model._coefficients
    none = np.empty(len(d.columns) - d.gaps)
    if at >= len(c):
        column = d.x[term].to_numpy()
        rest = d.x.drop(columns=term)

        def drop(value):
            moved = d.y - value * column
            new = prepare(moved, d.d, d.big_d, d.season, rest if rest.shape[1] else None, "n")
            found = climb_from(new.columns, new.gaps, model.shape, model.optimum.angles)
            return -new.loglik(found.value) + d.loglik(0.0)

        return drop
    start = np.delete(c, at)

    def drop(value):
        def f(x):
            gradient = np.empty(len(c))
            value_here = objective(np.insert(x, at, value), model.shape, True, d.columns, d.gaps, none, gradient)
            return (value_here, np.delete(gradient, at)) if np.isfinite(value_here) else (1e10, np.zeros(len(x)))

        if len(start) == 0:
            got = f(start)[0]
        else:
            got = minimize(f, start, jac=True, method="BFGS", options={"gtol": 1e-5}).fun
        return got if got < 1e9 else np.inf

    return drop
