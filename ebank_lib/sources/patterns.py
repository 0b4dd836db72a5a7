"""The patterns that a ``sources.yaml`` may bring along: regular expressions."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 255           # characters of a text that is searched: as long as a file name may be


def check_pattern(pattern: str, groups: tuple[str, ...]) -> str:
    """Return `pattern` if it is a regular expression with these named groups."""
    try:
        named = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    if missing := [g for g in groups if g not in named]:
        raise ValueError("named groups " + ", ".join(f"(?P<{g}>...)" for g in missing))
    return pattern


def search(pattern: str, text: str) -> re.Match | None:
    """Return the match of a pattern in a short text, as written or with full-width signs folded."""
    if len(text) > LONGEST:
        return None
    return re.search(pattern, text) or re.search(pattern, unicodedata.normalize("NFKC", text))
