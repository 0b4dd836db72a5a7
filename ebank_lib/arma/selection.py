"""The whole (p, q) grid fitted as one, the criteria, the audit table, and how sure the choice is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ..display import html_table
from ..errors import SeriesError, UnknownNameError
from ..stationarity import choose_d
from ..wording import t
from .design import Design, as_series, check_order, prepare
from .diagnostics import arch_lag, arch_lm, default_lag, jarque_bera, ljung_box, tail
from .kalman import state_space
from .model import ARMA
from .search import MODES, Optimum, climb_grid

__all__ = ["CRITERIA", "NEAR_UNIT", "OrderSelection", "combine", "select_order"]

CRITERIA = ("aic", "aicc", "bic", "hqic")
NEAR_UNIT = 1 / 1.01  # inverse roots beyond this modulus make an order irregular, as in R's auto.arima
CANCELLING = 0.05  # an inverse AR and an inverse MA root nearer than this nearly cancel
CLOSE = 2.0  # orders within this of the chosen one are as good (Burnham & Anderson 2002)
LABELS = {"aic": "AIC", "aicc": "AICc", "bic": "BIC", "hqic": "HQIC"}


@dataclass(frozen=True, eq=False)
class OrderSelection:
    """The grid of orders of one series, and the choice; made by `select_order`.

    Attributes
    ----------
    order : (p, d, q)
        The chosen one: lowest criterion among the regular orders.
    raw_order : (p, d, q)
        What the criterion alone would have chosen.
    criterion : str
    best : ARMA
        The chosen model.
    table : DataFrame
        One row an order: ``p, d, q, k, loglik, sigma2, aic, aicc, bic, hqic, delta, weight, converged, gradient_norm,
        starts, starts_agreeing, min_ar_root, min_ma_root, cancelling, near_unit, ljung_box_p, jarque_bera_p, arch_p,
        regular, rank, reason``. `delta`, `weight` (Akaike) and `rank` are by the criterion over all fitted rows;
        roots are moduli, above 1; `reason` says why an order was not fitted.
    """

    design: Design = field(repr=False)
    order: tuple[int, int, int]
    raw_order: tuple[int, int, int]
    seasonal_order: tuple[int, int, int, int]
    criterion: str
    mode: str
    _core: pd.DataFrame = field(repr=False)
    _optima: dict[tuple[int, int], Optimum] = field(repr=False)

    def fit(self, p: int, q: int) -> ARMA:
        """Return the fitted model of any order of the grid."""
        if (p, q) not in self._optima:
            raise UnknownNameError("order", f"({p}, {q})", [f"({i}, {j})" for i, j in self._optima])
        return ARMA(self.design, (p, self.order[1], q), self.seasonal_order, self._optima[p, q])

    @cached_property
    def best(self) -> ARMA:
        return self.fit(self.order[0], self.order[2])

    @property
    def trend(self) -> str:
        return self.design.trend

    @cached_property
    def table(self) -> pd.DataFrame:
        """The audit table; residual tests are made when it is first asked for."""
        out = self._core.copy()
        season = self.seasonal_order[3]
        rows = {"ljung_box_p": [], "jarque_bera_p": [], "arch_p": []}
        for p, q in self._core[["p", "q"]].itertuples(index=False):
            stats = [(np.nan, 0)] * 3
            if (p, q) in self._optima:
                model = self.fit(p, q)
                e, fitted = model.resid.dropna().to_numpy(), sum(model.shape[:4])
                lag = default_lag(e.size, fitted, season)
                stats[0] = ljung_box(e, lag, fitted) if lag > fitted else (np.nan, 0)
                stats[1] = jarque_bera(e)
                if arch_lag(e.size):
                    stats[2] = arch_lm(e, arch_lag(e.size))
            for name, value in zip(rows, stats):
                rows[name].append(value)
        at = out.columns.get_loc("regular")
        for i, (name, values) in enumerate(rows.items()):
            out.insert(at + i, name, tail(*np.array(values, dtype=float).T))
        return out

    @property
    def near(self) -> pd.DataFrame:
        """Rows of the table that are regular and within 2 of the chosen one, best first."""
        rows = self.table[self.table["regular"]].sort_values("rank")
        return rows[rows[self.criterion] <= self._row(self.order)[self.criterion] + CLOSE]

    def _row(self, order) -> pd.Series:
        c = self._core
        return c[(c["p"] == order[0]) & (c["q"] == order[2])].iloc[0]

    def why(self, lang: str | None = None) -> str:
        """The choice in a few plain sentences."""
        label, chosen, raw = LABELS[self.criterion], self._row(self.order), self._row(self.raw_order)
        pool = "arma.pool_regular" if chosen["regular"] else "arma.pool_all"
        said = [t("arma.none_regular", lang)] if not chosen["regular"] else []
        said.append(t("arma.chosen", lang, name=self.best.name(), criterion=label, pool=t(pool, lang),
                      value=f"{chosen[self.criterion]:.2f}"))
        if self.raw_order != self.order:
            reason = next(r for r in ("near_unit", "cancelling", "unconverged") if r == "unconverged" or raw[r])
            said.append(t("arma.passed_over", lang, criterion=label, value=f"{raw[self.criterion]:.2f}",
                          name=self.fit(self.raw_order[0], self.raw_order[2]).name(),
                          reason=t(f"arma.reason_{reason}", lang)))
        near = [(p, q) for p, q in self.near[["p", "q"]].itertuples(index=False) if (p, q) != self.order[::2]]
        names = ", ".join(f"({p},{self.order[1]},{q})" for p, q in near)
        said.append(t("arma.rivals", lang, n=len(near), names=names) if near else t("arma.no_rivals", lang))
        tests = self.best.tests(lang=lang)
        p_value = float(tests["p_value"].iloc[0])
        if np.isfinite(p_value):
            said.append(t("arma.residuals_reject" if p_value < 0.05 else "arma.residuals_fine", lang,
                          p=f"{p_value:.3f}"))
        return (" " if said[0].isascii() else "").join(said)

    def selection_uncertainty(self, n: int = 200, seed: int = 0) -> pd.DataFrame:
        """How often each order would be chosen, were the chosen model true: a parametric bootstrap.

        `n` series of the same length, gaps and regressors are drawn from the best model, and the selection repeated.

        Returns
        -------
        DataFrame
            ``p, q, share, picks``, most frequent first.
        """
        rng, model, d = np.random.default_rng(seed), self.best, self.design
        transition, disturbance, observe, initial = state_space(model.ar_polynomial, model.ma_polynomial, np.zeros(0))
        value, vector = np.linalg.eigh(initial)
        length, picks = d.columns.shape[1], {}
        allowed = np.zeros((self._core["p"].max() + 1, self._core["q"].max() + 1), dtype=bool)
        for p, q in self._optima:
            allowed[p, q] = True
        for _ in range(n):
            state = vector @ (np.sqrt(np.maximum(value, 0)) * rng.standard_normal(len(value)))
            w = np.empty(length)
            for s, shock in enumerate(rng.standard_normal(length)):
                w[s] = observe @ state
                state = transition @ state + disturbance * shock
            columns = np.vstack([d.columns[:-1], w[None] / w.std()])
            found = climb_grid(columns, d.gaps, allowed, (self.seasonal_order[0], *self.seasonal_order[2:]))
            core = criteria_table(d, found, allowed, self.order[1], self.seasonal_order, self.criterion)
            chosen = choose(core, self.criterion)[0]
            picks[chosen] = picks.get(chosen, 0) + 1
        out = pd.DataFrame([(p, q, c / n, c) for (p, q), c in picks.items()], columns=["p", "q", "share", "picks"])
        return out.sort_values(["picks", "p", "q"], ascending=[False, True, True], ignore_index=True)

    def plot(self, ax=None, lang: str | None = None):
        """The criterion over the grid as a picture; see `charts.arma.plot_criteria`."""
        from ..charts.arma import plot_criteria

        return plot_criteria(self, ax=ax, lang=lang)

    def _repr_html_(self) -> str:
        shown = self.table.sort_values("rank").head(10)
        keep = ["p", "d", "q", "loglik", self.criterion, "delta", "weight", "min_ar_root", "min_ma_root",
                "ljung_box_p", "regular", "rank"]
        heads = {c: t(f"arma.head_{c}") for c in keep if c not in ("p", "d", "q", self.criterion)}
        heads |= {"p": "p", "d": "d", "q": "q", self.criterion: LABELS[self.criterion]}
        formats = dict.fromkeys(("loglik", self.criterion, "delta"), "{:.2f}")
        formats |= dict.fromkeys(("weight", "min_ar_root", "min_ma_root", "ljung_box_p"), "{:.3f}")
        return html_table(shown[keep], caption=t("arma.caption_table", name=self.design.y.name or "y", n=len(shown)),
                          formats=formats, heads=heads, notes=[self.why(), t("arma.one_d", d=self.order[1])])


def select_order(y, max_p: int = 5, max_q: int = 5, d: int | None = None, criterion: str = "aicc", exog=None,
                 mode: str = "fast", trend: str = "auto", seasonal_order=None, seed: int = 0) -> OrderSelection:
    """Fit every ARMA(p, q) up to (max_p, max_q) of the d-th difference by exact ML, and choose one.

    Parameters
    ----------
    y : Series (T,)
        Monthly PeriodIndex; a RangeIndex, a DatetimeIndex with a frequency or an array will do. NaN where missing.
    max_p, max_q : int
        Up to 12. Orders too large for the length keep their row, with the reason.
    d : int, optional
        Order of differencing; None lets `stationarity.choose_d` decide.
    criterion : {"aicc", "aic", "bic", "hqic"}
    exog : (T, m), optional
        Regressors in levels, e.g. the share of Spring Festival in each month.
    mode : {"fast", "thorough"}
        "thorough" adds random starts, drawn with `seed`, to every order.
    trend : {"auto", "n", "c", "ct"}
        See `fit_arma`. "auto" is a mean without differencing; with one difference it tries a drift as well and
        keeps it where the chosen order's criterion is lower.
    seasonal_order : (P, D, Q, s), optional
        Seasonal part shared by every order of the grid.

    Returns
    -------
    OrderSelection

    Raises
    ------
    SeriesError
        Bad data, or a series too short for even the smallest order.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> a = rng.standard_normal(201)
    >>> chosen = select_order(a[1:] + 0.8 * a[:-1], max_p=2, max_q=2, d=0, criterion="bic")
    >>> chosen.order
    (0, 0, 1)
    """
    if criterion not in CRITERIA:
        raise UnknownNameError("criterion", criterion, CRITERIA)
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    (max_p, _, max_q), seasonal = check_order((max_p, 0, max_q), seasonal_order)
    y_checked = as_series(y)
    if d is None:
        months = pd.period_range("2000-01", periods=len(y_checked), freq="M")  # the rule wants months, any will do
        d = choose_d(y_checked.set_axis(months))
    check_order((0, d, 0), None)
    trends = [trend] if trend != "auto" else ["c", "ct"] if d + seasonal[1] == 1 else ["c"]
    tried = []
    for each in trends:
        try:
            tried.append(_select(y, max_p, max_q, int(d), criterion, exog, mode, each, seasonal, seed))
        except SeriesError:
            # A drift may be one parameter too many, or leave nothing to vary; without it the error is the user's.
            if each == trends[0]:
                raise
    return min(tried, key=lambda s: s._row(s.order)[criterion])


def _select(y, max_p, max_q, d, criterion, exog, mode, trend, seasonal, seed) -> OrderSelection:
    sp, big_d, sq, season = seasonal
    design = prepare(y, d, big_d, season, exog, trend)
    grid_p, grid_q = np.indices((max_p + 1, max_q + 1))
    allowed = design.nobs >= grid_p + grid_q + sp + sq + design.x.shape[1] + 3
    if not allowed[0, 0]:
        raise SeriesError("the series is too short for this seasonal order",
                          found=f"{design.nobs} values after differencing",
                          expected=f"at least {sp + sq + design.x.shape[1] + 3}")
    found = climb_grid(design.columns, design.gaps, allowed, (sp, sq, season), MODES[mode], seed)
    core = criteria_table(design, found, allowed, d, seasonal, criterion)
    chosen, raw = choose(core, criterion)
    chosen, raw = ((p, d, q) for p, q in (chosen, raw))
    return OrderSelection(design, chosen, raw, seasonal, criterion, mode, core, found)


def criteria_table(design, found, allowed, d, seasonal, criterion) -> pd.DataFrame:
    """The table without the residual tests: criteria, roots, marks and ranks, one row an order."""
    n, extra = design.nobs, seasonal[0] + seasonal[2] + design.x.shape[1] + 1
    orders = list(found)
    models = [ARMA(design, (p, d, q), seasonal, found[p, q]) for p, q in orders]
    ar = inverse_roots([m.ar_polynomial for m in models])
    ma = inverse_roots([-m.ma_polynomial for m in models])
    largest = [max(np.abs(np.r_[a, b]).max(initial=0.0), 0.0) for a, b in zip(ar, ma)]
    k = np.array([p + q + extra for p, q in orders])
    loglik = np.array([m.loglik for m in models])
    spare = n - k - 1
    with np.errstate(divide="ignore"):
        columns = {
            "p": [o[0] for o in orders], "d": d, "q": [o[1] for o in orders], "k": k, "loglik": loglik,
            "sigma2": [m.sigma2 for m in models],
            "aic": -2 * loglik + 2 * k,
            "aicc": np.where(spare > 0, -2 * loglik + 2 * k * n / np.where(spare > 0, spare, 1), np.inf),
            "bic": -2 * loglik + np.log(n) * k, "hqic": -2 * loglik + 2 * np.log(np.log(n)) * k,
            "converged": [found[o].converged for o in orders],
            "gradient_norm": [found[o].gradient_norm for o in orders],
            "starts": [found[o].starts for o in orders],
            "starts_agreeing": [found[o].starts_agreeing for o in orders],
            "min_ar_root": [1 / np.abs(a).max() if len(a) else np.inf for a in ar],
            "min_ma_root": [1 / np.abs(b).max() if len(b) else np.inf for b in ma],
            "cancelling": [len(a) > 0 and len(b) > 0 and np.abs(a[:, None] - b).min() < CANCELLING
                           for a, b in zip(ar, ma)],
            "near_unit": [v > NEAR_UNIT for v in largest],
        }
    out = pd.DataFrame(columns)
    value = out[criterion].where(np.isfinite(out[criterion]))
    out["regular"] = out["converged"] & ~out["near_unit"] & ~out["cancelling"]
    out["rank"] = value.rank(method="first").astype("Int64")
    out["reason"] = ""
    at = out.columns.get_loc("converged")
    out.insert(at, "delta", value - value.min())
    weight = np.exp(-out["delta"] / 2)
    out.insert(at + 1, "weight", weight / weight.sum())
    impossible = [(int(p), int(q)) for p, q in np.argwhere(~allowed)]
    if impossible:
        lost = d + seasonal[1] * seasonal[3]
        rest = pd.DataFrame({
            "p": [o[0] for o in impossible], "d": d, "q": [o[1] for o in impossible],
            "k": [sum(o) + extra for o in impossible], "converged": False, "cancelling": False, "near_unit": False,
            "regular": False, "starts": 0, "starts_agreeing": 0,
            "reason": [t("arma.too_short", need=sum(o) + extra + 2 + lost, have=n + lost) for o in impossible]})
        out = pd.concat([out, rest.reindex(columns=out.columns).astype({"rank": "Int64"})], ignore_index=True)
    return out.sort_values(["p", "q"], ignore_index=True)


def inverse_roots(polynomials) -> list[np.ndarray]:
    """Inverse roots of 1 - sum c_i B^i for many c at once, grouped by degree."""
    out: list = [np.zeros(0)] * len(polynomials)
    for degree in {len(c) for c in polynomials} - {0}:
        at = [i for i, c in enumerate(polynomials) if len(c) == degree]
        companion = np.zeros((len(at), degree, degree))
        companion[:, 0] = [polynomials[i] for i in at]
        companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
        for i, roots in zip(at, np.linalg.eigvals(companion)):
            out[i] = roots
    return out


def choose(core: pd.DataFrame, criterion: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the lowest regular order and the lowest of all; the latter twice where none is regular."""
    ranked = core[core["rank"].notna()].sort_values("rank")
    regular = ranked[ranked["regular"]]
    raw = ranked.iloc[0] if len(ranked) else core.iloc[0]
    chosen = regular.iloc[0] if len(regular) else raw
    return (int(chosen["p"]), int(chosen["q"])), (int(raw["p"]), int(raw["q"]))


def combine(*selections: OrderSelection) -> pd.DataFrame:
    """Rank the orders of several selections of one series in one table, with a column ``trend``.

    Raises
    ------
    SeriesError
        They differ in d, D or in the data: their likelihoods are of different numbers of values, and the
        criteria do not compare.
    """
    first = selections[0]
    for other in selections[1:]:
        a, b = ((s.order[1], s.seasonal_order[1], s.design.nobs) for s in (first, other))
        if a != b or not first.design.y.equals(other.design.y):
            raise SeriesError("these selections cannot be ranked together: the likelihood of a differenced series "
                              "is of other data, with fewer values", found=f"(d, D, n) = {b} beside {a}",
                              expected="the same series and the same d and D")
    out = pd.concat([s.table.assign(trend=s.trend) for s in selections], ignore_index=True)
    value = out[first.criterion]
    out["delta"] = value - value.min()
    out["weight"] = np.exp(-out["delta"] / 2) / np.exp(-out["delta"] / 2).sum()
    out["rank"] = value.rank(method="first").astype("Int64")
    return out.sort_values("rank", ignore_index=True)
