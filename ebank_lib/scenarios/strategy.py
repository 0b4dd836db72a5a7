"""A strategy: targets, levers, bundles and stresses, each a small record that refuses nonsense; and the file they stand
in, read and held against the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, model_validator

from ..catalog import Catalog, Id, Texts, as_period
from ..config import Strict, read_yaml, validate
from ..errors import ConfigError, UnknownNameError
from ..files import named_file
from ..forecasting import kind_of
from ..province.sums import leaves
from ..wording import language


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
    ``ceiling`` with the other two is what the lever cannot lift the indicator above. ``takes_from``: the part of every
    unit gained that another indicator loses. ``lasts``: months after which the effect is gone (a stress).
    """

    indicator: str
    how: Literal["level", "growth", "ceiling"] = "level"
    low: float | None = Field(default=None, gt=-1)
    high: float | None = Field(default=None, gt=-1, le=20)
    evidence: Evidence | None = None
    ceiling: float | None = None
    takes_from: dict[str, float] = {}
    lasts: int | None = Field(default=None, ge=1, le=120)

    @model_validator(mode="after")
    def _sized(self):
        if (self.low is None) != (self.high is None) or (self.low is None and self.evidence is None):
            raise ValueError("low and high, an 80% range, or evidence")
        if self.low is not None:
            if self.low > self.high:
                raise ValueError(f"low below high: from {self.low:g} to {self.high:g} the range runs backwards")
            if self.low == self.high != 0:
                raise ValueError(f"low below high, an 80% range: {self.low:g} is a bare point")
            if self.how == "ceiling" and not (0 < self.low < self.high < 1):
                raise ValueError("the part of a gap that is closed, between 0 and 1")
        if self.evidence is not None and self.how != "level":
            raise ValueError("how: level, which evidence of interventions is about")
        bad = {k: v for k, v in self.takes_from.items() if not 0 < v <= 1}
        if bad:
            raise ValueError(f"parts of what is gained under takes_from, above 0 and at most 1, not {bad}")
        if self.ceiling is not None and self.ceiling <= 0:
            raise ValueError("a ceiling above 0")
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
                raise ValueError(f"no negative range, as in moves.{n} ({move.low:g} to {move.high:g}): "
                                 "what does harm belongs under stress")
        moved = [move.indicator for move in self.moves]
        if len(set(moved)) < len(moved):
            raise ValueError("each indicator moved once")
        return self


class Stress(Lever):
    """What may go wrong: effects may be negative."""


class Bundle(_Named):
    """Levers pulled together."""

    levers: list[str] = Field(min_length=1, max_length=50)


class Strategy(Strict):
    """A strategy as its file states it; see :func:`load_strategy`.

    ``yardsticks`` are targets that the strategy does not set itself, by which its channels are measured.
    """

    lines: dict[str, Texts] = {}
    channels: dict[str, Texts] = {}
    targets: list[Target] = Field(default=[], max_length=200, strict=False)
    levers: list[Lever] = Field(default=[], max_length=100, strict=False)
    bundles: list[Bundle] = Field(default=[], max_length=50, strict=False)
    stress: list[Stress] = Field(default=[], max_length=50, strict=False)
    yardsticks: list[Target] = Field(default=[], max_length=200, strict=False)

    @property
    def pulled(self) -> tuple[Lever, ...]:
        """The levers, then the stresses."""
        return (*self.levers, *self.stress)

    @property
    def cases(self) -> dict[str, tuple[str, list[str]]]:
        """Every scenario by its key: its kind and the levers pulled in it."""
        return {"baseline": ("baseline", [])} | {one.key: ("lever", [one.key]) for one in self.levers} | {
            one.key: ("bundle", one.levers) for one in self.bundles} | {
            one.key: ("stress", [one.key]) for one in self.stress}

    @property
    def by_yardsticks(self) -> Strategy:
        """The same measures held against the channels' yardsticks instead of the targets."""
        return self.model_copy(update={"targets": self.yardsticks, "yardsticks": []})


def load_strategy(source, catalog: Catalog | None = None) -> Strategy:
    """Read the strategy that a source names under ``strategies:``; an empty one when it names no file.

    Parameters
    ----------
    source : Source, or path of a YAML file
    catalog : Catalog, optional
        Default: the source's. Without one, names of indicators are not checked.

    Raises
    ------
    ConfigError, UnknownNameError
        What names nothing or passes 100%, by its place in the file.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
    else:
        path = named_file(source, "strategies")
        if path is None:
            return Strategy()
        catalog = catalog or source.catalog
    strategy = validate(Strategy, read_yaml(path), path)
    check_strategy(strategy, catalog, str(path))
    return strategy


def check_strategy(strategy: Strategy, catalog: Catalog | None = None, file: str | None = None) -> None:
    """Hold a strategy against itself and a catalogue; raises as :func:`load_strategy`.

    One made by hand, without a file, may leave out the names of its lines and channels.
    """
    seen: set[str] = set()
    for section in ("targets", "levers", "bundles", "stress", "yardsticks"):
        for n, item in enumerate(getattr(strategy, section)):
            at = f"{section}.{n}"
            if item.key in seen:
                raise ConfigError("stands twice", file=file, key=f"{at}.key", found=item.key)
            seen.add(item.key)
            if isinstance(item, Bundle):
                _known("lever", item.levers, [lever.key for lever in strategy.levers], file, f"{at}.levers")
                continue
            if file is not None:
                _known("line", [item.line], [None, *strategy.lines], file, f"{at}.line")
                _known("channel", [item.channel], [None, *strategy.channels], file, f"{at}.channel")
            if isinstance(item, Target):
                check_target(item, catalog, file, at)
            elif catalog is not None:
                for m, move in enumerate(item.moves):
                    _check_move(move, catalog, file, f"{at}.moves.{m}")


def yearly(target: Target, catalog: Catalog) -> bool:
    """Whether a target is about the months of a calendar year added up."""
    if target.kind == "growth":
        return (target.over or ("year" if catalog.indicator(target.indicator).kind == "flow" else "month")) == "year"
    return target.kind == "total"


def as_month(text, **where) -> pd.Period:
    """Return a month, or an error that says where it stands."""
    month = as_period(text)
    if month is None:
        raise ConfigError("is no month", found=text, expected="YYYY-MM", **where)
    return month


def is_share(catalog: Catalog, indicator: str) -> bool:
    """Whether an indicator is a ratio with a ceiling of 100%."""
    return kind_of(catalog.indicator(indicator)) == "ratio"


def _known(what: str, names: Iterable, known: Iterable, file, key: str) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, [k for k in known if k is not None], file=file, key=key)


def _refuse(file, at: str, *rules: tuple) -> None:
    """Refuse the first that is wrong of ``wrong, what is said, the key, what was found, what was expected``."""
    for wrong, said, key, found, expected in rules:
        if wrong:
            raise ConfigError(said, file=file, key=f"{at}.{key}".rstrip("."), found=found, expected=expected)


def check_target(target: Target, catalog: Catalog | None, file=None, at: str = "") -> None:
    """Hold one target against itself and the catalogue."""
    goal, reached, kind = target.goal, target.reached, target.kind
    _refuse(file, at, (
        file is not None and target.line is None and target.channel is None, "a target belongs to a line or a channel",
        "", "neither", None),
        (kind == "raise" and (goal is not None or reached is not None), "a raise has no goal", "goal", goal, "nothing"),
        (kind not in ("raise", "growth") and goal is None, f"a {kind} needs a goal", "goal", "nothing", "a number"),
        ((kind == "share") != bool(target.of), "of goes with kind: share", "of", target.of,
         "the indicators whose sum is the whole"),
        (target.over is not None and kind != "growth", "over goes with kind: growth", "over", target.over, None),
        (goal is None and reached is not None, "without a goal nothing counts as reaching it", "reached", reached,
         "a goal"),
        (goal is not None and reached is not None and reached > goal, "is above the goal", "reached", reached,
         f"at most {goal}"))
    if target.deadline is not None:
        as_month(target.deadline, file=file, key=f"{at}.deadline")
    if catalog is None:
        return
    _known("indicator", (target.indicator, *target.of), catalog.indicators, file, f"{at}.indicator")
    ind, most = catalog.indicator(target.indicator), len(catalog.reporting)
    share = kind == "share" or (kind == "level" and is_share(catalog, ind.key))
    whole = {leaf for key in target.of for leaf in leaves(catalog, key)}
    _refuse(file, at, (
        share and goal is not None and goal > 1, "is above the ceiling of a share", "goal", goal,
        "at most 1.0 (which is 100%)"),
        (kind in ("growth", "total", "share") and ind.kind == "ratio", f"a {kind} is not set on a ratio", "kind",
         ind.key, "a level, a rank or a raise; or a stock or flow"),
        (yearly(target, catalog) and ind.kind != "flow", "only a flow adds up over a year", "kind",
         f"{ind.key}, {ind.kind}", "a flow, or growth over: month"),
        (kind == "rank" and (goal % 1 or goal > most or reached), "is no place among the branches", "goal", goal,
         f"a whole number from 1 to {most}"),
        (kind == "share" and not whole.issuperset(leaves(catalog, ind.key)),
         "is no part of the whole it is to be a share of", "of", ind.key, f"a part of {', '.join(target.of)}"))


def _check_move(move: Move, catalog: Catalog, file, at: str) -> None:
    names = [move.indicator, *move.takes_from, *(move.evidence.interventions if move.evidence else [])]
    _known("indicator", names, catalog.indicators, file, at)
    ind = catalog.indicator(move.indicator)
    ratio = is_share(catalog, ind.key)
    _refuse(file, at, (
        ratio and move.ceiling is not None and move.ceiling > 1, "is above the ceiling of a share", "ceiling",
        move.ceiling, "at most 1.0 (which is 100%)"),
        (move.how == "ceiling" and move.ceiling is None and not ratio, "a count needs a ceiling to close the gap to",
         "ceiling", "nothing", "a number"),
        (ratio and move.high is not None and move.high > 1, "is more than a share has points", "high", move.high,
         "at most 1.0 (which is 100 points)"),
        *((catalog.indicator(name).unit != ind.unit or ratio or name == move.indicator,
           "units gained can only be taken from another indicator in the same unit", "takes_from",
           f"{move.indicator} from {name}", f"another count in {ind.unit}") for name in move.takes_from))
