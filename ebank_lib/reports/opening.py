"""The first line of every notebook."""

from __future__ import annotations

from .. import session
from .parameters import check_parameters

__all__ = ["setup"]


def setup(lang: str = "zh") -> None:
    """Check the parameters that papermill was given, then choose language and style.

    Parameters
    ----------
    lang : {"zh", "en"}

    Raises
    ------
    UnknownNameError
        Another language, or a parameter that the notebook does not have.
    """
    check_parameters()
    session.setup(lang)
