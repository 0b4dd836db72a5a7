"""Results as files: any result as a paper or a colleague takes it, a report's recorded tables, its brief for Word.

No clock and no machine is in a file: the same result gives the same bytes. ``brief.docx`` is for whoever edits the
brief and sends it on: real headings, a table of tiles, pictures with captions that Word counts and texts for those who
cannot see them; A4, with a Chinese face named for Chinese text.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from ..cleaning.ledger import inert, safe_for_spreadsheets
from ..display import html_table, lines_of
from ..errors import ConfigError
from ..files import write_atomically
from ..monthly import checked_name
from ..wording import language, percent, t
from .page import Brief
from .record import frame_of, table_of

EPOCH = dt.datetime(2000, 1, 1)   # a file must name a time; this one says nothing
_LATIN, _CHINESE = "Calibri", "微软雅黑"
_MARGIN, _WIDE, _HIGH = Mm(19), Mm(172), Mm(68)     # of the page; of a picture at most
_TONES = {"good": "E8F3EC", "bad": "FBEBE6", "": "EEF1F4"}
_SIZES = {"Normal": 10, "Title": 18, "Heading 1": 13, "Caption": 9, "Header": 8.5, "Footer": 8.5}
_ILLEGAL = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")      # no XML may hold them


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


# ---------------------------------------------------------------- the recorded tables of a report

def export_files(tables: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return ``tables/NAME.csv`` and ``tables/NAME.parquet`` of every record: every column under the name that code
    uses, months as texts ``YYYY-MM``, per cent as fractions."""
    return {f"tables/{table['name']}.{kind}": made(table) for table in tables
            for kind, made in (("csv", csv_bytes), ("parquet", parquet_bytes))}


def csv_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as CSV, in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula."""
    buffer = io.StringIO()
    # The heading is a text like any other.
    csv.writer(buffer, lineterminator="\n").writerows(
        [inert(value) if isinstance(value, str) else value for value in row]
        for row in ([column["name"] for column in table["columns"]], *table["rows"]))
    return buffer.getvalue().encode("utf-8-sig", "replace")


def parquet_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as Parquet: integers, floats, booleans and texts as what they are, what is missing as null."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"integer": pa.int64(), "number": pa.float64(), "percent": pa.float64(), "flag": pa.bool_()}
    arrays = []
    for at, column in enumerate(table["columns"]):
        values = [row[at] for row in table["rows"]]
        if column["kind"] not in kinds:
            values = [None if v is None else str(v).encode("utf-8", "replace").decode() for v in values]
        arrays.append(pa.array(values, kinds.get(column["kind"], pa.string())))
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, [column["name"] for column in table["columns"]]), buffer, compression="zstd",
                        store_schema=False)
    return buffer.getvalue()


# ---------------------------------------------------------------- Word

def docx_bytes(brief: Brief) -> bytes:
    """Return the brief as a Word file."""
    document = _document()
    _set_up(document, brief)
    _write(document.add_paragraph(style="Title"), brief.title)
    if brief.tiles:
        _tiles(document, brief)
    for one in brief.paragraphs:
        _write(document.add_paragraph(style="Heading 1"), one.title)
        said = document.add_paragraph()
        _write(said, one.lead, bold=True)
        _write(said, one.text)
    for n, picture in enumerate(brief.pictures, start=1):
        shown = document.add_paragraph()
        shown.paragraph_format.keep_with_next = True
        inline = shown.add_run().add_picture(io.BytesIO(picture.png), width=_WIDE)
        if inline.height > _HIGH:
            inline.width, inline.height = round(inline.width * _HIGH / inline.height), _HIGH
        inline._inline.docPr.set("descr", _safe(picture.caption))
        caption, label = document.add_paragraph(style="Caption"), t("report.figure", brief.lang, n="").strip()
        caption.add_run(f"{label} ")
        _field(caption, f"SEQ {label} \\* ARABIC", str(n))
        _write(caption, f"  {picture.caption}")
    return _saved(document)


def table_docx(table: pd.DataFrame, right: Sequence[bool]) -> bytes:
    """Return a table of texts as a Word file, the columns that are numbers set to the right."""
    document = _document()
    set_out = document.add_table(len(table) + 1, len(table.columns), style="Table Grid")
    for row, texts in zip(set_out.rows, [table.columns, *table.itertuples(index=False)], strict=True):
        for cell, text, numeric in zip(row.cells, texts, right, strict=True):
            _write(cell.paragraphs[0], text)
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT if numeric else None
    return _saved(document)


def _document():
    """Return an empty document that says neither who made it nor when."""
    document = Document()
    about = document.core_properties
    about.author = about.last_modified_by = about.comments = ""
    about.created = about.modified = EPOCH
    return document


def _set_up(document, brief: Brief) -> None:
    """Set page, faces, header and footer, and what the file says of itself."""
    section, about = document.sections[0], document.core_properties
    section.page_width, section.page_height = Mm(210), Mm(297)
    for side in ("left", "right", "top", "bottom"):
        setattr(section, f"{side}_margin", _MARGIN)
    about.title, about.language = _safe(brief.title), {"zh": "zh-CN"}.get(brief.lang, brief.lang)
    for name, size in _SIZES.items():
        style = document.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = _LATIN, Pt(size), RGBColor(0x1B, 0x1F, 0x24)
        faces = style.element.rPr.rFonts
        for kind in [kind for kind in faces.attrib if kind.endswith("Theme")]:      # which would go before ours
            del faces.attrib[kind]
        faces.set(qn("w:eastAsia"), _CHINESE)
        style.paragraph_format.space_before = Pt(6 if name == "Heading 1" else 0)
        style.paragraph_format.space_after = Pt(4)
    _write(section.header.paragraphs[0], brief.line)
    foot = section.footer.paragraphs[0]
    _write(foot, f"{t('report.simulated', brief.lang)}\t\t" if brief.simulated else "\t\t")
    _field(foot, "PAGE", "1")


def _tiles(document, brief: Brief) -> None:
    across = 2 if len(brief.tiles) in (1, 2, 4) else 3
    table = document.add_table(-(-len(brief.tiles) // across), across, style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    for n, tile in enumerate(brief.tiles):
        cell = table.cell(n // across, n % across)
        shade = OxmlElement("w:shd")
        shade.set(qn("w:val"), "clear")
        shade.set(qn("w:fill"), _TONES[tile.tone])
        cell._tc.get_or_add_tcPr().append(shade)
        head = cell.paragraphs[0]
        _write(head, tile.label, bold=True)
        figure = cell.add_paragraph()
        _write(figure, tile.figure, bold=True, size=14)
        _write(figure, f"  {tile.month}", size=9)
        for word, value in tile.rows:
            _write(cell.add_paragraph(), f"{word}  {value}", size=9)
        for one in cell.paragraphs:
            one.paragraph_format.space_after = Pt(0)
    document.add_paragraph().paragraph_format.space_after = Pt(0)


def _write(paragraph, text: str, bold: bool | None = None, size: float | None = None) -> None:
    run = paragraph.add_run(_safe(text))
    run.bold, run.font.size = bold, size and Pt(size)


def _field(paragraph, code: str, shown: str) -> None:
    """Add a field that Word counts anew, with what it shows until then."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), code)
    run = paragraph.add_run(shown)
    field.append(run._r)
    paragraph._p.append(field)


def _saved(document) -> bytes:
    """Return a document as a zip file without the times at which its parts were packed."""
    buffer, made = io.BytesIO(), io.BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(zipfile.ZipInfo(part.filename), old.read(part), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _safe(text: object) -> str:
    return _ILLEGAL.sub("\ufffd", str(text))
