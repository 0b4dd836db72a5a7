"""Typed errors: each says where it happened, what was found and what was expected.

Every error that a user's input can cause is an :class:`EbankError`; anything else that escapes the library is a bug.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice

# A hostile cell may hold a megabyte of text; an error message quotes the beginning of it.
_QUOTE, _SENTENCE = 120, 600
# Comparing two names takes time with the square of their length.
_LONGEST_NAME, _MOST_NAMES = 100, 2_000
# What stands between scheme and host of an address: a password, in an address that should not be here.
_PASSWORD = re.compile(r"(?i)([a-z][a-z0-9+.-]{0,40}:/{2,3}[^\s/:@'\"]{0,200}):[^\s@]{1,500}@")
_SECRET = re.compile(r"(?i)\b(password|passwd|pwd|token|secret)(\s*=\s*)[^\s&;,'\"]{1,500}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None when nothing is near or the names are no names but texts."""
    if len(str(name)) > _LONGEST_NAME:
        return None
    short = (str(item) for item in known)
    by_lower = {item.lower(): item for item in islice((i for i in short if len(i) <= _LONGEST_NAME), _MOST_NAMES)}
    match = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[match[0]] if match else None


def quote(value: object) -> str:
    """Return `value` as it may stand in a message: one line, printable, not too long, without a password."""
    return _line(repr(value) if isinstance(value, str) else str(value), _QUOTE)


def _line(text: str, most: int) -> str:
    text = _SECRET.sub(r"\1\2***", _PASSWORD.sub(r"\1:***@", text[: 20 * most]))
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


class EbankError(Exception):
    """Base of every error caused by input rather than by a bug."""


class _Located(EbankError, ValueError):
    """An error with an address. Every part of the address is optional and available as an attribute."""

    def __init__(self, message, *, file=None, sheet=None, row=None, column=None, key=None,
                 found=None, expected=None, hint=None):
        self.message = message
        self.file, self.sheet, self.row, self.column, self.key = file, sheet, row, column, key
        self.found, self.expected, self.hint = found, expected, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        where = [f"{name} {quote(value)}" for name, value in (
            ("file", self.file), ("sheet", self.sheet), ("row", self.row),
            ("column", self.column), ("key", self.key)) if value is not None]
        text = (", ".join(where) + ": " if where else "") + self.message
        if self.found is not None:
            text += f"; found {quote(self.found)}"
        if self.expected is not None:
            text += f"; expected {_line(str(self.expected), _SENTENCE)}"
        return text + (f". {_line(self.hint, 2 * _SENTENCE)}" if self.hint else "")


class SourceError(_Located):
    """A file, sheet or cell cannot be read as the source describes it."""


class ConfigError(_Located):
    """A YAML or CSV that describes the data is wrong: `key` is the path to the offending entry."""


class SeriesError(_Located):
    """A series is unsuited to what was asked of it (too short, constant, not finite, unordered)."""


class UnknownNameError(_Located, KeyError):
    """A branch, indicator, month or parameter (`what`) that does not exist; the message lists what does."""

    def __init__(self, what: str, name: object, known: Iterable[str], suggestion: str | None = None, **where):
        known = [str(item) for item in known]
        suggestion = suggestion or nearest(str(name), known)
        shown = ", ".join(item[:_LONGEST_NAME] for item in known[:40])
        shown += f", … ({len(known)} in all)" if len(known) > 40 else ""
        hint = (f"Did you mean {quote(suggestion)}? " if suggestion else "") + f"Known: {shown or 'none'}"
        super().__init__(f"unknown {what} {quote(name)}", hint=hint, **where)
