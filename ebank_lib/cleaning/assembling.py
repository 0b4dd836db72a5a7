"""Cells to a grid of numbers: texts read, names and units resolved, one cell chosen for each branch, month, indicator.

Nothing is judged here by its size. What is put aside is put aside for what is printed: no number, an unknown name or
unit, a subtotal, an older revision.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..catalog import Catalog, fold
from ..errors import nearest
from ..sources.units import SUBTOTAL, is_total
from .ledger import Book, in_both
from .parsing import FAILED, read_number

_NOTE_OF_NAME = re.compile(r"[\s*＊※①-⑳]+$|[(（\[【][^()（）\[\]【】]*[)）\]】]\s*$")


@dataclass
class Grid:
    """Numbers of ``units`` (branches that print a row or inherit one, merged ones and the total among them) x months x
    indicators."""

    units: list[str]
    months: pd.PeriodIndex
    indicators: list[str]
    value: np.ndarray     # (units, months, indicators), base unit, NaN where nothing is printed
    half: np.ndarray      # half a unit of the last printed digit (of all its `terms`), base unit
    cell: np.ndarray      # position of the cell, -1: none
    present: np.ndarray   # (units, months): a row is printed
    hole: np.ndarray      # a cell is printed, but no number in it: its first cell, else -1
    blocks: list          # the indicators (positions) that stand together in a sheet
    partial: np.ndarray   # (months, indicators): a number of an unknown branch is printed, so the rows do not add up
    stated: np.ndarray    # a reader says what the number is
    terms: np.ndarray | float = 1.0     # how many printed numbers make it: two where sums are taken apart

    @property
    def size(self) -> int:
        return self.value.size


def assemble(cells: pd.DataFrame, catalog: Catalog, book: Book, stated: np.ndarray) -> tuple[Grid, np.ndarray]:
    """Return the grid and, for each cell, the branch id or printed name; every decision goes into `book`. What is
    `stated` of a cell goes before what is printed."""
    said, printed = stated.astype(bool), cells["text"].to_numpy(object)
    if said.any():
        cells = cells.assign(text=[s["value"] if s else p for s, p in zip(stated, printed, strict=True)])
    texts = _Texts(cells, catalog)
    unit, name, alive, foreign = _place(cells, catalog, texts.figures, book)
    alive &= ~_reject(book, (cells["indicator"] == "").to_numpy() & alive, "unmapped_heading")
    none = alive & said & ~texts.readable
    alive &= ~_reject(book, none, "stated", list(stated[none]))
    merged = (cells["merged"] != "").to_numpy()
    alive &= ~_reject(book, alive & merged & (texts.failed == "blank"), "merged_cell")
    for why in FAILED:
        alive &= ~_reject(book, alive & (texts.failed == why), why)
    value, half, factor, noted, alive = _convert(cells, catalog, texts, alive, book)
    for b in catalog.branches.values():
        if b.role == "merged":      # after its merger its numbers would count twice: its heir reports them
            late = alive & (name == b.id) & (pd.PeriodIndex(cells["month"]) >= b.merged_month)
            alive &= ~_reject(book, late, "merger", {"heir": in_both(catalog.branches[b.merged_into])})
    # Two numbers of one place are compared by their own digits, which may be more than their column's.
    own = np.fmin(half, 0.5 * 10.0 ** -texts.decimals.astype(float) * factor)
    grid = _grid(cells, catalog, unit, foreign, value, half, own, alive, book)
    grid.stated = (grid.cell >= 0) & said[grid.cell]
    for n in grid.cell[grid.stated]:
        before = float(tidy(read_number(printed[n]).value * factor[n]))
        book.add(n, "parsed" if before == value[n] else "corrected", "stated", before, value[n], stated[n])
    _note_readings(texts, alive & ~said, grid.cell[(grid.cell >= 0) & ~grid.stated], merged, noted, value, book)
    return grid, name


def _reject(book: Book, mask: np.ndarray, rule: str, detail=None) -> np.ndarray:
    book.add(np.flatnonzero(mask), "rejected", rule, detail=detail)
    return mask


# --- texts ---------------------------------------------------------------------------------------------------------

class _Texts:
    """Every different text is read once."""

    def __init__(self, cells: pd.DataFrame, catalog: Catalog):
        codes, uniques = pd.factorize(cells["text"].astype(object))
        names = {_unit_name(u): u for u in catalog.units}
        names |= {_unit_name(label): key for key, labels in catalog.base_units.items() if key in catalog.units
                  for label in (labels.zh, labels.en) if label}
        read = [read_number(text, names) for text in uniques]
        self.codes, self.read = codes, read
        self.rules = {n: r.rules for n, r in enumerate(read) if r.rules}
        self.value, self.decimals, self.scale = (
            np.array([getattr(r, name) for r in read])[codes] for name in ("value", "decimals", "scale"))
        self.unit = np.array([names.get(r.unit, r.unit) for r in read], object)[codes]
        self.failed = np.array([r.failed for r in read], object)[codes]
        self.readable = self.failed == ""
        self.figures = self.readable | np.isin(self.failed, ("error_value", "formula"))


def _unit_name(text: str) -> str:
    text = unicodedata.normalize("NFKC", str(text)).casefold().strip()
    return re.sub(r"[\s()\[\]{}]+", "", re.sub(r"^(计量)?单位[::]|^\(?(in|unit:?)\s", "", text))


# --- names ---------------------------------------------------------------------------------------------------------

def _resolve(printed: str, names: dict[str, str]) -> str | None:
    """Return the id of a printed name: as it stands, else without marks and brackets behind it."""
    bare, text = printed, None
    while bare and bare != text:
        if (found := names.get(fold(bare))) is not None:
            return found
        text, bare = bare, _NOTE_OF_NAME.sub("", bare)
    return None


def _place(cells: pd.DataFrame, catalog: Catalog, readable: np.ndarray, book: Book):
    """Return for each cell its branch's id ("": unknown), that or the printed name, whether it is still alive, and
    whether it prints a number of a branch that nobody knows."""
    codes, printed = pd.factorize(cells["branch"].astype(object))
    names = catalog.names
    ids = [_resolve(str(p), names) for p in printed]
    unit = np.array([i or "" for i in ids], object)
    name = np.array([i or str(p) for i, p in zip(ids, printed, strict=True)], object)
    _note_aliases(codes, printed, ids, catalog, book)
    alive = np.ones(len(cells), bool)
    row = _codes(cells, "file", "sheet", "row")
    has_number = (np.bincount(row, weights=readable) > 0)[row]
    foreign = np.zeros(len(cells), bool)
    for n, text in enumerate(printed):
        if ids[n] is not None:
            continue
        mine = codes == n
        if SUBTOTAL.search(str(text)):
            alive &= ~_reject(book, mine, "subtotal_row")
        elif is_total(str(text)):
            alive &= ~_reject(book, mine, "total_row")
        else:
            alive &= ~_reject(book, mine & ~has_number, "heading_row")
            near = nearest(fold(str(text)), list(names))
            detail = {"name": str(text), "near": in_both(catalog.branches[names[near]]) if near else "–"}
            alive &= ~_reject(book, mine & has_number, "unknown_branch", detail)
            foreign |= mine & readable
    return unit[codes], name[codes], alive, foreign


def _note_aliases(codes, printed, ids, catalog: Catalog, book: Book) -> None:
    """A branch's usual printed name is its name here; a rarer one is noted."""
    count = pd.Series(np.bincount(codes, minlength=len(printed)))
    usual = set(count.groupby(np.array(ids, object)).idxmax())
    for n, i in enumerate(ids):
        if i is not None and n not in usual and catalog.branches[i].role != "total":
            book.add(np.flatnonzero(codes == n), "parsed", "alias",
                     detail={"name": str(printed[n]), "branch": in_both(catalog.branches[i])})


# --- units ---------------------------------------------------------------------------------------------------------

def _convert(cells: pd.DataFrame, catalog: Catalog, texts: _Texts, alive, book: Book):
    """Return values and half digits in the base unit, its factor, whether the unit is worth a row, and what is left."""
    codes, printed = pd.factorize(cells["unit"].astype(object))
    by_name = {_unit_name(u): u for u in catalog.units}
    known = [by_name.get(_unit_name(p)) for p in printed]
    base = np.array([catalog.units[k].base if k else "" for k in known], object)
    factor = np.array([catalog.units[k].factor if k else np.nan for k in known])
    none = np.array([str(p).strip() == "" for p in printed])
    wanted = cells["indicator"].map({k: i.unit for k, i in catalog.indicators.items()}).astype(object).to_numpy()
    base = np.where(none[codes], wanted, base[codes])
    factor = np.where(none[codes], 1.0, factor[codes])

    written = texts.unit != ""
    per_cent = texts.unit == "%"
    for n in np.flatnonzero(written & ~per_cent & alive):
        base[n], factor[n] = catalog.units[texts.unit[n]].base, catalog.units[texts.unit[n]].factor
    worded = ~np.isnan(texts.scale)
    base, factor = np.where(worded, np.where(per_cent, "1", wanted), base), np.where(worded, texts.scale, factor)

    base = np.where((base == "") & (wanted != "1"), wanted, base)      # a scale alone is one of anything counted

    unknown = alive & np.isnan(factor)
    for n in np.unique(codes[unknown]):
        here = unknown & (codes == n)
        bases = set(wanted[here])
        fitting = [k for k, u in catalog.units.items() if u.base in bases]
        near = nearest(str(printed[n]), catalog.units) or fitting or "–"
        alive = alive & ~_reject(book, here, "unknown_unit", {"unit": str(printed[n]), "near": near})
    other = alive & (base != wanted)
    alive = alive & ~_reject(book, other, "other_unit")

    half_digits = np.where(written | worded, texts.decimals, _column_decimals(cells, texts, alive))
    half = 0.5 * 10.0 ** -half_digits.astype(float) * np.where(np.isnan(factor), 1.0, factor)
    # A printed number times a round factor: rounding to 15 digits gives back what a hand would write.
    value = tidy(texts.value * factor)
    unusual = ~none[codes] & _unusual(cells, codes, alive)
    return value, half, factor, (factor != 1.0) | unusual, alive


def tidy(x: np.ndarray) -> np.ndarray:
    """Return numbers without the dust of binary fractions: fifteen significant digits."""
    return np.array([float(f"{v:.15g}") for v in np.ravel(x).tolist()]).reshape(np.shape(x))


def _column_decimals(cells: pd.DataFrame, texts: _Texts, alive: np.ndarray) -> np.ndarray:
    """Return the digits behind the point that each cell's column prints.

    A workbook stores 12.30 as 12.3: the column's rounding is that of its longer numbers, of which one in four must have
    as many digits (no slipped point in one cell). A number three digits short of that was rounded by itself.
    """
    group = _codes(cells, "file", "sheet", "column", "month")
    upper = pd.Series(texts.decimals[alive]).groupby(group[alive]).quantile(0.75, interpolation="lower")
    column = upper.reindex(group, fill_value=0).to_numpy()
    return np.where(texts.decimals <= column - 3, texts.decimals, column)


def _codes(cells: pd.DataFrame, *names: str) -> np.ndarray:
    """Return one number for each different combination of some columns."""
    return cells.groupby(list(names), sort=False, observed=True).ngroup().to_numpy()


def _unusual(cells: pd.DataFrame, codes: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return the cells under another unit than most cells of their indicator."""
    kind = _codes(cells, "indicator")
    count = pd.Series(alive).groupby([kind, codes]).transform("sum")
    return (count < count.groupby(kind).transform("max")).to_numpy()


def _note_readings(texts: _Texts, alive, chosen, merged, stated, value, book: Book) -> None:
    """Write how every number was read: what was taken off; of a number of the grid, that it was plain or converted."""
    special = np.isin(texts.codes, list(texts.rules))
    used = np.zeros(len(alive), bool)
    used[chosen] = True
    converted = used & stated & np.isnan(texts.scale) & (texts.unit == "")
    plain = used & ~special & ~converted & ~merged
    book.add(np.flatnonzero(plain), "parsed", "number", texts.value[plain], value[plain], reading=True)
    at = np.flatnonzero(alive & special)
    for rule in sorted({r for n in np.unique(texts.codes[at]) for r in texts.rules[n]}):
        mine = at[[rule in texts.rules[c] for c in texts.codes[at]]]
        decision = "converted" if rule in ("inline_unit", "percent_sign") else "parsed"
        detail = [{"note": texts.read[c].note} for c in texts.codes[mine]] if rule == "trailing_note" else None
        book.add(mine, decision, rule, texts.value[mine], value[mine], detail, reading=True)
    for which, decision, rule in ((converted, "converted", "unit_heading"), (used & merged, "parsed", "merged_cell")):
        at = np.flatnonzero(which)
        book.add(at, decision, rule, texts.value[at], value[at], reading=True)


# --- one cell for each place -----------------------------------------------------------------------------------------

def _grid(cells, catalog: Catalog, unit, foreign, value, half, own, alive, book: Book) -> Grid:
    # A branch that inherits has a place even if it prints no row.
    seen = set(unit)
    seen |= {b.merged_into for b in catalog.branches.values() if b.id in seen}
    units = sorted((b for b in catalog.branches if b in seen), key=lambda b: catalog.branches[b].role == "total")
    unit = pd.Index(units, dtype=object).get_indexer(unit)      # -1: unknown
    month = pd.PeriodIndex(cells["month"])
    months, month = pd.period_range(month.min(), month.max(), freq="M"), month.asi8 - month.asi8.min()
    indicators = list(catalog.indicators)
    kind = pd.Index(indicators, dtype=object).get_indexer(cells["indicator"])
    shape = (len(units), len(months), len(indicators))
    place = np.where((unit >= 0) & (kind >= 0), (unit * shape[1] + month) * shape[2] + kind, -1)

    chosen, alive = _choose(cells, place, value, own, alive, book)
    grid = Grid(units, months, indicators, np.full(shape, np.nan), np.zeros(shape), np.full(shape, -1, np.int64),
                np.zeros(shape[:2], bool), np.full(shape, -1, np.int64), _blocks(cells, kind),
                np.zeros(shape[1:], bool), np.zeros(shape, bool))
    grid.partial[month[foreign & (kind >= 0)], kind[foreign & (kind >= 0)]] = True
    grid.value.flat[place[chosen]] = value[chosen]
    grid.half.flat[place[chosen]] = half[chosen]
    grid.cell.flat[place[chosen]] = chosen
    grid.present[unit[unit >= 0], month[unit >= 0]] = True
    empty = np.flatnonzero((place >= 0) & ~alive)[::-1]
    grid.hole.flat[place[empty]] = empty
    grid.hole[grid.cell >= 0] = -1
    return grid


def _blocks(cells: pd.DataFrame, kind: np.ndarray) -> list[np.ndarray]:
    """Return the sets of indicators that stand together in a sheet, each once, a set within another left out."""
    sheets = cells["file"].astype(object).astype(str) + "|" + cells["sheet"].astype(object).astype(str)
    pairs = pd.DataFrame({"sheet": pd.factorize(sheets)[0], "kind": kind})[kind >= 0].drop_duplicates()
    sets = sorted({frozenset(g) for g in pairs.groupby("sheet")["kind"].agg(list)}, key=sorted)
    return [np.array(sorted(s)) for s in sets if not any(s < other for other in sets)]


def _choose(cells, place, value, half, alive, book: Book) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells that count: of several for one place the latest revision, then what is not hidden, of equals the
    first.

    Two different numbers in the same revision: the first is kept and flagged, for nothing says which is right (the same
    number rounded, or in another unit, is no other number).
    """
    revision = cells["revision"].to_numpy()
    hidden = (cells["hidden"] != "").to_numpy() if "hidden" in cells else np.zeros(len(cells), bool)
    at = np.flatnonzero(alive & (place >= 0))
    order = at[np.lexsort((at, hidden[at], -revision[at], place[at]))]
    first = np.diff(place[order], prepend=-1) != 0
    winner = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    loser = ~first
    older = loser & (revision[order] < revision[winner])
    unseen = loser & ~older & hidden[order] & ~hidden[winner]
    twin = loser & ~older & ~unseen
    book.add(order[unseen], "rejected", "hidden", value[order[unseen]])
    book.add(order[first & hidden[order]], "parsed", "hidden", value[order[first & hidden[order]]],
             value[order[first & hidden[order]]])
    book.add(order[older], "rejected", "superseded", value[order[older]])
    differs = ~np.isclose(value[order], value[winner], rtol=1e-12, atol=0)
    same = _same_rounded(value[order], half[order], value[winner], half[winner])
    previous = older & np.r_[False, first | ~older][:-1]
    changed = previous & differs
    book.add(winner[changed], "parsed", "revision", value[order[changed]], value[winner[changed]])
    odd = twin & differs & ~same
    book.add(order[twin & ~odd], "rejected", "duplicate", value[order[twin & ~odd]])
    kept, other = value[winner[odd]], value[order[odd]]
    book.add(order[odd], "rejected", "other_number", other, detail=[{"other": float(v)} for v in kept])
    book.add(winner[odd], "flagged", "duplicate", kept, kept, [{"other": float(v)} for v in other])
    alive = alive.copy()        # an older number was read, too
    alive[order[loser]] = False
    return order[first], alive


def _same_rounded(a, half_a, b, half_b) -> np.ndarray:
    """Whether two numbers are one within their printed digits, as 8,277,084 and 8.28 million (or 8.27, cut off), or
    8,277,084 and 8.277084."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.round(np.log10(b / a))
    scale = 10.0 ** np.where(np.isfinite(power) & (np.abs(power) >= 3), power, 0.0)
    room = half_a * scale + half_b
    room = np.where(half_b > 5 * half_a * scale, room + half_b, room)
    return (np.abs(a * scale - b) <= room * 1.001) & (room <= 0.005 * np.abs(b))  # two digits say nothing
