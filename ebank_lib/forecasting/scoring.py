"""How good forecasts were: measures of accuracy, the trust grade, whether one method beats another or by chance, and
what a new month says of the last forecast.

Everything that is scaled is scaled at each origin by what was known there: ``scale`` is the mean absolute yearly change
up to the cutoff, so 1 is the error of seasonal naive within the history. A grade compares with the better of two rules
that need no model, last year's month and a straight line on: seasonal naive alone is a straw man for what trends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr

from ..display import Shown, describe, html_table
from ..errors import SeriesError
from ..monthly import checked_name
from ..wording import Text, cell, cite, join, language, percent, t
from .candidates import model_name
from .forecast import Forecast, distribution, heads_of, in_language

if TYPE_CHECKING:
    from .backtest import Backtest, Backtests

SIMPLE = ("snaive", "drift")
SURE = 0.05         # p below which a difference is called more than chance
_FEWEST = 8         # losses below which the test says nothing
_ORIGINS = 6        # below which no grade is given
_OFF = 0.05         # probability, were the forecast right, of a departure that is called off track
_PLACES = 2000      # of the old distribution, in which a new month's place is looked up


def crps(points: np.ndarray, y) -> np.ndarray:
    """Return the continuous ranked probability score (H,) of distributions given by equally likely values (P, H).

    Twice the quantile loss, averaged over the quantiles (Gneiting & Ranjan 2011, eq. 17), in units of `y` (H,); for a
    point it is the absolute error. NaN where `y` is.
    """
    tau = ((np.arange(len(points)) + 0.5) / len(points))[:, None]
    miss = np.asarray(y, dtype=float) - points
    return 2 * np.maximum(tau * miss, (tau - 1) * miss).mean(axis=0)


def scores_of(known: pd.DataFrame, level, by: str | None = None) -> pd.DataFrame:
    """Return the accuracy of each method on rows of :meth:`Backtest.scored`, see :meth:`Backtest.scores`."""
    keys = ["model"] if by is None else ["model", by]
    groups = pd.concat([known[keys], _losses(known, level)], axis=1).groupby(keys, sort=False)
    out = groups.mean().assign(n=groups.size()).reset_index()
    size, error, y = (out.pop(name) for name in ("size", "error", "y"))
    out["rmsse"], out["smape"] = np.sqrt(out["rmsse"]), 200 * out["smape"]
    out["wape"], out["bias"] = (100 * mean / y.where(y > 0) for mean in (size, error))
    simple = size[out["model"].isin(SIMPLE)]
    base = out[by].map(simple.groupby(out[by]).min()) if by else pd.Series(simple.min(), out.index)
    out["ratio"] = size / base.where(base > 0)        # none where a simple rule has no error
    measures = ["mase", "rmsse", "smape", "wape", "bias", "crps", *(
        f"{name}-{lv:g}" for name in ("msis", "coverage") for lv in level)]
    return out[[*keys, "n", *measures, "ratio"]]


def _losses(known: pd.DataFrame, level) -> pd.DataFrame:
    """What each row adds to the measures; a row without a scale adds nothing to the scaled ones."""
    limits = [f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")]
    rows = known[["y", "y_hat", "crps", "scale", "scale2", *limits]].astype(float)
    y, said, power = rows["y"], rows["y_hat"], rows["scale2"].where(rows["scale2"] > 0)
    scaled = rows.div(rows["scale"].where(rows["scale"] > 0), axis=0)
    error, whole = said - y, said.abs() + y.abs()
    out = {"size": error.abs(), "error": error, "y": y.abs(), "mase": (scaled["y"] - scaled["y_hat"]).abs(),
           "rmsse": error**2 / power, "smape": (error.abs() / whole).mask(whole == 0, 0.0), "crps": scaled["crps"]}
    for lv in level:
        low, high = rows[f"lo-{lv:g}"], rows[f"hi-{lv:g}"]
        # Who states no limits has none that hold or do not.
        out[f"coverage-{lv:g}"] = y.between(low, high).astype(float).where(low.notna())
        low, high = scaled[f"lo-{lv:g}"], scaled[f"hi-{lv:g}"]
        beyond = (low - scaled["y"]).clip(lower=0) + (scaled["y"] - high).clip(lower=0)
        out[f"msis-{lv:g}"] = high - low + 2 / ((100 - lv) / 100) * beyond
    return pd.DataFrame(out)


@dataclass(frozen=True)
class Grade:
    """How far to trust a forecast, from its backtest only. The rule is :func:`grade_rule`."""

    letter: str
    ratio: float        # mean absolute error against that of the better simple rule
    smape: float        # per cent
    coverage: float     # share of actual values within the widest limits
    level: float
    origins: int

    def reading(self, lang: str | None = None, **row) -> str:
        """Return the grade and its reason in a sentence; `row` says in which row of the table ``grade`` it stands."""
        share = self.ratio if self.letter == "C" else abs(1 - self.ratio)
        shown = {"ratio": percent(share, 0), "smape": f"{self.smape:.1f}",
                 "coverage": percent(self.coverage, 0), "level": f"{self.level:g}", "origins": self.origins}
        said = {name: cite(text, cell("grade", name, **row)) if row else text for name, text in shown.items()}
        return t(f"forecasting.grade_{self.letter}", lang, n=said.pop("origins"), **said)


def grade_rule(ratio: float, coverage: float, level: float, origins: int) -> str:
    """Return the trust grade.

    The error is held against that of the better of two simple rules on the same months: last year's month as it was,
    and a straight line on from the last month by the mean monthly change (on the modelling scale: by the mean growth).
    A: clearly better, an error at least a quarter smaller, and limits of `level` per cent that held no fewer actual
    values than `level` less ten points; a method without limits gets no A. B: better, by a tenth at least. C: about as
    good, within a tenth. D: worse, by a tenth at least: use the simple rule. E: cannot be judged (fewer than six
    origins, or a simple rule without error).
    """
    if origins < _ORIGINS or not np.isfinite(ratio):
        return "E"
    if ratio <= 0.75 and coverage * 100 >= level - 10:
        return "A"
    return "B" if ratio <= 0.9 else "C" if ratio < 1.1 else "D"


@dataclass(frozen=True)
class LossTest:
    """A test of two methods' losses, see :func:`diebold_mariano`.

    ``difference`` is the mean loss of the first less the second's; ``variance`` how its variance was estimated;
    ``p_value`` is NaN where there is nothing to test, and ``reason`` says why.
    """

    n: int
    horizon: int
    difference: float
    statistic: float = np.nan
    p_value: float = np.nan
    variance: str = "none"
    reason: str = ""


def diebold_mariano(loss_a, loss_b, horizon: int = 1) -> LossTest:
    """Test whether two methods lose the same on average (Diebold & Mariano 1995).

    `loss_a` and `loss_b` (n,) are losses at origins one month apart, in order of time; those up to ``horizon - 1``
    origins apart overlap. One month ahead with the correction of Harvey, Leybourne & Newbold (1997), compared with
    Student's t of n - 1 degrees, as ``forecast::dm.test`` of R. Where forecasts overlap the variance comes from the B
    slowest cosine waves of the differences, B = n / (2 horizon), compared with t of B degrees (Lazarus et al. 2018;
    such fixed smoothing for this test: Coroneo & Iacone 2020).

    Of 4000 pairs that lose the same, 12 origins of overlapping losses, the variance by autocovariances called 12%
    different at the 5% level when 3 months were judged and 24% when 6 were; cosines 5.6% and 6.4%.
    """
    d = np.subtract(loss_a, loss_b, dtype=float)
    n, least = d.size, max(_FEWEST, horizon + 1)
    found = LossTest(n, horizon, float(d.mean()) if n else np.nan)
    if n < least:
        return replace(found, reason=f"too few losses; found {n}; expected at least {least}")
    if np.ptp(d) <= 1e-12 * max(np.abs(d).max(), 1e-300):
        return replace(found, reason="the losses never differ")
    if horizon == 1:
        x = d - d.mean()
        power, how, correction, df = float(x @ x) / n / n, "autocovariances", float(np.sqrt((n - 1) / n)), n - 1
    else:
        df = min(max(1, n // (2 * horizon)), n - 1)
        waves = np.cos(np.pi * np.outer(np.arange(1, df + 1), (np.arange(n) + 0.5) / n))
        power, how, correction = float(np.mean((np.sqrt(2 / n) * waves @ d) ** 2)) / n, "cosines", 1.0
    statistic = float(correction * d.mean() / np.sqrt(power))
    return replace(found, statistic=statistic, p_value=float(2 * stdtr(df, -abs(statistic))), variance=how)


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """One method against others on the same origins; see :func:`compare`.

    Attributes
    ----------
    table : DataFrame
        ``model, other, n, horizon, difference, statistic, p_value, variance, reason``: a row a pair. ``difference`` is
        the mean scaled loss of ``model`` less ``other``'s, below zero where ``model`` was the better.
    null, alternative : str
    """

    table: pd.DataFrame
    null: str = "the two methods lose the same on average"
    alternative: str = "two-sided"

    def reading(self, lang: str | None = None) -> str:
        """Return each pair in a sentence."""
        lang = language(lang)
        said = []
        for row in self.table.itertuples():
            def told(text: object, column: str, other: str = row.other) -> str:
                return cite(text, cell("comparison", column, other=other))

            values = {"model": model_name(row.model, lang), "other": model_name(row.other, lang), "n": told(row.n, "n")}
            key = "pair_none"
            if np.isfinite(row.p_value):
                key = f"pair_{'better' if row.difference < 0 else 'worse'}_{'sure' if row.p_value < SURE else 'chance'}"
                small = row.p_value < 0.0005
                values["p"] = ("<" if small else "=" if lang == "zh" else " = ") + told(
                    "0.001" if small else f"{row.p_value:.3f}", "p_value")
                values["horizon"] = told(row.horizon, "horizon")
            text = t(f"forecasting.{key}", lang, **values)
            said.append(Text(text[:1].upper() + text[1:], text.cells))
        return join(said, "" if lang == "zh" else " ")

    def to_html(self, lang: str | None = None) -> str:
        """Return the comparison as HTML, the hypotheses below."""
        shown = self.table[["other", "n", "horizon", "difference", "statistic", "p_value"]]
        shown = shown.assign(other=[model_name(m, lang) for m in shown["other"]], verdict=[
            t(f"forecasting.verdict_{_verdict(row)}", lang) for row in self.table.itertuples()])
        heads = heads_of(shown, lang, other="forecasting.against", n="forecasting.origins",
                         horizon="forecasting.months_judged", difference="forecasting.loss_difference")
        model = self.table["model"].iloc[0] if len(self.table) else ""
        return html_table(shown, heads=heads, lang=lang,
                          formats={"difference": "{:+.2f}", "statistic": "{:.2f}"},
                          caption=t("forecasting.compare_caption", lang, model=model_name(model, lang)),
                          notes=[t("forecasting.hypotheses", lang), t("forecasting.overlap", lang)])


def _verdict(row) -> str:
    if not np.isfinite(row.p_value):
        return "none"
    return "chance" if row.p_value >= SURE else "better" if row.difference < 0 else "worse"


def compare(backtest: Backtest | Backtests, model: str | None = None, other: str | None = None) -> Comparison:
    """Test one method of a backtest against another, or against all others, by :func:`diebold_mariano`.

    What is judged is the mean absolute error over the first months ahead of each origin, scaled as MASE: as many months
    as there are four times as many origins of, since forecasts that overlap hardly count as new evidence. Of many
    series it is the mean over those that can be compared at an origin (Timmermann & Zhu 2019, "Comparing forecasting
    performance with panel data"): what moves all of them in one month counts once.

    Parameters
    ----------
    backtest : Backtest or Backtests
    model : str, optional
        Default: the first.
    other : str, optional
        Default: every other.

    Raises
    ------
    UnknownNameError
        A method that is not in the backtest.
    """
    model = backtest.models[0] if model is None else model
    others = [m for m in backtest.models if m != model] if other is None else [other]
    for name in (model, *others):
        checked_name(name, "forecast model", backtest.models)
    known = backtest.scored()
    loss = (known["y"] - known["y_hat"]).abs() / known["scale"].where(known["scale"] > 0)
    wide = known.assign(loss=loss.astype(float)).pivot_table("loss", ["unique_id", "cutoff", "horizon"], "model")
    rows = [{"model": model, "other": name, **asdict(diebold_mariano(*_pair(wide, model, name)))}
            for name in others]
    table = pd.DataFrame(rows, columns=["model", "other", *(f.name for f in fields(LossTest))])
    return Comparison(describe(table, pooled=True))


def _pair(wide: pd.DataFrame, model: str, other: str):
    """Two methods' mean losses over the months ahead, an origin a number, and how many months ahead those are."""
    if model not in wide or other not in wide:
        return [], [], 1
    both = wide[[model, other]].dropna().groupby(level=["cutoff", "horizon"]).mean()
    ahead = both.index.get_level_values("horizon")
    best = ([], [], 1)
    for h in sorted(set(ahead)):
        groups = both[ahead <= h].groupby(level="cutoff")
        mean = groups.mean()[groups.size() == h]
        if h == 1 or len(mean) >= 4 * h:
            best = (mean[model].to_numpy(), mean[other].to_numpy(), h)
    return best


# --- a new month arrives: was it within the limits, and what does it do to the forecast

@dataclass(frozen=True, repr=False)
class Revision(Shown):
    """What new data did to a forecast; see :func:`revise`.

    Attributes
    ----------
    table : DataFrame
        ``month, old, new, change, change_pct``: the months ahead that both forecasts speak of. ``change_pct`` is in per
        cent of ``old``, NaN where that is zero.
    check : DataFrame
        ``month, actual, y_hat, lo-80, hi-80, inside-80, ..., pit``: the new months against the old forecast. ``pit`` is
        the probability that the old forecast gave to less than what came, 0.5 where it came as the median.
    before, after : Forecast
    departure : float
        The probability, were the old forecast right, that the new months together lie as far to one side; NaN below two
        months.
    """

    table: pd.DataFrame
    check: pd.DataFrame
    before: Forecast
    after: Forecast
    departure: float = np.nan

    def reading(self, lang: str | None = None) -> str:
        """Return what came and what it means for the forecast."""
        lang = language(lang)
        f = self.before
        label = in_language(f.label, lang) or t("forecasting.the_series", lang)
        if self.check.empty:
            return t("forecasting.revision_none", lang, label=label)
        row, widest = self.check.iloc[-1], max(f.level)
        far = 2 * min(row["pit"], 1 - row["pit"])
        said = [t(f"forecasting.revision_{'inside' if row[f'inside-{widest:g}'] else 'outside'}", lang,
                  label=label, month=f._month(row["month"], lang), actual=f.said(row["actual"], lang),
                  expected=f.said(row["y_hat"], lang), level=f"{widest:g}",
                  lo=f.said(row[f"lo-{widest:g}"], lang), hi=f.said(row[f"hi-{widest:g}"], lang),
                  odds=percent(far, 0) if far >= 0.01 else "<1%")]
        if self.departure < _OFF:
            said.append(t("forecasting.off_track", lang, n=len(self.check), odds=percent(self.departure, 1)))
        said.append(self._moved(lang))
        return ("" if lang == "zh" else " ").join(said)

    def _moved(self, lang: str) -> str:
        if self.table.empty:
            return t("forecasting.revision_over", lang)
        f, last = self.before, self.table.iloc[-1]
        month, new = f._month(last["month"], lang), f.said(last["new"], lang)
        share = last["change"] if f.kind == "ratio" else last["change_pct"] / 100
        if not np.isfinite(share) or abs(share) < 0.0005:
            return t("forecasting.revision_still", lang, month=month, new=new)
        change = t("forecasting.points", lang, n=f"{share * 100:+.1f}") if f.kind == "ratio" else (
            f"{'+' if share > 0 else ''}{f.said(last['change'], lang)}, {share:+.1%}")    # as the table below has it
        return t("forecasting.revision_moved", lang, month=month, old=f.said(last["old"], lang), new=new, change=change)

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw old and new forecast and what came; see ``charts.forecasting.plot_revision``."""
        from ..charts.forecasting import plot_revision

        return plot_revision(self, ax=ax, lang=lang, **options)

    def to_html(self, lang: str | None = None) -> str:
        """Return the tables of the revision as HTML: what came, what changed."""
        f, label = self.before, in_language(self.before.label, lang) or self.before.unique_id
        limits = [c for c in self.check if c[:3] in ("lo-", "hi-")]
        said = {c: lambda v: f.said(v, lang) for c in ("actual", "y_hat", "old", "new", *limits)}
        said |= {"change": lambda v: ("+" if v > 0 else "") + f.said(v, lang), "change_pct": "{:+.1f}",
                 "pit": lambda v: percent(v, 0)}
        shown = self.table if f.kind != "ratio" else self.table.drop(columns="change_pct")
        moved = html_table(shown, caption=t("forecasting.revision_caption", lang, label=label), lang=lang,
                           heads=heads_of(shown, lang), formats=said, notes=[self.reading(lang)])
        if self.check.empty:
            return moved
        return html_table(self.check, caption=t("forecasting.check_caption", lang, label=label), lang=lang,
                          heads=heads_of(self.check, lang), formats=said,
                          notes=[t("forecasting.pit_note", lang)]) + moved


def revise(before: Forecast, after: Forecast) -> Revision:
    """Say what new data did to a forecast: `after` is of the same series as `before`, as it is known now."""
    y = after.y
    if y.index[-1] < before.y.index[-1]:
        raise SeriesError("the new forecast starts before the old one", found=str(y.index[-1]),
                          expected=f"{before.y.index[-1]} or later")
    old, new = before.block().set_index("month"), after.block().set_index("month")["y_hat"]
    ahead = old.index.intersection(new.index)
    table = pd.DataFrame({"month": ahead, "old": old.loc[ahead, "y_hat"].to_numpy(), "new": new[ahead].to_numpy()})
    table["change"] = table["new"] - table["old"]
    table["change_pct"] = 100 * table["change"] / table["old"].abs().where(table["old"] != 0)
    check, departure = _check(before, y[y.index > before.y.index[-1]].dropna(), old)
    return Revision(describe(table, pooled=True),
                    describe(check, months={"actual": "row"}, exact=["actual"], pooled=True), before, after, departure)


def _check(before: Forecast, came: pd.Series, said: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The new months against the old forecast, and how improbable they are together."""
    came = came[came.index.isin(said.index)]
    rows, actual, at = said.loc[came.index], came.to_numpy(), said.index.get_indexer(came.index)
    check = pd.DataFrame({"month": came.index, "actual": actual, "y_hat": rows["y_hat"].to_numpy()})
    for lv in before.level:
        low, high = rows[f"lo-{lv:g}"].to_numpy(), rows[f"hi-{lv:g}"].to_numpy()
        check[f"lo-{lv:g}"], check[f"hi-{lv:g}"] = low, high
        check[f"inside-{lv:g}"] = (actual >= low) & (actual <= high)
    points = distribution(before, before.headline, _PLACES)[:, at]
    check["pit"] = ((points < actual).mean(axis=0) + (points <= actual).mean(axis=0)) / 2
    part = before.parts[before.headline]
    if len(came) < 2 or not (part.sd[at] > 0).all():
        return check, np.nan
    # Months of one forecast err together: the sum of their normal scores has the spread that its paths have.
    corr = part.cov[np.ix_(at, at)] / np.outer(part.sd[at], part.sd[at])
    score = ndtri(check["pit"].clip(0.5 / _PLACES, 1 - 0.5 / _PLACES).to_numpy()).sum() / np.sqrt(corr.sum())
    return check, float(2 * ndtr(-abs(score)))
