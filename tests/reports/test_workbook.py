"""Tables as files: a sheet each, CSV, Parquet; numbers as numbers, texts never formulas, the same bytes each time."""

import datetime as dt
import io
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.display import describe
from ebank_lib.reports.record import table_of
from ebank_lib.reports.workbook import csv_bytes, export_files, parquet_bytes, workbook_bytes

EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "http://example.org", "\x01\x0bcontrol", "x" * 40000, "\ufffe"]


@pytest.fixture
def tables():
    frame = pd.DataFrame({"name": EVIL, "n": range(8), "x": [1234567.5] * 8, "share": [0.125] * 8,
                          "month": pd.period_range("2010-01", periods=8, freq="M")})
    one = table_of("growth", describe(frame, kinds={"share": "percent"}), "=1+1", "en")
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
    assert "=1+1" in texts and "02_growth.ipynb [5]" in texts


def test_the_first_sheet_lists_the_others(tables):
    book = openpyxl.load_workbook(io.BytesIO(workbook_bytes(tables, "T", ["simulated"], "zh")))
    assert book.sheetnames == ["目录", "growth", "empty"]
    assert [c.value for c in book["目录"]["A"]][3:5] == ["growth", "empty"]


def test_the_same_tables_give_the_same_bytes(tables):
    assert workbook_bytes(tables, "T", [], "en") == workbook_bytes(tables, "T", [], "en")


# --- CSV and Parquet

texts = st.text(max_size=12) | st.sampled_from(["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", 'a,"b\n', ""])


@given(st.lists(st.tuples(texts, st.none() | st.integers(-10**12, 10**12),
                          st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans()), max_size=8))
def test_what_was_recorded_comes_back_and_nothing_is_a_formula(rows):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "n", "x", "ok"]).astype({"n": object, "x": float}))
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame.columns.tolist() == ["a", "n", "x", "ok"]
    for at, name in enumerate(frame.columns):
        recorded = [row[at] for row in table["rows"]]
        back = [None if pd.isna(v) else v for v in frame[name]]
        assert [None if v is None else str(v) if isinstance(b, str) else v for v, b in zip(recorded, back)] == back
    cells = pd.read_csv(io.BytesIO(csv_bytes(table)), encoding="utf-8-sig", dtype=str, keep_default_na=False)
    assert len(cells) == len(rows) or not rows
    assert not any(text.startswith(("=", "+", "@", "\t")) or (text.startswith("-") and not text[1:2].isdigit())
                   for text in cells["a"])


def test_months_are_texts_numbers_numbers_and_headings_the_names_that_code_uses():
    given = pd.DataFrame({"month": pd.period_range("2010-01", periods=2, freq="M"), "share": [0.25, None],
                          "lo-80": [1, 2]})
    table = table_of("t", describe(given, heads={"share": "占比"}), lang="zh")
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame["month"].tolist() == ["2010-01", "2010-02"] and frame["share"].dtype == "float64"
    assert frame["lo-80"].dtype == "int64"
    assert csv_bytes(table).decode("utf-8-sig").splitlines() == ["month,share,lo-80", "2010-01,0.25,1", "2010-02,,2"]


def test_the_same_tables_give_the_same_bytes_in_files_of_their_names():
    tables = [table_of(name, pd.DataFrame({"a": [1.5]})) for name in ("one", "two")]
    files = export_files(tables)
    assert list(files) == ["tables/one.csv", "tables/one.parquet", "tables/two.csv", "tables/two.parquet"]
    assert export_files(tables) == files and files["tables/one.csv"] == files["tables/two.csv"]


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame({"a": [None, None]}),
                                   pd.DataFrame({"a": [1, "x", 2.5, True, None]}), pd.DataFrame({"a": [2**70]})])
def test_odd_tables_are_written_too(frame):
    table = table_of("t", frame)
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes(table)))) == len(frame) or frame.columns.empty
    assert csv_bytes(table).startswith(b"\xef\xbb\xbf")


def test_half_a_sign_spoils_neither_its_cell_nor_the_table():
    table = {"columns": [{"name": "a"}], "rows": [["\ud800"], [None], ["=\ud800"]]}
    assert csv_bytes(table).decode("utf-8-sig") == "a\n?\n\"\"\n'=?\n"


def test_a_column_of_numbers_stays_one_where_all_happen_to_be_whole():
    table = {"columns": [{"name": "x", "kind": "number"}, {"name": "n", "kind": "integer"}], "rows": [[1, 1], [2, 2]]}
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame.dtypes.astype(str).to_dict() == {"x": "float64", "n": "int64"}
