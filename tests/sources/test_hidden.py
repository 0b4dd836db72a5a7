"""What is hidden is read, and said; what can be seen goes before it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from ebank_lib.cleaning import clean

from .test_same import write_ods
from .test_units import HEADINGS, write

SHEET = [[*HEADINGS], ["东城分行", 999, 9], ["东城分行", 1200, 5], ["西城分行", 800, 2]]


def change(folder, how):
    book = openpyxl.load_workbook(folder.path / "2010-03.xlsx")
    how(book)
    book.save(folder.path / "2010-03.xlsx")


def rules(cleaned, key="online"):
    mine = cleaned.entries[(cleaned.entries["branch"] == "east") & (cleaned.entries["indicator"] == key)]
    return sorted((str(r.rule), str(r.decision), r.text) for r in mine.itertuples())


def test_a_hidden_row_gives_way_to_the_one_that_is_seen(folder):
    write(folder, SHEET)
    change(folder, lambda book: setattr(book.active.row_dimensions[2], "hidden", True))
    assert folder.cells()["hidden"].tolist() == ["row", "row", "", "", "", ""]
    cleaned = clean(folder.open())
    assert cleaned.panel.loc[("east", "2010-03"), "online"] == 1200
    assert ("hidden", "rejected", "999") in rules(cleaned)
    assert not any(decision == "flagged" for _, decision, _ in rules(cleaned))


def test_a_hidden_sheet_gives_way_wherever_it_stands(folder):
    write(folder, [HEADINGS, ["东城分行", 999, 9]])

    def more(book):
        book.active.sheet_state = "hidden"
        page = book.create_sheet("新")
        for row in [HEADINGS, ["东城分行", 1200, 5]]:
            page.append(row)
        book.active = 1

    change(folder, more)
    cleaned = clean(folder.open())
    assert set(folder.cells()["hidden"]) == {"sheet", ""}
    assert cleaned.panel.loc[("east", "2010-03"), "online"] == 1200
    assert ("hidden", "rejected", "999") in rules(cleaned)


@pytest.mark.parametrize("what", ["row", "column", "sheet"])
def test_what_is_hidden_and_stands_alone_counts_and_is_said(folder, what):
    write(folder, [HEADINGS, ["东城分行", 1200, 5], ["西城分行", 800, 2]])

    def hide(book):
        if what == "sheet":
            book.create_sheet("说明")
            book.active = 1
            book["Sheet"].sheet_state = "veryHidden"
        elif what == "row":
            book.active.row_dimensions[2].hidden = True
        else:
            book.active.column_dimensions["B"].hidden = True

    change(folder, hide)
    folder.edit('sheet: "*"', "sheet: Sheet")
    cleaned = clean(folder.open())
    assert cleaned.panel.loc[("east", "2010-03"), "online"] == 1200
    assert ("hidden", "parsed", "1200") in rules(cleaned)
    assert cleaned.conservation.iloc[0]["cells"] == 4


@pytest.mark.parametrize("how", ["collapse", "filter"])
def test_hidden_rows_of_an_ods(folder, how):
    write(folder, SHEET)
    write_ods(folder.path / "2010-03.ods", SHEET, row_attributes={1: f'table:visibility="{how}"'})
    folder.edit("*.xlsx", "*.ods")
    assert clean(folder.open()).panel.loc[("east", "2010-03"), "online"] == 1200


def test_hidden_rows_of_an_xls(folder):
    """The row record of the first branch's row in the workbook beside this test, with its bit for hidden set."""
    import struct

    data = bytearray(Path(__file__).with_name("province.xls").read_bytes())
    at = data.find(struct.pack("<HHH", 0x0208, 16, 4))
    if at < 0:
        pytest.skip("the workbook has no row records")
    data[at + 4 + 12] |= 0x20
    folder.write("2010-03.xls", bytes(data))
    folder.edit("*.xlsx", "*.xls")
    cells = folder.cells()
    assert set(cells.loc[cells["row"] == 5, "hidden"]) == {"row"} and set(cells.loc[cells["row"] > 5, "hidden"]) == {""}


def test_a_formula_of_an_ods_that_was_never_calculated_is_no_blank(folder):
    write(folder, SHEET)
    write_ods(folder.path / "2010-03.ods", [HEADINGS, ["东城分行", 1200, ("", 'table:formula="of:=SUM([.A1:.A2])"')]])
    folder.edit("*.xlsx", "*.ods")
    path = folder.path / "2010-03.ods"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["content.xml"] = re.sub(rb'office:value-type="string" (table:formula)', rb"\1", parts["content.xml"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert folder.cells()["text"].tolist() == ["1200", "=SUM([.A1:.A2])"]
