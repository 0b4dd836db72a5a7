"""The first line of every notebook: parameters checked, the reader's language, fonts, small pictures."""

from __future__ import annotations

import io

import numpy as np

from .. import wording
from .parameters import check_parameters

__all__ = ["setup"]

# Charts use few colours: a palette loses nothing that can be seen and leaves a quarter of the bytes.
_COLOURS = 192
_AS_DRAWN = 64      # of them: those of most pixels
_WEIGHT = 16        # of one of the others, at most


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
    wording.use_language(lang)
    from ..charts.style import use_style

    use_style()
    _show_small_pictures()


def _show_small_pictures() -> None:
    """Inside a notebook, let figures become palette PNG files without a date in them."""
    try:
        from IPython import get_ipython
    except ImportError:  # a plain script on a machine without IPython
        return
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    # Imported first because it registers a printer of its own, which the next line replaces.
    import matplotlib
    import matplotlib.pyplot as plt
    import matplotlib_inline.backend_inline  # noqa: F401
    from matplotlib.figure import Figure

    shell.display_formatter.formatters["image/png"].for_type(Figure, _png)
    if "inline" in matplotlib.get_backend():
        plt.uninstall_repl_displayhook()    # draws every figure once more before it is printed, for nobody to see


def _png(figure) -> tuple[bytes, dict[str, int]]:
    """Return a figure as PNG, and the size to show it at: 100 pixels an inch, whatever it is drawn at."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # Drawn once, into the pixels themselves: `savefig` goes through all of it twice, and packs what is unpacked here.
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    canvas.draw()
    small = io.BytesIO()
    _with_palette(np.asarray(canvas.buffer_rgba())).save(small, "png")
    width, height = (round(100 * side) for side in figure.get_size_inches())
    return small.getvalue(), {"width": width, "height": height}


def _with_palette(pixels: np.ndarray):
    """Return a picture of few colours, those of most pixels as they are; `pixels` are (height, width, 4) bytes.

    Pillow would look for the colours among all pixels, of which nearly all are white: here it is only asked for what
    the edges of letters and lines are mixed of.
    """
    import pandas as pd
    from PIL import Image

    height, width = pixels.shape[:2]
    codes = np.ascontiguousarray(pixels).view(np.uint32).ravel()
    paper = codes[0]                            # most pixels by far: only the others are looked up
    drawn = np.flatnonzero(codes != paper)
    found, colours = pd.factorize(codes[drawn])
    codes, colours = np.zeros(codes.size, np.intp), np.r_[paper, colours]
    codes[drawn] = found + 1
    often, colours = np.bincount(codes), colours.view(np.uint8).reshape(-1, 4)[:, :3]
    order = np.argsort(-often, kind="stable")
    kept, rest = np.split(order, [_COLOURS if len(order) <= _COLOURS else _AS_DRAWN])
    place, palette = np.empty(len(order), np.uint8), colours[kept]
    place[kept] = np.arange(len(kept))
    if rest.size:
        times = np.minimum(often[rest], _WEIGHT)
        mixed = Image.fromarray(np.repeat(colours[rest], times, axis=0)[None]).quantize(_COLOURS - len(kept))
        place[rest] = len(kept) + np.asarray(mixed)[0, np.cumsum(times) - 1]
        palette = np.vstack([palette, np.reshape(mixed.getpalette(), (-1, 3)).astype(np.uint8)])[:_COLOURS]
    picture = Image.frombytes("P", (width, height), place[codes].tobytes())
    picture.putpalette(palette.tobytes())
    return picture
