"""The pages around the branches' reports: what failed, all branches in a table, what moved; and the run's own seal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import write_atomically
from . import freshness
from .index import build_index
from .seal import run_json_bytes

__all__ = ["finish"]


def finish(payload: Mapping[str, Any], tell: Callable[[dict], None]) -> dict[str, Any]:
    """Write ``index.html`` and ``run.json`` of the whole run, and the page of each branch that failed.

    Parameters
    ----------
    payload : mapping
        ``out``; ``request``; ``source``, ``title``, ``simulated``; ``branches``: ``[{id, label}]`` in the order of the
        index, the province's own report last; ``failed``: what went wrong, by the branch's id.

    Raises
    ------
    ConfigError
        A page would be too large, or cannot be written.
    """
    out, lang = Path(payload["out"]), payload["request"]["lang"]
    failed = payload["failed"]
    tell({"event": "start", "stage": "index", "seconds": 0.0})
    summaries = list(_summaries(out, payload["branches"]))
    page = build_index(summaries, list(failed.values()), {"title": payload["title"], "changes": False,
                                                          "simulated": payload["simulated"]}, lang)
    files = {"index.html": page.encode("utf-8")}
    for name, content in files.items():
        write_if_other(out / name, content)
    run = {"ebank": __version__, "source": payload["source"], "simulated": payload["simulated"], "lang": lang,
           "request": dict(payload["request"]),
           "branches": [{"id": one["id"], "label": one["label"], "state": _state(out, one["id"], failed),
                         "run": freshness.sha256_of(out / one["id"] / "run.json")} for one in payload["branches"]]}
    write_if_other(out / "run.json", run_json_bytes(run, files))
    tell({"event": "done", "stage": "index", "seconds": 0.0})
    return {"state": "done", "page": str(out / "index.html"), "files": sorted(files)}


def _summaries(out: Path, branches: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for one in branches:
        try:
            yield json.loads((out / one["id"] / "summary.json").read_bytes())
        except FileNotFoundError:
            continue    # it failed, and has no report of a run before


def _state(out: Path, name: str, failed: Mapping[str, Any]) -> str:
    return "failed" if name in failed else "done"


def write_if_other(path: Path, content: bytes) -> None:
    """Write a file unless it holds just that."""
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    write_atomically(path, content)
