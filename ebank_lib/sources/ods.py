"""A look into an ``.ods`` before it is read: the area that its repeated rows and cells stand for, its percentages."""

from __future__ import annotations

from .extras import Extras
from .spec import Limits
from .tags import parse

__all__ = ["ods_extras"]


class _Walk:
    """Where the walk through the tables is, and how far what they hold has come."""

    def __init__(self, name: str, limits: Limits):
        self.name, self.limits = name, limits
        self.sheets: dict[str, Extras] = {}
        self.here = Extras()
        self.before = 0                    # cells of the tables before this one
        self.top = self.bottom = 0         # rows of the row being read: it may be repeated
        self.left = self.right = 0         # columns of the cell being read
        self.rows = self.columns = 0       # the area that holds something

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            self.before += self.rows * self.columns
            self.top = self.bottom = self.rows = self.columns = 0
            self.here = self.sheets.setdefault(attributes.get("table:name", ""), Extras())
        elif tag == "table:table-row":
            self.top, self.right = self.bottom, 0
            self.bottom += _repeated(attributes, "rows")
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            self.left = self.right
            self.right += _repeated(attributes, "columns")
            if "office:value-type" in attributes:
                self.held()
            if attributes.get("office:value-type") == "percentage":
                self.here.percent.update((r, c) for r in range(self.top, self.bottom)
                                         for c in range(self.left, self.right))
        elif tag == "text:p":
            self.held()

    def held(self) -> None:
        """The cell being read is not blank."""
        self.rows, self.columns = self.bottom, max(self.columns, self.right)
        if self.rows * self.columns > self.limits.sheet_cells:
            raise self.limits.refuse("sheet_cells", "has too large a used area",
                                     f"{self.rows} rows x {self.columns} columns", file=self.name)
        if self.before + self.rows * self.columns > self.limits.book_cells:
            raise self.limits.refuse("book_cells", "has too large used areas",
                                     f"{self.before + self.rows * self.columns} cells or more", file=self.name)


def _repeated(attributes: dict[str, str], what: str) -> int:
    text = attributes.get(f"table:number-{what}-repeated", "1")
    return int(text) if text.isdecimal() and len(text) < 9 else 10**9


def ods_extras(content: bytes, name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of all tables; return by the sheet's name what the reader leaves out.

    Raises
    ------
    SourceError
        No XML, or larger than the limits: the reader unfolds every table at once.
    """
    walk = _Walk(name, limits)
    parse(content, walk.start, name, "content.xml")
    return walk.sheets
