"""State space of an ARIMA in levels: innovations, and what is known of the month after the last.

The state is that of Gardner, Harvey & Phillips (1980, Appl. Statist. 29, AS 154) for the differenced process, above
the last values of the series itself (as in R's ``arima``), which differencing takes as given: no diffuse prior, no
large number. Missing months are skipped. It repeats `likelihood` by another road, so that each checks the other.
"""

from __future__ import annotations

import numpy as np

from .likelihood import axpy, compiled, copy, dot, step_down

__all__ = ["ahead", "filter_columns", "state_space"]


@compiled
def copy_square(a, b):
    for i in range(a.shape[0]):
        copy(a[i], b[i])


@compiled
def sandwich(a, p):
    """p = a p a' in place, `a` mostly zeros, `p` symmetric."""
    n = p.shape[0]
    ap = np.zeros((n, n))
    for i in range(n):
        for k in range(n):
            if a[i, k] != 0.0:
                for j in range(n):
                    ap[i, j] += a[i, k] * p[k, j]
    for i in range(n):
        for j in range(i + 1):
            s = 0.0
            for k in range(n):
                if a[j, k] != 0.0:
                    s += ap[i, k] * a[j, k]
            p[i, j] = s
            p[j, i] = s


@compiled
def state_space(phi, theta, delta):
    """Transition (n, n), disturbance (n,), observation (n,) and initial covariance (n, n) / sigma2.

    `phi`, `theta`: expanded ARMA coefficients; `delta`: y_t = sum delta_j y_(t-j) + w_t.
    """
    p, q, lost = phi.size, theta.size, delta.size
    r = max(p, q + 1)
    n = r + lost
    transition, disturbance, observe = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    for i in range(p):
        transition[i, 0] = phi[i]
    for i in range(r - 1):
        transition[i, i + 1] = 1.0
    disturbance[0], observe[0] = 1.0, 1.0
    for i in range(q):
        disturbance[i + 1] = theta[i]
    for i in range(lost):
        observe[r + i] = delta[i]
        if i > 0:
            transition[r + i, r + i - 1] = 1.0
    for i in range(n if lost > 0 else 0):
        transition[r, i] = observe[i]
    root = stationary_root(phi, theta, r)
    initial = np.zeros((n, n))
    for i in range(r):
        for j in range(r):
            initial[i, j] = dot(root[i], root[j])
    return transition, disturbance, observe, initial


@compiled
def stationary_root(phi, theta, r):
    """A square root (r, r) of the stationary covariance of the first r elements of the state.

    With w = theta(B) z the state is linear in the last r values of the AR process z, whose Levinson stages make it
    from r independent shocks: no equation is solved and no series summed, so roots near the circle cost no digits.
    """
    p, q = phi.size, theta.size
    stages, partial, z, root = np.zeros((p, p)), np.zeros(p), np.zeros((r, r)), np.zeros((r, r))
    step_down(phi, stages, partial)
    sd = 1.0
    for i in range(p):
        sd /= np.sqrt(max(1.0 - partial[i] * partial[i], 1e-12))
    for i in range(r):  # z[i, k]: the response to shock k of the value r - 1 - i months ago
        m = min(i, p)
        for k in range(i):
            for j in range(m):
                z[i, k] += stages[m - 1, j] * z[i - 1 - j, k]
        z[i, i] = sd
        if i < p:
            sd *= np.sqrt(max(1.0 - partial[i] * partial[i], 1e-12))
    for i in range(r):
        for k in range(q + 1):
            c = theta[k - 1] if k > 0 else 1.0
            # What is already known, at this lag k - i or more, of the value i months ahead.
            if k >= i:
                axpy(c, z[r - 1 - k + i], root[i])
                for j in range(1, min(i, p) + 1):
                    axpy(-c * phi[j - 1], z[r - 1 - k + i - j], root[i])
            else:
                for j in range(i + 1, p + 1):
                    axpy(c * phi[j - 1], z[r - 1 - k + i - j], root[i])
    return root


@compiled
def filter_columns(transition, disturbance, observe, initial, columns, missing, lost):
    """Kalman filter of every row of `columns` (m, T), all with the gain of the one model.

    The first `lost` values are taken as given. Returns innovations (m, T) and their variances (T,) / sigma2, NaN
    where missing or given; the state (m, n) and its covariance (n, n) / sigma2 for the month after the last.
    """
    m, t = columns.shape
    n = observe.size
    r = n - lost
    v, f = np.full((m, t), np.nan), np.full(t, np.nan)
    a, ahead, gain, pz = np.zeros((m, n)), np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(m):
        for j in range(lost):
            a[i, r + j] = columns[i, lost - 1 - j]
    p, last = np.zeros((n, n)), np.zeros((n, n))
    copy_square(initial, p)
    settled, variance = False, 1.0
    for s in range(lost, t):
        seen = not missing[s]
        if seen and not settled:
            variance = 0.0
            for i in range(n):
                pz[i] = 0.0
                for j in range(n):
                    pz[i] += p[i, j] * observe[j]
                variance += pz[i] * observe[i]
            for i in range(n):
                gain[i] = pz[i] / variance
        if seen:
            f[s] = variance
        for i in range(m):
            if seen:
                error = columns[i, s]
                for j in range(n):
                    error -= observe[j] * a[i, j]
                v[i, s] = error
                for j in range(n):
                    a[i, j] += gain[j] * error
            for j in range(n):
                ahead[j] = 0.0
                for k in range(n):
                    if transition[j, k] != 0.0:
                        ahead[j] += transition[j, k] * a[i, k]
            copy(ahead, a[i])
        if settled and seen:
            continue
        copy_square(p, last)
        if seen:
            for i in range(n):
                for j in range(n):
                    p[i, j] -= pz[i] * gain[j]
        sandwich(transition, p)
        for i in range(n):
            for j in range(n):
                p[i, j] += disturbance[i] * disturbance[j]
        moved, largest = 0.0, 0.0
        for i in range(n):
            for j in range(n):
                moved, largest = max(moved, abs(p[i, j] - last[i, j])), max(largest, abs(p[i, j]))
        settled = seen and moved <= 1e-14 * largest
    return v, f, a, p


def ahead(space, a, p, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance / sigma2 (horizon,) of the months after the last, given what is known of its next state."""
    transition, disturbance, observe, _ = space
    mean, variance = np.empty(horizon), np.empty(horizon)
    for h in range(horizon):
        mean[h], variance[h] = observe @ a, observe @ p @ observe
        a = transition @ a
        p = transition @ p @ transition.T + np.outer(disturbance, disturbance)
    return mean, variance
