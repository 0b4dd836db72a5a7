"""The brief as a Word file: the page's texts in real headings, a real table and counted captions; no clock in it."""

import io
import time
import zipfile

import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm

from ebank_lib.reports.export import docx_bytes
from ebank_lib.reports.page import Brief, Paragraph, Picture, Tile
from ebank_lib.wording import Text, t

HOSTILE = "<w:p/>&amp;\x00\x1f\ud800\ufffe=1+1"


@pytest.fixture
def brief(make):
    """A brief with texts of a kind, in a language."""
    def made(lang="zh", hard="甲"):
        rows = (("同比", Text("+5.0%")), ("目标", Text("80.0%")))
        tiles = [Tile(f"{hard}指标{n}", "2011年8月", Text(f"{n}万户"), rows, tone)
                 for n, tone in enumerate(("", "good", "bad", ""))]
        said = [Paragraph(name, f"{hard}{name}", Text(f"{name}一句。"), Text("又一句。"))
                for name in ("stand", "act", "sure")]
        shown = [Picture(name, Text(f"{hard}图说{name}"), f'src="data:image/png;base64,{make.png(40, 20)}"', "forecast")
                 for name in ("course", "targets")]
        return Brief(f"{hard}：报告", f"{hard}月报，至2011年8月", True, lang, tuple(tiles), tuple(said), tuple(shown))
    return made


def opened(data):
    return Document(io.BytesIO(data))


def told(document):
    """The paragraphs with a text, each with the name of its style; fields as Word shows them."""
    texts = (("".join(node.text or "" for node in p._p.iter(qn("w:t"))), p.style.name) for p in document.paragraphs)
    return [(text, style) for text, style in texts if text]


def test_it_says_what_the_page_says_and_nothing_else(brief):
    one = brief()
    document = opened(docx_bytes(one))
    assert [text for text, _ in told(document)] == [
        one.title, *(text for p in one.paragraphs for text in (p.title, p.lead + p.text)),
        *(f"图 {n}  {p.caption}" for n, p in enumerate(one.pictures, 1))]
    (table,) = document.tables
    cells = [cell.text.split("\n") for row in table.rows for cell in row.cells if cell.text]
    assert cells == [[tile.label, f"{tile.figure}  {tile.month}", *(f"{word}  {value}" for word, value in tile.rows)]
                     for tile in one.tiles]
    section = document.sections[0]
    assert section.header.paragraphs[0].text == one.line
    assert section.footer.paragraphs[0].text.split("\t")[0] == t("report.simulated", "zh")


def test_headings_captions_and_pictures_are_real_ones(brief):
    one = brief()
    document = opened(docx_bytes(one))
    assert [style for _, style in told(document)] == ["Title", *["Heading 1", "Normal"] * 3, *["Caption"] * 2]
    fields = [field.get(qn("w:instr")) for field in document.element.body.iter(qn("w:fldSimple"))]
    assert fields == ["SEQ 图 \\* ARABIC"] * 2
    assert [shape._inline.docPr.get("descr") for shape in document.inline_shapes] == [p.caption for p in one.pictures]
    for shape in document.inline_shapes:
        assert shape.width <= Mm(172) and shape.height <= Mm(68)
        assert shape.width / shape.height == pytest.approx(2, 1e-4)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_is_a4_with_a_chinese_face_for_chinese_text(brief, lang):
    document = opened(docx_bytes(brief(lang)))
    section = document.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    for name in ("Normal", "Title", "Heading 1", "Caption", "Header"):
        faces = document.styles[name].element.rPr.rFonts
        assert faces.get(qn("w:eastAsia")) == "微软雅黑" and not [kind for kind in faces.attrib if "Theme" in kind]
    assert document.core_properties.language == {"zh": "zh-CN", "en": "en"}[lang]


def test_the_same_brief_gives_the_same_bytes_whenever_it_is_made(brief, monkeypatch):
    first = docx_bytes(brief())
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2033, 5, 18, 3, 33, 20, 2, 138, 0)))
    assert docx_bytes(brief()) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(b'TargetMode="External"' in archive.read(name) for name in archive.namelist())


def test_hostile_texts_are_texts(brief):
    texts = "".join(node.text or "" for node in opened(docx_bytes(brief(hard=HOSTILE))).element.body.iter(qn("w:t")))
    assert texts.count("<w:p/>&amp;\ufffd\ufffd\ufffd\ufffd=1+1") == 4 + 3 + 2 + 1


def test_a_brief_of_a_sentence_is_a_file_too(brief):
    one = brief()
    said = one.paragraphs[0]
    alone = Brief(one.title, one.line, False, "en", (), one.paragraphs[:1], ())
    document = opened(docx_bytes(alone))
    assert not document.tables and not document.inline_shapes
    assert [text for text, _ in told(document)] == [one.title, said.title, said.lead + said.text]
