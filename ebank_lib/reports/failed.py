"""A failed branch's own page: what failed, in which cell, what it said, what is left and how to try again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..wording import has, language, t
from .index import message_of, where_of
from .setting import set_page

__all__ = ["build_failed_page"]


def build_failed_page(failed: Mapping[str, Any], lang: str) -> str:
    """Return ``OUT/BRANCH/failed/index.html``.

    Parameters
    ----------
    failed : mapping
        ``branch``, ``label`` {zh, en}; ``error`` (its kind) and ``message``; ``command``: what does it again. May be
        left out: ``kind`` (notebook, input, disk, system, crash, memory, time, bug), ``notebook`` and ``cell`` where it
        failed; ``code`` of that cell; ``kept``: the notebook's file name in the same folder; ``older``: whether the
        report of an earlier run stands; ``index``: whether the index does (default: yes).
    lang : {"zh", "en"}
    """
    lang = language(lang)
    advice = f"index.advice_{failed.get('kind')}"
    kept = failed.get("kept")
    return set_page(
        "failed.html.j2", lang, title=t("index.failed_title", lang, branch=failed["label"][lang]), simulated=False,
        where=where_of(failed, lang), message=message_of(failed), code=failed.get("code") or "",
        advice=t(advice, lang) if has(advice) else "", kept=kept or "", kept_href=quote(str(kept or ""), safe=""),
        older=bool(failed.get("older")), index=bool(failed.get("index", True)), command=failed.get("command") or "")
