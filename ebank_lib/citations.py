"""Where the methods come from, for a paper's references: ``citations.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from .config import read_yaml
from .monthly import checked_name

_FIELDS = ("author", "year", "title", "journal", "volume", "number", "pages")
_TEXT = "{author} ({year}). {title}. {journal} {volume}({number}), {pages}."


def cite(method: str, form: str = "both") -> str:
    """Return the papers that a method rests on, as a list of references has them.

    Parameters
    ----------
    method : str
        ``arma`` (exact likelihood, AICc), ``stl``, ``theta``, ``ets``, ``limits`` (conformal), ``reconciliation`` and
        others, which the error lists.
    form : {"both", "text", "bibtex"}

    Returns
    -------
    str
        A line for each paper, and an entry of BibTeX.

    Raises
    ------
    UnknownNameError
        An unknown method or form.

    Examples
    --------
    >>> print(cite("limits", "bibtex").splitlines()[0])
    @article{lei2018,
    """
    methods, papers = known_methods()
    found = {key: papers[key] for key in methods[checked_name(method, "method", methods)]}
    text = [_TEXT.format_map(one | {"author": one["author"].replace(" and ", "; ")}) for one in found.values()]
    bibtex = ["\n".join([f"@article{{{key},", *(f"  {name} = {{{{{_tex(value)}}}}}," if name == "title" else
                                                f"  {name} = {{{_tex(value)}}}," for name, value in one.items()), "}"])
              for key, one in found.items()]
    return "\n".join({"text": text, "bibtex": bibtex, "both": [*text, "", *bibtex]}[
        checked_name(form, "form", ("both", "text", "bibtex"))])


def _tex(value: Any) -> str:
    return str(value).replace("&", r"\&")


@cache
def known_methods() -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Return the papers of each method, and each paper's fields."""
    known = read_yaml(Path(__file__).with_name("citations.yaml"))
    return known["methods"], {key: dict(zip(_FIELDS, one, strict=True)) for key, one in known["papers"].items()}
