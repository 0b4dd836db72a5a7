"""What is written of a draft: ``sources.yaml``, ``catalog.yaml`` and ``branches.csv``, with the reasons as comments and
the doubts as questions."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pandas as pd
import yaml

from ..catalog import Catalog, Indicator, Unit, branches_csv, fold
from ..errors import EbankError, SourceError
from ..files import CORRECTIONS
from ..guessing import ALONE, draft_tables
from ..sources import Source, open_source
from ..sources.units import SUBTOTAL, Naming, is_total
from ..wording import t
from .names import Branches, Item, name_branches, name_indicators, spelled
from .places import UNKNOWN, Plan
from .tables import Table
from .units import unit_behind

NAMES = ("sources.yaml", "catalog.yaml", "branches.csv")
OWN = (*NAMES, CORRECTIONS)
_NOWHERE = {"from": "constant"}
_ONE = _NOWHERE | {"value": ALONE["branch"]}
_NOT_DRAFTED = {"short", "numerator", "denominator"}
_LATER = re.compile(r"[\s_(（-]*(修订|更正|订正|修改|revised|rev|v)[._ -]?\d*[)）]?", re.IGNORECASE)
_DIGITS = r"\D?(?P<revision>\d*)"
# Shares of figures with the month, branch and indicator of others, on a sheet or of a unit, that are no slips.
_SOME = {("file", "sheet"): .02, ("unit", "revised"): .2}
_LOOK = 20_000    # files of a folder that a glob is compared with


@dataclass
class Found:
    """The sheets of one shape: their files and names, their tables, the likely ways to read them, and the one taken."""

    sheets: list[tuple[str, str]]
    tables: list[tuple[str, str, int, Table]]
    plans: list[Plan] = field(default_factory=list)
    plan: Plan | None = None
    items: list[Item] = field(default_factory=list)
    expected: int = 0                  # figures that the plan means to read
    long: list[str] = field(default_factory=list)           # of a long table: the lines that say where it is
    names: dict[str, list[str]] = field(default_factory=dict)     # other names of branches, from another table
    given: dict[str, str] = field(default_factory=dict)     # units that the reader does not find by itself
    clash: str = ""                    # which figures no key tells apart

    @property
    def doubts(self) -> list[str]:
        """What is in doubt about the months, the units and whether it can be read."""
        bare = [i for i in self.items if i.indicator and not i.printed and not i.unit and i.indicator.unit != "1"]
        names = "、".join(f"{i.path} ({i.indicator.unit})" for i in bare)
        return [*self.plan.doubts, *filter(None, [self.clash]),
                *([t("drafting.no_year")] if self.plan.month.get("year") == UNKNOWN else []),
                *([t("drafting.no_unit", names=names)] if bare else [])]

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(file for file, _ in self.sheets))


@dataclass
class Draft:
    """What is to be written: lines of ``sources.yaml``, of the parts of ``catalog.yaml``, rows of ``branches.csv``; the
    questions that are open, and what holds no table."""

    head: list[str]
    entries: list[str]
    catalog: dict[str, dict[str, str]]          # units, base_units, groups, indicators: lines by their keys
    rows: dict[str, dict[str, str]]
    questions: list[str]
    left_out: list[str]
    headings: dict[str, str]                    # path -> indicator

    def texts(self) -> dict[str, str]:
        """Return the three files."""
        parts = [line for part, lines in self.catalog.items() for line in (f"{part}:", *lines.values())]
        return {"sources.yaml": "\n".join([*self.head, "files:", *self.entries]) + "\n",
                "catalog.yaml": "\n".join(parts) + "\n", "branches.csv": branches_csv(self.rows.values())}


def read_by(texts: dict[str, str], root: Path) -> tuple[Source, pd.DataFrame]:
    """Return the source that three texts describe and the cells that are read by them; an EbankError says why none."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            source = open_source(folder, root=root)
            return source, source.cells()
        except EbankError as error:
            raise SourceError(str(error).replace(f"{folder}{os.sep}", "")) from None


# --- what is written --------------------------------------------------------------------------------------------------

def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, sort_keys=False, width=10**9)
    return " ".join(text.removesuffix("...\n").split())


def _comment(text: str) -> str:
    return "  # " + " ".join(text.split())


@dataclass
class Writer:
    """What is the same for all that is written: the folder of the files, how ``sources.yaml`` names it, the units that
    are printed, and which sheets hold tables."""

    root: Path
    where: str
    naming: Naming
    units: dict[str, Unit]
    sheets: list[tuple[str, str]]           # with tables
    bare: list[tuple[str, str]]             # without
    left_out: list[str]
    known: Catalog | None = None

    def try_out(self, found: Found) -> float:
        """Return the share of the figures with a month that the reader reads by the plan of some sheets."""
        texts = self.draft([found]).texts()
        if not found.plan.month:
            found.plan.error = t("drafting.no_months")
            return 0.0
        try:
            source, cells = read_by({name: text.replace(_yaml([UNKNOWN["value"]])[1:-1], "2001")
                                     for name, text in texts.items()}, self.root)
        except EbankError as error:
            found.plan.error = str(error)
            return 0.0
        known = cells["branch"].map(fold).isin(Naming(source.catalog).branches)
        good = cells[(cells["text"] != "") & (cells["indicator"] != "") & known]
        bare = good[(good["unit"] == "") & ~good["text"].map(lambda text: bool(unit_behind(text)))]
        found.given = {i.path: i.printed for i in found.items
                       if i.indicator and i.printed and i.indicator.key in {*bare["indicator"]}}
        return len(good) / max(1, found.expected)

    def draft(self, found: Sequence[Found]) -> Draft:
        """Return the three texts for some groups of sheets, by their plans."""
        figures: dict[str, pd.DataFrame] = {}
        taken: dict[str, Indicator] = dict(self.known.indicators) if self.known else {}
        facts = []
        for one in found:
            own = one.sheets[0][1] if len({s for _, s in one.sheets}) == 1 else ""
            if len(one.files) == 1 and any(s == own for other in found if other is not one for _, s in other.sheets):
                own = Path(one.files[0]).stem
            one.items = name_indicators(one.plan.facts, self.naming, taken, own, figures)
            for item in one.items:
                item.unit = item.unit or one.given.get(item.path, "")
            taken |= {i.indicator.key: i.indicator for i in one.items if i.indicator}
            by_path = {i.path: i.indicator for i in one.items if i.indicator}
            named = one.plan.facts["indicator"].map({p: by_path.get(spelled(p, self.naming))
                                                     for p in one.plan.facts["indicator"].unique()})
            facts.append(one.plan.facts[named.notna()].assign(item=[i.key for i in named.dropna()],
                                                              kind=[i.kind for i in named.dropna()]))
        more: dict[str, list[str]] = {}
        for one in found:
            _other_names(one, more)
            more |= one.names
        branches = name_branches(pd.concat(facts), more, self.known.branches if self.known else {})
        left_out = {fold(name) for name in branches.ignored}
        for one, own in zip(found, facts, strict=True):
            named = ~own["branch"].map(fold).isin(left_out) & ((own["branch"] != "") | (one.plan.branch == _NOWHERE))
            one.expected = int((own["month"].notna() & named).sum())
            one.clash = "" if one.plan.month.get("year") == UNKNOWN else _clash(
                own[own["month"].notna() & named].assign(revised=own["file"] if _revision(one.files) else ""))
        entries = self._entries(found, branches)
        questions = list(dict.fromkeys([*branches.doubts, *(d for one in found for d in one.doubts),
                                        *(d for one in found for i in one.items for d in i.doubts)]))
        if not any(row["role"] == "branch" for row in branches.rows.values()):
            questions.append(t("drafting.no_branch"))
            branches.rows[ALONE["branch"]] = ALONE
        titles = {table.above[0].strip() for one in found for *_, table in one.tables if table.above}
        title = titles.pop() if len(titles) == 1 else self.root.name or "data"
        root = [f"root: {_yaml(self.where)}" + _comment(t("drafting.root"))] if self.where else []
        head = [f"title: {_yaml(dict.fromkeys(('zh', 'en'), title))}", "catalog: catalog.yaml",
                "branches: branches.csv", *root, *(f"# {reason}" for reason in branches.reasons),
                *(f"# ? {doubt}" for doubt in branches.doubts)]
        return Draft(head, entries, self._catalog(found), branches.rows, questions, self.left_out,
                     {i.path: i.indicator.key for one in found for i in one.items if i.indicator})

    def _entries(self, found: Sequence[Found], branches: Branches) -> list[str]:
        """Return the lines of `files`: an entry for all files that hold the same groups of sheets."""
        classes: dict[tuple[int, ...], list[str]] = {}
        lines = [line for one in found if one.long for file in one.files for line in self._long(one, file, branches)]
        found = [one for one in found if not one.long]
        for file in dict.fromkeys(f for one in found for f in one.files):
            classes.setdefault(tuple(n for n, one in enumerate(found) if file in one.files), []).append(file)
        every = [p.relative_to(self.root).as_posix() for p in islice(self.root.rglob("*"), _LOOK) if p.is_file()
                 and not p.name.startswith(("~$", ".")) and p.name not in OWN]
        for groups, files in classes.items():
            for pattern in _patterns(files, every):
                lines += [f"  - path: {_yaml(pattern)}", *_revision(files), "    sheets:"]
                described = {sheet for n in groups for sheet in found[n].sheets}
                rest = max(groups, key=lambda n: len({s for f, s in found[n].sheets if f in files}))
                if any(sheet[0] in files and sheet not in described for sheet in self.sheets):
                    rest = -1       # others have tables that are not tried out now
                for n in sorted(groups, key=lambda n: n == rest):
                    lines += self._sheets(found[n], files, n == rest, branches)
        return lines

    def _keys(self, one: Found, ignored: dict[str, str]) -> list[str]:
        """Return the lines that say where the keys stand, which names are which indicators, and what is left out."""
        plan, items = one.plan, [i for i in one.items if i.indicator]
        lines = [f"month: {_yaml(plan.month)}", *(f"# ? {doubt}" for doubt in one.doubts),
                 f"branch: {_yaml(plan.branch if plan.branch != _NOWHERE else _ONE)}"]
        by_heading = plan.indicator["from"] == "heading"
        if plan.indicator == _NOWHERE:
            alone = _NOWHERE | {"value": items[0].indicator.key}
            lines.append(f"indicator: {_yaml(alone)}" + _comment(one.items[0].why))
        else:
            lines += [] if by_heading else [f"indicator: {_yaml(plan.indicator)}"]
            lines += [f"value: {_yaml(plan.value)}" + _comment(t("drafting.value"))] if plan.value else []
            lines.append("columns:" if one.long and by_heading else "headings:")
            for item in items:
                more = {name: said for name in ("unit", "cumulative") if (said := getattr(item, name))}
                target = {"indicator": item.indicator.key} | more if more else item.indicator.key
                lines.append(f"  {_yaml(item.path)}: {_yaml(target)}" + _comment(item.why))
                lines += [f"  # ? {doubt}" for doubt in item.doubts]
        if one.long and not by_heading:
            table = one.tables[0][-1]
            lines += [f"unit: {_yaml(name)}" for name in table.keys.values() if table.kinds[name] == "unit"][:1]
        lines += ["ignore:"] if ignored else []
        return lines + [f"  - {_yaml(name)}{_comment(why)}" for name, why in ignored.items()]

    def _long(self, one: Found, file: str, branches: Branches) -> list[str]:
        columns = {fold(text) for text in one.tables[0][-1].grid.texts[0]}
        ignored = self._ignored(one, [file], False, branches)
        head, *more = [*one.long, "layout: long", *self._keys(one, {
            name: why for name, why in ignored.items() if fold(name) in columns})]
        return [f"  - {head}", *(f"    {line}" for line in more)]

    def _sheets(self, one: Found, files: list[str], rest: bool, branches: Branches) -> list[str]:
        """Return the entries of a group of sheets, each by its name, or of all that are left."""
        plan = one.plan
        lines = self._keys(one, self._ignored(one, files, rest, branches))
        heads = plan.facts[plan.facts["month"].notna()].groupby(["file", "sheet"])["indicator"].nunique()
        if heads.min() < len(one.items) and plan.indicator["from"] != "sheet":
            lines.append("missing: allow")
        gaps = [_gaps(table, plan.columns) for *_, table in one.tables]
        if any(filled for filled, _ in gaps):
            lines.append("fill: down")
            sums = list(dict.fromkeys(re.escape(text) for _, texts in gaps for text in texts))
            lines += [f"skip: {_yaml('^(?:' + '|'.join(sums[:5]) + ')$')}"] if sums else []
        entries = []
        for name in ["*"] if rest else list(dict.fromkeys(s for f, s in one.sheets if f in files)):
            optional = not rest and any((f, name) not in one.sheets for f in files)
            entries += [f"      - sheet: {_yaml(name)}", *(
                f"        {line}" for line in [*(["optional: true"] if optional else []), *lines])]
        return entries

    def _ignored(self, one: Found, files: list[str], rest: bool, branches: Branches) -> dict[str, str]:
        """Return what stands in the tables and is no figure's key, and why."""
        plan, facts = one.plan, one.plan.facts
        names = {i.path: i.why for i in one.items if i.indicator is None}
        mine = {fold(b) for b in facts["branch"].unique()}
        names |= {name: why for name, why in branches.ignored.items() if fold(name) in mine}
        for *_, table in one.tables:
            for name in table.keys.values():
                if name not in plan.columns and table.kinds[name] != "unit" and len(name) > 1:
                    names.setdefault(" ".join(name.split()), t(f"drafting.column_{table.kinds[name]}"))
            for c in table.empty:
                text = next(text for r in reversed(table.head) if (text := table.heading(r, c).strip()))
                names.setdefault(spelled(text, self.naming), t("drafting.empty"))
        said = f"column:{plan.month.get('column')}" if plan.month.get("from") == "column" else "heading:month"
        if said in facts and plan.month.get("from") in ("column", "heading"):
            heads = [facts[c] for c in facts if re.fullmatch(r"heading:(\d+|span)", c) and said == "heading:month"]
            texts, dated = facts[said], facts["month"].notna()
            for other in reversed(heads):       # 全年 merged over the rows of quarters and months
                texts = texts.where(texts != "", other)
            names |= {text: t("drafting.no_month") for text in texts[~dated].unique()
                      if text not in {"", *texts[dated]}}
        if plan.value:
            names |= {x: t("drafting.other_value") for x in facts["heading"].unique() if x not in ("", plan.value)}
        if rest:
            names |= {s: t("drafting.no_table") for f, s in self.bare if f in files and s}
        return names

    def _catalog(self, found: Sequence[Found]) -> dict[str, dict[str, str]]:
        items: dict[str, Item] = {}
        for item in (i for one in found for i in one.items if i.indicator):
            items.setdefault(item.indicator.key, item)
        # What is drafted with all units that are printed is read with all of them.
        others = [unit.base for unit in self.units.values() if unit.base]
        units, bases, groups = draft_tables([item.indicator for item in items.values()], [], others)
        units = self.units | units | self.units     # what is printed comes first, and means what it is printed for
        lines = {part: {key: f"  {_yaml(key)}: {_yaml(one.model_dump())}" for key, one in made.items()}
                 for part, made in (("units", units), ("base_units", bases), ("groups", groups))}
        return lines | {"indicators": {
            key: f"  - {_yaml(item.indicator.model_dump(exclude=_NOT_DRAFTED, exclude_defaults=True))}"
            + _comment(item.why) for key, item in items.items()}}


def _other_names(one: Found, more: dict[str, list[str]]) -> None:
    """Add the codes and other names of branches that stand beside their names, one for one."""
    facts, place = one.plan.facts, one.plan.branch
    if place["from"] != "column":
        return
    for column in (c for c in facts if c.startswith("column:") and c != f"column:{place['column']}"):
        pairs = facts[["branch", column]].drop_duplicates()
        pairs = pairs[(pairs["branch"] != "") & (pairs[column] != "") & (pairs["branch"] != pairs[column])]
        texts = pairs[column]
        alike = texts.str.fullmatch(r"\d{1,2}").mean() > .5       # a count of rows
        if len(pairs) > 1 and not pairs["branch"].duplicated().any() and not texts.duplicated().any() and not alike:
            for name, other in zip(pairs["branch"], texts, strict=True):
                more.setdefault(" ".join(name.split()), []).append(other)


def _clash(facts: pd.DataFrame) -> str:
    """Return the question about figures that have month, branch and indicator of others, on a sheet or among files."""
    keys = ["month", "branch", "item"]
    for at, share in _SOME.items():
        twice = facts[facts.groupby([*at, *keys])["number"].transform("nunique") > 1]
        if len(twice) > share * len(facts):
            break
    else:
        return ""
    columns = [c for c in facts if c.startswith("column:") and not twice.duplicated([*at, *keys, c]).any()]
    names = "、".join(c.removeprefix("column:") for c in columns) or "–"
    return t("drafting.clash", n=len(twice), names=names, text=twice["indicator"].iloc[0])


def _gaps(table: Table, used: Collection[object]) -> tuple[bool, list[str]]:
    """Return whether keys stand only beside the first of their rows, and the names of sums in another column, which are
    no such rows."""
    grid, gaps, sums = table.grid, 0, []
    for c in (c for c, name in table.keys.items() if name in used):
        for r in table.body:
            if grid.texts[r][c].strip() or (r, c) in grid.merges:
                continue
            names = [text for k in table.keys if k != c and (
                is_total(text := grid.texts[r][k].strip()) or SUBTOTAL.search(text))]
            sums += names[:1]
            gaps += not names
    return 20 * gaps > len(table.body), sums


def _revision(files: list[str]) -> list[str]:
    """Return the line for files of which some are later versions of others: 2010-03_修订1.xlsx."""
    stems = {Path(file).stem for file in files}
    for stem in sorted(stems):
        found = _LATER.search(stem)
        if found and (stem[: found.start()] + stem[found.end():]).strip() in stems:
            return [f"    revision: {_yaml({'from': 'file', 'pattern': re.escape(found[1]) + _DIGITS})}"]
    return []


def _patterns(files: list[str], every: list[str]) -> list[str]:
    """Return globs that match these files and no other of a folder: of each file the shortest beginning that does."""
    found: dict[str, None] = {}
    for file in files:
        ending, folder = Path(file).suffix, len(file.rpartition("/")[0])
        lengths = range(folder + bool(folder), len(file)) if len(files) > 1 else ()
        start = next((file[:n] for n in lengths if not re.search(r"[*?\[]", file[:n]) and all(
            other in files for other in every if other.startswith(file[:n]) and other.endswith(ending))), None)
        found[re.sub(r"[*?\[]", "?", file) if start is None else f"{start}*{ending}"] = None
    return list(found)
