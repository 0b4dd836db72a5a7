"""Interventions: the months in which a series did what its own past does not explain, and how large it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..display import Shown, html_table
from ..errors import ConfigError, SeriesError
from ..wording import LANGUAGES, language, month_name, percent, t
from .calendar import monthly
from .noise import KINDS, LEAST, SPREAD, WINDOWS, State, log_sum, shape

MOST = 6                            # events are searched at most
_REQUIRED, _GROWTH = 3.8, 0.8       # see `required`
_BEYOND_DOUBT = 2.0                 # times the critical value: what is taken out of a series before it is forecast
_FESTIVAL = 1.5                     # one hypothesis, not one a month
_MARGIN = 1.0                       # by which a longer list must be better where the search passed a low
_OFF = np.log(8.0)                  # how much more likely an effect must be a month beside the one that was named


@dataclass(frozen=True, repr=False)
class Interventions(Shown):
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

    table: pd.DataFrame
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

    def to_html(self, lang: str | None = None) -> str:
        """Return the months and what each is taken for as HTML."""
        lang = language(lang)
        shown = self.table.assign(kind=[t(f"events.{k}", lang) for k in self.table["kind"]], event=self.table[lang])
        shown = shown[["month", "kind", "size", "t", "event"]]
        return html_table(shown, caption=t("events.caption", lang), lang=lang,
                          formats={"size": self._size, "t": "{:.1f}"},
                          heads={c: t(f"events.head_{c}", lang) for c in shown.columns},
                          notes=[self.reading(lang), t("events.note", lang, critical=f"{self.critical:.2f}")])


def known_events(source, branch: str | None = None, indicator: str | None = None) -> pd.DataFrame:
    """Return the events that a source's configuration lists, those of one branch and indicator if named, by month:
    ``month`` (Period), ``zh``, ``en``, ``branches``, ``indicators`` (lists joined by ``;``, empty: all), ``kind``
    (outlier, level_shift, temporary; empty: not said)."""
    rows = [(pd.Period(e.month, "M"), e.zh, e.en, ";".join(e.branches), ";".join(e.indicators), e.kind or "")
            for e in source.config.events
            if (not branch or not e.branches or branch in e.branches)
            and (not indicator or not e.indicators or indicator in e.indicators)]
    frame = pd.DataFrame(rows, columns=["month", "zh", "en", "branches", "indicators", "kind"])
    return frame.sort_values("month", kind="stable", ignore_index=True)


def find_interventions(y: pd.Series, events: pd.DataFrame | None = None, calendar: str = "none") -> Interventions:
    """Find outliers, level shifts and temporary changes of a monthly series, and whether it moves with the festival.

    Gaps are interpolated. Known `events` (:func:`known_events`) are fitted first, each in its kind or in the one that
    suits it best, a month earlier or later if that is much likelier, and listed whether they show or not. The festival
    of the `calendar` is tested where two of them fall within the series.

    Notes
    -----
    Iterated search in the manner of Chen & Liu (1993, JASA 88), on the logarithm of a positive series, with three
    differences. The noise is not fitted once but averaged over 15 noises and four seasons, so that a t of 4 means the
    same in a random walk and in values about a trend. Kinds and months compete by Bayes factor, the festival's windows
    among them (:class:`~ebank_lib.events.noise.State`). What is required was set by simulation of clean series, and
    the search goes on where large events may hide one another (:func:`search`). A known event is one test, not a
    search: it shows at 5%.
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
    state = search(start, required(n), MOST)
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
                    # One test at 5%, of as many kinds and months as were tried.
                    "found": bool(abs(row["t"]) >= stdtrit(max(n - 4, 2), 1 - 0.025 / tried[i]))}
        rows.append(row)
    table = pd.DataFrame(rows, columns=["month", "kind", "size", "t", "found", "off", "zh", "en"])
    return Interventions(table.sort_values("month", kind="stable", ignore_index=True), critical_value(n), log, window)


def take_out(z: np.ndarray, months: pd.PeriodIndex, listed: Sequence[tuple[str | None, pd.Period]] = (),
             calendar: str = "none") -> tuple[np.ndarray, list[tuple[str, int, float]]]:
    """Take out of a series what no drift, season or noise explains, so that it is not forecast to happen again.

    Of a complete `z` (T,) on its modelling scale return what is left, and the (kind, position, size) of each event:
    without outliers and passing changes, and with the history before a level shift raised to the level of today. Only
    what is beyond doubt is taken out; of the `listed` events within the series, (kind or None, month), those whose size
    is more than its standard error, when taking out errs less than leaving in. In the last three months, where a shift
    cannot yet be told from an outlier, only listed ones of a named kind. The festival of the `calendar` is allowed for,
    so that its months are not taken for events, and stays in.
    """
    n = len(z)
    if n < LEAST or np.unique(z).size < 3:
        return z, []
    named = [_named(kind, month, months) for kind, month in listed if month in months[1:]]
    start, _, _ = place(State.of(z, months, calendar), named)
    state = search(start, required(n, _BEYOND_DOUBT), 3)
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


# --- the search: step by step by evidence, then each put in question again beside the others

def required(months: int, times: float = 1.0) -> float:
    """Return the evidence (log Bayes factor) that an event must reach in a series of so many months.

    With `times`, so many times the critical |t| is asked for.

    Notes
    -----
    ``3.8 + 0.8 log(months / 44)``. The mean of a Bayes factor without an event is one, so at most
    ``3 months / exp(required)`` of the candidates pass by chance, which asks for growth with the logarithm of the
    months; the candidates go together, so that fewer pass and a little less growth does. Both numbers were set by
    simulation of clean series with other seeds than the benchmark's (random walk, smoothed level, white, returning,
    with momentum; 24 to 120 months): 0.05 to 0.20 events found a series, 0.12 in the mean, at no length much more
    (``python -m benchmarks.interventions --calibrate``).
    """
    base = _REQUIRED + _GROWTH * float(np.log(months / 44))
    if times == 1:
        return base
    spare, at = max(months - 3, 2), critical_value(months)
    return base + 0.5 * spare * float(np.log1p((times * at) ** 2 / spare) - np.log1p(at**2 / spare))


def critical_value(months: int) -> float:
    """Return the |t| at which a level shift of a random walk reaches the evidence of :func:`required`."""
    spare, prior = max(months - 3, 2), SPREAD**2      # a shift's length is one, as the walk's changes see it
    share = -np.expm1(-2 * (required(months) + 0.5 * np.log1p(prior)) / spare) * (1 + prior) / prior
    return float(np.sqrt(share / (1 - share) * (spare - 1)))


def _net(state: State, limit: float) -> np.ndarray:
    """Evidence of each candidate less what it must reach; the festival's windows are one hypothesis."""
    value, events = state.evidence.copy(), 3 * state.n
    value[:events] -= limit
    windows = value[events:]
    if windows.size:
        best, together = int(windows.argmax()), float(log_sum(windows) - np.log(windows.size))
        value[events:] = -np.inf
        if all(j < events for j in state.taken):
            value[events + best] = together - _FESTIVAL
    return value


def search(start: State, limit: float, most: int) -> State:
    """Return `start` with the events that reach `limit`, at most `most`.

    The likeliest event is taken in, then the likeliest beside it, and so on. Several large events make the noise look
    large, so that none of them stands out until the last is in: the search therefore goes on past a step that falls
    short, and takes the longer list if in sum it exceeds what is required by 1 more than the shorter does. It stops
    where less stands out than would with `most` events of one size. Then each event is left out in turn: it goes if,
    beside the others, it falls short, and moves if another month or kind is likelier.
    """
    listed = len(start.taken)
    path, sums = [start], [0.0]
    masked = 0.5 * (start.n - 3) * np.log(most / max(most - 1, 0.5)) - 0.5 * np.log1p(2 * SPREAD**2) - 0.5
    while len(path) <= most:
        net = _net(path[-1], limit)
        j = int(net.argmax())
        if net[j] < min(0.0, masked - limit):
            break
        sums.append(sums[-1] + float(net[j]))
        path.append(path[-1].take(j))
    falls = np.flatnonzero(np.diff(sums) < 0)
    first = int(falls[0]) if falls.size else len(sums) - 1
    top = int(np.argmax(sums))
    return _questioned(start, list(path[top if sums[top] > sums[first] + _MARGIN else first].taken[listed:]), limit)


def _questioned(start: State, found: list[int], limit: float) -> State:
    @cache
    def of(taken: tuple[int, ...]) -> State:
        return of(taken[:-1]).take(taken[-1]) if taken else start

    for _ in range(4):
        before = found
        for j in before:
            others = [other for other in found if other != j]
            net = _net(of(tuple(others)), limit)
            best = int(net.argmax())
            if net[best] < 0:
                found = others
            elif net[best] > net[j]:
                found = [best if other == j else other for other in found]
        if found == before:
            break
    return of(tuple(found))


def place(start: State, named: list[tuple[str | None, int]]) -> tuple[State, list[int], list[int]]:
    """Return the state with the events named (kind or None, position) fitted, by how many months each stands later than
    named (-1, 0, 1), and how many kinds and months were tried for it.

    Without a kind the likeliest is taken. The effect is put a month earlier or later where that is clearly likelier
    (Bayes factor above 8) and no other named event stands there.
    """
    n, off, tried = start.n, [], []
    for kind, at in named:
        others = {month for _, month in named} - {at}
        months = [m for m in (at, at - 1, at + 1) if 0 < m < n and m not in others]
        kinds = [KINDS.index(kind)] if kind else range(3)
        value = start.evidence
        options = [(value[k * n + m] - (_OFF if m != at else 0.0), -abs(m - at), k, m) for m in months for k in kinds]
        _, _, k, m = max(options)
        start = start.take(k * n + m)
        off.append(m - at)
        tried.append(len(options))
    return start, off, tried
