"""What a user asks a batch for, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Order", "Outcome"]


@dataclass(frozen=True)
class Order:
    """What a user asks for.

    Attributes
    ----------
    source, out, lang, indicator, start, end, extra
        See :func:`make_report`.
    command : callable
        Given a branch (None: the province), returns the command that makes its report again.
    branch : str, optional
        One branch; None for all of them or, with `whole`, for all together.
    whole : bool
        Only the report of all branches together.
    workers : int
        Tasks at a time.
    cell_timeout, job_timeout : float
        Seconds that a cell, and a whole report, may take.
    again : bool
        Do everything again, whatever is there.
    cache : Path, optional
        The store's folder.
    wait : bool
        Wait for another run in the same folder.
    fork : bool
        Fork tasks from a server that has everything loaded, where there is one.
    engine : {"local", "dask"}
    scheduler : str, optional
        Of the Dask cluster.
    notebooks : Path, optional
        The folder of the numbered notebooks, instead of the package's own.
    """

    source: str
    out: Path
    command: Callable[[str | None], str]
    branch: str | None = None
    whole: bool = False
    lang: str = "zh"
    indicator: str | None = None
    start: str | None = None
    end: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    cell_timeout: float = 300.0
    job_timeout: float = 3600.0
    again: bool = False
    cache: Path | None = None
    wait: bool = False
    fork: bool = True
    engine: str = "local"
    scheduler: str | None = None
    notebooks: Path | None = None

    @property
    def everything(self) -> bool:
        """Whether all reports are asked for."""
        return self.branch is None and not self.whole

    @property
    def request(self) -> dict[str, Any]:
        """What a report depends on, as JSON."""
        return {name: getattr(self, name) for name in ("lang", "indicator", "start", "end")} | {
            "extra": dict(self.extra)}


@dataclass
class Outcome:
    """How a batch ended: the reports that were made, those that were as they should be, what went wrong with others."""

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    stopped: dict[str, Any] | None = None
