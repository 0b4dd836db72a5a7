"""Pages set from templates: self-contained, escaped, sealed by a Content-Security-Policy.

A page loads nothing. Its one style sheet and its one script, if any, stand inside and are named by their hashes in a
policy that allows nothing else; pictures stand inside too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import __version__
from ..wording import language, month_name, t
from .brief import Brief, said_in
from .cells import Sentence, cited_tables, value_text
from .content import Content

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
