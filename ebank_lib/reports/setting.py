"""Pages set from templates: escaped throughout, sealed by a Content-Security-Policy, never above 3 MB.

Style and script stand inside the page and are named by their hashes; nothing else may be loaded or run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import __version__
from ..errors import ConfigError
from ..wording import language, t

__all__ = ["HTML_LANG", "MAX_BYTES", "finished", "policy", "read_part", "set_page"]

MAX_BYTES = 3_000_000
HTML_LANG = {"zh": "zh-CN", "en": "en"}
_TEMPLATES = Path(__file__).parent / "templates"
# Signs that turn the direction of writing: in a branch's name they would garble the text after it.
_TURNERS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Signs that no HTML page may hold.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def policy(style: str, script: str = "") -> str:
    """Return the Content-Security-Policy of a page with this one style sheet, and this one script or none."""
    parts = ["default-src 'none'", "img-src data:", f"style-src {_hash(style)}"]
    parts += [f"script-src {_hash(script)}"] if script else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def read_part(name: str) -> str:
    """Return a file of the templates, with the line ends of every system made one."""
    return (_TEMPLATES / name).read_text(encoding="utf-8").replace("\r\n", "\n").strip()


def finished(text: str) -> str:
    """Return a page without signs that turn the direction of writing.

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB.
    """
    text = _CONTROLS.sub("\ufffd", _TURNERS.sub("\ufffd", text.strip())) + "\n"
    size = len(text.encode("utf-8"))
    if size > MAX_BYTES:
        raise ConfigError("the page is too large", found=f"{size} bytes", expected=f"at most {MAX_BYTES}",
                          hint="Show fewer or smaller pictures, or shorter tables.")
    return text


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
    style = read_part("ebank/style.css") + "\n" + read_part("overview/overview.css")
    code = read_part(script) if script else ""
    page = _environment().get_template(template).render(
        lang=lang, html_lang=HTML_LANG[lang], style=style, script=code, policy=policy(style, code),
        version=__version__, say=lambda key, **named: t(f"index.{key}", lang, **named), **values)
    return finished(page)
