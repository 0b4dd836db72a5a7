"""The first line of every notebook: the reader's language, fonts and picture format."""

from __future__ import annotations

from . import wording

__all__ = ["setup"]


def setup(lang: str = "zh") -> None:
    """Choose the language of tables, sentences and pictures, and the style they are drawn in.

    Parameters
    ----------
    lang : {"zh", "en"}

    Raises
    ------
    UnknownNameError
        Another language.
    """
    wording.use_language(lang)
    from .charts.style import use_style

    use_style()
