"""What goes wrong in real workbooks, done to the sample on purpose and written down cell by cell.

Every kind of `COUNTS` is a method `_<kind>` of `Spoiler`. A cell is spoilt at most once. Kinds that change or lose a
number keep a distance: none within two months in the same family of figures of the same branch (`FAMILIES`), none twice
in one column of one month, none beside a missing month, a push or a merger; so what is true stays provable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from growth_paths import PUSHES, Truth, stream
from printing import SHEETS, TOTAL, UNIT_FACTOR, Row, Sheet, as_text, from_unit, rounding, to_unit

# How many of each kind in 17 branches x 44 months (runs of cells for the text kinds); scaled with the size asked for.
COUNTS = {
    "unit_silent": 7, "swap": 6, "stale_row": 5, "subtotal_row": 4, "heading_row": 3,
    "decimal": 48, "blank": 44, "dash": 36, "spike": 40, "stale_cell": 24, "merged_cell": 22, "total_off": 30,
    "full_width": 26, "thousands": 36, "note": 40, "text_number": 36, "inline_unit": 30,
}
UNITS_STATED = 9  # columns or whole sheets printed in another unit that the heading names

# Names that the branches went by for a while (first and last month).
ALIASES = (
    ("linyi", "临沂市分行", (2009, 3), (2009, 8)), ("linyi", "沂蒙分行", (2010, 4), (2010, 8)),
    ("yantai", "烟台", (2008, 9), (2008, 10)), ("rizhao", "日 照 分行", (2009, 5), (2009, 6)),
    ("taian", "　泰安分行", (2011, 5), (2011, 5)), ("weifang", "潍坊分行 ", (2010, 11), (2010, 11)),
    ("jinan", "济南市分行", (2011, 1), (2011, 2)),
)
SUBTOTALS = (("鲁东小计", "weihai", ("yantai", "weifang", "weihai")), ("鲁中小计", "laiwu", ("jinan", "zibo", "laiwu")),
             ("鲁西小计", "heze", ("dezhou", "liaocheng", "heze")))

# Figures that prove each other.
FAMILIES = {
    "personal_online": ("personal_online", "personal_online_new", "personal_online_active", "personal_online_activity"),
    "corporate_online": ("corporate_online", "corporate_online_new"), "phone": ("phone", "phone_new"),
    "mobile": ("mobile", "mobile_new", "mobile_active", "mobile_activity"), "sms": ("sms", "sms_new"),
    "accounts": ("corporate_accounts_new", "corporate_accounts_new_signed", "synchronisation"),
    "existing": ("corporate_existing", "corporate_existing_signed", "conversion"),
    "affluent": ("affluent", "affluent_signed", "coverage"),
    "mortgage": ("mortgage", "mortgage_signed", "mortgage_coverage"),
    "transactions": tuple(c.indicator for c in SHEETS["交易"]),
    "income": ("sms_income", "personal_online_income", "corporate_online_income", "income_total"),
    "sales": ("investment_sales", "investment_sales_e", "investment_share"),
}
FAMILY = {indicator: family for family, members in FAMILIES.items() for indicator in members}
CHANGE = ("personal_online", "corporate_online", "phone", "mobile", "sms")
WITHIN = ("personal_online", "mobile", "accounts", "existing", "affluent", "mortgage", "sales")
FULL_WIDTH = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")
MARKS = ("*", "*", "**", "＊", "(注1)", "（注2）", "(注2)", "①")
DASHES = ("-", "-", "--", "—", "－", "–")


def ratio(indicator: str) -> bool:
    """Whether it is printed in per cent."""
    return next(c.unit for columns in SHEETS.values() for c in columns if c.indicator == indicator) == "%"


def proofs(indicator: str) -> str:
    """The ledger rules that may notice a wrong number of this indicator."""
    family, rules = FAMILY[indicator], []
    if family in ("transactions", "income") and not ratio(indicator) and indicator != "counter_txn":
        rules.append("sum_mismatch")
    if family in CHANGE and indicator in (family, f"{family}_new"):
        rules.append("change_mismatch")
    if family in WITHIN and not indicator.endswith("_new"):
        rules.append("within_mismatch")
    if family in (*WITHIN, "transactions"):
        rules.append("ratio_mismatch")
    if not ratio(indicator):
        rules += ["total_mismatch", "from_identity"]
    return "|".join(rules)


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
        sheets = self.months[int(draw.choice(self.inner if inner else self.open))]
        weights = np.array([len(s.columns) for s in sheets], float)
        return next(s for s in sheets if s.name == name) if name else sheets[draw.choice(3, p=weights / weights.sum())]

    def branches(self, sheet: Sheet) -> list[str]:
        return [r.key for r in sheet.rows if r.kind == "branch" and r.key not in self.truth.merged_at]

    def losses(self, draw, low: float = 0) -> Iterator[tuple[Sheet, str, str]]:
        """Endless cells whose number may be lost and shows at least `low` (a ratio: anything)."""
        for _ in range(20_000):
            sheet = self.any_sheet(draw, inner=True)
            key = str(draw.choice(self.branches(sheet)))
            indicator = sheet.columns[draw.integers(len(sheet.columns))].indicator
            value = sheet.cells[key, indicator]
            if self.free(sheet, key, indicator) and (ratio(indicator) or value >= low):
                yield sheet, key, indicator

    def runs(self, draw, low: float = 0) -> Iterator[tuple[Sheet, list[str], str]]:
        """Endless runs of one to six cells down a column, for kinds that only change how a number is written."""
        for _ in range(20_000):
            sheet = self.any_sheet(draw, inner=False)
            keys = [r.key for r in sheet.rows if r.kind in ("branch", "total")]
            indicator = sheet.columns[draw.integers(len(sheet.columns))].indicator
            at, length = draw.integers(len(keys)), int(draw.choice([1, 1, 1, 2, 3, 6]))
            chosen = [k for k in keys[at:at + length] if (sheet.t, sheet.name, k, indicator) not in self.taken
                      and isinstance(sheet.cells[k, indicator], int | float)
                      and (low == 0 or (not ratio(indicator) and sheet.cells[k, indicator] >= low))]
            if chosen:
                yield sheet, chosen, indicator

    # --- everything, in a fixed order: whole rows and columns first, single cells after

    def run(self) -> list[Entry]:
        """Do all kinds and return the account."""
        if len(self.inner) < 6:
            raise ValueError("too few months to spoil: at least 12 are needed")
        self._stated_units()
        self._mergers()
        self._aliases()
        scale = len(self.truth.rows) * len(self.truth.months) / (17 * 44)
        for kind, count in COUNTS.items():
            draw = stream(self.seed, f"spoil {kind}")
            getattr(self, f"_{kind}")(draw, max(2, round(count * scale)))
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
        for branch, name, first, last in ALIASES:
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

    def _unit_silent(self, draw, count: int) -> None:
        """A column, the last but one time a whole sheet and the last time a ratio's column, in another unit unsaid."""
        done = 0
        while done < count:
            whole, fractions = done % 7 == 5, done % 7 == 6
            sheet = self.any_sheet(draw, inner=True, name="交易" if whole else None)
            pool = [c.indicator for c in sheet.columns if ratio(c.indicator) == fractions]
            chosen = pool if whole else [str(draw.choice(pool))]
            keys = [r.key for r in sheet.rows]
            if sheet.units or not all(self.free(sheet, k, i) for i in chosen for k in keys):
                continue
            for i in chosen:
                unit = sheet.unit(i)[0]
                other, decimals = ("倍", 4) if fractions else {
                    "户": ("万户", 4), "笔": ("万笔", 4), "元": (str(draw.choice(["千元", "万元"])), 2),
                    "万元": ("亿元", 4)}[unit]
                for key in keys:
                    value = self._exact(key, i, sheet.t)
                    self._silent_cell(sheet, key, i, to_unit(value, other, decimals), other)
                    self.occupy(sheet, key, i)
            done += 1

    def _silent_cell(self, sheet: Sheet, key: str, indicator: str, shown: float, other: str) -> None:
        exact = self._exact(key, indicator, sheet.t)
        decimals = 4 if other in ("倍", "万户", "万笔", "亿元") else 2
        self.note(sheet, key, indicator, "unit_silent", "unit_slip", shown, rounding(exact, other, decimals))
        self.log[-1].true_value = from_unit(shown, other)

    def _swap(self, draw, count: int) -> None:
        names = ["客户", "交易", "客户", "收入", "交易", "客户"]
        done = 0
        while done < count:
            sheet = self.any_sheet(draw, inner=True, name=names[done % 6])
            keys = self.branches(sheet)
            at = draw.integers(len(keys) - 1)
            a, b = keys[at], keys[at + 1]
            size = [self.truth.printed(k, "phone", sheet.t) for k in (a, b)]
            cells = [(k, c.indicator) for k in (a, b) for c in sheet.columns]
            if (max(size) < 1.4 * min(size) or [r.key for r in sheet.rows].index(b) != [r.key for r in sheet.rows].index(a) + 1
                    or not all(self.free(sheet, k, i) for k, i in cells)):
                continue
            clean = self.clean[sheet.t, sheet.name]
            for k, i in cells:
                shown = clean[b if k == a else a, i]
                self.occupy(sheet, k, i, column=False)
                if shown != clean[k, i]:
                    self.note(sheet, k, i, "swap", "swapped_rows", shown)
            done += 1

    def _stale_row(self, draw, count: int) -> None:
        names = ["交易", "客户", "收入"]
        done = 0
        while done < count:
            sheet = self.any_sheet(draw, inner=True, name=names[done % 3])
            key = str(draw.choice(self.branches(sheet)))
            if sheet.units or self.before(sheet).units or not all(self.free(sheet, key, c.indicator) for c in sheet.columns):
                continue
            if any((sheet.t - 1, sheet.name, key, c.indicator) in self.taken for c in sheet.columns):
                continue
            for c in sheet.columns:
                self._paste_again(sheet, key, c.indicator)
            done += 1

    def _stale_cell(self, draw, count: int) -> None:
        cells = self.losses(draw, 1000)
        done = 0
        while done < count:
            sheet, key, indicator = next(cells)
            if (not ratio(indicator) and sheet.unit(indicator) == self.before(sheet).unit(indicator)
                    and (sheet.t - 1, sheet.name, key, indicator) not in self.taken):
                done += self._paste_again(sheet, key, indicator)

    def _paste_again(self, sheet: Sheet, key: str, indicator: str) -> bool:
        """Show last month's figure; that one stays as it is."""
        old = self.clean[sheet.t - 1, sheet.name][key, indicator]
        self.occupy(sheet, key, indicator)
        self.taken.add((sheet.t - 1, sheet.name, key, indicator))
        if old == self.clean[sheet.t, sheet.name][key, indicator]:
            return False
        self.note(sheet, key, indicator, "stale", f"stale_repeat|{proofs(indicator)}", old)
        return True

    def _subtotal_row(self, draw, count: int) -> None:
        done = 0
        while done < count:
            name, after, members = SUBTOTALS[done % len(SUBTOTALS)]
            sheet = self.any_sheet(draw, inner=False)
            keys = [r.key for r in sheet.rows]
            if any(r.kind == "subtotal" for r in sheet.rows) or not set(members) <= set(keys):
                continue
            sheet.rows.insert(keys.index(after) + 1, Row(name, name, "subtotal"))
            for c in sheet.columns:
                value = sheet.number(self.truth.sum_of(list(members), c.indicator, sheet.t), c.indicator)
                self.note(sheet, name, c.indicator, "subtotal_row", "subtotal_row", value)
            done += 1

    def _heading_row(self, draw, count: int) -> None:
        done = 0
        while done < count:
            sheet = self.any_sheet(draw, inner=False)
            if any(r.kind == "heading" for r in sheet.rows):
                continue
            sheet.rows.insert(9, Row("heading", "机构", "heading"))
            for c in sheet.columns:
                self.note(sheet, "heading", c.indicator, "heading_row", "heading_row", sheet.lower(c))
            done += 1

    # --- single cells whose number is wrong or lost

    def _decimal(self, draw, count: int) -> None:
        cells = self.losses(draw, 100)
        for _ in range(count):
            sheet, key, indicator = next(cells)
            power = int(draw.choice([1, 1, 1, -1, -1, -1, 2, -2]))
            value = sheet.cells[key, indicator]
            shown = value * 10**power if power > 0 else round(value / 10**-power, 6)
            shown = round(shown, 6)
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "decimal", "decimal_slip", int(shown) if shown == int(shown) else shown)

    def _blank(self, draw, count: int) -> None:
        cells = self.losses(draw)
        for _ in range(count):
            sheet, key, indicator = next(cells)
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "blank", "blank", None)

    def _dash(self, draw, count: int) -> None:
        cells = self.losses(draw)
        for _ in range(count):
            sheet, key, indicator = next(cells)
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "dash", "dash", str(draw.choice(DASHES)))

    def _merged_cell(self, draw, count: int) -> None:
        cells = self.losses(draw)
        done = 0
        while done < count:
            sheet, key, indicator = next(cells)
            keys = [r.key for r in sheet.rows]
            upper = sheet.rows[max(0, keys.index(key) - 1)]
            held = (sheet.t, sheet.name, upper.key, indicator)
            if upper.kind != "branch" or upper.key == key or held in self.taken:
                continue
            self.taken.add(held)
            self.occupy(sheet, key, indicator)
            sheet.merges.append((upper.key, key, indicator))
            self.note(sheet, key, indicator, "merged_cell", "merged_cell", None)
            done += 1

    def _spike(self, draw, count: int) -> None:
        """Two digits changed places, or one was typed twice."""
        cells = self.losses(draw, 1000)
        done = 0
        while done < count:
            sheet, key, indicator = next(cells)
            value = sheet.cells[key, indicator]
            digits, dot, rest = as_text(value).partition(".")
            if ratio(indicator) or len(digits) < 4:
                continue
            at = int(draw.integers(0, 2))
            typed = (digits[:at] + digits[at + 1] + digits[at] + digits[at + 2:] if draw.random() < 0.7
                     else digits[:at + 1] + digits[at:])
            shown = float(typed + dot + rest)
            power = np.log10(shown / value) if shown else 0
            if typed[0] == "0" or abs(power) < 0.1 or abs(power - round(power)) < 0.02:
                continue  # too small to be seen, or a slipped decimal after all
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "spike", f"spike|{proofs(indicator)}",
                      int(shown) if shown == int(shown) else shown)
            done += 1

    def _total_off(self, draw, count: int) -> None:
        """The printed 合计 forgets a branch or has a typing error; in every second a branch's own total is off."""
        done = 0
        while done < count:
            own = done % 2 == 1
            sheet = self.any_sheet(draw, inner=True, name=("交易", "收入")[done // 2 % 2] if own else None)
            indicator = {"交易": "etxn_total", "收入": "income_total"}[sheet.name] if own else str(
                draw.choice([c.indicator for c in sheet.columns if not ratio(c.indicator)]))
            key = str(draw.choice(self.branches(sheet))) if own else TOTAL
            if not self.free(sheet, key, indicator):
                continue
            value = sheet.cells[key, indicator]
            shown = value * (1 + draw.choice([-1, 1]) * draw.uniform(0.004, 0.04))
            if not own and draw.random() < 0.5:
                shown = value - sheet.number(self._exact(str(draw.choice(self.branches(sheet))), indicator, sheet.t), indicator)
            shown = round(shown, sheet.unit(indicator)[1])
            if shown == value:
                continue
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "total_off", proofs(indicator) if own else "total_mismatch|from_identity",
                      int(shown) if shown == int(shown) else shown)
            done += 1

    # --- single cells that only look different

    def _written(self, draw, count: int, spoil: str, low: float, write) -> None:
        runs = self.runs(draw, low)
        for _ in range(count):
            sheet, keys, indicator = next(runs)
            for key in keys:
                text, expected = write(sheet.cells[key, indicator], sheet)
                self.note(sheet, key, indicator, spoil, expected, text)

    def _full_width(self, draw, count: int) -> None:
        def write(value, sheet):
            commas = value >= 1000 and draw.random() < 0.3
            text = format(value, ",") if commas else as_text(value)
            return text.translate(FULL_WIDTH), "full_width_digits" + ("|thousands_separator" if commas else "")
        self._written(draw, count, "full_width", 0, write)

    def _thousands(self, draw, count: int) -> None:
        self._written(draw, count, "thousands", 1000, lambda value, sheet: (format(value, ","), "thousands_separator"))

    def _note(self, draw, count: int) -> None:
        def write(value, sheet):
            mark = str(draw.choice(MARKS))
            sheet.marks.add(mark.strip("()（）") if "注" in mark else "①" if mark == "①" else "*")
            return as_text(value) + mark, "trailing_note"
        self._written(draw, count, "note", 0, write)

    def _text_number(self, draw, count: int) -> None:
        def write(value, sheet):
            text = as_text(value)
            forms = [f"约{value:,}", f"'{text}", f"　{text} ", f"{text}\u00a0", f"{value:,}".replace(",", " ")]
            return forms[draw.integers(len(forms))], "text_number"
        self._written(draw, count, "text_number", 1000, write)

    def _inline_unit(self, draw, count: int) -> None:
        """2.51万: two decimals lose the rest, so what is printed is then all that can be known; four lose nothing."""
        cells = self.losses(draw, 3000)
        for _ in range(count):
            sheet, key, indicator = next(c for c in cells if not ratio(c[2]))
            unit, exact = sheet.unit(indicator)[0], self._exact(key, indicator, sheet.t)
            base = {"万元": "元"}.get(unit, unit)
            written = {"户": "万户", "笔": "万笔", "元": "万元"}[base] if unit != "万元" else "亿元"
            decimals = int(draw.choice([2, 4]))
            number = to_unit(exact, written, decimals)
            short = written != "亿元" and draw.random() < 0.5
            self.occupy(sheet, key, indicator)
            self.note(sheet, key, indicator, "inline_unit", "inline_unit", f"{number}{'万' if short else written}",
                      rounding(exact, written, decimals))
            self.log[-1].true_value = from_unit(number, written)


def stated_units(seed: int, truth: Truth, open_months: list[int]) -> dict[tuple[str, int], tuple[str, int]]:
    """Columns and sheets whose heading names another unit than usual: (indicator, month) -> unit, decimals."""
    draw = stream(seed, "stated units")
    months = [int(t) for t in draw.permutation(open_months)]
    result: dict[tuple[str, int], tuple[str, int]] = {}
    amounts = [c.indicator for c in SHEETS["客户"] if not ratio(c.indicator)]
    wide = [c.indicator for c in SHEETS["交易"] if not ratio(c.indicator)]
    fees = list(FAMILIES["income"])
    plans = [(wide, "万笔", 4), (fees, "万元", 4), (fees, "万元", 2), (["echannel_counter_ratio"], "倍", 4),
             (fees, "千元", 3), (["investment_sales", "investment_sales_e"], "元", 2), *[(None, "万户", 4)] * 5]
    for (indicators, unit, decimals), t in zip(plans[:UNITS_STATED + 2], months, strict=False):
        for indicator in indicators or [str(draw.choice(amounts))]:
            assert unit in UNIT_FACTOR
            result[indicator, t] = (unit, decimals)
    return result
