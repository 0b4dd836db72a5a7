"""What is found in a workbook's bytes is found however they are written, and nothing that reserves memory is missed."""

from __future__ import annotations

import re

import openpyxl
import pytest

from ebank_lib.errors import SourceError

from .test_hostile import SHEET, add_rows, repack

FAR = b'r="XFD1048576"'


@pytest.fixture
def path(province):
    return province.path / "2010-03.xlsx"


def prefixed(content):
    content = re.sub(rb"<(/?)(?=[a-zA-Z])", rb"<\1x:", content)
    return content.replace(b"xmlns=", b"xmlns:x=")


ODD = {
    "with a prefix": prefixed,
    "with apostrophes": lambda c: re.sub(rb'="([^"]*)"', rb"='\1'", c),
    "with the address behind": lambda c: re.sub(rb'<c (r="[^"]*")([^<>/]*)(/?)>', rb"<c\2 \1\3>", c),
    "without addresses": lambda c: re.sub(rb'<row r="[^"]*"', b"<row", c),
    "with comments": lambda c: c.replace(b"<row", b"<!-- <c r='A1'><v>1</v></c> --><row"),
    "with spaces": lambda c: c.replace(b"<c ", b"<c  ").replace(b"</row>", b"\n</row >"),
    "with a sign in an attribute": lambda c: c.replace(b"<c r=", b'<c x=">" r='),
    "with blank cells": lambda c: c.replace(b"</row>", b'<c r="AA9" s="1"/><c r="AB9" s="1"></c></row>'),
}


@pytest.mark.parametrize("how", ODD)
def test_a_sheet_that_is_written_in_an_odd_way_is_read_as_any_other(province, path, how):
    before = province.cells()
    repack(path, {SHEET: ODD[how]})
    assert province.cells().equals(before)


@pytest.mark.parametrize("row", [
    b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    b"<x:row xmlns:x='a'><x:c " + FAR + b"><v>1</v></x:c></x:row>",
    b'<row r="1048576"><c x=\' r="A1"\' ' + FAR + b"><v>1</v></c></row>",
    b'<row r="1048576"><c x=" r=" ' + FAR + b"><v>1</v></c></row>",
    b"<row r='1048576'><c r='XFC1048576'/><c>r=\"A1\"<v>1</v></c></row>",
    b"<c\n" + FAR + b"\n><v>1</v></c>",
    b"<c " + FAR + b' x="/"><v>1</v></c>',
    b"<c " + FAR + b"><?x </c> ?><v>1</v></c>",
    b"<c " + FAR + b"><!-- </c> --><v>1</v></c>",
    b"<!-- <c r='A1' x=\" --><c " + FAR + b'><v y=""/></c>',
    b"<c " + FAR + b"><f>1</f></c>",
    b"<c " + FAR + b' t="inlineStr"><is><t>x</t></is></c>',
    b"<c " + FAR + b"><![CDATA[</c>]]><v>1</v></c>"])
def test_a_far_cell_is_seen_however_it_is_written(province, path, row):
    repack(path, {SHEET: add_rows(row)})
    with pytest.raises(SourceError, match="too large a used area.*limits.sheet_cells"):
        province.cells()


@pytest.mark.parametrize("row", [
    b"<c " + FAR + b' x="</"><v>1</v></c>',
    b"<c " + FAR + b' x="<c "><v>1</v></c>',
    b"<c r=A1 " + FAR + b"><v>1</v></c>",
    b"<c " + FAR + b"><c r='A1'/><v>1</v></c>"])
def test_a_cell_that_no_program_writes_is_refused(province, path, row):
    repack(path, {SHEET: add_rows(row)})
    with pytest.raises(SourceError, match="well-formed|damaged|used area"):
        province.cells()


def test_a_formula_that_shows_an_empty_text_has_been_calculated(province, path):
    before = province.cells()
    repack(path, {SHEET: add_rows(b'<row r="11"><c r="H11" t="str"><f>IF(A1&gt;1,"","")</f><v></v></c></row>')})
    assert province.cells().equals(before)
    assert "=IF" not in "".join(province.open().notes()["text"])


def test_an_error_and_the_formula_behind_it(province):
    def change(sheet):
        for at, text, kind in (("C6", "#DIV/0!", "e"), ("D6", "#N/A", "e")):
            sheet[at] = text
            sheet[at].data_type = kind

    province.workbook(change=change)
    cells = province.cells().set_index(["row", "column"])["text"]
    assert (cells[6, "C"], cells[6, "D"], cells[8, "F"]) == ("#DIV/0!", "#N/A", "#REF!")
    repack(province.path / "2010-03.xlsx", {SHEET: lambda c: c.replace(b"<v>#DIV/0!", b"<f>1/0</f><v>#DIV/0!")})
    assert province.cells().set_index(["row", "column"])["text"][6, "C"] == "#DIV/0!"


def test_hidden_columns_and_scaled_formats_are_found_where_they_are(province):
    def change(sheet):
        sheet.column_dimensions["D"].hidden = True
        sheet["C5"].number_format = "0,"

    province.workbook(change=change)
    cells = province.cells()
    assert set(cells.loc[cells["column"] == "D", "hidden"]) == {"column"}
    assert set(cells.loc[cells["column"] != "D", "hidden"]) == {""}
    assert cells.set_index(["row", "column"])["text"][5, "C"] == "12.345"
    assert openpyxl.load_workbook(province.path / "2010-03.xlsx").active["C5"].value == 12345
