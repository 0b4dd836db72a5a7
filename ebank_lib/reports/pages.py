"""Executed notebooks set as one self-contained page, with an nbconvert template of our own.

The page loads nothing and runs nothing: its one style sheet is inside and named by its hash in a
Content-Security-Policy that allows nothing else, pictures are inside, and there is no script.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbconvert.exporters import TemplateExporter
from traitlets.config import Config

from .. import __version__
from ..wording import language, month_name, t
from .content import Content
from .setting import HTML_LANG, MAX_BYTES, finished, policy, read_part

__all__ = ["MAX_BYTES", "About", "build_page"]

_TEMPLATE = Path(__file__).parent / "templates" / "ebank"
_STATE_LINES = 11
_PICTURES = 3


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


@cache
def _exporter(lang: str) -> TemplateExporter:
    """Return what sets a page; its template is compiled once a process."""
    return TemplateExporter(
        config=Config(), template_file=str(_TEMPLATE / "index.html.j2"), template_name="ebank",
        extra_template_basedirs=[], template_paths=[str(_TEMPLATE)], file_extension=".html",
        filters={"say": lambda key, **values: t(key, lang, **values)})


def build_page(content: Content, about: About) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    content : Content
        From :func:`~ebank_lib.reports.content.read_content`.
    about : About

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB.
    """
    lang = language(about.lang)
    style = read_part("ebank/style.css")
    page = {
        "about": about, "lang": lang, "html_lang": HTML_LANG[lang], "version": __version__,
        "style": style, "policy": policy(style), "stages": content.stages,
        "state": content.state[:_STATE_LINES], "pictures": content.first_screen[:_PICTURES],
        "records": content.records,
        "months": t("report.months", lang, first=month_name(about.first, lang), last=month_name(about.last, lang)),
    }
    text, _ = _exporter(lang).from_notebook_node(nbformat.v4.new_notebook(), resources={"page": page})
    return finished(text)
