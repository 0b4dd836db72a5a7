"""The trust grade: how far a forecast may be relied on, from its backtest alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ebank_lib.wording import percent, t

__all__ = ["Grade", "grade_rule"]

FEWEST = 6          # origins below which no grade is given
GRADES = "ABCDE"


@dataclass(frozen=True)
class Grade:
    """How far to trust a forecast, from its backtest only. The rule is :func:`grade_rule`."""

    letter: str
    ratio: float        # mean absolute error against seasonal naive's
    smape: float        # per cent
    coverage: float     # share of actual values within the widest limits
    level: float
    origins: int

    def reading(self, lang: str | None = None) -> str:
        """Return the grade and its reason in a sentence."""
        return t(f"forecasting.grade_{self.letter}", lang, better=percent(1 - self.ratio, 0),
                 worse=percent(self.ratio - 1, 0), smape=f"{self.smape:.1f}", coverage=percent(self.coverage, 0),
                 level=f"{self.level:g}", n=self.origins)


def grade_rule(ratio: float, smape: float, coverage: float, level: float, origins: int) -> str:
    """Return the trust grade.

    E: cannot be judged (fewer than six origins, or seasonal naive has no error to compare with). D: not better than
    last year's month (``ratio >= 1``). Otherwise A when the error is at most 70% of seasonal naive's and sMAPE at most
    10; B when at most 85% of it and sMAPE at most 20; C else. One grade lower, not below C, when the limits of `level`
    per cent held fewer actual values than `level` less ten points.

    Examples
    --------
    >>> grade_rule(0.6, 8, 0.94, 95, 12), grade_rule(0.6, 8, 0.80, 95, 12), grade_rule(1.1, 5, 0.95, 95, 12)
    ('A', 'B', 'D')
    """
    if origins < FEWEST or not np.isfinite(ratio):
        return "E"
    if ratio >= 1:
        return "D"
    best = 0 if ratio <= 0.70 and smape <= 10 else 1 if ratio <= 0.85 and smape <= 20 else 2
    low = coverage * 100 < level - 10
    return GRADES[min(best + low, 2)]
