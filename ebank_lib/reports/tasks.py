"""What a process of a batch does: one task, which is its whole life; and what a run keeps of itself in ``OUT/.ebank``.

Plain data in and out, files written each whole. ``prepare`` reads and cleans the source, so that the store holds it for
all others; ``learn`` works out what all branches teach, to the same end; ``notebook`` runs one notebook; ``page`` sets
a report from its notebooks; ``index`` makes the pages around the reports. A task may be run twice, or twice at once: it
writes the same bytes. How it went wrong is its result, not an exception.

One run at a time works in an output folder; what a killed one left there is cleared away by the next. For every report
there is ``state/BRANCH.json``, written after the report's seal: the hash of source, code, notebooks and parameters, and
that of the sealed ``run.json``, which has the hashes of all files that came out; so a run does again what has to be
done again and nothing else. It is no part of a result: a run without it makes the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import read_text
from ..errors import ConfigError, EbankError, quote
from ..files import named_file, own_folder, renew, shipped, write_atomically
from ..sources import Source, open_source
from .parameters import one_line, read_notebook

try:
    import fcntl
except ImportError:     # Windows: there, keeping two runs apart is left to the user
    fcntl = None

HOME = ".ebank"
SCHEMA = 2
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")     # as write_atomically calls a file that is not finished
_ASK_EVERY = 0.2
_LONGEST = 2000
_ASKED = ("lang", "indicator", "start", "end")      # of a request: what a report is about
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MACHINE = (*_FULL, errno.ENOMEM, errno.EIO, errno.ENFILE, errno.EMFILE, errno.EAGAIN)


# ---------------------------------------------------------------- the lock

@contextlib.contextmanager
def locked(out: Path, branch: str | None, command: str, wait: bool = False,
           waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an output folder, or one branch in it, until the end of the block or of this process.

    A run of everything (no `branch`) holds the folder alone; runs of single branches hold it together, and each its
    branch alone. `command` is told to whoever comes second: that one is refused, or waits, and `waiting` is told for
    whom.
    """
    home = own_folder(out, HOME)
    with contextlib.ExitStack() as stack:
        for name in ["lock"] if branch is None else ["lock", f"lock-{branch}"]:
            try:
                handle = os.open(home / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
            except OSError as error:
                raise ConfigError("cannot be written", file=str(home / name), found=error.strerror) from error
            stack.callback(os.close, handle)     # and the lock with it
            if fcntl is not None:
                alone = branch is None or name != "lock"
                _take(handle, out, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, wait, waiting)
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()}: {command}".encode(), 0)
        yield


def _take(handle: int, out: Path, how: int, wait: bool, waiting: Callable[[str], None] | None) -> None:
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            who = os.pread(handle, 4096, 0).decode("utf-8", "replace") or "a process that is just beginning"
            if not wait:
                raise ConfigError("is in use by another run", file=str(out), found=who,
                                  hint="Wait for it (--wait), or name another folder (--out).") from None
            if waiting:
                waiting(who)
                waiting = None
            time.sleep(_ASK_EVERY)
        except OSError as error:
            raise ConfigError("cannot be locked", file=str(out), found=error.strerror,
                              expected="a file system with locks") from error


def sweep(out: Path, keep: str = "") -> None:
    """Remove unfinished files of a run that was killed. Only for whoever holds `out` alone; `keep` is a folder of ours.
    """
    work, whole = own_folder(out, HOME, "work"), out.resolve()
    try:
        for pattern in (".*", "*/.*", "*/notebooks/.*", "*/tables/.*", "*/failed/.*", f"{HOME}/**/.*"):
            for path in list(out.glob(pattern)):
                # Behind a link lies what is not ours.
                ours = path.is_file() and path.resolve() == whole / path.relative_to(out)
                if ours and _TEMPORARY.fullmatch(path.name):
                    path.unlink(missing_ok=True)
        for old in work.iterdir():
            if str(old) != keep:
                shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ConfigError("cannot be cleared", file=str(error.filename or out), found=error.strerror,
                          expected="a folder that may be written") from error


# ---------------------------------------------------------------- what was made from what

def sha256_of(path: Path) -> str | None:
    """Return the hash of a file; None for one that is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def hash_of(value: Any) -> str:
    """Return the hash of what JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def read_json(path: Path, schema: int = SCHEMA) -> dict[str, Any]:
    """Return what is kept; nothing where there is no such file or a damaged one: then it is made again."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("schema") == schema else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Keep what :func:`read_json` returns."""
    text = json.dumps({**content, "schema": SCHEMA}, ensure_ascii=False, indent=0, sort_keys=True)
    write_atomically(path, text.encode("utf-8", "surrogatepass"))


def source_hash(source: str | Path | Source) -> str | None:
    """Return the hash of a source with what it names besides its files, and of the facts of the world that stand beside
    every source; None for a database, which only reading tells."""
    opened = source if isinstance(source, Source) else open_source(source)
    named = filter(None, (named_file(opened, key) for key in ("facts", "strategies", "problems")))
    world = sorted(shipped("data", "reference").glob("*.csv"))
    return opened.content and hash_of([opened.content, [read_text(path, "a YAML file") for path in named],
                                       [[path.name, sha256_of(path)] for path in world]])


# ---------------------------------------------------------------- a task

def perform(do: str, cache: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do one task and return its result: ``state`` (done or failed), ``seconds``, and what the batch is to say of it.

    `do` names a function below and `given` are its arguments, as JSON says them; `cache` is the store's folder.
    """
    from ..store import VARIABLE

    begun = time.monotonic()
    os.environ.pop(VARIABLE, None)
    if cache:
        os.environ[VARIABLE] = cache
    try:
        result = _TASKS[do](**given)
    except Exception as error:  # a branch that fails costs only itself
        result = {"failure": failure_of(error)}
    return {"state": "failed" if "failure" in result else "done", "seconds": time.monotonic() - begun, **result}


# ---------------------------------------------------------------- what went wrong

class Unfinished(EbankError):
    """Not the input ended the work: no memory, processes that end, a cluster that is gone, a source that changes."""


class SourceChanged(EbankError):
    """The source is no longer the one that the run began with."""


def failure(kind: str, error: str, message: str, notebook: str | None = None,
            cell: int | None = None) -> dict[str, Any]:
    """Return a failure as plain JSON: `kind` is notebook, input, disk, system, crash, memory, time, changed or bug."""
    return {"kind": kind, "error": error, "message": one_line(message, _LONGEST), "notebook": notebook, "cell": cell}


def failure_of(error: Exception) -> dict[str, Any]:
    """Return the failure that an error is."""
    causes = list(_causes(error))
    if isinstance(error, SourceChanged):
        kind = "changed"
    elif any(isinstance(one, OSError) and one.errno in _FULL for one in causes):
        kind = "disk"
    elif any(isinstance(one, MemoryError) for one in causes):
        kind = "memory"
    elif isinstance(error, OSError) or is_machine(error):
        kind = "system"
    else:
        kind = "input" if isinstance(error, EbankError) else "bug"
    return failure(kind, type(error).__name__, str(error))


def is_machine(error: BaseException) -> bool:
    """Whether not the input but the machine is the reason: a full disk, no memory, a cluster that is gone."""
    return any(isinstance(one, (Unfinished, MemoryError)) or (isinstance(one, OSError) and one.errno in _MACHINE)
               for one in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def reason(failed: Mapping[str, Any]) -> str:
    """Return a failure in one line.

    Examples
    --------
    >>> reason(failure("notebook", "ValueError", "no data", "04_forecasting", 7))
    '04_forecasting, cell [7]: ValueError: no data'
    """
    if failed["kind"] in ("input", "disk", "system", "changed"):
        return failed["message"]
    where = f"{failed['notebook']}, cell [{failed['cell']}]: " if failed["cell"] else (
        f"{failed['notebook']}: " if failed["notebook"] else "")
    what = f"{failed['error']}: " if failed["error"] else ""
    return where + what + quote(failed["message"]).strip("'")


# ---------------------------------------------------------------- the source

def _prepare(source: str, request: Mapping[str, Any], only: Sequence[str | None] | None) -> dict[str, Any]:
    """Read and clean a source and say what is in it; `only` names the reports that are asked for."""
    from ..wording import LANGUAGES
    from .branch import open_province, scope_of
    from .summary import labels_of

    province = open_province(source)
    catalog = province.catalog

    def report(branch: str | None) -> dict[str, Any]:
        name = province.whole if branch is None else catalog.branch(branch).id
        said = {"branch": None if branch is None else name, "name": name, "label": labels_of(catalog, name)}
        try:
            return said | {"indicator": scope_of(province, branch, *map(request.get, _ASKED)).indicator}
        except EbankError as error:
            return said | {"indicator": "", "failure": failure_of(error)}

    wanted = [*catalog.reporting, None] if only is None else only
    return {"title": {lang: province.cleaned.source.title(lang) for lang in LANGUAGES},
            "simulated": province.cleaned.source.simulated, "read": _read(province),
            "reports": [report(branch) for branch in wanted]}


def _read(province: Any) -> str:
    """Return the hash of what was read; of a database that of its answers."""
    return source_hash(province.cleaned.source) or hash_of([one["sha256"] for one in province.files])


def _learn(source: str, request: Mapping[str, Any], asked: Mapping[str, int],
           part: tuple[int, int] | None) -> dict[str, Any]:
    """Learn what all branches teach, for a horizon and origins, from the source as the notebooks clean it."""
    from ..cleaning import clean
    from ..forecasting import learn
    from ..sources import open_source

    policy = request["extra"].get("policy") or "conservative"
    cleaned = clean(open_source(source), policy, request["start"] or None, request["end"] or None)
    learn(cleaned, **asked, indicator=cleaned.catalog.indicator(request["indicator"] or "").key, part=part)
    return {}


# ---------------------------------------------------------------- a report

def partial(out: Path, name: str, key: str) -> Path:
    """Return the folder of a report's executed notebooks until it is whole, all made from what the hash `key` is of:
    those of a run that did not come to its end are there for the next."""
    return own_folder(out, HOME, "partial", name, key)


def _notebook(out: str, name: str, path: str, parameters: Mapping[str, Any], key: str,
              cell_timeout: float) -> dict[str, Any]:
    """Run one notebook; where it fails, what it did is kept in the report's ``failed/``."""
    import nbformat

    from .notebook import NotebookFailed, run_notebook

    stem = Path(path).stem
    try:
        book = run_notebook(read_notebook(Path(path)), parameters, cell_timeout)
    except NotebookFailed as error:
        kept = own_folder(Path(out), name, "failed")
        for old in kept.glob("*.ipynb"):
            old.unlink()
        write_atomically(kept / f"{stem}.ipynb", nbformat.writes(error.book).encode("utf-8", "replace") + b"\n")
        kind = {"Timeout": "time", "MemoryError": "memory"}.get(error.error, "notebook")
        return {"failure": {**failure(kind, error.error, one_line(error.message), stem, error.cell),
                            "kept": f"{stem}.ipynb"}}
    write_atomically(partial(Path(out), name, key) / f"{stem}.ipynb", nbformat.writes(book).encode("utf-8") + b"\n")
    return {}


def _page(source: str, out: str, branch: str | None, request: Mapping[str, Any], notebooks: Sequence[str],
          key: str, read: str, indexed: bool) -> dict[str, Any]:
    """Set a report from its executed notebooks, unless the source has changed; `indexed`: with a way to the index."""
    from .branch import open_province, scope_of, write_report

    province = open_province(source)
    about = replace(scope_of(province, branch, *map(request.get, _ASKED)), indexed=indexed)

    def check() -> None:
        if _read(province) != read or source_hash(source) not in (None, read):
            raise SourceChanged("the source was changed while the run read it")

    made = partial(Path(out), about.branch, key)
    folder, content = write_report(province, about, [made / f"{name}.ipynb" for name in notebooks], Path(out), check)
    write_json(own_folder(Path(out), HOME, "state") / f"{about.branch}.json",
               {"key": key, "run": sha256_of(folder / "run.json")})
    return {"page": str(folder / "report.html"),
            "warnings": [f"{one.name} {line}" for one in content.executed for line in one.stderr],
            "not_done": {one.name: one.not_done for one in content.executed if one.not_done}}


# ---------------------------------------------------------------- the pages around the reports

def _index(source: str, out: str, request: Mapping[str, Any], failed: Mapping[str, Mapping[str, Any]],
           about: Mapping[str, Any] | None, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write the page of each branch that failed and, of a run of all, ``index.html``, ``changes.html``, ``run.json``.

    `failed` says what went wrong, by the report's name; `about` is the source's ``title`` and ``simulated``, None where
    not all reports were asked for; `reports` are ``{name, label}`` in the order of the index.
    """
    from .. import __version__
    from ..store import store
    from . import summary
    from .overview import build_changes, build_failed_page, build_index
    from .seal import run_json_bytes

    root, lang = Path(out), request["lang"]
    for name, one in failed.items():
        page = build_failed_page({**one, "index": about is not None or (root / "index.html").exists()}, lang)
        renew(own_folder(root, name, "failed") / "index.html", page.encode("utf-8"))
    if about is None:
        return {}
    # A summary that an older or newer program wrote is none.
    now = {one["name"]: found for one in reports
           if (found := read_json(root / one["name"] / "summary.json", summary.SCHEMA))}
    pairs = [(read_json(root / name / "previous.json", summary.SCHEMA) or None, one) for name, one in now.items()
             if name not in failed]
    files = {"index.html": build_index(now.values(), failed.values(), about, lang).encode("utf-8"),
             "changes.html": build_changes(pairs, about, lang).encode("utf-8")}
    for name, page in files.items():
        renew(root / name, page)
    given = Path(source)
    run = {"ebank": __version__, "source": given.name if given.is_absolute() else source, "lang": lang, **about,
           "request": request,
           "branches": [{"id": one["name"], "label": one["label"],
                         "state": "failed" if one["name"] in failed else "done",
                         "run": sha256_of(root / one["name"] / "run.json")} for one in reports]}
    beside = {path.relative_to(root).as_posix(): path.read_bytes() for one in reports
              for path in (root / one["name"] / "previous.json", *sorted((root / one["name"] / "failed").glob("*")))
              if path.is_file() and path.suffix != ".pdf"}
    renew(root / "run.json", run_json_bytes(run, {**beside, **files}))
    if (kept := store()) is not None:       # a month's results are of no use once all have been made from the next's
        kept.trim()
    return {}


_TASKS = {"prepare": _prepare, "learn": _learn, "notebook": _notebook, "page": _page, "index": _index}
