"""Where the month, the branch and the indicator of every figure stand: what the texts around the figures look like
decides, and that month, branch and indicator together must tell one figure from another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from os.path import commonprefix

import numpy as np
import pandas as pd

from ..sources.months import JANUARY_OR_OCTOBER, Month, month_in_text, year_in_text
from ..sources.units import Naming, is_total
from ..wording import t
from .tables import Table, month_of_year, part_of_year
from .units import words

UNKNOWN = {"from": "constant", "value": "????"}     # where a year stands that nobody wrote down
_NAMED = re.compile(r"(?i)(?:单位|机构|行名|分行|支行|branch|office|institution|entity)[^:：]{0,6}[:：]\s*(.{2,40})$")
_IN_TITLE = re.compile(r"(?:^|[—\-－ 　(（:：])?([\u4e00-\u9fff㐀-䶿]{2,12}?(?:分行|支行|营业部|分理处))")
_FORMATS = [f"{a}{sep}{b}" for a, b in (("%b", "%y"), ("%y", "%b"), ("%B", "%y"), ("%m", "%y"), ("%y", "%m"))
            for sep in ("-", " ", "'", "/", ".", "")]
_FORMATS += [f"{a}{sep}{b}{sep}%Y" for a, b in (("%d", "%m"), ("%m", "%d")) for sep in "/-."]


def _without_months(names: pd.Series) -> pd.Series:
    """Return the part of sheets' or files' names that is neither month nor year nor the same in all of them."""
    bare = {name: re.sub(r"[\s_\-—–.]+$|^[\s_\-—–.]+", "", words("when").sub("", name)) for name in names.unique()}
    bare = {name: "" if words("nothing").match(text) else text for name, text in bare.items()}
    told = {text for text in bare.values() if text}
    called = all(map(words("branch").search, told))
    if len(told) > 1:       # 电子银行（莲湖支行）, 电子银行（碑林支行）
        start, end = map(commonprefix, ([*told], [text[::-1] for text in told]))
        start = len(start if called and start.isalpha() else re.sub(r"[^\W_]+$", "", start))
        end = len(re.sub(r"[^\W\d_]+$", "", end))
        bare = {name: text[start : len(text) - end].strip(" _-—–()（）") or text for name, text in bare.items()}
    if called:              # 莲湖支行电子银行月报
        bare = {name: text[: found.end()] if (found := words("branch").search(text)) else text
                for name, text in bare.items()}
    return names.map(bare)


def _named(texts: Sequence[str]) -> str:
    """Return the branch that a title names; "" if none."""
    for text in texts:
        if (found := _NAMED.search(text.strip())) and not re.search(r"[部处科室]$|元|[笔户]$", found[1].strip()):
            return found[1].strip()
    found = [m for text in texts for m in _IN_TITLE.findall(text)]
    return found[0] if found else ""


def facts_of(found: Iterable[tuple[str, str, int, Table]], naming: Naming) -> pd.DataFrame:
    """Return one row a figure of some tables (file, sheet, number, table): ``file, stem, sheet, table, text, unit`` and
    the texts at every place: ``title``, ``caption``, ``column:...`` and ``heading:...``."""
    rows = []
    for file, sheet, number, table in found:
        stem = file.rpartition("/")[2].rpartition(".")[0] or file
        title = "\n".join(table.above)
        rows += [{"file": file, "stem": stem, "sheet": sheet, "table": number, "title": title} | figure
                 for figure in table.figures_of(naming)]
    return pd.DataFrame(rows).fillna("")


@dataclass
class Plan:
    """One way to read some tables: the place of each key, and what is known of it."""

    branch: dict[str, str]
    indicator: dict[str, str]
    month: dict[str, object]
    facts: pd.DataFrame                 # with the columns `branch`, `month` (numbers, NaN: none) and `indicator`
    score: float = 0.0
    value: str = ""
    alone: float = 1.0                  # share of the figures that no other has the month, branch and indicator of
    doubts: list[str] = field(default_factory=list)
    error: str = ""                     # why the reader does not read it so

    @property
    def columns(self) -> set[object]:
        """The headings of the columns in which keys stand."""
        places = (self.month, self.month.get("year", {}), self.branch, self.indicator)
        return {place["column"] for place in places if "column" in place}


# --- months -----------------------------------------------------------------------------------------------------------

def _map(texts: pd.Series, says: Callable[[str], int | None], lines: bool = False) -> pd.Series:
    """Return what every text says as a number; of its lines, what those say that say something, if they agree."""
    def read(text: str) -> int | None:
        found = {n for line in (text.split("\n") if lines else [text]) if (n := says(line)) is not None}
        return found.pop() if len(found) == 1 else None

    return texts.map({text: read(text) for text in texts.unique()}).astype(float)


def _months(facts: pd.DataFrame, kinds: dict[str, str]) -> tuple[dict[str, object], pd.Series, list[str]]:
    """Return where the month is written, the month of every figure and what is in doubt about it."""
    columns = [c for c in facts if c.startswith("column:") and kinds.get(c) in ("month", "part", "text")]
    inner, outer = [c for c in ("heading:month", *columns) if c in facts], ["caption", "sheet", "stem", "title"]
    full = {c: _map(facts[c], month_in_text, c in outer) for c in [*inner, *outer]}
    whole = {c: months.notna().mean() for c, months in full.items()}
    for c in inner:
        if form := _form_of_numbers(facts[c].unique()):
            return _at(c) | form, _map(facts[c], _reader(form)), []
        if whole[c] > .4:
            return _at(c), full[c], []
        if whole[c] > 0 and (months := _carried(facts, c, full[c])).notna().mean() > .9:
            return _at(c) | {"year": _at(c)}, months, []
    part = {c: _map(facts[c], month_of_year if c in outer else part_of_year, c in outer) for c in full}
    years = {c: _map(facts[c], year_in_text, lines=True)
             for c in [*(c for c in facts if kinds.get(c) == "year" or c == "heading:year"), *outer]}
    folders = _map(facts["file"].map(lambda file: file.split("/")[-2:-1] or [""]).str[0], year_in_text)
    years["stem"] = years["stem"].where(years["stem"].notna(), folders)
    year = next((c for c, found in years.items() if found.notna().mean() > .9), None)

    def with_year(c: str) -> tuple[dict[str, object], pd.Series, list[str]]:
        at, known = (UNKNOWN, 2000) if year is None else (_at(year), years[year])
        return _at(c) | {"year": at}, (known - 1970) * 12 + part[c] - 1, []

    for c in inner:
        if (year is None or full[c].isna().all()) and (form := _format_of(facts[c].unique())):
            return _at(c) | form, _map(facts[c], _reader(form)), []
        if part[c].notna().mean() > .4:
            return with_year(c)
    said = [c for c in outer if whole[c] > .9]
    alone = max((c for c in outer if part[c].notna().mean() > .9), key=lambda c: part[c].nunique(), default=None)
    best = max(said, key=lambda c: (c == "caption", full[c].nunique()), default=None)
    if alone and (best is None or part[alone].nunique() > full[best].nunique()):
        at, months, _ = with_year(alone)    # the date in a title is that of all sheets: of the making, or the last
    elif best:
        at, months = _at(best), full[best]
    else:
        return {}, pd.Series(np.nan, facts.index), []
    others = [c for c in said if c != best and full[c].nunique() >= months.nunique() and (full[c] != months).any()]
    return at, months, [t("drafting.other_month", place=_at(c)["from"]) for c in others]


def _carried(facts: pd.DataFrame, place: str, full: pd.Series) -> pd.Series:
    """Return the months at a place where only the first one of a year bears the year: 2018年1月, 2月, 3月."""
    years = _map(facts[place], year_in_text).groupby([facts["file"], facts["sheet"], facts["table"]]).ffill()
    return full.where(full.notna(), (years - 1970) * 12 + _map(facts[place], part_of_year) - 1)


def _reader(form: dict[str, str]) -> Callable[[str], int | None]:
    return Month(**_at("heading") | form).in_text


def _form_of_numbers(texts: Sequence[str]) -> dict[str, str]:
    """Return what of 2013.1 makes the month that the others leave out: October beside 2013.09, January beside 2013.10;
    {} where it does not occur or both would do."""
    if not any(JANUARY_OR_OCTOBER.fullmatch(text.strip()) for text in texts):
        return {}
    found = []
    for form in ({"format": "%Y.%m"}, {"pattern": r"(?P<year>\d{4})\.(?P<month>\d+)"}):
        months = [m for m in map(_reader(form), texts) if m is not None]
        short = "format" in form and any(re.fullmatch(r"\d{4}\.[2-9]", text.strip()) for text in texts)
        if not short and len(months) > 3 and len({*months}) == len(months) == max(months) - min(months) + 1:
            found.append(form)
    return found[0] if len(found) == 1 else {}


def _format_of(texts: Sequence[str]) -> dict[str, str]:
    """Return the format by which texts that can be read in two ways (Feb-18, 18/02) are months on end; {} if none."""
    for form in _FORMATS:
        months = [m for m in map(_reader({"format": form}), texts) if m is not None]
        several = len(months) > 3 and len({*months}) == len(months) > .4 * len(texts)
        if several and max(months) - min(months) < 1.3 * len(months):
            return {"format": form}
    return {}


def _at(place: str) -> dict[str, object]:
    kind, _, name = place.partition(":")
    kind = {"caption": "row", "stem": "file"}.get(kind, kind)
    return {"from": kind} | ({"column": name} if kind == "column" else {})


# --- branches and indicators ------------------------------------------------------------------------------------------

def plans(facts: pd.DataFrame, kinds: dict[str, str], naming: Naming) -> list[Plan]:
    """Return the likely ways to read some figures, the likeliest first."""
    month, months, doubts = _months(facts, kinds)
    facts = facts.assign(month=months)
    used = {f"column:{p['column']}" for p in (month, month.get("year", {})) if "column" in p}
    printed = facts["text"].str.replace(r"[,，\s]", "", regex=True).str.extract(r"(-?\d*\.?\d+)")[0]
    facts = facts.assign(number=pd.to_numeric(printed, errors="coerce"))
    facts["size"] = np.log10(facts["number"].abs().where(facts["number"] != 0))
    inside = facts[facts["month"].notna()] if facts["month"].notna().any() else facts
    texts = {c: facts[c] for c in facts
             if c.startswith("column:") and kinds.get(c) in ("text", "code") and c not in used}
    texts |= {c: facts[c] for c in sorted(facts) if re.fullmatch(r"heading:\d+", c)}
    dated = _map(facts["caption"], lambda text: month_in_text(text) or part_of_year(text) or year_in_text(text))
    texts["caption"] = facts["caption"].where(dated.isna(), "")
    texts |= {"sheet": _without_months(facts["sheet"]), "file": _without_months(facts["stem"])}
    texts["title"] = facts["title"].map({t: _named(t.split("\n")) for t in facts["title"].unique()})
    said = {c: (s.loc[inside.index] != "").mean() for c, s in texts.items()}
    texts = {c: s for c, s in texts.items() if said[c] > (0 if c.startswith("heading") else .5)}
    liking = {c: _liking(c, s.loc[inside.index], inside, naming) for c, s in texts.items()}
    likely = [b for b in sorted(texts, key=lambda c: -liking[c])
              if (texts[b].nunique() > 1 or liking[b] > 1) and liking[b] > -2.5]
    found = [plan for b in [*likely, ""] for plan in _with_branch(b, texts, liking, facts, inside)]
    for plan in found:
        plan.month, plan.doubts = month, doubts
    return sorted(found, key=lambda p: -p.score)


def _liking(place: str, texts: pd.Series, facts: pd.DataFrame, naming: Naming) -> float:
    """How much the texts at a place look like branches (above 0) or like indicators (below)."""
    names = [t for t in texts.unique() if t]
    kind, _, heading = place.partition(":")
    named = [t for t in names if words("branch").search(t)]
    measured = [t for t in names if words("indicator").search(t) and t not in named]
    counted = [t for t in names if naming.split(t)[1]]
    liking = 2 * (len(named) - len(measured) - len(counted)) / max(1, len(names))
    liking += any(is_total(t) and len(t) < 20 for t in names)
    if kind == "column":
        liking += 2 * bool(words("branch_heading").search(heading)) - 2 * bool(words("item_heading").search(heading))
    units = facts.assign(p=texts)[["p", "unit"]].drop_duplicates()
    if units["unit"].nunique() > 1:
        liking += .7 if units["p"].duplicated().any() else -.7
    sizes = facts["size"]
    if sizes.notna().sum() > 3 and sizes.var() > 0:
        liking -= 1.5 * float(sizes.groupby(texts).transform("mean").var() / sizes.var())
    return liking + {"column": .3, "heading": .2, "caption": .1, "sheet": 0, "file": -.1, "title": -.3}[kind]


def _with_branch(b: str, texts: dict[str, pd.Series], liking: dict[str, float], facts: pd.DataFrame,
                 inside: pd.DataFrame) -> list[Plan]:
    """Return the ways to read some figures with the branch at one place, an indicator's name at any of the others."""
    levels = [c for c in texts if c.startswith("heading:") and c != b]
    heads = _joined([texts[c] for c in levels], facts.index)
    measure = _measure(heads.loc[inside.index]) if levels else ""
    above = ("caption",) if "caption" in texts and b != "caption" else ()
    others = [(*above, c) for c in texts if c.startswith("column:") and c != b] + [
        (c,) for c in ("caption", "sheet", "file", "title") if c in texts and c != b and texts[c].nunique() > 1]
    options = [(tuple(levels), "")] if levels else []
    options += [(path, measure) for path in others if measure or not levels]
    branch, found = texts[b] if b else pd.Series("", facts.index), []
    for places, value in options or [((), "")]:
        chosen = inside[heads.loc[inside.index] == value] if value else inside
        indicator = _joined([texts[c] for c in places], facts.index)
        keys = pd.DataFrame({"m": chosen["month"], "b": branch, "i": indicator}).loc[chosen.index]
        alone = 1 - keys.duplicated(keep=False).mean()
        last = places[-1] if places else ""
        if not places:
            indicator = facts["stem"].map({stem: _only_name(one) for stem, one in facts.groupby("stem")})
        score = 6 * alone + (liking[b] if b else -1) - (liking[last] if last else 0) - (.5 if value else 0)
        if b and keys["b"].nunique() > 1 and indicator.loc[chosen.index].nunique() > 1:
            # Every branch has the same indicators, but for a few.
            pairs, wide = keys[["b", "i"]].drop_duplicates(), keys["b"].nunique() * keys["i"].nunique()
            score += 2 * len(pairs) / wide
        data = facts.assign(branch=branch, indicator=indicator)
        if value:
            data["month"], data["heading"] = data["month"].where(heads == value), heads
        at = [_at(place) if place else {"from": "constant"} for place in (b, last)]
        found.append(Plan(*at, {}, data, score, value, alone))
    return found


def _joined(path: list[pd.Series], index: pd.Index) -> pd.Series:
    joined = path[0] if path else pd.Series("", index)
    for more in path[1:]:
        joined = joined.where(more == "", joined.where(joined == "", joined + "/") + more)
    return joined


def _only_name(facts: pd.DataFrame) -> str:
    """Return what a table without any name of an indicator seems to be about: its sheet, its title or its file."""
    lines = [facts["sheet"].iloc[0], *facts["title"].iloc[0].split("\n"), facts["stem"].iloc[0]]
    said = next((line for line in lines if words("indicator").search(line)), facts["stem"].iloc[0])
    return words("table").sub("", said) or said


def _measure(heads: pd.Series) -> str:
    """Return the heading of the figures to take, of several such as 本月 and 本年累计; "" where they are no such."""
    names = [t for t in heads.unique() if t]
    lasts = {name: name.rpartition("/")[2] for name in names}
    if len(names) != 1 and (not names or not all(map(words("measure").search, lasts.values()))):
        return ""
    return next((name for name, last in lasts.items() if words("of_the_month").search(last)), names[0])
