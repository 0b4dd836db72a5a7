"""Pages printed to PDF by a Chromium that is installed, headless and without network.

The same page, browser and fonts give the same bytes: the dates that the browser writes are set to 1970. Another
version of the browser, or other fonts, give other bytes, so a PDF is no part of the chain of hashes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from ..errors import ConfigError
from ..files import write_atomically

VARIABLE = "EBANK_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-sync", "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-breakpad",
    # A container's /dev/shm is too small for a page with pictures.
    "--disable-dev-shm-usage",
    # No name is looked up: a report needs none.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer", "--log-level=3",
)
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)(\d{14})")


def find_chromium() -> Path:
    """Return the browser that prints: what ``EBANK_CHROMIUM`` names, else Chromium, Chrome or Edge on the path."""
    named = os.environ.get(VARIABLE)
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        raise ConfigError("no browser to print with", key=VARIABLE, found=named or "none on PATH",
                          expected="chromium or google-chrome", hint="Install Chromium, or name one in "
                          f"{VARIABLE}; the pages can be printed from any browser.")
    return Path(found)


def print_pdf(page: str | Path, target: str | Path, seconds: float = 120) -> Path:
    """Print an HTML file on A4; the target is written whole or not at all. What goes wrong is a ConfigError."""
    page, target = Path(page), Path(target)
    if not page.is_file():
        raise ConfigError("no such page", file=str(page))
    browser = find_chromium()
    # It refuses to run as root with its sandbox, as in a container; anybody else keeps it.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="ebank-print-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        said = _run([str(browser), *_FLAGS, *root, f"--user-data-dir={Path(folder) / 'profile'}",
                     f"--print-to-pdf={made}", page.resolve().as_uri()], seconds, page)
        content = made.read_bytes() if made.is_file() else b""
    if not content.startswith(b"%PDF-"):
        lines = [line.strip() for line in said.splitlines() if line.strip() and "dbus" not in line]
        raise ConfigError("was not printed", file=str(page), found=lines[-1] if lines else "nothing", expected="a PDF")
    write_atomically(target, _DATE.sub(rb"\g<1>19700101000000", content))
    return target


def _run(command: list[str], seconds: float, page: Path) -> str:
    """Run the browser in a group of its own, so that none of its processes outlives it; return what it said."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except OSError as error:
        raise ConfigError("cannot be run", file=command[0], found=error.strerror, expected="a browser",
                          hint=f"Name another in {VARIABLE}.") from error
    with process:
        try:
            return process.communicate(timeout=seconds)[1].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            raise ConfigError("took too long to print", file=str(page), expected=f"at most {seconds:g} s") from None
        finally:
            process.kill()
            with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):     # no groups on Windows
                os.killpg(process.pid, signal.SIGKILL)
