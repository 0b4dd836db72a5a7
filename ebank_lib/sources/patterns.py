"""The patterns that a ``sources.yaml`` may bring along: regular expressions, searched for a limited time."""

from __future__ import annotations

import math
import re
import time
import unicodedata

import regex  # as `re`, and it can be stopped

from ..errors import SourceError

LONGEST = 255           # characters of a text that is searched: as long as a file name may be
_MAX_PATTERN, _MAX_COPIES = 200, 10_000
_SECONDS = 0.5          # for all searches of a pattern longer than a moment: as people write them, none is
_MOMENT = 0.005
_left: dict[str, float] = {}


def check_pattern(pattern: str, groups: tuple[str, ...]) -> str:
    """Return `pattern` if it is a regular expression with these named groups; how long it takes, a search shows."""
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a pattern of at most {_MAX_PATTERN} characters")
    # What is repeated a number of times is written out so often when it is compiled.
    if math.prod(max(1, int(n)) for n in re.findall(r"\{(\d+)", pattern, re.ASCII)) > _MAX_COPIES:
        raise ValueError(f"a pattern whose counted repeats {{n}} multiply to at most {_MAX_COPIES}")
    try:
        named = re.compile(pattern).groupindex      # recursion is `regex`'s alone
        regex.compile(pattern)
    except (re.error, regex.error, RecursionError, OverflowError, ValueError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    if missing := [g for g in groups if g not in named]:
        raise ValueError("named groups " + ", ".join(f"(?P<{g}>...)" for g in missing))
    return pattern


def search(pattern: str, text: str) -> regex.Match | None:
    """Return the match of a checked pattern in a short text, as written or with full-width signs folded."""
    if len(text) > LONGEST:
        return None
    left, began = _left.get(pattern, _SECONDS), time.process_time()
    folded = unicodedata.normalize("NFKC", text)
    try:
        return regex.search(pattern, text, timeout=left) or (
            regex.search(pattern, folded, timeout=left) if folded != text else None)
    except TimeoutError:
        raise SourceError("a pattern takes too long", found=text, expected=f"a simpler one than {pattern}") from None
    finally:
        if (spent := time.process_time() - began) > _MOMENT:
            _left[pattern] = max(left - spent, _MOMENT)
