"""``run.json``: what was run on what, the hash of every file, and a seal over itself; and whether it all still agrees.

A hash finds accidents and careless changes. It is no signature: whoever can write to the folder can change a file and
compute every hash anew, and nothing here would show it. What such a hand cannot change unnoticed is the way from the
source, where its workbooks lie elsewhere: files, cells, ledger and panel are computed again from them. What comes after
the panel (tables, pages) is compared by its hashes only; making the report again is what shows whether it follows from
the panel. PDFs are printed afterwards and are not covered.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ConfigError, EbankError
from ..files import CORRECTIONS, find_source
from ..sources import open_source
from ..versions import library_versions, package_sha256

# May lie beside what a run.json lists: what a run keeps of itself, PDFs, and what only the whole run's names.
_BESIDE = re.compile(r"\.ebank/.*|failed/.*|previous\.json|(.*/)?(report|index|changes)\.pdf")


# ---------------------------------------------------------------- writing

def text_sha256(text: str | bytes) -> str:
    """Return the hash of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8") if isinstance(text, str) else text).hexdigest()


def frame_sha256(frame: pd.DataFrame) -> str:
    """Return the hash of a table: of its CSV text, every number in full, with its index if that has names."""
    named = any(name is not None for name in frame.index.names)
    return text_sha256(frame.to_csv(index=named, lineterminator="\n"))


def source_links(files: Sequence[Mapping[str, Any]], cells: pd.DataFrame, ledger: pd.DataFrame,
                 panel: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the panel was made from, step by step: ``[{step, count, sha256}]``.

    The ledger's reasons are left out: they are words, in the reader's language, for the rules that stand beside them.
    """
    plain = ledger.drop(columns=[c for c in ("reason",) if c in ledger.columns])
    steps = {"source": (len(files), text_sha256("\n".join(f"{one['file']} {one['sha256']}" for one in files))),
             "cells": (len(cells), frame_sha256(cells)), "ledger": (len(ledger), frame_sha256(plain)),
             "panel": (int(panel.notna().to_numpy().sum()), frame_sha256(panel))}
    return [{"step": step, "count": int(count), "sha256": sha256} for step, (count, sha256) in steps.items()]


def run_json_bytes(run: Mapping[str, Any], files: Mapping[str, bytes | str]) -> bytes:
    """Return ``run.json``: `run` (which must name no time, no machine and no credential) with the hash of every other
    file of its folder (relative path to bytes or sha256), and the seal."""
    return _sealed({**run, "artefacts": {name: content if isinstance(content, str) else text_sha256(content)
                                         for name, content in files.items()}})


def _sealed(run: Mapping[str, Any]) -> bytes:
    whole = {name: value for name, value in run.items() if name != "seal"}
    return _canonical({**whole, "seal": text_sha256(_canonical(whole))})


def _canonical(run: Mapping[str, Any]) -> bytes:
    return (json.dumps(run, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "replace")


def _read(content: bytes) -> dict[str, Any] | None:
    """Return a ``run.json`` that is as it was written, to the byte; else None."""
    try:
        run = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) and _sealed(run) == content else None


def plain_path(name: str) -> bool:
    """Whether a path in ``run.json`` stays below its folder."""
    return bool(re.fullmatch(r"[^\\:\x00-\x1f]+", name)) and not {"", ".", ".."} & set(name.split("/"))


# ---------------------------------------------------------------- comparing

@dataclass(frozen=True)
class Broken:
    """What does not agree: a step or "files", the file, what was expected and what was found (hashes or a word)."""

    step: str
    file: str
    expected: str
    found: str


@dataclass
class Verdict:
    """What was found in one folder: how many files were compared, what does not agree, and remarks."""

    folder: Path
    files: int = 0
    broken: list[Broken] = field(default_factory=list)
    remarks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything agrees."""
        return not self.broken

    def expect(self, step: str, file: str, expected: object, found: object) -> None:
        """Note a difference, if it is one."""
        if expected != found:
            self.broken.append(Broken(step, file, str(expected), str(found)))


def verify(folder: str | Path, source: str | Path | None = None) -> list[Verdict]:
    """Compare every file of a report, or of all reports of a run, with its hash, and the source with the panel.

    The source is the one that ``run.json`` names, where it is at hand, if none is given. The whole run's verdict comes
    first, then each report's; a folder without any is a ConfigError.
    """
    from .branch import open_province

    folder = Path(folder)
    below = sorted(p.parent for p in folder.glob("*/run.json")) if folder.is_dir() else []
    # Around reports that were made one by one nothing lies, and nothing tells of them.
    loose = below and any(path.is_file() for path in folder.iterdir())
    around = [folder] if loose or (folder / "run.json").is_file() else []
    if not around and not below:
        raise ConfigError("is no report", file=str(folder), found="no run.json", expected="a report's folder")
    links = functools.cache(lambda source: open_province(source).links)     # each is read once for all reports
    return [_verdict(one, lambda verdict, run: _whole(verdict, run, source, links)) for one in [*around, *below]]


def as_written(folder: Path) -> bool:
    """Whether the ``run.json`` of a report or a run, and every file that it lists, are as they were written."""
    return _verdict(folder).holds


def _verdict(folder: Path, besides: Callable[[Verdict, dict[str, Any]], None] | None = None) -> Verdict:
    """Return what a ``run.json`` says of the files of its folder, and of what is to be compared `besides`."""
    verdict = Verdict(folder)
    try:
        content = (folder / "run.json").read_bytes()
    except OSError:
        verdict.expect("seal", "run.json", "run.json", "missing")
        return verdict
    if (run := _read(content)) is None:
        verdict.expect("seal", "run.json", "a sealed run.json", text_sha256(content))
        return verdict
    try:
        for name, expected in sorted(_listed(run).items()):
            verdict.files += 1
            link = (folder / name).is_symlink()
            verdict.expect("files", name, expected, "missing" if link else _sha256_below(folder, name))
        if besides is not None:
            besides(verdict, run)
    except (KeyError, TypeError, ValueError, AttributeError) as error:    # sealed, but no run.json of ours
        verdict.expect("seal", "run.json", "run.json", f"{type(error).__name__}: {error}")
    return verdict


def _listed(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of all files that a run.json lists: of a whole run also each report's run.json."""
    return run["artefacts"] | {f"{one['id']}/run.json": one["run"] for one in run.get("branches", ()) if one["run"]}


def _whole(verdict: Verdict, run: Mapping[str, Any], source: str | Path | None,
           links: Callable[[Path], list[dict[str, Any]]]) -> None:
    """Find files that are not listed, except what has a run.json of its own; of a report, compare its source too."""
    folder, listed = verdict.folder, _listed(run)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        top = name.split("/")[0]
        known = name in (*listed, "run.json") or _BESIDE.fullmatch(name) or (
            name not in (top, f"{top}/run.json") and (folder / top / "run.json").is_file())
        if (path.is_file() or path.is_symlink()) and not known:
            verdict.expect("files", name, "unlisted", "a link" if path.is_symlink() else text_sha256(path.read_bytes()))
    if "branches" not in run:
        _source(verdict, run, source, links)


def _sha256_below(folder: Path, name: str) -> str:
    """Return the hash of a file that lies in a folder, or "missing"."""
    there = plain_path(name) and (folder / name).is_file()
    return text_sha256((folder / name).read_bytes()) if there else "missing"


def _source(verdict: Verdict, run: Mapping[str, Any], given: str | Path | None,
            links: Callable[[Path], list[dict[str, Any]]]) -> None:
    """Compare the source's files, and cells, ledger and panel computed again from them, with what was recorded."""
    try:
        path = find_source(run["source"] if given is None else given)
    except EbankError:
        if given is not None:
            raise
        verdict.remarks.append(("no_source", {}))
        return
    root = Path(open_source(path).root)
    for name, expected in ((one["file"], one["sha256"]) for one in run["files"]):
        if "://" not in name:       # a database has no file to compare
            found = _sha256_below(path.parent if name == CORRECTIONS else root, name)
            verdict.expect("source", name, expected, found)
    if any(one.step == "source" for one in verdict.broken):
        return
    if run["code"] != package_sha256() or run["versions"] != library_versions():
        verdict.remarks.append(("other_code", {}))
        return
    known = {one["step"]: one["sha256"] for one in run["data"]}
    try:
        for one in links(path):
            verdict.expect(one["step"], str(run["source"]), known.get(one["step"], "missing"), one["sha256"])
    except EbankError as error:
        verdict.broken.append(Broken("source", str(run["source"]), "source", str(error)))
        return
    verdict.remarks.append(("source_held", {"n": len(run["files"])}))
