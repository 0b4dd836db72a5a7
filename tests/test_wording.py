"""Labels and sentences: both languages, the same placeholders, figures as a reader says them."""

import ast
from pathlib import Path
from string import Formatter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib import wording
from ebank_lib.errors import UnknownNameError
from ebank_lib.wording import cell, cite, join, t

LIBRARY = Path(wording.__file__).parent


def placeholders(text: str) -> set[str]:
    """Return the names of the ``{placeholders}`` of a text."""
    return {field.split(".")[0].split("[")[0] for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("key", sorted(wording.words()))
def test_an_entry_says_the_same_in_both_languages(key):
    zh, en = wording.words()[key]["zh"], wording.words()[key]["en"]
    assert zh.strip() and en.strip()
    assert placeholders(zh) == placeholders(en)


def test_every_key_that_the_library_names_exists():
    named = {node.args[0].value for path in sorted(LIBRARY.rglob("*.py"))
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "t"
             and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)}
    assert named
    assert sorted(named - set(wording.words())) == []


def test_an_unknown_key_or_language_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown wording key 'general.monht'. Did you mean 'general\.month"):
        wording.t("general.monht")
    with pytest.raises(UnknownNameError, match="zh, en"):
        wording.use_language("fr")


@pytest.mark.parametrize(("value", "zh", "en"), [
    (0, "0户", "0 customers"), (999, "999户", "999 customers"), (12_300, "1.23万户", "12.3 k customers"),
    (4.5e8, "4.5亿户", "450 m customers"), (-25_000, "-2.5万户", "-25 k customers"), (float("inf"), "–", "–"),
    (99_999, "10万户", "100 k customers"),
])
def test_numbers_are_written_as_they_are_said(value, zh, en):
    assert wording.number(value, "户", "zh") == zh
    assert wording.number(value, "customers", "en") == en


@given(st.floats(min_value=1e-3, max_value=1e15))
def test_a_written_number_is_within_half_a_percent(value):
    text = wording.number(value, "", "en").replace(",", "")
    scale = {"bn": 1e9, "m": 1e6, "k": 1e3}.get(text.split(" ")[-1], 1.0)
    assert float(text.split(" ")[0]) * scale == pytest.approx(value, rel=0.006)


def test_months():
    assert wording.month_name(pd.Period("2011-08", "M"), "zh") == "2011年8月"
    assert wording.month_name(pd.NaT, "en") == "–"


def test_a_text_keeps_the_cells_of_the_values_that_are_put_into_it():
    one, two = cell("growth", "last_yoy", indicator="sms"), cell("growth", of="size", last_yoy="!=")
    said = t("growth.reading_yoy", "en", last="Aug 2011", n=cite("12", two), branch="Rizhao", high="SMS",
             high_value=cite("+12.3%", one), low="Phone", low_value="+1.0%")
    assert [(said[start:end], refs) for start, end, refs in said.cells] == [("12", (two,)), ("+12.3%", (one,))]
    assert said == t("growth.reading_yoy", "en", last="Aug 2011", n="12", branch="Rizhao", high="SMS",
                     high_value="+12.3%", low="Phone", low_value="+1.0%")


def test_texts_that_are_joined_keep_their_cells_in_place():
    one, two = cite("3", cell("a", "x")), cite("4", cell("b", "y"))
    for said in (join(["of ", one, two], " / "), "of  / " + one + " / " + two):
        assert [(said[start:end], refs[0].table) for start, end, refs in said.cells] == [("3", "a"), ("4", "b")]


def test_fractions_are_per_cent_growth_has_its_sign_and_what_is_missing_is_a_dash():
    assert [wording.percent(0.1234), wording.percent(0.1234, sign=True), wording.percent(float("nan"))] == [
        "12.3%", "+12.3%", "–"]
