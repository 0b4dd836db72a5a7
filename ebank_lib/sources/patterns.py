"""The patterns that a ``sources.yaml`` may bring along: regular expressions that are checked before they are run."""

from __future__ import annotations

import re
import unicodedata
from re import _parser  # the only way to look into a pattern before it is run

__all__ = ["LONGEST", "check_pattern", "search"]

LONGEST = 255         # characters of a text that is searched: as long as a file name may be
_MAX_PATTERN = 200
_MAX_OPEN, _MAX_OPTIONAL = 3, 6


def check_pattern(pattern: str, groups: tuple[str, ...]) -> str:
    """Return `pattern` if it is a regular expression with these named groups that cannot run away."""
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a pattern of at most {_MAX_PATTERN} characters")
    try:
        tree = _parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    missing = [g for g in groups if g not in tree.state.groupdict]
    if missing:
        raise ValueError("named groups " + ", ".join(f"(?P<{g}>...)" for g in missing))
    found = {"open": 0, "optional": 0}
    _count_repeats(tree, found, inside=False)
    if found["open"] > _MAX_OPEN or found["optional"] > _MAX_OPTIONAL:
        raise ValueError(f"at most {_MAX_OPEN} open repeats (* + {{m,n}}) and {_MAX_OPTIONAL} optional parts (?)")
    return pattern


def _count_repeats(items, found: dict[str, int], inside: bool) -> None:
    for op, arg in items:
        name = str(op)
        if name == "GROUPREF":
            raise ValueError("a pattern without references to its own groups")
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = arg
            if inside:
                raise ValueError("a pattern without repeats inside repeats")
            found["optional" if (low, high) == (0, 1) else "open"] += high != low
            # What is merely optional is tried twice, not n times: repeats may stand inside it.
            _count_repeats(body, found, inside=high > 1)
        elif name == "BRANCH":
            if inside:
                raise ValueError("a pattern without alternatives inside repeats")
            for option in arg[1]:
                _count_repeats(option, found, inside)
        elif name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
            _count_repeats(arg if name == "ATOMIC_GROUP" else arg[-1], found, inside)


def search(pattern: str, text: str) -> re.Match | None:
    """Return the match of a checked pattern in a short text, as written or with full-width signs folded."""
    if len(text) > LONGEST:
        return None
    return re.search(pattern, text) or re.search(pattern, unicodedata.normalize("NFKC", text))
