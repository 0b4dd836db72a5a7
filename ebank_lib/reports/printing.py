"""Pages printed to PDF by a Chromium that is installed, headless and without network.

Another version of the browser, or other fonts, give other bytes, so a PDF is no part of the chain of hashes.
"""

from __future__ import annotations

import os
import shutil
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
        command = [str(browser), *_FLAGS, *root, f"--user-data-dir={Path(folder) / 'profile'}",
                   f"--print-to-pdf={made}", page.resolve().as_uri()]
        try:
            with Path(folder, "said").open("wb") as said:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                               timeout=seconds, check=False)
            content = made.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            lines = Path(folder, "said").read_text("utf-8", "replace").split("\n")
            found = f"nothing after {seconds:g} s" if isinstance(error, subprocess.TimeoutExpired) else next(
                filter(None, map(str.strip, reversed(lines))), str(error))
            raise ConfigError("was not printed", file=str(page), found=found, expected="a PDF",
                              hint=f"Name another browser in {VARIABLE}.") from error
    write_atomically(target, content)
    return target
