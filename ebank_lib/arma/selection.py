"""The whole (p, q) grid fitted as one, the criteria, the audit table, and how sure the choice is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ..display import html_table, show
from ..errors import SeriesError, UnknownNameError
from ..store import kept_arrays
from ..wording import t
from .design import Design, as_series, check_order, prepare
from .diagnostics import arch_lag, arch_lm, default_lag, jarque_bera, ljung_box, tail
from .model import ARMA
from .polynomials import expanded, natural
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
    _core: dict[str, np.ndarray] = field(repr=False)
    _optima: dict[tuple[int, int], Optimum] = field(repr=False)
    _allowed: np.ndarray = field(repr=False)

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
        out = pd.DataFrame(self._core)
        models = [self.fit(p, q) for p, q in self._optima]
        value = out[self.criterion].where(np.isfinite(out[self.criterion]))
        out.insert(1, "d", self.order[1])
        out.insert(5, "sigma2", [m.sigma2 for m in models])
        out.insert(10, "delta", value - value.min())
        weight = np.exp(-out["delta"] / 2)
        out.insert(11, "weight", weight / weight.sum())
        tests = [residual_statistics(m) for m in models]
        at = out.columns.get_loc("regular")
        for i, name in enumerate(("ljung_box_p", "jarque_bera_p", "arch_p")):
            out.insert(at + i, name, tail(*np.array([t[i] for t in tests], dtype=float).T))
        out["rank"] = value.rank(method="first").astype("Int64")
        out["reason"] = ""
        rest = np.argwhere(~self._allowed)
        if len(rest):
            lost = self.order[1] + self.seasonal_order[1] * self.seasonal_order[3]
            k = rest.sum(axis=1) + self._core["k"][0]
            impossible = pd.DataFrame({"p": rest[:, 0], "d": self.order[1], "q": rest[:, 1], "k": k, "starts": 0,
                                       "starts_agreeing": 0, "converged": False, "cancelling": False,
                                       "near_unit": False, "regular": False, "rank": pd.NA})
            have = self.design.nobs + lost
            impossible["reason"] = [t("arma.too_short", need=v + 2 + lost, have=have) if have < v + 2 + lost
                                    else t("arma.beyond_max_order") for v in k]
            out = pd.concat([out, impossible.reindex(columns=out.columns).astype({"rank": "Int64"})])
        return out.sort_values(["p", "q"], ignore_index=True)

    @property
    def near(self) -> pd.DataFrame:
        """Rows of the table that are regular and within 2 of the chosen one, best first."""
        rows = self.table[self.table["regular"]].sort_values("rank")
        return rows[rows[self.criterion] <= self._at(self.order, self.criterion) + CLOSE]

    def _at(self, order, column: str):
        """One figure of one order."""
        c = self._core
        return c[column][(c["p"] == order[0]) & (c["q"] == order[2])][0]

    def why(self, lang: str | None = None) -> str:
        """The choice in a few plain sentences."""
        label, regular = LABELS[self.criterion], self._at(self.order, "regular")
        pool = "arma.pool_regular" if regular else "arma.pool_all"
        said = [] if regular else [t("arma.none_regular", lang)]
        said.append(t("arma.chosen", lang, name=self.best.name(), criterion=label, pool=t(pool, lang),
                      value=f"{self._at(self.order, self.criterion):.2f}"))
        if self.raw_order != self.order:
            reason = next(r for r in ("near_unit", "cancelling", "unconverged")
                          if r == "unconverged" or self._at(self.raw_order, r))
            said.append(t("arma.passed_over", lang, criterion=label,
                          value=f"{self._at(self.raw_order, self.criterion):.2f}",
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
        Orders of so large a p + q that they cannot be expected to win are not fitted there: see `resampling`. On 32
        series of a province this changed no more than one choice in 200.

        Returns
        -------
        DataFrame
            ``p, q, share, picks``, most frequent first.
        """
        model, d = self.best, self.design
        found = kept_arrays("order-uncertainty", (
            d.columns, d.gaps, d.nobs, d.scale, d.x.shape[1], self._allowed, self.seasonal_order, self.criterion,
            model.ar_polynomial, model.ma_polynomial, n, seed), lambda: {"picks": self._picks(n, seed)})
        out = pd.DataFrame([(p, q, c / n, c) for p, q, c in found["picks"].tolist()],
                           columns=["p", "q", "share", "picks"])
        return out.sort_values(["picks", "p", "q"], ascending=[False, True, True], ignore_index=True)

    def _picks(self, n: int, seed: int) -> np.ndarray:
        """Return p, q and how often the order was chosen, an order a row."""
        from .resampling import picks

        return picks(self, n, seed)

    def against_statsmodels(self, max_order: int | None = None):
        """Fit the same orders by statsmodels as it comes, and compare; see `comparison.Comparison`.

        The grid of 36 takes seconds, and those with p + q up to `max_order` = 5 a third of that.
        """
        from .comparison import compare

        return compare(self, max_order)

    def plot(self, ax=None, lang: str | None = None):
        """The criterion over the grid as a picture; see `charts.arma.plot_criteria`."""
        from ..charts.arma import plot_criteria

        return plot_criteria(self, ax=ax, lang=lang)

    def rivals(self):
        """Show the choice, the regular orders within 2 of it, and what was passed over, as a reader sees it."""
        p, _, q = self.raw_order
        raw = self.table[(self.table["p"] == p) & (self.table["q"] == q)]
        rows = pd.concat([self.near, raw]).drop_duplicates(["p", "q"]).sort_values("rank")
        return show(**self._shown(rows))

    def _shown(self, rows: pd.DataFrame, caption: str = "") -> dict:
        """Arguments of `display.html_table` for some rows of the table."""
        keep = ["p", "d", "q", "loglik", self.criterion, "delta", "weight", "min_ar_root", "min_ma_root",
                "ljung_box_p", "regular", "rank"]
        heads = {c: t(f"arma.head_{c}") for c in keep if c not in ("p", "d", "q", self.criterion)}
        heads |= {"p": "p", "d": "d", "q": "q", self.criterion: LABELS[self.criterion]}
        formats = dict.fromkeys(("loglik", self.criterion, "delta"), "{:.2f}")
        formats |= dict.fromkeys(("weight", "min_ar_root", "min_ma_root", "ljung_box_p"), "{:.3f}")
        return {"frame": rows[keep], "caption": caption, "formats": formats, "heads": heads}

    def _repr_html_(self) -> str:
        rows = self.table.sort_values("rank").head(10)
        return html_table(**self._shown(rows, t("arma.caption_table", name=self.design.y.name or "y", n=len(rows))),
                          notes=[self.why(), t("arma.one_d", d=self.order[1])])


def select_order(y, max_p: int = 5, max_q: int = 5, d: int | None = None, criterion: str = "aicc", exog=None,
                 mode: str = "fast", trend: str = "auto", seasonal_order=None, seed: int = 0,
                 max_order: int | None = None) -> OrderSelection:
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
        Seasonal part shared by every order of the grid, P and Q up to 2. D may be None: `stationarity.choose_D`
        decides, and d, where None as well, is that of the series once differenced over the season.
    max_order : int, optional
        Only orders with p + q up to this: a third of the time at 5, which is where R's auto.arima stops.

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
    y_checked = as_series(y)
    if seasonal_order is not None and len(tuple(seasonal_order)) == 4 and tuple(seasonal_order)[1] is None:
        sp, _, sq, season = seasonal_order
        check_order((0, 0, 0), (1, 1, 1, season))  # the season is one, before the battery is asked about it
        seasonal_order = (sp, battery(y_checked, season=season), sq, season)
    (max_p, _, max_q), seasonal = check_order((max_p, 0, max_q), seasonal_order)
    if d is None:
        d = battery(y_checked, lost=seasonal[1] * seasonal[3])
    check_order((0, d, 0), None)
    trends = [trend] if trend != "auto" else ["c", "ct"] if d + seasonal[1] == 1 else ["c"]
    tried = []
    for each in trends:
        try:
            tried.append(_select(y, max_p, max_q, max_order, int(d), criterion, exog, mode, each, seasonal, seed))
        except SeriesError:
            # A drift may be one parameter too many, or leave nothing to vary; without it the error is the user's.
            if each == trends[0]:
                raise
    return min(tried, key=lambda s: s._at(s.order, criterion))


def battery(y: pd.Series, season: int = 0, lost: int = 0) -> int:
    """Return D for a `season`, else d of the series differenced over `lost` months, as `stationarity` chooses."""
    from ..stationarity import choose_D, choose_d  # brings unit-root libraries that nothing else here needs

    y = y.set_axis(pd.period_range("2000-01", periods=len(y), freq="M"))  # the rules want months, any will do
    return choose_D(y, season) if season else choose_d(y.diff(lost) if lost else y)


def _select(y, max_p, max_q, max_order, d, criterion, exog, mode, trend, seasonal, seed) -> OrderSelection:
    sp, big_d, sq, season = seasonal
    design = prepare(y, d, big_d, season, exog, trend)
    grid_p, grid_q = np.indices((max_p + 1, max_q + 1))
    allowed = design.nobs >= grid_p + grid_q + sp + sq + design.x.shape[1] + 3
    if not allowed[0, 0]:
        raise SeriesError("the series is too short for this seasonal order",
                          found=f"{design.nobs} values after differencing",
                          expected=f"at least {sp + sq + design.x.shape[1] + 3}")
    if max_order is not None:
        allowed &= grid_p + grid_q <= max_order
    found = climb_grid(design.columns, design.gaps, allowed, (sp, sq, season), MODES[mode], seed)
    core = criteria_of(design, found, seasonal)
    chosen, raw = ((p, d, q) for p, q in choose(core, criterion))
    return OrderSelection(design, chosen, raw, seasonal, criterion, mode, core, found, allowed)


def criteria_of(design, found, seasonal) -> dict[str, np.ndarray]:
    """Return criteria, roots and marks, one element an order that was fitted: all that the choice needs."""
    n, sp, _, sq, season = design.nobs, *seasonal
    orders = list(found)
    k = np.array([p + q for p, q in orders]) + sp + sq + design.x.shape[1] + 1
    loglik = design.loglik(0.0) - np.array([found[o].value for o in orders])
    both = [expanded(natural(found[p, q].angles, (p, q, sp, sq, season)), (p, q, sp, sq, season)) for p, q in orders]
    ar, ma = inverse_roots([phi for phi, _ in both]), inverse_roots([-theta for _, theta in both])
    out = {"p": np.array([o[0] for o in orders]), "q": np.array([o[1] for o in orders]), "k": k, "loglik": loglik,
           **{name: penalty - 2 * loglik for name, penalty in penalties(k, n).items()}}
    for name in ("converged", "gradient_norm", "starts", "starts_agreeing"):
        out[name] = np.array([getattr(found[o], name) for o in orders])
    for name, roots in (("min_ar_root", ar), ("min_ma_root", ma)):
        out[name] = np.array([1 / np.abs(z).max() if len(z) and np.abs(z).max() > 0 else np.inf for z in roots])
    out["cancelling"] = np.array([len(a) > 0 and len(b) > 0 and np.abs(a[:, None] - b).min() < CANCELLING
                                  for a, b in zip(ar, ma)])
    out["near_unit"] = np.minimum(out["min_ar_root"], out["min_ma_root"]) < 1 / NEAR_UNIT
    out["regular"] = out["converged"] & ~out["near_unit"] & ~out["cancelling"]
    return out


def penalties(k, n: int) -> dict[str, np.ndarray]:
    """What each criterion adds to -2 loglik for `k` parameters and `n` values; AICc infinite where undefined."""
    spare = n - k - 1
    return {"aic": 2 * k, "aicc": np.where(spare > 0, 2 * k * n / np.where(spare > 0, spare, 1), np.inf),
            "bic": np.log(n) * k, "hqic": 2 * np.log(np.log(n)) * k}


def choose(core: dict[str, np.ndarray], criterion: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the lowest regular order and the lowest of all; the latter twice where none is regular."""
    raw = int(np.argmin(core[criterion]))
    regular = np.where(core["regular"], core[criterion], np.inf)
    chosen = int(np.argmin(regular)) if np.isfinite(regular).any() else raw
    return tuple((int(core["p"][i]), int(core["q"][i])) for i in (chosen, raw))


def residual_statistics(model: ARMA) -> list[tuple[float, int]]:
    """Return (statistic, degrees of freedom) of Ljung-Box, Jarque-Bera and ARCH-LM; 0 where one cannot be had."""
    e, fitted = model.resid.dropna().to_numpy(), sum(model.shape[:4])
    lag, arch = default_lag(e.size, fitted, model.seasonal_order[3]), arch_lag(e.size)
    return [ljung_box(e, lag, fitted) if lag > fitted else (np.nan, 0), jarque_bera(e),
            arch_lm(e, arch) if arch else (np.nan, 0)]


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
