"""Heads of a table that say what they head, so that a screen reader reads a cell with its row and column."""

from __future__ import annotations

import re

__all__ = ["with_scopes"]

_PLAIN = re.compile(r"<th(?![^>]*\bscope=)((?:\s[^>]*)?)>")


def with_scopes(table: str) -> str:
    """Return a table's HTML with a scope on each head: of columns in ``thead``, of rows below it.

    Examples
    --------
    >>> with_scopes("<thead><tr><th class=x>a</th></tr></thead><tbody><tr><th>b</th></tr></tbody>")
    '<thead><tr><th scope="col" class=x>a</th></tr></thead><tbody><tr><th scope="row">b</th></tr></tbody>'
    """
    head, end, rows = table.partition("</thead>")
    if not end:
        head, rows = "", table
    return _PLAIN.sub(lambda m: _scoped(m, "col"), head) + end + _PLAIN.sub(lambda m: _scoped(m, "row"), rows)


def _scoped(match: re.Match, place: str) -> str:
    many = re.search(rf"\b{place}span=[\"']?(?!1\b)\d", match[1])
    return f'<th scope="{place}{"group" if many else ""}"{match[1]}>'
