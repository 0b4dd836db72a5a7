"""Pages set from templates: self-contained, escaped, sealed by a Content-Security-Policy, never above 3 MB.

A page loads nothing. Its one style sheet and its one script, if any, stand inside and are named by their hashes in a
policy that allows nothing else; pictures stand inside too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert.exporters import TemplateExporter
from traitlets.config import Config

from .. import __version__
from ..errors import ConfigError
from ..wording import language, month_name, t
from .content import Content, Item, Stage

__all__ = ["MAX_BYTES", "About", "build_page", "set_page"]

MAX_BYTES = 3_000_000
_TEMPLATES = Path(__file__).parent / "templates"
_HTML_LANG = {"zh": "zh-CN", "en": "en"}
_STATE_LINES = 11
_PICTURES = 3
# Rows that stay of each table where a page is too large.
_ROWS = (100, 25)
# Signs that turn the direction of writing: in a branch's name they would garble the text after it.
_TURNERS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Signs that no HTML page may hold.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class About:
    """What a report is about: what its head and its foot say.

    ``chain`` has one row a step (``step, count, sha256``); ``files`` one row a source file (``file, bytes, sha256``).
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

    @property
    def fills(self) -> dict[str, str]:
        """What the ``{names}`` in captions stand for."""
        return {"branch": self.branch_label, "indicator": self.indicator_label,
                "start": month_name(self.first, self.lang), "end": month_name(self.last, self.lang)}


# ---------------------------------------------------------------- the page of a branch

@cache
def _exporter(lang: str) -> TemplateExporter:
    """Return what sets a page; its template is compiled once a process."""
    folder = _TEMPLATES / "ebank"
    return TemplateExporter(
        config=Config(), template_file=str(folder / "index.html.j2"), template_name="ebank",
        extra_template_basedirs=[], template_paths=[str(folder)], file_extension=".html",
        filters={"say": lambda key, **values: t(key, lang, **values)})


def build_page(content: Content, about: About) -> str:
    """Return the page of a branch as HTML.

    A page that would be too large shows the first rows of its tables, and no more pictures than it can bear; it says
    what it leaves out and where that is.

    Parameters
    ----------
    content : Content
        From :func:`~ebank_lib.reports.content.read_content`.
    about : About

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB all the same.
    """
    lang = language(about.lang)
    style = _read_part("ebank/style.css")
    page = {
        "about": about, "lang": lang, "html_lang": _HTML_LANG[lang], "version": __version__,
        "style": style, "policy": _policy(style), "stages": content.stages,
        "state": content.state[:_STATE_LINES], "pictures": content.first_screen[:_PICTURES],
        "records": content.records,
        "months": t("report.months", lang, first=month_name(about.first, lang), last=month_name(about.last, lang)),
    }
    for stages, pictures in _smaller(content.stages, page["pictures"], lang):
        made, _ = _exporter(lang).from_notebook_node(nbformat.v4.new_notebook(), resources={
            "page": page | {"stages": stages, "pictures": pictures}})
        text = _cleared(made)
        if len(text.encode("utf-8")) <= MAX_BYTES:
            break
    return _small_enough(text)


def _smaller(stages: list[Stage], pictures: list[Item], lang: str) -> Iterator[tuple[list[Stage], list[Item]]]:
    """Yield what a page shows: all of it, then shorter tables, then ever fewer of its pictures, the largest first."""
    yield stages, pictures
    for rows in _ROWS:
        stages = [_with_items(stage, [_first_rows(item, rows, lang) for item in stage.items]) for stage in stages]
        yield stages, pictures
    yield stages, []
    figures = sorted((item for stage in stages for item in stage.items if item.kind == "figure"),
                     key=lambda item: -len(item.html))
    for n in (3, 10, len(figures)):
        gone = {item.anchor for item in figures[:n]}
        yield [_with_items(stage, [_left_out(item, lang) if item.kind == "figure" and item.anchor in gone else item
                                   for item in stage.items]) for stage in stages], []


def _with_items(stage: Stage, items: Iterable[Item]) -> Stage:
    return replace(stage, items=tuple(items))


def _first_rows(item: Item, most: int, lang: str) -> Item:
    """Return a table with its first rows and a sentence that says how many follow elsewhere."""
    head, body, rest = item.html.partition("<tbody>")
    rows = re.findall(r"<tr\b.*?</tr>\s*", rest.partition("</tbody>")[0], flags=re.S)
    if item.kind != "table" or len(rows) <= most:
        return item
    tables = ", ".join(f"tables/{name}.csv" for name in item.records)
    where = t("report.where_tables", lang, files=tables) if tables else t("report.where_notebook", lang, notebook=(
        item.origin.notebook if item.origin else "–"))
    note = t("report.rows_left_out", lang, n=len(rows) - most, all=len(rows), where=where)
    after = rest.partition("</tbody>")[2].replace("</table>", f'</table><p class="note">{note}</p>', 1)
    return replace(item, html=head + body + "".join(rows[:most]) + "</tbody>" + after)


def _left_out(item: Item, lang: str) -> Item:
    """Return the sentence that stands where a picture stood; what refers to the picture finds it there."""
    note = t("report.picture_left_out", lang, n=item.number, notebook=item.origin.notebook if item.origin else "–",
             prompt=item.origin.prompt if item.origin else "–")
    return replace(item, kind="block", html=f'<p class="reading" id="{item.anchor}">{note}</p>')


# ---------------------------------------------------------------- the pages of a folder

@cache
def _environment() -> Environment:
    # Escaping is always on: a template that needs markup says so with |safe.
    return Environment(loader=FileSystemLoader(_TEMPLATES / "overview"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)


def set_page(template: str, lang: str, script: str = "", **values: object) -> str:
    """Return a page set from ``templates/overview/``; every value is escaped.

    Parameters
    ----------
    template : str
    lang : {"zh", "en"}
    script : str, optional
        A file of ``templates/``: the page's one script.

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB.
    """
    lang = language(lang)
    style = _read_part("ebank/style.css") + "\n" + _read_part("overview/overview.css")
    code = _read_part(script) if script else ""
    return _small_enough(_cleared(_environment().get_template(template).render(
        lang=lang, html_lang=_HTML_LANG[lang], style=style, script=code, policy=_policy(style, code),
        version=__version__, say=lambda key, **named: t(f"index.{key}", lang, **named), **values)))


# ---------------------------------------------------------------- what every page has

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


def _cleared(text: str) -> str:
    """Return a page without signs that turn the direction of writing or that HTML may not hold."""
    return _CONTROLS.sub("\ufffd", _TURNERS.sub("\ufffd", text.strip())) + "\n"


def _small_enough(text: str) -> str:
    size = len(text.encode("utf-8"))
    if size > MAX_BYTES:
        raise ConfigError("the page is too large", found=f"{size} bytes", expected=f"at most {MAX_BYTES}",
                          hint="Show fewer or smaller pictures, or shorter tables.")
    return text
