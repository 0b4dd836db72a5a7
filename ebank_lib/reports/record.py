"""What a notebook says to its report: :func:`setup` in its first line; then tables for the workbook, and the lines that
say how the branch stands.

Both travel inside the executed notebook, as metadata of an output. No side file can be lost or be older than the
notebook, JupyterLab shows nothing of it, and nbval compares what is shown rather than this copy.
"""

from __future__ import annotations

import html
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..display import heading, missing, plain_cells
from ..errors import ConfigError
from ..wording import language, use_language
from .parameters import check_parameters

# More digits than anybody reads, fewer than two processors agree on.
_DIGITS = 10
_MAX_ROWS = 100_000
# Charts use few colours: a palette loses nothing that can be seen and leaves a quarter of the bytes.
_COLOURS = 192
_KINDS = {"period": "month", "datetime64": "date", "boolean": "flag", "integer": "integer", "floating": "number"}


def setup(lang: str = "zh") -> None:
    """Check the parameters that papermill was given, then choose the language and the style of what is shown.

    Parameters
    ----------
    lang : {"zh", "en"}

    Raises
    ------
    UnknownNameError
        Another language, or a parameter that the notebook does not have.
    """
    check_parameters()
    use_language(lang)
    from ..charts.style import use_style

    use_style()
    _show_small_pictures()


def record(name: str, result: object, title: str = "") -> None:
    """Hand a table to the report: kept as CSV and Parquet, it is what the page and ``tables.xlsx`` speak from.

    Parameters
    ----------
    name : str
        Names the table everywhere: letters, digits and ``_``; once in a report.
    result : DataFrame, Series, or a result with a ``.table``
        A named index becomes columns. What it says of its columns (:func:`ebank_lib.display.describe`) holds.
    title : str, optional
        Stands above the table, in the reader's language; else the name.

    Raises
    ------
    ConfigError
        A bad name, or too many rows.

    Notes
    -----
    Numbers are kept with ten significant digits. Outside a notebook nothing happens.
    """
    _publish({}, {"table": table_of(name, result, title)})


def state(name: str, sentence: str) -> None:
    """Say one line of the branch's state: shown here, and on the first screen of the page.

    Parameters
    ----------
    name : str
        Names the line; once in a report.
    sentence : str
        In the reader's language; an empty one is not said. Made of cited values (:func:`ebank_lib.wording.cite`), its
        numbers lead to the cells of the recorded tables that they state.

    Raises
    ------
    ConfigError
        A bad name.

    Examples
    --------
    >>> state("growth", "Customers grew by 3.1% a month.")
    """
    _check_name(name)
    if not sentence:
        return
    said = {"name": name, "text": str(sentence), "cells": plain_cells(sentence)}
    _publish({"text/html": f'<p class="reading">{html.escape(sentence)}</p>', "text/plain": str(sentence)},
             {"state": said})


def table_of(name: str, result: object, title: str = "", lang: str | None = None) -> dict[str, Any]:
    """Return the record of a table as plain JSON: ``name, title, columns, rows``, and ``from`` what it is made."""
    _check_name(name)
    frame = frame_of(result)
    known = frame.attrs.get("ebank", {})
    if len(frame) > _MAX_ROWS:
        raise ConfigError("too many rows to record", key=name, found=len(frame), expected=f"at most {_MAX_ROWS}")
    lang, kinds, heads = language(lang), known.get("kinds", {}), known.get("heads", {})
    columns = [{"name": str(c), "head": str(heads.get(c) or heading(str(c), lang)),
                "kind": kinds.get(c) or _kind(frame.iloc[:, at])} for at, c in enumerate(frame.columns)]
    cells = [[plain(value) for value in frame.iloc[:, at]] for at in range(frame.shape[1])]
    return {"name": name, "title": title or name, "columns": columns,
            "rows": [list(row) for row in zip(*cells, strict=True)],
            "from": {name: value for name, value in known.items() if name not in ("kinds", "heads")}}


def _check_name(name: str) -> None:
    if not (isinstance(name, str) and name.isidentifier() and name.isascii() and len(name) <= 31):
        raise ConfigError("bad name", found=name, expected="at most 31 letters, digits and _, beginning with a letter")


def frame_of(result: object) -> pd.DataFrame:
    """Return the table of a result, or a frame or series itself, with its named index as columns."""
    table = result if isinstance(result, (pd.DataFrame, pd.Series)) else getattr(result, "table", None)
    if isinstance(table, pd.Series):
        table = table.rename("value" if table.name is None else table.name).to_frame()
    if not isinstance(table, pd.DataFrame):
        raise ConfigError("is no table", found=type(result).__name__, expected="a DataFrame or a result with .table")
    named = any(name is not None for name in table.index.names) or not isinstance(table.index, pd.RangeIndex)
    return table.reset_index() if named else table


def _kind(column: pd.Series) -> str:
    found = pd.api.types.infer_dtype(column if column.dtype != object else column.dropna())
    return _KINDS.get(found, "text") if column.dtype != object or found == "period" else "text"


def plain(value: object) -> object:
    """Return a value as JSON has it; what is missing or infinite is null."""
    if missing(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return str(value)


def _publish(data: dict[str, str], content: dict[str, Any]) -> None:
    from IPython import get_ipython
    from IPython.display import publish_display_data

    if get_ipython() is not None:
        publish_display_data(data, metadata={"ebank": content})


# ---------------------------------------------------------------- small pictures

def _show_small_pictures() -> None:
    """Inside a notebook, let figures become palette PNG files without a date in them."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    # Imported first because it registers a printer of its own, which the next line replaces.
    import matplotlib
    import matplotlib.pyplot as plt
    import matplotlib_inline.backend_inline  # noqa: F401
    from matplotlib.figure import Figure

    shell.display_formatter.formatters["image/png"].for_type(Figure, _png)
    shell.display_formatter.formatters["text/html"].for_type(Figure, _sentence)
    if "inline" in matplotlib.get_backend():
        plt.uninstall_repl_displayhook()    # draws every figure once more before it is printed, for nobody to see


def _draws(figure) -> bool:
    return any(ax.axison or ax.has_data() for ax in figure.axes)


def _sentence(figure) -> str | None:
    """Return as text what a figure says that draws nothing: it is no picture."""
    if _draws(figure):
        return None
    words = [text.get_text() for ax in figure.axes for text in (ax.title, *ax.texts)]
    return "".join(f'<p class="reading">{html.escape(one)}</p>' for one in words if one)


def _png(figure) -> tuple[bytes, dict[str, int]] | None:
    """Return a figure as PNG, and the size to show it at: 100 pixels an inch, whatever it is drawn at."""
    if not _draws(figure):
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    # Drawn once, into the pixels themselves: `savefig` goes through all of it twice, and packs what is unpacked here.
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    canvas.draw()
    small = io.BytesIO()
    # Twice as fast as the median cut, and nearer to what was drawn: at most 9 of 255 off, where that was up to 49.
    few = Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]).quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
    few.save(small, "png")
    width, height = (round(100 * side) for side in figure.get_size_inches())
    return small.getvalue(), {"width": width, "height": height}
