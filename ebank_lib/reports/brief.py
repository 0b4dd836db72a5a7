"""The two minutes of a manager: tiles, three paragraphs and up to three pictures, made from the recorded tables.

``Brief`` is what ``report.html`` begins with and what ``brief.docx`` holds. Every number of a text knows the recorded
cell that it states (:func:`ebank_lib.wording.cite`).

Tables used, each where it was recorded: ``standing`` (now, a year before, the other branches), ``forecast`` and
``outlook`` or ``province_forecast`` (what is ahead), ``targets``, ``scenarios``, ``effects`` and ``required`` (goals
and measures), ``carriers`` and ``contributions_branches`` (who makes the total), ``grade``, ``trust``, ``check``,
``decisions_branch`` or ``decisions`` and ``doubtful`` (how sure).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..display import plain_cells
from ..wording import Text, cell, cite, join, t
from .cells import Sentence
from .content import Content, Item
from .prose import EVEN, Facts, act, goal_said, stand, standing_cell, sure

_TILES, _OF_A_KIND = 6, 3


@dataclass(frozen=True)
class Tile:
    """One figure with what belongs to it: ``rows`` are (word, value); ``tone`` is good, bad or nothing."""

    label: str
    month: str
    figure: Text
    rows: tuple[tuple[str, Text], ...]
    tone: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A heading and its sentences; ``text`` is all of them."""

    name: str
    title: str
    sentences: tuple[Text, ...]

    @cached_property
    def text(self) -> Text:
        """Return the sentences in one."""
        return join(self.sentences)


@dataclass(frozen=True)
class Picture:
    """A picture with its one message: the caption says it, ``html`` are an img's attributes, ``table``
    the recorded table that it draws."""

    name: str
    caption: Text
    html: str
    table: str

    @property
    def alt(self) -> str:
        """Return the message as plain text."""
        return str(self.caption)

    @property
    def png(self) -> bytes:
        """Return the picture itself."""
        found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]*)", self.html)
        return base64.b64decode(found[1]) if found else b""


@dataclass(frozen=True)
class Brief:
    """See the module; ``line`` says who, when and of what data."""

    title: str
    line: str
    simulated: bool
    lang: str
    tiles: tuple[Tile, ...]
    paragraphs: tuple[Paragraph, ...]
    pictures: tuple[Picture, ...]

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Return all texts that state cells, in the order of the page."""
        return (*(text for tile in self.tiles for text in (tile.figure, *(value for _, value in tile.rows))),
                *(one.text for one in self.paragraphs), *(one.caption for one in self.pictures))


def make_brief(content: Content, about) -> Brief:
    """Return the brief of a report; what its tables do not tell is not in it."""
    facts = Facts(content, about)
    fills = about.fills
    paragraphs = [Paragraph(name, t(f"brief.{name}", about.lang), tuple(
        facts.say("sentence", text=text) for text in made(facts) if text))
                  for name, made in (("stand", stand), ("act", act), ("sure", sure))]
    return Brief(t("report.title", about.lang, branch=about.branch_label),
                 t("brief.line", about.lang, source=about.source_title, first=fills["start"], last=fills["end"]),
                 about.simulated, about.lang, tuple(_tiles(facts)), tuple(one for one in paragraphs if one.sentences),
                 tuple(_pictures(facts, content.first_screen)))


def said_in(brief: Brief, content: Content) -> list[Sentence]:
    """Return what a page says: the texts of its brief, lines of state, readings."""
    return [*(linked_text(text, content, brief.lang) for text in brief.texts), *content.sentences]


def linked_text(text: Text, content: Content, lang: str) -> Sentence:
    """Return a text of a brief as a sentence whose numbers lead to their cells."""
    return content.link(Sentence("brief", str(text), plain_cells(text)), lang)


# ---------------------------------------------------------------- tiles

def _tiles(facts: Facts) -> Iterable[Tile]:
    """Yield at most six: the headline and the hardest targets, three of each where there are so many."""
    aims = facts.ranked_targets()
    figures = facts.standing[:max(_OF_A_KIND, _TILES - len(aims))]
    for row in figures:
        key = row["indicator"]
        rows = [(facts.say("tile_yoy"), facts.change(key, row["yoy"], standing_cell(row, "yoy"), sign=True))] \
            if row["yoy"] is not None else []
        if found := facts.ahead(key):
            said = facts.ahead_values(key, *found)
            rows += [(facts.say("tile_ahead", month=facts.month(found[0]["month"])), said["y"]),
                     (facts.say("tile_limits"), facts.say("to", lo=said["lo"], hi=said["hi"]))]
        yield Tile(facts.label(key), facts.month(row["month"]), facts.value(key, row["y"], standing_cell(row, "y")),
                   tuple(rows))
    for row in aims[:_TILES - len(figures)]:
        key, kind, picks = row["indicator"], row["kind"], {"target": row["target"]}
        rows = [(facts.say("tile_goal", month=facts.month(row["deadline"])), goal_said(facts, row))]
        if row["trend_at_deadline"] is not None:
            rows.append((facts.say("tile_ahead", month=facts.month(row["deadline"])), facts.value(
                key, row["trend_at_deadline"], cell("targets", "trend_at_deadline", **picks), kind=kind)))
            if kind in ("level", "raise") and (found := facts.ahead(key, row["deadline"])):
                said = facts.ahead_values(key, *found)
                rows.append((facts.say("tile_limits"), facts.say("to", lo=said["lo"], hi=said["hi"])))
        if row["p_at"] is not None:
            rows.append((facts.say("tile_odds"), cite(facts.odds(row), cell("targets", "p_at", **picks))))
        tone = "" if row["p_at"] is None else "bad" if row["p_at"] < EVEN else "good"
        yield Tile(facts.name("targets", row["target"]), facts.month(row["month"]), facts.value(
            key, row["current"], cell("targets", "current", **picks), kind=kind), tuple(rows), tone)


# ---------------------------------------------------------------- pictures

def _pictures(facts: Facts, items: Iterable[Item]) -> Iterable[Picture]:
    """Yield the pictures that have something to show, each with the sentence that is its message."""
    made = {"course": (_course, ("forecast", "province_forecast")), "targets": (_targets, ("targets",)),
            "place": (_place, ("standing",))}
    drawn = {item.brief: item for item in items}
    for name, (say, tables) in made.items():
        if name in drawn and (caption := say(facts)):
            yield Picture(name, caption, drawn[name].html, next(table for table in tables if facts[table]))


def _course(facts: Facts) -> Text | None:
    row, found = next(iter(facts.standing), None), facts.ahead(facts.main)
    if row is None or found is None:
        return None
    return facts.say("course", indicator=facts.label(facts.main), month=facts.month(found[0]["month"]),
                   y=facts.ahead_values(facts.main, *found)["y"], now=facts.month(row["month"]),
                   last=facts.value(facts.main, row["y"], standing_cell(row, "y")))


def _targets(facts: Facts) -> Text | None:
    if not facts.open:
        return None
    odds = [cell("targets", "p_at", target=row["target"]) for row in facts.unlikely]
    return facts.say("targets", n=cite(len(facts.targets), cell("targets", current="!=")),
                     k=cite(len(facts.targets) - len(facts.unlikely), *odds))


def _place(facts: Facts) -> Text | None:
    rows = [row for row in facts["standing"] if row["n"] > 1]
    ranked = [row for row in rows if row["rank"] is not None]
    if ranked:
        if len(ranked) == 1:
            return facts.say("place_one", indicator=facts.label(ranked[0]["indicator"]), **{
                name: cite(f"{ranked[0][name]:.0f}", standing_cell(ranked[0], name)) for name in ("rank", "n")})
        if len({(row["rank"], row["n"]) for row in ranked}) == 1:
            return facts.say("place_same", n=cite(len(ranked), *(standing_cell(row, "rank") for row in ranked)),
                             rank=cite(f"{ranked[0]['rank']:.0f}", standing_cell(ranked[0], "rank")))
        best, worst = (pick(ranked, key=lambda row: row["rank"] / row["n"]) for pick in (min, max))
        ends = {"best": best, "worst": worst}
        return facts.say("place", **{name: facts.label(row["indicator"], short=True) for name, row in ends.items()}, **{
            f"{name}_rank": cite(f"{row['rank']:.0f}", standing_cell(row, "rank")) for name, row in ends.items()})
    return next(iter(facts.stated("league")), None)
