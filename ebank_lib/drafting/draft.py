"""A draft for some files, chosen by the reader itself: of the likely descriptions the first one stays that reads all
figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..catalog import Catalog, fold
from ..errors import EbankError, SourceError
from ..sources.grids import csv_grid, read_bytes, workbook_grids
from ..sources.spec import Limits
from ..sources.units import Naming, plain
from ..wording import t
from .description import OWN, Draft, Found, Writer
from .long import LongTable, parquet_table
from .places import Plan, facts_of, plans
from .tables import find_tables
from .units import naming_of

_BOOKS = (".xlsx", ".xls", ".ods", ".csv", ".csv.gz", ".parquet")
_TRIES, _LITTLE = 4, .5
_ALONE, _FEW = .9, 12     # of the figures that month, branch and indicator tell apart; sheets with keys of their own
_ALL = .97        # of the figures: a description that reads so many is not bettered


def find_files(given: Iterable[Path]) -> list[Path]:
    """Return the workbooks and CSV files among some files and folders."""
    found: dict[Path, None] = {}
    for path in given:
        if not path.exists():
            raise SourceError("is not there", file=str(path), expected="a file or a folder")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for one in inside:
            hidden = any(p.startswith(("~$", ".")) for p in one.relative_to(path.parent).parts[-2:])
            if one.is_file() and not hidden and one.name not in OWN and one.name.lower().endswith(_BOOKS):
                found[one.resolve()] = None
    if not found:
        raise SourceError("holds no table", file=", ".join(map(str, given)), expected="files " + " ".join(_BOOKS))
    return list(found)


def draft(files: Sequence[Path], root: Path, where: str = "", known: Catalog | None = None,
          tables: Sequence[LongTable] = ()) -> Draft:
    """Draft the description of some workbooks and other files below `root`, and of `tables` of a database.

    ``sources.yaml`` names `root` as `where`, "" where that is its own folder. The branches and indicators of a `known`
    catalogue have their names already.
    """
    grids, left_out = [], []
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            data = read_bytes(path, name, Limits())
            if name.lower().endswith(".parquet"):
                tables = [*tables, parquet_table(data, name)]
            elif name.lower().endswith((".csv", ".csv.gz")):
                grids.append(csv_grid(data, name, None, Limits()))
            else:
                grids += [read() for _, read in workbook_grids(data, name, Limits())]
        except EbankError as error:
            left_out.append(str(error))
    naming, units = naming_of([*grids, *(table.grid for table in tables)])
    by_sheet = {(g.file, g.sheet): [(g.file, g.sheet, n, table) for n, table in enumerate(find_tables(g, naming))]
              for g in grids}
    found = [Found(sheets, [one for s in sheets for one in by_sheet[s]]) for sheets in _shapes(by_sheet, naming)]
    bare = [s for s, own in by_sheet.items() if not own]
    left_out += [f"{' '.join(filter(None, s))}: {t('drafting.no_table')}" for s in bare]
    for table in tables:
        own = [(table.name, "", n, part) for n, part in enumerate(find_tables(table.grid, naming))]
        found += [Found([(table.name, "")], own, long=table.place, names=table.names)] if own else []
        left_out += [f"{table.name}: {table.error}"] if table.error else []
    if not found:
        raise SourceError("holds no table", file=str(root), expected="rows of figures below headings")
    sheets = [sheet for one in found for sheet in one.sheets]
    writer = Writer(root, where, naming, units, sheets, bare, left_out, known)
    found = [part for one in found for part in _planned(one, naming)]
    shares = [_choose(one, writer) for one in found]
    if max(shares) > _LITTLE:
        # What no description reads would have the rest not read either.
        left_out += [f"{' '.join(filter(None, one.sheets[0]))}: {one.plan.error or t('drafting.no_table')}"
                     for one, share in zip(found, shares, strict=True) if share < _LITTLE]
        found = [one for one, share in zip(found, shares, strict=True) if share >= _LITTLE]
    return writer.draft(found)


def _planned(found: Found, naming: Naming) -> list[Found]:
    """Return some sheets with the likely ways to read them; by names of sheets or files, where these tell apart what no
    key does."""
    facts = facts_of(found.tables, naming)
    kinds = {f"column:{name}": kind for *_, table in found.tables for name, kind in table.kinds.items()}
    found.plans = plans(facts, kinds, naming)
    found.plan = found.plans[0]
    for at in (1, 0) if found.plan.alone <= _ALONE else ():
        names = list(dict.fromkeys(sheet[at] for sheet in found.sheets))
        if 1 < len(names) <= _FEW:
            parts = [Found([s for s in found.sheets if s[at] == name], [one for one in found.tables if one[at] == name])
                     for name in names]
            parts = [planned for part in parts for planned in _planned(part, naming)]
            if all(part.plan.alone > _ALONE for part in parts):
                return parts
    return [found]


def _shapes(tables: dict[tuple[str, str], list], naming: Naming) -> list[list[tuple[str, str]]]:
    """Return the sheets that one description can read, together: of the same keys, and of headings that overlap."""
    groups: list[tuple[tuple, set[str], list]] = []
    for sheet, own in tables.items():
        if not own:
            continue
        shape = (frozenset((fold(name), kind) for *_, table in own for c, name in table.keys.items()
                           if (kind := table.kinds[name]) != "serial" and c < max(table.figures)),
                 frozenset("month" in table.levels for *_, table in own))
        heads = {plain(text) for *_, table in own for c in table.figures for name, row in table.levels.items()
                 if name.isdecimal() and (text := table.heading(row, c))}
        for known, others, sheets in groups:
            few, shared = min(len(heads), len(others)), len(heads & others)
            same = shared and any(sheet[1] == name != "" and sheet[0] != file for file, name in sheets)
            if known == shape and (same or 2 * shared >= few > 0 or not heads | others):
                sheets.append(sheet)
                others |= heads
                break
        else:
            groups.append((shape, heads, [sheet]))
    return [sheets for *_, sheets in groups]


def _choose(found: Found, writer: Writer) -> float:
    """Take the plan that the reader reads most figures by, of those that tell most apart; return their share."""
    best: tuple[float, Plan] | None = None
    likely = found.plans[:_TRIES]
    most = max(plan.alone for plan in likely)
    for plan in likely:
        found.plan = plan
        share = writer.try_out(found) * min(1, (plan.alone + .01) / (most + .01))
        if best is None or share > best[0] + .02:
            best = share, plan
        if share > _ALL:
            break
    found.plan = best[1]
    if best[0] < _LITTLE and best[1].error:
        best[1].doubts = [*best[1].doubts, t("drafting.unread", message=best[1].error)]
    return best[0]
