"""Stylised facts: each statement of a study as figures that could contradict it, with intervals and a verdict by rule.

The facts are data: a YAML file that the source names (``facts:``). A check names a statistic of
:data:`~ebank_lib.facts.statistics.STATISTICS`, indicators by key, a threshold and a side. It ``holds`` when the whole
interval lies beyond the threshold on that side, ``fails`` when the whole interval lies on the other side, and is
``unclear`` otherwise. Of several indicators or pairs the least favourable decides; its bound that could contradict the
claim is widened for having been picked (Bonferroni), the one that could support it needs no correction (Berger 1982,
intersection-union test). A fact holds when all its checks hold and fails when one fails.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.cleaning.cleaned import total_frame
from ebank_lib.errors import UnknownNameError
from ebank_lib.facts.result import Facts
from ebank_lib.facts.spec import load_facts
from ebank_lib.facts.statistics import MIN_MONTHS, STATISTICS, Data

__all__ = ["STATISTICS", "Facts", "stylised_facts", "total_frame"]


def stylised_facts(cleaned, branch: str, facts: str | Path | None = None) -> Facts:
    """Hold a study's facts against a branch's figures.

    Parameters
    ----------
    cleaned : Cleaned
        Its source names the file of facts (``facts:``); with none the result is empty and says so.
    branch : str
    facts : path, optional
        Another file of facts.

    Raises
    ------
    ConfigError, UnknownNameError
        The file of facts is wrong, or names an indicator or statistic that does not exist.
    """
    catalog = cleaned.catalog
    branch = catalog.branch(branch).id
    path = facts if facts is not None else _named_by(cleaned.source)
    columns = ["fact", "part", "statistic", "item", "other", "value", "lo", "hi", "level", "side", "threshold",
               "verdict"]
    if path is None:
        return Facts(branch, catalog, pd.DataFrame(columns=columns))
    spec = load_facts(Path(path), catalog)
    if branch not in cleaned.branches:
        raise UnknownNameError("branch in the panel", branch, cleaned.branches)
    frames = {"branch": cleaned.block(branch)}
    if any(f.scope == "total" for f in spec.facts):
        frames["total"] = cleaned.total()
    rows = [{"fact": fact.fact, "part": chr(ord("a") + n),
             **_judge(Data(frames[fact.scope], check, fact.year, spec.replications, spec.seed + 100 * fact.fact + n),
                      spec.level)}
            for fact in spec.facts for n, check in enumerate(fact.checks)]
    return Facts(branch, catalog, pd.DataFrame(rows, columns=columns), spec)


def _named_by(source) -> Path | None:
    name = source.config.facts
    return None if name is None else source.path.parent / name


def _judge(data: Data, level: float) -> dict:
    """Compute a check and give the verdict of the item least favourable to the claim."""
    check = data.check
    found = {"statistic": check.statistic, "item": "", "other": "", "value": np.nan, "lo": np.nan, "hi": np.nan,
             "level": level, "side": check.side, "threshold": float(check.threshold), "verdict": "unclear"}
    names = list(dict.fromkeys([*check.indicators, *check.against]))
    absent = [k for k in names if k not in data.frame or data.frame[k].notna().sum() < MIN_MONTHS]
    if absent:
        return found | {"item": absent[0]}
    estimate = STATISTICS[check.statistic][0](data)
    if not np.isfinite(estimate.value).all():
        return found | {"item": estimate.items[int(np.argmin(np.isfinite(estimate.value)))][0]}
    sign = 1 if check.side == "above" else -1
    plain, strict = estimate.bounds(level), estimate.bounds(1 - (1 - level) / len(estimate.items))
    # The bound that would support the claim, and the one that would contradict it, corrected for being picked.
    support, against = (sign * plain[0], sign * strict[1]) if sign > 0 else (sign * plain[1], sign * strict[0])
    limit = sign * check.threshold
    if (against <= limit).any():
        verdict, which = "fails", int(np.argmin(against))
    else:
        verdict, which = "holds" if (support > limit).all() else "unclear", int(np.argmin(support))
    lo, hi = (plain[0], strict[1]) if sign > 0 else (strict[0], plain[1])
    item, other = estimate.items[which]
    return found | {"item": item, "other": other, "value": float(estimate.value[which]), "lo": float(lo[which]),
                    "hi": float(hi[which]), "verdict": verdict}
