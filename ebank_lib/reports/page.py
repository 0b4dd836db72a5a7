"""Pages set from templates, and what a branch's begins with: the two minutes of a manager.

``Brief`` is that beginning, made from the recorded tables, and what ``brief.docx`` holds: tiles, three paragraphs and
up to three pictures. Every number of a text knows the recorded cell that it states (:func:`ebank_lib.wording.cite`).

A page is self-contained and loads nothing. Every value is escaped. Its one style sheet and its one script, if any,
stand inside, named by their hashes in a Content-Security-Policy that allows nothing else; pictures stand inside too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import __version__
from ..wording import Text, cell, cite, join, language, month_name, t
from .cells import Sentence, cited_tables, value_text
from .content import Content, Item
from .prose import EVEN, Facts, act, stand, sure

_TILES, _OF_A_KIND = 6, 3
_TEMPLATES = Path(__file__).parent / "templates"
_INDEX = ("../index.html", "link_index")
_LINKS = (("brief.docx", "link_word"), ("tables.xlsx", "link_workbook"), ("panel.csv", "link_panel"))
# Signs that turn the direction of writing (in a branch's name they would garble the text after it), and those that no
# HTML page may hold.
_REFUSED = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class About:
    """What a report is about: what its head and its foot say.

    ``chain`` has one row a step (``step, count, sha256``); ``files`` one row a source file (``file, bytes, sha256``);
    ``names`` says in the page's language what keys stand for: ``indicators`` {key: {label, short, unit, kind}},
    ``branches``, ``targets`` and ``levers`` {key: label}, and which indicators are the ``headline``; ``indexed``:
    there is an index of all reports in the folder above.
    """

    branch: str
    branch_label: str
    indicator_label: str
    source_title: str
    simulated: bool
    first: pd.Period
    last: pd.Period
    lang: str
    chain: tuple[dict[str, Any], ...] = ()
    files: tuple[dict[str, Any], ...] = ()
    indicator: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)
    indexed: bool = False

    @property
    def fills(self) -> dict[str, str]:
        """What the ``{names}`` in captions stand for."""
        return {"branch": self.branch_label, "indicator": self.indicator_label,
                "start": month_name(self.first, self.lang), "end": month_name(self.last, self.lang)}

    @property
    def plain(self) -> dict[str, Any]:
        """What ``run.json`` says of it; the source's files and steps stand there anyway."""
        said = {name: value for name, value in vars(self).items() if name not in ("chain", "files")}
        return said | {"first": str(self.first), "last": str(self.last)}

    @classmethod
    def read(cls, plain: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> About:
        """Return it from what ``run.json`` says of it and of the source's files."""
        months = {name: pd.Period(plain[name], "M") for name in ("first", "last")}
        return cls(**{**plain, **months}, files=tuple(map(dict, files)))


# ---------------------------------------------------------------- the brief

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
    """What a page begins with; ``line`` says who, when and of what data."""

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


def make_brief(content: Content, about: About) -> Brief:
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


# ---------------------------------------------------------------- the page of a branch

def build_page(content: Content, about: About, brief: Brief) -> str:
    """Return the page of a branch as HTML: its brief, then the evidence in closed chapters."""
    return set_page("report.html.j2", about.lang, words="report", script="report.js", about=about, brief=brief,
                    simulated=about.simulated, title=brief.title, content=content,
                    links=((_INDEX,) if about.indexed else ()) + _LINKS,
                    origins=[item for item in content.items if item.kind in ("figure", "table")],
                    cited=cited_tables(said_in(brief, content)), value_text=value_text,
                    html=lambda text: content.link(Sentence("brief", text)).html)


# ---------------------------------------------------------------- every page

@cache
def _environment() -> Environment:
    # Escaping is always on: a template that needs markup says so with |safe.
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)


def set_page(template: str, lang: str, words: str = "index", script: str = "", **values: object) -> str:
    """Return a page set from a file of ``templates/``, with its one script, if any; every value is escaped.

    It says the entries of the wording's file `words`.
    """
    lang = language(lang)
    style = _read_part("style.css") + ("\n" + _read_part("overview.css") if words == "index" else "")
    code = _read_part(script) if script else ""
    return _REFUSED.sub("\ufffd", _environment().get_template(template).render(
        lang=lang, html_lang={"zh": "zh-CN"}.get(lang, lang), style=style, script=code, policy=_policy(style, code),
        version=__version__, say=lambda key, **named: t(f"{words}.{key}", lang, **named), **values).strip()) + "\n"


def _policy(style: str, script: str = "") -> str:
    """Return the Content-Security-Policy of a page with this one style sheet, and this one script or none."""
    parts = ["default-src 'none'", "img-src data:", f"style-src {_hash(style)}"]
    parts += [f"script-src {_hash(script)}"] if script else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def _read_part(name: str) -> str:
    """Return a file of the templates, with the line ends of every system made one."""
    return (_TEMPLATES / name).read_text(encoding="utf-8").replace("\r\n", "\n").strip()
