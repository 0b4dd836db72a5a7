"""Is one method better than another, or was it chance: tests of equal accuracy for few origins.

Diebold & Mariano (1995) with the small-sample correction of Harvey, Leybourne & Newbold (1997), and the conditional
test of Giacomini & White (2006): could the loss of today have told which method loses less next time?
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import chdtrc, stdtr

from ebank_lib.display import html_table
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.wording import language, t

if TYPE_CHECKING:
    from .backtest import Backtest

__all__ = ["Comparison", "LossTest", "compare", "diebold_mariano", "giacomini_white"]

SURE = 0.05         # p below which a difference is called more than chance
FEWEST = 8          # losses below which neither test says anything
LOSSES = ("absolute", "squared", "crps")
TESTS = ("dm", "gw")
VARIANCES = ("autocovariances", "cosines")


@dataclass(frozen=True)
class LossTest:
    """A test of two methods' losses.

    ``difference`` is the mean loss of the first less the second's; ``variance`` how its variance was estimated
    (``autocovariances``, ``bartlett`` where those gave none above zero, ``cosines``, ``none``); ``distribution`` what
    the statistic follows under the null; ``p_value`` is NaN where there is nothing to test, and ``reason`` says why.
    """

    null: str
    alternative: str
    statistic: float
    p_value: float
    n: int
    horizon: int
    difference: float
    variance: str
    distribution: str
    reason: str = ""


def diebold_mariano(loss_a, loss_b, horizon: int = 1, alternative: str = "two-sided",
                    variance: str = "autocovariances") -> LossTest:
    """Test whether two methods lose the same on average (Diebold & Mariano 1995).

    Parameters
    ----------
    loss_a, loss_b : array (n,)
        Losses at origins one month apart, in order of time.
    horizon : int
        Months ahead; losses up to ``horizon - 1`` origins apart overlap, and their autocovariances are counted.
    alternative : {"two-sided", "less", "greater"}
        ``less``: the first loses less than the second.
    variance : {"autocovariances", "cosines"}
        ``autocovariances`` with the correction of Harvey, Leybourne & Newbold (1997), compared with Student's t of
        n - 1 degrees, as ``forecast::dm.test`` of R. Where the variance so estimated is not above zero, Bartlett's
        weights are put on the autocovariances; with them it is never negative. ``cosines``: the variance from the B
        slowest cosine waves of the differences, B = n / (2 horizon), compared with t of B degrees (Lazarus et al. 2018;
        such fixed smoothing for this test: Coroneo & Iacone 2020).

    Returns
    -------
    LossTest
        On forecasts from a rolling window this is the unconditional test of Giacomini & White.

    Notes
    -----
    Of 4000 pairs that lose the same, 12 origins of overlapping losses, the first variance called 12% different at the
    5% level when 3 months were judged and 24% when 6 were; the second 5.6% and 6.4%.

    Raises
    ------
    SeriesError
        Losses of unequal length, not finite, or a horizon out of range.
    UnknownNameError
        An unknown alternative or variance.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).gamma(2, size=(2, 24))
    >>> diebold_mariano(a, a + 1 + b / 10).distribution
    't(23)'
    """
    if alternative not in ("two-sided", "less", "greater"):
        raise UnknownNameError("alternative", alternative, ("two-sided", "less", "greater"))
    if variance not in VARIANCES:
        raise UnknownNameError("variance", variance, VARIANCES)
    d, horizon = _differences(loss_a, loss_b, horizon)
    n = d.size
    said = {"null": "the two methods lose the same on average", "alternative": alternative, "n": n, "horizon": horizon,
            "difference": float(d.mean()) if n else np.nan}
    reason = _too_few(d, n, horizon)
    if reason:
        return LossTest(statistic=np.nan, p_value=np.nan, variance="none", distribution="none", reason=reason, **said)
    power, how, correction, df = _of_cosines(d, horizon) if variance == "cosines" else _of_autocovariances(d, horizon)
    statistic = float(correction * d.mean() / np.sqrt(power))
    tail = {"two-sided": 2 * stdtr(df, -abs(statistic)), "less": stdtr(df, statistic),
            "greater": stdtr(df, -statistic)}[alternative]
    return LossTest(statistic=statistic, p_value=float(tail), variance=how, distribution=f"t({df})", **said)


def giacomini_white(loss_a, loss_b, horizon: int = 1) -> LossTest:
    """Test whether the difference of two methods' losses can be foretold (Giacomini & White 2006).

    The instruments are a constant and the difference that was known when the forecast was made, `horizon` origins
    before. For one month ahead the statistic is n R2 of the regression of 1 on them times the difference.

    Parameters
    ----------
    loss_a, loss_b, horizon
        As for :func:`diebold_mariano`; the theory asks for forecasts from a window of constant length.

    Returns
    -------
    LossTest
        Statistic compared with chi-squared of 2 degrees; ``n`` counts the losses that have an instrument.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).gamma(2, size=(2, 24))
    >>> giacomini_white(a, b).n, giacomini_white(a, b).distribution
    (23, 'chi2(2)')
    """
    d, horizon = _differences(loss_a, loss_b, horizon)
    n = max(d.size - horizon, 0)
    said = {"null": "which method loses less cannot be foretold", "alternative": "it can", "n": n, "horizon": horizon,
            "difference": float(d.mean()) if d.size else np.nan}
    reason = _too_few(d, n, horizon)
    if reason:
        return LossTest(statistic=np.nan, p_value=np.nan, variance="none", distribution="none", reason=reason, **said)
    z = np.column_stack([np.ones(n), d[:-horizon]]) * d[horizon:, None]
    omega, how = _long_run(z, np.ones(horizon - 1)), "autocovariances"
    if np.linalg.eigvalsh(omega)[0] <= _tiny(float(np.trace(omega)), n):
        omega, how = _long_run(z, 1 - np.arange(1, horizon) / horizon), "bartlett"
    mean = z.mean(axis=0)
    statistic = float(n * mean @ np.linalg.pinv(omega, hermitian=True) @ mean)
    return LossTest(statistic=statistic, p_value=float(chdtrc(2, statistic)), variance=how,
                    distribution="chi2(2)", **said)


def _differences(loss_a, loss_b, horizon) -> tuple[np.ndarray, int]:
    a, b = np.asarray(loss_a, dtype=float), np.asarray(loss_b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape:
        raise SeriesError("losses are not of the same origins", found=f"{a.shape} and {b.shape}",
                          expected="two series of one length")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise SeriesError("a loss is not finite", expected="numbers")
    if isinstance(horizon, bool) or int(horizon) != horizon or horizon < 1:
        raise SeriesError("the horizon is out of range", found=horizon, expected="1 month or more")
    return a - b, int(horizon)


def _too_few(d: np.ndarray, n: int, horizon: int) -> str:
    least = max(FEWEST, horizon + 1)
    if n < least:
        return f"too few losses; found {n}; expected at least {least}"
    return "the losses never differ" if np.ptp(d) <= 1e-12 * max(np.abs(d).max(), 1e-300) else ""


def _tiny(size: float, n: int) -> float:
    """What rounding leaves of a variance that is zero."""
    return 1e-10 * size / n


def _of_autocovariances(d: np.ndarray, horizon: int) -> tuple[float, str, float, int]:
    """Variance of the mean, how it was got, the factor of Harvey et al., degrees of freedom."""
    n, x, lags = d.size, d - d.mean(), np.arange(1, horizon)
    own, cross = float(x @ x) / n, np.array([x[lag:] @ x[:-lag] / n for lag in lags])
    power, how = (own + 2 * cross.sum()) / n, "autocovariances"
    if power <= _tiny(own, n):
        power, how = (own + 2 * ((1 - lags / horizon) * cross).sum()) / n, "bartlett"
    return power, how, float(np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)), n - 1


def _of_cosines(d: np.ndarray, horizon: int) -> tuple[float, str, float, int]:
    n = d.size
    waves = min(max(1, n // (2 * horizon)), n - 1)
    at = (np.arange(n) + 0.5) / n
    sums = np.sqrt(2 / n) * np.cos(np.pi * np.outer(np.arange(1, waves + 1), at)) @ d
    return float(np.mean(sums**2)) / n, "cosines", 1.0, waves


def _long_run(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Second moments, not about the mean: under the null it is zero (Giacomini & White 2006, eq. 6)."""
    total = z.T @ z / len(z)
    for lag, weight in enumerate(weights, 1):
        cross = z[lag:].T @ z[:-lag] / len(z)
        total = total + weight * (cross + cross.T)
    return total


@dataclass(frozen=True)
class Comparison:
    """One method against others on the same origins; see :func:`compare`.

    Attributes
    ----------
    table : DataFrame
        ``model, other, n, horizon, difference, statistic, p_value, variance, reason``: a row a pair. ``difference`` is
        the mean scaled loss of ``model`` less ``other``'s, below zero where ``model`` was the better.
    null, alternative : str
    test, loss : str
    """

    table: pd.DataFrame
    null: str
    alternative: str
    test: str
    loss: str
    label: object = field(default="", repr=False)

    def verdict(self, other: str, lang: str | None = None) -> str:
        """Return in words what the row against `other` says.

        Raises
        ------
        UnknownNameError
            There is no such row.
        """
        if other not in set(self.table["other"]):
            raise UnknownNameError("method of the comparison", other, self.table["other"])
        row = self.table.set_index("other").loc[other]
        if not np.isfinite(row["p_value"]):
            return t("forecasting.verdict_none", lang)
        if row["p_value"] >= SURE:
            return t("forecasting.verdict_chance", lang)
        if self.test == "gw":
            return t("forecasting.verdict_foretold", lang)
        return t(f"forecasting.verdict_{'better' if row['difference'] < 0 else 'worse'}", lang)

    def reading(self, lang: str | None = None) -> str:
        """Return each pair in a sentence."""
        lang = language(lang)
        said = []
        for row in self.table.itertuples():
            names = {"model": _name(row.model, lang), "other": _name(row.other, lang)}
            if not np.isfinite(row.p_value):
                said.append(t("forecasting.pair_none", lang, n=row.n, **names))
                continue
            sure = row.p_value < SURE
            key = ("pair_foretold" if sure else "pair_not_foretold") if self.test == "gw" else (
                f"pair_{'better' if row.difference < 0 else 'worse'}_{'sure' if sure else 'chance'}")
            said.append(t(f"forecasting.{key}", lang, p=_p(row.p_value, lang), n=row.n, horizon=row.horizon, **names))
        return ("" if lang == "zh" else " ").join(s[:1].upper() + s[1:] for s in said)

    def to_html(self, lang: str | None = None) -> str:
        """Return the comparison as HTML, the hypotheses below."""
        lang = language(lang)
        shown = pd.DataFrame({
            "other": [_name(m, lang) for m in self.table["other"]], "n": self.table["n"],
            "horizon": self.table["horizon"], "difference": self.table["difference"],
            "statistic": self.table["statistic"], "p_value": self.table["p_value"],
            "verdict": [self.verdict(m, lang) for m in self.table["other"]]})
        heads = {"other": t("forecasting.against", lang), "n": t("forecasting.origins", lang),
                 "horizon": t("forecasting.months_judged", lang), "difference": t("forecasting.loss_difference", lang),
                 "statistic": t("forecasting.statistic", lang), "p_value": t("forecasting.p_value", lang),
                 "verdict": t("forecasting.verdict", lang)}
        model = self.table["model"].iloc[0] if len(self.table) else ""
        return html_table(shown, heads=heads, lang=lang,
                          formats={"difference": "{:+.2f}", "statistic": "{:.2f}"},
                          caption=t(f"forecasting.compare_caption_{self.test}", lang, model=_name(model, lang)),
                          notes=[t(f"forecasting.hypotheses_{self.test}", lang), t("forecasting.overlap", lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def _name(model: str, lang: str) -> str:
    return t(f"forecasting.model_{model}", lang) if model else ""


def _p(value: float, lang: str) -> str:
    return "<0.001" if value < 0.0005 else f"={value:.3f}" if lang == "zh" else f" = {value:.3f}"


def compare(backtest: Backtest, model: str | None = None, other: str | None = None, horizon: int | None = None,
            loss: str = "absolute", test: str = "dm") -> Comparison:
    """Test one method of a backtest against another, or against all others.

    Parameters
    ----------
    backtest : Backtest
    model : str, optional
        Default: the first.
    other : str, optional
        Default: every other.
    horizon : int, optional
        Judge the mean loss over the months 1 to `horizon` ahead of each origin. Default: the most months for which
        there are four times as many origins, as forecasts that overlap hardly count as new evidence.
    loss : {"absolute", "squared", "crps"}
        Scaled at each origin as MASE (``squared``: as RMSSE).
    test : {"dm", "gw"}
        Equal on average (:func:`diebold_mariano`, by cosines where forecasts overlap) or not to be foretold
        (:func:`giacomini_white`).

    Raises
    ------
    UnknownNameError
        A method that is not in the backtest, an unknown loss or test.
    """
    for what, name, known in (("loss", loss, LOSSES), ("test", test, TESTS)):
        if name not in known:
            raise UnknownNameError(what, name, known)
    model = backtest.models[0] if model is None else model
    others = [m for m in backtest.models if m != model] if other is None else [other]
    for name in (model, *others):
        if name not in backtest.models:
            raise UnknownNameError("forecast model", name, backtest.models)
    wide = _losses(backtest, loss)
    rows = []
    for name in others:
        a, b, ahead = _pair(wide, model, name, horizon, backtest.horizon)
        found = giacomini_white(a, b, ahead) if test == "gw" else diebold_mariano(
            a, b, ahead, variance="cosines" if ahead > 1 else "autocovariances")
        rows.append({"model": model, "other": name, "n": found.n, "horizon": ahead, "difference": found.difference,
                     "statistic": found.statistic, "p_value": found.p_value, "variance": found.variance,
                     "reason": found.reason})
    table = pd.DataFrame(rows, columns=["model", "other", "n", "horizon", "difference", "statistic", "p_value",
                                        "variance", "reason"])
    of = diebold_mariano([], []) if test == "dm" else giacomini_white([], [])
    return Comparison(table, of.null, of.alternative, test, loss, backtest.label)


def _losses(backtest: Backtest, loss: str) -> pd.DataFrame:
    """Scaled losses, a row a cutoff and horizon, a column a method."""
    known = backtest.scored()
    error = (known["y"] - known["y_hat"]).astype(float)
    scale, power = known["scale"].where(known["scale"] > 0), known["scale2"].where(known["scale2"] > 0)
    value = {"absolute": error.abs() / scale, "squared": error**2 / power, "crps": known["crps"] / scale}[loss]
    return known.assign(value=value.astype(float)).pivot_table("value", ["cutoff", "horizon"], "model")


def _pair(wide: pd.DataFrame, model: str, other: str, horizon: int | None, most: int):
    """Two methods' mean losses over the months ahead, an origin a number, and how many months ahead those are."""
    if model not in wide or other not in wide:
        return [], [], 1 if horizon is None else horizon
    both = wide[[model, other]].dropna()
    ahead = both.index.get_level_values("horizon")
    best = ([], [], 1)
    for h in [horizon] if horizon is not None else range(1, most + 1):
        groups = both[ahead <= h].groupby(level="cutoff")
        mean = groups.mean()[groups.size() == h]
        if horizon is not None or h == 1 or len(mean) >= 4 * h:
            best = (mean[model].to_numpy(), mean[other].to_numpy(), h)
    return best
