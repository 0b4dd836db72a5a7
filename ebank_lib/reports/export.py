"""Any result as a file that a paper or a colleague takes: the suffix says which."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..cleaning.ledger import inert, safe_for_spreadsheets
from ..display import html_table, written
from ..errors import ConfigError
from ..files import write_atomically
from ..monthly import checked_name
from ..wording import language, percent
from .record import frame_of, table_of
from .word import table_docx
from .workbook import EPOCH


def export(result: object, path: str | Path, lang: str | None = None) -> Path:
    """Write a result as a file: CSV, Excel, LaTeX, HTML, Word or Parquet, as the suffix says.

    Parameters
    ----------
    result : result, DataFrame or Series, or a mapping of name to these
        What has a ``table``, or :meth:`Cleaned.to_frame`. Of several, the tables stand one below the other, their names
        in the first column.
    path : str or Path
        Ends in ``.csv``, ``.xlsx``, ``.tex``, ``.html``, ``.docx`` or ``.parquet``; a file of that name is replaced.
    lang : {"zh", "en"}, optional
        Of headings and texts. CSV, Excel and Parquet keep the names of the columns and all digits; LaTeX, HTML and Word
        are written as a page writes them, in LaTeX with the lines of the package booktabs.

    Returns
    -------
    Path
        The file, the same bytes for the same result. In CSV and Excel no text can be taken for a formula.

    Raises
    ------
    UnknownNameError
        Another suffix.
    ConfigError
        What has no table; for LaTeX and Word more than 100,000 rows; a file that cannot be written.

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


def _written(result: object, lang: str) -> tuple[pd.DataFrame, list[bool]]:
    """The table as a page writes it, under headings in the language, and which columns are numbers."""
    frame = _table(result, lang)
    columns = table_of("table", frame, lang=lang)["columns"]
    formats = {column["name"]: percent for column in columns if column["kind"] == "percent"}
    return (written(frame, formats, lang).set_axis([column["head"] for column in columns], axis=1),
            [column["kind"] in ("number", "integer", "percent") for column in columns])


def _tex(result: object, lang: str) -> bytes:
    frame, right = _written(result, lang)
    lines = frame.to_latex(index=False, escape=True, column_format="".join("r" if one else "l" for one in right))
    return lines.encode("utf-8", "replace")


def _html(result: object, lang: str) -> bytes:
    own = not isinstance(result, pd.DataFrame | pd.Series) and hasattr(result, "to_html")
    table = result.to_html(lang=lang) if own else html_table(_table(result, lang), lang=lang)
    return f'<!doctype html>\n<html lang="{lang}">\n<meta charset="utf-8">\n{table}\n'.encode("utf-8", "replace")


_WRITERS = {
    ".csv": _csv, ".xlsx": _xlsx, ".tex": _tex, ".html": _html,
    ".docx": lambda result, lang: table_docx(*_written(result, lang)),
    ".parquet": lambda result, lang: _plain(result, lang).to_parquet(index=False, compression="zstd"),
}
