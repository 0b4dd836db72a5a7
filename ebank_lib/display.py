"""Tables as a reader sees them: one HTML table for every result, the same bytes for the same numbers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from .wording import Text, columns_of, has, language, month_name, percent, t

Format = Callable[[object], str]


def html_table(frame: pd.DataFrame, *, caption: str = "", formats: Mapping[str, Format | str] | None = None,
               heads: Mapping[str, str] | None = None, notes: Iterable[str] = (), lang: str | None = None) -> str:
    """Return a table as HTML: texts escaped, numbers right-aligned, headings in the language of the reader.

    Parameters
    ----------
    frame : DataFrame
        Its columns are shown, its index is not (``reset_index`` first where it matters).
    caption : str
        Stands above the table.
    formats : mapping of column to callable or format string, optional
        How a column's values are written, e.g. ``{"lag": "{:.0f}"}``; a missing or infinite value is always ``–``.
        ``p_value`` has three decimals and ``share`` is per cent, unless said otherwise.
    heads : mapping of column to heading, optional
        Else the wording entry ``general.<column>`` or ``table.<column>``, else the column's own name.
    notes : iterable of str
        Stand below the table.
    """
    lang, heads = language(lang), heads or {}
    names = [heads.get(c) or heading(str(c), lang) for c in frame.columns]
    numeric = [pd.api.types.is_numeric_dtype(d) and not pd.api.types.is_bool_dtype(d) for d in frame.dtypes]
    columns = [[_breakable(v) for v in texts] for texts in written(frame, formats, lang).to_numpy().T]
    css = [' class="n"' if n else "" for n in numeric]
    head = "".join(f"<th{k}>{html.escape(n)}</th>" for n, k in zip(names, css, strict=True))
    body = "\n".join("<tr>" + "".join(f"<td{k}>{v}</td>" for v, k in zip(row, css, strict=True)) + "</tr>"
                     for row in zip(*columns, strict=True))
    if frame.empty and len(names):
        body = f'<tr><td colspan="{len(names)}">{t("general.none", lang)}</td></tr>'
    caption = f"<caption>{html.escape(caption)}</caption>\n" if caption else ""
    foot = "".join(f'<p class="note">{html.escape(n)}</p>' for n in notes)
    return (f'<div class="ebank"><table>\n{caption}<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table>{foot}</div>")


def written(frame: pd.DataFrame, formats: Mapping[str, Format | str] | None, lang: str | None) -> pd.DataFrame:
    """Return a frame of the texts that stand for its values; formats as in :func:`html_table`."""
    formats, lang = formats or {}, language(lang)
    return pd.DataFrame({at: [_text(v, formats.get(c, _USUAL.get(str(c))), lang) for v in frame.iloc[:, at]]
                         for at, c in enumerate(frame.columns)}, dtype=object).set_axis(frame.columns, axis=1)


def show(frame: pd.DataFrame, caption: str = "", **options) -> _Html:
    """Show a frame in a notebook as a labelled table, in a terminal as text; options as in :func:`html_table`."""
    return _Html(html_table(frame, caption=caption, **options))


def say(*sentences: str) -> _Html:
    """Show sentences in a notebook as they are read on a page: one paragraph each, escaped.

    Those made of cited values (:func:`ebank_lib.wording.cite`) carry their cells to the report, unseen.
    """
    return _Sentences([s for s in sentences if s])


def plain_cells(sentence: str) -> list[list]:
    """Return the cells of a sentence as plain JSON: ``[start, end, [{table, column, rows}]]``."""
    return [[start, end, [{"table": ref.table, "column": ref.column, "rows": {
        name: None if missing(value) else str(value) for name, value in ref.rows}} for ref in refs]]
            for start, end, refs in sentence.cells] if isinstance(sentence, Text) else []


def missing(value: object) -> bool:
    """Whether a value is None or one of pandas' signs for what is missing."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def describe(frame: pd.DataFrame, *, kinds: Mapping[str, str] | None = None, heads: Mapping[str, str] | None = None,
             branch: str = "@", indicator: str = "@", months: Mapping[str, str] | None = None,
             exact: Iterable[str] = (), across: Iterable[str] = (), pooled: bool = False) -> pd.DataFrame:
    """Say of a result's table what its columns are; the report writes and traces them accordingly.

    Parameters
    ----------
    frame : DataFrame
        Gets the description as ``attrs["ebank"]`` and is returned.
    kinds : mapping of column to {"text", "integer", "number", "percent", "month", "date", "flag"}, optional
        Where the type does not say it: above all fractions that are written as per cent.
    heads : mapping of column to heading, optional
        Else the wording's heading of that column.
    branch, indicator : str
        The column that names the branch and the indicator that a row is about; "@" for the report's own, "*" for all.
    months : mapping of column to str, optional
        Which months of the panel a column's values are made of: ``row`` (the row's month), ``first``, ``last``,
        ``ends`` (both), ``yoy`` (last and a year before), ``window`` (of a flow the last twelve months, else the last),
        ``before`` (a year before that), ``windows`` (both); every other column is made of all months.
    exact : iterable of str
        Columns that are values of the panel as they stand.
    across : iterable of str
        Columns in which all branches are compared, whichever the row is about.
    pooled : bool
        Whether the numbers rest on forecasts, which learn from the other branches too.
    """
    frame.attrs["ebank"] = {
        "kinds": dict(kinds or {}), "heads": dict(heads or {}), "branch": branch, "indicator": indicator,
        "months": dict(months or {}), "exact": list(exact), "across": list(across), "pooled": pooled}
    return frame


_USUAL: Mapping[str, Format | str] = {
    "p_value": lambda value: "<0.001" if value < 0.0005 else f"{value:.3f}", "share": percent}


def _breakable(text: str) -> str:
    """Return a text as HTML in which a word too long for a column (a file's name, say) may be broken."""
    return re.sub(r"[^\s&;]{25,}", lambda word: "<wbr>".join(re.findall(".{1,12}", word[0])), html.escape(text))


class Shown:
    """A result that a notebook shows by its ``to_html``, a terminal as text: its table and what it says of it, where it
    has no other."""

    method = ""     # the wording that tells how it was made

    def to_html(self, lang: str | None = None) -> str:
        """Return the table as HTML, below it what it says and how it was made."""
        return html_table(self.table, notes=[self.reading(lang), t(self.method, lang)], lang=lang)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return plain_text(self._repr_html_())


def lines_of(page: str) -> list[tuple[str, list[tuple[bool, str]]]]:
    """Return what :func:`html_table` made, line by line: ``caption``, ``tr`` or ``p``, and its texts, each with whether
    it stands at the right. A cell over several columns stands in the first."""
    lines = []
    for tag, inside in re.findall(r"(?s)<(caption|tr|p)\b[^>]*>(.*?)</\1>", page):
        cells = re.findall(r"(?s)<t[hd]( class=\"n\")?[^>]*>(.*?)</t[hd]>", inside) if tag == "tr" else [("", inside)]
        lines.append((tag, [(bool(right), html.unescape(re.sub("<[^>]*>", "", text))) for right, text in cells]))
    wide = max((len(cells) for tag, cells in lines if tag == "tr"), default=0)
    return [(tag, cells + [(False, "")] * (wide - len(cells)) if tag == "tr" else cells) for tag, cells in lines]


def plain_text(page: str) -> str:
    """Return tables made by :func:`html_table` as a terminal shows them, with what stands above and below."""
    lines = lines_of(page)
    rows = [cells for tag, cells in lines if tag == "tr"]
    widths = [max(columns_of(text) for _, text in column) for column in zip(*rows)]

    def padded(right: bool, text: str, width: int) -> str:
        blank = " " * (width - columns_of(text))
        return blank + text if right else text + blank

    return "\n".join("  ".join(padded(*cell, width) for cell, width in zip(
        cells, widths if tag == "tr" else [0])).rstrip() for tag, cells in lines)


class _Html(Shown):
    """HTML that is already made."""

    def __init__(self, text: str):
        self._text = text

    def to_html(self, lang: str | None = None) -> str:
        return self._text


class _Sentences(_Html):
    """Sentences that carry with them, unseen, the cells that they state."""

    def __init__(self, sentences: list[str]):
        super().__init__("".join(f'<p class="reading">{html.escape(s)}</p>' for s in sentences))
        self._sentences = sentences

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        readings = [{"text": str(one), "cells": plain_cells(one)} for one in self._sentences]
        return {"text/html": self._text, "text/plain": repr(self)}, {"ebank": {"readings": readings}}


def heading(name: str, lang: str) -> str:
    """Return what the wording calls a column, else its own name."""
    return next((t(key, lang) for key in (f"general.{name}", f"table.{name}") if has(key)), name)


def _text(value: object, form: Format | str | None, lang: str) -> str:
    if isinstance(value, pd.Period) and form is None:
        return month_name(value, lang)
    if missing(value) or (isinstance(value, float) and math.isinf(value)):
        return "–"
    if form is not None:
        return form.format(value) if isinstance(form, str) else form(value)
    if isinstance(value, (bool, np.bool_)):
        return t("general.yes" if value else "general.no", lang)
    if isinstance(value, (float, np.floating)):
        return f"{value:,.4g}" if abs(value) < 1e3 else f"{value:,.0f}"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    return str(value)
