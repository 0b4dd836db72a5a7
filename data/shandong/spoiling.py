"""What goes wrong in real workbooks, done to the sample on purpose and written down cell by cell.

Every kind of `COUNTS` is a method `_<kind>(draw, n)` of `Spoiler` that tries one place and says whether it did it (n
have been done before). A cell is spoilt at most once. Kinds that change or lose a number keep a distance: none within
two months in the same family of figures of a branch (`FAMILIES`), none twice in one column of one month, none beside a
missing month, a push or a merger; so what is true stays provable.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import spoiling_plan as plan
from growth_paths import PUSHES, Truth, stream
from printing import TOTAL, Row, Sheet, as_text, from_unit, plain, rounding, to_unit
from spoiling_plan import FAMILIES, FAMILY, proofs, ratio


@dataclass
class Entry:
    """One line of truth.csv."""

    sheet: Sheet | None
    key: str
    indicator: str
    spoil: str
    expected: str
    true_value: float | None
    rounding: float = 0


@dataclass
class Spoiler:
    """Spoils `months` (sheets of the valid file of each month) and keeps the account."""

    truth: Truth
    months: dict[int, list[Sheet]]
    seed: int
    quiet: set[int]  # months sent twice: nothing further happens to them
    missing: set[int]
    log: list[Entry] = field(default_factory=list)
    taken: set[tuple] = field(default_factory=set)
    busy: set[tuple] = field(default_factory=set)
    columns: set[tuple] = field(default_factory=set)

    def __post_init__(self):
        count = len(self.truth.months)
        self.inner = [t for t in self.months if 2 <= t < count - 2 and t not in self.quiet
                      and not {t - 1, t + 1} & self.missing]
        self.open = [t for t in self.months if t not in self.quiet]
        self.clean = {(s.t, s.name): dict(s.cells) for sheets in self.months.values() for s in sheets}
        for into, at in [(i, self.truth.merged_at[r]) for r, i in self.truth.merged_into.items()]:
            self.busy |= {(into, family, t) for family in FAMILIES for t in range(at + 2)}
        for p in PUSHES:
            if p.month in self.truth.months:
                at = self.truth.months.index(p.month)
                self.busy |= {(p.branch, FAMILY[p.indicator], t) for t in range(at - 1, at + 2)}

    # --- account

    def note(self, sheet: Sheet, key: str, indicator: str, spoil: str, expected: str, value: object = "same",
             lost: float | None = None) -> None:
        """Enter a spoilt cell; `value` replaces what it shows, `lost` overrides the rounding."""
        true = self.clean[sheet.t, sheet.name].get((key, indicator))
        unit, decimals = sheet.unit(indicator)
        exact = None if true is None else self._exact(key, indicator, sheet.t)
        self.log.append(Entry(sheet, key, indicator, spoil, expected, None if true is None else from_unit(true, unit),
                              lost if lost is not None or true is None else rounding(exact, unit, decimals)))
        self.taken.add((sheet.t, sheet.name, key, indicator))
        if value != "same":
            sheet.cells[key, indicator] = value

    def _exact(self, key: str, indicator: str, t: int) -> float:
        return self.truth.printed(key, indicator, t)

    def free(self, sheet: Sheet, key: str, indicator: str) -> bool:
        """Whether the cell may lose its number."""
        return ((sheet.t, sheet.name, key, indicator) not in self.taken and (indicator, sheet.t) not in self.columns
                and (key, FAMILY[indicator], sheet.t) not in self.busy)

    def occupy(self, sheet: Sheet, key: str, indicator: str, column: bool = True) -> None:
        """Keep other losses away from this one."""
        self.busy |= {(key, FAMILY[indicator], t) for t in range(sheet.t - 2, sheet.t + 3)}
        if column:
            self.columns.add((indicator, sheet.t))

    def before(self, sheet: Sheet) -> Sheet:
        """The same sheet of the month before."""
        return next(s for s in self.months[sheet.t - 1] if s.name == sheet.name)

    # --- choosing

    def any_sheet(self, draw, inner: bool, name: str | None = None) -> Sheet:
        months = self.inner if inner else self.open
        sheets = self.months[months[draw.integers(len(months))]]
        if name is not None:
            return next(s for s in sheets if s.name == name)
        at = draw.integers(sum(len(s.columns) for s in sheets))  # every column is as likely
        return next(s for n, s in enumerate(sheets) if at < sum(len(x.columns) for x in sheets[:n + 1]))

    def branches(self, sheet: Sheet) -> list[str]:
        return [r.key for r in sheet.rows if r.kind == "branch" and r.key not in self.truth.merged_at]

    def loss(self, draw, low: float = 0) -> tuple[Sheet, str, str] | None:
        """A cell drawn at random, if its number may be lost and shows at least `low` (a ratio: anything)."""
        sheet = self.any_sheet(draw, inner=True)
        keys = self.branches(sheet)
        key, indicator = keys[draw.integers(len(keys))], sheet.columns[draw.integers(len(sheet.columns))].indicator
        fits = self.free(sheet, key, indicator) and (ratio(indicator) or sheet.cells[key, indicator] >= low)
        return (sheet, key, indicator) if fits else None

    def run_of_cells(self, draw, low: float = 0) -> tuple[Sheet, list[str], str]:
        """One to six cells down a column (or none), for kinds that only change how a number is written."""
        sheet = self.any_sheet(draw, inner=False)
        keys = [r.key for r in sheet.rows if r.kind in ("branch", "total")]
        indicator = sheet.columns[draw.integers(len(sheet.columns))].indicator
        at, length = draw.integers(len(keys)), int(draw.choice([1, 1, 1, 2, 3, 6]))
        chosen = [k for k in keys[at:at + length] if (sheet.t, sheet.name, k, indicator) not in self.taken
                  and isinstance(sheet.cells[k, indicator], int | float)
                  and (low == 0 or (not ratio(indicator) and sheet.cells[k, indicator] >= low))]
        return sheet, chosen, indicator

    # --- everything, in a fixed order: whole rows and columns first, single cells after

    def run(self) -> list[Entry]:
        """Do all kinds and return the account."""
        if len(self.inner) < 6:
            raise ValueError("too few months to spoil: at least 12 are needed")
        self._stated_units()
        self._mergers()
        self._aliases()
        for kind, count in plan.COUNTS.items():
            draw, spoil = stream(self.seed, f"spoil {kind}"), getattr(self, f"_{kind}")
            wide = 1 if kind in plan.PER_FILE else min(len(self.truth.rows) / 17, plan.WIDEST)
            size = len(self.truth.months) / 44 * wide
            done, wanted = 0, max(2, round(count * size))
            for _ in range(plan.TRIES * wanted):
                done += bool(spoil(draw, done))
                if done == wanted:
                    break
        return self.log

    def _stated_units(self) -> None:
        for sheets in self.months.values():
            for sheet in sheets:
                for indicator in sheet.units:
                    for row in sheet.rows:
                        self.note(sheet, row.key, indicator, "unit_stated", "unit_heading")

    def _mergers(self) -> None:
        for sheets in self.months.values():
            for sheet in sheets:
                for row in sheet.rows:
                    if row.key in self.truth.merged_at:
                        self._whole_row(sheet, row.key, "merger", "merger")

    def _aliases(self) -> None:
        for branch, name, first, last in plan.ALIASES:
            for sheets in self.months.values():
                for sheet in sheets:
                    if first <= sheet.month <= last and branch in self.truth.rows:
                        next(r for r in sheet.rows if r.key == branch).name = name
                        self._whole_row(sheet, branch, "alias", "alias")

    def _whole_row(self, sheet: Sheet, key: str, spoil: str, expected: str) -> None:
        for column in sheet.columns:
            if (sheet.t, sheet.name, key, column.indicator) not in self.taken:
                self.note(sheet, key, column.indicator, spoil, expected)

    # --- columns and rows

    def _unit_silent(self, draw, n: int) -> bool:
        """A column, every seventh time a whole sheet or a ratio's column, in another unit without a word."""
        whole, fractions = n % 7 == 5, n % 7 == 6
        sheet = self.any_sheet(draw, inner=True, name="交易" if whole else None)
        pool = [c.indicator for c in sheet.columns if ratio(c.indicator) == fractions]
        chosen = pool if whole else [pool[draw.integers(len(pool))]]
        cells = [(r.key, i) for i in chosen for r in sheet.rows]
        if sheet.units or not all(self.free(sheet, k, i) for k, i in cells):
            return False
        thousands = draw.random() < 0.5
        for k, i in cells:
            other, decimals = ("倍", 4) if fractions else {
                "户": ("万户", 4), "笔": ("万笔", 4), "元": ("千元" if thousands else "万元", 2),
                "万元": ("亿元", 4)}[sheet.unit(i)[0]]
            exact = self._exact(k, i, sheet.t)
            shown = to_unit(exact, other, decimals)
            self.note(sheet, k, i, "unit_silent", "unit_slip", shown, rounding(exact, other, decimals))
            self.log[-1].true_value = from_unit(shown, other)
        for k, i in cells:
            self.occupy(sheet, k, i)
        return True

    def _swap(self, draw, n: int) -> bool:
        """Two neighbours' rows exchanged under their names."""
        sheet = self.any_sheet(draw, inner=True, name=("客户", "交易", "客户", "收入", "交易", "客户")[n % 6])
        at = draw.integers(len(sheet.rows) - 1)
        a, b = sheet.rows[at], sheet.rows[at + 1]
        if a.kind != "branch" or b.kind != "branch":
            return False
        size = [self._exact(r.key, "phone", sheet.t) for r in (a, b)]
        cells = [(r.key, c.indicator) for r in (a, b) for c in sheet.columns]
        if max(size) < 1.4 * min(size) or not all(self.free(sheet, k, i) for k, i in cells):
            return False
        clean = self.clean[sheet.t, sheet.name]
        for k, i in cells:
            shown = clean[b.key if k == a.key else a.key, i]
            self.occupy(sheet, k, i, column=False)
            if shown != clean[k, i]:
                self.note(sheet, k, i, "swap", "swapped_rows", shown)
        return True

    def _stale_row(self, draw, n: int) -> bool:
        """A branch's line pasted again from the month before."""
        sheet = self.any_sheet(draw, inner=True, name=("交易", "客户", "收入")[n % 3])
        keys = self.branches(sheet)
        key = keys[draw.integers(len(keys))]
        if (sheet.units or self.before(sheet).units
                or not all(self.free(sheet, key, c.indicator) for c in sheet.columns)
                or any((sheet.t - 1, sheet.name, key, c.indicator) in self.taken for c in sheet.columns)):
            return False
        for c in sheet.columns:
            self._paste_again(sheet, key, c.indicator)
        return True

    def _stale_cell(self, draw, n: int) -> bool:
        found = self.loss(draw, 1000)
        if not found or ratio(found[2]):
            return False
        sheet, key, indicator = found
        return (sheet.unit(indicator) == self.before(sheet).unit(indicator)
                and (sheet.t - 1, sheet.name, key, indicator) not in self.taken
                and self._paste_again(sheet, key, indicator))

    def _paste_again(self, sheet: Sheet, key: str, indicator: str) -> bool:
        """Show last month's figure; that one stays as it is."""
        old = self.clean[sheet.t - 1, sheet.name][key, indicator]
        self.occupy(sheet, key, indicator)
        self.taken.add((sheet.t - 1, sheet.name, key, indicator))
        if old == self.clean[sheet.t, sheet.name][key, indicator]:
            return False
        self.note(sheet, key, indicator, "stale", f"stale_repeat|{proofs(indicator)}", old)
        return True

    def _subtotal_row(self, draw, n: int) -> bool:
        name, after, members = plan.SUBTOTALS[n % len(plan.SUBTOTALS)]
        sheet = self.any_sheet(draw, inner=False)
        keys = [r.key for r in sheet.rows]
        if any(r.kind == "subtotal" for r in sheet.rows) or not set(members) <= set(keys):
            return False
        sheet.rows.insert(keys.index(after) + 1, Row(name, name, "subtotal"))
        for c in sheet.columns:
            value = sheet.number(self.truth.sum_of(list(members), c.indicator, sheet.t), c.indicator)
            self.note(sheet, name, c.indicator, "subtotal_row", "subtotal_row", value)
        return True

    def _heading_row(self, draw, n: int) -> bool:
        """The lower headings once more, where a printed page would have begun."""
        sheet = self.any_sheet(draw, inner=False)
        if any(r.kind == "heading" for r in sheet.rows):
            return False
        sheet.rows.insert(9, Row("heading", "机构", "heading"))
        for c in sheet.columns:
            self.note(sheet, "heading", c.indicator, "heading_row", "heading_row", sheet.lower(c))
        return True

    # --- single cells whose number is wrong or lost

    def _lose(self, draw, spoil: str, value: object) -> bool:
        found = self.loss(draw)
        if found:
            self.occupy(*found)
            self.note(*found, spoil, spoil, value)
        return bool(found)

    def _blank(self, draw, n: int) -> bool:
        return self._lose(draw, "blank", None)

    def _dash(self, draw, n: int) -> bool:
        return self._lose(draw, "dash", plan.DASHES[n % len(plan.DASHES)])

    def _merged_cell(self, draw, n: int) -> bool:
        """A cell merged with the one above, whose number stands for both."""
        found = self.loss(draw)
        if not found:
            return False
        sheet, key, indicator = found
        upper = sheet.rows[max(0, [r.key for r in sheet.rows].index(key) - 1)]
        held = (sheet.t, sheet.name, upper.key, indicator)
        if upper.kind != "branch" or upper.key == key or held in self.taken:
            return False
        self.taken.add(held)
        self.occupy(*found)
        sheet.merges.append((upper.key, key, indicator))
        self.note(*found, "merged_cell", "merged_cell", None)
        return True

    def _decimal(self, draw, n: int) -> bool:
        found = self.loss(draw, 100)
        if not found:
            return False
        power = (1, -1, 1, -1, 1, -1, 2, -2)[n % 8]
        value = found[0].cells[found[1:]]
        self.occupy(*found)
        self.note(*found, "decimal", "decimal_slip", plain(value * 10**power if power > 0 else value / 10**-power))
        return True

    def _spike(self, draw, n: int) -> bool:
        """Two digits changed places, or one was typed twice."""
        found = self.loss(draw, 1000)
        if not found or ratio(found[2]):
            return False
        value = found[0].cells[found[1:]]
        digits, dot, rest = as_text(value).partition(".")
        at = int(draw.integers(0, 2))
        typed = (digits[:at] + digits[at + 1] + digits[at] + digits[at + 2:] if draw.random() < 0.7
                 else digits[:at + 1] + digits[at:])
        shown = float(typed + dot + rest)
        power = np.log10(shown / value)
        if typed[0] == "0" or abs(power) < 0.1 or abs(power - round(power)) < 0.02:
            return False  # too small to be seen, or a slipped decimal after all
        self.occupy(*found)
        self.note(*found, "spike", f"spike|{proofs(found[2])}", plain(shown))
        return True

    def _total_off(self, draw, n: int) -> bool:
        """The printed 合计 forgets a branch or has a typing error; every second time it is a branch's own total."""
        own = n % 2 == 1
        sheet = self.any_sheet(draw, inner=True, name=("交易", "收入")[n // 2 % 2] if own else None)
        amounts = [c.indicator for c in sheet.columns if not ratio(c.indicator)]
        keys = self.branches(sheet)
        branch = keys[draw.integers(len(keys))]
        total = {"交易": "etxn_total", "收入": "income_total"}
        indicator = total[sheet.name] if own else amounts[draw.integers(len(amounts))]
        key = branch if own else TOTAL
        if not self.free(sheet, key, indicator):
            return False
        value = sheet.cells[key, indicator]
        shown = value * (1 + draw.choice([-1, 1]) * draw.uniform(0.004, 0.04))
        if not own and draw.random() < 0.5:
            shown = value - sheet.number(self._exact(branch, indicator, sheet.t), indicator)
        shown = plain(round(shown, sheet.unit(indicator)[1]))
        if shown == value:
            return False
        self.occupy(sheet, key, indicator)
        expected = proofs(indicator) if own else "total_mismatch|from_identity"
        self.note(sheet, key, indicator, "total_off", expected, shown)
        return True

    # --- single cells that only look different

    def _written(self, draw, spoil: str, low: float, write) -> bool:
        sheet, keys, indicator = self.run_of_cells(draw, low)
        for key in keys:
            text, expected = write(sheet.cells[key, indicator], sheet)
            self.note(sheet, key, indicator, spoil, expected, text)
        return bool(keys)

    def _full_width(self, draw, n: int) -> bool:
        def write(value, sheet):
            commas = value >= 1000 and draw.random() < 0.3
            text = format(value, ",") if commas else as_text(value)
            return text.translate(plan.FULL_WIDTH), "full_width_digits" + ("|thousands_separator" if commas else "")
        return self._written(draw, "full_width", 0, write)

    def _thousands(self, draw, n: int) -> bool:
        return self._written(draw, "thousands", 1000, lambda value, sheet: (format(value, ","), "thousands_separator"))

    def _note(self, draw, n: int) -> bool:
        def write(value, sheet):
            mark = plan.MARKS[draw.integers(len(plan.MARKS))]
            sheet.marks.add(mark.strip("()（）") if "注" in mark else "①" if mark == "①" else "*")
            return as_text(value) + mark, "trailing_note"
        return self._written(draw, "note", 0, write)

    def _text_number(self, draw, n: int) -> bool:
        def write(value, sheet):
            text = as_text(value)
            forms = [f"约{value:,}", f"'{text}", f"　{text} ", f"{text}\u00a0", f"{value:,}".replace(",", " ")]
            return forms[draw.integers(len(forms))], "text_number"
        return self._written(draw, "text_number", 1000, write)

    def _inline_unit(self, draw, n: int) -> bool:
        """2.51万: two decimals lose the rest, so what is printed is then all that can be known; four lose nothing."""
        found = self.loss(draw, 3000)
        if not found or ratio(found[2]):
            return False
        sheet, key, indicator = found
        exact, decimals = self._exact(key, indicator, sheet.t), (2, 4)[n % 2]
        written = {"户": "万户", "笔": "万笔", "元": "万元", "万元": "亿元"}[sheet.unit(indicator)[0]]
        short = written != "亿元" and draw.random() < 0.5
        number = to_unit(exact, written, decimals)
        self.occupy(*found)
        self.note(*found, "inline_unit", "inline_unit", f"{number}{'万' if short else written}",
                  rounding(exact, written, decimals))
        self.log[-1].true_value = from_unit(number, written)
        return True
