"""What the brief says: recorded tables read as sentences, whose numbers know their cells.

Where things stand, what to do, how sure that is. What the tables do not tell is not said; a sentence that a notebook
states already (``state``) is taken from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..scenarios.odds import hardest_of, said_odds
from ..wording import Ref, Text, cell, cite, goal_text, join, listed, month_name, percent, t
from .cells import Row
from .content import Content
from .summary import OPEN, STILL, goal_of, value_text

YEAR = 12
EVEN = 0.5
NAMED = 3           # no more branches, targets or doubtful numbers are named in one sentence


class Facts:
    """The recorded tables as rows, the names of what they speak of, and how their figures are said."""

    def __init__(self, content: Content, about):
        self.lang, self.names, self.main = about.lang, about.names, about.indicator
        self._rows = content.rows
        standing = {row["indicator"]: row for row in self["standing"]}
        self.lines = content.state
        self.standing = [standing[key] for key in dict.fromkeys([self.main, *self.names.get("headline", ())])
                         if key in standing]
        self.targets = sorted((row for row in self["targets"] if row["current"] is not None),
                              key=lambda row: row["p_at"] is None)
        self.open = [row for row in self.targets if row["verdict"] in OPEN and row["p_at"] is not None]
        self.unlikely = [row for row in self.open if row["p_at"] < EVEN]

    def __getitem__(self, table: str) -> list[Row]:
        return self._rows.get(table, [])

    def say(self, key: str, **values: object) -> Text:
        return t(f"brief.{key}", self.lang, **values)

    def stated(self, name: str) -> Iterable[Text]:
        """Return what a notebook said as its line of that name, without its full stop."""
        return (Text(line.text.rstrip("。. "), line.text.cells) for line in self.lines if line.name == name)

    def month(self, month: str | pd.Period) -> str:
        return month_name(pd.Period(month, "M"), self.lang)

    def name(self, what: str, key: str) -> str:
        return self.names.get(what, {}).get(key, key)

    def indicator(self, key: str) -> dict[str, Any]:
        return self.names["indicators"][key]

    def label(self, key: str, short: bool = False) -> str:
        return self.indicator(key)["short" if short else "label"]

    def value(self, row: Row, column: str, of: Mapping[str, Any] | None = None, bare: bool = False) -> Text:
        """A figure of the indicator, or of the target, that a row (or the row `of`) is about, as it is said everywhere;
        `bare`: without its unit."""
        about = of or row
        return self.figure(about, row[column], row.ref(column), kind=about.get("kind"), bare=bare)

    def figure(self, about: Mapping[str, Any], value: float, *refs: Ref, kind: str | None = None,
               bare: bool = False) -> Text:
        """A number of what a row is about; the unit that the indicator's name says already is not said again."""
        if kind == "rank":
            return cite(t("scenarios.place", self.lang, n=f"{value:.0f}"), *refs)
        if kind in ("growth", "share"):
            return cite(percent(value, sign=kind == "growth"), *refs)
        one = self.indicator(about.get("indicator", self.main))
        named = self.lang == "en" and one["unit"] and one["unit"] in one["label"]
        unit = "" if bare or named else one["unit"]
        said = value_text({**one, "unit": {self.lang: unit}}, value, self.lang)
        return cite(said.replace(" ", "\u00a0"), *refs)      # a figure and its unit stay on one line

    def change(self, key: str, change: float, *refs: Ref, sign: bool = False) -> Text:
        """A growth rate, or the points of a ratio."""
        if self.indicator(key)["kind"] == "ratio":
            return self.say("points", n=cite(f"{100 * change:{'+' if sign else ''}.1f}", *refs))
        return cite(percent(change, sign=sign), *refs)

    def share(self, row: Row, column: str, digits: int = 1, sign: bool = False) -> Text:
        """A fraction as per cent."""
        return cite(percent(row[column], digits, sign), row.ref(column))

    def place(self, row: Row, column: str = "rank") -> Text:
        return cite(f"{row[column]:.0f}", row.ref(column))

    def goal(self, row: Row) -> Text:
        """A target's goal."""
        said = cite(goal_text(self.figure(row, goal_of(row), kind=row["kind"])), self.goal_ref(row))
        return self.say("above", value=said) if row["kind"] == "raise" else said

    def goal_ref(self, row: Row) -> Ref:
        return row.ref("reached_from" if row["goal"] is None else "goal")

    def gap(self, row: Row) -> Text:
        """What will be missing to a target's goal."""
        goal, then, kind = goal_of(row), row["trend_at_deadline"], row["kind"]
        refs = self.goal_ref(row), row.ref("trend_at_deadline")
        if kind == "rank":
            return cite(t("scenarios.places", self.lang, n=f"{then - goal:.0f}"), *refs)
        if kind in ("growth", "share") or self.indicator(row["indicator"])["kind"] == "ratio":
            return self.say("points", n=cite(f"{100 * (goal - then):.1f}", *refs))
        return self.figure(row, goal - then, *refs)

    def odds(self, row: Row) -> Text:
        return cite(said_odds(row["p_at"], row["n"], self.lang).replace(" ", "\u00a0"), row.ref("p_at"))

    def ahead(self, key: str, month: str | None = None) -> Row | None:
        """Return the row with what is forecast of an indicator for a month (else a year on, else the last)."""
        for table in ("forecast", "outlook", "province_forecast"):
            if table == "forecast" and key != self.main:
                continue
            rows = [row for row in self[table] if row.get("y_hat") is not None
                    and (row["model"] == "combination" if table == "forecast" else row["indicator"] == key)
                    and (row["month"] == month if month else row["horizon"] <= YEAR)]
            if rows:
                return rows[-1]
        return None

    def limits(self, row: Row) -> Text:
        """The limits of a forecast, the unit once."""
        return self.say("to", lo=self.value(row, "lo-80", bare=True), hi=self.value(row, "hi-80"))

    def ranked_targets(self) -> list[dict[str, Any]]:
        """Return the targets, the hardest first, as the index calls them, those without odds last."""
        left, ranked = list(self.open), []
        while left:
            ranked.append(left.pop(hardest_of([row["p_at"] for row in left], [row["ratio"] for row in left])))
        return ranked + [row for row in self.targets if row not in ranked]

    def listed(self, parts: Iterable[str]) -> Text:
        return listed(parts, self.lang)

    def targets_named(self, rows: Iterable[Row]) -> Text:
        return self.listed(self.say("target", target=self.name("targets", row["target"])) for row in rows)


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
            yield facts.say("hardest", target=facts.name("targets", row["target"]), month=facts.month(row["deadline"]),
                            now=facts.value(row, "current"), then=facts.value(row, "trend_at_deadline"),
                            goal=facts.goal(row), gap=facts.gap(row))
        for slow in [row for row in facts.unlikely if row["verdict"] == "slowing"][:1]:
            yield facts.say("slower", target=facts.name("targets", slow["target"]))


def _now(facts: Facts, row: Mapping[str, Any], opening: str, place: str) -> Text:
    """An indicator's month, the change on the year, and its place among the branches."""
    key, ratio = row["indicator"], "ratio_" if row["kind"] == "ratio" else ""
    also = opening == "now_also"
    parts = [facts.say(opening, month=facts.month(row["month"]), indicator=facts.label(key),
                       y=facts.value(row, "y"))]
    if row["yoy"] is not None:
        parts.append(facts.say("flat") if abs(row["yoy"]) < STILL else facts.say(
            ratio + ("up" if row["yoy"] > 0 else "down"),
            change=facts.change(key, abs(row["yoy"]), row.ref("yoy"))))
    if row["rank"] is not None and row["n"] > 1:
        parts.append(facts.say(ratio + place, n=facts.place(row, "n"), rank=facts.place(row)))
        if not also and row["whole"] is not None:
            parts.append(facts.say("whole", value=facts.share(row, "whole", sign=not ratio)))
    elif row["rank"] is None and row["n"] > 1 and not also:
        parts.append(facts.say("ends", **{name: facts.name("branches", row[name]) for name in ("first", "last")}, **{
            name: facts.share(row, name, sign=not ratio) for name in ("first_value", "last_value")}))
    return join(parts)


def _ahead(facts: Facts, row: Mapping[str, Any]) -> Text | None:
    """What is expected of the first indicator, and whether it goes on as fast."""
    ahead = facts.ahead(row["indicator"])
    if ahead is None:
        return None
    said = facts.say("ahead", month=facts.month(ahead["month"]), y=facts.value(ahead, "y_hat"),
                     limits=facts.limits(ahead))
    if row["kind"] == "ratio" or row["yoy"] is None or row["y"] <= 0 or (
            pd.Period(ahead["month"], "M") - pd.Period(row["month"], "M")).n != YEAR:
        return said
    growth = ahead["y_hat"] / row["y"] - 1
    if abs(growth - row["yoy"]) < STILL:
        return said
    how = "down" if growth < 0 else "up" if row["yoy"] < 0 else "slower" if growth < row["yoy"] else "faster"
    return said + facts.say(f"ahead_{how}", growth=cite(percent(abs(growth)), ahead.ref("y_hat"), row.ref("y")),
                            yoy=cite(percent(abs(row["yoy"])), row.ref("yoy")))


def _reached(facts: Facts) -> Text:
    n = cite(len(facts.targets), cell("targets", current="!="))
    likely = [row for row in facts.targets
              if row not in facts.unlikely and (row in facts.open or row["verdict"] == "reached")]
    if not likely:
        return facts.say("targets_none", n=n)
    if len(likely) == len(facts.targets):
        return facts.say("targets_all", n=n)
    odds = [row.ref("p_at") for row in likely]
    return facts.say("targets_some", n=n, k=cite(len(likely), *odds), list=facts.targets_named(likely))


# ---------------------------------------------------------------- what to do

def act(facts: Facts) -> Iterable[Text]:
    if facts["carriers"]:
        yield from facts.stated("carriers")
        yield from _slowest(facts)
        yield facts.say("each_branch")
    elif facts.unlikely:
        yield from _measures(facts)
    else:
        yield facts.say("keep" if facts.targets else "no_targets")


def _measures(facts: Facts) -> Iterable[Text]:
    """Which measure closes which gap: first where it does, then where it does not, then what all together would do."""
    best = [(row, _best(facts, row["target"])) for row in reversed(facts.ranked_targets())      # the nearest first
            if row in facts.unlikely]
    does = [(row, lever) for row, lever in best if lever and lever["p_at"] >= EVEN]
    helps = [(row, lever) for row, lever in best if lever and lever["p_at"] < EVEN]
    for n, (row, lever) in enumerate(does):
        said = _lever_said(facts, row, lever) | {"goal": facts.goal(row), "gap": facts.gap(row)}
        if n:
            yield facts.say("does", **said)
        else:
            yield facts.say("begin", **said)
            yield facts.say("begun", **said)
            yield from _effect(facts, row, lever["scenario"], facts.say("the_measure"))
    if helps:
        one = facts.say("helps_one") if len(helps) == 1 else facts.say(
            "helps_rest", n=cite(len(helps), *(row.ref("p_at") for row, _ in helps)))
        yield facts.say("helps", one=one, list=join(
            [facts.say("helped", **_lever_said(facts, *pair)) for pair in helps], facts.say("semicolon")))
        if not does:
            row, name = helps[0][0], helps[0][1]["scenario"]
            yield from _effect(facts, row, name, facts.say("target", target=facts.name("levers", name)))
    if nothing := [row for row, lever in best if lever is None]:
        yield facts.say("nothing_helps", list=facts.targets_named(nothing[:NAMED]))
    yield from _together(facts, [pair[0] for pair in best if pair not in does], [row for row, _ in helps])


def _best(facts: Facts, target: str) -> dict[str, Any] | None:
    """Return the measure that does most for a target, if any is visible beyond the error of counting."""
    rows = [row for row in facts["scenarios"] if row["target"] == target and row["p_at"] is not None]
    base = next((row for row in rows if row["kind"] == "baseline"), None)
    rows = [row for row in rows if row["kind"] == "lever" and base and row["median"] != base["median"]]
    return max(rows, key=lambda row: (row["p_at"], abs(row["median"] - base["median"])), default=None)


def _lever_said(facts: Facts, row: Row, lever: Row) -> dict[str, object]:
    return {"target": facts.name("targets", row["target"]), "lever": facts.name("levers", lever["scenario"]),
            "month": facts.month(row["deadline"]), "before": facts.value(row, "trend_at_deadline"),
            "after": facts.value(lever, "median", of=row), "p0": facts.odds(row), "p1": facts.odds(lever)}


def _effect(facts: Facts, row: Row, lever: str, called: Text) -> Iterable[Text]:
    """From when a measure works, how much is supposed of it and on what grounds, and how much it takes."""
    key = row["indicator"]
    effect = next((one for one in facts["effects"] if (one["scenario"], one["indicator"]) == (lever, key)), None)
    if effect is None:
        return
    last, delay = pd.Period(row["month"], "M"), int(effect["delay"])
    yield facts.say("when", lever=called, start=facts.month(last + 1),
                    begin=facts.month(last + delay + 1),
                    full=facts.month(last + delay + max(int(effect["ramp"]), 1)),
                    indicator=facts.label(key, short=True), effect=_size(facts, effect, effect, "low", "high")
                    ) + facts.say({"interventions": "evidenced", "jumps": "jumped"}.get(effect["source"], "assumed"),
                                  **{"k": cite(effect["k"], effect.ref("k"))} if effect["k"] else {})
    need = next((one for one in facts["required"] if (one["target"], one["lever"], one["indicator"]) ==
                 (row["target"], lever, key) and one["required"] and one["times"] is not None), None)
    if need:
        yield facts.say("need", odds=facts.share(need, "odds", 0), indicator=facts.label(key, short=True),
                        size=_size(facts, effect, need, "required"))


def _size(facts: Facts, effect: Row, row: Row, *columns: str) -> Text:
    """What a measure does, one size of a row or the two ends of a range: the part of a gap that it closes, or what it
    adds."""
    part = effect["how"] == "ceiling"
    said = [facts.share(row, column, 0) if part else facts.change(effect["indicator"], row[column], row.ref(column))
            for column in columns]
    n = said[0] if len(said) == 1 else facts.say("to", lo=said[0], hi=said[1])
    if part:
        return facts.say("of_gap", n=n, top=facts.share(effect, "ceiling", 0))
    return facts.say("lifted", n=t("scenarios.a_year", facts.lang, size=n) if effect["how"] == "growth" else n)


def _together(facts: Facts, rows: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> Iterable[Text]:
    """What remains out of reach with the measures that do most together; of those just `told` of, the odds alone."""
    bundles = Counter()
    for row in facts["scenarios"]:
        if row["kind"] == "bundle":
            bundles[row["scenario"]] += row["p_at"] or 0.0
    if not bundles:
        return
    bundle = max(bundles, key=bundles.get)
    reached = {row["target"]: row for row in facts["scenarios"] if row["scenario"] == bundle}
    short = [one for row in rows if (one := reached[row["target"]])["p_at"] is not None and one["p_at"] < EVEN]
    odds = list(map(facts.odds, short))
    if short and [row["target"] for row in short] == [row["target"] for row in told]:
        yield facts.say("together_same", bundle=facts.name("levers", bundle), list=facts.listed(odds))
    elif short:
        yield facts.say("all_together", bundle=facts.name("levers", bundle), list=facts.listed(
            facts.say("odds_of", target=facts.name("targets", row["target"]), p=p)
            for row, p in zip(short, odds, strict=True)))


def _slowest(facts: Facts) -> Iterable[Text]:
    last = [row for row in facts.standing if row["n"] > 1 and row["kind"] != "ratio"]
    if last:
        yield facts.say("laggards", list=facts.listed(facts.say(
            "laggard", branch=facts.name("branches", row["last"]), indicator=facts.label(row["indicator"], short=True),
            value=facts.share(row, "last_value", sign=True))
            for row in last[:NAMED]))


# ---------------------------------------------------------------- how sure

def sure(facts: Facts) -> Iterable[Text]:
    yield from facts.stated("trust")
    for row in facts["check"][-1:]:
        where = "within_80" if row["inside-80"] else "within_95" if row["inside-95"] else "outside"
        yield facts.say("last", month=facts.month(row["month"]), where=facts.say(where),
                        expected=facts.value(row, "y_hat"), actual=facts.value(row, "actual"))
    weak = [row for row in facts["trust"] if row["letter"] == "D" and row["unique_id"] != facts.main]
    if weak:
        yield facts.say("weak", list=facts.listed(facts.label(row["unique_id"]) for row in weak[:NAMED]))
    if facts.open:
        yield facts.say("odds_rest")
    if facts["carriers"]:
        yield facts.say("added")
    yield from _doubt(facts)


def _doubt(facts: Facts) -> Iterable[Text]:
    doubt, named = facts["doubtful"], []
    for row in doubt[-NAMED:]:
        said = facts.say("doubtful", month=facts.month(row["month"]), indicator=facts.label(row["indicator"]),
                         value=facts.value(row, "value"))
        if len({row["branch"] for row in doubt}) > 1:
            said = facts.say("doubtful_of", branch=facts.name("branches", row["branch"]), doubtful=said)
        named.append(said)
    if doubt:
        yield facts.say("doubt" if len(doubt) <= NAMED else "doubt_more", n=cite(len(doubt), cell("doubtful")),
                        list=facts.listed(named))
