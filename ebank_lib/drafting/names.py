"""The branches and the indicators of a draft: names that are one folded, sums recognised, units, kinds and year-to-date
columns guessed; each guess with its reason, each doubt as a question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..catalog import Branch, Indicator, fold
from ..guessing import branch_id, draft_indicator, printed_unit, unit_named
from ..sources.units import SUBTOTAL, Naming, is_total
from ..wording import language, t
from .units import ONES, unit_behind, words

_NUMBERED = re.compile(r"^\s*(\d{2,12}|\d(?=\s*[-_—.、:：]))\s*[-_—.、:： ]*\s*(?=\D{2})")
_MARKS = re.compile(r"[*＊※†‡§①-⑳¹²³]|注\s*\d{1,2}$")
_BETWEEN = {"zh": "；", "en": "; "}      # reasons
_LONGEST = 200        # signs of a name
_MONEY = {"元", "卢比", "美元"}
_NEAR = 0.12          # log10 of a step between two months that one branch could make
_STEPS = 0.9          # of the months and the Januaries that look like those of a sum from January on


# --- branches ---------------------------------------------------------------------------------------------------------

@dataclass
class Branches:
    """The rows of ``branches.csv`` by their ids, the names that are no branches' and what is in doubt."""

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)      # name -> reason
    doubts: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)          # what of a name tells it from others -> id


def _core(name: str) -> str:
    core = words("bank").sub("", _NUMBERED.sub("", _MARKS.sub("", name.strip())))
    return fold(words("branch_ending").sub("", core) or core).casefold()


def name_branches(facts: pd.DataFrame, more: Mapping[str, list[str]], known: Mapping[str, Branch]) -> Branches:
    """Return the branches of some figures (``file, sheet, table, month, branch, item, kind, number``); `more` are other
    names of them (codes, names in another language) by the printed one; those `known` keep their ids."""
    found = Branches()
    for b in known.values():
        found.rows[b.id] = b.row
        found.ids |= {_core(name): b.id for name in (b.zh, b.en, *b.aliases)}
        found.ids |= {"total": b.id} if b.role == "total" else {}
    facts = facts[facts["month"].notna() & (facts["branch"] != "")]
    names = {name: fold(name) for name in facts["branch"].unique()}
    facts = facts.assign(name=facts["branch"].map(names))
    spelled: dict[str, list[str]] = {}
    for name, folded in names.items():
        spelled.setdefault(folded, []).append(" ".join(name.split()))
    sums = _sums(facts, spelled)
    for n, forms in spelled.items():
        if sums.get(n, "total") != "total":
            found.ignored |= dict.fromkeys(forms, sums[n])
    tables = facts.groupby("name")[["file", "sheet", "table"]].apply(lambda d: {*d.itertuples(index=False, name=None)})
    groups: list[list[str]] = []
    for n in (n for n in spelled if n not in sums):
        like = next((g for g in groups if _core(spelled[g[0]][0]) == _core(spelled[n][0])
                     and all(not tables[n] & tables[m] for m in g)), None)
        groups.append([n]) if like is None else like.append(n)
    groups = _renamed(facts, spelled, groups, found)
    for group in groups:
        forms = list(dict.fromkeys(form for n in group for form in spelled[n]))
        main = max(forms, key=lambda form: (bool(words("branch").search(form)), not _NUMBERED.match(form)))
        _add(found, main, forms, more, "branch")
        if len({fold(form) for form in forms}) > 1 and len({_core(form) for form in forms}) == 1:
            found.reasons.append(t("drafting.folded", names=" = ".join(forms)))
    if forms := [form for n in spelled if sums.get(n) == "total" for form in spelled[n]]:
        _add(found, forms[0], forms, more, "total")
        found.reasons.append(t("drafting.total", names="、".join(forms)))
    return found


def _add(found: Branches, main: str, forms: list[str], more: Mapping[str, list[str]], role: str) -> None:
    """Add a row for a branch, or new names to that of one which is known."""
    bare = [_NUMBERED.sub("", _MARKS.sub("", form)).strip() or form for form in (main, *forms)]     # 6101 莲湖支行*
    codes = [m[1] for form in forms if (m := _NUMBERED.match(form)) and len(m[1]) > 2]      # 01 is a count
    names = [name for name in dict.fromkeys([*bare, *forms, *codes, *(o for form in forms for o in more.get(form, []))])
             if ";" not in name and len(name) <= _LONGEST]
    own = role if role == "total" else _core(bare[0])
    before = found.rows.get(found.ids.get(own))
    if before is not None:
        known = [before["branch"], before["zh"], before["en"], *filter(None, before["aliases"].split(";"))]
        before["aliases"] = ";".join([*known[3:], *(name for name in names if fold(name) not in map(fold, known))])
        return
    zh = next((name for name in names if not name.isdecimal()), names[0])
    en = next((name for name in names if name.isascii() and re.search("[A-Za-z]{2}", name)), zh)
    key = role if role == "total" else branch_id([zh, *(name for name in names if name != zh)], found.rows)
    aliases = ";".join(name for name in names if name not in (key, zh, en))
    found.rows[key] = {"branch": key, "zh": zh, "en": en, "role": role, "aliases": aliases}
    found.ids[own] = key


def _sums(facts: pd.DataFrame, spelled: Mapping[str, list[str]]) -> dict[str, str]:
    said = {}
    for n, forms in spelled.items():
        if words("part").search(forms[0]):
            said[n] = t("drafting.of_which")
        elif SUBTOTAL.search(forms[0]):
            said[n] = t("drafting.subtotal")
        elif is_total(forms[0]):
            said[n] = "total"
    adding = facts[facts["kind"] != "ratio"]
    wide = adding.pivot_table(index=["item", "month"], columns="name", values="number", aggfunc="first", sort=False)
    wide = wide[[n for n in spelled if n in wide]]
    order = list(wide)
    for n in [n for n in order if n not in said]:
        place, others = order.index(n), [m for m in order if m != n and m not in said]
        sides = order[place + 1 :], order[:place][::-1]
        runs = [side[:k] for side in sides for k in range(2, min(len(side), 12) + 1)]
        parts = next((run for run in (others, *runs) if _adds_up(wide[n], wide[run])), None)
        if parts is not None:
            names = "、".join(spelled[m][0] for m in parts)
            said[n] = "total" if parts is others else t("drafting.adds_up", names=names)
    areas = [n for n, why in said.items() if why == "total" and n in wide]
    for n in areas:
        # Beside a larger sum a sum is one of some branches.
        larger = wide[areas].max(axis=1)[wide[areas].notna().sum(axis=1) > 1]
        if (wide[n].reindex(larger.index) < 0.98 * larger).mean() > .5:
            said[n] = t("drafting.subtotal")
    return said


def _adds_up(total: pd.Series, parts: pd.DataFrame) -> bool:
    both = total.notna() & (parts.notna().sum(axis=1) >= 2) & (total != 0)
    near = (total - parts.sum(axis=1)).abs() <= 2e-3 * total.abs()
    return both.sum() >= 3 and float(near[both].mean()) > .8


def _renamed(facts: pd.DataFrame, spelled: Mapping[str, list[str]], groups: list[list[str]], found: Branches
             ) -> list[list[str]]:
    """Take together branches of which one begins where the other ends, at its level."""
    stock = facts[facts["kind"] == "stock"]
    spans = [(set(facts.loc[facts["name"].isin(g), "month"]), g) for g in groups]
    joined: list[list[str]] = []
    for months, group in sorted(spans, key=lambda pair: min(pair[0])):
        before = [g for g in joined if facts.loc[facts["name"].isin(g), "month"].max() + 1 == min(months)]
        near = [g for g in before if _goes_on(stock, g, group, min(months))]
        if len(near) == 1 and len(before) == 1:
            month = pd.Period(ordinal=int(min(months)), freq="M")
            names = {"before": spelled[near[0][-1]][0], "name": spelled[group[0]][0]}
            found.doubts.append(t("drafting.renamed", month=month, **names))
            near[0].extend(group)
        else:
            joined.append(list(group))
    order = [g[0] for g in groups]
    return sorted(joined, key=lambda g: order.index(g[0]))


def _goes_on(stock: pd.DataFrame, before: list[str], after: list[str], month: float) -> bool:
    last = stock[stock["name"].isin(before) & (stock["month"] == month - 1)].groupby("item")["number"].first()
    first = stock[stock["name"].isin(after) & (stock["month"] == month)].groupby("item")["number"].first()
    step = np.log10(first[first > 0] / last[last > 0]).dropna().abs()
    return len(step) > 0 and bool((step < _NEAR).all())


# --- indicators -------------------------------------------------------------------------------------------------------

@dataclass
class Item:
    """An indicator as it is printed in one way: its path, the indicator or None (left out), the unit to give where none
    is printed, "year" for sums from January on, and why."""

    path: str
    indicator: Indicator | None
    unit: str = ""
    printed: str = ""
    cumulative: str = ""
    why: str = ""
    doubts: list[str] = field(default_factory=list)


def spelled(path: str, naming: Naming) -> str:
    """Return a path of headings as the YAML spells it: without units and line breaks."""
    bare = " ".join(_MARKS.sub("", naming.split(path)[0]).split()) or " ".join(path.split())
    return re.sub(r"(?<=[一-鿿]) (?=[一-鿿])", "", bare)


def _printed(facts: pd.DataFrame, naming: Naming, name: str, alone: bool) -> tuple[str, str]:
    """Return the unit in which the figures of an indicator are printed ("" where none is seen), and the name with what
    the sheet or the title above says of it where it says little itself. The one unit above an indicator that is `alone`
    in its tables is its own, whatever its name says."""
    lines = [*facts["sheet"].unique(), *(x for title in facts["title"].unique() for x in title.split("\n")[::-1])]
    says = bool(words("indicator").search(name))
    above = "" if says else next((x for x in lines if words("indicator").search(x) and fold(x) != fold(name)), "")
    above = words("table").sub("", spelled(above, naming)).replace("/", " ")
    whole = f"{above}/{name}" if above else name
    own = [u for u in facts["unit"].unique() if u]
    own = own or [u for path in facts["indicator"].unique() if (u := naming.split(path)[1])]
    own = own or [u for x in facts["text"].head(50) if (u := unit_behind(x))]
    if own:
        return naming.unit(own[0]) or own[0], whole
    beside = list(dict.fromkeys(u for line in lines for u in naming.line([line])[0]))
    base = draft_indicator(whole)[0].unit
    bases = _MONEY if base in _MONEY else {base}      # that it is income does not say of which country
    fitting = [u for u in beside if (found := unit_named(u, base)) is not None and found.base in bases]
    own = len(beside) == 1 and (alone or not says or base == "1")
    return fitting[0] if fitting else beside[0] if own else "", whole


def name_indicators(facts: pd.DataFrame, naming: Naming, taken: Mapping[str, Indicator], own: str,
                    figures: dict[str, pd.DataFrame]) -> list[Item]:
    """Return the items of one group of sheets (``month, branch, indicator, number, unit, text, title``). `taken` are
    the indicators of other groups and `figures` what they print (this group's are added): what prints other figures of
    the same months is another indicator, with `own` before its name."""
    found: list[Item] = []
    facts = facts[facts["month"].notna()]
    paths = [path for path in facts["indicator"].unique() if 0 < len(path) <= _LONGEST]
    bases = {p: words("month_alone").sub("", words("cumulative").sub("", spelled(p, naming))) for p in paths}
    bases = {p: fold(base).strip("/-_,，、") for p, base in bases.items()}
    titled = " ".join(facts["title"].unique())
    alone = facts.groupby(["file", "sheet", "table"])["indicator"].nunique().max() == 1
    for p in paths:
        path, mine = spelled(p, naming), facts[facts["indicator"] == p]
        if any(item.path == path for item in found):
            continue
        summed = bool(words("cumulative").search(path))
        twins = [o for o in paths if o != p and bases[o] == bases[p] and not words("cumulative").search(o)]
        if summed and twins:
            found.append(Item(path, None, why=t("drafting.both_printed", name=spelled(twins[0], naming))))
            continue
        leaf, derived = path.rpartition("/")[2], words("derived").search
        others = [spelled(o, naming) for o in paths if o != p]
        if others and (derived(leaf) or (derived(path) and any(
                other.endswith(f"/{leaf}") and not derived(other) for other in others))):
            found.append(Item(path, None, why=t("drafting.derived")))
            continue
        unit, name = _printed(mine, naming, path, alone)
        runs = mine.drop_duplicates(["branch", "month"]).sort_values("month", kind="stable")
        longest = runs.loc[runs["branch"] == runs.groupby("branch", sort=False).size().idxmax(), "number"]
        indicator, why = _drafted(words("cumulative").sub("", name).strip(" ,，、/") or name, longest, unit)
        if indicator.unit == "1" and indicator.kind != "ratio":
            indicator = indicator.model_copy(update={"unit": ONES})
        item = Item(path, indicator, "" if unit else printed_unit(indicator, longest), unit,
                    why=_BETWEEN[language()].join(why))
        if indicator.kind != "ratio":
            _year_to_date(item, runs, summed, bool(words("cumulative").search(titled)))
        key, other = item.indicator.key, taken.get(item.indicator.key)
        unit = unit_named(unit, item.indicator.unit) if unit else None
        mine = mine.assign(number=mine["number"] * (unit.factor if unit else 1))
        if (other is not None and other.unit != item.indicator.unit) or (
                key in figures and _differs(figures[key], mine)):
            key = next(k for n in range(2, 1000) if (k := f"{key[:55]}_{n}") not in figures and k not in taken)
        if key != item.indicator.key or item.indicator.zh in {one.zh for k, one in taken.items() if k != key}:
            label = " ".join(filter(None, (own, path)))
            item.indicator = item.indicator.model_copy(update={"key": key, "zh": label, "en": label, "short": None})
        figures[key] = pd.concat([figures[key], mine]) if key in figures else mine
        found.append(item)
    return found


def _differs(before: pd.DataFrame, mine: pd.DataFrame) -> bool:
    pair = [one.assign(b=one["branch"].map(_core)).groupby(["b", "month"])["number"].first() for one in (before, mine)]
    both = pd.concat(pair, axis=1, keys=["a", "b"], join="inner").dropna()
    return len(both) > 2 and bool(((both["a"] - both["b"]).abs() > 1e-3 * both["a"].abs()).mean() > .2)


def _drafted(name: str, values: pd.Series, unit: str) -> tuple[Indicator, list[str]]:
    """Return an indicator drafted from a path, or from its levels as one name (个人网银净新增) where that is known."""
    joined = name.replace("/", " " if name.isascii() else "")
    drafted = [draft_indicator(one, values, unit) for one in dict.fromkeys((name, joined))]
    return next(((i, why) for i, why in drafted if why[0] == t("guessing.known", name=i.label())), drafted[0])


def _year_to_date(item: Item, facts: pd.DataFrame, said: bool, titled: bool) -> None:
    """Say whether a column is a sum from January on: by its name, its title and how it runs."""
    wide = facts.pivot_table(index="month", columns="branch", values="number", aggfunc="first", dropna=False)
    wide = wide.reindex(np.arange(wide.index.min(), wide.index.max() + 1))
    before, january = wide.shift(), (wide.index % 12 == 0)[:, None]
    known = (wide - before).notna().to_numpy()
    runs = (wide >= before).to_numpy()[known & ~january]
    falls = (wide < .6 * before).to_numpy()[known & january]
    rises = len(runs) >= 6 and np.mean(runs) > _STEPS
    starts = len(falls) > 0 and np.mean(falls) > _STEPS
    never = len(falls) > 0 and np.mean(falls) < .1
    if said and never:
        item.indicator = item.indicator.model_copy(update={"kind": "stock"})
        item.doubts.append(t("drafting.never_anew", name=item.path))
    elif said or (rises and starts):
        item.cumulative = "year"
        item.indicator = item.indicator.model_copy(update={"kind": "flow"})
        item.why += _BETWEEN[language()] + t("drafting.year_to_date")
        if not said and not titled:
            item.doubts.append(t("drafting.looks_cumulative", name=item.path))
