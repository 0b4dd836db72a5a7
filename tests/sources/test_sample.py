"""The sample's workbooks: every spoilt cell is read as it was printed, at its address."""

from __future__ import annotations

import math
import re
import shutil
import zipfile

import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.sources import open_source


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


def test_one_bit_on_every_decimal_of_the_sample_changes_nothing(root, cleaned, tmp_path):
    shutil.copytree(root / "data", tmp_path / "data", ignore=shutil.ignore_patterns("__pycache__"))

    def noisy(match):
        value = float(match[1])
        return match[0] if value.is_integer() else b"<v>%s</v>" % repr(math.nextafter(value, math.inf)).encode()

    for path in (tmp_path / "data" / "shandong").glob("*.xlsx"):
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                sheet = name.startswith("xl/worksheets/sheet")
                archive.writestr(name, re.sub(rb"<v>([-\d.eE+]+)</v>", noisy, content) if sheet else content)
    noise = clean(open_source(tmp_path / "data" / "shandong"))
    pd.testing.assert_frame_equal(noise.panel, cleaned.panel, check_exact=True)
    pd.testing.assert_frame_equal(noise.summary(), cleaned.summary())
