"""The file of facts: statements, the figures that could contradict them, thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ebank_lib.catalog import Catalog
from ebank_lib.config import Strict, read_yaml, validate
from ebank_lib.errors import ConfigError, SeriesError, UnknownNameError
from ebank_lib.facts.statistics import STATISTICS
from ebank_lib.growth.measures import as_month

__all__ = ["Check", "Fact", "FactFile", "load_facts"]

# What a statistic needs beside indicators, a side and a threshold.
_NEEDS = {"growth_gap": "against", "volatility_ratio": "against", "typical_volatility": "against",
          "annual_ratio": "against", "annual_growth_gap": "against", "jump": "month", "other_jumps": "month"}


class Check(Strict):
    """One figure that the statement implies."""

    statistic: str
    side: Literal["above", "below"]
    threshold: float | int
    indicators: list[str] = Field(min_length=1)
    against: list[str] = []
    month: str | None = None
    fixed: list[str] = []
    limit: float | int = 10


class Fact(Strict):
    """One statement, both languages, with its checks."""

    fact: int
    zh: str
    en: str
    scope: Literal["branch", "total"] = "branch"
    year: int | None = None
    checks: list[Check] = Field(min_length=1)


class FactFile(Strict):
    """The whole ``facts.yaml``."""

    level: float = Field(default=0.9, gt=0.5, lt=1)
    replications: int = Field(default=999, ge=99, le=100_000)
    seed: int = 0
    facts: list[Fact]


def load_facts(path: Path, catalog: Catalog) -> FactFile:
    """Read and check a file of facts.

    Raises
    ------
    ConfigError, UnknownNameError
        Naming the file and the check.
    """
    spec = validate(FactFile, read_yaml(path), path)
    for fact in spec.facts:
        for n, check in enumerate(fact.checks):
            at = {"file": str(path), "key": f"facts.{fact.fact}.checks.{n}"}
            if check.statistic not in STATISTICS:
                raise UnknownNameError("statistic", check.statistic, STATISTICS, **at)
            for key in [*check.indicators, *check.against]:
                if key not in catalog.indicators:
                    raise UnknownNameError("indicator", key, catalog.indicators, **at)
            needs = "year" if check.statistic.startswith("annual") else _NEEDS.get(check.statistic)
            if needs and not getattr(fact if needs == "year" else check, needs):
                raise ConfigError(f"{check.statistic} needs {needs}", **at)
            for month in filter(None, [check.month, *check.fixed]):
                try:
                    as_month(month)
                except SeriesError as error:
                    raise ConfigError("bad month", found=month, expected="YYYY-MM", **at) from error
    return spec
