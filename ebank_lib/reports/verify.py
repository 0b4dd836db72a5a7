"""The chain computed again: which link, if any, does not hold any more.

What is found: every changed, missing or additional byte of a file; a hash that was changed with it, because each link
holds all before it and the seal holds them all; and a chain computed anew, where page, workbook and tables can be made
again from the notebooks, and cells, ledger and panel from the source. What is not found: somebody who changes numbers
inside a notebook, or in ``summary.json``, and computes everything after it anew. Only running the notebooks again
(``ebank report``) finds that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, EbankError
from ..paths import find_source
from . import trace
from .artefacts import STEPS, about_of, build, files_sha256, step_of
from .seal import library_versions, package_sha256, plain_path, seal_problem

__all__ = ["Broken", "Verdict", "verify"]

_WHOLLY_OURS = ("notebooks", "tables")


@dataclass(frozen=True)
class Broken:
    """A link that does not hold: where, what was expected and what was found (hashes, or a word for no file)."""

    step: str
    file: str
    expected: str
    found: str


@dataclass
class Verdict:
    """What was found in one folder: the links looked at, those that do not hold in the order of the chain, remarks."""

    folder: Path
    files: int = 0
    links: int = 0
    broken: list[Broken] = field(default_factory=list)
    remarks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every link holds."""
        return not self.broken

    def expect(self, step: str, file: str, expected: object, found: object) -> None:
        """Note a link that does not hold."""
        if expected != found:
            self.broken.append(Broken(step, file, str(expected), str(found)))


def verify(folder: str | Path, source: str | Path | None = None) -> list[Verdict]:
    """Compute the chain of a report, or of all reports of a run, again.

    Parameters
    ----------
    folder : path
        A branch's folder, or the output folder of a run.
    source : path, optional
        The source; else the one that ``run.json`` names, where it is at hand.

    Returns
    -------
    list of Verdict
        Of the whole run first, then of each report.

    Raises
    ------
    ConfigError
        Nothing to verify there.
    """
    folder = Path(folder)
    below = sorted(p.parent for p in folder.glob("*/run.json")) if folder.is_dir() else []
    if not (folder / "run.json").is_file() and not below:
        raise ConfigError("is no report", file=str(folder), found="no run.json", expected="a report's folder")
    sources: dict[str, Any] = {}
    if not (folder / "run.json").is_file():
        return [_report(one, source, sources) for one in below]
    run, verdict = _opened(folder)
    if run is None or "branches" not in run:
        return [_report(folder, source, sources), *(_report(one, source, sources) for one in below)]
    named = [folder / str(b.get("id", "")) for b in run["branches"] if isinstance(b, Mapping)]
    if verdict.holds:
        _files(verdict, run)
        for one, path in ((b, folder / str(b.get("id", ""))) for b in run["branches"] if isinstance(b, Mapping)):
            if one.get("run") and (path / "run.json").is_file():    # the index tells of this report and no other
                verdict.expect("run", f"{path.name}/run.json", one["run"],
                               trace.text_sha256((path / "run.json").read_bytes()))
    return [verdict, *(_report(one, source, sources)
                       for one in dict.fromkeys([*(n for n in named if (n / "run.json").is_file()), *below]))]


def _opened(folder: Path) -> tuple[dict[str, Any] | None, Verdict]:
    """Return a ``run.json`` and a verdict on its seal; None for one that cannot be read."""
    verdict = Verdict(folder)
    try:
        content = (folder / "run.json").read_bytes()
    except OSError:
        verdict.broken.append(Broken("seal", "run.json", "run.json", "missing"))
        return None, verdict
    problem = seal_problem(content)
    if problem:
        verdict.broken.append(Broken("seal", "run.json", *problem))
    try:
        run = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        run = None
    return (run if isinstance(run, dict) else None), verdict


def _files(verdict: Verdict, run: Mapping[str, Any]) -> dict[str, bytes]:
    """Compare every file with its hash, in the order of the chain; return what was read."""
    said, read = run.get("artefacts"), {}
    said = said if isinstance(said, dict) else {}
    order = {step: n for n, step in enumerate(STEPS)}
    for name in sorted(said, key=lambda name: (order.get(step_of(name), len(order)), name)):
        verdict.files += 1
        path = verdict.folder / name
        if not plain_path(name) or path.is_symlink() or not path.is_file():
            verdict.expect(step_of(name), name, said[name], "missing")
            continue
        read[name] = path.read_bytes()
        verdict.expect(step_of(name), name, said[name], trace.text_sha256(read[name]))
    for own in _WHOLLY_OURS:
        for path in sorted((verdict.folder / own).glob("*")):
            if f"{own}/{path.name}" not in said:
                verdict.expect(step_of(f"{own}/x"), f"{own}/{path.name}", "unlisted",
                               trace.text_sha256(path.read_bytes()) if path.is_file() else "unlisted folder")
    return read


def _report(folder: Path, source: str | Path | None, sources: dict[str, Any]) -> Verdict:
    run, verdict = _opened(folder)
    if verdict.broken or run is None:       # nothing that it says can be held against the files
        return verdict
    files = _files(verdict, run)
    try:
        links = [dict(one) for one in run["chain"]]
        _links(verdict, run, links, files)
        if not verdict.broken:
            _again(verdict, run, links)
        _source(verdict, run, links, source, sources)
    except (KeyError, TypeError, ValueError, AttributeError) as error:    # sealed anew, but no run.json of ours
        verdict.broken.append(Broken("seal", "run.json", "run.json", f"{type(error).__name__}: {error}"))
    order = {step: n for n, step in enumerate(("seal", "chain", *STEPS))}
    verdict.broken.sort(key=lambda one: order.get(one.step, len(order)))
    return verdict


def _links(verdict: Verdict, run: Mapping[str, Any], links: list[dict[str, Any]], files: Mapping[str, bytes]) -> None:
    """Compare each link with the files it is about and with the link before it."""
    verdict.links = len(links)
    plain = [{k: v for k, v in one.items() if k != "chain"} for one in links]
    for said, computed in zip(links, trace.chained(plain), strict=True):
        if said.get("chain") != computed["chain"]:
            verdict.expect("chain", f"run.json: {said.get('step')}", said.get("chain"), computed["chain"])
            break
    known = {one["step"]: one["sha256"] for one in links}
    groups: dict[str, dict[str, bytes]] = {}
    for name, content in files.items():
        groups.setdefault(step_of(name), {})[name] = content
    for step, own in groups.items():
        if step != "other" and not any(b.step == step for b in verdict.broken):
            verdict.expect(step, f"run.json: {step}", known.get(step), files_sha256(own))
    verdict.expect("source", "run.json: files", known.get("source"), trace.text_sha256(
        "\n".join(f"{one['file']} {one['sha256']}" for one in run["files"])))


def _same_code(run: Mapping[str, Any]) -> bool:
    return run.get("code") == package_sha256() and run.get("versions") == library_versions()


def _again(verdict: Verdict, run: Mapping[str, Any], links: list[dict[str, Any]]) -> None:
    """Make page, workbook and tables again from the notebooks and compare them."""
    if not _same_code(run):
        verdict.remarks.append(("other_code", {}))
        return
    before = [{k: v for k, v in one.items() if k != "chain"} for one in links
              if STEPS.index(one["step"]) < STEPS.index("notebooks")]
    books = [verdict.folder / "notebooks" / f"{name}.ipynb" for name in run["stages"]]
    try:
        made = build(books, about_of(run["about"], run["files"]), before)
    except EbankError as error:
        verdict.broken.append(Broken("notebooks", "notebooks", "notebooks", str(error)))
        return
    for name, content in made.files.items():
        said = run["artefacts"].get(name, "missing")
        verdict.expect(step_of(name), name, trace.text_sha256(content), said)
    made_tables = next(one["sha256"] for one in made.links if one["step"] == "tables")
    verdict.expect("tables", "run.json: tables", made_tables,
                   next((one["sha256"] for one in links if one["step"] == "tables"), "missing"))
    verdict.remarks.append(("remade", {}))


def _source(verdict: Verdict, run: Mapping[str, Any], links: list[dict[str, Any]], source: str | Path | None,
            sources: dict[str, Any]) -> None:
    """Read and clean the source again, where it is at hand, and compare files, cells, ledger and panel."""
    try:
        path = find_source(source if source is not None else run["source"])
    except EbankError:
        if source is not None:
            raise
        verdict.remarks.append(("no_source", {}))
        return
    known = {one["step"]: one for one in links}
    said = {one["file"]: one["sha256"] for one in run["files"]}
    held = sources.get(str(path)) or sources.setdefault(str(path), _Source(path))
    for name, expected in said.items():
        found = held.sha256(name)
        if found is not None:
            verdict.expect("source", name, expected, found)
    if any(one.step == "source" for one in verdict.broken):
        return
    if not _same_code(run):
        verdict.remarks.append(("other_code_source", {}))
        return
    try:
        computed = held.links()
    except EbankError as error:
        verdict.broken.append(Broken("source", str(run["source"]), "source", str(error)))
        return
    for one in computed:
        verdict.expect(one["step"], str(run["source"]), known.get(one["step"], {}).get("sha256", "missing"),
                       one["sha256"])
    verdict.remarks.append(("source_held", {"n": len(said)}))


class _Source:
    """A source that is read once for all reports of a run."""

    def __init__(self, path: Path):
        self.path = path
        self._hashes: dict[str, str | None] = {}
        self._links: tuple[dict[str, Any], ...] | None = None

    def sha256(self, name: str) -> str | None:
        """Return the hash of a file below the source's folder; None for what is no file (a database)."""
        if name not in self._hashes:
            from ..sources import open_source

            path = Path(open_source(self.path).root) / name
            inside = plain_path(name) and "://" not in name
            self._hashes[name] = (trace.text_sha256(path.read_bytes()) if inside and path.is_file()
                                  else "missing" if inside else None)
        return self._hashes[name]

    def links(self) -> Iterable[dict[str, Any]]:
        """Return the links from the files to the panel."""
        if self._links is None:
            from .branch import open_province

            self._links = open_province(self.path).links
        return self._links
