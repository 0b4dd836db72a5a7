"""Lag polynomials: partial autocorrelations, the Levinson-Durbin stages, products of factors; with their adjoints.

An adjoint takes the derivative of a number by a function's output and gives the one by its input. Sources: Monahan
(1984, Biometrika 71), Barndorff-Nielsen & Schou (1973, J. Multivariate Analysis 3).
"""

from __future__ import annotations

import numpy as np

from ..compiled import compiled as _compiled

# Sums may be reordered, so that they vectorise; NaN and infinity keep their meaning, 0 / 0 is NaN and not an error.
compiled = _compiled(error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})

# Largest partial autocorrelation of the AR part. The likelihood can rise all the way to an AR root on the circle
# (beside an MA root that nearly cancels it) without reaching a maximum; on this closed set it has one.
AR_EDGE = 1.0 - 2e-5


@compiled
def levinson(r, stages):
    """Stages of the Durbin-Levinson recursion: row k holds the AR(k + 1) with partial autocorrelations r[:k + 1]."""
    for k in range(r.size):
        for j in range(k):
            stages[k, j] = stages[k - 1, j] - r[k] * stages[k - 1, k - 1 - j]
        stages[k, k] = r[k]


@compiled
def levinson_adjoint(r, stages, bar, r_bar):
    """Add to `r_bar` the derivative by r, given `bar`, the derivative by every stage (overwritten)."""
    for k in range(r.size - 1, -1, -1):
        s = bar[k, k]
        for j in range(k):
            s -= bar[k, j] * stages[k - 1, k - 1 - j]
            bar[k - 1, j] += bar[k, j] - r[k] * bar[k, k - 1 - j]
        r_bar[k] += s


@compiled
def step_down(phi, stages, r):
    """Partial autocorrelations and stages of a given AR polynomial (the Levinson recursion run backwards)."""
    p = phi.size
    for j in range(p):
        stages[p - 1, j] = phi[j]
    for k in range(p - 1, -1, -1):
        r[k] = stages[k, k]
        for j in range(k):
            stages[k - 1, j] = (stages[k, j] + r[k] * stages[k, k - 1 - j]) / (1.0 - r[k] * r[k])


@compiled
def step_down_adjoint(r, stages, bar, r_bar):
    """Carry `bar` and `r_bar`, derivatives by stages and r, down to the last stage: bar[p - 1] becomes d/d phi."""
    for k in range(r.size):
        c = 1.0 / (1.0 - r[k] * r[k])
        for j in range(k):
            b = bar[k - 1, j] * c
            bar[k, j] += b
            bar[k, k - 1 - j] += b * r[k]
            r_bar[k] += b * (stages[k, k - 1 - j] + 2.0 * r[k] * stages[k - 1, j])
        bar[k, k] += r_bar[k]


@compiled
def multiply(a, b, season, out):
    """Coefficients of 1 - (1 - sum a_i B^i)(1 - sum b_j B^(j season)) in `out`."""
    out[:] = 0.0
    for i in range(a.size):
        out[i] += a[i]
    for j in range(b.size):
        k = (j + 1) * season
        out[k - 1] += b[j]
        for i in range(a.size):
            out[k + i] -= a[i] * b[j]


@compiled
def multiply_adjoint(a, b, season, bar, a_bar, b_bar):
    """Derivatives by the two factors, given `bar`, the derivative by their product."""
    for i in range(a.size):
        a_bar[i] = bar[i]
    for j in range(b.size):
        k = (j + 1) * season
        s = bar[k - 1]
        for i in range(a.size):
            s -= a[i] * bar[k + i]
            a_bar[i] -= b[j] * bar[k + i]
        b_bar[j] = s


def natural(angles, shape) -> np.ndarray:
    """ARMA coefficients (public signs) of a point of the search."""
    out, at = [], 0
    for b, n in enumerate(shape[:4]):
        if n:
            table = np.zeros((n, n))
            levinson(np.sin(angles[at:at + n]) * (AR_EDGE if b % 2 == 0 else 1.0), table)
            out.append(table[n - 1] if b % 2 == 0 else -table[n - 1])
        at += n
    return np.concatenate(out) if out else np.zeros(0)


def expanded(coefficients, shape) -> tuple[np.ndarray, np.ndarray]:
    """phi and theta with the seasonal factors multiplied in."""
    p, q, sp, sq, season = shape
    ar, ma, rest = coefficients[:p], coefficients[p:p + q], coefficients[p + q:]
    if sp == sq == 0:
        return ar, ma
    phi, theta = np.empty(p + sp * season), np.empty(q + sq * season)
    multiply(ar, rest[:sp], season, phi)
    multiply(-ma, -rest[sp:], season, theta)
    return phi, -theta


def series_quotient(top, feedback, n: int) -> np.ndarray:
    """First n coefficients of (1 + sum top_i B^i) / (1 - sum feedback_i B^i)."""
    out = np.zeros(max(n, 1))
    out[0] = 1.0
    for j in range(1, n):
        out[j] = (top[j - 1] if j <= len(top) else 0.0) + sum(
            feedback[i - 1] * out[j - i] for i in range(1, min(j, len(feedback)) + 1))
    return out[:n]
