"""The whole (p, q) grid fitted as one, the criteria, the audit table, and how sure the choice is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import pandas as pd

from ..display import describe, html_table, show
from ..errors import SeriesError, UnknownNameError
from ..store import kept_arrays
from ..wording import cell, cite, join, t
from .levels import Design, as_series, check_order, prepare, state_space
from .likelihood import expanded, natural
from .model import ARMA, CRITERIA, LABELS, penalty, residual_tests, tail
from .search import MODES, Optimum, Search, climb_grid

__all__ = ["LABELS", "NEAR_UNIT", "OrderSelection", "select_order"]

NEAR_UNIT = 1 / 1.01  # inverse roots beyond this modulus make an order irregular, as in R's auto.arima
CANCELLING = 0.05  # an inverse AR and an inverse MA root nearer than this nearly cancel
CLOSE = 2.0  # orders within this of the chosen one are as good (Burnham & Anderson 2002)
COLUMNS = ["p", "d", "q", "k", "loglik", "sigma2", *CRITERIA, "delta", "weight", "converged", "gradient_norm", "starts",
           "starts_agreeing", "min_ar_root", "min_ma_root", "cancelling", "near_unit", "ljung_box_p", "jarque_bera_p",
           "arch_p", "regular", "rank", "reason"]
GAIN = 2.0  # of log-likelihood by one more coefficient, at the most, for as long as it is to be expected
ROOT_GAIN = 3.0  # of log-likelihood by a root near the unit circle; 2.0 changes one winner in 600
SLACK = 0.01  # the last climb moves no criterion by as much


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
    audit: np.recarray = field(repr=False)  # what the choice needs of the table, a record an order that was fitted
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

    @cached_property
    def table(self) -> pd.DataFrame:
        """The audit table; residual tests are made when it is first asked for."""
        out, models = pd.DataFrame(self.audit), [self.fit(p, q) for p, q in self._optima]
        value = out[self.criterion].where(np.isfinite(out[self.criterion]))
        delta = value - value.min()
        weight = np.exp(-delta / 2)
        tests = np.array([[row[:2:-1] for row in residual_tests(m)] for m in models])     # statistics and their df
        out = out.assign(
            d=self.order[1], sigma2=[m.sigma2 for m in models], delta=delta, weight=weight / weight.sum(), reason="",
            rank=value.rank(method="first").astype("Int64"),
            **{name: tail(*tests[:, i].T) for i, name in enumerate(("ljung_box_p", "jarque_bera_p", "arch_p"))})
        rest = np.argwhere(~self._allowed)
        if len(rest):
            k = rest.sum(axis=1) + self.audit.k[0]
            have = self.design.nobs + self.order[1] + self.seasonal_order[1] * self.seasonal_order[3]
            need = k + 2 + have - self.design.nobs
            impossible = pd.DataFrame({"p": rest[:, 0], "d": self.order[1], "q": rest[:, 1], "k": k, "starts": 0,
                                       "starts_agreeing": 0, "converged": False, "cancelling": False,
                                       "near_unit": False, "regular": False, "rank": pd.NA})
            impossible["reason"] = [t("arma.too_short", need=n, have=have) if have < n else t("arma.beyond_max_order")
                                    for n in need]
            out = pd.concat([out, impossible.reindex(columns=out.columns).astype({"rank": "Int64"})])
        return describe(out[COLUMNS].sort_values(["p", "q"], ignore_index=True))

    @property
    def near(self) -> pd.DataFrame:
        """Rows of the table that are regular and within 2 of the chosen one, best first."""
        rows = self.table[self.table["regular"]].sort_values("rank")
        return rows[rows[self.criterion] <= self._at(self.order, self.criterion) + CLOSE]

    def _at(self, order, column: str):
        """One figure of one order."""
        return self.audit[column][(self.audit.p == order[0]) & (self.audit.q == order[2])][0]

    def _said(self, order, column: str, form: str, value=None) -> str:
        """One figure of one order, in words that know its cell."""
        return cite(format(self._at(order, column) if value is None else value, form),
                    cell("orders", column, p=order[0], q=order[2]))

    def why(self, lang: str | None = None) -> str:
        """The choice in a few plain sentences."""
        label, name, regular = LABELS[self.criterion], self.criterion, self._at(self.order, "regular")
        said = [] if regular else [t("arma.none_regular", lang)]
        said.append(t("arma.chosen", lang, name=self.best.name(), criterion=label,
                      pool=t("arma.pool_regular" if regular else "arma.pool_all", lang),
                      value=self._said(self.order, name, ".2f")))
        if self.raw_order != self.order:
            reason = next(r for r in ("near_unit", "cancelling", "unconverged")
                          if r == "unconverged" or self._at(self.raw_order, r))
            said.append(t("arma.passed_over", lang, criterion=label, value=self._said(self.raw_order, name, ".2f"),
                          name=self.fit(self.raw_order[0], self.raw_order[2]).name(),
                          reason=t(f"arma.reason_{reason}", lang)))
        chosen, others = self.near.head(1), self.near.iloc[1:]
        if len(others):
            limit = f"<={float(self._at(self.order, name)) + CLOSE!r}"
            among = cell("orders", **{"regular": True, name: limit, "rank": f"!={chosen['rank'].item()}"})
            said.append(t("arma.rivals", lang, n=cite(len(others), among), names=", ".join(
                f"({p},{d},{q})" for p, d, q in others[["p", "d", "q"]].itertuples(index=False))))
        else:
            said.append(t("arma.no_rivals", lang))
        (*_, df, statistic), *_ = residual_tests(self.best)
        if df > 0:
            p_value = float(tail(statistic, df))
            said.append(t("arma.residuals_reject" if p_value < 0.05 else "arma.residuals_fine", lang,
                          p=self._said(self.order, "ljung_box_p", ".3f", p_value)))
        return join(said, " " if said[0].isascii() else "")

    def selection_uncertainty(self, n: int = 200, seed: int = 0) -> pd.DataFrame:
        """How often each order would be chosen, were the chosen model true: a parametric bootstrap.

        `n` series of the same length, gaps and regressors are drawn from the best model, and the selection repeated.
        Orders of so large a p + q that they cannot be expected to win are not fitted there. On 32
        series of a province this changed no more than one choice in 200.

        Returns
        -------
        DataFrame
            ``p, q, share, picks``, most frequent first.
        """
        model, d = self.best, self.design
        found = kept_arrays("order-uncertainty", (
            d.columns, d.gaps, d.nobs, d.scale, d.x.shape[1], self._allowed, self.seasonal_order, self.criterion,
            model.ar_polynomial, model.ma_polynomial, n, seed), lambda: {"picks": picks(self, n, seed)})
        out = pd.DataFrame([(p, q, c / n, c) for p, q, c in found["picks"].tolist()],
                           columns=["p", "q", "share", "picks"])
        return out.sort_values(["picks", "p", "q"], ascending=[False, True, True], ignore_index=True)

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
        Monthly PeriodIndex; a RangeIndex or an array will do. NaN where missing.
    max_p, max_q : int
        Up to 12. Orders too large for the length keep their row, with the reason.
    d : int, optional
        Order of differencing; None lets `stationarity.choose_d` decide.
    criterion : {"aicc", "aic", "bic", "hqic"}
    exog : DataFrame (T, m), Series or array, optional
        Regressors in levels, e.g. the share of Spring Festival in each month; a frame is taken by its months.
    mode : {"fast", "thorough"}
        "thorough" adds random starts, drawn with `seed`, to every order.
    trend : {"auto", "n", "c", "ct"}
        Polynomial in the *level* of y; what differencing removes is left out, so "c" is a mean for d = D = 0 and
        nothing otherwise, and "ct" is a drift once differenced. "auto" is a mean without differencing; with one
        difference it tries a drift as well and keeps it where the chosen order's criterion is lower.
    seasonal_order : (P, D, Q, s), optional
        Seasonal part shared by every order of the grid, P and Q up to 2; d, where None, is that of the series once
        differenced over the season.
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
    (max_p, _, max_q), seasonal = check_order((max_p, 0, max_q), seasonal_order)
    if d is None:
        from ..stationarity import choose_d  # brings unit-root libraries that nothing else here needs

        checked, lost = as_series(y), seasonal[1] * seasonal[3]
        checked.index = pd.period_range("2000-01", periods=len(checked), freq="M")  # the rule wants months, any will do
        d = choose_d(checked.diff(lost) if lost else checked)
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
    audit = audit_of(design, found, seasonal)
    chosen, raw = ((p, d, q) for p, q in choose(audit, criterion))
    return OrderSelection(design, chosen, raw, seasonal, criterion, mode, audit, found, allowed)


def choose(audit: np.recarray, criterion: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the lowest regular order and the lowest of all; the latter twice where none is regular."""
    raw = int(np.argmin(audit[criterion]))
    regular = np.where(audit.regular, audit[criterion], np.inf)
    chosen = int(np.argmin(regular)) if np.isfinite(regular).any() else raw
    return tuple((int(audit.p[i]), int(audit.q[i])) for i in (chosen, raw))


def audit_of(design, found, seasonal) -> np.recarray:
    """Return criteria, roots and marks of the orders that were fitted."""
    n, sp, _, sq, season = design.nobs, *seasonal
    out = {"p": np.array([p for p, _ in found]), "q": np.array([q for _, q in found])}
    out["k"] = out["p"] + out["q"] + sp + sq + design.x.shape[1] + 1
    out["loglik"] = design.loglik(0.0) - np.array([one.value for one in found.values()])
    out |= {name: penalty(name, out["k"], n) - 2 * out["loglik"] for name in CRITERIA}
    out |= {name: np.array([getattr(one, name) for one in found.values()])
            for name in ("converged", "gradient_norm", "starts", "starts_agreeing")}
    both = [polynomials_of(one, (*order, sp, sq, season)) for order, one in found.items()]
    ar, ma = inverse_roots([phi for phi, _ in both]), inverse_roots([-theta for _, theta in both])
    names = ("min_ar_root", "min_ma_root", "cancelling", "near_unit")
    out |= dict(zip(names, map(np.array, zip(*map(marks, ar, ma), strict=True)), strict=True))
    out["regular"] = out["converged"] & ~out["near_unit"] & ~out["cancelling"]
    return np.rec.fromarrays(list(out.values()), names=list(out))


def polynomials_of(optimum: Optimum, shape) -> tuple[np.ndarray, np.ndarray]:
    return expanded(natural(optimum.angles, shape), shape)


def marks(ar: np.ndarray, ma: np.ndarray) -> tuple[float, float, bool, bool]:
    """Smallest moduli of the roots, given the inverse ones, and whether two cancel or one is near the unit circle."""
    low = [1 / np.abs(z).max() if len(z) and np.abs(z).max() > 0 else np.inf for z in (ar, ma)]
    cancelling = len(ar) > 0 and len(ma) > 0 and bool(np.abs(ar[:, None] - ma).min() < CANCELLING)
    return *low, cancelling, bool(min(low) < 1 / NEAR_UNIT)


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


# The choice repeated on series drawn from the chosen model. Only the winner is asked for, so the search goes up the
# degrees p + q and stops where no larger order can be expected to win: its penalty exceeds the lowest regular criterion
# so far, even if every further coefficient added GAIN to the highest log-likelihood so far. And an order is climbed
# from roots near the unit circle only where one of its neighbours comes so near the lowest that ROOT_GAIN would bring
# it there. No bound on the likelihood of a larger order is known for certain, so this is no theorem; the winner is the
# full search's in all but a few of a thousand series. What remains is fitted, and judged, as `select_order` does it.


def draws(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Draw `n` series (n, T) from the best model, each scaled to unit variance, without regressors."""
    model = selection.best
    transition, disturbance, observe, initial = state_space(model.ar_polynomial, model.ma_polynomial, np.zeros(0))
    value, vector = np.linalg.eigh(initial)
    normal = np.random.default_rng(seed).standard_normal((n, len(value) + selection.design.columns.shape[1]))
    state = (np.sqrt(np.maximum(value, 0)) * normal[:, :len(value)]) @ vector.T
    shocks = normal[:, len(value):]
    w = np.empty(shocks.shape)
    for s, shock in enumerate(shocks.T):
        w[:, s] = state @ observe
        state = state @ transition.T + shock[:, None] * disturbance
    return w / w.std(axis=1, keepdims=True)


def winner(selection: OrderSelection, columns: np.ndarray) -> tuple[int, int]:
    """Return (p, q) that the criterion chooses for a series in the place of the selection's own.

    `columns` (gaps + regressors + 1, T) is as in `Design`, its last row another series.
    """
    d, (sp, _, sq, season) = selection.design, selection.seasonal_order
    search = Search(columns, d.gaps, selection._allowed, (sp, sq, season))
    degree = np.add(*np.indices(selection._allowed.shape))
    penalties = penalty(selection.criterion, degree + sp + sq + d.x.shape[1] + 1, d.nobs)

    @cache
    def judge(order, _value):
        """Criterion and regularity of an order after its last climb, once for every optimum."""
        best = search.optimum(*order)
        phi, theta = polynomials_of(best, (*order, sp, sq, season))
        _, _, cancelling, near_unit = marks(*inverse_roots([phi]), *inverse_roots([-theta]))
        return penalties[order] - 2 * d.loglik(best.value), best.converged and not near_unit and not cancelling

    def lowest(below=np.inf):
        """The lowest criterion of a regular order, with the order; of all where none is regular, then infinite.

        Orders whose criterion is not under `below` are not looked at.
        """
        rough = penalties - 2 * (d.loglik(0.0) - search.values)
        best = {True: (np.inf, (0, 0)), False: (np.inf, (0, 0))}
        for at in np.argsort(rough, axis=None, kind="stable").tolist():
            order = divmod(at, rough.shape[1])
            if not rough[order] < min(best[True][0], below) + SLACK:
                break
            criterion, regular = judge(order, search.values[order])
            best[regular] = min(best[regular], (criterion, order))
        return best[True][0], best[bool(np.isfinite(best[True][0]))][1]

    def worth(least):
        top = d.loglik(0.0) - search.values.min()
        hoped = (penalties - 2 * (top + GAIN * (degree - least + 1)))[selection._allowed & (degree >= least)].min()
        return hoped <= lowest(hoped)[0]

    def near(p, q):
        below = min((search.values[at] for at in ((p - 1, q), (p, q - 1)) if min(at) >= 0), default=np.inf)
        return below - ROOT_GAIN + penalties[p, q] / 2 <= (search.values + penalties / 2).min()

    search.grow(worth=worth, near=near)
    search.sweep()
    return lowest()[1]


def picks(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Return p, q and how often the order was chosen among `n` drawn series, an order a row."""
    fixed = selection.design.columns[:-1]
    count = Counter(winner(selection, np.vstack([fixed, series])) for series in draws(selection, n, seed))
    return np.array([(p, q, c) for (p, q), c in count.items()], np.int64).reshape(-1, 3)
