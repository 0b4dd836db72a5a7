"""Executed notebooks read as a report: chapters, numbered figures and tables, the lines of state, recorded tables.

Everything that comes out of a notebook is cleaned here: of HTML only what a table and prose need is kept, so that a
branch called ``<script>`` is shown and not run. A formula that a cell shows becomes a picture: a page loads no font.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML

from ..errors import ConfigError
from ..wording import LANGUAGES, t
from .cells import Origin, Reader, Row, Sentence, linked, rows_of, told
from .parameters import INJECTED, TAG, one_line, read_notebook, stopped_by_data, tags

_TAGS = ["a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "div", "dl", "dt", "em",
         "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub",
         "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "wbr"]
# A table of more columns is set smaller, so that it fits the paper.
_WIDE = 6
_SHARP = 2          # pixels of a formula's picture that a pixel of the page shows
_HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.S)


def _attribute(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays: classes, spans, and links within the page. No style, no id, no other address."""
    return name in ("class", "colspan", "rowspan", "scope", "title") or (name == "href" and value.startswith("#"))


_clean = SanitizeHTML(tags=_TAGS, attributes=_attribute, strip=False).sanitize_html_tags


@dataclass
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
    brief: str = ""

    @property
    def anchor(self) -> str:
        """Return its id on the page."""
        return f"{'fig' if self.kind == 'figure' else 'tab'}-{self.number}"


@dataclass(frozen=True)
class Chapter:
    """A notebook, or a part of it that begins at a cell tagged ``chapter``; ``finding`` is its first sentence of state,
    else the first that it says; ``tables`` are those recorded in it that have rows."""

    anchor: str
    title: str
    items: tuple[Item, ...]
    finding: str = ""
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Executed:
    """What an executed notebook itself tells: its parameters, what it wrote to stderr, and, where the data do not allow
    its stage, the cell where it stopped and the message."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stderr: tuple[str, ...] = ()
    not_done: Mapping[str, Any] | None = None


@dataclass
class Content:
    """A whole report before it is set."""

    executed: list[Executed] = field(default_factory=list)
    lang: str = "zh"
    chapters: list[Chapter] = field(default_factory=list)
    appendix: list[Item] = field(default_factory=list)
    state: list[Sentence] = field(default_factory=list)
    first_screen: list[Item] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    numbers: Mapping[str, Iterator[int]] = field(
        default_factory=lambda: {kind: itertools.count(1) for kind in ("figure", "table", "cell")}, repr=False)

    @property
    def items(self) -> list[Item]:
        """Return all items, in the order of the page."""
        return [*(item for chapter in self.chapters for item in chapter.items), *self.appendix]

    @property
    def sentences(self) -> list[Sentence]:
        """Return the lines of state and all readings."""
        return [*self.state, *(one for item in self.items for one in item.sentences if one.kind == "reading")]

    @cached_property
    def rows(self) -> Mapping[str, list[Row]]:
        """Return the rows of every recorded table by its name."""
        return {table["name"]: rows_of(table) for table in self.tables}

    def link(self, sentence: Sentence) -> Sentence:
        """Let every number that a sentence cites lead to its cell."""
        return linked(sentence, self.rows, self.numbers["cell"], self.lang)


def read_content(paths: Iterable[Path], lang: str, fills: Mapping[str, str] | None = None) -> Content:
    """Read executed notebooks, in the order of the page.

    Prose cells tagged with the other language are left out. Other tags: ``chapter`` begins a chapter, ``appendix`` is
    for a researcher and goes to the last one (on a notebook's first cell: the whole notebook). Of code cells
    ``first-screen`` puts its pictures into the brief, as what the cell's metadata name (``ebank.brief``);
    ``not-on-page`` keeps it off the chapters, but not its records, nor its pictures from the brief. A notebook ends at
    a cell that the data did not allow, with a sentence that says so. `fills` is what ``{branch}``, ``{indicator}`` and
    so on in captions stand for.
    """
    content = Content(lang=lang)
    for path in paths:
        _read_chapters(path, fills or {}, content)
    for kind, names in (("table", [x["name"].lower() for x in content.tables]),
                        ("state", [x.name for x in content.state])):
        twice = next((name for name, many in Counter(names).items() if many > 1), None)
        if twice:
            raise ConfigError(f"two records of one name ({kind})", found=twice, expected="each name once in a report")

    # Only now are all tables known.
    content.state = list(map(content.link, content.state))
    for item in content.items:
        if item.sentences:
            item.sentences = tuple(map(content.link, item.sentences))
            item.html = "".join(f'<p class="reading">{one.html}</p>' for one in item.sentences)
    return content


def executed_from(name: str, book: Mapping[str, Any]) -> Executed:
    """Return what an executed notebook tells, whenever it was executed."""
    outputs = [(cell.get("execution_count"), output) for cell in book["cells"] for output in cell.get("outputs", ())]
    return Executed(
        name, book["metadata"].get("papermill", {}).get("parameters", {}),
        tuple(f"[{prompt}] {output.text.strip().splitlines()[0]}" for prompt, output in outputs
              if output.output_type == "stream" and output.name == "stderr" and output.text.strip()),
        next(({"cell": prompt, "message": one_line(output["evalue"])} for prompt, output in outputs
              if stopped_by_data(output)), None))


def _read_chapters(path: Path, fills: Mapping[str, str], content: Content) -> None:
    book, reader = read_notebook(path), Reader(path.stem)
    executed = executed_from(path.stem, book)
    content.executed.append(executed)
    other = {f"lang-{x}" for x in LANGUAGES if x != content.lang}
    aside = bool(book.cells) and "appendix" in tags(book.cells[0])
    parts: list[tuple[list[Item], list[str]]] = [([], [])]      # what is shown, and the names of recorded tables
    for cell in book.cells:
        marks = tags(cell)
        if marks & other:
            continue
        if "chapter" in marks:
            parts.append(([], []))
        items = content.appendix if aside or "appendix" in marks else parts[-1][0]
        if cell.cell_type == "markdown":
            items.append(Item("prose", set_prose(cell.source)))
        elif cell.cell_type == "code":
            origin = reader.read(cell.source, cell.get("execution_count"))
            if marks & {TAG, INJECTED}:
                continue
            known = len(content.tables)
            made = _cell_items(cell, fills, origin, content)
            parts[-1][1].extend(table["name"] for table in content.tables[known:] if table["rows"])
            for item in made if "not-on-page" not in marks else ():
                item.number = next(content.numbers[item.kind]) if item.kind in content.numbers else 0
                items.append(item)
            if "first-screen" in marks:
                content.first_screen += [item for item in made if item.kind == "figure"]
            if any(map(stopped_by_data, cell.get("outputs", ()))):
                sentence = t("report.not_done", content.lang, prompt=origin.prompt,
                             message=executed.not_done["message"])
                items.append(Item("block", f'<p class="reading">{html.escape(sentence)}</p>', origin=origin))
                break
    content.chapters += [_chapter(f"s{len(content.chapters) + n:02d}", path.stem, part, names)
                         for n, (part, names) in enumerate(parts, 1) if part]


def _chapter(anchor: str, name: str, items: list[Item], tables: list[str]) -> Chapter:
    """Return a chapter; its first heading is its title, which does not stand in it once more."""
    title = _HEADING.search(items[0].html)
    if title:
        items[0].html = items[0].html.replace(title[0], "", 1)
    said = [one for item in items for one in item.sentences]
    finding = next((one.text for one in said if one.kind == "state"), said[0].text if said else next(
        (item.caption for item in items if item.caption), ""))
    headed = re.sub(r"^\d+ +", "", words_of(title[2])) if title else name
    return Chapter(anchor, headed, tuple(items), finding, tuple(tables))


# ---------------------------------------------------------------- outputs

def _cell_items(cell, fills, origin, content) -> list[Item]:
    """Return what a code cell shows; its records go to the content."""
    own = cell.metadata.get("ebank", {})
    captions, alts = (_several(own.get(f"{name}_{content.lang}", ""), fills) for name in ("caption", "alt"))
    items: list[Item] = []
    records: list[str] = []
    for output in cell.get("outputs", ()):
        noted = output.get("metadata", {}).get("ebank", {})
        if "table" in noted:
            content.tables.append({**noted["table"], "notebook": origin.notebook, "prompt": origin.prompt})
            records.append(noted["table"]["name"])
        kind = "state" if "state" in noted else "reading"
        said = tuple(Sentence(kind, told(one), one.get("name", ""), origin)
                     for one in ([noted["state"]] if kind == "state" else noted.get("readings", ())))
        content.state += said if kind == "state" else ()
        items += [Item("block", "", sentences=said)] if said else _output_items(output)
    for item in items:
        item.origin, item.brief = origin, own.get("brief", "")
    tables, figures = ([item for item in items if item.kind == kind] for kind in ("table", "figure"))
    for at, item in enumerate(figures or tables):
        item.caption = item.caption or captions[min(at, len(captions) - 1)]
        item.alt = alts[min(at, len(alts) - 1)] or item.caption or t("report.figure_without_text", content.lang)
    if records and tables:
        tables[-1].records = tuple(records)
    return items


def _several(text: str | list[str], fills: Mapping[str, str]) -> list[str]:
    """Return captions with ``{names}`` filled, one at least; one caption or a list of them."""
    texts = [text] if isinstance(text, str) else text
    return [re.sub(r"\{(\w+)\}", lambda m: fills.get(m[1], m[0]), str(one)) for one in texts if one] or [""]


def _output_items(output: Mapping[str, Any]) -> list[Item]:
    if output["output_type"] == "stream":
        text = output["text"].strip() if output["name"] == "stdout" else ""
        return [Item("block", f"<pre>{html.escape(text)}</pre>")] if text else []
    data = output.get("data", {})
    if "image/svg+xml" in data:
        source = base64.b64encode(data["image/svg+xml"].encode("utf-8")).decode("ascii")
        return [Item("figure", _image("svg+xml", source, {}))]
    if "image/png" in data:
        source = re.sub(r"\s", "", data["image/png"])
        return [Item("figure", _image("png", source, output.get("metadata", {}).get("image/png", {})))]
    if "text/html" in data:
        return list(_html_items(data["text/html"]))
    if "text/latex" in data:
        return [Item("block", _formula(data["text/latex"].strip().strip("$")))]
    if "text/markdown" in data:
        return [Item("prose", set_prose(data["text/markdown"]))]
    return []


def _image(kind: str, source: str, said: Mapping[str, Any]) -> str:
    """Return the attributes of a picture, in the size that the notebook says; only base64 gets through."""
    if not re.fullmatch(r"[A-Za-z0-9+/=]*", source):
        return ""
    size = [said.get(side) for side in ("width", "height")]
    extent = ' width="{}" height="{}"'.format(*size) if all(isinstance(side, int) for side in size) else ""
    return f'src="data:image/{kind};base64,{source}"{extent}'


def _html_items(text: str) -> Iterator[Item]:
    """Yield the tables of an output and what stands between them."""
    without = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.S | re.I)
    for part in re.split(r"(<table\b.*?</table>(?:\s*<p class=\"note\">.*?</p>)*)", _clean(without), flags=re.S):
        if part.startswith("<table"):
            caption = re.search(r"<caption>(.*?)</caption>", part, flags=re.S)
            body = with_scopes(part.replace(caption[0], "", 1) if caption else part)
            columns = len(re.findall(r"<th\b", body.split("</thead>")[0]))
            yield Item("table", body, caption=words_of(caption[1]) if caption else "", wide=columns > _WIDE)
        # The wrapper around a table is opened in one part and closed in another.
        elif rest := re.sub(r"</?div\b[^>]*>", "", part).strip():
            yield Item("block", rest)


def words_of(text: str) -> str:
    """Return what HTML says, without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", text)).strip()


def with_scopes(table: str) -> str:
    """Return a table's HTML with a scope on each head: of columns in ``thead``, of rows below it.

    So a screen reader reads a cell with its row and column.
    """
    head, end, rows = table.rpartition("</thead>")
    return "".join(re.sub(r"<th(?![^>]*\bscope=)(?=[\s>])", f'<th scope="{scope}"', part)
                   for part, scope in ((head + end, "col"), (rows, "row")))


# ---------------------------------------------------------------- prose and formulas

def set_prose(source: str) -> str:
    """Return markdown as clean HTML, one level of headings lower."""
    body = _clean(MarkdownWithMath(renderer=IPythonRenderer(escape=True, exclude_anchor_links=True)).render(source))
    # A chapter's own heading is taken out of it, so that what stands below follows on the page's second level.
    return _HEADING.sub(lambda m: f"<h{min(int(m[1]) + 1, 6)}>{m[2]}</h{min(int(m[1]) + 1, 6)}>", body)


def _formula(latex: str) -> str:
    """Return a formula, given without dollar signs, as a picture; what matplotlib cannot set is shown as its source."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image
    from PIL import Image

    made, source = io.BytesIO(), " ".join(latex.split())
    try:
        math_to_image(f"${source}$", made, FontProperties(size=13, math_fontfamily="stix"), _SHARP * 96, "png")
    except (ValueError, RuntimeError):
        return f"<code>{html.escape(source, quote=False)}</code>"
    size = dict(zip(("width", "height"), (round(side / _SHARP) for side in Image.open(made).size)))
    # Wider than a phone, it is moved sideways, by keyboard too.
    return (f'<div class="display" tabindex="0"><img class="formula" alt="{html.escape(source)}" '
            f'{_image("png", base64.b64encode(made.getvalue()).decode(), size)}></div>')
