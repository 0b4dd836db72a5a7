"""Hostile input is inert: refused with an error that names the file and the limit, or read as plain text."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest

from ebank_lib.errors import ConfigError, EbankError, SourceError
from ebank_lib.sources.months import check_pattern

SHEET = "xl/worksheets/sheet1.xml"


def repack(path, changes, compression=zipfile.ZIP_DEFLATED):
    """Write a workbook again with some of its parts changed (a function of the bytes) or added."""
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    for name, change in changes.items():
        parts[name] = change(parts.get(name, b"")) if callable(change) else change
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def add_rows(xml):
    return lambda content: content.replace(b"</sheetData>", xml + b"</sheetData>")


def refused(folder, match, **attributes):
    with pytest.raises(SourceError, match=match) as caught:
        folder.cells()
    assert {name: getattr(caught.value, name) for name in attributes} == attributes
    assert caught.value.file == "2010-03.xlsx"


@pytest.fixture
def path(province):
    return province.path / "2010-03.xlsx"


# ---------------------------------------------------------------- size


def test_what_unpacks_to_too_much_is_refused(province, path):
    repack(path, {"xl/sharedStrings.xml": os.urandom(300_000)})
    province.edit("files:", "limits: {unpacked_bytes: 200000}\nfiles:")
    refused(province, "unpacks to too much.*at most 200000 .limits.unpacked_bytes")


def test_a_file_that_is_too_large_is_not_read(province):
    province.edit("files:", "limits: {file_bytes: 1000}\nfiles:")
    refused(province, "is too large.*limits.file_bytes")


@pytest.mark.parametrize(
    "row",
    [
        b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        b'<row r="1048576"><c r="A1048576"><v>1</v></c>' + b"<c><v>1</v></c>" * 50 + b"</row>",
    ],
)
def test_a_cell_at_the_far_corner_does_not_allocate_the_sheet(province, path, row):
    repack(path, {SHEET: add_rows(row)})
    refused(province, "has too large a used area.*limits.sheet_cells", sheet="客户")


def test_formatting_down_to_the_last_row_is_harmless(province, path):
    rows = b"".join(b'<row r="%d" s="1"><c r="AA%d" s="1"/></row>' % (n, n) for n in range(20, 1_048_577, 7))
    repack(path, {SHEET: add_rows(rows)})
    assert len(province.cells()) == 16


def test_an_xls_that_claims_a_far_cell_is_refused(province):
    data = bytearray(Path(__file__).with_name("province.xls").read_bytes())
    number = data.find(struct.pack("<HHHH", 0x0203, 14, 6, 4))  # the figure in E7
    assert number > 0
    struct.pack_into("<HH", data, number + 4, 65_535, 65_535)
    province.write("2010-04.xls", bytes(data))
    province.edit("*.xlsx", "*.xls")
    with pytest.raises(SourceError, match="damaged or no workbook"):
        province.cells()


def test_an_xls_whose_sectors_run_in_a_circle_is_refused(province):
    data = bytearray(Path(__file__).with_name("province.xls").read_bytes())
    fat = struct.unpack_from("<I", data, 76)[0]
    struct.pack_into("<I", data, 512 + fat * 512, 0)  # the first sector follows itself
    province.write("2010-04.xls", bytes(data))
    province.edit("*.xlsx", "*.xls")
    with pytest.raises(SourceError, match="corruption"):
        province.cells()


def test_rows_that_an_ods_repeats_are_counted(province):
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    content = (
        f'<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="客户">'
        '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16000" '
        'office:value-type="float" office:value="1"/></table:table-row>'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(province.path / "2010-04.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
    province.edit("*.xlsx", "*.ods")
    with pytest.raises(SourceError, match="1000000 rows x 16000 columns"):
        province.cells()


def test_a_gzip_bomb_is_refused(province):
    import gzip

    province.write("t.csv.gz", gzip.compress(b"x" * 101_000_000))
    province.files("- {path: t.csv.gz, layout: long, branch: a, month: {from: file}, columns: {b: online}}")
    with pytest.raises(SourceError, match="unpacks to too much"):
        province.cells()


def test_merged_ranges_over_the_whole_sheet_are_harmless(province, path):
    repack(path, {SHEET: lambda c: c.replace(b"</mergeCells>", b'<mergeCell ref="H1:XFD1048576"/></mergeCells>')})
    assert len(province.cells()) == 16


# ---------------------------------------------------------------- what a workbook may carry along


def test_macros_links_and_pictures_are_left_out(province, path):
    before = province.cells()
    repack(
        path,
        {
            "xl/vbaProject.bin": b"\xff" * 5000,
            "xl/externalLinks/externalLink1.xml": b"<!DOCTYPE x>",
            "../../../evil.txt": b"x",
            "xl/media/image1.png": b"\0" * 5_000_000,
        },
    )
    assert province.cells().equals(before)
    assert not (province.path.parent / "evil.txt").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"MZ" + b"\0" * 500,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    ],
)
def test_what_is_no_workbook_is_said_to_be_none(province, path, content):
    path.write_bytes(content)
    refused(province, "damaged or no workbook")


@pytest.mark.parametrize(("text", "what"), [
    ("<html><table><tr><td>1</td></tr></table></html>", "a web page"), ("\ufeff\n<TABLE>", "a web page"),
    ("MIME-Version: 1.0\nX-Document-Type: Workbook", "a web page in one file"),
    ('<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', "XML of Excel 2003")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_only_is_called_a_workbook_is_called_what_it_is(province, text, what, encoding):
    province.write("2010-03.xls", text.encode(encoding))
    province.edit("*.xlsx", "*.xls")
    with pytest.raises(SourceError, match=f"is no workbook; found '{what}'.*save it as .xlsx"):
        province.cells()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_of_tabs_that_is_called_a_workbook_is_read(province, encoding):
    province.write("2010-03.xls", "机构\t个人网银/客户数\n东城分行\t1,200\n西城分行\t800\n".encode(encoding))
    province.edit("*.xlsx", "*.xls")
    province.edit("        headings:", "        missing: allow\n        headings:")
    assert province.cells()["text"].tolist() == ["1,200", "800"]


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "../../x",
        "\u202e\u2066东城",
        "{{7*7}}",
        "${x}",
        "%s%n",
        "'; DROP TABLE t; --",
        "\u0000".replace("\0", "\ufffd"),
        "𠮷" * 50,
    ],
)
def test_any_text_is_only_text(province, text):
    province.workbook(
        change=lambda sheet: (
            [sheet.__setitem__(at, text) for at in ("B6", "C6")]
            or setattr(sheet["C6"], "data_type", "s")
            or setattr(sheet["B6"], "data_type", "s")
        )
    )
    cells = province.cells()
    assert (cells.branch[4], cells.text[4]) == (text, text)


def test_a_formula_that_was_never_calculated_is_not_taken_for_a_blank(province):
    province.workbook(
        change=lambda sheet: [sheet.__setitem__("C8", "=SUM(C5:C7)"), sheet.__setitem__("D8", '=HYPERLINK("http://x")')]
    )
    cells = province.cells().set_index(["row", "column"]).text
    assert (cells[8, "C"], cells[8, "D"]) == ("=SUM(C5:C7)", '=HYPERLINK("http://x")')


def test_an_error_is_one_printable_line(province):
    province.workbook(change=lambda sheet: sheet.__setitem__("C4", "\u202e恶意\n" + "长" * 5000))
    with pytest.raises(SourceError) as caught:
        province.cells()
    assert "\n" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    assert len(str(caught.value)) < 800


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("path", ["../x.xlsx", "*/../../x.xlsx", "/etc/*.csv", "C:/x.xlsx", "..\\x.xlsx", "a\0b"])
def test_a_path_cannot_leave_the_folder(province, path):
    (province.path / "sub").mkdir()
    province.path.joinpath("2010-03.xlsx").rename(province.path.parent / "x.xlsx")
    province.files(
        f"- {{path: {json.dumps(path)}, sheets: [{{branch: 机构, month: {{from: file}}, headings: {{a: online}}}}]}}"
    )
    with pytest.raises(EbankError, match="leaves the source's folder|cannot be searched|no file matches|YAML"):
        province.cells()


def test_a_link_cannot_leave_the_folder(province, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    province.path.joinpath("2010-03.xlsx").rename(other / "secret.xlsx")
    (province.path / "2010-03.xlsx").symlink_to(other / "secret.xlsx")
    refused(province, "a path that leaves")


def test_a_link_to_a_folder_is_not_walked_into_either(province, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    province.path.joinpath("2010-03.xlsx").rename(other / "2010-03.xlsx")
    (province.path / "sub").symlink_to(other, target_is_directory=True)
    province.edit('"*.xlsx"', '"sub/*.xlsx"')
    with pytest.raises(SourceError, match="a path that leaves the source's folder"):
        province.cells()


def test_lock_files_and_hidden_files_are_no_workbooks(province):
    province.write("~$2010-03.xlsx", b"x")
    province.write(".2010-04.xlsx", b"x")
    assert province.open().files().file.tolist() == ["2010-03.xlsx"]


def test_other_endings_are_refused_by_name(province):
    province.write("2010-03.xlsm", b"x")
    province.edit("*.xlsx", "*.xlsm")
    with pytest.raises(SourceError, match="another kind.*xlsm"):
        province.cells()


def test_nothing_found_is_an_error(folder):
    with pytest.raises(SourceError, match=r"\*\.xlsx.*no file matches"):
        folder.cells()


# ---------------------------------------------------------------- patterns


@pytest.mark.parametrize("pattern", ["(", "(?P<year>\\d+)(", "[", "(?P<1>a)", "a{99999999999}", "(?R)?a"])
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(ValueError, match="pattern|regular expression"):
        check_pattern(pattern, ())


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<year>\\d{4})-(?P<month>\\d{2})",
        "^(?:电子)?(?P<year>20\\d\\d)年(?P<month>1[0-2]|[1-9])月",
        "(?P<year>\\d+)\\D+(?P<month>\\d+)",
        "(?:a|b)+(?P<year>..)(?P<month>..)",
        "(?i)rev(?:ision)? ?(?P<year>..)(?P<month>..)",
    ],
)
def test_patterns_as_people_write_them_are_fine(pattern):
    assert check_pattern(pattern, ("year", "month")) == pattern


# ---------------------------------------------------------------- sources.yaml


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("simulated:", "simulatd:", "simulatd", "Did you mean 'simulated'"),
        ("    month:", "    mnth:", "files.0.mnth", "Did you mean 'month'"),
        ("branch: 机构", "brnch: 机构", "files.0.sheets.0.brnch", "Did you mean 'branch'"),
        ('{from: file, pattern: "(?P<y', '{frm: file, pattern: "(?P<y', "files.0.month.frm", "Did you mean 'from'"),
        (
            'from: file, pattern: "(?P<y',
            'from: fle, pattern: "(?P<y',
            "files.0.month.from",
            "'file', 'sheet', 'title', 'column'",
        ),
        ("(?P<year>", "(?P<yaer>", "files.0.month.pattern", "named groups"),
        ("(?P<year>", "((?P<year>", "files.0.month.pattern", "regular expression"),
        ("simulated: true", "simulated: maybe", "simulated", "true or false"),
        ("客户数: online", "客户数: onlien", "files.0.sheets.0.headings.个人网银/客户数", "Did you mean 'online'"),
        ("客户数: online", "客户数: 3", "files.0.sheets.0.headings.个人网银/客户数", "found 3"),
        (
            "收入: income",
            "收入: {indicator: income, unti: 元}",
            "files.0.sheets.0.headings.收入.unti",
            "Did you mean 'unit'",
        ),
        ("收入: income", "收入: income\n          收 入(元): online", "files.0.sheets.0.headings", "one heading twice"),
        ("branch: 机构", "branch: {from: sheet}", "files.0.sheets.0.branch",
         "a column of branches, of months or of indicators"),
        ("branch: 机构", "branch: {from: column}", "files.0.sheets.0.branch.column", "goes with"),
        ("files:", "limits: {file_byte: 3}\nfiles:", "limits.file_byte", "Did you mean 'file_bytes'"),
        ("files:", "limits: {file_bytes: 0}\nfiles:", "limits.file_bytes", "greater than 0"),
        ("files:", "events: [{month: 2010-13, zh: a, en: b}]\nfiles:", "events.0.month", "found '2010-13'"),
        (
            "files:",
            "events: [{month: 2010-12, zh: a, en: b, branches: [eastt]}]\nfiles:",
            "events.0.branch",
            "Did you mean 'east'",
        ),
        ('  - path: "*.xlsx"', '  - path: "*.xlsx"\n    layout: tall', "files.0.layout", "wide or long"),
        ("catalog: catalog.yaml", "catalog: catlog.yaml", None, "catlog.yaml"),
    ],
)
def test_a_mistake_in_the_yaml_is_named_by_its_key(province, old, new, key, message):
    province.edit(old, new)
    with pytest.raises(EbankError, match=message) as caught:
        province.open().cells()
    assert caught.value.key == key
    assert caught.value.file.endswith(".yaml")


def test_one_file_under_two_entries_is_an_error(province):
    province.edit(
        "  - path",
        "  - {path: 2010-*.xlsx, month: {from: file}, sheets: [{branch: 机构, headings: {收入: income}}]}\n  - path",
    )
    with pytest.raises(ConfigError, match="names a file twice"):
        province.cells()


def test_a_panic_of_the_reader_is_an_error_with_an_address(province, tmp_path, monkeypatch):
    monkeypatch.setenv("EBANK_CACHE", str(tmp_path / "store"))      # which has not read the same file before

    class Panic(BaseException):
        pass

    def open_book(data):
        raise Panic("index out of bounds")

    monkeypatch.setattr(
        "python_calamine.CalamineWorkbook", type("Book", (), {"from_filelike": staticmethod(open_book)})
    )
    refused(province, "damaged or no workbook; found 'index out of bounds'")
