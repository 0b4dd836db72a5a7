"""What ``sources.yaml`` may say: the records it is checked against, and the checks between its parts."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from ..catalog import Catalog, Labels, as_period, fold, load_catalog
from ..config import Strict, read_yaml, validate
from ..errors import ConfigError, SourceError, UnknownNameError
from .months import Month, Place, Text, pattern_with
from .units import Naming


class Limits(Strict):
    """How large an input may be before it is refused, unless ``limits:`` in the ``sources.yaml`` says otherwise; a
    province's workbook has some 50 kB and 2,000 cells."""

    file_bytes: PositiveInt = 64_000_000
    unpacked_bytes: PositiveInt = 100_000_000     # all parts of a workbook, a .csv.gz, a Parquet file
    sheet_cells: PositiveInt = 1_000_000          # rows x columns of a sheet's used area
    table_cells: PositiveInt = 5_000_000          # rows x columns of a long table
    query_seconds: PositiveInt = 60               # until a query has been answered

    def refuse(self, key: str, size: float, message: str, found: object = None, **where) -> None:
        """Refuse what is larger than the limit `key`; `found` is what is said of the size."""
        most = getattr(self, key)
        if size > most:
            raise SourceError(message, found=size if found is None else found,
                              expected=f"at most {most} (limits.{key})", **where)


def _short(key: str, **more: str) -> BeforeValidator:
    """A text in place of a record is the record with this key alone."""
    return BeforeValidator(lambda value: {key: value, **more} if isinstance(value, str) else value)


_COLUMN = _short("column", **{"from": "column"})    # a text alone is a column's heading


def _year_and_month(text: str) -> str:
    if as_period(text) is None:
        raise ValueError("a month such as 2010-03")
    return text


class Revision(Strict):
    """Where the number of a revision is written; a name that does not match is revision 0."""

    source: Literal["file", "sheet"] = Field(alias="from")
    pattern: Annotated[str, pattern_with("revision")]


class _At(Strict):
    source: Place = Field(alias="from")
    column: Text | None = None
    value: Text | None = None


class BranchAt(_At):
    """Where the branch is written: in a column under this heading, in a level of the headings, in a row of its own
    above its rows, above the table, in the sheet's or the file's name, or only here."""

    pattern: Annotated[str, pattern_with("branch")] | None = None


class IndicatorAt(_At):
    """Where the indicator is written; `value` is the catalogue's key of the only one."""

    pattern: Annotated[str, pattern_with("indicator")] | None = None


class Heading(Strict):
    """The indicator under a heading; `unit` is used where the workbook prints none, `cumulative` says that what is
    printed is the sum from January on."""

    indicator: str
    unit: str | None = None
    cumulative: Literal["", "year"] = ""


class SheetSpec(Strict):
    """How to read the sheets of one name (or of a glob of names)."""

    sheet: Text = "*"
    branch: Annotated[BranchAt, _COLUMN]
    month: Annotated[Month, _COLUMN] | None = None
    indicator: Annotated[IndicatorAt, _COLUMN] = IndicatorAt(**{"from": "heading"})
    headings: dict[str, Annotated[Heading, _short("indicator")]] = {}
    ignore: list[Text] = []                         # names left out, whatever they name
    value: Text | None = None                       # the column of the figures, where none of the keys is a heading
    unmapped: Literal["error", "keep", "ignore"] = "error"
    missing: Literal["error", "allow"] = "error"   # of headings that a sheet does not have
    optional: bool = False                          # a workbook without such a sheet is no error
    skip: Annotated[str, pattern_with()] | None = None  # rows whose first text matches are notes
    fill: Literal["down"] | None = None             # a blank key means the one above


class FileSpec(Strict):
    """What every kind of file says about itself."""

    path: Text
    first: Annotated[str, AfterValidator(_year_and_month)] | None = Field(None, alias="from")
    last: Annotated[str, AfterValidator(_year_and_month)] | None = Field(None, alias="to")
    month: Annotated[Month, _COLUMN] | None = None
    revision: Revision | None = None
    encoding: Literal["utf-8", "gb18030", "utf-16", "cp1252"] | None = None

    @cached_property
    def span(self) -> tuple[int, int]:
        """The numbers of the first and the last month that are read."""
        first, last = (as_period(month) for month in (self.first or "1900-01", self.last or "2199-12"))
        return first.ordinal, last.ordinal


class WideSpec(FileSpec):
    """Workbooks (and CSV files saved from one): a column an indicator."""

    layout: Literal["wide"] = "wide"
    sheets: list[SheetSpec] = Field(min_length=1)


class UnitAt(Strict):
    """The unit of a long table's column: the same everywhere, or printed in another column."""

    text: str = ""
    column: Text | None = None


class LongColumn(Heading):
    """The indicator in a column of a long table, and its unit: a text, or ``{column: name}``."""

    unit: Annotated[UnitAt, _short("text")] = UnitAt()


class Address(Strict):
    """Columns of a long table that say where the original cell stood."""

    file: Text | None = None
    sheet: Text | None = None
    row: Text | None = None


class _LongKeys(Strict):
    """Figures in a column an indicator (`columns`), or in one column (`value`) with the names of their indicators in
    another, which `headings` maps as those of sheets."""

    layout: Literal["long"] = "long"
    branch: Annotated[BranchAt, _COLUMN]
    month: Annotated[Month, _COLUMN]
    columns: dict[str, Annotated[LongColumn, _short("indicator")]] = {}
    indicator: Annotated[IndicatorAt, _COLUMN] | None = None
    value: Text | None = None
    headings: dict[str, Annotated[Heading, _short("indicator")]] = {}
    unit: Annotated[UnitAt, _short("column")] | None = None
    address: Address = Address()
    ignore: list[Text] = []
    unmapped: Literal["error", "keep", "ignore"] = "error"
    missing: Literal["error", "allow"] = "error"

    @model_validator(mode="after")
    def _places(self) -> _LongKeys:
        given = [*map(bool, (self.indicator, self.value, self.headings))]
        if not (bool(self.columns) ^ all(given)) or (self.columns and any((*given, self.unit))):
            raise ValueError("either `columns`, or `indicator`, `value` and `headings`, with or without `unit`")
        for name in ("branch", "month", "indicator"):
            place, places = getattr(self, name), ("column",) if name == "indicator" else ("column", "file", "constant")
            for at in (place, getattr(place, "year", None)):
                if at is not None and at.source not in places:
                    raise ValueError(f"a {name} from: {' or '.join(places)}, for a long table has no {at.source}")
        return self


class LongSpec(_LongKeys, FileSpec):
    """CSV or Parquet: a row a branch and month."""


class DatabaseSpec(_LongKeys):
    """A query, or all of a table (or ``schema.table``); the database's URL is in the environment and nowhere else."""

    url_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
    query: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    table: Text | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> DatabaseSpec:
        if (self.query is None) == (self.table is None):
            raise ValueError("either a query or a table")
        return self


Part = WideSpec | LongSpec | DatabaseSpec     # an entry of `files`


class Event(Strict):
    """Something known to have happened to indicators or branches (none named: to all); `kind` if it is known."""

    month: Annotated[str, AfterValidator(_year_and_month)]
    zh: str
    en: str
    kind: Literal["outlier", "level_shift", "temporary"] | None = None
    indicators: list[str] = []
    branches: list[str] = []


class SourceSpec(Strict):
    """The whole ``sources.yaml``; the entries of `files` are checked one by one, by their layout."""

    title: Labels
    catalog: Text
    branches: Text
    files: list[dict[str, Any]] = Field(min_length=1)
    simulated: bool = False
    calendar: Literal["china", "india", "none"] = "none"
    root: Text | None = None       # the folder that holds the files, as seen from the one of this YAML
    root_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] | None = None
    lang: Literal["zh", "en"] | None = None
    facts: Text | None = None
    strategies: Text | None = None
    problems: Text | None = None
    events: list[Event] = []
    limits: Limits = Limits()


def load_spec(path: Path, root: Path | None) -> tuple[SourceSpec, tuple[Part, ...], Catalog, Path]:
    """Read ``sources.yaml``, the catalogue and the branches it names; find the folder that holds the files."""
    spec = validate(SourceSpec, read_yaml(path), path)
    files = tuple(_file(item, f"files.{n}", path) for n, item in enumerate(spec.files))
    catalog = load_catalog(path.parent / spec.catalog, path.parent / spec.branches)
    for n, file in enumerate(files):
        _check(file, f"files.{n}", path, catalog)
    check_events(spec, catalog, path)
    return spec, files, catalog, _root(spec, path, root)


def check_events(spec: SourceSpec, catalog: Catalog, path: str | Path) -> None:
    """Refuse events of indicators or branches that do not exist; `path` is what the error names."""
    for n, event in enumerate(spec.events):
        _check_known("indicator", event.indicators, catalog.indicators, path, f"events.{n}.indicator")
        _check_known("branch", event.branches, catalog.branches, path, f"events.{n}.branch")


def _file(item: dict[str, Any], key: str, path: Path) -> Part:
    layout = item.get("layout", "long" if "url_env" in item else "wide")
    if layout not in ("wide", "long"):
        raise ConfigError("wrong value", file=str(path), key=f"{key}.layout", found=layout, expected="wide or long")
    model = WideSpec if layout == "wide" else DatabaseSpec if "url_env" in item else LongSpec
    return validate(model, item, path, at=key)


def _root(spec: SourceSpec, path: Path, root: Path | None) -> Path:
    named = root is None and spec.root_env is not None
    if named and not os.environ.get(spec.root_env):
        raise ConfigError("names an environment variable that is not set", file=str(path), key="root_env",
                          found=spec.root_env, expected="the folder that holds the files")
    folder = Path(os.environ[spec.root_env]) if named else root or path.parent / (spec.root or "")
    if "\0" in str(folder) or not folder.is_dir():
        # The YAML may name any variable, one with a password among them: its value is not quoted.
        raise ConfigError("is no folder", file=str(path), key="root_env" if named else None,
                          found=f"what {spec.root_env} holds" if named else str(folder),
                          expected="the folder that holds the files")
    return folder.resolve()


def _check(file: Part, key: str, path: Path, catalog: Catalog) -> None:
    units = {"", *(fold(unit) for unit in catalog.units)}
    if isinstance(file, FileSpec) and file.span[0] > file.span[1]:
        raise ConfigError("ends before it begins", file=str(path), key=f"{key}.to", found=file.last,
                          expected=f"{file.first} or later")
    for at, part in ([(f"{key}.sheets.{n}", part) for n, part in enumerate(file.sheets)]
                     if isinstance(file, WideSpec) else [(key, file)]):
        said = [(f"{at}.{name}.{heading}", target) for name in ("headings", "columns")
                for heading, target in getattr(part, name, {}).items()]
        for where, target in said:
            _check_known("indicator", [target.indicator], catalog.indicators, path, where)
            unit = target.unit.text if isinstance(target, LongColumn) else target.unit or ""
            if fold(unit) not in units:
                raise UnknownNameError("unit", unit, catalog.units, file=str(path), key=f"{where}.unit")
            kind = catalog.indicators[target.indicator].kind
            if target.cumulative and kind != "flow":
                raise ConfigError("goes with flows, which add up over the year", file=str(path),
                                  key=f"{where}.cumulative", expected="an indicator of kind: flow",
                                  found=f"{target.indicator}, a {kind}")
        _check_places(part, part.month or file.month, at, path, catalog)


def _check_places(part: SheetSpec | _LongKeys, month: Month | None, at: str, path: Path, catalog: Catalog) -> None:
    def error(message: str, key: str, expected: str, found: str | None = None) -> ConfigError:
        return ConfigError(message, file=str(path), key=f"{at}.{key}", found=found, expected=expected)

    if month is None:
        raise error("is missing", "month", "where the month is written")
    places = {"month": month, "month.year": month.year, "branch": part.branch, "indicator": part.indicator}
    places = {name: place for name, place in places.items() if place is not None}
    for name, place in places.items():
        for source, field, expected in (("column", "column", f"the heading of the {name} column"),
                                        ("constant", "value", f"the {name} itself")):
            given = getattr(place, field)
            if (place.source == source) != (given is not None):
                raise error(f"goes with from: {source}", f"{name}.{field}", expected, given or "nothing")
    if not isinstance(part, SheetSpec):
        return
    sources = [place.source for place in places.values()]
    if part.indicator.source == "constant":
        _check_known("indicator", [part.indicator.value], catalog.indicators, path, f"{at}.indicator.value")
    elif not part.headings:
        raise error("is missing", "headings", "the printed names of indicators, such as `手机银行客户数: mobile`")
    if "column" not in sources:
        raise error("a sheet needs a column of branches, of months or of indicators", "branch", "from: column",
                    part.branch.source)
    if "heading" not in sources and part.value is None:
        raise error("is missing", "value", "the heading of the column of figures: none of the keys is a heading")
    naming, seen = Naming(catalog), {}
    for heading, target in part.headings.items():
        if seen.setdefault(naming.path([heading])[0], target.indicator) != target.indicator:
            raise error("names one heading twice", "headings", "one indicator a heading", heading)


def _check_known(what: str, names: list[str], known: Collection[str], path: str | Path, key: str) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, known, file=str(path), key=key)
