"""The sample's workbooks: every spoilt cell is read as it was printed, at its address."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from ebank_lib.sources.units import as_text


@pytest.fixture(scope="module")
def truth(root):
    table = pd.read_csv(root / "data" / "shandong" / "truth.csv", dtype=str, keep_default_na=False)
    table = table[table.row != ""]  # a month that was never sent has no cell
    return table.assign(row=table.row.astype(int))


def test_spoilt_cells_are_read_as_printed(shandong, truth):
    cells = shandong.cells()
    text = {name: cells[name].astype("str") for name in ("file", "sheet", "column", "branch", "indicator")}
    found = cells.assign(**text).set_index(["file", "sheet", "row", "column"])[["text", "indicator"]]
    wanted = truth.drop_duplicates(["file", "sheet", "row", "column"]).set_index(["file", "sheet", "row", "column"])
    joined = wanted.join(found.rename(columns={"indicator": "indicator_read"}), how="left")
    assert len(joined) > 4000
    assert joined[joined.text != joined.printed].index.tolist() == []
    assert joined[joined.indicator != joined.indicator_read].index.tolist() == []


def test_nothing_printed_is_unaccounted_for(shandong):
    account = shandong.accounting()
    assert account.mapped.all()
    assert (account.printed == account[["headings", "cells", "notes", "ignored"]].sum(axis=1)).all()
    # What is left over is words: titles, footnotes, signatures.
    numbers = shandong.notes().text.str.fullmatch(r"[-\d.,%]+")
    assert not numbers.any()


def test_every_sheet_says_that_it_is_simulated(shandong):
    notes = shandong.notes()
    said = notes[notes.text.str.contains("模拟")].groupby(["file", "sheet"]).size()
    assert len(said) == len(shandong.accounting())


def test_one_bit_on_every_decimal_of_the_sample_changes_nothing(shandong):
    """Whole workbooks with a bit more or less are cleaned in test_same.py."""
    texts = {text for text in shandong.cells()["text"].unique() if re.fullmatch(r"-?\d+\.\d+", text)}
    assert len(texts) > 5_000
    assert {text for text in texts for end in (-math.inf, math.inf)
            if as_text(math.nextafter(float(text), end)) != as_text(float(text))} == set()
