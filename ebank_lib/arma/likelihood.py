"""Exact Gaussian likelihood of a (seasonal) ARMA with regressors and gaps, and its gradient.

The model of the T values w (differenced and scaled by the caller) is ``w = X beta + u`` with
``phi(B) u_t = theta(B) a_t``, ``phi(B) = 1 - phi_1 B - ...`` and ``theta(B) = 1 + theta_1 B + ...``.

Dividing by the moving average gives ``z = u / theta(B)``, an AR(p) process. It is known up to the q values before
the sample: whatever they are, z is linear in them. So the exact density of w is that of an AR(p) stretch of length
T + q with q unknown, unrestricted effects integrated out, and a missing month is one more such effect (its dummy
variable). With E the prewhitened columns [effects | regressors | series] and n the number of observed months,

    -2 loglik = n log(2 pi sigma2) + S / sigma2 + log|E_f' E_f| - log|AR prewhitening|^2,

S the residual sum of squares of the series on effects and regressors: generalised least squares gives sigma2 = S / n
and beta in closed form. Nothing is inverted that depends on a moving-average root, so theta may lie on the unit
circle; the AR part is prewhitened by the Levinson-Durbin stages that the partial autocorrelations generate.

Sources: Ansley (1979, Biometrika 66) and Melard (1984, Appl. Statist. 33) for the exact likelihood; Gomez, Maravall &
Pena (1999, J. Econometrics 88) for gaps as effects integrated out; Monahan (1984, Biometrika 71) for the partial
autocorrelations as free parameters. The gradient is the chain rule backwards through the same steps: an adjoint takes
the derivative of a number by a function's output and gives the one by its input.
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


@compiled
def dot(a, b):
    s = 0.0
    for i in range(a.size):
        s += a[i] * b[i]
    return s


@compiled
def axpy(c, a, b):
    """b += c a."""
    for i in range(a.size):
        b[i] += c * a[i]


@compiled
def copy(a, b):
    """Write a over b: an assignment of slices would compile its error message with it, every time."""
    for i in range(a.size):
        b[i] = a[i]


@compiled
def multiply_ar(phi, z, e):
    """e = phi(B) z, what lies before z counting as zero."""
    n = z.size
    copy(z, e)
    for j in range(min(phi.size, n)):
        axpy(-phi[j], z[:n - 1 - j], e[j + 1:])


@compiled
def multiply_ar_adjoint(phi, z, e_bar, z_bar, phi_bar):
    """Given `e_bar`, set `z_bar` and add to `phi_bar`."""
    n = z.size
    copy(e_bar, z_bar)
    for j in range(min(phi.size, n)):
        axpy(-phi[j], e_bar[j + 1:], z_bar[:n - 1 - j])
        phi_bar[j] -= dot(e_bar[j + 1:], z[:n - 1 - j])


@compiled
def divide_ma(theta, z, start):
    """Divide z[start:] by theta(B) in place, what lies before `start` counting as zero."""
    q, n = theta.size, z.size
    if q == 0:
        return
    last = z[start]
    for i in range(start + 1, n):
        s = z[i]
        for j in range(min(q, i - start) - 1, 0, -1):
            s -= theta[j] * z[i - 1 - j]
        last = s - theta[0] * last  # kept in a register: the recursion waits for nothing else
        z[i] = last


@compiled
def divide_ma_adjoint(theta, z, bar, theta_bar):
    """Given `bar` = d/d output, turn it into d/d input and add to `theta_bar`."""
    q, n = theta.size, z.size
    if q == 0:
        return
    last = bar[n - 1]
    for i in range(n - 2, -1, -1):
        s = bar[i]
        for j in range(min(q, n - 1 - i) - 1, 0, -1):
            s -= theta[j] * bar[i + 1 + j]
        last = s - theta[0] * last
        bar[i] = last
    for j in range(q):
        theta_bar[j] -= dot(bar[j + 1:], z[:n - 1 - j])


@compiled
def prewhiten_head(stages, scale, z, e):
    """First p prediction errors of the AR process z, in units of the innovation's standard deviation."""
    for i in range(min(scale.size, z.size)):
        s = z[i]
        for j in range(i):
            s -= stages[i - 1, j] * z[i - 1 - j]
        e[i] = s * scale[i]


@compiled
def prewhiten_head_adjoint(stages, scale, z, e, e_bar, z_bar, stages_bar, scale_bar):
    """Add to the derivatives by z, the stages and the logarithm of `scale`, given `e_bar`."""
    for i in range(min(scale.size, z.size)):
        b = e_bar[i] * scale[i]
        z_bar[i] += b
        scale_bar[i] += e_bar[i] * e[i]
        for j in range(i):
            z_bar[i - 1 - j] -= b * stages[i - 1, j]
            stages_bar[i - 1, j] -= b * z[i - 1 - j]


@compiled
def cholesky(a, n):
    """Cholesky factor of the leading n x n block, in place, and L^-1 applied to the rows below it.

    False where the block is so ill-conditioned that its determinant would be noise.
    """
    for j in range(n):
        d = a[j, j]
        floor = 1e-12 * d
        for k in range(j):
            d -= a[j, k] * a[j, k]
        if not d > floor:
            return False
        a[j, j] = np.sqrt(d)
        for i in range(j + 1, a.shape[0]):
            s = a[i, j]
            for k in range(j):
                s -= a[j, k] * a[i, k]
            a[i, j] = s / a[j, j]
    return True


@compiled
def solve(lower, b, x, n):
    """Solve L' x = b for x, L the leading n x n block of `lower`."""
    for k in range(n - 1, -1, -1):
        s = b[k]
        for l in range(k + 1, n):
            s -= lower[l, k] * x[l]
        x[k] = s / lower[k, k]


@compiled
def invert_lower(lower, n):
    """Transpose of the inverse of the leading n x n block of a lower triangle."""
    out = np.zeros((n, n))
    for k in range(n):
        out[k, k] = 1.0 / lower[k, k]
        for l in range(k + 1, n):
            s = 0.0
            for i in range(k, l):
                s -= lower[l, i] * out[k, i]
            out[k, l] = s / lower[l, l]
    return out


@compiled
def concentrated(phi, r, stages, theta, columns, gaps, beta, want, phi_bar, r_bar, stages_bar, theta_bar):
    """Half of -2 loglik without its constant, sigma2 and beta concentrated out; and its derivatives.

    `columns` (gaps + regressors + 1, T) holds the dummies of the missing months, the regressors, the series.
    `beta` receives the regressors' coefficients and, last, sigma2. Infinite outside the stationary region.
    """
    p, q = phi.size, theta.size
    t = columns.shape[1]
    n, effects, rows = t + q, q + gaps, columns.shape[0] + q
    z, e = np.zeros((rows, n)), np.zeros((rows, n))
    work, small = np.zeros((6, n)), np.zeros((3, max(p, rows)))
    scale, scale_bar, coef = small[0, :p], small[1, :p], small[2, :rows]
    c, f = 1.0, 0.0
    for i in range(p - 1, -1, -1):
        v = 1.0 - r[i] * r[i]
        if not v > 0.0:
            return np.inf
        c *= np.sqrt(v)
        scale[i] = c
        f -= np.log(c) if i < n else 0.0
    # Effects before the sample: unit impulses at times 1 - q, ..., 0, hence one response, shifted.
    if q > 0:
        z[0, 0] = 1.0
        divide_ma(theta, z[0], 0)
        response = work[0]
        multiply_ar(phi, z[0], response)
        for k in range(q):
            copy(z[0, :n - k], z[k, k:])
            copy(response[:n - k], e[k, k:])
            prewhiten_head(stages, scale, z[k], e[k])
    for k in range(q, rows):
        copy(columns[k - q], z[k, q:])
        divide_ma(theta, z[k], q)
        multiply_ar(phi, z[k], e[k])
        prewhiten_head(stages, scale, z[k], e[k])
    gram = np.empty((rows, rows))
    for k in range(rows):
        for l in range(k + 1):
            gram[k, l] = dot(e[k], e[l])
    if not cholesky(gram, rows - 1):
        return np.inf
    solve(gram, gram[rows - 1], coef, rows - 1)
    # The residual is formed, not its square by difference: rounding can then never flatter a fit.
    residual, level = e[rows - 1], z[rows - 1]
    for k in range(rows - 1):
        axpy(-coef[k], e[k], residual)
        axpy(-coef[k], z[k], level)
        if k >= effects:
            beta[k - effects] = coef[k]
    used = t - gaps
    ss = dot(residual, residual)
    beta[rows - 1 - effects] = ss / used
    if not ss > 0.0:
        return np.inf
    f += 0.5 * used * np.log(ss / used)
    for k in range(effects):
        f += np.log(gram[k, k])
    if not want:
        return f
    # Backwards. First the residual sum of squares: its derivative by the coefficients vanishes.
    z_bar, e_bar, body = work[1], work[2], work[3]
    axpy(used / ss, residual, e_bar)
    copy(e_bar[p:], body[p:])
    multiply_ar_adjoint(phi, level, body, z_bar, phi_bar)
    prewhiten_head_adjoint(stages, scale, level, residual, e_bar, z_bar, stages_bar, scale_bar)
    divide_ma_adjoint(theta, level, z_bar, theta_bar)
    # Then log|E_f'E_f| / 2: its derivative by E_f is E_f (E_f'E_f)^-1.
    inverse = invert_lower(gram, effects)
    response_bar, head_bar = work[4], work[5]
    for k in range(effects):
        e_bar[:] = 0.0
        for l in range(effects):
            s = 0.0
            for i in range(max(k, l), effects):
                s += inverse[k, i] * inverse[l, i]
            axpy(s, e[l], e_bar)
        if k < q:
            z_bar[:p] = 0.0
            prewhiten_head_adjoint(stages, scale, z[k], e[k], e_bar, z_bar, stages_bar, scale_bar)
            for i in range(k, min(p, n)):
                head_bar[i - k] += z_bar[i]
            e_bar[:p] = 0.0
            axpy(1.0, e_bar[k:], response_bar[:n - k])
        else:
            copy(e_bar[p:], body[p:])
            multiply_ar_adjoint(phi, z[k], body, z_bar, phi_bar)
            prewhiten_head_adjoint(stages, scale, z[k], e[k], e_bar, z_bar, stages_bar, scale_bar)
            divide_ma_adjoint(theta, z[k], z_bar, theta_bar)
    if q > 0:
        multiply_ar_adjoint(phi, z[0], response_bar, z_bar, phi_bar)
        axpy(1.0, head_bar, z_bar)
        divide_ma_adjoint(theta, z[0], z_bar, theta_bar)
    s = 0.0
    for i in range(p):
        s += scale_bar[i] - (1.0 if i < n else 0.0)
        r_bar[i] -= s * r[i] / (1.0 - r[i] * r[i])
    return f


@compiled
def objective(x, shape, natural, columns, gaps, beta, gradient):
    """Concentrated negative log-likelihood at `x` = (ar, ma, seasonal ar, seasonal ma), without its constant.

    `shape` is (p, q, P, Q, season). With `natural` x holds the coefficients themselves, otherwise angles whose
    sines are the partial autocorrelations: every x is then stationary and invertible, the boundary is an ordinary
    point (the likelihood is symmetric about it), and an optimum there is reached, not only approached.
    `gradient` (x.size,) is set; an empty one is not worked out.
    """
    p, q, sp, sq, season = shape
    want = gradient.size > 0
    sizes = (p, q, sp, sq)
    widest = max(p, q, sp, sq, 1)
    degree, ma_degree = p + sp * season, q + sq * season
    blocks = np.zeros((4, 4, widest))
    r, factor, bar, r_bar = blocks[0], blocks[1], blocks[2], blocks[3]
    tables = np.zeros((4, widest, widest))
    polynomials = np.zeros((4, max(degree, ma_degree)))
    phi, theta = polynomials[0, :degree], polynomials[1, :ma_degree]
    phi_bar, theta_bar = polynomials[2, :degree], polynomials[3, :ma_degree]
    at = 0
    for b in range(4):
        for i in range(sizes[b]):
            if natural:
                factor[b, i] = x[at + i] if b % 2 == 0 else -x[at + i]
            else:
                r[b, i] = np.sin(x[at + i]) * (AR_EDGE if b % 2 == 0 else 1.0)
        if not natural and sizes[b] > 0:
            levinson(r[b, :sizes[b]], tables[b])
            copy(tables[b, sizes[b] - 1], factor[b])
        at += sizes[b]
    multiply(factor[0, :p], factor[2, :sp], season, phi)
    multiply(factor[1, :q], factor[3, :sq], season, theta)
    for j in range(ma_degree):
        theta[j] = -theta[j]
    # The angles give the stages directly; coefficients and products of factors must be stepped down.
    stepped = natural or sp > 0
    if stepped:
        partial, partial_bar = np.zeros(degree), np.zeros(degree)
        stages = np.zeros((degree, degree))
        step_down(phi, stages, partial)
    else:
        partial, partial_bar, stages = r[0, :p], r_bar[0, :p], tables[0]
    stages_bar = np.zeros(stages.shape)
    f = concentrated(phi, partial, stages, theta, columns, gaps, beta, want,
                     phi_bar, partial_bar, stages_bar, theta_bar)
    if not want or not f < np.inf:
        return f
    for j in range(degree):
        stages_bar[degree - 1, j] += phi_bar[j]
    if stepped and degree > 0:
        step_down_adjoint(partial, stages, stages_bar, partial_bar)
        multiply_adjoint(factor[0, :p], factor[2, :sp], season, stages_bar[degree - 1], bar[0], bar[2])
    for j in range(ma_degree):
        theta_bar[j] = -theta_bar[j]
    multiply_adjoint(factor[1, :q], factor[3, :sq], season, theta_bar, bar[1], bar[3])
    at = 0
    for b in range(4):
        k = sizes[b]
        if not natural and k > 0:
            if b > 0 or stepped:
                stages_bar = np.zeros((k, k))
                copy(bar[b, :k], stages_bar[k - 1])
            levinson_adjoint(r[b, :k], tables[b], stages_bar, r_bar[b])
        for i in range(k):
            if natural:
                gradient[at + i] = bar[b, i] if b % 2 == 0 else -bar[b, i]
            else:
                gradient[at + i] = r_bar[b, i] * np.cos(x[at + i]) * (AR_EDGE if b % 2 == 0 else 1.0)
        at += k
    return f


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
