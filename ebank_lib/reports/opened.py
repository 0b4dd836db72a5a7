"""A finished report read again from its folder: what was run, and what its page shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ConfigError
from .artefacts import about_of
from .content import Content, read_content
from .pages import About
from .seal import plain_path

__all__ = ["Opened", "open_report"]


@dataclass(frozen=True)
class Opened:
    """A report: its folder, its ``run.json``, what its page says of itself, and the content of its notebooks."""

    folder: Path
    run: dict[str, Any]
    about: About
    content: Content

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Return the recorded tables by their names."""
        return {table["name"]: table for table in self.content.tables}

    @property
    def months(self) -> pd.PeriodIndex:
        """Return the months of the report."""
        return pd.period_range(self.about.first, self.about.last, freq="M")

    def parameter(self, name: str, notebook: str = "") -> str:
        """Return what a notebook (else any of them) was given; "" for nothing."""
        given = self.run.get("parameters", {})
        books = [given[notebook]] if notebook in given else list(given.values())
        return next((str(book[name]) for book in books if book.get(name)), "")


def open_report(path: str | Path) -> Opened:
    """Read a report.

    Parameters
    ----------
    path : path
        Its folder, or the page in it.

    Raises
    ------
    ConfigError
        There is no report, or its ``run.json`` does not say what one must know.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        books = [folder / "notebooks" / f"{name}.ipynb" for name in run["stages"] if plain_path(str(name))]
        about = about_of(run["about"], run["files"])
    except OSError as error:
        raise ConfigError("is no report", file=str(path), found=error.strerror or "nothing",
                          expected="a report's folder with run.json") from None
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError("is no report of this version", file=str(folder / "run.json"),
                          found=f"{type(error).__name__}: {error}", hint="Make it again: ebank report.") from None
    return Opened(folder, run, about, read_content(books, about.lang, about.fills))
