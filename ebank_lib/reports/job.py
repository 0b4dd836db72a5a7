"""One piece of a batch, in a process of its own: JSON in, JSON out, files written each whole or not at all.

There are four kinds: ``prepare`` reads and cleans the source once, so that the store holds it for all others, and
``learn`` works out what all branches teach, to the same end; ``report`` makes one branch's report or the province's;
``finish`` makes the pages around them. A job may be run twice, or twice at once: it writes the same bytes. What goes
wrong in a report is part of its result, not an exception.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..cleaning import clean
from ..errors import EbankError
from ..files import own_folder, write_atomically
from ..forecasting import learn
from ..sources import open_source
from ..wording import LANGUAGES
from . import execution, failing, finishing, freshness
from .branch import make_province_report, make_report, open_province
from .lock import HOME
from .orders import labels_of

__all__ = ["run_job"]

Tell = Callable[[dict], None]


def run_job(payload: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Do one piece of a batch.

    Parameters
    ----------
    payload : mapping
        ``do`` (prepare, learn, report or finish), ``out``, ``source``, ``request`` (lang, indicator, start, end, extra)
        and ``inputs`` (of today); see the functions below for the rest.
    tell : callable
        Takes ``{"event": start | done | failed | held | tick, "stage", "seconds"}`` while notebooks run.

    Returns
    -------
    dict
        ``state`` (done or failed) and what the batch is to say of it.
    """
    with contextlib.suppress(ValueError):       # only a main thread may set a handler
        signal.signal(signal.SIGTERM, _ended)
    try:
        kinds = {"prepare": _prepare, "learn": _learn, "report": _report, "finish": finishing.finish}
        return kinds[payload["do"]](payload, tell)
    except EbankError as error:
        return {"state": "failed", "failure": failing.failure_of(error)}
    except OSError as error:
        kind = "disk" if failing.is_full(error) else "system"
        return {"state": "failed", "failure": failing.failure(kind, type(error).__name__, error.strerror or str(error))}


def _ended(number: int, frame: object) -> None:
    """Take a polite request to end as an interruption: kernels end, nothing half-written stays."""
    raise KeyboardInterrupt


def _prepare(payload: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Read and clean a source and note what is in it."""
    request, inputs = payload["request"], dict(payload["inputs"])
    tell({"event": "start", "stage": "clean", "seconds": 0.0})
    province = open_province(payload["source"])
    catalog = province.catalog
    if inputs["data"] is None:      # a database: its content is known now
        inputs["data"] = "read:" + "".join(province.files["sha256"].astype(str))
    whole = catalog.total or failing.PROVINCE
    panel = province.cleaned.panel
    known = set(panel.index.get_level_values("branch"))
    freshness.write_json(own_folder(Path(payload["out"]), HOME, "state") / "source.json", {
        "inputs": inputs, "how": freshness.how_of(request), "fingerprints": {},
        "title": {lang: province.cleaned.source.title(lang) for lang in LANGUAGES},
        "simulated": province.cleaned.source.simulated,
        "branches": [{"id": name, "label": labels_of(catalog, name), "data": name in known}
                     for name in catalog.reporting],
        "whole": {"id": whole, "label": labels_of(catalog, whole)}})
    tell({"event": "done", "stage": "clean", "seconds": 0.0})
    return {"state": "done"}


def _cleaned(source: str, request: Mapping[str, Any]) -> Any:
    """Return the source as the notebooks clean it."""
    policy, start, end = freshness.how_of(request)
    return clean(open_source(source), policy or "conservative", start, end)


def _learn(payload: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Learn what all branches teach, with ``workers`` processes, for each of ``asked``: horizon and origins."""
    tell({"event": "start", "stage": "learn", "seconds": 0.0})
    cleaned = _cleaned(payload["source"], payload["request"])
    indicator = cleaned.catalog.indicator(payload["request"]["indicator"] or "").key
    for asked in payload["asked"]:
        learn(cleaned, **asked, indicator=indicator)
    tell({"event": "done", "stage": "learn", "seconds": 0.0})
    return {"state": "done"}


def _report(payload: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Make one report: ``branch`` (None for the province), ``name`` (its folder), ``notebooks`` (paths), ``at_once``,
    ``cell_timeout``, ``again`` (nothing is reused), ``command`` (that makes it again).
    """
    request, out = payload["request"], Path(payload["out"])
    notebooks = [Path(path) for path in payload["notebooks"]]
    kept = _Kept(out, payload, notebooks)
    make = make_province_report if payload["branch"] is None else make_report
    given = (payload["source"],) if payload["branch"] is None else (payload["source"], payload["branch"])
    try:
        report = make(
            *given, **{name: request[name] for name in ("lang", "indicator", "start", "end")}, out=out,
            extra=execution.applicable(request["extra"], notebooks), notebooks=notebooks, workers=payload["at_once"],
            cell_timeout=payload["cell_timeout"], held=None if payload["again"] else kept.held, finished=kept.keep,
            progress=lambda event, stage, seconds: tell({"event": event, "stage": stage, "seconds": seconds}))
    except execution.NotebookError as error:
        failed = failing.failure_of(error)
        return {"state": "failed", "failure": failed, "reused": sorted(kept.reused)}
    kept.seal(report.folder)
    return {"state": "done", "page": str(report.page), "warnings": report.warnings, "reused": sorted(kept.reused),
            "not_done": {name: {"cell": end.cell, "message": end.message} for name, end in report.not_done.items()}}


class _Kept:
    """The executed notebooks that there are of a report: of the last one, and of a run that did not come to its end."""

    def __init__(self, out: Path, payload: Mapping[str, Any], notebooks: list[Path]):
        self._name, self._payload, self._request = payload["name"], payload, payload["request"]
        self._inputs = dict(payload["inputs"])
        self._home = own_folder(out, HOME)
        self._folder = own_folder(out, payload["name"])
        self._hashes = {path.stem: self._inputs["notebooks"].get(path.stem) for path in notebooks}
        source = freshness.read_json(self._home / "state" / "source.json")
        known = (self._inputs["data"] is not None and source.get("how") == freshness.how_of(self._request)
                 and all(source["inputs"][name] == self._inputs[name] for name in ("described", "data", "code")))
        self._prints = source["fingerprints"] if known else None
        self._entries: dict[str, dict[str, Any]] = {}
        self.reused: set[str] = set()

    def _partial(self) -> Path:
        return own_folder(self._home, "partial", self._name)

    def held(self, name: str, parameters: Mapping[str, Any]) -> bytes | None:
        """Return an executed notebook that is what would come out again."""
        state = freshness.read_json(self._home / "state" / f"{self._name}.json")
        places = [(freshness.read_json(self._partial() / f"{name}.json"), self._partial()),
                  (state.get("notebooks", {}).get(name, {}), self._folder / "notebooks")]
        for entry, folder in places:
            if not entry or not freshness.notebook_is_fresh(entry, parameters, self._hashes[name], self._inputs,
                                                            self.prints):
                continue
            path = folder / f"{name}.ipynb"
            if freshness.sha256_of(path) == entry["sha256"]:
                self._entries[name] = {**entry, "inputs": self._inputs}
                self.reused.add(name)
                return path.read_bytes()
        return None

    @property
    def prints(self) -> dict[str, str]:
        """The hashes of the parts of the source today; worked out where nobody has done so."""
        if self._prints is None:
            self._prints = {}
        return self._prints

    def keep(self, done: execution.Executed) -> None:
        """Keep a notebook as it is executed, for a run after this one if this one is ended."""
        body = done.path.read_bytes()
        entry = {"parameters": dict(done.parameters), "notebook": self._hashes[done.name], "inputs": self._inputs,
                 "reads": None if done.reads is None else {part: self.prints.get(part) for part in done.reads},
                 "sha256": freshness.sha256_of(done.path)}
        self._entries[done.name] = entry
        folder = self._partial()
        write_atomically(folder / f"{done.name}.ipynb", body)
        freshness.write_json(folder / f"{done.name}.json", entry)

    def seal(self, folder: Path) -> None:
        """Note what the report was made from, once it is whole."""
        freshness.write_json(own_folder(self._home, "state") / f"{self._name}.json", {
            "request": self._request, "inputs": self._inputs, "notebooks": self._entries,
            "files": freshness.file_hashes(folder)})
