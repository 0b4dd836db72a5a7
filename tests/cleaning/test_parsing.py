"""What a printed cell says. Every rule takes off one kind of mess; what is left is a number, or nothing is guessed."""

import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.cleaning import read_number
from ebank_lib.cleaning.parsing import FAILED

UNITS = {"户", "万户", "万元", "亿元", "rs.crore"}


@pytest.mark.parametrize("text, value, rules", [
    ("1234", 1234, []), ("-5", -5, []), ("0.5", 0.5, []), ("1e5", 1e5, []), ("5e-05", 5e-05, []),
    ("１２３４", 1234, ["full_width_digits"]), ("１２．５", 12.5, ["full_width_digits"]),
    ("１，２３４", 1234, ["full_width_digits", "thousands_separator"]), ("٣٤", 34, ["full_width_digits"]),
    ("1,234,567.5", 1234567.5, ["thousands_separator"]), ("1,33,460", 133460, ["thousands_separator"]),
    ("12,3456", 123456, ["thousands_separator"]), ("1、234", 1234, ["thousands_separator"]),
    ("1，234", 1234, ["thousands_separator"]), ("1.234.567", 1234567, ["thousands_separator"]),
    ("1234*", 1234, ["trailing_note"]), ("1234 **", 1234, ["trailing_note"]), ("1234＊", 1234, ["trailing_note"]),
    ("1234（注1）", 1234, ["trailing_note"]), ("1234[2]", 1234, ["trailing_note"]), ("1234①", 1234, ["trailing_note"]),
    ("1234²", 1234, ["trailing_note"]), ("1234含油田", 1234, ["trailing_note"]),
    ("1,234 (rev)", 1234, ["trailing_note", "thousands_separator"]),
    ("约1,200", 1200, ["text_number", "thousands_separator"]), ("'1200", 1200, ["text_number"]),
    ("approx. 1200", 1200, ["text_number"]), ("12 345", 12345, ["text_number"]),
    ("\u3000123\u00a0", 123, ["text_number"]),
    ("￥120", 120, ["text_number"]), ("(123)", -123, ["text_number"]), ("（1,234）", -1234,
                                                                         ["text_number", "thousands_separator"]),
    ("－5", -5, ["text_number"]), ("–5", -5, ["text_number"]), ("\u22125", -5, ["text_number"]),
])
def test_numbers_in_every_dress(text, value, rules):
    reading = read_number(text, UNITS)
    assert (reading.value, reading.rules, reading.failed) == (value, rules, "")


@pytest.mark.parametrize("text, value, scale, unit", [
    ("2.5万", 2.5, 1e4, ""), ("1.2亿", 1.2, 1e8, ""), ("8.28 million", 8.28, 1e6, ""),
    ("438.97 billion", 438.97, 1e9, ""),
    ("1.5 crore", 1.5, 1e7, ""), ("62.3%", 62.3, 0.01, "%"), ("62.3％", 62.3, 0.01, "%"), ("5‰", 5, 0.001, "%"),
    ("12.5万元", 12.5, math.nan, "万元"), ("12.5（万元）", 12.5, math.nan, "万元"),
    ("3 Rs. Crore", 3, math.nan, "rs.crore"),
])
def test_the_unit_written_in_the_cell(text, value, scale, unit):
    reading = read_number(text, UNITS)
    assert (reading.value, reading.unit) == (value, unit)
    assert reading.scale == scale or (math.isnan(scale) and math.isnan(reading.scale))


@pytest.mark.parametrize("text", ["-", "--", "—", "－", "–", "…", "...", "/", " - ", "——"])
def test_a_dash_of_any_kind_is_no_number(text):
    assert read_number(text).failed == "dash"


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u00a0", "\u200b"])
def test_blank(text):
    assert read_number(text).failed == "blank"


@pytest.mark.parametrize("text, failed", [("#N/A", "error_value"), ("#REF!", "error_value"), ("#DIV/0!", "error_value"),
                                          (" #n/a ", "error_value"), ("####", "error_value"), ("=1+1", "formula"),
                                          ("=SUM(B2:B5)", "formula")])
def test_an_error_and_a_formula_without_a_result_are_no_text(text, failed):
    assert read_number(text, UNITS).failed == failed


@pytest.mark.parametrize("text, value", [('="1234"', 1234), ('="1,234.5"', 1234.5), ("=1234", 1234)])
def test_a_number_behind_an_equals_sign_is_the_number(text, value):
    reading = read_number(text, UNITS)
    assert (reading.value, reading.failed, reading.rules[0]) == (value, "", "text_number")


@pytest.mark.parametrize("text, value, decimals", [
    ("0.30000000000000004", 0.3, 1), ("1234.5600000000001", 1234.56, 2), ("344.93869177600004", 344.938691776, 9),
    ("0.10000000149011612", 0.1, 1), ("123456789012345678", 123456789012345678.0, 0)])
def test_the_last_bits_of_a_double_are_no_digits(text, value, decimals):
    reading = read_number(text, UNITS)
    assert (reading.value, reading.decimals) == (value, decimals)


@pytest.mark.parametrize("text", ["并入东营分行", "12,34", "1,2345,67", "12(345)", "2009年", "1月5日", "1234人",
                                  "inf", "nan", "1_000",
                                  "1e999", "1234-", "1.2.3", "0x10", "②", "(注)", "1/2",
                                  "12:30", "+-5",
                                  "1" * 500, "٣,٤", "12 months", "1234-1235"])
def test_what_could_mean_two_things_is_not_guessed(text):
    reading = read_number(text, UNITS)
    assert math.isnan(reading.value) and reading.failed == "not_a_number"


def test_the_digits_behind_the_point():
    texts = ("12", "12.30", "1,234.5*", "1.5e3", "1.25e-3")
    assert [read_number(t).decimals for t in texts] == [0, 2, 1, 0, 5]


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_says_why_not(text):
    reading = read_number(text, UNITS)
    assert math.isfinite(reading.value) != bool(reading.failed)
    assert reading.failed in ("", *FAILED)


@given(st.text(alphabet="0123456789０１９,，.、 -(（)）*'约万%注①\u3000", max_size=14))
def test_the_digits_of_the_number_are_the_digits_of_the_cell_in_their_order(text):
    reading = read_number(text, UNITS)
    if not reading.failed and "e" not in repr(reading.value):
        printed = "".join(str(unicodedata.decimal(c)) for c in text if unicodedata.category(c) == "Nd")
        read = re.sub(r"\D", "", repr(reading.value)).strip("0")
        assert read in printed


DRESSES = [lambda s: s, lambda s: f" {s} ", lambda s: s + "*", lambda s: s + "（注1）",
           lambda s: "'" + s, lambda s: "约" + s,
           lambda s: s.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.,"})]


@given(st.integers(0, 10**12), st.integers(0, 3), st.sampled_from(DRESSES), st.booleans())
def test_no_dress_changes_the_number(digits, decimals, dress, grouped):
    value = digits / 10**decimals
    text = dress(f"{value:{',' if grouped else ''}.{decimals}f}")
    reading = read_number(text)
    assert reading.value == float(f"{value:.{decimals}f}") and not reading.failed


def test_an_error_value_is_neither_a_text_nor_a_repeated_heading(province, rules_at):
    province.print("east", "2010-03", "sales", "#N/A")
    province.print("west", "2010-03", "sales", "=SUM(G4:G8)")
    province.cells.loc[province.at("lake", "2010-03"), ["branch", "text"]] = ["新分行", "#REF!"]
    cleaned = province.clean()
    assert rules_at(cleaned, "east", "2010-03", "sales")["error_value"] == "rejected"
    assert rules_at(cleaned, "west", "2010-03", "sales")["formula"] == "rejected"
    rules = set(cleaned.entries.loc[cleaned.entries["branch"] == "新分行", "rule"])
    assert rules == {"unknown_branch"}
