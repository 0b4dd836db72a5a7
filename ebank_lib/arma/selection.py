"""The whole (p, q) grid, the criteria, the audit table."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import jarque_bera
from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch
from statsmodels.tsa.stattools import kpss

from ebank_lib.arma.model import ARMA, as_series, fit_arma

__all__ = ["OrderSelection", "select_order"]

NEAR_UNIT = 1.01
CRITERIA = ("aic", "aicc", "bic", "hqic")


def kpss_d(y: pd.Series, max_d: int = 2) -> int:
    """Smallest d whose difference KPSS (level, 5%) does not reject."""
    x = y.dropna()
    for d in range(max_d + 1):
        if x.size < 10 or x.nunique() < 3 or d == max_d:
            return d
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kpss(x, regression="c", nlags="auto")[1] > 0.05:
                return d
        x = x.diff().dropna()
    return max_d


def root_moduli(coef: np.ndarray) -> np.ndarray:
    """Moduli of the roots of 1 - sum coef_i z^i."""
    return np.abs(np.roots(np.r_[-np.asarray(coef)[::-1], 1.0])) if len(coef) else np.array([])


@dataclass(frozen=True)
class OrderSelection:
    """The grid of orders; see `select_order`."""

    table: pd.DataFrame = field(repr=False)
    order: tuple[int, int, int]
    best: ARMA = field(repr=False)
    criterion: str
    raw_order: tuple[int, int, int]

    def why(self, lang: str | None = None) -> str:
        """The choice in one or two plain sentences."""
        row = self.table.query("p == @self.order[0] and q == @self.order[2]").iloc[0]
        name = self.criterion.upper().replace("AICC", "AICc")
        p, d, q = self.order
        if lang == "en":
            text = f"ARIMA({p},{d},{q}) has the lowest {name} ({row[self.criterion]:.2f}) of the regular orders."
            if self.raw_order != self.order:
                text += " ARIMA({},{},{}) is lower, but its roots lie near the unit circle.".format(
                    *self.raw_order
                )
            return text
        text = f"ARIMA({p},{d},{q}) 在正则阶数中 {name} 最小（{row[self.criterion]:.2f}）。"
        if self.raw_order != self.order:
            text += "ARIMA({},{},{}) 的值更低，但其根靠近单位圆，故未采用。".format(*self.raw_order)
        return text

    def _repr_html_(self) -> str:
        return f"<p>{self.why()}</p>" + self.table.sort_values("rank").head(10).to_html(
            index=False, float_format="{:.4g}".format
        )


def select_order(
    y,
    max_p: int = 5,
    max_q: int = 5,
    d: int | None = None,
    criterion: str = "aicc",
    exog=None,
    mode: str = "fast",
    trend: str = "c",
    seasonal_order=None,
) -> OrderSelection:
    """Fit every ARMA(p, q) up to (max_p, max_q) on the d-th difference and choose one.

    Parameters
    ----------
    y : Series (T,)
    max_p, max_q : int
    d : int, optional
        Differencing; None lets a unit-root rule decide.
    criterion : {"aic", "aicc", "bic", "hqic"}
    exog : array (T, m), optional
    mode : {"fast", "thorough"}
    trend : {"n", "c", "ct"}
    seasonal_order : (P, D, Q, s), optional

    Returns
    -------
    OrderSelection
    """
    y = as_series(y)
    d = kpss_d(y) if d is None else d
    rows, fits = [], {}
    for p in range(max_p + 1):
        for q in range(max_q + 1):
            row = {"p": p, "d": d, "q": q, "reason": ""}
            try:
                fit = fit_arma(y, (p, d, q), seasonal_order, exog, trend)
            except (ValueError, np.linalg.LinAlgError) as err:
                rows.append(row | {"converged": False, "reason": str(err)})
                continue
            ar = root_moduli(fit.params.filter(regex=r"^ar\d").to_numpy())
            ma = root_moduli(-fit.params.filter(regex=r"^ma\d").to_numpy())
            e = fit.resid.dropna().to_numpy()[max(p, q):]
            lag = min(10, len(e) // 2)
            fits[p, q] = fit
            row |= {c: getattr(fit, c) for c in ("k", "loglik", "sigma2", *CRITERIA, "converged")}
            row |= {
                "min_ar_root": ar.min(initial=np.inf),
                "min_ma_root": ma.min(initial=np.inf),
                "near_unit": bool(min(ar.min(initial=9), ma.min(initial=9)) < NEAR_UNIT),
                "cancelling": False,
                "ljung_box_p": float(
                    acorr_ljungbox(e, [lag], model_df=min(p + q, lag - 1))["lb_pvalue"].iloc[0]
                ),
                "jarque_bera_p": float(jarque_bera(e).pvalue),
                "arch_p": float(het_arch(e, nlags=min(4, len(e) // 4))[1]),
            }
            rows.append(row)
    table = pd.DataFrame(rows)
    table["regular"] = table["converged"] & ~table["near_unit"].astype("boolean").fillna(True)
    value = table[criterion].where(np.isfinite(table["loglik"]))
    table["delta"] = value - value.min()
    weight = np.exp(-table["delta"] / 2)
    table["weight"] = weight / weight.sum()
    table["gradient_norm"], table["starts_agreeing"] = np.nan, 1
    table["rank"] = value.rank(method="first").astype("Int64")
    raw = table.loc[value.idxmin()]
    pool = value[table["regular"].astype(bool)]
    pick = table.loc[pool.idxmin()] if len(pool) else raw
    order = (int(pick.p), d, int(pick.q))
    return OrderSelection(
        table=table, order=order, best=fits[order[0], order[2]], criterion=criterion,
        raw_order=(int(raw.p), d, int(raw.q)),
    )
