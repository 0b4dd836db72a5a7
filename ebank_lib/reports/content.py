"""Executed notebooks read as a report: stages, numbered figures and tables, the lines of state, recorded tables.

Everything that comes out of a notebook is cleaned here: of HTML only what a table and prose need is kept, so that a
branch called ``<script>`` is shown and not run.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML

from ..errors import ConfigError
from ..wording import LANGUAGES, t
from .cells import value_text
from .markup import svg_of, with_scopes
from .origin import Origin, Reader
from .parameters import INJECTED, TAG, one_line, read_notebook, stopped_by_data, tags
from .sentences import Sentence, cited_tables, linked, resolved

__all__ = ["Content", "Item", "Stage", "read_content", "set_prose"]

_TAGS = ["a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "div", "dl", "dt", "em",
         "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub",
         "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "wbr"]
# A wide table is set smaller, so that it fits the paper.
_WIDE = 6


def _attribute(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays: classes, spans, and links within the page. No style, no id, no other address."""
    return name in ("class", "colspan", "rowspan", "scope", "title") or (name == "href" and value.startswith("#"))


_clean = SanitizeHTML(tags=_TAGS, attributes=_attribute, strip=False).sanitize_html_tags


@dataclass(frozen=True)
class Item:
    """One thing on the page: ``prose``, ``figure``, ``table`` or ``block``; `html` is clean."""

    kind: str
    html: str
    number: int = 0
    caption: str = ""
    alt: str = ""
    wide: bool = False
    sentences: tuple[Sentence, ...] = ()
    records: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def anchor(self) -> str:
        """Return its id on the page."""
        return f"{'fig' if self.kind == 'figure' else 'tab'}-{self.number}"


@dataclass(frozen=True)
class Heading:
    """An entry of the table of contents."""

    anchor: str
    text: str
    level: int


@dataclass(frozen=True)
class Stage:
    """One notebook as a part of the page."""

    anchor: str
    title: str
    notebook: str
    items: tuple[Item, ...]
    headings: tuple[Heading, ...]


@dataclass
class Content:
    """A whole report before it is set."""

    stages: list[Stage] = field(default_factory=list)
    state: list[Sentence] = field(default_factory=list)
    first_screen: list[Item] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sentences(self) -> list[Sentence]:
        """Return the lines of state and all readings."""
        return [*self.state, *(one for stage in self.stages for item in stage.items for one in item.sentences
                               if one.kind == "reading")]

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return what the end of the page says of each recorded table: name, title, rows, origin, cells stated."""
        cited = cited_tables(self.sentences)
        return [{"name": table["name"], "title": table["title"], "rows": len(table["rows"]),
                 "origin": f"{table['notebook'].split('_')[0]} [{table['prompt']}]",
                 "cells": [f"{cell.id} = {value_text(cell.value)}" for cell in cited.get(table["name"], ())]}
                for table in self.tables]


def read_content(paths: Iterable[Path], lang: str, fills: Mapping[str, str] | None = None) -> Content:
    """Read executed notebooks.

    Parameters
    ----------
    paths : iterable of Path
        In the order of the page.
    lang : {"zh", "en"}
        Prose cells tagged with the other language are left out.
    fills : mapping, optional
        What ``{branch}``, ``{indicator}`` and so on in captions stand for.

    Notes
    -----
    Tags of a code cell: ``first-screen`` puts its pictures on the first screen too; ``not-on-page`` keeps it off the
    stages, but not its records, nor its pictures from the first screen. A stage ends at a cell that the data
    did not allow, with a sentence that says so.

    Raises
    ------
    ConfigError
        A notebook cannot be read, or two tables or lines of state have one name.
    """
    content = Content()
    count = {"figure": 0, "table": 0}
    for path in paths:
        _read_stage(path, lang, dict(fills or {}), content, count)
    for kind, names in (("table", [x["name"] for x in content.tables]), ("state", [x.name for x in content.state])):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ConfigError(f"two records of one name ({kind})", found=twice, expected="each name once in a report")
    _link_sentences(content, lang)
    return content


def _link_sentences(content: Content, lang: str) -> None:
    """Let every number that a sentence cites lead to its cell; only now are all tables known."""
    tables = {table["name"]: table for table in content.tables}
    shown = {name: item.anchor for stage in content.stages for item in stage.items if item.kind == "table"
             for name in item.records}
    anchors = {name: shown.get(name, f"rec-{name}") for name in tables}
    number = 1

    def link(sentence: Sentence) -> Sentence:
        nonlocal number
        sentence = resolved(sentence, content.tables)
        sentence = replace(sentence, html=linked(sentence, tables, number, lang, anchors))
        number += len(sentence.citations)
        return sentence

    content.state = [link(line) for line in content.state]
    for at, stage in enumerate(content.stages):
        items = [replace(item, sentences=tuple(link(one) for one in item.sentences)) for item in stage.items]
        content.stages[at] = replace(stage, items=tuple(
            replace(item, html="".join(f'<p class="reading">{one.html}</p>' for one in item.sentences))
            if item.sentences else item for item in items))


def _read_stage(path: Path, lang: str, fills: dict[str, str], content: Content, count: dict[str, int]) -> None:
    anchor = f"s{len(content.stages) + 1:02d}"
    reader = Reader(path.stem)
    prose: list[Heading] = []
    items: list[Item] = []
    other = {f"lang-{x}" for x in LANGUAGES if x != lang}
    for cell in read_notebook(path).cells:
        marks = tags(cell)
        if cell.cell_type == "markdown" and not marks & other:
            items.append(Item("prose", set_prose(cell.source, anchor, prose)))
        elif cell.cell_type == "code":
            origin = reader.read(cell.source, cell.get("execution_count"))
            if marks & {TAG, INJECTED}:
                continue
            made = _cell_items(cell, lang, fills, origin, content, anchor)
            if "not-on-page" not in marks:
                made = _numbered(made, count)
                items += made
            stopped = next((o for o in cell.get("outputs", ()) if stopped_by_data(o)), None)
            if "first-screen" in marks or cell.metadata.get("ebank", {}).get("first_screen"):
                content.first_screen += [item for item in made if item.kind == "figure"]
            if stopped is not None:
                items.append(_not_done(stopped, origin, lang))
                break
    title = next((h for h in prose if h.level == 2), None)
    if title is None:
        title = Heading(anchor, path.stem, 2)
    content.stages.append(Stage(anchor, title.text, path.stem, tuple(items), tuple(h for h in prose if h is not title)))


def _not_done(output: Mapping[str, Any], origin: Origin, lang: str) -> Item:
    """Return the sentence that ends a stage which the data do not allow."""
    sentence = t("report.not_done", lang, prompt=origin.prompt, message=one_line(output["evalue"]))
    return Item("block", f'<p class="reading">{html.escape(sentence)}</p>', origin=origin)


def _numbered(made: list[Item], count: dict[str, int]) -> list[Item]:
    numbered = []
    for item in made:
        if item.kind in count:
            count[item.kind] += 1
            item = replace(item, number=count[item.kind])
        numbered.append(item)
    return numbered


# ---------------------------------------------------------------- prose

class _Renderer(IPythonRenderer):
    """Markdown with formulas put aside: they become pictures after the cleaning, which would take them out."""

    def __init__(self):
        super().__init__(escape=True, exclude_anchor_links=True)
        self.formulas: list[str] = []

    def _aside(self, body: str, block: bool) -> str:
        self.formulas.append(svg_of(html.unescape(body), block))
        return f"\ue000{len(self.formulas) - 1}\ue001"

    def block_math(self, body: str) -> str:
        return self._aside(body, True)

    def inline_math(self, body: str) -> str:
        return self._aside(body, False)

    def latex_environment(self, name: str, body: str) -> str:
        return self._aside(body, True)


def set_prose(source: str, anchor: str, headings: list[Heading]) -> str:
    """Return markdown as clean HTML, one level of headings lower, each with an id of ours."""
    renderer = _Renderer()
    plain = re.sub("[\ue000\ue001]", "", source)
    body = _clean(MarkdownWithMath(renderer=renderer).render(plain))
    body = re.sub("\ue000(\\d+)\ue001", lambda m: renderer.formulas[int(m[1])], body)

    def place(match: re.Match) -> str:
        level = min(int(match[1]) + 1, 6)
        text = html.unescape(re.sub(r"<[^>]*>", "", match[2]))
        first = level == 2 and not any(h.level == 2 for h in headings)
        heading = Heading(anchor if first else f"{anchor}-{len(headings)}", text, level)
        headings.append(heading)
        # The stage's own id stands on its section.
        mark = "" if first else f' id="{heading.anchor}"'
        return f"<h{level}{mark}>{match[2]}</h{level}>"

    return re.sub(r"<h([1-6])[^>]*>(.*?)</h\1>", place, body, flags=re.S)


# ---------------------------------------------------------------- outputs

def _cell_items(cell, lang, fills, origin, content, anchor) -> list[Item]:
    """Return what a code cell shows; its records go to the content."""
    own = cell.metadata.get("ebank", {})
    captions = _several(own.get(f"caption_{lang}", ""), fills)
    alts = _several(own.get(f"alt_{lang}", ""), fills)
    items: list[Item] = []
    records: list[str] = []
    for output in cell.get("outputs", ()):
        noted = output.get("metadata", {}).get("ebank", {})
        if "table" in noted:
            content.tables.append({**noted["table"], "notebook": origin.notebook, "prompt": origin.prompt})
            records.append(noted["table"]["name"])
        said = [Sentence.read("reading", one, origin, anchor) for one in noted.get("readings", ())]
        if "state" in noted:
            said = [Sentence.read("state", noted["state"], origin, anchor)]
            content.state += said
        items += [Item("block", "", sentences=tuple(said), origin=origin)] if said else _output_items(output, origin)
    figures = [n for n, item in enumerate(items) if item.kind == "figure"]
    targets = figures or [n for n, item in enumerate(items) if item.kind == "table"]
    for at, n in enumerate(targets):
        caption = items[n].caption or (captions[min(at, len(captions) - 1)] if captions else "")
        alt = alts[min(at, len(alts) - 1)] if alts else caption
        items[n] = replace(items[n], caption=caption, alt=alt or t("report.figure_without_text", lang))
    shown = [n for n, item in enumerate(items) if item.kind == "table"]
    if records and shown:
        items[shown[-1]] = replace(items[shown[-1]], records=tuple(records))
    return items


def _several(text: object, fills: Mapping[str, str]) -> list[str]:
    """Return captions with ``{names}`` filled; one caption or a list of them."""
    texts = [text] if isinstance(text, str) else list(text) if isinstance(text, (list, tuple)) else []
    return [re.sub(r"\{(\w+)\}", lambda m: fills.get(m[1], m[0]), str(one)) for one in texts if one]


def _output_items(output: Mapping[str, Any], origin: Origin) -> list[Item]:
    if output["output_type"] == "stream":
        text = "".join(output["text"]).strip()
        shown = output["name"] == "stdout" and text
        return [Item("block", f"<pre>{html.escape(text)}</pre>", origin=origin)] if shown else []
    data = {mime: "".join(value) if isinstance(value, list) else value
            for mime, value in output.get("data", {}).items()}
    if "image/svg+xml" in data:
        source = base64.b64encode(data["image/svg+xml"].encode("utf-8")).decode("ascii")
        return [Item("figure", _image("svg+xml", source, {}), origin=origin)]
    if "image/png" in data:
        source = re.sub(r"\s", "", data["image/png"])
        return [Item("figure", _image("png", source, output.get("metadata", {}).get("image/png", {})), origin=origin)]
    if "text/html" in data:
        return list(_html_items(data["text/html"], origin))
    if "text/latex" in data:
        return [Item("block", svg_of(data["text/latex"].strip().strip("$"), True), origin=origin)]
    if "text/markdown" in data:
        return [Item("prose", set_prose(data["text/markdown"], "", []), origin=origin)]
    return []


def _image(kind: str, source: str, said: Mapping[str, Any]) -> str:
    """Return the attributes of a picture, in the size that the notebook says; only base64 gets through."""
    if not re.fullmatch(r"[A-Za-z0-9+/=]*", source):
        return ""
    size = [said.get(side) for side in ("width", "height")]
    extent = ' width="{}" height="{}"'.format(*size) if all(isinstance(side, int) for side in size) else ""
    return f'src="data:image/{kind};base64,{source}"{extent}'


def _html_items(text: str, origin: Origin) -> Iterable[Item]:
    """Yield the tables of an output and what stands between them."""
    without = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.S | re.I)
    for part in re.split(r"(<table\b.*?</table>(?:\s*<p class=\"note\">.*?</p>)*)", _clean(without), flags=re.S):
        if part.startswith("<table"):
            caption = re.search(r"<caption>(.*?)</caption>", part, flags=re.S)
            body = with_scopes(part.replace(caption[0], "", 1) if caption else part)
            words = html.unescape(re.sub(r"<[^>]*>", "", caption[1])).strip() if caption else ""
            columns = len(re.findall(r"<th\b", body.split("</thead>")[0]))
            yield Item("table", body, caption=words, wide=columns > _WIDE, origin=origin)
        else:
            # The wrapper around a table is opened in one part and closed in another.
            rest = re.sub(r"</?div\b[^>]*>", "", part).strip()
            if rest:
                yield Item("block", rest, origin=origin)
