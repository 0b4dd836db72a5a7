"""What the residuals of a fitted model say: tests, each with its null."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from ..wording import t

__all__ = ["arch_lm", "autocorrelations", "default_lag", "jarque_bera", "ljung_box", "residual_tests"]


def autocorrelations(e: np.ndarray, lags: int) -> np.ndarray:
    """Sample autocorrelations (lags,) of e (n,) about its mean, at lags 1, 2, ..."""
    x = e - e.mean()
    return np.array([x[k:] @ x[:-k] for k in range(1, lags + 1)]) / (x @ x)


def default_lag(n: int, fitted: int, season: int = 1) -> int:
    """Hyndman's rule: min(10, n / 5), or two seasons, and at least three more than the fitted coefficients."""
    return min(max(min(2 * season if season > 1 else 10, n // 5), fitted + 3), n - 2)


def ljung_box(e: np.ndarray, lags: int, fitted: int = 0) -> tuple[float, int]:
    """Ljung & Box (1978, Biometrika 65) statistic and its degrees of freedom, `lags` less `fitted`."""
    r, n = autocorrelations(e, lags), e.size
    return float(n * (n + 2) * np.sum(r**2 / (n - np.arange(1, lags + 1)))), lags - fitted


def jarque_bera(e: np.ndarray) -> tuple[float, int]:
    """Jarque & Bera (1980) statistic, 2 degrees of freedom."""
    x = e - e.mean()
    s2 = np.mean(x**2)
    return float(x.size / 6 * (np.mean(x**3) ** 2 / s2**3 + (np.mean(x**4) / s2**2 - 3) ** 2 / 4)), 2


def arch_lm(e: np.ndarray, lags: int) -> tuple[float, int]:
    """Engle's (1982) LM test: n R^2 of the squares on their own lags."""
    z = e**2
    x = np.column_stack([np.ones(z.size - lags), *(z[lags - k:z.size - k] for k in range(1, lags + 1))])
    y = z[lags:]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    total = np.sum((y - y.mean()) ** 2)
    return float(y.size * (1 - rest @ rest / total)) if total > 0 else 0.0, lags


def tail(statistic, df):
    """p values; NaN without a degree of freedom."""
    df = np.asarray(df, dtype=float)
    return np.where(df > 0, chdtrc(np.maximum(df, 1), np.asarray(statistic, dtype=float)), np.nan)


def residual_tests(e: np.ndarray, fitted: int, season: int = 1, lags=None, lang: str | None = None) -> pd.DataFrame:
    """Tests of the residuals e (n,) of a model with `fitted` ARMA coefficients.

    Returns
    -------
    DataFrame
        ``test, null, lag, df, statistic, p_value, rejects`` (at 5%; NA where the test cannot be done).
    """
    n = e.size
    rows = []
    for lag in np.atleast_1d(default_lag(n, fitted, season) if lags is None else lags):
        value, df = ljung_box(e, int(lag), fitted) if 0 < lag < n else (np.nan, 0)
        rows.append(("Ljung-Box", t("arma.null_white", lang), int(lag), df, value))
    rows.append(("Jarque-Bera", t("arma.null_normal", lang), 0, *jarque_bera(e)[::-1]))
    lag = arch_lag(n)
    value, df = arch_lm(e, lag) if lag else (np.nan, 0)
    rows.append(("ARCH-LM", t("arma.null_arch", lang), lag, df, value))
    out = pd.DataFrame(rows, columns=["test", "null", "lag", "df", "statistic"])
    out["p_value"] = tail(out["statistic"], out["df"])
    out["rejects"] = (out["p_value"] < 0.05).astype("boolean").mask(out["p_value"].isna())
    return out


def arch_lag(n: int) -> int:
    """Lags of the ARCH test that n residuals can bear; 0 where none."""
    return min(4, (n - 4) // 4) if n >= 8 else 0
