"""A number is what its cell shows: not the last bits of a double, and scaled as its format scales it."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.cleaning import clean
from ebank_lib.errors import SourceError
from ebank_lib.sources.units import as_text, decimal, shown

from .test_same import write_ods
from .test_units import write


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


# ---------------------------------------------------------------- bits

@given(st.integers(1, 10**13 - 1), st.integers(0, 12), st.booleans())
def test_one_bit_more_or_less_is_the_same_decimal(digits, point, less):
    value = digits / 10**point
    assert decimal(math.nextafter(value, -math.inf if less else math.inf)) == decimal(value)
    assert float(decimal(value)) == value


@given(st.integers(1, 999_999), st.integers(1, 6))
def test_a_single_is_the_decimal_it_was_made_from(digits, point):
    assert float(decimal(single(digits / 10**point))) == digits / 10**point


@pytest.mark.parametrize(("value", "text"), [
    (sum([0.1] * 10), "1"), (0.1 + 0.2, "0.3"), (4.35 * 100, "435"), (1234.5600000000131, "1234.56"),
    (1 / 3, "0.333333333333333"), (2 / 3 * 100, "66.6666666666667"), (9007199254740991.0, "9007199254740991"),
    (1e22, "1e+22"), (5e-324, "5e-324"), (2.5, "2.5"), (98765.4375, "98765.4375"), (-0.1 - 0.2, "-0.3"),
    (math.inf, "inf"), (2_270_000_128.0, "2270000128")])
def test_what_sums_and_products_leave_behind_is_taken_off(value, text):
    assert decimal(value) == as_text(value) == text


# ---------------------------------------------------------------- number formats

@pytest.mark.parametrize(("value", "code", "text"), [
    (53498.0, "0!.0,", "5.3498"), (53498.0, '0"."0,', "5.3498"), (53498.0, "0\\.0,", "5.3498"),
    (53498.0, '0!.0,"万"', "5.3498万"), (53498.0, "0!.0000", "5.3498"), (1234567.0, "#,##0,", "1234.567"),
    (1234567.0, "#,##0.0,,", "1.234567"), (1234567.0, "#,##0,.00", "1234.567"), (1234567.0, "#,##0.00", "1234567"),
    (0.3456, "0%", "34.56%"), (0.1 + 0.2, "0.0%", "30%"), (12.0, "General", "12"), (-5000.0, "0.0,;(0.0,)", "-5"),
    (25000.0, '[>=100000000]0!.00,,"亿";[>=10000]0!.0,"万";0', "2.5万"), (0.0, "0.0,", "0"),
    (250.0, '[>=100000000]0!.00,,"亿";[>=10000]0!.0,"万";0', "250"), (12.5, '0.0"元"', "12.5"),
    (12.5, '0.0"万元"', "12.5万元"), (12.5, '_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ', "12.5"),
    (150.0, "[$¥-804]#,##0,", "0.15"), (12.0, "0.0_);[Red](0.0)", "12"), (5.0, '0"%"', "5%"),
    (40000.0, "yyyy/m/d", "40000"), (3.0, "0.00E+00", "3"), (7.0, '0"', "7"), (7.0, "", "7"),
    (7.0, "[>=x]0,", "0.007"), (250.0, '[<10000]0;0!.0,"万"', "250"), (25000.0, '[<10000]0;0!.0,"万"', "2.5万"),
    (7000.0, "0,.", "7")])
def test_a_format_that_scales_is_followed_with_all_digits(value, code, text):
    assert shown(value, code) == text


def test_a_workbook_whose_format_scales_is_read_as_it_shows(folder):
    import openpyxl

    rows = [["东城分行", 53_498, 25_000], ["西城分行", 1_000_000, 0.5]]
    write(folder, [["机构", "客户数（万户）", "收入（元）"], *rows])
    book = openpyxl.load_workbook(folder.path / "2010-03.xlsx")
    for at in ("B2", "B3"):
        book.active[at].number_format = "0!.0,"
    book.active["C2"].number_format = '0!.0,"万"'
    book.save(folder.path / "2010-03.xlsx")
    assert folder.cells()["text"].tolist() == ["5.3498", "2.5万", "100", "0.5"]
    panel = clean(folder.open()).panel
    assert panel["online"].tolist() == [53_498, 1_000_000]
    assert panel["income"].tolist() == [25_000, 0.5]


@pytest.mark.parametrize("style", [
    '<number:number number:display-factor="1000">'
    '<number:embedded-text number:position="1">.</number:embedded-text></number:number>',
    '<number:number number:display-factor="1000000"/>', '<number:number/><number:text>万元</number:text>'])
def test_an_ods_whose_format_scales_is_refused(folder, style):
    write(folder, [])
    styles = (f'<number:number-style style:name="N1">{style}</number:number-style>'
              '<style:style style:name="ce1" style:family="table-cell" style:data-style-name="N1"/>')
    write_ods(folder.path / "2010-03.ods", [["机构", "客户数", "收入"],
                                            ["东城分行", (53498.0, 'table:style-name="ce1"'), 2.5]], styles)
    folder.edit("*.xlsx", "*.ods")
    with pytest.raises(SourceError, match="has a number format that scales.*Saved as .xlsx it is read as shown"):
        folder.cells()
