"""Any result as a file that a paper or a colleague takes, its table or its picture: the suffix says which."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from ..cleaning.ledger import inert, safe_for_spreadsheets
from ..display import html_table, lines_of
from ..errors import ConfigError
from ..files import write_atomically
from ..monthly import checked_name
from ..wording import language, percent
from .record import frame_of, table_of
from .word import EPOCH, table_docx


def export(result: object, path: str | Path, lang: str | None = None) -> Path:
    """Write a result as a file, as the suffix says: CSV, Excel, LaTeX, HTML, Word, Parquet, or its picture.

    Parameters
    ----------
    result : result, DataFrame or Series, or a mapping of name to these
        What has a ``table``, or :meth:`Cleaned.to_frame`. Of several, the tables stand one below the other, their names
        in the first column.
    path : str or Path
        Ends in ``.csv``, ``.xlsx``, ``.tex``, ``.html``, ``.docx`` or ``.parquet``, or for what the result's ``plot()``
        draws in ``.svg``, ``.pdf`` or ``.png``; a file of that name is replaced.
    lang : {"zh", "en"}, optional
        Of headings and texts. CSV, Excel and Parquet have the whole table, the names of its columns and all digits;
        LaTeX, HTML and Word have what the result shows of itself, as a page writes it, in LaTeX with the lines of the
        package booktabs.

    Returns
    -------
    Path
        The file, the same bytes for the same result. In CSV and Excel no text can be taken for a formula.

    Raises
    ------
    UnknownNameError
        Another suffix.
    ConfigError
        What has no table, or no picture; a file that cannot be written.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> export(pd.DataFrame({"share": [0.25]}), Path(mkdtemp(), "a.tex"), "en").read_text().splitlines()[4]
    '25.0\\\\% \\\\\\\\'
    """
    path, lang = Path(path), language(lang)
    write = _WRITERS[checked_name(path.suffix.lower(), "kind of file", _WRITERS)]
    if isinstance(result, Mapping):
        if not result:
            raise ConfigError("nothing to write", expected="at least one result")
        tables = {str(name): _table(one, lang) for name, one in result.items()}
        result = pd.concat(tables, names=["name"]).reset_index(level=0).reset_index(drop=True)
    write_atomically(path, write(result, lang))
    return path


def _table(result: object, lang: str) -> pd.DataFrame:
    """The table of a result, its named index as columns; a source's is its panel, a row a number."""
    if not isinstance(result, pd.DataFrame | pd.Series) and hasattr(result, "to_frame"):
        result = result.to_frame(lang=lang)
    return frame_of(result)


def _plain(result: object, lang: str) -> pd.DataFrame:
    """The table with months as texts, under names that no spreadsheet takes for a formula."""
    frame = _table(result, lang).rename(columns=lambda name: inert(str(name)))
    return frame.astype({name: str for name, kind in frame.dtypes.items() if isinstance(kind, pd.PeriodDtype)})


def _csv(result: object, lang: str) -> bytes:
    table = safe_for_spreadsheets(_plain(result, lang))
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig", "replace")


def _xlsx(result: object, lang: str) -> bytes:
    buffer, as_texts = io.BytesIO(), {"strings_to_formulas": False, "strings_to_urls": False}
    with pd.ExcelWriter(buffer, engine="xlsxwriter", engine_kwargs={"options": as_texts}) as writer:
        _plain(result, lang).to_excel(writer, index=False)
        writer.book.set_properties({"created": EPOCH})
        next(iter(writer.sheets.values())).autofit()
    return buffer.getvalue()


def _page(result: object, lang: str) -> str:
    """The table as HTML: what a result shows of itself, else all of it, under headings in the language."""
    if not isinstance(result, pd.DataFrame | pd.Series) and hasattr(result, "to_html"):
        return result.to_html(lang=lang)
    frame = _table(result, lang)
    columns = table_of("table", frame, lang=lang)["columns"]
    return html_table(frame, lang=lang, heads={column["name"]: column["head"] for column in columns}, formats={
        column["name"]: percent for column in columns if column["kind"] == "percent"})


def _written(result: object, lang: str) -> tuple[pd.DataFrame, list[bool]]:
    """The texts of that table, and which columns stand at the right."""
    heads, *rows = (cells for tag, cells in lines_of(_page(result, lang)) if tag == "tr")
    return (pd.DataFrame([[text for _, text in row] for row in rows], columns=[text for _, text in heads]),
            [right for right, _ in heads])


def _tex(result: object, lang: str) -> bytes:
    frame, right = _written(result, lang)
    lines = frame.to_latex(index=False, escape=True, column_format="".join("r" if one else "l" for one in right))
    return lines.encode("utf-8", "replace")


def _html(result: object, lang: str) -> bytes:
    page = f'<!doctype html>\n<html lang="{lang}">\n<meta charset="utf-8">\n{_page(result, lang)}\n'
    return page.encode("utf-8", "replace")


def _drawn(kind: str, result: object, lang: str) -> bytes:
    """What a result's ``plot()`` draws, with its faces, without the time and without chance in its names."""
    import matplotlib.pyplot as plt

    from ..charts.style import styled

    if not hasattr(result, "plot") or isinstance(result, pd.DataFrame | pd.Series):
        raise ConfigError("has no picture", found=type(result).__name__, expected="a result with plot()")
    buffer, untimed = io.BytesIO(), {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    with styled():
        drawn = result.plot(lang=lang)
        figure = getattr(drawn, "figure", drawn)
        figure.savefig(buffer, format=kind, metadata=untimed, dpi=300)
    plt.close(figure)
    return buffer.getvalue()


_WRITERS = {
    ".csv": _csv, ".xlsx": _xlsx, ".tex": _tex, ".html": _html,
    ".docx": lambda result, lang: table_docx(*_written(result, lang)),
    ".parquet": lambda result, lang: _plain(result, lang).to_parquet(index=False, compression="zstd"),
    **{f".{kind}": partial(_drawn, kind) for kind in ("svg", "pdf", "png")},
}
