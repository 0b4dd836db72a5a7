"""Interventions: the months in which a series did what its own past does not explain, and how large it was."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import t as student

from ebank_lib.display import html_table
from ebank_lib.errors import SeriesError
from ebank_lib.wording import language, month_name, percent, t

from .moving import festival, monthly

__all__ = ["Interventions", "critical_value", "find_interventions", "take_out"]

KINDS = ("outlier", "level_shift", "temporary")
_FADE = 0.7                 # of a temporary change, what is left a month later (Chen & Liu 1993)
_LEAST = 18
_THETAS = (0.0, -0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8, -0.9, -0.95)
_CHANCE = 0.21              # see `critical_value`


@dataclass(frozen=True)
class Interventions:
    """Months in which a series did what its own past does not explain; see :func:`find_interventions`.

    Attributes
    ----------
    table : DataFrame
        ``month, kind`` (outlier, level_shift, temporary), ``size`` (fraction of the level on the log scale, else the
        series' unit), ``t``, ``found`` (beyond the critical value), ``zh, en`` (the known event, empty if none).
    critical : float
        What |t| must exceed.
    log : bool
        Whether sizes are fractions.
    """

    table: pd.DataFrame = field(repr=False)
    critical: float
    log: bool
    label: object = ""

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return a sentence for each month."""
        lang = language(lang)
        said = []
        for row in self.table.to_dict("records"):
            size = percent(row["size"], sign=True) if self.log else f"{row['size']:+.4g}"
            key = "explained" if row[lang] else "unexplained"
            said.append(t(f"events.{key if row['found'] else 'not_found'}", lang, month=month_name(row["month"], lang),
                          kind=t(f"events.{row['kind']}", lang), size=size, t=f"{row['t']:.1f}", event=row[lang]))
        return said

    def reading(self, lang: str | None = None) -> str:
        """Return what was found in a few sentences."""
        return " ".join(self.sentences(lang)) or t("events.nothing", lang)

    def to_html(self, lang: str | None = None) -> str:
        """Return the months as an HTML table."""
        lang = language(lang)
        shown = self.table.assign(kind=[t(f"events.{k}", lang) for k in self.table["kind"]], event=self.table[lang])
        columns = ["month", "kind", "size", "t", "event"]
        return html_table(shown[columns], caption=t("events.caption", lang), lang=lang,
                          heads={c: t(f"events.head_{c}", lang) for c in columns},
                          formats={"size": (lambda v: percent(v, sign=True)) if self.log else "{:+.4g}", "t": "{:.1f}"},
                          notes=[self.reading(lang), t("events.note", lang, critical=f"{self.critical:.2f}")])

    def _repr_html_(self) -> str:
        return self.to_html()


def critical_value(months: int) -> float:
    """Return what |t| must exceed in a search over every month and kind of a series of so many months.

    The bound for the largest of 3 x months t statistics (Bonferroni), with a chance, set by simulation of clean series
    of 44 months, that leaves about 0.15 false alarms a series: the statistics of neighbouring months go together.

    Examples
    --------
    >>> round(critical_value(44), 2), round(critical_value(120), 2)
    (3.39, 3.54)
    """
    return float(student.ppf(1 - _CHANCE / (2 * len(KINDS) * months), months - 4))


def find_interventions(y: pd.Series, events: pd.DataFrame | None = None, calendar: str = "none",
                       most: int = 6) -> Interventions:
    """Find outliers, level shifts and temporary changes of a monthly series.

    Parameters
    ----------
    y : Series (T,), PeriodIndex
        At least 18 months; gaps within are interpolated.
    events : DataFrame, optional
        Known events (:func:`known_events`): each is fitted first, in the kind that suits it best, and listed whether it
        shows or not.
    calendar : {"china", "india", "none"}
        Whose festival is allowed for.
    most : int
        At most so many are searched.

    Returns
    -------
    Interventions

    Raises
    ------
    SeriesError
        Too short, constant, or no months.

    Notes
    -----
    Iterated search after Chen & Liu (1993, JASA 88). What is expected is a level that drifts and is smoothed,
    ``(1 - B) z = drift + (1 + theta B) e``, with festival and season where the Bayesian criterion asks for them; z is
    the logarithm of a positive series. The most significant month and kind is taken in, all is fitted again, until none
    exceeds :func:`critical_value`; what falls below it at the end is put back. A month's t takes the spread without
    that month, so that a large event does not hide itself.
    """
    months = monthly(y.index)
    seen = y.dropna()
    if len(seen) < _LEAST or seen.nunique() < 3:
        raise SeriesError("too short or too constant to search for events", found=f"{len(seen)} months",
                          expected=f"at least {_LEAST} months with three different values")
    y = y.loc[seen.index[0]: seen.index[-1]]
    months = months[(months >= y.index[0]) & (months <= y.index[-1])]
    log = bool(seen.min() > 0)
    z = (np.log(y) if log else y).interpolate().to_numpy(dtype=float)
    limit = critical_value(len(z))
    base = _expected(z, months, calendar)
    listed = _listed_first(z, base, months, events)
    found = _searched(z, base, [at for at, _ in listed], limit, most)
    rows = _rows(z, base, listed, found, months, log, limit)
    table = pd.DataFrame(rows, columns=["month", "kind", "size", "t", "found", "zh", "en"])
    return Interventions(table.sort_values("month", kind="stable", ignore_index=True), limit, log)


def take_out(z: np.ndarray, months: pd.PeriodIndex,
             times: float = 2.0) -> tuple[np.ndarray, list[tuple[str, int, float]]]:
    """Take out of a series what no drift, season or noise explains, so that it is not forecast to happen again.

    Parameters
    ----------
    z : array (T,)
        Complete, on its modelling scale.
    months : PeriodIndex (T,)
    times : float
        How many times the critical value an event must reach: only what is beyond doubt is taken out.

    Returns
    -------
    adjusted : array (T,)
        Outliers and passing changes removed; before a level shift the history is raised to the level of today.
    events : list of (kind, position, size)
        None in the last three months, where a shift cannot yet be told from an outlier.
    """
    n = len(z)
    if n < _LEAST or np.unique(z).size < 3:
        return z, []
    base = _expected(z, months, "none")
    marks = [mark for mark in _searched(z, base, [], times * critical_value(n), 3) if mark[1] < n - 3]
    if not marks:
        return z, []
    sizes, _ = _joint(z, base, marks)
    adjusted = z.copy()
    for (kind, at), size in zip(marks, sizes, strict=True):
        effect = size * _shape(kind, at, n)
        adjusted -= effect - effect[-1] if kind == "level_shift" else effect
    return adjusted, [(kind, at, float(size)) for (kind, at), size in zip(marks, sizes, strict=True)]


def _shape(kind: str, at: int, n: int) -> np.ndarray:
    x = np.zeros(n)
    x[at:] = {"outlier": np.eye(1, n - at)[0], "level_shift": 1.0}.get(kind, _FADE ** np.arange(n - at))
    return x


def _filtered(x: np.ndarray, theta: float) -> np.ndarray:
    """Columns as the shocks see them: differenced, then divided by 1 + theta B."""
    return lfilter([1.0], [1.0, theta], np.diff(x, axis=0), axis=0)


def _fit(z: np.ndarray, x: np.ndarray):
    """Least squares at the best theta: (theta, coefficients, residuals, filtered regressors)."""
    fits = []
    for theta in _THETAS:
        w, f = _filtered(z, theta), _filtered(x, theta)
        b = np.linalg.lstsq(f, w, rcond=None)[0]
        e = w - f @ b
        fits.append((float(e @ e), theta, b, e, f))
    return min(fits, key=lambda fit: fit[0])[1:]


def _expected(z: np.ndarray, months: pd.PeriodIndex, calendar: str) -> np.ndarray:
    """The regressors of what is expected: drift, and festival and season where the Bayesian criterion asks for them."""
    n = len(z)
    drift = np.arange(n, dtype=float)[:, None]
    turns = 2 * np.pi * np.arange(n)[:, None] / 12 * np.arange(1, 6)
    options = [drift]
    waves = [np.hstack([np.sin(turns[:, :k]), np.cos(turns[:, :k])]) for k in (2, 5)] if n >= 36 else []
    options += [np.hstack([drift, wave]) for wave in waves]
    if calendar != "none":
        moving = festival(months, calendar).to_numpy()[:, None]
        options += [np.hstack([option, moving]) for option in options]

    def criterion(x):
        e = _fit(z, x)[2]
        return (n - 1) * np.log(e @ e + 1e-300) + x.shape[1] * np.log(n)

    return min(options, key=criterion)


def _with(base: np.ndarray, marks: list[tuple[str, int]]) -> np.ndarray:
    return np.hstack([base, *(_shape(kind, at, len(base))[:, None] for kind, at in marks)])


def _statistics(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """|t| of a further event of each kind (rows) in each month (columns), its own month left out of the spread."""
    n = len(z)
    theta, _, e, f = _fit(z, x)
    bank = _filtered(np.stack([_shape(kind, at, n) for kind in KINDS for at in range(n)], axis=1), theta)
    q = np.linalg.qr(f)[0]
    left = bank - q @ (q.T @ bank)
    size = (left**2).sum(axis=0)
    usable = size > 0.05 * np.maximum((bank**2).sum(axis=0), 1e-12)
    gain = np.where(usable, left.T @ e / np.sqrt(np.maximum(size, 1e-12)), 0.0)
    spare = max(len(e) - x.shape[1] - 1, 1)
    spread = np.sqrt(np.maximum(e @ e - gain**2, 1e-300) / spare)
    # Several large events widen one another's spread; the median residual does not see them.
    calm = 1.4826 * np.median(np.abs(e)) * np.sqrt(len(e) / spare)
    value = np.abs(gain / np.minimum(spread, 1.5 * calm if calm > 0 else spread)).reshape(len(KINDS), n)
    value[:, 0] = 0.0       # before the first month nothing is known
    return value


def _listed_first(z, base, months, events) -> list[tuple[tuple[str, int], dict]]:
    """Known events within the series, each with the kind that suits it best."""
    listed: list[tuple[tuple[str, int], dict]] = []
    for event in [] if events is None else events.to_dict("records"):
        if event["month"] in months[1:]:
            at = int(months.get_loc(event["month"]))
            value = _statistics(z, _with(base, [mark for mark, _ in listed]))[:, at]
            listed.append(((KINDS[int(value.argmax())], at), event))
    return listed


def _searched(z, base, marks, limit: float, most: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    while len(found) < most:
        value = _statistics(z, _with(base, [*marks, *found]))
        kind, at = np.unravel_index(value.argmax(), value.shape)
        if value[kind, at] < limit:
            break
        found.append((KINDS[kind], int(at)))
    while found:
        t_values = _joint(z, base, [*marks, *found])[1][len(marks):]
        weakest = int(np.abs(t_values).argmin())
        # A little less than to enter, or a pair on the border would come and go.
        if abs(t_values[weakest]) >= 0.9 * limit:
            break
        found.pop(weakest)
    return found


def _joint(z, base, marks) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and t of all events fitted together."""
    _, b, e, f = _fit(z, _with(base, marks))
    spread = np.sqrt(e @ e / max(len(e) - f.shape[1], 1))
    se = spread * np.sqrt(np.maximum(np.diag(np.linalg.pinv(f.T @ f)), 1e-300))
    return b[base.shape[1]:], (b / np.where(se > 0, se, np.inf))[base.shape[1]:]


def _rows(z, base, listed, found, months, log, limit) -> list[dict]:
    marks = [*(mark for mark, _ in listed), *found]
    if not marks:
        return []
    sizes, t_values = _joint(z, base, marks)
    rows = []
    for n, (kind, at) in enumerate(marks):
        event = listed[n][1] if n < len(listed) else {"zh": "", "en": ""}
        size = float(np.expm1(sizes[n])) if log else float(sizes[n])
        rows.append({"month": months[at], "kind": kind, "size": size, "t": float(t_values[n]),
                     "found": bool(abs(t_values[n]) >= 0.9 * limit), "zh": event["zh"], "en": event["en"]})
    return rows
