"""Interventions: the months in which a series did what its own past does not explain, and how large it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..display import html_table
from ..errors import ConfigError, SeriesError
from ..wording import LANGUAGES, language, month_name, percent, t
from .calendar import monthly
from .noise import KINDS, LEAST, WINDOWS, State, shape
from .search import critical_value, listed_value, place, required, search

__all__ = ["Interventions", "find_interventions", "known_events", "take_out"]


@dataclass(frozen=True)
class Interventions:
    """Months in which a series did what its own past does not explain; see :func:`find_interventions`.

    Attributes
    ----------
    table : DataFrame
        ``month, kind`` (outlier, level_shift, temporary, festival), ``size`` (fraction of the level on the log scale,
        else the series' unit), ``t``, ``found`` (beyond the critical value), ``off`` (by how many months the effect
        stands later than the known event is listed: -1, 0, 1), ``zh, en`` (the known event, empty if none). A festival
        has one row, in the month where it shows most, with the size for a month wholly inside its window.
    critical : float
        The |t| that a level shift of a random walk must exceed to be found.
    log : bool
        Whether sizes are fractions.
    window : (int, int)
        Days before and after the festival's first day, where a festival was found.
    """

    table: pd.DataFrame = field(repr=False)
    critical: float
    log: bool
    window: tuple[int, int] = (0, 0)

    def reading(self, lang: str | None = None) -> str:
        """Say what was found, a sentence a month."""
        lang = language(lang)
        return " ".join(t(f"events.{self._key(row, lang)}", lang, month=month_name(row.month, lang),
                          size=self._size(row.size), kind=t(f"events.{row.kind}", lang), t=f"{row.t:.1f}",
                          event=getattr(row, lang), listed=month_name(row.month - row.off, lang),
                          before=self.window[0], after=self.window[1])
                        for row in self.table.itertuples()) or t("events.nothing", lang)

    @staticmethod
    def _key(row, lang: str) -> str:
        if row.kind == "festival":
            return "moves"
        if not row.found:
            return "not_found"
        if not getattr(row, lang):
            return "unexplained"
        return {0: "explained", 1: "explained_later", -1: "explained_earlier"}[row.off]

    def _size(self, size: float) -> str:
        return percent(size, sign=True) if self.log else f"{size:+.4g}"

    def _repr_html_(self) -> str:
        shown = self.table.assign(kind=[t(f"events.{k}") for k in self.table["kind"]], event=self.table[language()])
        shown = shown[["month", "kind", "size", "t", "event"]]
        return html_table(shown, caption=t("events.caption"), heads={c: t(f"events.head_{c}") for c in shown.columns},
                          formats={"size": self._size, "t": "{:.1f}"},
                          notes=[self.reading(), t("events.note", critical=f"{self.critical:.2f}")])


def known_events(source, branch: str | None = None, indicator: str | None = None) -> pd.DataFrame:
    """Return the events that a source lists, those of one branch and indicator if named.

    Parameters
    ----------
    source : Source
        The ``events`` of its configuration; without ``branches`` or ``indicators`` they apply everywhere.
    branch, indicator : str, optional

    Returns
    -------
    DataFrame
        ``month`` (Period), ``zh``, ``en``, ``branches``, ``indicators`` (lists joined by ``;``, empty: all), ``kind``
        (outlier, level_shift, temporary; empty: not said), by month.
    """
    rows = [(pd.Period(e.month, "M"), e.zh, e.en, ";".join(e.branches), ";".join(e.indicators), e.kind or "")
            for e in source.config.events
            if (not branch or not e.branches or branch in e.branches)
            and (not indicator or not e.indicators or indicator in e.indicators)]
    frame = pd.DataFrame(rows, columns=["month", "zh", "en", "branches", "indicators", "kind"])
    return frame.sort_values("month", kind="stable", ignore_index=True)


def find_interventions(y: pd.Series, events: pd.DataFrame | None = None, calendar: str = "none",
                       most: int = 6) -> Interventions:
    """Find outliers, level shifts and temporary changes of a monthly series, and whether it moves with the festival.

    Parameters
    ----------
    y : Series (T,), PeriodIndex
        At least 18 months; gaps within are interpolated.
    events : DataFrame, optional
        Known events (:func:`known_events`): each is fitted first, in its kind or in the one that suits it best, a month
        earlier or later if that is much likelier, and listed whether it shows or not.
    calendar : {"china", "india", "none"}
        Whose festival is tested; it takes two festivals within the series.
    most : int
        At most so many are searched.

    Returns
    -------
    Interventions

    Raises
    ------
    SeriesError
        Too short, constant, or no months; months whose festivals are not known.
    ConfigError
        A known event of an unknown kind.

    Notes
    -----
    Iterated search in the manner of Chen & Liu (1993, JASA 88), on the logarithm of a positive series, with three
    differences. The noise is not fitted once but averaged over 15 noises and four seasons, so that a t of 4 means the
    same in a random walk and in values about a trend. Kinds and months compete by Bayes factor, the festival's windows
    among them (:class:`~ebank_lib.events.noise.State`). What is required was set by simulation of clean series, and
    the search goes on where large events may hide one another (:func:`~ebank_lib.events.search.search`). A known event
    is one test, not a search: it shows at 5%.
    """
    months = monthly(y.index)
    seen = y.dropna()
    if len(seen) < LEAST or seen.nunique() < 3:
        raise SeriesError("too short or too constant to search for events", found=f"{len(seen)} months",
                          expected=f"at least {LEAST} months with three different values")
    y = y.loc[seen.index[0]: seen.index[-1]]
    months = months[(months >= y.index[0]) & (months <= y.index[-1])]
    log, n = bool(seen.min() > 0), len(months)
    z = (np.log(y) if log else y).interpolate().to_numpy(dtype=float)
    records = [] if events is None else [e for e in events.to_dict("records") if e["month"] in months[1:]]
    start, off, tried = place(State.of(z, months, calendar), [_named(e.get("kind"), e["month"], months)
                                                              for e in records])
    state = search(start, required(n), most)
    rows, window = [], (0, 0)
    for i, (j, size, error) in enumerate(zip(state.taken, *state.sizes(), strict=True)):
        kind, at = state.event(j)
        row = {"month": months[at], "kind": kind, "size": float(np.expm1(size) if log else size),
               "t": float(size / error) if error > 0 else 0.0, "found": True, "off": 0, "zh": "", "en": ""}
        if kind == "festival":
            window = WINDOWS[at]
            row["month"] = months[int(np.abs(state.column(j)).argmax())]
            row |= {lang: t(f"events.festival_{calendar}", lang) for lang in LANGUAGES}
        elif i < len(records):
            row |= {"off": off[i], "zh": records[i]["zh"], "en": records[i]["en"],
                    "found": bool(abs(row["t"]) >= listed_value(n, tried[i]))}
        rows.append(row)
    table = pd.DataFrame(rows, columns=["month", "kind", "size", "t", "found", "off", "zh", "en"])
    return Interventions(table.sort_values("month", kind="stable", ignore_index=True), critical_value(n), log, window)


def take_out(z: np.ndarray, months: pd.PeriodIndex, times: float = 2.0,
             listed: Sequence[tuple[str | None, pd.Period]] = (),
             calendar: str = "none") -> tuple[np.ndarray, list[tuple[str, int, float]]]:
    """Take out of a series what no drift, season or noise explains, so that it is not forecast to happen again.

    Parameters
    ----------
    z : array (T,)
        Complete, on its modelling scale.
    months : PeriodIndex (T,)
    times : float
        How many times the critical value an event must reach: only what is beyond doubt is taken out.
    listed : sequence of (kind or None, month)
        Known events: fitted first, and taken out if the size is more than its standard error, when taking out errs less
        than leaving in; those outside the series are passed over.
    calendar : {"china", "india", "none"}
        Whose festival is allowed for, so that its months are not taken for events. The festival itself stays in.

    Returns
    -------
    adjusted : array (T,)
        Outliers and passing changes removed; before a level shift the history is raised to the level of today.
    events : list of (kind, position, size)
        In the last three months, where a shift cannot yet be told from an outlier, only known events of a named kind.

    Raises
    ------
    SeriesError
        Months outside the years whose festivals are known.
    ConfigError
        A known event of an unknown kind.
    """
    n = len(z)
    if n < LEAST or np.unique(z).size < 3:
        return z, []
    named = [_named(kind, month, months) for kind, month in listed if month in months[1:]]
    start, _, _ = place(State.of(z, months, calendar), named)
    state = search(start, required(n, times), 3)
    adjusted, events = np.array(z, dtype=float), []
    for i, (j, size, error) in enumerate(zip(state.taken, *state.sizes(), strict=True)):
        kind, at = state.event(j)
        known = i < len(named)
        told = at < n - 3 or (known and named[i][0] is not None)
        if kind == "festival" or not told or (known and not abs(size) > error):
            continue
        effect = size * shape(kind, at, n)
        adjusted -= effect - effect[-1] if kind == "level_shift" else effect
        events.append((kind, at, float(size)))
    return adjusted, events


def _named(kind: str | None, month: pd.Period, months: pd.PeriodIndex) -> tuple[str | None, int]:
    kind = kind if isinstance(kind, str) and kind else None
    if kind is not None and kind not in KINDS:
        raise ConfigError("is no kind of event", key="kind", found=kind, expected=", ".join(KINDS))
    return kind, int(months.get_loc(month))
