"""Write the sample: a province's monthly e-banking workbooks, simulated, then spoilt, every spoilt cell accounted for.

    python data/shandong/make_sample.py                              # this folder again, to the byte
    python data/shandong/make_sample.py --seed 7 --out other         # another province of the same kind
    python data/shandong/make_sample.py --out big --branches 400 --months 120

`growth_paths.py` has the figures and their parameters, `printing.py` the forms, `spoiling_plan.py` and `spoiling.py`
the mistakes. The same
seed gives the same cells and the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # imported by path from tests and benchmarks
    sys.path.insert(0, str(HERE))

from growth_paths import MONTHS, PUSHES, Truth, grow, month_list, stream  # noqa: E402
from printing import TOTAL, Sheet, as_text, build_sheets, from_unit, plain, rounding, write_workbook  # noqa: E402
from spoiling import Entry, Spoiler  # noqa: E402
from spoiling_plan import ratio, stated_units  # noqa: E402

SEED = 2011
MISSING = ((2008, 4), (2008, 5), (2008, 6), (2008, 7))  # one of these months was never sent
TWICE = 2  # months that were sent again with corrections; the first of them two times
WORKBOOK = re.compile(r"\d{4}-\d{2}(_修订\d+)?\.xlsx")
EVENT_OF = re.compile(r"  - \{month: .* branches: \[([\w, ]+)\]")
BESIDE = ("catalog.yaml", "strategies.yaml", "problems.yaml")
TRUTH_COLUMNS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "spoil", "printed", "true_value",
                 "expected_rules", "rounding"]


def make_sample(out: Path, seed: int = SEED, months: int = MONTHS, branches: int | None = None, spoil: bool = True,
                truth_panel: Path | None = None) -> None:
    """Write the workbooks, ``truth.csv`` and, outside this folder, a ``sources.yaml`` with what it names.

    Parameters
    ----------
    out : Path
        The folder; workbooks in it are replaced.
    seed : int
        The same seed gives the same bytes.
    months, branches : int
        How many; branches beyond the 17 of ``branches.csv`` get invented names. Fewer can be had unspoilt only: the
        mistakes are told of branches by name.
    spoil : bool
        False leaves the workbooks as they should have been (``truth.csv`` has its heading only).
    truth_panel : Path, optional
        Also write ``branch, month, indicator, value, rounding``: every true value of the panel in its base unit, and by
        how much the printed figure may differ because it is rounded.
    """
    out = Path(out)
    table = _branch_table(branches, fewer=not spoil)
    truth = simulate(seed, table, months)
    names = {row["branch"]: row["zh"] for row in table}
    _make_room(out)
    missing, twice = _calendar_of_mistakes(seed, truth) if spoil else (set(), {})
    present = [t for t in range(months) if t not in missing]
    units = stated_units(seed, [t for t in present if t not in twice]) if spoil else {}
    last = {t: twice.get(t, 0) for t in present}  # number of the valid revision
    valid = {t: build_sheets(truth, names, t, _file(truth, t, last[t]), last[t], units) for t in present}
    entries: list[Entry] = []
    if spoil:
        spoiler = Spoiler(truth, valid, seed, set(twice), missing)
        entries = spoiler.run()
        for t in twice:
            entries += _first_versions(out, seed, truth, names, t, last[t], valid[t], entries)
    for sheets in valid.values():
        write_workbook(out / sheets[0].file, sheets)
    _write_truth(out / "truth.csv", entries, truth, missing)
    if truth_panel:
        write_truth_panel(Path(truth_panel), truth, valid, entries)
    if out.resolve() != HERE:
        _write_source(out, table)


def _make_room(out: Path) -> None:
    """Take away the workbooks of an earlier run, and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    workbooks = sorted(out.glob("*.xlsx"))
    if workbooks and not (out / "truth.csv").exists():
        raise ValueError(f"{out} holds workbooks that are not a sample ({workbooks[0].name}); choose another folder")
    for path in workbooks:
        if WORKBOOK.fullmatch(path.name):
            path.unlink()


def simulate(seed: int = SEED, table: list[dict[str, str]] | None = None, months: int = MONTHS) -> Truth:
    """The true figures alone."""
    table = table or _branch_table(None)
    order = [r["branch"] for r in table if r["role"] == "branch"]
    merged = {r["branch"]: r["merged_into"] for r in table if r["role"] == "merged"}
    for branch, into in merged.items():
        order.insert(order.index(into) + 1, branch)
    calendar = month_list(months)
    at = {r["branch"]: sum(m < tuple(map(int, r["merged_month"].split("-"))) for m in calendar)
          for r in table if r["role"] == "merged"}
    catalog = yaml.safe_load((HERE.parent / "catalog.yaml").read_text(encoding="utf-8"))
    below = {i["key"]: i.get("denominator") for i in catalog["indicators"]}
    ratios = {i["key"]: (i["numerator"], tuple([d] if isinstance(d := below[i["key"]], str) else d))
              for i in catalog["indicators"] if i["kind"] == "ratio"}
    return grow(seed, order, calendar, ratios, merged, at)


def _branch_table(count: int | None, fewer: bool = False) -> list[dict[str, str]]:
    """The rows of branches.csv, extended to `count` branches (with the merged one), or cut to the first so many."""
    with (HERE.parent / "branches.csv").open(encoding="utf-8", newline="") as stream_:
        rows = list(csv.DictReader(stream_))
    if count is None:
        return rows
    own = [r for r in rows if r["role"] != "total"]
    if count < len(own):
        if not fewer or count < 1:
            raise ValueError(f"at least {len(own)} branches" + ("" if fewer else ", or --clean"))
        return [r for r in rows if r["role"] == "total"] + own[:count]
    for n in range(len(own) + 1, count + 1):
        rows.append(dict.fromkeys(rows[0], "") | {"branch": f"b{n:04d}", "zh": f"模拟{n:04d}支行",
                                                  "en": f"Branch {n:04d}", "role": "branch"})
    return rows


def _file(truth: Truth, t: int, revision: int) -> str:
    year, month = truth.months[t]
    return f"{year}-{month:02d}" + (f"_修订{revision}" if revision else "") + ".xlsx"


def _calendar_of_mistakes(seed: int, truth: Truth) -> tuple[set[int], dict[int, int]]:
    """Which month is missing, and which were sent again (month -> number of its last revision)."""
    draw = stream(seed, "months")
    count = len(truth.months)
    candidates = [truth.months.index(m) for m in MISSING if m in truth.months and truth.months.index(m) < count - 4]
    missing = {int(draw.choice(candidates))} if candidates else set()
    news = {truth.months.index(p.month) for p in PUSHES if p.month in truth.months} | set(truth.merged_at.values())
    free = [t for t in range(12, count - 2) if t not in news]
    twice: dict[int, int] = {}
    for t in map(int, draw.permutation(free)):
        if len(twice) < TWICE and all(abs(t - other) > 5 for other in twice):
            twice[t] = 1 if twice else 2
    return missing, twice


def _first_versions(out: Path, seed: int, truth: Truth, names: dict[str, str], t: int, last: int, valid: list[Sheet],
                    entries: list[Entry]) -> list[Entry]:
    """Write the versions that were sent before the valid one; every cell of theirs is superseded."""
    draw = stream(seed, f"revised {t}")
    added: list[Entry] = []
    listed = {(e.sheet.name, e.key, e.indicator) for e in entries if e.sheet in valid}
    wrong: dict[tuple[str, str, str], float] = {}
    for revision in range(last - 1, -1, -1):
        sheets = build_sheets(truth, names, t, _file(truth, t, revision), revision, {})
        fresh = []
        for sheet, final in zip(sheets, valid, strict=True):
            for row, same in zip(sheet.rows, [r for r in final.rows if r.kind in ("branch", "total")], strict=True):
                row.name = same.name
            clean = dict(sheet.cells)
            pool = [(r.key, c.indicator) for r in sheet.rows for c in sheet.columns
                    if r.kind == "branch" and not ratio(c.indicator) and clean[r.key, c.indicator] >= 100
                    and (sheet.name, r.key, c.indicator) not in listed]
            for at in draw.choice(len(pool), 6, replace=False):
                wrong.setdefault((sheet.name, *pool[at]), draw.uniform(0.90, 0.985))
                fresh.append((final, *pool[at]))
            for (name, key, indicator), factor in wrong.items():
                if name == sheet.name:
                    sheet.cells[key, indicator] = plain(round(clean[key, indicator] * factor, sheet.unit(indicator)[1]))
            for (key, indicator), true in clean.items():
                added.append(Entry(sheet, key, indicator, "month_twice", "superseded",
                                   from_unit(true, sheet.unit(indicator)[0]), _half(truth, sheet, key, indicator)))
        write_workbook(out / sheets[0].file, sheets)
        if revision == last - 1:
            for final, key, indicator in fresh:
                true = from_unit(final.cells[key, indicator], final.unit(indicator)[0])
                added.append(Entry(final, key, indicator, "month_twice", "revision", true,
                                   _half(truth, final, key, indicator)))
    return added


def _half(truth: Truth, sheet: Sheet, key: str, indicator: str) -> float:
    return rounding(truth.printed(key, indicator, sheet.t), *sheet.unit(indicator))


def _write_truth(path: Path, entries: list[Entry], truth: Truth, missing: set[int]) -> None:
    rows = []
    for t in missing:
        rows.append(["", "", "", "", "", _month(truth, t), "", "month_missing", "", "", "missing_month", 0])
    for e in entries:
        row, column = e.sheet.address(e.key, e.indicator)
        covered = any((e.key, e.indicator) == (lower, i) for _, lower, i in e.sheet.merges)
        printed = "" if covered else as_text(e.sheet.cells[e.key, e.indicator])
        branch = e.key if e.key in truth.rows else "shandong" if e.key == TOTAL else ""
        rows.append([e.sheet.file, e.sheet.name, row, column, branch, _month(truth, e.sheet.t), e.indicator, e.spoil,
                     printed, as_text(e.true_value), e.expected, as_text(e.rounding)])
    rows.sort(key=lambda r: (r[5], r[0], r[1], r[2] or 0, len(r[3]), r[3]))
    with path.open("w", encoding="utf-8", newline="") as stream_:
        writer = csv.writer(stream_, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows(rows)


def _month(truth: Truth, t: int) -> str:
    return "{}-{:02d}".format(*truth.months[t])


def write_truth_panel(path: Path, truth: Truth, valid: dict[int, list[Sheet]], entries: list[Entry]) -> None:
    """Write every true value of the panel (merged branches within the one they merged into) and what printing loses."""
    lost = {(e.key, e.indicator, e.sheet.t): e.rounding for e in entries if e.sheet.file == valid[e.sheet.t][0].file}

    def loss(row: str, sheet: Sheet, indicator: str, t: int) -> float:
        value = truth.printed(row, indicator, t)
        return 0 if value is None else max(rounding(value, *sheet.unit(indicator)), lost.get((row, indicator, t), 0))

    with path.open("w", encoding="utf-8", newline="") as stream_:
        writer = csv.writer(stream_, lineterminator="\n")
        writer.writerow(["branch", "month", "indicator", "value", "rounding"])
        for branch in [*(r for r in truth.rows if r not in truth.merged_into), TOTAL]:
            rows = [branch, *(r for r, into in truth.merged_into.items() if into == branch)]
            for t in range(len(truth.months)):
                for sheet in valid.get(t, valid[min(valid)]):
                    for c in sheet.columns:
                        losses = [loss(r, sheet, c.indicator, t) for r in rows]
                        writer.writerow(["shandong" if branch == TOTAL else branch, _month(truth, t), c.indicator,
                                         as_text(truth.panel(branch, c.indicator, t)),
                                         as_text(max(losses) if ratio(c.indicator) else sum(losses))])


def _write_source(out: Path, table: list[dict[str, str]]) -> None:
    """Put beside the workbooks what is needed to read them."""
    known = {row["branch"] for row in table}
    lines = (HERE / "sources.yaml").read_text(encoding="utf-8").replace(": ../", ": ").splitlines(keepends=True)
    events = [named.group(1).split(", ") if (named := EVENT_OF.match(line)) else [] for line in lines]
    text = "".join(line for line, named in zip(lines, events, strict=True) if known.issuperset(named))
    text = re.sub(r"^events:\n\Z", "events: []\n", text, flags=re.M)
    (out / "sources.yaml").write_text(text, encoding="utf-8")
    for extra in (HERE / "facts.yaml", *(HERE.parent / name for name in BESIDE)):
        shutil.copyfile(extra, out / extra.name)
    with (out / "branches.csv").open("w", encoding="utf-8", newline="") as stream_:
        writer = csv.DictWriter(stream_, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the simulated sample of monthly e-banking workbooks.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this one)")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--months", type=int, default=MONTHS, help=f"from 2008-01 on (default {MONTHS})")
    parser.add_argument("--branches", type=int, help="reporting and merged branches together (default 17)")
    parser.add_argument("--clean", action="store_true", help="do not spoil anything")
    parser.add_argument("--truth-panel", type=Path, metavar="FILE", help="also write all true values as CSV")
    args = parser.parse_args(argv)
    try:
        make_sample(args.out, args.seed, args.months, args.branches, not args.clean, args.truth_panel)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
