"""Several methods on one series, and their combination: which members, which weights, why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebank_lib.errors import SeriesError

from .candidates import MEMBERS, Prediction, Work, predict
from .series import Prepared
from .transforms import Transform

__all__ = ["COMBINATIONS", "SCALES", "Said", "run_models", "said_of"]

SCALES = ("none", "log", "sqrt", "logit")

_LATE = (12, 8, 4)          # months before the end, of the origins that weights are learnt from


def run_models(ready: Prepared, horizon: int, models) -> tuple[dict[str, Prediction], dict[str, str], tuple]:
    """Run methods on a prepared series.

    Returns
    -------
    parts : model -> Prediction of those that worked; the stand-in ``naive`` when none did
    reasons : model -> why it failed
    notes : remarks as (wording entry, values)
    """
    parts: dict[str, Prediction] = {}
    reasons: dict[str, str] = {}
    notes: list[tuple[str, dict]] = []
    if ready.constant:
        still = Prediction(np.full(horizon, ready.work.values[-1]), np.zeros((horizon, horizon)))
        return dict.fromkeys(models, still), {}, (("forecasting.constant", {}),)
    done: dict[str, Prediction | str] = {}
    for model in models:
        run = COMBINATIONS.get(model)
        got = _tried(model, ready.work, horizon, done) if run is None else run(ready.work, horizon, done)
        if isinstance(got, str):
            reasons[model] = got
        else:
            parts[model] = got
    if not parts:
        parts["naive"] = predict("naive", ready.work, horizon)
        notes.append(("forecasting.fallback", {"n": len(ready.y)}))
    elif any(model in COMBINATIONS for model in parts):
        missing = [m for m in MEMBERS if isinstance(done[m], str)]
        if missing:
            notes.append(("forecasting.members_missing", {"members": missing}))
    return parts, reasons, tuple(notes)


def _tried(model: str, work: Work, horizon: int, done: dict) -> Prediction | str:
    if model not in done:
        try:
            done[model] = predict(model, work, horizon)
        except SeriesError as error:
            done[model] = str(error)
    return done[model]


def _combined(work: Work, horizon: int, done: dict) -> Prediction | str:
    """Weighted mean on the modelling scale; members' errors hang together, so spreads are averaged, not reduced."""
    got = {m: _tried(m, work, horizon, done) for m in MEMBERS}
    members = {m: p for m, p in got.items() if isinstance(p, Prediction)}
    if len(members) < 2:
        return next(iter(p for p in got.values() if isinstance(p, str)))
    weights = _weights(work, tuple(members))
    mean = sum(w * p.mean for w, p in zip(weights, members.values(), strict=True))
    cov = sum(w * p.cov for w, p in zip(weights, members.values(), strict=True))
    detail = ", ".join(f"{name} {w:.2f}" for name, w in zip(members, weights, strict=True))
    return Prediction(mean, cov, detail, tuple(dict.fromkeys(n for p in members.values() for n in p.notes)))


def _median(work: Work, horizon: int, done: dict) -> Prediction | str:
    """Median of the members, month by month: of four, the mean without the highest and the lowest."""
    got = {m: _tried(m, work, horizon, done) for m in MEMBERS}
    members = [p for p in got.values() if isinstance(p, Prediction)]
    if len(members) < 2:
        return next(iter(p for p in got.values() if isinstance(p, str)))
    return Prediction(np.median([p.mean for p in members], axis=0), np.mean([p.cov for p in members], axis=0))


COMBINATIONS = {"combination": _combined, "median": _median}


def _late(work: Work) -> list[tuple[np.ndarray, dict[str, Prediction]]]:
    """What came in the last year, and what each member would have said of it at three origins."""
    if "late" not in work._done:
        found = []
        for back in _LATE:
            if len(work.values) - back >= 24:
                then = work.until(back)
                said = {m: _tried(m, then, back, {}) for m in MEMBERS}
                found.append((work.plain_values[-back:],
                              {m: p for m, p in said.items() if isinstance(p, Prediction)}))
        work._done["late"] = found
    return work._done["late"]


def said_of(then: Prepared | None, horizon: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what the plain mean of the members said from the end of a series, as it was known then.

    Returns
    -------
    mean, sd : array (horizon,)
        On the modelling scale; NaN where there is no series, it is constant, or fewer than two members can be used.
    scale : int
        Place of the scale's name among :data:`SCALES`.
    """
    nothing = np.full(horizon, np.nan)
    if then is None or then.constant:
        return nothing, nothing, 0
    scale = SCALES.index(then.transform.name)
    said = [p for p in (_tried(m, then.work, horizon, {}) for m in MEMBERS) if isinstance(p, Prediction)]
    if len(said) < 2:
        return nothing, nothing, scale
    return np.mean([p.mean for p in said], axis=0), np.sqrt(np.mean([np.diag(p.cov) for p in said], axis=0)), scale


@dataclass(frozen=True)
class Said:
    """What the forecasts of many series said, a row a series; see :func:`said_of`."""

    mean: np.ndarray
    sd: np.ndarray
    scale: np.ndarray

    def missed(self, rows, came: np.ndarray) -> np.ndarray:
        """Return the errors that some of the series' forecasts made, (series, months), in units of the spread stated.

        Parameters
        ----------
        rows : list of int
        came : array (series, months)
            What came, on each series' own scale; NaN where it is not known.
        """
        scale, n = self.scale[rows], came.shape[1]
        off = np.full(came.shape, np.nan)
        for at, name in enumerate(SCALES):
            mine = scale == at
            y = came[mine]
            # A month of nothing lies infinitely far off on the log scale: no error of a size.
            y = np.where(y > 0, y, np.nan) if name == "log" else np.maximum(y, 0) if name == "sqrt" else y
            off[mine] = Transform(name).forward(y)
        sd = self.sd[rows][:, :n]
        return np.divide(off - self.mean[rows][:, :n], sd, out=np.full(came.shape, np.nan), where=sd > 0)


def _weights(work: Work, members: tuple[str, ...]) -> np.ndarray:
    """Half equal, half by what each member missed by lately: inverse squared error at three late origins."""
    equal = np.full(len(members), 1 / len(members))
    missed = np.array([[np.abs(said[m].mean - came).mean() if m in said else np.nan for m in members]
                       for came, said in _late(work)])
    if not missed.size or not np.isfinite(missed).any():
        return equal
    error = np.array([column[np.isfinite(column)].mean() if np.isfinite(column).any() else np.nan
                      for column in missed.T])
    error = np.where(np.isfinite(error), error, np.nanmean(error))
    if not error.min() > 0:
        return equal
    own = (error.min() / error) ** 2
    return 0.5 * equal + 0.5 * own / own.sum()
