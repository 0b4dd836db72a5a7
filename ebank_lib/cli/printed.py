"""``ebank report --pdf``: pages printed when all reports are made."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ConfigError
from ..reports.printing import print_pdf

__all__ = ["print_pages"]


def print_pages(options: argparse.Namespace, names: Iterable[str]) -> int:
    """Print the pages that have no PDF yet, and say how many; one that cannot be printed costs only itself.

    A PDF is removed with the page that it was printed from (reports/branch.py), so one that is there is of the page.

    Returns
    -------
    int
        How many could not be printed.
    """
    from ..wording import t

    begun, out = time.monotonic(), Path(options.out)
    pages = [out / "index.html", out / "changes.html"] if options.all else []
    pages += [out / name / "report.html" for name in names]
    todo = [page for page in pages if page.is_file() and not page.with_suffix(".pdf").exists()]
    failed = 0
    pool = ThreadPoolExecutor(options.workers)
    try:
        for one in [pool.submit(print_pdf, page, page.with_suffix(".pdf")) for page in todo]:
            try:
                one.result()
            except ConfigError as error:
                failed += 1
                print(f"ebank: {error}", file=sys.stderr)
    finally:
        pool.shutdown(cancel_futures=True)
    with contextlib.suppress(BrokenPipeError):
        print(t("cli.printed", options.lang, n=len(todo) - failed, seconds=f"{time.monotonic() - begun:.1f}"))
    return failed
