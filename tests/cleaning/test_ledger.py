"""The ledger's order, its words and what a reader of a branch sees."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning.ledger import Book, _once, for_reading, inert, phrase, with_reasons

from .conftest import small_catalog

MONTH = pd.Period("2010-03", "M")


def cells(n=4, **columns):
    frame = pd.DataFrame({"file": "f.xlsx", "sheet": "表", "row": np.arange(5, 5 + n), "column": "C", "branch": "x",
                          "month": pd.PeriodIndex([MONTH] * n), "indicator": "sales", "text": "12", "unit": "元"})
    return frame.assign(**columns)


def test_decisions_stand_in_the_order_of_cells_how_they_were_read_first():
    book = Book()
    book.add([3, 0], "flagged", "spike", [1.0, 2.0], 9.0)
    book.add_loose("west", MONTH, "sales", "filled", "from_identity", 5.0)
    book.add_loose("east", MONTH, "sales", "filled", "from_identity", 6.0)
    book.add_loose("west", MONTH - 1, "sales", "flagged", "missing_month")
    book.add([0, 3], "parsed", "number", 3.0, [4.0, 5.0], reading=True)
    book.add([], "parsed", "number")
    rows = book.entries(cells(), np.array(["east", "east", "west", "west"]))
    got = [(r.cell, r.branch, r.rule, r.before, r.after) for r in rows.itertuples()]
    assert got[:4] == [(0, "east", "number", 3.0, 4.0), (0, "east", "spike", 2.0, 9.0), (3, "west", "number", 3.0, 5.0),
                       (3, "west", "spike", 1.0, 9.0)]
    assert [(r[0], r[1], r[2]) for r in got[4:]] == [(-1, "west", "missing_month"), (-1, "east", "from_identity"),
                                                     (-1, "west", "from_identity")]
    assert rows["row"].tolist() == [5, 5, 8, 8, 0, 0, 0]


def test_reasons_are_filled_as_a_reader_writes_them():
    book = Book()
    detail = {"value": 1234567.5, "power": "10^-1",
              "proof": phrase("proof_equations", what=[phrase("id_sum_mismatch"), phrase("id_total_mismatch")])}
    book.add(0, "corrected", "decimal_slip", 1.0, 2.0, detail)
    book.add(1, "flagged", "swapped_rows", 1.0, 1.0, {"other": {"zh": "东", "en": "East"}, "share": 0.875,
                                                      "proof": phrase("proof_none")})
    rows = book.entries(cells(), np.repeat("east", 4))
    zh, en = (with_reasons(rows, lang)["reason"].tolist() for lang in ("zh", "en"))
    assert "1,234,567.5" in zh[0] and "、" in zh[0] and "1,234,567.5" in en[0]
    assert "东" in zh[1] and "East" in en[1] and "87.5" in en[1]


@pytest.mark.parametrize("column, address", [
    ("C", "f.xlsx 表!C5"), ("ABC", "f.xlsx 表!ABC5"), ("ABCD", "f.xlsx 表!5 ABCD"), ("sales", "f.xlsx 表!5 sales"),
    ("Ä", "f.xlsx 表!5 Ä")])
def test_an_address_is_a_spreadsheets_where_the_column_is_one(column, address):
    book = Book()
    book.add(0, "flagged", "spike", 1.0, 1.0, {"value": 1.0, "times": "2", "z": "7"})
    rows = book.entries(cells(column=column), np.repeat("east", 4))
    assert for_reading(rows, small_catalog(), "zh")["address"].tolist() == [address]


def test_numbers_of_a_month_treated_alike_share_a_row_and_a_proof_is_said_once():
    proof = {"proof": phrase("proof_equations", what=[phrase("id_sum_mismatch")])}
    book = Book()
    book.add([0, 1], "corrected", "sum_mismatch", [5.0, 6.0], [7.0, 8.0], proof)
    book.add(2, "corrected", "stale_repeat", 5.0, 9.0, proof)
    book.add(2, "corrected", "sum_mismatch", 5.0, 9.0, proof)
    book.add_loose("east", MONTH - 1, "activity", "filled", "interpolated", 0.4567)
    rows = book.entries(cells(indicator=["a", "b", "both", "sales"], text=["5", "6", "5", "1"]), np.repeat("east", 4))
    got = for_reading(rows, small_catalog(), "en")
    assert got["numbers"].tolist() == [1, 2, 1] and got["indicator"].tolist() == ["activity", "a", "both"]
    assert got["after"].tolist() == ["45.67%", "7 customers", "9 customers"]
    assert got["text"].tolist()[1:] == ["5", "5"] and pd.isna(got["text"][0]) and pd.isna(got["address"][0])
    assert got["reason"][2].count("which makes it hold") == 1


def test_only_the_first_of_several_reasons_keeps_a_proof_that_they_share():
    given = [("unit, by the total", "by the total"), ("slip, by the total", "by the total"), ("doubt", "")]
    assert _once(given) == ["unit, by the total", "slip", "doubt"]


def test_a_formula_gets_an_apostrophe_and_a_carriage_return_ends_no_line():
    assert [inert(t) for t in ("=1", "＝1", "a=1", "", "a\r\n=b\r=c")] == ["'=1", "'＝1", "a=1", "", "a\n=b\n=c"]
