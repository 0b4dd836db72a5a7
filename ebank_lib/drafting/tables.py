"""The tables of a sheet nobody has described: which rows are headings, which columns are keys, and for every figure the
texts that could say its month, its branch and its indicator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

from ..catalog import fold
from ..sources.grids import Grid, letters
from ..sources.headings import origins
from ..sources.months import month_in_text, year_in_text
from ..sources.units import COUNT, Naming, counted, is_line, is_number, is_unit_heading, plain
from .units import unit_behind, words

_MAX_LEVELS = 8
_NUMBERING = re.compile(r"[(（]?(?:[一二三四五六七八九十]{1,3}|\d{1,2}|[A-Za-z]|[IVX]+)[)）、.．]?")


def month_of_year(text: str) -> int | None:
    """Return which month of a year a text says."""
    found = month_in_text(text, 2000)
    return None if found is None else found % 12 + 1


def part_of_year(text: str) -> int | None:
    """Return which month a text such as 1月 or Jan is, that says no year."""
    return None if len(text) > 12 or month_in_text(text) is not None else month_of_year(text)


@lru_cache(50_000)
def kind_of(text: str) -> str:
    """Return what a cell looks like: "month", "part" (a month without a year), "year", "number", "mark" (- for
    nothing), "text" or "" (blank). Digits alone are a number, whatever they say."""
    text = text.strip()
    if not text:
        return ""
    if words("mark").fullmatch(text):
        return "mark"
    if text.replace(".", "", 1).isdecimal():
        return "number"
    if len(text) <= 30:
        if month_in_text(text) is not None:
            return "month"
        if part_of_year(text) is not None:
            return "part"
        if len(text) <= 8 and year_in_text(text) is not None:
            return "year"
    if not is_number(None, text):
        return "text"
    behind = re.search(r"[^\d\s.,*)）]{2,}$", text)      # 6101 莲湖支行 is no figure, 12,345户 is one
    return "number" if not behind or unit_behind(text) else "text"


@dataclass
class Table:
    """A table: heading rows, rows of figures, columns of keys (by their headings) and of figures."""

    grid: Grid
    head: list[int]
    body: list[int]
    rows_above: list[int]
    left: int = 0
    right: int | None = None
    captions: dict[int, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)       # column -> heading, or its letters
    figures: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)           # columns with a heading and nothing below
    kinds: dict[str, str] = field(default_factory=dict)      # heading of a key -> what it holds
    levels: dict[str, int] = field(default_factory=dict)     # "month", "year", "unit", "0", "1", ... -> row

    @cached_property
    def above(self) -> list[str]:
        """The texts above the table: of a row with several those over its own columns, and what is said of units."""
        found = []
        for texts in (self.grid.texts[r] for r in self.rows_above):
            whole = [text for text in texts if text.strip()]
            own = [text for text in texts[self.left : self.right] if text.strip()]
            own = own if len(whole) > 1 and own else whole
            found += own + [text for text in whole if is_line(text) and not any(map(is_line, own))]
        return found

    @cached_property
    def _origins(self) -> dict[int, list[tuple[int, int] | None]]:
        return {row: origins(self.grid, row, self.head, self.left, min(self.keys, default=-1)) for row in self.head}

    def heading(self, row: int, column: int) -> str:
        """The text of a heading row that stands above a column: its own, its merged range's, or one that spreads."""
        at = self._origins[row][column]
        return self.grid.texts[at[0]][at[1]] if at else ""

    def figures_of(self, naming: Naming) -> Iterator[dict[str, str]]:
        """Yield every figure's text with those at all places that could hold a key of it."""
        grid, carried, caption = self.grid, {}, ""
        levels: dict[int, dict[str, str]] = {}
        for c in self.figures:
            seen = {(row, c): name for name, row in reversed(self.levels.items())}
            own = {grid.first_of(*at): name for at, name in seen.items()}     # a heading merged over rows is one level
            levels[c] = {name: self.heading(row, c) for name, row in self.levels.items() if name in own.values()}
        for r in sorted({*self.body, *self.captions}):
            if r in self.captions:
                caption = self.captions[r]
                continue
            keys = {}
            for c, name in self.keys.items():
                text = grid.text_of(r, c) or (carried.get(c, "") if self.kinds[name] != "text" or c == min(self.keys)
                                              else "")
                keys[name] = carried[c] = text.strip()
            units = [text for name, text in keys.items() if self.kinds[name] == "unit"]
            for c in self.figures:
                if grid.texts[r][c].strip():
                    own = {name: text for name, text in levels[c].items() if text.strip()}
                    unit = next((u for text in reversed([*own.values()]) if (u := naming.split(text)[1])), "")
                    yield {"text": grid.texts[r][c], "unit": own.get("unit") or unit or "".join(units),
                           "caption": caption, **{f"column:{name}": text for name, text in keys.items()},
                           **{f"heading:{name}": text for name, text in own.items()}}


def find_tables(grid: Grid, naming: Naming) -> list[Table]:
    """Return the tables of a sheet, those beside one another one by one."""
    kinds = [[*map(kind_of, row)] for row in grid.texts]
    found: list[Table] = []
    waiting: list[int] = []
    for r, row in enumerate(kinds):
        if not _is_body(grid, row, r, found[-1] if found and not waiting else None):
            waiting.append(r)
            continue
        head = _head(grid, kinds, waiting, r, found[-1] if found else None)
        bare = [w for w in waiting if w not in head and sum(map(bool, grid.texts[w])) == 1]
        again = found and not bare and {*_texts_of(grid, head)} <= {*_texts_of(grid, found[-1].head)}
        if head and not again:
            found.append(Table(grid, head, [], [w for w in waiting if w < head[0]]))
            found[-1].captions |= {w: t.strip() for w in waiting if w > head[-1] for t in _said(grid.texts[w])}
        elif found:
            for w in (w for w in waiting if w not in head):     # headings that are printed again are no rows
                texts = _said(grid.texts[w])
                if len(texts) == 1:
                    found[-1].captions[w] = texts[0].strip()
                elif texts and not any(kinds[w][c] == "text" for c in range(1, len(row))):
                    found[-1].body.append(w)
        else:
            waiting.append(r)
            continue
        waiting = []
        found[-1].body.append(r)
    for table in found:
        alike = [other for other in found if _texts_of(grid, other.head) == _texts_of(grid, table.head)]
        if table.above and len({tuple(other.above[-1:]) for other in alike}) > 1:
            table.captions[table.head[0] - 1] = table.above[-1].strip()     # blocks that repeat their headings
    return [part for table in found for part in _divided(table, kinds, naming)]


def _said(texts: list[str]) -> list[str]:
    """Return what a row says: its texts, without the number of the only other one."""
    said = [text for text in texts if text.strip()]
    return said[1:] if len(said) == 2 and _NUMBERING.fullmatch(said[0].strip()) else said


def _texts_of(grid: Grid, rows: list[int]) -> list[str]:
    return [fold(text) for r in rows for text in grid.texts[r]]


def _is_body(grid: Grid, row: list[str], r: int, table: Table | None) -> bool:
    """Whether a row holds figures, and not years, months or numbers of columns as headings do."""
    numbers = [text for text, kind in zip(grid.texts[r], row) if kind == "number"]
    if not numbers:
        return table is not None and "mark" in row and "text" in row
    others = [fold(text) for text, kind in zip(grid.texts[r], row) if kind not in ("number", "")]
    counts = 2 < len(numbers) == counted(numbers) and (len(numbers) == 12 or all(len(text) <= 3 for text in others))
    if counts or _are_months(numbers) or all(map(_is_year, numbers)):
        # A row of years alone is a heading; a line of a table whose figures are blank is none, but says nothing either.
        return False
    # 报表月份 201901 above a table is no row of one.
    return len(numbers) > 1 or table is not None or month_in_text(numbers[0]) is None


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isdecimal() and 1980 <= int(text) <= 2100


def _are_months(texts: list[str]) -> bool:
    """Whether several numbers are months: 201308, 201309 or 2013.08, 2013.09, of which each stands once, or those of
    two years or more, 1 to 12 and 1 again."""
    if len(texts) > 12 and texts == [str(n % 12 + 1) for n in range(len(texts))]:
        return True
    return len({*texts}) == len(texts) > 2 and all(month_in_text(text) is not None for text in texts)


def _head(grid: Grid, kinds: list[list[str]], waiting: list[int], first: int, before: Table | None) -> list[int]:
    figures = {c for r in range(first, min(first + 40, len(kinds))) for c, kind in enumerate(kinds[r])
               if kind in ("number", "mark") and kinds[first][c] in ("number", "mark", "")}
    head: list[int] = []
    for r in reversed(waiting):
        texts = grid.texts[r]
        filled = [c for c, text in enumerate(texts) if text.strip()]
        if not filled:
            if head:
                break
            continue
        if not head and len(_said(texts)) == 1:
            continue     # a group's or a block's name below the headings
        if len(head) >= _MAX_LEVELS or not _is_heading(grid, r, filled, figures, head):
            break
        head.insert(0, r)
    if before is not None and head:
        texts = {plain(grid.texts[r][c]) for r in head for c in figures if grid.texts[r][c].strip()}
        same = {*_texts_of(grid, before.head)} & {*_texts_of(grid, head)} - {""}
        if len(texts) < 2 and not same:
            return []
    return head


def _is_heading(grid: Grid, r: int, filled: list[int], figures: set[int], head: list[int]) -> bool:
    texts = grid.texts[r]
    if any(words("beside").match(texts[c].strip()) or is_line(texts[c]) for c in filled):
        return False
    reach = {c for at in filled for c in range(at, (grid.merges.get((r, at)) or (0, 0, 0, at))[3] + 1)}
    if not reach & figures:
        return False
    if len(filled) > 1:
        return True
    at = filled[0]
    # One text alone: a title stands at the left or over everything, a group of headings over some of them.
    below = [c for h in head for c, text in enumerate(grid.texts[h]) if text.strip()]
    return bool(below) and at > min(below) and (at in figures)


def _divided(table: Table, kinds: list[list[str]], naming: Naming) -> Iterator[Table]:
    """Yield a table with its columns told apart: several where tables stand beside one another."""
    grid, width = table.grid, max(map(len, kinds))
    names = {}
    for c in range(width):
        said = [(r, text) for r in table.head if (text := grid.texts[r][c].strip()) and not COUNT.fullmatch(text)]
        # What is merged over several columns is a heading of all of them, but for the only one there is.
        own = [text for r, text in said if (area := grid.merges.get((r, c))) is None or area[1] == area[3]]
        names[c] = (own or [text for _, text in said] or [""])[0]
    special = {c: kind for c in range(width) if (kind := _key_kind(table, kinds, c, names[c], naming))}
    first = min(special, default=None)
    again = [c for c in special if first is not None and names[c] and plain(names[c]) == plain(names[first])]
    bounds = [0, *again[1:], width]
    for left, right in pairwise(bounds):
        keys = {c: kind for c, kind in special.items() if left <= c < right}
        headed = [c for c in range(left, right) if c not in keys and any(table.heading(r, c) for r in table.head)]
        filled = [c for c in headed if any(kinds[r][c] in ("number", "mark") for r in table.body)]
        body = [r for r in table.body if any(kinds[r][c] for c in filled)] if len(bounds) > 2 else table.body
        if not filled:
            continue
        part = Table(grid, table.head, body, table.rows_above, left, right, table.captions if left == 0 else {},
                     {c: names[c] or letters(c) for c in keys}, filled, [c for c in headed if c not in filled])
        part.kinds = {part.keys[c]: kind for c, kind in keys.items()}
        part.levels = _levels(part, kinds, naming)
        yield part


def _key_kind(table: Table, kinds: list[list[str]], c: int, name: str, naming: Naming) -> str:
    """Return what a column of keys holds; "" for one of figures, or with nothing in it."""
    grid = table.grid
    rows = [r for r in table.body if grid.texts[r][c].strip()]
    if not rows:
        return ""
    texts = [grid.texts[r][c].strip() for r in rows]
    count = Counter(kinds[r][c] for r in rows)
    numbers = [t for r, t in zip(rows, texts) if kinds[r][c] == "number"]
    head = plain(name).casefold()
    dated = len(numbers) * 2 > len(rows) and all(month_in_text(t) is not None for t in set(numbers))
    if dated and (words("month_heading").search(name) or all(len(t) in (6, 8) for t in numbers)):
        return "month"
    if 2 * len(numbers) > len(rows) and all(map(str.isdecimal, numbers)):
        numbers = [int(t) for t in numbers]
        if words("serial_heading").match(head) or (not head and numbers == list(range(1, len(numbers) + 1)) and c == 0):
            return "serial"
        if all(1980 <= n <= 2100 for n in numbers) and words("year_heading").search(name):
            return "year"
        if all(1 <= n <= 12 for n in numbers) and words("month_heading").search(name):
            return "part"
        if words("code_heading").search(name) and not naming.split(name)[1]:
            return "code"
    if 2 * (count["number"] + count["mark"]) >= len(rows):
        return ""
    for kind in ("month", "part", "year"):
        if count[kind] * 2 > len(rows):
            return kind
    if is_unit_heading(name) or all(naming.is_unit(t) for t in set(texts)):
        return "unit"
    return "code" if words("code_heading").search(name) else "text"


def _levels(table: Table, kinds: list[list[str]], naming: Naming) -> dict[str, int]:
    """Return which heading row is which level: months, years, quarters between them, units, or texts from the top."""
    found: dict[str, int] = {}
    texts = 0
    for r in table.head:
        own = {c: text for c in table.figures if (text := table.heading(r, c).strip())}
        if not own:
            continue
        said = list(own.values())
        count = Counter(map(kind_of, said))
        digits = [text for text in said if kind_of(text) == "number"]
        numbered = _are_months(digits) or _are_months([*dict.fromkeys(digits)])
        months = count["month"] + count["part"] + len(digits) * numbered
        if not numbered and all(COUNT.fullmatch(t) or t in "甲乙丙丁ABCD" for t in said):
            if [int(t) for t in said if t.isdecimal()] == list(range(1, 13)) and len(table.head) < 3:
                found.setdefault("month", r)
            elif all(_is_year(t) for t in said):
                found.setdefault("year", r)
            continue
        if 2 * months > len(said) or (months > 1 and "month" not in found and len(said) < 3 * count["part"]):
            found.setdefault("month", r)
        elif 2 * (count["year"] + sum(map(_is_year, said))) > len(said):
            found.setdefault("year", r)
        elif 2 * sum(bool(words("span").search(t)) for t in said) > len(said) > 1:
            found.setdefault("span", r)
        elif all(naming.is_unit(t) for t in said) and len(table.head) > 1:
            found.setdefault("unit", r)
        else:
            found[str(texts)] = r
            texts += 1
    return found
