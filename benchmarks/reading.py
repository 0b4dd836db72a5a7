"""Reading workbooks, against ``pandas.read_excel(engine="calamine")``, which gives the values alone.

    python -m benchmarks.reading [--turns 3]

200 workbooks of 10 sheets; one of 60 rows x 15,000 bordered cells, most of them blank; one of 2.4 MB whose 900,000
blank cells have number formats. Every turn is a process of its own: the processor's seconds of reading all files, the
best of the turns, and the memory of the process at its greatest. Exits non-zero where reading takes more than twice the
time of pandas, or more than five quarters of its memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xlsxwriter

TIMES, MEMORY = 2.0, 1.25
COLUMNS, ROWS = 20, 30
CATALOG = """\
units: {户: {base: 户, factor: 1}, 元: {base: 元, factor: 1}}
base_units: {户: {zh: 户, en: customers}, 元: {zh: 元, en: yuan}}
groups: {all: {zh: 全部, en: All}}
indicators:
""" + "".join(f"  - {{key: i{c}, zh: 指标{c}, en: Indicator {c}, group: all, kind: stock, unit: {'户元'[c % 2]}}}\n"
              for c in range(COLUMNS))
SOURCES = """\
title: {zh: 基准, en: Benchmark}
catalog: catalog.yaml
branches: branches.csv
files:
  - path: "*.xlsx"
    month: {from: file}
    sheets:
      - {sheet: "*", branch: 机构, missing: allow, headings: {HEADINGS}}
""".replace("HEADINGS", ", ".join(f"指标{c}: i{c}" for c in range(COLUMNS)))


def describe(folder: Path) -> Path:
    """Write what describes a source, whose workbooks follow."""
    folder.mkdir()
    branches = "".join(f"b{n},分行{n},Branch {n},branch,,,\n" for n in range(10 * ROWS))
    for name, text in (("catalog.yaml", CATALOG), ("sources.yaml", SOURCES),
                       ("branches.csv", "branch,zh,en,role,aliases,merged_into,merged_month\n" + branches)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def table(sheet, title: str, columns: int, first: int, draw: random.Random, style) -> None:
    """Write a title, headings with units and a row a branch."""
    sheet.merge_range(0, 0, 0, columns, title)
    sheet.write_row(1, 0, ["机构", *(f"指标{c}（{'户元'[c % 2]}）" for c in range(columns))])
    for row in range(ROWS):
        sheet.write(2 + row, 0, f"分行{first + row}")
        for c in range(columns):
            sheet.write(2 + row, 1 + c, round(draw.random() * 1e6, 2) if c % 2 else draw.randrange(10**6), style)


def write(root: Path) -> dict[str, Path]:
    """Write the three sources; return their folders by what they are."""
    draw, folders = random.Random(1), {}
    folders["200 workbooks x 10 sheets"] = folder = describe(root / "many")
    for n in range(200):
        with xlsxwriter.Workbook(folder / f"{2005 + n // 12}-{n % 12 + 1:02}.xlsx") as book:
            style = book.add_format({"num_format": "#,##0.00", "border": 1})
            for m in range(10):
                table(book.add_worksheet(f"表{m}"), "全省电子银行客户情况表", COLUMNS, m * ROWS, draw, style)
    for name, key, look, rows, columns in (
            ("60 rows x 15,000 bordered cells", "blanks", {"border": 1}, 60, 15_000),
            ("2.4 MB of formatted blank cells", "formats", {"border": 1, "num_format": "0.00%"}, 30_000, 30)):
        folders[name] = folder = describe(root / key)
        with xlsxwriter.Workbook(folder / "2010-03.xlsx") as book:
            sheet, style = book.add_worksheet("表"), book.add_format(look)
            table(sheet, "全省电子银行客户情况表", 3, 0, draw, style)
            for row in range(rows):
                for column in range(4, columns):
                    sheet.write_blank(row, column, None, style)
                if row >= ROWS + 2:
                    sheet.write_row(row, 0, [""] * 4, style)
    return folders


def read(how: str, folder: str) -> None:
    """Read a source's workbooks; print the seconds and the megabytes."""
    import pandas as pd

    import ebank_lib.sources.source as sources  # before the clock starts

    began = time.process_time()
    if how == "pandas":
        kept = [pd.read_excel(path, sheet_name=None, header=None, engine="calamine")
                for path in sorted(Path(folder).glob("*.xlsx"))]
    else:
        kept = sources.open_source(folder).cells()
    spent = time.process_time() - began
    # Linux counts in KiB.
    print(spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(kept))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as root:
        for name, folder in write(Path(root)).items():
            best: dict[str, tuple[float, float]] = {}
            for _ in range(options.turns):
                for how in ("pandas", "ebank"):
                    done = subprocess.run([sys.executable, "-c", "import sys; from benchmarks.reading import read; "
                                           "read(*sys.argv[1:])", how, str(folder)], check=True, stdout=subprocess.PIPE)
                    found = tuple(map(float, done.stdout.split()[:2]))
                    best[how] = min(best.get(how, found), found)
            times, memory = (own / other for own, other in zip(best["ebank"], best["pandas"], strict=True))
            missed |= times > TIMES or memory > MEMORY
            print(f"{name}: {best['ebank'][0]:.2f} s, pandas {best['pandas'][0]:.2f} s, {times:.1f} times "
                  f"(goal {TIMES:g}); {best['ebank'][1]:.0f} MB, pandas {best['pandas'][1]:.0f} MB, {memory:.2f} times "
                  f"(goal {MEMORY:g}){'  MISSED' if times > TIMES or memory > MEMORY else ''}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
