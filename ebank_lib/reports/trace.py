"""The chain of hashes from the source files to the page, and the way back from a value to its printed cells."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..errors import UnknownNameError

__all__ = ["chained", "frame_sha256", "link", "month_of", "source_links", "text_sha256", "trace"]


def text_sha256(text: str | bytes) -> str:
    """Return the hash of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8") if isinstance(text, str) else text).hexdigest()


def frame_sha256(frame: pd.DataFrame) -> str:
    """Return the hash of a table: of its CSV text, every number in full, with its index if that has names.

    Examples
    --------
    >>> frame_sha256(pd.DataFrame({"a": [1.5]})) == frame_sha256(pd.DataFrame({"a": [1.5]}))
    True
    """
    named = any(name is not None for name in frame.index.names)
    return text_sha256(frame.to_csv(index=named, lineterminator="\n"))


def link(step: str, count: int, sha256: str) -> dict[str, Any]:
    """Return one link of the chain: what, how many, their hash."""
    return {"step": step, "count": int(count), "sha256": sha256}


def source_links(files: pd.DataFrame, cells: pd.DataFrame, ledger: pd.DataFrame,
                 panel: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the links from the source files to the panel.

    The ledger's reasons are left out: they are words, in the reader's language, for the rules that stand beside them.
    """
    plain = ledger.drop(columns=[c for c in ("reason",) if c in ledger.columns])
    return [link("source", len(files), text_sha256("\n".join(f"{f.file} {f.sha256}" for f in files.itertuples()))),
            link("cells", len(cells), frame_sha256(cells)),
            link("ledger", len(ledger), frame_sha256(plain)),
            link("panel", int(panel.notna().to_numpy().sum()), frame_sha256(panel))]


def chained(links: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the links with ``chain``: the hash of all links up to here, so that none can be exchanged alone."""
    done, before = [], ""
    for one in links:
        before = text_sha256(before + json.dumps(dict(one), sort_keys=True))
        done.append({**one, "chain": before})
    return done


def trace(cleaned: Any, branch: str, indicator: str, month: str) -> pd.DataFrame:
    """Return the ledger rows of one value: every printed cell that it comes from and what was done to it.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
    month : str
        ``YYYY-MM``.

    Raises
    ------
    UnknownNameError
        The branch, the indicator or the month does not exist; the message lists what does.
    """
    name = cleaned.catalog.branch(branch).id
    key = cleaned.catalog.indicator(indicator).key
    months = cleaned.panel.index.get_level_values("month").unique()
    when = month_of(month)
    if when not in months:
        raise UnknownNameError("month", month, [str(m) for m in months])
    return cleaned.trace(name, when, key)


def month_of(text: str) -> pd.Period | None:
    """Return the month that ``YYYY-MM`` names; None for anything else (pandas takes ``2008`` for January).

    Examples
    --------
    >>> month_of("2008-10"), month_of("2008"), month_of("2008-13")
    (Period('2008-10', 'M'), None, None)
    """
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", str(text), flags=re.ASCII)
    return pd.Period(year=int(match[1]), month=int(match[2]), freq="M") if match else None
