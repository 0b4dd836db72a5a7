"""One fitted (seasonal) ARIMA: equation, roots, standard errors, residual tests, forecast, simulation, profiles.

``y_t = x_t' beta + n_t`` with ``phi(B) Phi(B^s) (1 - B)^d (1 - B^s)^D n_t = theta(B) Theta(B^s) a_t``, ``phi(B) =
1 - ar1 B - ...``, ``theta(B) = 1 + ma1 B + ...`` (the signs of R and statsmodels) and ``a_t`` independent normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtr, ndtri
from scipy.stats import jarque_bera

from ..display import describe
from ..errors import SeriesError
from ..monthly import checked_count, checked_levels
from ..wording import t as words
from .levels import Design, check_order, designs, filter_columns, future_index, name_of, state_space
from .likelihood import expanded, natural, objective
from .search import Optimum, climb_grid

LABELS = {"aic": "AIC", "aicc": "AICc", "bic": "BIC", "hqic": "HQIC"}
CRITERIA = tuple(LABELS)
ON_CIRCLE = 1.0005  # a root nearer than this has no regular information, hence no standard error


def penalty(criterion: str, k, n: int):
    """What a criterion adds to -2 loglik for `k` parameters and `n` values; AICc infinite where undefined.

    AICc is AIC corrected for short series (Hurvich & Tsai 1989, Biometrika 76).
    """
    if criterion == "aicc":
        spare = n - k - 1
        return np.where(spare > 0, 2 * k * n / np.where(spare > 0, spare, 1), np.inf)
    return {"aic": 2.0, "bic": np.log(n), "hqic": 2 * np.log(np.log(n))}[criterion] * k


@dataclass(frozen=True, eq=False)
class ARMA:
    """A fitted model. Made by `fit_arma`, or by `select_order` as ``.best`` and ``.fit(p, q)``.

    Attributes
    ----------
    order : (p, d, q)
    seasonal_order : (P, D, Q, s)
    nobs : int
        Values the likelihood is of.
    loglik, sigma2 : float
        Exact, at the maximum; of the differenced series, so comparable within one d and D only.
    params, std_errors : Series
        ``ar1.., ma1.., sar1.., sma1.., mean`` or ``intercept, slope`` or ``drift``, and the regressors by name.
    """

    design: Design = field(repr=False)
    order: tuple[int, int, int]
    seasonal_order: tuple[int, int, int, int]
    optimum: Optimum = field(repr=False)

    @property
    def y(self) -> pd.Series:
        """The series (T,), from its first value on."""
        return self.design.y

    @property
    def nobs(self) -> int:
        return self.design.nobs

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(p, q, P, Q, season), as the likelihood wants it."""
        (p, _, q), (sp, _, sq, season) = self.order, self.seasonal_order
        return p, q, sp, sq, season

    @cached_property
    def _coefficients(self) -> np.ndarray:
        return natural(self.optimum.angles, self.shape)

    @cached_property
    def _beta(self) -> np.ndarray:
        return self._concentrated(self._coefficients)[0]

    def _concentrated(self, coefficients) -> tuple[np.ndarray, float, float]:
        """Return beta, sigma2 and the negative log-likelihood (scaled) at given ARMA coefficients."""
        d = self.design
        out = np.empty(len(d.columns) - d.gaps)
        f = objective(np.asarray(coefficients, dtype=float), self.shape, True, d.columns, d.gaps, out, np.empty(0))
        return d.offset + d.scale * (d.back @ out[:-1]), float(out[-1]) * d.scale**2, f

    @cached_property
    def params(self) -> pd.Series:
        p, q, sp, sq, _ = self.shape
        names = [f"{name}{i + 1}" for name, n in (("ar", p), ("ma", q), ("sar", sp), ("sma", sq)) for i in range(n)]
        return pd.Series(np.r_[self._coefficients, self._beta], index=[*names, *self.design.x.columns], name="estimate")

    @cached_property
    def sigma2(self) -> float:
        return self._concentrated(self._coefficients)[1]

    @cached_property
    def loglik(self) -> float:
        return self.design.loglik(self.optimum.value)

    @property
    def k(self) -> int:
        """Number of estimated parameters, sigma2 among them."""
        return sum(self.shape[:4]) + self.design.x.shape[1] + 1

    def criterion(self, name: str) -> float:
        """The value of ``aic``, ``aicc``, ``bic`` or ``hqic``."""
        return float(penalty(name, self.k, self.nobs) - 2 * self.loglik)

    @cached_property
    def ar_polynomial(self) -> np.ndarray:
        """phi_1 .. of the stationary part, seasonal factor multiplied in."""
        return expanded(self._coefficients, self.shape)[0]

    @cached_property
    def ma_polynomial(self) -> np.ndarray:
        """theta_1 .., seasonal factor multiplied in."""
        return expanded(self._coefficients, self.shape)[1]

    @cached_property
    def delta(self) -> np.ndarray:
        """y_t = sum delta_j y_(t-j) + w_t, w the differenced series."""
        poly = np.ones(1)
        for lag in [1] * self.order[1] + [self.seasonal_order[3]] * self.seasonal_order[1]:
            poly = np.convolve(poly, np.r_[1.0, np.zeros(lag - 1), -1.0])
        return -poly[1:]

    def roots(self) -> pd.DataFrame:
        """Inverse roots, largest first: ``part`` (ar, ma), ``real, imag, modulus, period`` in months."""
        out = []
        for part, c in (("ar", -self.ar_polynomial), ("ma", self.ma_polynomial)):
            z = np.roots(np.r_[1.0, c]) if len(c) else np.zeros(0)
            for v in sorted(z, key=lambda v: (-round(abs(v), 9), round(v.real, 9), v.imag)):
                angle = abs(np.angle(v))
                out.append((part, v.real, v.imag, abs(v), 2 * np.pi / angle if angle > 1e-9 else np.inf))
        return pd.DataFrame(out, columns=["part", "real", "imag", "modulus", "period"])

    @cached_property
    def _covariance(self) -> tuple[np.ndarray, str]:
        """Inverse observed information, and why it is not to be had where it is NaN.

        The log-likelihood is concentrated in beta and sigma2, so the block of the ARMA coefficients is the inverse of
        its Hessian (differences of the analytic gradient); beta adds its own GLS variance.
        """
        c, n = self._coefficients, len(self.params)
        k, nan = len(c), np.full((n, n), np.nan)
        modulus = self.roots()["modulus"].max() if k else 0.0
        if modulus > 1 / ON_CIRCLE:
            return nan, "boundary"
        d, hessian, jacobian = self.design, np.empty((k, k)), np.empty((n - k, k))
        out, gradient = np.empty(len(d.columns) - d.gaps), np.empty((2, k))
        h = 1e-5
        for i in range(k):
            beta = []
            for side in (0, 1):
                x = c.copy()
                x[i] += h if side == 0 else -h
                if not np.isfinite(objective(x, self.shape, True, d.columns, d.gaps, out, gradient[side])):
                    return nan, "boundary"
                beta.append(d.scale * (d.back @ out[:-1]))
            hessian[i] = (gradient[0] - gradient[1]) / (2 * h)
            jacobian[:, i] = (beta[0] - beta[1]) / (2 * h)
        hessian = 0.5 * (hessian + hessian.T)
        if k and np.linalg.eigvalsh(hessian).min() <= 1e-8 * self.nobs:
            return nan, "flat"
        arma = np.linalg.inv(hessian)
        cross = jacobian @ arma
        v, f, _, _ = self._filtered
        white = (v[1:] / np.sqrt(f))[:, np.isfinite(f)]
        gls = self.sigma2 * np.linalg.inv(white @ white.T)
        return np.block([[arma, cross.T], [cross, gls + cross @ jacobian.T]]), ""

    @cached_property
    def space(self) -> tuple[np.ndarray, ...]:
        """Its state space, as of `levels.state_space`."""
        return state_space(self.ar_polynomial, self.ma_polynomial, self.delta)

    @cached_property
    def _filtered(self):
        """Innovations, their variances, last state and its covariance: of y - x beta and of every column of x."""
        d, lost = self.design, len(self.delta)
        missing, x = d.y.isna().to_numpy(), d.x.to_numpy()
        y = self._smoothed() if missing[:lost].any() else d.y.to_numpy()
        columns = np.vstack([(y - x @ self._beta)[None], x.T])
        return filter_columns(*self.space, columns, missing, lost)

    def _smoothed(self) -> np.ndarray:
        """y with every missing month at its expectation given all the others: a gap estimated as a regressor."""
        d = self.design
        out = np.empty(len(d.columns))
        objective(self._coefficients, self.shape, True, d.columns, 0, out, np.empty(0))
        y = d.y.interpolate(limit_direction="both").to_numpy(copy=True)
        y[d.y.isna().to_numpy()] -= d.scale * out[:d.gaps]
        return y

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors from the observed information; NaN where `std_errors_note` says why."""
        with np.errstate(invalid="ignore"):
            return pd.Series(np.sqrt(np.diag(self._covariance[0])), index=self.params.index, name="std_error")

    def std_errors_note(self, lang: str | None = None) -> str:
        """Why there are no standard errors; empty where there are."""
        return words(f"arma.se_{self._covariance[1]}", lang) if self._covariance[1] else ""

    @cached_property
    def resid(self) -> pd.Series:
        """Innovations in units of y: one-step errors over sqrt(F); NaN where differencing or a gap leaves none."""
        v, f, _, _ = self._filtered
        return pd.Series(v[0] / np.sqrt(f), index=self.y.index, name="resid")

    def tests(self, lang: str | None = None) -> pd.DataFrame:
        """Tests of the residuals, each with its null.

        Returns
        -------
        DataFrame
            ``test, null, lag, df, statistic, p_value, rejects`` (at 5%; NA where the test cannot be done).
        """
        out = pd.DataFrame(residual_tests(self), columns=["test", "null", "lag", "df", "statistic", "p_value"])
        out["null"] = [words(f"arma.null_{null}", lang) for null in out["null"]]
        out["rejects"] = (out["p_value"] < 0.05).astype("boolean").mask(out["p_value"].isna())
        return out

    def ahead(self, horizon: int, exog=None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (horizon,) of the months after the sample.

        The variance is the residual sum of squares over the degrees of freedom left, as R's forecast package has it.
        """
        (transition, disturbance, observe, _), (_, _, (a, *_), p) = self.space, self._filtered
        mean, variance = np.empty(horizon), np.empty(horizon)
        for h in range(horizon):
            mean[h], variance[h] = observe @ a, observe @ p @ observe
            a, p = transition @ a, transition @ p @ transition.T + np.outer(disturbance, disturbance)
        spare = self.nobs - self.k + 1
        return mean + self.design.future(horizon, exog) @ self._beta, np.sqrt(
            self.sigma2 * (self.nobs / spare if spare > 0 else 1.0) * variance)

    def forecast(self, horizon: int = 12, level=(80, 95), exog=None) -> pd.DataFrame:
        """Mean and exact Gaussian limits of the months after the sample, see :meth:`ahead`.

        Parameters
        ----------
        horizon : int
        level : number or sequence of numbers
            Per cent.
        exog : DataFrame (horizon, m), optional
            The months ahead of the regressors that the model was fitted with.

        Returns
        -------
        DataFrame
            ``y_hat, lo-80, hi-80, lo-95, hi-95``, one row a month.
        """
        mean, se = self.ahead(checked_count(horizon, "horizon", 600), exog)
        out = {"y_hat": mean}
        for lv in checked_levels(level):
            z = ndtri(0.5 + lv / 200)
            out[f"lo-{lv:g}"], out[f"hi-{lv:g}"] = mean - z * se, mean + z * se
        return pd.DataFrame(out, index=future_index(self.y.index, horizon))

    def tidy(self, lang: str | None = None) -> pd.DataFrame:
        """One row a parameter: ``term, estimate, std_error, statistic, p_value``; ``note`` where errors are absent."""
        z = (self.params / self.std_errors).to_numpy()
        note = self.std_errors_note(lang)
        return describe(pd.DataFrame({"term": self.params.index, "estimate": self.params.to_numpy(),
                                      "std_error": self.std_errors.to_numpy(), "statistic": z,
                                      "p_value": 2 * ndtr(-np.abs(z))} | ({"note": note} if note else {})))

    def name(self) -> str:
        """``ARIMA(p,d,q)(P,D,Q)[s]``."""
        return name_of(self.order, self.seasonal_order)

    def _repr_latex_(self) -> str:
        ar, ma, sar, sma = np.split(self._coefficients, np.cumsum(self.shape[:3]))
        season = self.shape[4]

        def factor(c, sign, lag):
            powers = ("B" if lag * i == 1 else f"B^{{{lag * i}}}" for i in range(1, len(c) + 1))
            terms = "".join(f" {'+' if sign * v >= 0 else '-'} {abs(v):.3f}{b}" for v, b in zip(c, powers))
            return f"(1{terms})" if len(c) else ""

        differences = ("(1-B)" + (f"^{self.order[1]}" if self.order[1] > 1 else "")) * bool(self.order[1])
        differences += f"(1-B^{{{season}}})" * self.seasonal_order[1]
        x = "".join(f" {'-' if v >= 0 else '+'} {abs(v):.4g}" + ("" if name in ("mean", "intercept") else
                    r"\,t" if name in ("slope", "drift") else rf"\,\mathrm{{{name.replace('_', ' ')}}}_t")
                    for name, v in zip(self.design.x.columns, self._beta))
        left = factor(ar, -1, 1) + factor(sar, -1, season) + differences + (f"(y_t{x})" if x else " y_t")
        right = (factor(ma, 1, 1) + factor(sma, 1, season) + r"\,a_t").removeprefix(r"\,")
        return rf"${left} = {right},\quad a_t \sim N(0,\ {self.sigma2:.4g})$"


def default_lag(n: int, fitted: int, season: int = 1) -> int:
    """Hyndman's rule: min(10, n / 5), or two seasons, and at least three more than the fitted coefficients."""
    return min(max(min(2 * season if season > 1 else 10, n // 5), fitted + 3), n - 2)


def arch_lm(e: np.ndarray, lags: int) -> tuple[float, float]:
    """Engle's (1982) LM test, n R^2 of the squares on their own lags, and its p value."""
    z = e**2
    x = np.column_stack([np.ones(z.size - lags), *(z[lags - k:z.size - k] for k in range(1, lags + 1))])
    y = z[lags:]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    total = np.sum((y - y.mean()) ** 2)
    statistic = float(y.size * (1 - rest @ rest / total)) if total > 0 else 0.0
    return statistic, float(chdtrc(lags, statistic))


def residual_tests(model: ARMA) -> list[tuple[str, str, int, int, float, float]]:
    """Return test, null, lags, degrees of freedom, statistic and p value of each test, NaN where it cannot be done."""
    from statsmodels.stats.diagnostic import acorr_ljungbox  # slow to import, and used here only

    e, fitted = model.resid.dropna().to_numpy(), sum(model.shape[:4])
    lag, arch = default_lag(e.size, fitted, model.seasonal_order[3]), min(4, (e.size - 4) // 4) if e.size >= 8 else 0
    none, varies = (np.nan, np.nan), model.design.scale > 0
    return [("Ljung-Box", "white", lag, max(lag - fitted, 0), *(
                acorr_ljungbox(e, [lag], model_df=fitted).iloc[0] if varies and 0 < lag < e.size else none)),
            ("Jarque-Bera", "normal", 0, 2, *(jarque_bera(e) if varies else none)),
            ("ARCH-LM", "arch", arch, arch, *(arch_lm(e, arch) if varies and arch else none))]


def fit_arma(y, order, seasonal=None, exog=None, trend: str = "auto") -> ARMA:
    """Fit one ARIMA(p, d, q)(P, D, Q)s by exact maximum likelihood.

    The optimum is approached through the smaller orders it contains.

    Parameters
    ----------
    y, exog
        As of `select_order`.
    order : (p, d, q)
    seasonal : (P, D, Q), optional
        Of a season of 12 months; (P, D, Q, s) of another.
    trend : {"auto", "n", "c", "ct"}
        As of `select_order`: "auto" keeps a drift, with one difference, where AICc is lower with it. R's ``arima`` and
        statsmodels have none then, which is "c".

    Raises
    ------
    SeriesError
        Bad data, a series too short for the order, or a straight line, which leaves an ARMA nothing.

    Examples
    --------
    Box and Jenkins' (1970) airline model takes a season of 12 months and no other coefficients:

    >>> t = np.arange(60)
    >>> y = 0.1 * t + np.sin(t * np.pi / 6) + 0.1 * np.random.default_rng(0).standard_normal(60)
    >>> list(fit_arma(y, (0, 1, 1), (0, 1, 1)).params.index)
    ['ma1', 'sma1']
    """
    (p, d, q), (sp, big_d, sq, season) = check_order(order, seasonal)
    shape, lost, fits = (p, q, sp, sq), d + big_d * season, []
    allowed = np.zeros(np.add(shape, 1), dtype=bool)
    low_p, low_q = (max(p - 3, 0), max(q - 3, 0)) if (p + 1) * (q + 1) > 36 else (0, 0)
    allowed[low_p:, low_q:, sp, sq] = True
    tried = designs(y, d, big_d, season, exog, trend)
    for design in tried:
        least = sum(shape) + design.x.shape[1] + 3
        if design.nobs < least:
            if design is tried[0]:
                raise SeriesError("the series is too short for this order", found=f"{design.nobs + lost} values",
                                  expected=f"at least {least + lost}")
            continue
        if design.scale == 0 and any(shape):
            raise SeriesError("nothing varies about the drift", found=f"order {tuple(order)}",
                              expected=f"{(0, d, 0)}, whose forecast goes on along the line")
        found = climb_grid(design.columns, design.gaps, allowed, season)
        fits.append(ARMA(design, (p, d, q), (sp, big_d, sq, season), found[shape]))
    return min(fits, key=lambda model: model.criterion("aicc"))
