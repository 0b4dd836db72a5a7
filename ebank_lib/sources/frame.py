"""A DataFrame, or a file of one, as a source: its numbers are cells with an address, what nobody says is drafted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..catalog import BRANCH_COLUMNS, ID, Catalog, Indicator, fold, make_catalog
from ..config import read_rows, read_yaml, validate
from ..display import html_table
from ..errors import ConfigError, SourceError, UnknownNameError
from ..files import CONFIG, CORRECTIONS, is_table, write_atomically
from ..guessing import ALONE, branch_id, draft_indicator, draft_tables, printed_unit, split_unit, unit_named
from ..store import digest
from ..wording import join, t
from .grids import read_bytes
from .long import TO_MONTHS, frame_table, read_columns, read_panel
from .sheets import Block, accounting_frame, files_frame
from .source import Source, open_source
from .spec import Limits, SourceSpec, check_events
from .units import SUBTOTAL, Naming, is_total

_CATALOG, _BRANCHES, _PANEL = "catalog.yaml", "branches.csv", "panel.csv"
_KINDS = ("stock", "flow", "ratio")
_FRAME = "the frame"        # what errors name instead of a file


@dataclass(frozen=True, repr=False)
class FrameSource(Source):
    """A source made of one table, see :func:`from_frame`.

    Attributes
    ----------
    tables : dict
        What the methods of a source return.
    drafted : DataFrame
        What was drafted, and why: ``indicator, name`` (in the table), ``kind, unit`` (as printed, else the base unit),
        ``reason``; empty where a catalogue says all.
    """

    tables: dict[str, pd.DataFrame]
    drafted: pd.DataFrame

    @cached_property
    def stated(self) -> bytes:
        """The ``corrections.csv`` beside a file; empty for a frame."""
        return super().stated if is_table(self.path) else b""

    @property
    def content(self) -> str:
        """The hash of the cells and of what is said of them."""
        return digest("frame", repr(self.config), repr(self.catalog), self._tables["files"]["sha256"].iloc[0],
                      self.stated)

    @property
    def _tables(self) -> dict[str, pd.DataFrame]:
        return self.tables

    def save(self, folder: str | Path) -> Source:
        """Write the source into a folder, for the command `ebank` and the notebooks: ``panel.csv``, ``sources.yaml``,
        ``catalog.yaml`` and ``branches.csv``, all of them to be read and edited.

        Returns
        -------
        Source
            The folder, opened: an ordinary source from which the same panel comes.

        Raises
        ------
        ConfigError
            A file cannot be written; or corrections stand beside the file, which name its own cells.
        """
        if self.stated:
            raise ConfigError("names cells of another file", file=CORRECTIONS, found=self.path.name, expected="none",
                              hint="Copy the file, and what stands beside it, instead")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        cells = self.tables["cells"]
        cells = cells[cells["text"] != ""].assign(branch=_ids(cells["branch"].astype(object), self.catalog))
        # Subtotals are no branch's, and no panel has them.
        panel = cells.dropna(subset="branch")[["branch", "month", "indicator", "unit", "text"]]
        said = self.config.model_dump(mode="json", exclude_defaults=True)
        beside = {name: str((self.path.parent / said[name]).resolve()) for name in ("facts", "strategies", "problems")
                  if name in said}
        said |= {**beside, "catalog": _CATALOG, "branches": _BRANCHES, "files": [
            {"path": _PANEL, "layout": "long", "branch": "branch", "month": "month", "indicator": "indicator",
             "unit": "unit", "value": "value", "headings": {key: key for key in panel["indicator"].unique()}}]}
        self.catalog.save(folder)
        text = panel.to_csv(index=False, header=[*panel.columns[:-1], "value"], lineterminator="\n")
        write_atomically(folder / _PANEL, text.encode("utf-8-sig"))
        write_atomically(folder / CONFIG, yaml.safe_dump(said, allow_unicode=True, sort_keys=False).encode("utf-8"))
        return open_source(folder)

    def _repr_html_(self) -> str:
        return html_table(self.drafted.assign(kind=[t(f"general.{k}") for k in self.drafted["kind"]]),
                          caption=repr(self))


def from_frame(df: pd.DataFrame, *, catalog: Catalog | str | Path | None = None, branch: str | None = None,
               units: Mapping[str, str] | None = None, kinds: Mapping[str, str] | None = None, title: str | None = None,
               **described: Any) -> FrameSource:
    """Make a source of a DataFrame, for :func:`~ebank_lib.clean` and all that follows.

    Parameters
    ----------
    df : DataFrame or Series
        *Wide*: a row a month, a column an indicator. *Panel*: the same with branches, in a level of the index or a
        column ``branch``. *Long*: columns ``branch, month, indicator, value``, and ``unit`` if there is one; or
        Nixtla's ``unique_id, ds, y``, where each ``unique_id`` is ``branch/indicator``, else a branch. Months are a
        PeriodIndex, a DatetimeIndex (any day of the month), or a column ``month``, ``ds``, ``date`` or 月份 of dates or
        texts, in any order. Branches may be in the one column of names, whatever it is called. NaN is what was not
        reported.
    catalog : Catalog or path, optional
        A ``catalog.yaml``, with ``branches.csv`` beside it if there is one. Columns are keys or names of its
        indicators. Without it all is drafted from names and values: `drafted` of the source says how and why.
    branch : str, optional
        Whose a frame without branches is; needed where the catalogue knows several.
    units : mapping of column or indicator to unit, optional
        As printed (万户, ``%``, ``thousand``); else the unit in the column's name, else the base unit.
    kinds : mapping of column or indicator to {"stock", "flow", "ratio"}, optional
    title : str, optional
    **described
        Whatever else a ``sources.yaml`` may say: ``calendar="china"``, ``simulated=True``, ``events=[...]``.

    Returns
    -------
    FrameSource
        Numbers keep their decimal digits, of which a float has 15. Its `save` makes a folder of it.

    Raises
    ------
    SourceError
        With row and column: a month that cannot be read, months that are none, a number that stands twice, a column
        that holds no numbers.
    UnknownNameError, ConfigError
        A branch, indicator, unit or kind that is not known; a frame that does not say whose it is.

    Examples
    --------
    >>> months = pd.period_range("2010-01", periods=2, freq="M")
    >>> source = from_frame(pd.DataFrame({"mobile": [1.2, 1.35]}, months), branch="rizhao", units={"mobile": "万户"})
    >>> source
    Source('DataFrame', 1 branches, 1 indicators)
    >>> source.cells()[["branch", "month", "indicator", "text", "unit"]]
       branch    month indicator  text unit
    0  rizhao  2010-01    mobile   1.2   万户
    1  rizhao  2010-02    mobile  1.35   万户
    >>> source.catalog.table("en")
      indicator                      name      group   kind       unit
    0    mobile  Mobile banking customers  Customers  stock  customers
    """
    beside = None
    if isinstance(catalog, str | Path):
        path = Path(catalog) / _CATALOG if Path(catalog).is_dir() else Path(catalog)
        beside, catalog = path.with_name(_BRANCHES), read_yaml(path)
    said = {"title": {"zh": title or "数据表", "en": title or "DataFrame"}, **described}
    block, cells = read_panel(frame_table(df, _FRAME), branch)
    block.file = "frame"
    cells, catalog, drafted = _described(cells.assign(file="frame"), catalog, beside, units or {}, kinds or {})
    return _source(block, cells, catalog, drafted, said, cells.to_csv(index=False).encode("utf-8", "replace"))


def open_table(path: Path) -> FrameSource:
    """Open a CSV or Parquet file of a table as :func:`from_frame` takes it; ``catalog.yaml``, ``branches.csv`` and
    ``corrections.csv`` beside it count.

    Raises
    ------
    SourceError, ConfigError, UnknownNameError
        As :func:`from_frame` does.
    """
    limits = Limits()
    data = read_bytes(path, path.name, limits)
    block, cells = read_panel(read_columns(data, path.name, None, limits), None)
    catalog, beside = (path.with_name(name) for name in (_CATALOG, _BRANCHES))
    cells, known, drafted = _described(cells, read_yaml(catalog) if catalog.is_file() else None, beside, {}, {})
    said = {"title": dict.fromkeys(("zh", "en"), path.name.partition(".")[0])}
    return _source(block, cells, known, drafted, said, data, path)


# --- what is said of it ----------------------------------------------------------------------------------------------

def _described(table: pd.DataFrame, said: Catalog | dict[str, Any] | None, beside: Path | None,
               units: Mapping[str, str], kinds: Mapping[str, str]) -> tuple[pd.DataFrame, Catalog, pd.DataFrame]:
    """Return the table with keys of `indicator` and units as the catalogue has them, that catalogue - given, read or
    drafted - and what was drafted."""
    names = list(dict.fromkeys(table["name"]))
    for name, kind in kinds.items():
        if kind not in _KINDS:
            raise UnknownNameError("kind", kind, _KINDS, key=f"kinds.{name}")
    drafted = pd.DataFrame(columns=["indicator", "name", "kind", "unit", "reason"])
    if not isinstance(said, Catalog):
        given = beside is not None and beside.is_file()
        listed = read_rows(beside, BRANCH_COLUMNS) if given else _listed(table["branch"].unique())
        if said is None:
            table, said, drafted = _drafted(table, names, units, kinds)
        catalog = make_catalog(said, listed, _CATALOG, str(beside) if given else _BRANCHES)
    else:
        given, catalog = True, said
    if len(drafted) == 0:
        table = _found(table, names, catalog, units)
        keys = dict(zip(table["name"], table["indicator"], strict=True))
        changed = {keys.get(name, name): kind for name, kind in kinds.items()}
        catalog = replace(catalog, indicators=catalog.indicators | {
            catalog.indicator(key).key: catalog.indicator(key).model_copy(update={"kind": kind})
            for key, kind in changed.items()})
    return _placed(table, catalog, given), catalog, drafted


def _listed(names: Iterable[str]) -> list[dict[str, str]]:
    """Return rows of a ``branches.csv``: the first sum of all branches is the total; further ones and subtotals are
    left out, as cleaning does."""
    rows: dict[str, dict[str, str]] = {}
    for name in names:
        total = is_total(name)
        if not name:
            rows[ALONE["branch"]] = ALONE
        elif not (SUBTOTAL.search(name) or (total and "total" in rows)):
            key = "total" if total else branch_id([name], rows)
            rows[key] = {"branch": key, "zh": name, "en": name, "role": "total" if total else "branch"}
    return [dict.fromkeys(BRANCH_COLUMNS, "") | row for row in rows.values()]


def _placed(table: pd.DataFrame, catalog: Catalog, given: bool) -> pd.DataFrame:
    """Check whose the numbers are, and that each stands once."""
    if (table["branch"] == "").any():
        if len(catalog.reporting) != 1:
            raise ConfigError("does not say whose it is", file=table["file"].iloc[0], key="branch", found="nothing",
                              expected="one of " + ", ".join(catalog.reporting),
                              hint="from_frame(df, branch=...) says it, or a column branch")
        table = table.assign(branch=catalog.reporting[0])
    ids = _ids(table["branch"], catalog)
    if given and ids.isna().any():
        catalog.branch(table["branch"][ids.isna()].iloc[0])     # says what is known
    filled = table.assign(id=ids.fillna(table["branch"]))[table["text"] != ""]
    again = filled.duplicated(["id", "month", "indicator"])
    if again.any():
        row = filled[again].iloc[0]
        first = filled[(filled[["id", "month", "indicator"]] == row[["id", "month", "indicator"]]).all(axis=1)].iloc[0]
        often = first["when"] != row["when"]
        raise SourceError("is not monthly" if often else "has a number that stands twice", file=row["file"],
                          row=row["row"], column=row["column"], expected="one number a branch, month and indicator",
                          found=f"{row['branch']}, {row['when']}, {row['name']}" + (
                              f" beside {first['when']}" if often else f" as in row {first['row']}"),
                          hint=TO_MONTHS if often else "Leave one of them out, or add them up: df.groupby(...).sum()")
    return table


def _ids(names: pd.Series, catalog: Catalog) -> pd.Series:
    return names.map({name: catalog.names.get(fold(name)) for name in names.unique()})


def _found(table: pd.DataFrame, names: list[str], catalog: Catalog, units: Mapping[str, str]) -> pd.DataFrame:
    naming, known = Naming(catalog), catalog.labels
    keys, printed = {}, {}
    for name in names:
        bare, unit = naming.split(name)
        keys[name] = known.get(fold(name)) or known.get(fold(bare))
        if keys[name] is None:
            row = table[table["name"] == name].iloc[0]
            raise UnknownNameError("indicator", name, catalog.indicators, file=row["file"], column=row["column"])
        printed[name] = units.get(name, units.get(keys[name], unit))
        if printed[name] and naming.unit(printed[name]) is None:
            raise UnknownNameError("unit", printed[name], catalog.units, key=f"units.{name}")
    _check_given(units, keys)
    own = table["unit"].where(table["unit"] != "", table["name"].map(printed))
    return table.assign(indicator=table["name"].map(keys), unit=own)


def _check_given(given: Mapping[str, str], keys: Mapping[str, str]) -> None:
    for name in given:
        if name not in keys and name not in keys.values():
            raise UnknownNameError("indicator", name, dict.fromkeys([*keys, *keys.values()]))


def _drafted(table: pd.DataFrame, names: list[str], units: Mapping[str, str], kinds: Mapping[str, str]
             ) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Return the table with keys and units, a drafted catalogue as its YAML would say it, and the reasons."""
    by_name = dict(list(table.sort_values(["branch", "month"], kind="stable").groupby("name", sort=False)))
    # A name that can be a key is one: whoever made the table will ask for it.
    keys = {name: name for name in names if ID.fullmatch(name)}
    known, indicators, rows, spelt, multiples = {}, [], [], {}, []
    for name in names:
        values = pd.to_numeric(by_name[name]["text"], errors="coerce").dropna()
        printed = [unit for unit in by_name[name]["unit"].unique() if unit]
        given = (printed or [units.get(name) or split_unit(name)[1]])[0]
        draft, why = draft_indicator(name, values, given)
        if name not in keys:
            free = (f"{draft.key}_{n}" if n > 1 else draft.key for n in range(1, len(names) + 2))
            keys[name] = next(key for key in free if key not in keys.values())
        draft = _of_kind(draft, kinds.get(name, draft.kind), given, values)
        for unit in [printed_unit(draft, values, given), *printed]:
            # A scale alone (万) is one of this indicator's unit, and of another's elsewhere.
            alone = bool(unit) and unit_named(unit) is None and unit_named(unit, draft.unit) is not None
            spelt[name, unit] = f"{unit}{draft.unit}" if alone else unit
            multiples.append((spelt[name, unit], draft.unit))
        spelt.setdefault((name, ""), spelt[name, printed_unit(draft, values, given)])
        known[draft.key] = keys[name]
        indicators.append(draft)
        rows.append((keys[name], name, draft.kind, spelt[name, ""] or draft.unit.replace("1", ""), join(
            why, t("cleaning.comma"))))
    _check_given({**units, **kinds}, dict.fromkeys(names))
    indicators = [_of_parts(draft, known).model_copy(update={"key": keys[name]})
                  for name, draft in zip(names, indicators, strict=True)]
    said = {name: {key: one.model_dump() for key, one in made.items()} for name, made in zip(
        ("units", "base_units", "groups"), draft_tables(indicators, multiples), strict=True)}
    said["indicators"] = [one.model_dump(exclude_defaults=True) for one in indicators]
    unit = [spelt[pair] for pair in zip(table["name"], table["unit"], strict=True)]
    return (table.assign(indicator=table["name"].map(keys), unit=unit), said,
            pd.DataFrame(rows, columns=["indicator", "name", "kind", "unit", "reason"]))


def _of_kind(draft: Indicator, kind: str, unit: str, values: pd.Series) -> Indicator:
    if kind == draft.kind:
        return draft
    plain = {"unit": "1", "group": "ratios"} if kind == "ratio" and not unit else {}
    return draft.model_copy(update={"kind": kind, "numerator": None, "denominator": None, **plain,
                                    "bounded": kind != "ratio" or bool(values.between(0, 100).all())})


def _of_parts(draft: Indicator, known: Mapping[str, str]) -> Indicator:
    """Return a draft that is derived from its parts only where these are there, under their keys here."""
    parts = [part for part in (draft.numerator, *draft.denominators) if part is not None]
    if all(part in known for part in parts):
        over = [known[part] for part in draft.denominators]
        return draft.model_copy(update={"numerator": known.get(draft.numerator), "denominator": over or None})
    return draft.model_copy(update={"numerator": None, "denominator": None})


# --- the source ------------------------------------------------------------------------------------------------------

def _source(block: Block, cells: pd.DataFrame, catalog: Catalog, drafted: pd.DataFrame, said: dict[str, Any],
            data: bytes, path: Path = Path("frame")) -> FrameSource:
    config = validate(SourceSpec, {**said, "catalog": _CATALOG, "branches": _BRANCHES, "files": [{"path": _PANEL}]},
                      _FRAME)
    check_events(config, catalog, _FRAME)
    cells = cells.drop(columns=["name", "when"])
    cells = cells.astype(dict.fromkeys({*cells.columns} - {"row", "month", "revision", "text"}, "category"))
    file = path.name, len(data), hashlib.sha256(data).hexdigest()
    tables = {"cells": cells, "notes": pd.DataFrame(columns=["file", "sheet", "row", "column", "text"]),
              "accounting": accounting_frame([[block]]), "files": files_frame([file], [block])}
    return FrameSource(path, config, (), catalog, path.parent, tables, drafted)
