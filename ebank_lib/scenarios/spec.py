"""What a strategy file says: targets, levers, bundles and stresses, each a small record that refuses nonsense."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import Field, model_validator

from ebank_lib.catalog import Id, Texts
from ebank_lib.config import Strict
from ebank_lib.wording import language

__all__ = ["KINDS", "Bundle", "Evidence", "Lever", "Move", "Strategy", "StrategyFile", "Stress", "Target"]

KINDS = ("level", "growth", "total", "share", "rank", "raise")


class _Named(Strict):
    key: Id
    zh: str
    en: str

    def label(self, lang: str | None = None) -> str:
        """Return it in words."""
        return getattr(self, language(lang))


class Target(_Named):
    """One target of an indicator by a month.

    ``kind`` says what must reach ``goal``: ``level``, the indicator itself; ``growth``, its growth over the year
    (``over: month`` against the same month of the year before, the usual of a stock; ``over: year`` the calendar year's
    total against that of the year before, the usual of a flow), which without a goal must not fall below that of the
    last twelve months; ``total``, its sum from January to the deadline;
    ``share``, its share of the sum ``of`` other indicators; ``rank``, its place among the branches, 1 the highest;
    ``raise`` has no goal and means above the mean of the last twelve months.

    ``reached`` is the value from which a goal counts as reached; without one, the goal itself.
    """

    line: Id | None = None
    channel: Id | None = None
    indicator: str
    kind: Literal["level", "growth", "total", "share", "rank", "raise"] = "level"
    goal: float | None = Field(default=None, gt=0)
    reached: float | None = Field(default=None, gt=0)
    of: list[str] = Field(default=[], max_length=50)
    over: Literal["month", "year"] | None = None
    deadline: str | None = None

    @property
    def threshold(self) -> float | None:
        """The value from which the goal counts as reached."""
        return self.goal if self.reached is None else self.reached


class Evidence(Strict):
    """Where the size of an effect is taken from: past pushes of these indicators, in this branch and its peers."""

    interventions: list[str] = Field(min_length=1, max_length=20)


class Move(Strict):
    """What a lever does to one indicator, with an 80% range of its size once it is fully at work.

    ``how``: ``level``, so much higher (a fraction of a count; points of a share, at its level of today); ``growth``, so
    much more growth a year; ``ceiling``, the part of the gap to ``ceiling`` that is closed (1.0 for a share).
    ``ceiling`` with the other two is what the lever cannot lift the indicator above; ``saturation`` is the level at
    which the history itself saturates. ``takes_from``: the part of every unit gained that another indicator loses.
    ``lasts``: months after which the effect is gone (a stress).
    """

    indicator: str
    how: Literal["level", "growth", "ceiling"] = "level"
    low: float | None = Field(default=None, gt=-1)
    high: float | None = Field(default=None, gt=-1, le=20)
    evidence: Evidence | None = None
    ceiling: float | Literal["saturation"] | None = None
    takes_from: dict[str, float] = {}
    lasts: int | None = Field(default=None, ge=1, le=120)

    @model_validator(mode="after")
    def _sized(self):
        if (self.low is None) != (self.high is None) or (self.low is None and self.evidence is None):
            raise ValueError("an effect needs low and high, an 80% range, or evidence")
        if self.low is not None:
            if self.low > self.high:
                raise ValueError(f"the range runs backwards: low {self.low:g} is above high {self.high:g}")
            if self.low == self.high != 0:
                raise ValueError(f"a bare point, {self.low:g}: say how uncertain it is, low below high")
            if self.how == "ceiling" and not (0 < self.low < self.high < 1):
                raise ValueError("the part of a gap that is closed lies between 0 and 1")
        if self.evidence is not None and self.how != "level":
            raise ValueError("evidence of interventions is about how: level")
        bad = {k: v for k, v in self.takes_from.items() if not 0 < v <= 1}
        if bad:
            raise ValueError(f"takes_from is a part of what is gained, above 0 and at most 1: {bad}")
        if isinstance(self.ceiling, float) and self.ceiling <= 0:
            raise ValueError("a ceiling is above 0")
        return self


class Lever(_Named):
    """A measure of the strategy: what it moves, after how many months' ``delay`` and with how many months' ``ramp``.

    ``line`` or ``channel`` says where in the strategy it stands. ``cost`` is in yuan, when it is known. A lever never
    has a negative effect; that is for a :class:`Stress`.
    """

    line: Id | None = None
    channel: Id | None = None
    moves: list[Move] = Field(min_length=1, max_length=30)
    delay: int = Field(default=0, ge=0, le=120)
    ramp: int = Field(default=12, ge=0, le=120)
    cost: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _signed(self):
        for n, move in enumerate(self.moves):
            if move.low is not None and move.low < 0 and not isinstance(self, Stress):
                raise ValueError(f"moves.{n} has a negative range ({move.low:g} to {move.high:g}); "
                                 "what does harm belongs under stress")
        moved = [move.indicator for move in self.moves]
        if len(set(moved)) < len(moved):
            raise ValueError("an indicator is moved twice")
        return self

    @property
    def assumed(self) -> bool:
        """Whether any of its effects is a stated range rather than an estimate."""
        return any(move.evidence is None for move in self.moves)


class Stress(Lever):
    """What may go wrong: effects may be negative."""


class Bundle(_Named):
    """Levers pulled together."""

    levers: list[str] = Field(min_length=1, max_length=50)


class StrategyFile(Strict):
    """A strategy file as it is written."""

    lines: dict[str, Texts] = {}
    channels: dict[str, Texts] = {}
    targets: list[Target] = Field(default=[], max_length=200)
    levers: list[Lever] = Field(default=[], max_length=100)
    bundles: list[Bundle] = Field(default=[], max_length=50)
    stress: list[Stress] = Field(default=[], max_length=50)
    yardsticks: list[Target] = Field(default=[], max_length=200)


@dataclass(frozen=True)
class Strategy:
    """A checked strategy; see :func:`load_strategy`.

    ``yardsticks`` are targets that the strategy does not set itself, by which its channels are measured.
    """

    targets: tuple[Target, ...] = ()
    levers: tuple[Lever, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    stress: tuple[Stress, ...] = ()
    lines: dict[str, Texts] = field(default_factory=dict)
    channels: dict[str, Texts] = field(default_factory=dict)
    yardsticks: tuple[Target, ...] = ()

    @property
    def by_yardsticks(self) -> Strategy:
        """The same measures held against the channels' yardsticks instead of the targets."""
        return replace(self, targets=self.yardsticks, yardsticks=())
