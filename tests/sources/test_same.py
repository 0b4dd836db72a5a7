"""The same table gives the same panel, however it is kept: to the last bit of a float, in whatever order and file."""

from __future__ import annotations

import csv
import math
import struct
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from ebank_lib.cleaning import clean

from .conftest import Folder

MONTHS = ("2010-01", "2010-02", "2010-03")
NAMES = {"东城分行": "east", "西城分行": "west", "北城分行": "north"}
YAML = """\
- path: "{path}"
  month: {month}
  sheets:
    - {{sheet: "*", branch: 机构, headings: {{客户数: online, 收入: income, 活动率: activity}}}}
"""
NAMED = "{from: file}"


def table(month):
    """Branch, customers, income, activity as somebody typed them."""
    n = MONTHS.index(month)
    return [[name, 1200 + 37 * k + 5 * n, round(5.37 + 1.13 * k + 0.29 * n, 2), round(0.3141 + 0.01 * k + 0.003 * n, 4)]
            for k, name in enumerate(NAMES)]


def flat(change):
    """Return each number of a row changed by `change(value)`, the name kept."""
    return lambda rows: [[row[0], *map(change, row[1:])] for row in rows]


def sheet(month, change=lambda rows: rows, units=("户", "万元", "1"), order=(0, 1, 2, 3)):
    """Return the rows of a month's sheet."""
    headings = ["机构", *(f"{name}（{unit}）" if unit != "1" else name
                        for name, unit in zip(("客户数", "收入", "活动率"), units, strict=True))]
    return [[row[n] for n in order] for row in [headings, *change(table(month))]]


def workbooks(folder, **options):
    for month in MONTHS:
        book = openpyxl.Workbook()
        for row in sheet(month, **options):
            book.active.append(row)
        book.save(folder.path / f"{month}.xlsx")
    folder.files(YAML.format(path="*.xlsx", month=NAMED))


def one_book(folder, months):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for month in months:
        page = book.create_sheet(month)
        for row in sheet(month):
            page.append(row)
    book.save(folder.path / "all.xlsx")
    folder.files(YAML.format(path="*.xlsx", month="{from: sheet}"))


def texts(folder, **options):
    for month in MONTHS:
        with (folder.path / f"{month}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(sheet(month, **options))
    folder.files(YAML.format(path="*.csv", month=NAMED))


def write_ods(path, rows, styles="", row_attributes=None):
    """Write an .ods by hand, as small as the reader takes it; a cell may be (value, attributes)."""
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"' for n, uri in (
        ("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"), ("number", "datastyle")))

    def cell(value):
        value, more = value if isinstance(value, tuple) else (value, "")
        kind = 'office:value-type="string"'
        if not isinstance(value, str):
            kind, value = f'office:value-type="float" office:value="{value!r}"', ""
        return f"<table:table-cell {kind} {more}><text:p>{value}</text:p></table:table-cell>"

    lines = "".join(f"<table:table-row {(row_attributes or {}).get(n, '')}>{''.join(map(cell, row))}</table:table-row>"
                    for n, row in enumerate(rows))
    content = (f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
               f"<office:body><office:spreadsheet><table:table table:name='S'>{lines}</table:table>"
               "</office:spreadsheet></office:body></office:document-content>")
    manifest = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)


def ods(folder):
    for month in MONTHS:
        write_ods(folder.path / f"{month}.ods", sheet(month))
    folder.files(YAML.format(path="*.ods", month=NAMED))


def write_xls(path, rows):
    """Write an .xls by hand: a stream of records (MS-XLS) as the one stream of a compound file (MS-CFB)."""
    def record(kind, data=b""):
        return struct.pack("<HH", kind, len(data)) + data

    def cell(row, column, value):
        at = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str):
            return record(0x0204, at + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
        return record(0x0203, at + struct.pack("<d", value))

    begin = [record(0x0809, struct.pack("<4H2I", 0x0600, kind, 0, 0, 0, 6)) for kind in (5, 16)]
    size = struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0)
    page = begin[1] + record(0x0200, size) + b"".join(
        cell(n, m, value) for n, row in enumerate(rows) for m, value in enumerate(row)) + record(0x000A)
    sheet = struct.pack("<IHBB", len(begin[0]) + 17, 0, 1, 0) + b"S"        # begins after this record and the end's
    stream = (begin[0] + record(0x0085, sheet) + record(0x000A) + page).ljust(4096, b"\0")     # less is kept otherwise
    sectors, none = -(-len(stream) // 512), struct.pack("<I", 0xFFFFFFFF)

    def entry(name, kind, child, start, length):
        title = (name + "\0").encode("utf-16-le")
        return title.ljust(64, b"\0") + struct.pack("<HBB", len(title), kind, 1) + 2 * none + struct.pack(
            "<I", child) + bytes(36) + struct.pack("<IQ", start, length)

    head = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
    head += struct.pack("<8I", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0) + struct.pack("<I", 0) + 108 * none
    table = struct.pack(f"<{sectors + 2}I", 0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE)
    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("Workbook", 2, 0xFFFFFFFF, 2, len(stream))
    parts = head, table.ljust(512, b"\xff"), directory.ljust(512, b"\0"), stream.ljust(512 * sectors, b"\0")
    path.write_bytes(b"".join(parts))


def xls(folder):
    for month in MONTHS:
        write_xls(folder.path / f"{month}.xls", sheet(month))
    folder.files(YAML.format(path="*.xls", month=NAMED))


def long_table(folder, dtype="float64"):
    rows = [(month, *row) for month in MONTHS for row in table(month)]
    frame = pd.DataFrame(rows, columns=["月", "机构", "客户数", "收入", "活动率"])
    frame = frame.astype({"客户数": dtype, "收入": dtype, "活动率": dtype})
    frame.to_parquet(folder.path / "t.parquet")
    folder.files("""\
        - path: t.parquet
          layout: long
          branch: 机构
          month: {from: column, column: 月}
          columns: {客户数: {indicator: online, unit: 户}, 收入: {indicator: income, unit: 万元}, 活动率: activity}
        """)


def shifted(value):
    return math.nextafter(value, math.inf) if isinstance(value, float) else value


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value


WAYS = {
    "one bit more": lambda f: workbooks(f, change=flat(shifted)),
    "one bit less": lambda f: workbooks(f, change=flat(lambda v: -shifted(-v) if isinstance(v, float) else v)),
    "single precision": lambda f: workbooks(f, change=flat(single)),
    "sums of tenths": lambda f: workbooks(f, change=flat(lambda v: v * 3 / 3 + 0.1 - 0.1)),
    "rows": lambda f: workbooks(f, change=lambda rows: rows[::-1]),
    "columns": lambda f: workbooks(f, order=(3, 1, 0, 2)),
    "units of headings": lambda f: workbooks(
        f, units=("万户", "元", "%"), change=lambda rows: [[n, c / 1e4, v * 1e4, a * 100] for n, c, v, a in rows]),
    "sheets": lambda f: one_book(f, MONTHS),
    "sheets in another order": lambda f: one_book(f, MONTHS[::-1]),
    "csv": texts,
    "csv with all bits": lambda f: texts(f, change=flat(lambda v: f"{shifted(v):.17g}" if isinstance(v, float) else v)),
    "csv of texts": lambda f: texts(f, change=flat(lambda v: f'="{v}"')),
    "ods": ods,
    "xls": xls,
    "parquet": long_table,
    "parquet in single precision": lambda f: long_table(f, "float32"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("plain"))
    workbooks(folder)
    return clean(folder.open())


def test_the_plain_way_is_what_was_typed(plain):
    typed = [[NAMES[name], month, online, income * 1e4, activity]
             for month in MONTHS for name, online, income, activity in table(month)]
    expected = pd.DataFrame(typed, columns=["branch", "month", "online", "income", "activity"])
    found = plain.panel.reset_index().astype({"month": str})[list(expected)]
    np.testing.assert_allclose(found.sort_values(["branch", "month"]).iloc[:, 2:].to_numpy(float),
                               expected.sort_values(["branch", "month"]).iloc[:, 2:].to_numpy(float), rtol=1e-15)


@pytest.mark.parametrize("way", WAYS)
def test_the_panel_is_the_same_to_the_last_bit(way, plain, folder):
    WAYS[way](folder)
    cleaned = clean(folder.open())
    pd.testing.assert_frame_equal(cleaned.panel, plain.panel, check_exact=True)
    flags = [c.entries["decision"].isin(["corrected", "flagged", "filled", "rejected"]).sum() for c in (cleaned, plain)]
    assert flags[0] == flags[1]
