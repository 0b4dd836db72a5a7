"""XML read as a stream of tags, without entities or anything fetched."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat

from ..errors import SourceError

__all__ = ["parse"]


def parse(content: bytes, start: Callable[[str, dict[str, str]], None], name: str, part: str,
          end: Callable[[str], None] | None = None) -> None:
    """Call `start(tag, attributes)` and `end(tag)` for every element.

    Raises
    ------
    SourceError
        The part of the file `name` is no XML.
    """
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise SourceError("is no plain workbook", file=name, sheet=part, found=str(error),
                          expected="well-formed XML") from None
