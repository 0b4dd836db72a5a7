"""The whole grid of orders, with seasons, fitted as one: the criteria, the audit table, and the choice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..display import Shown, describe, html_table, show
from ..errors import SeriesError, UnknownNameError
from ..monthly import checked_count, checked_name, checked_seed
from ..store import kept_arrays
from ..wording import cell, cite, join, t
from .levels import MAX_ORDER, MONTHS, Design, as_series, check_order, designs, prepare, state_space
from .likelihood import natural
from .model import ARMA, CRITERIA, LABELS, penalty, residual_tests
from .search import MODES, Optimum, climb_grid

NEAR_UNIT = 1 / 1.01  # inverse roots beyond this modulus make an order irregular, as in R's auto.arima
CANCELLING = 0.05  # an inverse AR and an inverse MA root nearer than this nearly cancel
CLOSE = 2.0  # orders within this of the chosen one are as good (Burnham & Anderson 2002)
LARGEST = 5  # p + q + P + Q of orders with a seasonal coefficient, where R's auto.arima stops
# Months from which a season is sought that is not strong. Of simulated series without one AICc gives one to 12 to 18%:
# at 44 months that costs 12 to 15% of the error up to 12 months ahead, where a true one (AR 0.5 at lag 12) gains 4%; at
# 60 months 3% against 10%.
LONG = 60
COLUMNS = [*"pdqPDQ", "k", "loglik", "sigma2", *CRITERIA, "delta", "weight", "converged", "min_ar_root",
           "min_ma_root", "cancelling", "near_unit", "ljung_box_p", "jarque_bera_p", "arch_p", "regular", "rank"]


@dataclass(frozen=True, eq=False, repr=False)
class OrderSelection(Shown):
    """The grid of orders of one series, and the choice; made by `select_order`.

    Attributes
    ----------
    order, seasonal_order : (p, d, q), (P, D, Q, s)
        The chosen one: lowest criterion among the regular orders.
    chosen, raw : (p, q, P, Q)
        It again, as the orders of the grid are called, and what the criterion alone would have chosen.
    criterion : str
    best : ARMA
        The chosen model.
    table : DataFrame
        One row an order: ``p, d, q, P, D, Q, k, loglik, sigma2, aic, aicc, bic, hqic, delta, weight, converged,
        min_ar_root, min_ma_root, cancelling, near_unit, ljung_box_p, jarque_bera_p, arch_p, regular, rank``. `delta`,
        `weight` (Akaike) and `rank` are by the criterion; roots are moduli, above 1. Orders too large for the length
        of the series have none.
    """

    design: Design
    chosen: tuple[int, int, int, int]
    raw: tuple[int, int, int, int]
    criterion: str
    audit: np.recarray  # what the choice needs of the table, a record an order that was fitted
    season: tuple[str, int] | None  # how a season was looked for, in a word, and in how many months
    _optima: dict[tuple[int, ...], Optimum]
    _allowed: np.ndarray  # of orders (p, q, P, Q): those that were fitted

    @property
    def order(self) -> tuple[int, int, int]:
        return _orders(self.chosen, self.design)[0]

    @property
    def seasonal_order(self) -> tuple[int, int, int, int]:
        return _orders(self.chosen, self.design)[1]

    def fit(self, p: int, q: int, P: int | None = None, Q: int | None = None) -> ARMA:
        """Return the fitted model of any order of the grid; P and Q are, where left out, those of the chosen one."""
        key = p, q, *(chosen if given is None else given for given, chosen in zip((P, Q), self.chosen[2:]))
        if key not in self._optima:
            raise UnknownNameError("order", str(key), [str(one) for one in self._optima])
        return ARMA(self.design, *_orders(key, self.design), self._optima[key])

    @cached_property
    def best(self) -> ARMA:
        return self.fit(*self.chosen)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The audit table; residual tests are made when it is first asked for."""
        out, models = pd.DataFrame(self.audit), [self.fit(*key) for key in self._optima]
        value = out[self.criterion].where(np.isfinite(out[self.criterion]))
        delta = value - value.min()
        weight = np.exp(-delta / 2)
        tests = np.array([[row[-1] for row in residual_tests(m)] for m in models])
        out = out.assign(
            d=self.order[1], D=self.design.big_d, sigma2=[m.sigma2 for m in models], delta=delta,
            weight=weight / weight.sum(), rank=value.rank(method="first").astype("Int64"),
            **dict(zip(("ljung_box_p", "jarque_bera_p", "arch_p"), tests.T)))
        return describe(out[COLUMNS].sort_values(["P", "Q", "p", "q"], ignore_index=True))

    @property
    def near(self) -> pd.DataFrame:
        """Rows of the table that are regular and within 2 of the chosen one, best first."""
        rows = self.table[self.table["regular"]].sort_values("rank")
        return rows[rows[self.criterion] <= self._at(self.chosen, self.criterion) + CLOSE]

    def _at(self, key, column: str):
        """One figure of one order (p, q, P, Q)."""
        return self.audit[column][list(self._optima).index(key)]

    def _said(self, key, column: str, form: str, value=None) -> str:
        """One figure of one order, in words that know its cell."""
        return cite(format(self._at(key, column) if value is None else value, form),
                    cell("orders", column, **dict(zip("pqPQ", key))))

    def why(self, lang: str | None = None) -> str:
        """The choice in a few plain sentences."""
        if self.design.scale == 0:
            return t("arma.exact_line", lang, name=self.best.name(), drift=f"{self.best.params['drift']:.6g}")
        chosen, raw = self.chosen, self.raw
        label, name, regular = LABELS[self.criterion], self.criterion, self._at(chosen, "regular")
        said = [] if regular else [t("arma.none_regular", lang)]
        said.append(t("arma.chosen", lang, name=self.best.name(), criterion=label,
                      pool=t("arma.pool_regular" if regular else "arma.pool_all", lang),
                      value=self._said(chosen, name, ".2f")))
        if raw != chosen:
            reason = next(r for r in ("near_unit", "cancelling", "unconverged")
                          if r == "unconverged" or self._at(raw, r))
            said.append(t("arma.passed_over", lang, criterion=label, value=self._said(raw, name, ".2f"),
                          name=self.fit(*raw).name(), reason=t(f"arma.reason_{reason}", lang)))
        near = self.near
        others = near.iloc[1:]
        if len(others):
            limit = f"<={float(self._at(chosen, name)) + CLOSE!r}"
            among = cell("orders", **{"regular": True, name: limit, "rank": f"!={near['rank'].iloc[0]}"})
            said.append(t("arma.rivals", lang, n=cite(len(others), among), names=", ".join(
                self.fit(*key).name().removeprefix("ARIMA") for key in others[list("pqPQ")].values.tolist())))
        else:
            said.append(t("arma.no_rivals", lang))
        p_value = float(residual_tests(self.best)[0][-1])
        if np.isfinite(p_value):
            said.append(t("arma.residuals_reject" if p_value < 0.05 else "arma.residuals_fine", lang,
                          p=self._said(chosen, "ljung_box_p", ".3f", p_value)))
        if self.season:
            how, months = self.season
            found = t(f"arma.season_found_{'yes' if sum(chosen[2:]) else 'no'}", lang)
            said.append(t(f"arma.season_{how}", lang, months=cite(months, cell("series")), long=LONG,
                          found=found, top=self._allowed.shape[2] - 1))
        return join(said, " " if said[0].isascii() else "")

    def selection_uncertainty(self, n: int = 100, seed: int = 0) -> pd.DataFrame:
        """How often each order would be chosen, were the chosen model true: a parametric bootstrap.

        `n` series of the same length, gaps and regressors are drawn from the best model, and the selection repeated
        among the same orders.

        Returns
        -------
        DataFrame
            ``p, q, P, Q, share, picks``, most frequent first.
        """
        model, d = self.best, self.design
        found = kept_arrays("order-uncertainty", (
            d.columns, d.gaps, d.nobs, d.scale, d.x.shape[1], d.season, self._allowed, self.criterion,
            model.ar_polynomial, model.ma_polynomial, n, seed), lambda: {"picks": picks(self, n, seed)})
        out = pd.DataFrame(found["picks"], columns=[*"pqPQ", "picks"])
        out.insert(4, "share", out["picks"] / n)
        return out.sort_values(["picks", *"pqPQ"], ascending=[False, *[True] * 4], ignore_index=True)

    def plot(self, ax=None, lang: str | None = None):
        """The criterion over the grid as a picture; see `charts.arma.plot_criteria`."""
        from ..charts.arma import plot_criteria

        return plot_criteria(self, ax=ax, lang=lang)

    def rivals(self):
        """Show the choice, the regular orders within 2 of it, and what was passed over, as a reader sees it."""
        passed = self.table[(self.table[[*"pqPQ"]].to_numpy() == self.raw).all(axis=1)]
        rows = pd.concat([self.near, passed]).drop_duplicates([*"pqPQ"]).sort_values("rank")
        return show(**self._shown(rows))

    def _shown(self, rows: pd.DataFrame, caption: str = "", lang: str | None = None) -> dict:
        """Arguments of `display.html_table` for some rows of the table."""
        orders = [*"pdq", *("PDQ" if self.design.season > 1 else "")]
        keep = ["loglik", self.criterion, "delta", "weight", "min_ar_root", "min_ma_root", "ljung_box_p", "regular",
                "rank"]
        heads = {c: t(f"arma.head_{c}", lang) for c in keep if c != self.criterion}
        heads |= {self.criterion: LABELS[self.criterion]} | {c: c for c in orders}
        formats = dict.fromkeys(("loglik", self.criterion, "delta"), "{:.2f}")
        formats |= dict.fromkeys(("weight", "min_ar_root", "min_ma_root", "ljung_box_p"), "{:.3f}")
        return {"frame": rows[orders + keep], "caption": caption, "formats": formats, "heads": heads,
                "lang": lang}

    def to_html(self, lang: str | None = None) -> str:
        """Return the ten best orders and why one was chosen as HTML."""
        rows = self.table.sort_values("rank").head(10)
        caption = t("arma.caption_table", lang, name=self.design.y.name or "y", n=len(rows))
        return html_table(**self._shown(rows, caption, lang), notes=[
            self.why(lang), t("arma.one_d", lang, d=self.order[1], D=self.design.big_d)])


# --- the choice repeated on series drawn from the chosen model

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


def picks(selection: OrderSelection, n: int, seed: int) -> np.ndarray:
    """Return p, q, P, Q and how often the order was chosen among `n` drawn series, an order a row."""
    d, count = selection.design, Counter()
    if selection._allowed.sum() == 1:
        return np.array([[*selection.chosen, n]])
    for series in draws(selection, n, seed):
        found = climb_grid(np.vstack([d.columns[:-1], series]), d.gaps, selection._allowed, d.season)
        count[choose(audit_of(d, found), selection.criterion)[0]] += 1
    return np.array([(*order, c) for order, c in count.items()], np.int64)


# --- the choice

def select_order(y, max_p: int = 5, max_q: int = 5, d: int | None = None, criterion: str = "aicc", exog=None,
                 mode: str = "fast", trend: str = "auto", seasonal="auto", seed: int = 0,
                 max_order: int | None = None) -> OrderSelection:
    """Fit every ARMA(p, q) up to (max_p, max_q) of the d-th difference by exact ML, with seasons, and choose one.

    Parameters
    ----------
    y : Series (T,)
        Monthly PeriodIndex; a RangeIndex or an array will do, its values then count as months. NaN where missing.
    max_p, max_q : int
        Up to 12. Orders too large for the length are left out.
    d : int, optional
        Order of differencing; None lets `stationarity.choose_d` decide, after the differencing over the season.
    criterion : {"aicc", "aic", "bic", "hqic"}
    exog : DataFrame (T, m), Series or array, optional
        Regressors in levels, e.g. the share of Spring Festival in each month; a frame is taken by its months.
    mode : {"fast", "thorough"}
        "thorough" adds random starts, drawn with `seed`, to every order.
    trend : {"auto", "n", "c", "ct"}
        Polynomial in the *level* of y; what differencing removes is left out, so "c" is a mean for d = D = 0 and
        nothing otherwise, and "ct" is a drift once differenced. "auto" is a mean without differencing; with one
        difference it tries a drift as well and keeps it where the chosen order's criterion is lower.
    seasonal : "auto", False or (P, D, Q)
        "auto" differences over the year where the season is strong (`stationarity.choose_D`), and then tries P and Q up
        to 2, to 1 below 72 months, with p + q + P + Q up to 5; where it is not strong, only from 60 months on, without
        differencing. Else there is no seasonal part, as with False; `why` says so. A triple is shared by every order
        of the grid, of 12 months or, as (P, D, Q, s), of another season.
    max_order : int, optional
        Only orders with p + q up to this: a third of the time at 5, which is where R's auto.arima stops.

    Returns
    -------
    OrderSelection

    Raises
    ------
    SeriesError
        Bad data, or a series too short for even the smallest order.

    Notes
    -----
    The bounds on P, Q and the sum of the orders are those of Hyndman and Khandakar (2008, J. Statist. Software 27), as
    of R's ``auto.arima``; but every order within is fitted, by exact likelihood, not step by step. A series that
    is a straight line once it is differenced keeps its drift and nothing else.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> a = rng.standard_normal(201)
    >>> chosen = select_order(a[1:] + 0.8 * a[:-1], max_p=2, max_q=2, d=0, criterion="bic", seasonal=False)
    >>> chosen.order
    (0, 0, 1)
    """
    checked_name(criterion, "criterion", CRITERIA)
    checked_name(mode, "mode", MODES)
    seed, auto = checked_seed(seed), isinstance(seasonal, str)
    if auto:
        checked_name(seasonal, "seasonal", ["auto"])
    max_order = 2 * MAX_ORDER if max_order is None else checked_count(max_order, "largest p + q", 2 * MAX_ORDER, 0)
    given = None if auto else seasonal
    (max_p, _, max_q), (sp, big_d, sq, season) = check_order((max_p, 0, max_q), given)
    months, said, x = as_series(y), None, None
    if exog is not None:        # what the regressors explain is neither a season nor a trend
        plain = prepare(y, exog=exog)
        months, x = plain.y - plain.x.to_numpy() @ plain.offset, plain.exog.to_numpy()
    months.index = pd.period_range("2000-01", periods=len(months), freq="M")  # the rules want months, any will do
    if auto:
        said = _season_of(months, x)
        if said[0] in ("strong", "repeated", "weak"):
            big_d, season, sp = int(said[0] == "strong"), MONTHS, min(2, said[1] // (3 * MONTHS))
            sq = sp
    if d is None:
        from ..stationarity import choose_d  # brings unit-root libraries that nothing else here needs

        d = choose_d(months.diff(season) if big_d else months)
    check_order((0, d, 0), None)
    order = np.indices((max_p + 1, max_q + 1, sp + 1, sq + 1))
    if auto:
        meant = (order[2] + order[3] == 0) | (order.sum(axis=0) <= LARGEST)
    else:
        meant = (order[2] == sp) & (order[3] == sq)
    meant &= order[0] + order[1] <= max_order
    tried = []
    for design in designs(y, int(d), big_d, season, exog, trend):
        spare = design.nobs - design.x.shape[1] - 3
        allowed = meant & (order.sum(axis=0) <= (spare if design.scale else 0))
        if allowed.any():
            tried.append(_select(design, allowed, criterion, mode, seed, said))
        elif not tried:
            least = order.sum(axis=0)[meant].min()
            raise SeriesError("the series is too short for this seasonal order",
                              found=f"{design.nobs} values after differencing",
                              expected=f"at least {least + design.nobs - spare}")
    return min(tried, key=lambda s: s._at(s.chosen, criterion))


def _season_of(y: pd.Series, x) -> tuple[str, int]:
    """Return how a season is looked for, in a word, with the months.

    strong: differenced over the year; repeated: not, since that would leave nothing of the regressors `x` (T, m); weak:
    not; short, few: not at all.
    """
    if len(y) < 3 * MONTHS:
        return "few", len(y)
    from ..stationarity import STRONG, seasonal_strength, without_gaps

    months = len(without_gaps(y))
    if months < 3 * MONTHS:
        return "few", months
    if not seasonal_strength(y) > STRONG:
        return "weak" if months >= LONG else "short", months
    repeated = x is not None and (np.ptp(x[MONTHS:] - x[:-MONTHS], axis=0) == 0).any()
    return "repeated" if repeated else "strong", months


def _select(design, allowed, criterion, mode, seed, said) -> OrderSelection:
    found = climb_grid(design.columns, design.gaps, allowed, design.season, MODES[mode], seed)
    audit = audit_of(design, found)
    return OrderSelection(design, *choose(audit, criterion), criterion, audit, said, found, allowed)


def _orders(key, design) -> tuple[tuple[int, int, int], tuple[int, int, int, int]]:
    (p, q, sp, sq), big_d = key, design.big_d
    return (p, design.d, q), (sp, big_d, sq, design.season if sp or big_d or sq else 1)


def choose(audit: np.recarray, criterion: str) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Return (p, q, P, Q) of the lowest regular order and of the lowest of all; the latter twice where none is regular.
    """
    raw = int(np.argmin(audit[criterion]))
    chosen = int(np.argmin(np.where(audit.regular, audit[criterion], np.inf))) if audit.regular.any() else raw
    return tuple(tuple(int(audit[name][i]) for name in "pqPQ") for i in (chosen, raw))


def audit_of(design, found) -> np.recarray:
    """Return criteria, roots and marks of the orders that were fitted."""
    orders = np.array(list(found))
    out = dict(zip("pqPQ", orders.T)) | {"k": orders.sum(axis=1) + design.x.shape[1] + 1}
    out["loglik"] = design.loglik(0.0) - np.array([one.value for one in found.values()])
    out |= {name: penalty(name, out["k"], design.nobs) - 2 * out["loglik"] for name in CRITERIA}
    out["converged"] = np.array([one.converged for one in found.values()])
    names = ("min_ar_root", "min_ma_root", "cancelling", "near_unit")
    out |= dict(zip(names, map(np.array, zip(*marks(found, design.season), strict=True)), strict=True))
    out["regular"] = out["converged"] & ~out["near_unit"] & ~out["cancelling"]
    return np.rec.fromarrays(list(out.values()), names=list(out))


def marks(found, season: int) -> list[tuple[float, float, bool, bool]]:
    """Smallest moduli of the AR and MA roots of every order, and whether two cancel or one is near the unit circle.

    Both are asked of the plain and of the seasonal factor: a seasonal one of -0.9 is a season that moves slowly, though
    its twelve roots lie at 0.99.
    """
    out = []
    for order, one in found.items():
        parts = np.split(natural(one.angles, (*order, season)), np.cumsum(order[:3]))
        ar, ma, sar, sma = (np.roots(np.r_[1.0, part * sign]) for part, sign in zip(parts, (-1, 1, -1, 1)))
        largest = [np.abs(z).max(initial=0.0) for z in (ar, ma, sar, sma)]
        low = [max(plain, seasonal ** (1 / season)) for plain, seasonal in zip(largest[:2], largest[2:])]
        cancelling = any(np.abs(a[:, None] - m).min(initial=np.inf) < CANCELLING for a, m in ((ar, ma), (sar, sma)))
        out.append((*(1 / z if z > 0 else np.inf for z in low), cancelling, bool(max(largest) > NEAR_UNIT)))
    return out
