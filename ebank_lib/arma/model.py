"""One fitted (seasonal) ARIMA: equation, roots, standard errors, residual tests, forecast, simulation, profiles.

``y_t = x_t' beta + n_t`` with ``phi(B) Phi(B^s) (1 - B)^d (1 - B^s)^D n_t = theta(B) Theta(B^s) a_t``, ``phi(B) =
1 - ar1 B - ...``, ``theta(B) = 1 + ma1 B + ...`` (the signs of R and statsmodels) and ``a_t`` independent normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ..errors import SeriesError, UnknownNameError
from ..wording import t as words
from .design import Design, check_order, prepare
from .diagnostics import residual_tests
from .inference import observed_covariance, profile_interval
from .kalman import filter_columns, state_space
from .likelihood import objective
from .outlook import forecast, simulate
from .polynomials import expanded, natural, series_quotient
from .search import MODES, Optimum, climb_grid

__all__ = ["ARMA", "fit_arma"]


@dataclass(frozen=True, eq=False)
class ARMA:
    """A fitted model. Made by `fit_arma`, or by `select_order` as ``.best`` and ``.fit(p, q)``.

    Attributes
    ----------
    order : (p, d, q)
    seasonal_order : (P, D, Q, s)
    trend : {"n", "c", "ct"}
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

    # --- parameters

    @property
    def y(self) -> pd.Series:
        """The series (T,), from its first value on."""
        return self.design.y

    @property
    def trend(self) -> str:
        return self.design.trend

    @property
    def nobs(self) -> int:
        return self.design.nobs

    @property
    def converged(self) -> bool:
        return self.optimum.converged

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

    @property
    def aic(self) -> float:
        return -2 * self.loglik + 2 * self.k

    @property
    def aicc(self) -> float:
        """AIC corrected for short series (Hurvich & Tsai 1989, Biometrika 76)."""
        spare = self.nobs - self.k - 1
        return -2 * self.loglik + 2 * self.k * self.nobs / spare if spare > 0 else np.inf

    @property
    def bic(self) -> float:
        return -2 * self.loglik + np.log(self.nobs) * self.k

    @property
    def hqic(self) -> float:
        return -2 * self.loglik + 2 * np.log(np.log(self.nobs)) * self.k

    # --- polynomials

    def _expanded(self, coefficients) -> tuple[np.ndarray, np.ndarray]:
        return expanded(np.asarray(coefficients, dtype=float), self.shape)

    @cached_property
    def ar_polynomial(self) -> np.ndarray:
        """phi_1 .. of the stationary part, seasonal factor multiplied in."""
        return self._expanded(self._coefficients)[0]

    @cached_property
    def ma_polynomial(self) -> np.ndarray:
        """theta_1 .., seasonal factor multiplied in."""
        return self._expanded(self._coefficients)[1]

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

    def psi_weights(self, n: int = 24) -> np.ndarray:
        """Weights of the last n shocks in y (n,), psi_0 = 1; differencing included."""
        full = -np.convolve(np.r_[1.0, -self.ar_polynomial], np.r_[1.0, -self.delta])[1:]
        return series_quotient(self.ma_polynomial, full, n)

    def pi_weights(self, n: int = 24) -> np.ndarray:
        """Weights pi (n,), pi_0 = 1, of a_t = sum pi_j y_(t-j)."""
        full = np.convolve(np.r_[1.0, -self.ar_polynomial], np.r_[1.0, -self.delta])[1:]
        return series_quotient(full, -self.ma_polynomial, n)

    def spectrum(self, n: int = 256) -> pd.Series:
        """Spectral density of the differenced series at n frequencies, in cycles a month from 0 to 0.5."""
        frequency = np.linspace(0.0, 0.5, n)
        b = np.exp(-2j * np.pi * np.outer(frequency, np.arange(1, 1 + max(len(self.ar_polynomial),
                                                                         len(self.ma_polynomial), 1))))
        top = np.abs(1 + b[:, :len(self.ma_polynomial)] @ self.ma_polynomial) ** 2
        bottom = np.abs(1 - b[:, :len(self.ar_polynomial)] @ self.ar_polynomial) ** 2
        return pd.Series(self.sigma2 / (2 * np.pi) * top / bottom, index=pd.Index(frequency, name="frequency"),
                         name="spectrum")

    # --- uncertainty of the parameters

    @cached_property
    def _covariance(self) -> tuple[np.ndarray, str]:
        return observed_covariance(self)

    @cached_property
    def _filtered(self):
        """Innovations, their variances, last state and its covariance: of y - x beta and of every regressor."""
        return self._filter(self._coefficients, self._beta)

    def _filter(self, coefficients, beta):
        d = self.design
        phi, theta = self._expanded(coefficients)
        missing = d.y.isna().to_numpy()
        level = d.y.to_numpy() - d.x.to_numpy() @ beta
        lost = len(self.delta)
        if missing[:lost].any():
            level = np.where(missing, self._smoothed(coefficients) - d.x.to_numpy() @ beta, level)
        columns = np.vstack([level[None], d.x.to_numpy().T])
        return filter_columns(*state_space(phi, theta, self.delta), columns, missing, lost)

    def _smoothed(self, coefficients) -> np.ndarray:
        """y with every missing month at its expectation given all the others: a gap estimated as a regressor."""
        d = self.design
        out = np.empty(len(d.columns))
        objective(np.asarray(coefficients), self.shape, True, d.columns, 0, out, np.empty(0))
        y = d.y.interpolate(limit_direction="both").to_numpy(copy=True)
        y[d.y.isna().to_numpy()] -= d.scale * out[:d.gaps]
        return y

    def smoothed(self) -> pd.Series:
        """y with its missing months replaced by their expectation given all observed ones."""
        return pd.Series(self._smoothed(self._coefficients), index=self.y.index, name=self.y.name)

    @cached_property
    def _gls_covariance(self) -> np.ndarray:
        v, f, _, _ = self._filtered
        white = (v[1:] / np.sqrt(f))[:, np.isfinite(f)]
        return self.sigma2 * np.linalg.inv(white @ white.T) if len(white) else np.zeros((0, 0))

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors from the observed information; NaN where `std_errors_note` says why."""
        with np.errstate(invalid="ignore"):
            return pd.Series(np.sqrt(np.diag(self._covariance[0])), index=self.params.index, name="std_error")

    def std_errors_note(self, lang: str | None = None) -> str:
        """Why there are no standard errors; empty where there are."""
        return words(f"arma.se_{self._covariance[1]}", lang) if self._covariance[1] else ""

    def covariance(self) -> pd.DataFrame:
        """Covariance of the estimates, inverse of the observed information."""
        return pd.DataFrame(self._covariance[0], index=self.params.index, columns=self.params.index)

    def profile(self, term: str, level: float = 95) -> pd.Series:
        """Interval of one parameter from its profile likelihood, beside the Wald one.

        Every value is kept whose best likelihood, all else refitted, is within chi-square reach of the maximum. On
        short series and near the boundary this covers better than the estimate plus and minus standard errors.

        Returns
        -------
        Series
            ``estimate, lower, upper, wald_lower, wald_upper``; an infinite limit where the profile stays flat.
        """
        return profile_interval(self, term, level)

    # --- residuals

    @cached_property
    def resid(self) -> pd.Series:
        """Innovations in units of y: one-step errors over sqrt(F); NaN where differencing or a gap leaves none."""
        v, f, _, _ = self._filtered
        return pd.Series(v[0] / np.sqrt(f), index=self.y.index, name="resid")

    def tests(self, lags=None, lang: str | None = None) -> pd.DataFrame:
        """Residual tests with their nulls; see `diagnostics.residual_tests`."""
        return residual_tests(self.resid.dropna().to_numpy(), sum(self.shape[:4]), self.seasonal_order[3], lags, lang)

    # --- what comes next

    def forecast(self, horizon: int = 12, level=(80, 95), exog=None, parameters: bool = False,
                 sigma2: str = "df") -> pd.DataFrame:
        """Mean and exact Gaussian limits of the months after the sample.

        Parameters
        ----------
        horizon : int
        level : number or sequence of numbers
            Per cent.
        exog : (horizon, m), optional
            The future of the regressors the model was fitted with.
        parameters : bool
            Widen the limits by the uncertainty of the estimates (delta method and GLS).
        sigma2 : {"df", "ml"}
            Residual sum of squares over the degrees of freedom left, as R's forecast package has it, or over n.

        Returns
        -------
        DataFrame
            ``y_hat, lo-80, hi-80, lo-95, hi-95``, one row a month.
        """
        return forecast(self, horizon, level, exog, parameters, sigma2)

    def simulate(self, n: int = 1000, horizon: int = 12, seed: int = 0, exog=None,
                 innovations: str = "normal") -> pd.DataFrame:
        """`n` paths that continue the sample.

        Parameters
        ----------
        innovations : {"normal", "resampled"}
            Gaussian, or drawn from the model's own residuals (centred, scaled to its variance).

        Returns
        -------
        DataFrame (horizon, n)
            Rows are months, columns are paths. The same seed gives the same paths.
        """
        return simulate(self, n, horizon, seed, exog, innovations)

    # --- tables and hand-over

    def tidy(self) -> pd.DataFrame:
        """One row a parameter: ``term, estimate, std_error, statistic, p_value``."""
        z = (self.params / self.std_errors).to_numpy()
        return pd.DataFrame({"term": self.params.index, "estimate": self.params.to_numpy(),
                             "std_error": self.std_errors.to_numpy(), "statistic": z,
                             "p_value": 2 * ndtr(-np.abs(z))})

    def glance(self) -> pd.DataFrame:
        """One row about the whole model."""
        keys = ("nobs", "k", "loglik", "sigma2", "aic", "aicc", "bic", "hqic", "converged")
        return pd.DataFrame({key: [getattr(self, key)] for key in keys})

    def augment(self) -> pd.DataFrame:
        """One row a month: ``y, fitted, resid``; `fitted` is the one-step forecast."""
        return pd.DataFrame({"y": self.y, "fitted": self.y - self._filtered[0][0], "resid": self.resid})

    def to_statsmodels(self):
        """The same parameters as a smoothed statsmodels SARIMAX result, for whatever is not here.

        Its ``llf`` is ours without differencing; with it, its exact diffuse likelihood counts otherwise.
        """
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        d, (sp, big_d, sq, season) = self.design, self.seasonal_order
        seasonal = (sp, big_d, sq, season if season > 1 else 0)
        model = SARIMAX(d.y, exog=d.x if d.x.shape[1] else None, order=self.order, seasonal_order=seasonal,
                        trend="n", use_exact_diffuse=bool(d.d + d.big_d))
        return model.smooth(np.r_[self._beta, self._coefficients, self.sigma2])

    def name(self) -> str:
        """``ARIMA(p,d,q)(P,D,Q)[s]``."""
        text = "ARIMA({},{},{})".format(*self.order)
        return text + ("({},{},{})[{}]".format(*self.seasonal_order) if self.seasonal_order[3] > 1 else "")

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


def fit_arma(y, order, seasonal_order=None, exog=None, trend: str = "c", mode: str = "fast", seed: int = 0) -> ARMA:
    """Fit one ARIMA(p, d, q)(P, D, Q)s by exact maximum likelihood.

    The optimum is approached through the smaller orders it contains, as in `select_order`.

    Parameters
    ----------
    y : Series (T,)
        Monthly PeriodIndex; a RangeIndex, a DatetimeIndex with a frequency or an array will do. NaN where missing.
    order : (p, d, q)
        p, q up to 12, d up to 2.
    seasonal_order : (P, D, Q, s), optional
        P, Q up to 2, D up to 1.
    exog : (T, m), optional
        Regressors in levels; differenced along with y.
    trend : {"n", "c", "ct"}
        Polynomial in the *level* of y; what differencing removes is left out, so "c" is a mean for d = D = 0 and
        nothing otherwise, and "ct" is a drift once differenced.
    mode : {"fast", "thorough"}
        "thorough" adds random starts, drawn with `seed`.

    Raises
    ------
    SeriesError
        Bad data or an order the series is too short for; the message says what was found and what is needed.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = pd.Series(rng.normal(100, 5, 44), index=pd.period_range("2008-01", periods=44, freq="M"))
    >>> fit_arma(y, (1, 0, 0)).params.round(2)
    ar1     0.09
    mean   99.68
    Name: estimate, dtype: float64
    """
    (p, d, q), (sp, big_d, sq, season) = check_order(order, seasonal_order)
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    design = prepare(y, d, big_d, season, exog, trend)
    least = p + q + sp + sq + design.x.shape[1] + 3
    if design.nobs < least:
        lost = d + big_d * season
        raise SeriesError("the series is too short for this order", found=f"{design.nobs + lost} values",
                          expected=f"at least {least + lost}")
    allowed = np.ones((p + 1, q + 1), dtype=bool)
    if allowed.size > 36:
        allowed[:max(p - 3, 0)], allowed[:, :max(q - 3, 0)] = False, False
    found = climb_grid(design.columns, design.gaps, allowed, (sp, sq, season), MODES[mode], seed)
    return ARMA(design, (p, d, q), (sp, big_d, sq, season), found[p, q])
