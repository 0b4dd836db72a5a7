"""The Reserve Bank of India's two tables are read as printed, with no cell unaccounted for."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from pathlib import Path

import pytest

from ebank_lib.sources import open_source

HERE = Path(__file__).parent
FILES = {"neft": "neft_bank_month_raw.csv.gz", "mobile": "mobile_bank_month_raw.csv.gz"}
MEASURES = {"neft": ["outward_txn", "outward_amount", "inward_txn", "inward_amount"], "mobile": ["volume", "value"]}

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module", params=["neft", "mobile"])
def table(request, shared_data):
    """(name, the opened source, the records of the file as a plain reader gives them)."""
    with gzip.open(shared_data / "rbi" / FILES[request.param], "rt", encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))
    return request.param, open_source(HERE / request.param, root=shared_data.parent), records


def test_rows_times_columns_are_the_cells(table):
    name, source, records = table
    cells = source.cells()
    assert len(cells) == len(records) * len(MEASURES[name]) == {"neft": 12097 * 4, "mobile": 4671 * 2}[name]
    assert source.files()[["first", "last"]].astype(str).to_numpy().tolist() == [
        {"neft": ["2009-01", "2016-10"], "mobile": ["2009-05", "2016-08"]}[name]
    ]


def test_every_cell_is_as_printed_and_at_its_original_address(table):
    name, source, records = table
    expected = [
        (r["source_file"], r["sheet"], int(r["row"]), measure, r["bank_raw"], r["month"], r[measure])
        for r in records
        for measure in MEASURES[name]
    ]
    cells = source.cells()
    found = list(
        zip(*(cells[c] for c in ("file", "sheet", "row", "column", "branch")), cells.month.astype(str), cells.text)
    )
    assert found == expected


def test_nothing_printed_is_unaccounted_for(table):
    name, source, records = table
    account = source.accounting().iloc[0]
    filled = sum(1 for r in records for text in r.values() if text)
    assert account.printed == filled + len(records[0])
    assert account.printed == account[["headings", "cells", "notes", "ignored"]].sum()
    assert account.cells == sum(1 for r in records for m in MEASURES[name] if r[m])


def test_an_address_and_a_month_stand_for_one_cell(table):
    # One workbook of 2011 prints many months side by side, so the row alone does not.
    _, source, _ = table
    assert not source.cells().duplicated(["file", "sheet", "row", "column", "month"]).any()


def test_units_are_those_printed_and_the_catalogue_knows_them(table):
    name, source, _ = table
    units = source.cells().groupby("column", observed=True).unit.unique()
    assert {u for column in units for u in column} <= set(source.catalog.units)
    if name == "neft":
        assert set(units["outward_amount"]) == {"Rs. Crore", "Rs. Million", "Rs. Mn"}


def test_every_printed_bank_is_a_branch_or_the_total(table):
    _, source, records = table
    known = {n: b for b in source.catalog.branches.values() for n in (b.id, b.zh, b.en, *b.aliases)}
    # A name with a semicolon cannot be an alias: it is the label.
    assert {r["bank_raw"] for r in records} <= set(known)
    assert {r["bank_raw"] for r in records if known[r["bank_raw"]].role == "total"} == {
        r["bank_raw"] for r in records if r["row_type"] == "total"
    }


def test_texts_in_number_cells_stay_texts(table):
    name, source, _ = table
    expected = {
        "neft": {"8.28 million", "438.97 billion"},
        "mobile": {"-", "", "Got merged with State Bank of India"},
    }
    assert expected[name] <= set(source.cells().text)


def test_branches_csv_is_what_its_script_writes(table, shared_data):
    name, _, _ = table
    spec = importlib.util.spec_from_file_location("make_branches", HERE / "make_branches.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    with (HERE / name / "branches.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.reader(stream))[1:]
    assert written == [[*row[:4], ";".join(row[4]), *row[5:]] for row in script.branches(shared_data / "rbi", name)]
