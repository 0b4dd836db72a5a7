"""The pages around the branches' reports: what failed, all branches in a table, what moved; and the run's own seal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import own_folder
from ..store import store
from . import freshness
from .artefacts import renew
from .changes import build_changes
from .index import build_failed_page, build_index
from .parameters import read_notebook
from .seal import run_json_bytes
from .summary import SCHEMA

__all__ = ["finish"]


def finish(payload: Mapping[str, Any], tell: Callable[[dict], None]) -> dict[str, Any]:
    """Write the page of each branch that failed and, of a run of all, ``index.html``, ``changes.html``, ``run.json``.

    Parameters
    ----------
    payload : mapping
        ``out``; ``request``; ``failed``: what went wrong, by the branch's id; of a run of all also ``source``,
        ``title``, ``simulated``, and ``branches``: ``[{id, label}]`` in the order of the index, the province's own
        report last.

    Raises
    ------
    ConfigError
        A page would be too large, or cannot be written.
    """
    out, lang, failed = Path(payload["out"]), payload["request"]["lang"], payload["failed"]
    for name, one in failed.items():
        about = {"code": _code(out / name / "failed", one), "index": "branches" in payload or (
            out / "index.html").exists()}
        page = build_failed_page({**one, **about}, lang)
        renew(own_folder(out, name, "failed") / "index.html", page.encode("utf-8"))
    if "branches" not in payload:
        return {"state": "done", "files": []}
    tell({"event": "start", "stage": "index", "seconds": 0.0})
    now = {one["id"]: found for one in payload["branches"] if (found := _summary(out / one["id"] / "summary.json"))}
    about = {"title": payload["title"], "simulated": payload["simulated"]}
    pairs = [(_summary(out / name / "previous.json"), one) for name, one in now.items() if name not in failed]
    files = {"index.html": build_index(now.values(), failed.values(), about, lang).encode("utf-8"),
             "changes.html": build_changes(pairs, about, lang).encode("utf-8")}
    for name, page in files.items():
        renew(out / name, page)
    given = Path(payload["source"])
    run = {"ebank": __version__, "source": given.name if given.is_absolute() else payload["source"], "lang": lang,
           **about, "request": payload["request"],
           "branches": [{"id": one["id"], "label": one["label"], "state": "failed" if one["id"] in failed else "done",
                         "run": freshness.sha256_of(out / one["id"] / "run.json")} for one in payload["branches"]]}
    beside = {path.relative_to(out).as_posix(): path.read_bytes() for one in payload["branches"]
              for path in (out / one["id"] / "previous.json", *sorted((out / one["id"] / "failed").glob("*")))
              if path.is_file() and path.suffix != ".pdf"}
    renew(out / "run.json", run_json_bytes(run, {**beside, **files}))
    if (kept := store()) is not None:       # a month's results are of no use once all have been made from the next's
        kept.trim()
    tell({"event": "done", "stage": "index", "seconds": 0.0})
    return {"state": "done", "files": [*files, "run.json"]}


def _summary(path: Path) -> dict[str, Any] | None:
    """Return a summary; None where there is none, or one that an older or newer program wrote."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def _code(folder: Path, failed: Mapping[str, Any]) -> str:
    """Return the code of the cell that failed."""
    if not failed.get("kept") or not failed.get("cell"):
        return ""
    book = read_notebook(folder / failed["kept"])
    return next((cell.source for cell in book.cells if cell.get("execution_count") == failed["cell"]), "")
