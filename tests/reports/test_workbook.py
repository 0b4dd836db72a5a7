"""tables.xlsx: a sheet a table, numbers as numbers, texts never formulas, the same bytes each time."""

import datetime as dt
import io
import zipfile

import openpyxl
import pandas as pd
import pytest

from ebank_lib.reports.record import table_of
from ebank_lib.reports.workbook import sheet_names, workbook_bytes

EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "http://example.org", "\x01\x0bcontrol", "x" * 40000, "\ufffe"]


@pytest.fixture
def tables():
    frame = pd.DataFrame({"name": EVIL, "n": range(8), "x": [1234567.5] * 8, "share": [0.125] * 8,
                          "month": pd.period_range("2010-01", periods=8, freq="M")})
    one = table_of("growth", frame, "=1+1", kinds={"share": "percent"}, notes=["=2+2"], lang="en")
    return [{**one, "notebook": "02_growth", "prompt": 5}, table_of("empty", pd.DataFrame({"a": []}), lang="en")]


def test_texts_are_texts_whatever_they_begin_with(tables):
    data = workbook_bytes(tables, "=Title", ["=note"], "en")
    book = openpyxl.load_workbook(io.BytesIO(data))
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert [c.value for c in book["growth"]["A"]][3:7] == EVIL[:4]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not any("externalLink" in name or "vba" in name.lower() for name in archive.namelist())
        relations = [archive.read(n) for n in archive.namelist() if n.endswith(".rels")]
        assert not any(b'TargetMode="External"' in part for part in relations)


def test_numbers_have_formats_and_months_are_dates(tables):
    sheet = openpyxl.load_workbook(io.BytesIO(workbook_bytes(tables, "T", [], "en")))["growth"]
    assert sheet["C4"].value == 1234567.5 and sheet["C4"].number_format == "#,##0"
    assert sheet["D4"].number_format == "0.00%" and sheet["E4"].value == dt.datetime(2010, 1, 1)
    assert sheet.freeze_panes == "B4" and sheet.column_dimensions["A"].width > 20
    assert [c.value for c in sheet[3]][:2] == ["Name", "n"]
    texts = [c.value for c in sheet["A"]]
    assert "=2+2" in texts and "02_growth.ipynb [5]" in texts


def test_the_first_sheet_lists_the_others(tables):
    book = openpyxl.load_workbook(io.BytesIO(workbook_bytes(tables, "T", ["simulated"], "zh")))
    assert book.sheetnames == ["目录", "growth", "empty"]
    assert [c.value for c in book["目录"]["A"]][3:5] == ["growth", "empty"]


def test_the_same_tables_give_the_same_bytes(tables):
    assert workbook_bytes(tables, "T", [], "en") == workbook_bytes(tables, "T", [], "en")


def test_sheet_names_are_allowed_and_differ():
    tables = [{"name": n} for n in ("a" * 40, "a" * 41, "A" * 31, "history", "b[1]:*?/\\", "'q'")]
    names = sheet_names(tables, taken=["q"])
    assert len({n.lower() for n in names}) == 6 and all(len(n) <= 31 for n in names)
    assert "history" not in names and not any(set("[]:*?/\\'") & set(n) for n in names)
