"""What a workbook's reader leaves out is found alike whether a sheet is looked over or walked through."""

import pytest

from ebank_lib.errors import SourceError
from ebank_lib.sources.grids import Extras, _xlsx
from ebank_lib.sources.spec import Limits

CELLS = {
    "nothing": ('<c r="A1"><v>1</v></c><c r="B1" s="2"/>', Extras()),
    "an error": ('<c r="B1" t="e"><v>#REF!</v></c>', Extras({(0, 1): "#REF!"})),
    "a formula with its value": ('<c r="A1"><f>B1*2</f><v>4</v></c><c r="B1"><f t="shared" si="0"/><v>2</v></c>',
                                 Extras()),
    "a formula without": ('<c r="A1"><f>B1*2</f></c>', Extras({(0, 0): "=B1*2"})),
    "one with nothing": ('<c r="A1"><f>B1*2</f><v></v></c>', Extras({(0, 0): "=B1*2"})),
    "a shared one without": ('<c r="A1"><v>1</v></c><c r="B1"><f si="0" t="shared"/></c>', Extras({(0, 1): "="})),
    "a format that scales": ('<c r="C1" s="7"><v>0.5</v></c>', Extras(formats={(0, 2): "0%"})),
    "one behind the type": ('<c r="C1" t="n" s="7"><v>0.5</v></c>', Extras(formats={(0, 2): "0%"})),
    "one of a blank cell": ('<c r="C1" s="7"/>', Extras()),
    "no address": ('<c><v>1</v></c><c s="7"><v>0.5</v></c>', Extras(formats={(0, 1): "0%"})),
    "none after a blank one": ('<c r="A1"/><c r="B1" s="7"/><c s="7"><v>0.5</v></c>', Extras(formats={(0, 2): "0%"})),
    "attributes on lines of their own": ('<c\nr="C1"\ns="7"><v>0.5</v></c>', Extras(formats={(0, 2): "0%"})),
    "another address": ('<c r="$C$1" s="7"><v>0.5</v></c>', Extras(formats={(0, 2): "0%"})),
    "a number in place of a letter": ('<c r="B1" t="&#101;"><v>#REF!</v></c>', Extras({(0, 1): "#REF!"})),
    "other spellings": ("<c r='A1' t = 'e'><v>#N/A</v></c>", Extras({(0, 0): "#N/A"})),
}


def sheet(cells: str, row: str = '<row r="1">') -> bytes:
    return f'<worksheet xmlns="m"><cols/><sheetData>{row}{cells}</row></sheetData></worksheet>'.encode()


@pytest.mark.parametrize("name", CELLS)
def test_what_the_reader_leaves_out_of_a_cell(name):
    cells, expected = CELLS[name]
    for content in (sheet(cells), sheet(f"{cells}<!-- hidden: walked through -->")):
        assert _xlsx(content, {"7": "0%"}, "a.xlsx", "s", Limits()) == expected


def test_hidden_rows_are_seen():
    for row in ('<row r="1" hidden="1">', "<row r='1' ht='0'>", '<row ht="0">'):
        assert _xlsx(sheet('<c r="A1"><v>1</v></c>', row), {}, "a.xlsx", "s", Limits()) == Extras(rows={0})


@pytest.mark.parametrize("more", ["", "<!-- hidden -->"])
def test_a_sheet_is_as_large_as_its_cells_reach_and_blank_ones_do_not_count(more):
    limits = Limits(sheet_cells=20)
    far = sheet(f'<c r="A1"><v>1</v></c><c r="XFD1048576" s="1"/><c r="b10"><v>2</v></c>{more}')
    assert _xlsx(far, {}, "a.xlsx", "s", limits) == Extras()
    with pytest.raises(SourceError, match="has too large a used area; found '11 rows x 2 columns'"):
        _xlsx(far.replace(b'"b10"', b'"b11"'), {}, "a.xlsx", "s", limits)
