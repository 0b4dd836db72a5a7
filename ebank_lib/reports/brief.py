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

from ..wording import Text, cell, cite, join, t
from .cells import Sentence
from .content import Content, Item
from .prose import EVEN, Facts, act, stand, sure

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
    """A heading and its sentences: the first, which is what it comes to, and the rest."""

    name: str
    title: str
    lead: Text
    text: Text


@dataclass(frozen=True)
class Picture:
    """A picture with its one message: the caption says it, ``html`` are an img's attributes, ``table``
    the recorded table that it draws."""

    name: str
    caption: Text
    html: str
    table: str

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
                *(text for one in self.paragraphs for text in (one.lead, one.text)),
                *(one.caption for one in self.pictures))


def make_brief(content: Content, about) -> Brief:
    """Return the brief of a report; what its tables do not tell is not in it."""
    facts = Facts(content, about)
    fills = about.fills
    paragraphs = []
    for name, made in (("stand", stand), ("act", act), ("sure", sure)):
        if said := [facts.say("sentence", text=text) for text in made(facts) if text]:
            paragraphs.append(Paragraph(name, t(f"brief.{name}", about.lang), join(said[:1]), join(said[1:])))
    return Brief(t("report.title", about.lang, branch=about.branch_label),
                 t("brief.line", about.lang, source=about.source_title, first=fills["start"], last=fills["end"]),
                 about.simulated, about.lang, tuple(_tiles(facts)), tuple(paragraphs),
                 tuple(_pictures(facts, content.first_screen)))


def said_in(brief: Brief, content: Content) -> list[Sentence]:
    """Return what a page says: the texts of its brief, lines of state, readings."""
    return [*(content.link(Sentence("brief", text)) for text in brief.texts), *content.sentences]


# ---------------------------------------------------------------- tiles

def _tiles(facts: Facts) -> Iterable[Tile]:
    """Yield at most six: the headline and the hardest targets, three of each where there are so many."""
    aims = facts.ranked_targets()
    figures = facts.standing[:max(_OF_A_KIND, _TILES - len(aims))]
    for row in figures:
        key, rows = row["indicator"], []
        if row["yoy"] is not None:
            rows.append((facts.say("tile_yoy"), facts.change(key, row["yoy"], row.ref("yoy"), sign=True)))
        if ahead := facts.ahead(key):
            rows += [(facts.say("tile_ahead", month=facts.month(ahead["month"])), facts.value(ahead, "y_hat")),
                     (facts.say("tile_limits"), facts.limits(ahead))]
        yield Tile(facts.label(key), facts.month(row["month"]), facts.value(row, "y"), tuple(rows))
    for row in aims[:_TILES - len(figures)]:
        rows = [(facts.say("tile_goal", month=facts.month(row["deadline"])), facts.goal(row))]
        if row["trend_at_deadline"] is not None:
            rows.append((facts.say("tile_ahead", month=facts.month(row["deadline"])),
                         facts.value(row, "trend_at_deadline")))
            if row["kind"] in ("level", "raise") and (ahead := facts.ahead(row["indicator"], row["deadline"])):
                rows.append((facts.say("tile_limits"), facts.limits(ahead)))
        if row["p_at"] is not None:
            rows.append((facts.say("tile_odds"), facts.odds(row)))
        tone = "" if row["p_at"] is None else "bad" if row["p_at"] < EVEN else "good"
        yield Tile(facts.name("targets", row["target"]), facts.month(row["month"]), facts.value(row, "current"),
                   tuple(rows), tone)


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
    row, ahead = next((row for row in facts.standing if row["indicator"] == facts.main), None), facts.ahead(facts.main)
    if row is None or ahead is None:
        return None
    return facts.say("course", indicator=facts.label(facts.main), month=facts.month(ahead["month"]),
                     y=facts.value(ahead, "y_hat"), now=facts.month(row["month"]), last=facts.value(row, "y"))


def _targets(facts: Facts) -> Text | None:
    if not facts.open:
        return None
    odds = [row.ref("p_at") for row in facts.unlikely]
    return facts.say("targets", n=cite(len(facts.targets), cell("targets", current="!=")),
                     k=cite(len(facts.targets) - len(facts.unlikely), *odds))


def _place(facts: Facts) -> Text | None:
    ranked = [row for row in facts["standing"] if row["n"] > 1 and row["rank"] is not None]
    if not ranked:
        return next(iter(facts.stated("league")), None)
    if len(ranked) == 1:
        row, = ranked
        return facts.say("place_one", indicator=facts.label(row["indicator"]), rank=facts.place(row),
                         n=facts.place(row, "n"))
    if len({(row["rank"], row["n"]) for row in ranked}) == 1:
        return facts.say("place_same", n=cite(len(ranked), *(row.ref("rank") for row in ranked)),
                         rank=facts.place(ranked[0]))
    best, worst = (pick(ranked, key=lambda row: row["rank"] / row["n"]) for pick in (min, max))
    return facts.say("place", best=facts.label(best["indicator"], short=True), best_rank=facts.place(best),
                     worst=facts.label(worst["indicator"], short=True), worst_rank=facts.place(worst))
