"""CSV and Parquet of every recorded table: typed, neutral in language, inert, the same bytes each time."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.reports.exports import csv_bytes, export_files, parquet_bytes
from ebank_lib.reports.record import table_of

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
    table = table_of("t", pd.DataFrame({"month": pd.period_range("2010-01", periods=2, freq="M"), "share": [0.25, None],
                                        "lo-80": [1, 2]}), heads={"share": "占比"}, lang="zh")
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
