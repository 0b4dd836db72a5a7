"""``brief.docx``: the brief as a Word file, for whoever edits it and sends it on.

Real headings, a table of tiles, pictures with captions that Word counts and texts for those who cannot see them; A4,
with a Chinese face named for Chinese text. No clock and no machine is in it: the same brief gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Sequence

import pandas as pd
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from ..wording import t
from .page import Brief

EPOCH = dt.datetime(2000, 1, 1)   # a file must name a time; this one says nothing
_LATIN, _CHINESE = "Calibri", "微软雅黑"
_MARGIN, _WIDE, _HIGH = Mm(19), Mm(172), Mm(68)     # of the page; of a picture at most
_TONES = {"good": "E8F3EC", "bad": "FBEBE6", "": "EEF1F4"}
_SIZES = {"Normal": 10, "Title": 18, "Heading 1": 13, "Caption": 9, "Header": 8.5, "Footer": 8.5}
_ILLEGAL = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")      # no XML may hold them


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
