"""What a drafted source says, compared with what its files print: by printed names, for the draft chooses its own."""

import re

import openpyxl
import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.sources import open_source
from ebank_lib.sources.units import fold

_UNIT = re.compile(r"[（(][^（）()]*[)）]\s*$")


def book(path, **sheets):
    """Write a workbook: a list of rows a sheet; None is a blank cell, ("text", across, down) is merged."""
    wb = openpyxl.Workbook()
    wb.remove(wb.active)
    for title, rows in sheets.items():
        ws = wb.create_sheet(title)
        for r, row in enumerate(rows, 1):
            for c, cell in enumerate(row, 1):
                text, across, down = cell if isinstance(cell, tuple) else (cell, 1, 1)
                if text is not None:
                    ws.cell(r, c, text)
                if across * down > 1:
                    ws.merge_cells(start_row=r, start_column=c, end_row=r + down - 1, end_column=c + across - 1)
    wb.save(path)


def _bare(text):
    return fold(_UNIT.sub("", text))


def indicators_named(source):
    """Return the keys by their printed names, whole paths and each level of them."""
    found = {}
    for part in source.parts:
        for sheet in getattr(part, "sheets", [part]):
            for path, target in [*sheet.headings.items(), *getattr(sheet, "columns", {}).items()]:
                levels = path.split("/")
                for name in ["/".join(levels[n:]) for n in range(len(levels))] + levels[:1]:
                    found.setdefault(_bare(name), target.indicator)
    return found


def differences(folder, expected, indicators, branches):
    """Return the rows in which the panel of a drafted source is not as expected.

    `expected` has the columns branch, month (text), indicator, value; `indicators` and `branches` give the printed
    names of each.
    """
    source = open_source(folder)
    heads = indicators_named(source)
    names = {fold(n): b.id for b in source.catalog.branches.values() for n in (b.id, b.zh, b.en, *b.aliases)}
    keys = {i: next((heads[k] for path in paths for n in range(len(path))
                     if (k := "/".join(map(_bare, path[n:]))) in heads), None) for i, paths in indicators.items()}
    ids = {b: next((names[fold(n)] for n in reversed(printed) if fold(n) in names), None)
           for b, printed in branches.items()}
    assert None not in keys.values(), keys
    assert None not in ids.values(), ids
    want = expected.assign(branch=expected["branch"].map(ids), indicator=expected["indicator"].map(keys))
    got = clean(source).panel.reset_index().melt(["branch", "month"], var_name="indicator").dropna()
    got = got[got["branch"].isin(ids.values()) & got["indicator"].isin(keys.values())].assign(
        month=lambda d: d["month"].astype(str))
    both = want.merge(got, how="outer", on=["branch", "month", "indicator"], suffixes=("_printed", "_read"))
    near = (both["value_printed"] - both["value_read"]).abs() <= 1e-6 * both["value_printed"].abs() + 1e-9
    return both[~near]


def parts_of(case):
    """Return the files of a reference case that a department has, without what describes them."""
    return [path for path in sorted(case.iterdir()) if path.name not in ("about.yaml", "expected.csv")]


def about(case):
    """Return the printed names of a reference case's indicators and branches, and its values."""
    import yaml

    said = yaml.safe_load((case / "about.yaml").read_text(encoding="utf-8"))
    return (pd.read_csv(case / "expected.csv", dtype={"branch": str}),
            {i["key"]: i["printed"] for i in said["indicators"]}, {b["id"]: b["printed"] for b in said["branches"]})


@pytest.fixture(scope="session")
def unlike():
    """The function that compares a drafted source with what its files print."""
    return differences
