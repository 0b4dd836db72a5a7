"""What the brief says: recorded tables read as sentences, whose numbers know their cells.

Where things stand, what to do, how sure that is. What the tables do not tell is not said; a sentence that a notebook
states already (``state``) is taken from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..scenarios.odds import hardest_of, said_odds
from ..wording import Ref, Text, cell, cite, goal_text, join, listed, month_name, percent, t
from .content import Content
from .summary import OPEN, STILL, goal_of, value_text

YEAR = 12
EVEN = 0.5
NAMED = 3           # no more branches, targets or doubtful numbers are named in one sentence


class Facts:
    """The recorded tables as rows, the names of what they speak of, and how their figures are said."""

    def __init__(self, content: Content, about):
        self.lang, self.names, self.main = about.lang, about.names, about.indicator
        self._tables = {table["name"]: [dict(zip([c["name"] for c in table["columns"]], row, strict=True))
                                        for row in table["rows"]] for table in content.tables}
        standing = {row["indicator"]: row for row in self["standing"]}
        self.lines = content.state
        self.standing = [standing[key] for key in dict.fromkeys([self.main, *self.names.get("headline", ())])
                         if key in standing]
        self.targets = sorted((row for row in self["targets"] if row["current"] is not None),
                              key=lambda row: row["p_at"] is None)
        self.open = [row for row in self.targets if row["verdict"] in OPEN and row["p_at"] is not None]
        self.unlikely = [row for row in self.open if row["p_at"] < EVEN]

    def __getitem__(self, table: str) -> list[dict[str, Any]]:
        return self._tables.get(table, [])

    def say(self, key: str, **values: object) -> Text:
        return t(f"brief.{key}", self.lang, **values)

    def stated(self, name: str) -> Iterable[Text]:
        """Yield what a notebook said as its line of that name, without its full stop."""
        for line in self.lines:
            if line.name == name:
                yield Text(line.text.rstrip("。. "), [(start, end, tuple(
                    Ref(one["table"], one["column"], tuple(one["rows"].items())) for one in refs))
                    for start, end, refs in line.refs])

    def month(self, month: str | pd.Period) -> str:
        return month_name(pd.Period(month, "M"), self.lang)

    def name(self, what: str, key: str) -> str:
        return self.names.get(what, {}).get(key, key)

    def indicator(self, key: str) -> dict[str, Any]:
        return self.names["indicators"][key]

    def label(self, key: str, short: bool = False) -> str:
        return self.indicator(key)["short" if short else "label"]

    def value(self, key: str, value: float | None, *refs, kind: str = "level") -> Text:
        """A figure of an indicator, or of a target of some kind, as it is said everywhere."""
        if kind == "rank":
            return cite(t("scenarios.place", self.lang, n=f"{value:.0f}"), *refs)
        if kind in ("growth", "share"):
            return cite(percent(value, sign=kind == "growth"), *refs)
        return cite(value_text(self.said(key), value, self.lang), *refs)

    def said(self, key: str, bare: bool = False) -> dict[str, Any]:
        """An indicator as its values are said; the unit that its name says already is not said again."""
        about = self.indicator(key)
        named = self.lang == "en" and about["unit"] and about["unit"] in about["label"]
        return {**about, "unit": {self.lang: "" if bare or named else about["unit"]}}

    def change(self, key: str, change: float, *refs, sign: bool = False) -> Text:
        """A growth rate, or the points of a ratio."""
        if self.indicator(key)["kind"] == "ratio":
            return self.say("points", n=cite(f"{100 * change:{'+' if sign else ''}.1f}", *refs))
        return cite(percent(change, sign=sign), *refs)

    def gap(self, row: Mapping[str, Any], value: float, *refs) -> Text:
        """What is missing to a target's goal."""
        goal, kind = goal_of(row), row["kind"]
        if kind == "rank":
            return cite(t("scenarios.places", self.lang, n=f"{value - goal:.0f}"), *refs)
        if kind in ("growth", "share") or self.indicator(row["indicator"])["kind"] == "ratio":
            return self.say("points", n=cite(f"{100 * (goal - value):.1f}", *refs))
        return self.value(row["indicator"], goal - value, *refs)

    def goal_ref(self, row: Mapping[str, Any]):
        return cell("targets", "reached_from" if row["goal"] is None else "goal", target=row["target"])

    def odds(self, row: Mapping[str, Any]) -> str:
        return said_odds(row["p_at"], row["n"], self.lang).replace(" ", "\u00a0")

    def ahead(self, key: str, month: str | None = None) -> tuple[dict[str, Any], str, dict[str, Any]] | None:
        """Return what is forecast of an indicator for a month (else a year on, else the last): the row, its table and
        what picks it there."""
        for table, picks in (("forecast", {"model": "combination"}), ("outlook", {"indicator": key}),
                             ("province_forecast", {"indicator": key})):
            if table == "forecast" and key != self.main:
                continue
            rows = [row for row in self[table] if row.get("y_hat") is not None
                    and all(row[name] == value for name, value in picks.items())]
            found = [row for row in rows if (row["month"] == month if month else row["horizon"] <= YEAR)]
            if found:
                return found[-1], table, picks | {"month": found[-1]["month"]}
        return None

    def ahead_values(self, key: str, row: Mapping[str, Any], table: str, picks: Mapping[str, Any]) -> dict[str, Text]:
        return {name: cite(value_text(self.said(key, name == "lo"), row[column], self.lang),
                           cell(table, column, **picks))
                for name, column in (("y", "y_hat"), ("lo", "lo-80"), ("hi", "hi-80"))}

    def ranked_targets(self) -> list[dict[str, Any]]:
        """Return the targets, the hardest first, as the index calls them, those without odds last."""
        left, ranked = list(self.open), []
        while left:
            ranked.append(left.pop(hardest_of([row["p_at"] for row in left], [row["ratio"] for row in left])))
        return ranked + [row for row in self.targets if row not in ranked]

    def listed(self, parts: Iterable[str]) -> Text:
        return listed(parts, self.lang)


def goal_said(facts: Facts, row: Mapping[str, Any]) -> Text:
    said = cite(goal_text(facts.value(row["indicator"], goal_of(row), kind=row["kind"])), facts.goal_ref(row))
    return facts.say("above", value=said) if row["kind"] == "raise" else said


def standing_cell(row: Mapping[str, Any], column: str):
    return cell("standing", column, indicator=row["indicator"])


# ---------------------------------------------------------------- where we stand

def stand(facts: Facts) -> Iterable[Text]:
    if facts.standing:
        first, *others = facts.standing
        yield _now(facts, first, "now", "rank_first")
        if ahead := _ahead(facts, first):
            yield ahead
        if others:
            yield facts.say("others", list=join([_now(facts, row, "now_also", "rank") for row in others[:NAMED]],
                                              facts.say("semicolon")))
    yield from facts.stated("contributions")
    if facts.open:
        yield _reached(facts)
        row = facts.ranked_targets()[0]
        if row["p_at"] < EVEN and row["trend_at_deadline"] is not None:
            picks, key, kind = {"target": row["target"]}, row["indicator"], row["kind"]
            then = cell("targets", "trend_at_deadline", **picks)
            yield facts.say("hardest", target=facts.name("targets", row["target"]), month=facts.month(row["deadline"]),
                          now=facts.value(key, row["current"], cell("targets", "current", **picks), kind=kind),
                          then=facts.value(key, row["trend_at_deadline"], then, kind=kind),
                          goal=goal_said(facts, row),
                          gap=facts.gap(row, row["trend_at_deadline"], facts.goal_ref(row), then))
        for slow in [row for row in facts.unlikely if row["verdict"] == "slowing"][:1]:
            yield facts.say("slower", target=facts.name("targets", slow["target"]))


def _now(facts: Facts, row: Mapping[str, Any], opening: str, place: str) -> Text:
    """An indicator's month, the change on the year, and its place among the branches."""
    key, ratio = row["indicator"], "ratio_" if row["kind"] == "ratio" else ""
    also = opening == "now_also"
    parts = [facts.say(opening, month=facts.month(row["month"]), indicator=facts.label(key),
                     y=facts.value(key, row["y"], standing_cell(row, "y")))]
    if row["yoy"] is not None:
        parts.append(facts.say("flat") if abs(row["yoy"]) < STILL else facts.say(
            ratio + ("up" if row["yoy"] > 0 else "down"),
            change=facts.change(key, abs(row["yoy"]), standing_cell(row, "yoy"))))
    if row["rank"] is not None and row["n"] > 1:
        parts.append(facts.say(ratio + place, n=cite(row["n"], standing_cell(row, "n")),
                             rank=cite(f"{row['rank']:.0f}", standing_cell(row, "rank"))))
        if not also and row["whole"] is not None:
            whole = cite(percent(row["whole"], sign=not ratio), standing_cell(row, "whole"))
            parts.append(facts.say("whole", value=whole))
    elif row["rank"] is None and row["n"] > 1 and not also:
        parts.append(facts.say("ends", **{name: facts.name("branches", row[name]) for name in ("first", "last")}, **{
            f"{name}_value": cite(percent(row[f"{name}_value"], sign=not ratio), standing_cell(row, f"{name}_value"))
            for name in ("first", "last")}))
    return join(parts)


def _ahead(facts: Facts, row: Mapping[str, Any]) -> Text | None:
    """What is expected of the first indicator, and whether it goes on as fast."""
    key = row["indicator"]
    found = facts.ahead(key)
    if found is None:
        return None
    ahead, table, picks = found
    said = facts.say("ahead", month=facts.month(ahead["month"]), **facts.ahead_values(key, *found))
    if row["kind"] == "ratio" or row["yoy"] is None or row["y"] <= 0 or (
            pd.Period(ahead["month"], "M") - pd.Period(row["month"], "M")).n != YEAR:
        return said
    growth = ahead["y_hat"] / row["y"] - 1
    if abs(growth - row["yoy"]) < STILL:
        return said
    how = "down" if growth < 0 else "up" if row["yoy"] < 0 else "slower" if growth < row["yoy"] else "faster"
    by = cite(percent(abs(growth)), cell(table, "y_hat", **picks), standing_cell(row, "y"))
    return said + facts.say(f"ahead_{how}", growth=by, yoy=cite(percent(abs(row["yoy"])), standing_cell(row, "yoy")))


def _reached(facts: Facts) -> Text:
    n = cite(len(facts.targets), cell("targets", current="!="))
    likely = [row for row in facts.targets
              if row not in facts.unlikely and (row in facts.open or row["verdict"] == "reached")]
    if not likely:
        return facts.say("targets_none", n=n)
    if len(likely) == len(facts.targets):
        return facts.say("targets_all", n=n)
    odds = [cell("targets", "p_at", target=row["target"]) for row in likely]
    return facts.say("targets_some", n=n, k=cite(len(likely), *odds), list=facts.listed(
        facts.say("target", target=facts.name("targets", row["target"])) for row in likely))


# ---------------------------------------------------------------- what to do

def act(facts: Facts) -> Iterable[Text]:
    if facts["carriers"]:
        yield from facts.stated("carriers")
        yield from _slowest(facts)
        yield facts.say("each_branch")
    elif not facts.open:
        yield facts.say("no_targets") if not facts.targets else facts.say("keep")
    elif not facts.unlikely:
        yield facts.say("keep")
    else:
        yield from _measures(facts)


def _measures(facts: Facts) -> Iterable[Text]:
    """Which measure closes which gap: first where it does, then where it does not, then what all together would do."""
    best = {row["target"]: _best(facts, row["target"]) for row in facts.unlikely}
    ranked = [row for row in reversed(facts.ranked_targets()) if row["target"] in best]     # the nearest first
    does = [row for row in ranked if (best[row["target"]] or row)["p_at"] >= EVEN]
    helps = [row for row in ranked if row not in does and best[row["target"]]]
    for row in does:
        lever, goal = best[row["target"]], facts.goal_ref(row)
        base = cell("targets", "trend_at_deadline", target=row["target"])
        yield facts.say("does", **_lever_said(facts, row, lever), goal=goal_said(facts, row),
                      gap=facts.gap(row, row["trend_at_deadline"], goal, base))
    for row in (does or helps)[:1]:
        yield from _effect(facts, row, best[row["target"]]["scenario"])
    if helps:
        one = facts.say("helps_one") if len(helps) == 1 else facts.say("helps_rest", n=cite(len(helps), *(
            cell("targets", "p_at", target=row["target"]) for row in helps)))
        yield facts.say("helps", one=one, list=join([facts.say("helped", **_lever_said(
            facts, row, best[row["target"]])) for row in helps], facts.say("semicolon")))
    if nothing := [row for row in ranked if best[row["target"]] is None]:
        yield facts.say("nothing_helps", list=facts.listed(
            facts.say("target", target=facts.name("targets", row["target"])) for row in nothing[:NAMED]))
    yield from _together(facts, [row for row in ranked if row not in does], helps)


def _best(facts: Facts, target: str) -> dict[str, Any] | None:
    """Return the measure that does most for a target, if any is visible beyond the error of counting."""
    rows = [row for row in facts["scenarios"] if row["target"] == target and row["p_at"] is not None]
    base = next((row for row in rows if row["kind"] == "baseline"), None)
    rows = [row for row in rows if row["kind"] == "lever" and base and row["median"] != base["median"]]
    return max(rows, key=lambda row: (row["p_at"], abs(row["median"] - base["median"])), default=None)


def _lever_said(facts: Facts, row: Mapping[str, Any], lever: Mapping[str, Any]) -> dict[str, object]:
    key, kind, target = row["indicator"], row["kind"], row["target"]
    picks = {"scenario": lever["scenario"], "target": target}
    return {"target": facts.name("targets", target), "lever": facts.name("levers", lever["scenario"]),
            "month": facts.month(row["deadline"]),
            "before": facts.value(key, row["trend_at_deadline"], cell("targets", "trend_at_deadline", target=target),
                                  kind=kind),
            "after": facts.value(key, lever["median"], cell("scenarios", "median", **picks), kind=kind),
            "p0": cite(facts.odds(row), cell("targets", "p_at", target=target)),
            "p1": cite(facts.odds(lever), cell("scenarios", "p_at", **picks))}


def _effect(facts: Facts, row: Mapping[str, Any], lever: str) -> Iterable[Text]:
    """From when a measure works, how much is supposed of it and on what grounds, and how much it takes."""
    effect = next((one for one in facts["effects"]
                   if (one["scenario"], one["indicator"]) == (lever, row["indicator"])), None)
    if effect is None:
        return
    picks = {"scenario": lever, "indicator": row["indicator"]}
    last, delay = pd.Period(row["month"], "M"), int(effect["delay"])
    top = effect["ceiling"] and cite(percent(effect["ceiling"], 0), cell("effects", "ceiling", **picks))
    size = _size(facts, effect, top, [(effect[column], cell("effects", column, **picks))
                                       for column in ("low", "high")])
    said = facts.say("when", start=facts.month(last + 1), begin=facts.month(last + delay + 1),
                   full=facts.month(last + delay + max(int(effect["ramp"]), 1)),
                   indicator=facts.label(row["indicator"], short=True), effect=size)
    on = {"interventions": "evidenced", "jumps": "jumped", "assumed": "assumed"}[effect["source"]]
    yield said + facts.say(on, **{"k": cite(effect["k"], cell("effects", "k", **picks))} if effect["k"] else {})
    need = next((one for one in facts["required"] if (one["target"], one["lever"], one["indicator"]) ==
                 (row["target"], lever, row["indicator"]) and one["required"] and one["times"] is not None), None)
    if need:
        picks = {"target": row["target"], "lever": lever, "indicator": row["indicator"]}
        yield facts.say("need", odds=cite(percent(need["odds"], 0), cell("required", "odds", **picks)),
                      indicator=facts.label(row["indicator"], short=True), size=_size(
                          facts, need, top, [(need["required"], cell("required", "required", **picks))]))


def _size(facts: Facts, effect: Mapping[str, Any], top: Text | None, ends: Sequence[tuple[float, Any]]) -> Text:
    """What a measure does, one size or the two ends of a range: the part of a gap that it closes, or what it adds."""
    if effect["how"] == "ceiling":
        said = [cite(percent(value, 0), ref) for value, ref in ends]
    else:
        said = [facts.change(effect["indicator"], value, ref) for value, ref in ends]
    n = said[0] if len(said) == 1 else facts.say("to", lo=said[0], hi=said[1])
    if effect["how"] == "ceiling":
        return facts.say("of_gap", n=n, top=top)
    return facts.say("lifted", n=t("scenarios.a_year", facts.lang, size=n) if effect["how"] == "growth" else n)


def _together(facts: Facts, rows: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> Iterable[Text]:
    """What remains out of reach with the measures that do most together; of those just `told` of, the odds alone."""
    bundles = {row["scenario"]: 0.0 for row in facts["scenarios"] if row["kind"] == "bundle"}
    for row in facts["scenarios"]:
        if row["scenario"] in bundles and row["p_at"] is not None:
            bundles[row["scenario"]] += row["p_at"]
    if not bundles:
        return
    bundle = max(bundles, key=bundles.get)
    reached = {row["target"]: row for row in facts["scenarios"] if row["scenario"] == bundle}
    short = [reached[row["target"]] for row in rows if reached[row["target"]]["p_at"] is not None
             and reached[row["target"]]["p_at"] < EVEN]
    odds = [cite(facts.odds(row), cell("scenarios", "p_at", scenario=bundle, target=row["target"])) for row in short]
    if short and [row["target"] for row in short] == [row["target"] for row in told]:
        yield facts.say("together_same", bundle=facts.name("levers", bundle), list=facts.listed(odds))
    elif short:
        yield facts.say("all_together", bundle=facts.name("levers", bundle), list=facts.listed(
            facts.say("odds_of", target=facts.name("targets", row["target"]), p=p)
            for row, p in zip(short, odds, strict=True)))


def _slowest(facts: Facts) -> Iterable[Text]:
    """The branches where growth is lowest."""
    last = [row for row in facts.standing if row["n"] > 1 and row["kind"] != "ratio"]
    if last:
        yield facts.say("laggards", list=facts.listed(facts.say(
            "laggard", branch=facts.name("branches", row["last"]), indicator=facts.label(row["indicator"], short=True),
            value=cite(percent(row["last_value"], sign=True), standing_cell(row, "last_value")))
            for row in last[:NAMED]))


# ---------------------------------------------------------------- how sure

def sure(facts: Facts) -> Iterable[Text]:
    yield from facts.stated("trust")
    for row in facts["check"][-1:]:
        where = "within_80" if row["inside-80"] else "within_95" if row["inside-95"] else "outside"
        picks = {"month": row["month"]}
        yield facts.say("last", month=facts.month(row["month"]), where=facts.say(where), **{
            name: facts.value(facts.main, row[column], cell("check", column, **picks))
            for name, column in (("expected", "y_hat"), ("actual", "actual"))})
    weak = [row for row in facts["trust"] if row["letter"] == "D" and row["unique_id"] != facts.main]
    if weak:
        yield facts.say("weak", list=facts.listed(facts.label(row["unique_id"]) for row in weak[:NAMED]))
    if facts.open:
        yield facts.say("odds_rest")
    if facts["carriers"]:
        yield facts.say("added")
    yield from _doubt(facts)


def _doubt(facts: Facts) -> Iterable[Text]:
    """Which numbers are in doubt."""
    doubt, several = facts["doubtful"], len({row["branch"] for row in facts["doubtful"]}) > 1
    if doubt:
        rows = doubt[-NAMED:]
        named = [facts.say("doubtful", month=facts.month(row["month"]), indicator=facts.label(row["indicator"]),
                           value=facts.value(row["indicator"], row["value"], cell("doubtful", "value", **{
                               name: row[name] for name in ("branch", "month", "indicator")}))) for row in rows]
        if several:
            named = [facts.say("doubtful_of", branch=facts.name("branches", row["branch"]), doubtful=said)
                     for row, said in zip(rows, named, strict=True)]
        yield facts.say("doubt" if len(doubt) <= NAMED else "doubt_more", n=cite(len(doubt), cell("doubtful")),
                        list=facts.listed(named))
