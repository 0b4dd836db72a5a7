"""What the forecasts of several origins learn from all branches, half of it on a second core."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .combination import Said
from .sharing import beside, spare_core

__all__ = ["learn_in_halves"]

_FEWEST = 4         # origins: below, a copy of the process costs more than it saves
_PARTS = ("mean", "sd", "scale")


def learn_in_halves(contexts: Sequence, key: str) -> None:
    """Work out what the forecasts of an indicator learn from at several origins, where a second core is free.

    Parameters
    ----------
    contexts : sequence of Context
        As of each origin, of one family.
    key : str
        The indicator.

    Notes
    -----
    Nothing is done where no core is free: a forecast then works out itself what it needs, to the same numbers.
    """
    if len(contexts) < _FEWEST or not spare_core():
        return
    family = contexts[0]
    needed = sorted({one for context in contexts for one in context.learnt_from(key)})
    months = sorted({month for month, _ in needed})
    # Neighbouring months have more in common than the indicators of one month in two processes.
    middle = months[len(months) // 2] if months else 0
    mine, theirs = [x for x in needed if x[0] < middle], [x for x in needed if x[0] >= middle]
    if not mine:
        return

    def said(month: int, of: str) -> Said:
        return family.until(pd.Period(ordinal=month, freq="M")).said(of)

    found = beside(lambda: {_name(*one, part): getattr(said(*one), part) for one in theirs for part in _PARTS},
                   lambda: [said(*one) for one in mine])
    for one in theirs if found is not None else ():
        month, of = one
        family.until(pd.Period(ordinal=month, freq="M")).take(
            {("said", of): Said(**{part: found[_name(*one, part)] for part in _PARTS})})


def _name(month: int, of: str, part: str) -> str:
    return f"{month} {of} {part}"
