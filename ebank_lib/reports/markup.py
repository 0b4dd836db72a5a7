"""What a page needs in its HTML: formulas as pictures, so that it loads no font; heads that say what they head."""

from __future__ import annotations

import html
import math
import re

__all__ = ["svg_of", "with_scopes"]

_EM = 20.0          # size in which the outlines are made; the page scales them by its own font size
_GROW = 1.1         # the face is small for its size
_PLAIN = re.compile(r"<th(?![^>]*\bscope=)((?:\s[^>]*)?)>")
_CODES = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}


def svg_of(latex: str, block: bool = False) -> str:
    """Return a formula as an inline SVG that is as high as the text around it.

    What matplotlib cannot set is shown as its source.

    Parameters
    ----------
    latex : str
        Without dollar signs.
    block : bool
        On a line of its own.

    Examples
    --------
    >>> svg_of("x_1")[:17], svg_of("x_{1")
    ('<svg class="formu', '<code>x_{1</code>')
    """
    source = " ".join(latex.split())
    label = html.escape(source, quote=True)
    try:
        made = _outline(source)
    except (ValueError, RuntimeError):
        return f"<code>{html.escape(source, quote=False)}</code>"
    width, height, depth, path = made
    # The page forbids style attributes; how far a formula hangs below the line is one of a few classes.
    hang = min(9, max(0, math.ceil(depth / _EM * 10 - 0.3)))
    svg = (f'<svg class="formula d{hang}" role="img" aria-label="{label}" width="{width / _EM * _GROW:.2f}em" '
           f'height="{height / _EM * _GROW:.2f}em" viewBox="0 0 {width:.1f} {height:.1f}"><path d="{path}"/></svg>')
    # Wider than a phone, it is moved sideways, by keyboard too.
    return f'<span class="display" tabindex="0">{svg}</span>' if block else svg


def _outline(source: str) -> tuple[float, float, float, str]:
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser
    from matplotlib.textpath import TextPath

    if len(source) > 500 or not re.search(r"\S", source):
        raise ValueError("no formula")
    font = FontProperties(size=_EM, math_fontfamily="stix")
    text = f"${source}$"
    width, height, depth, _, _ = MathTextParser("path").parse(text, 72, font)
    parts = []
    for points, code in TextPath((0, 0), text, size=_EM, prop=font).iter_segments(simplify=False, curves=True):
        if code == 79:
            parts.append("Z")
            continue
        flipped = [f"{v:.1f}" if n % 2 == 0 else f"{height - depth - v:.1f}" for n, v in enumerate(points)]
        parts.append(_CODES[int(code)] + " ".join(flipped))
    return width, height, depth, "".join(parts)


def with_scopes(table: str) -> str:
    """Return a table's HTML with a scope on each head: of columns in ``thead``, of rows below it.

    So a screen reader reads a cell with its row and column.

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
