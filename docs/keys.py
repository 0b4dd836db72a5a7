"""Makes docs/sources.md, every key of a sources.yaml, of the schema and docs/keys.yaml: ``python docs/keys.py``."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel

from ebank_lib.sources import months, spec

HERE = Path(__file__).parent
TITLES = {
    "SourceSpec": "The file", "WideSpec": "An entry of `files`: workbooks, and CSV files saved from sheets",
    "SheetSpec": "An entry of `sheets`", "Heading": "What a heading names", "BranchAt": "Where the branch is written",
    "IndicatorAt": "Where the indicator is written", "Month": "Where the month is written",
    "Year": "Where the year is written", "Revision": "Where a revision says that it is one",
    "LongSpec": "An entry of `files`: a long table", "LongColumn": "What a column of a long table holds",
    "UnitAt": "Where the unit of a long table is", "Address": "Where a figure of a long table was printed",
    "DatabaseSpec": "An entry of `files`: a database", "Event": "An entry of `events`", "Limits": "`limits`"}
HEAD = """\
# sources.yaml

How the files of a source are read. A key that is not listed here is refused, with the nearest one that is. The order
of this page is that of the file. `ebank new DIR --from PATH` drafts one; made by `python docs/keys.py`.
"""


def record(name: str) -> type[BaseModel]:
    """Return the schema's record of this name."""
    return getattr(spec, name, None) or getattr(months, name)


def keys(model: type[BaseModel]) -> dict[str, str]:
    """Return the keys of a record, each with what may stand there where that is one of a few words, and its default."""
    return {field.alias or name: _allowed(field) for name, field in model.model_fields.items()}


def _allowed(field) -> str:
    choices = [one for kind in (field.annotation, *typing.get_args(field.annotation))
               if typing.get_origin(kind) is Literal for one in typing.get_args(kind) if one != ""]
    said = " \\| ".join(f"`{one}`" for one in choices)
    if field.is_required():
        return f"{said}; required" if said else "required"
    default = field.default
    shown = isinstance(default, str | int) and default != ""
    return "; ".join(filter(None, [said, f"default `{str(default).lower()}`" if shown else ""]))


def page() -> str:
    """Return the page."""
    meaning = yaml.safe_load((HERE / "keys.yaml").read_text(encoding="utf-8"))
    parts = [HEAD]
    for name, title in TITLES.items():
        rows = ["| key | what it says | values | example |", "|---|---|---|---|"]
        for key, allowed in keys(record(name)).items():
            if key not in meaning[name]:
                raise SystemExit(f"docs/keys.yaml lacks the key {key!r} under {name}: what it says, and an example")
            what, example = meaning[name][key]
            rows.append(f"| `{key}` | {what} | {allowed} | `{key}: {example}` |")
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (HERE / "sources.md").write_text(page(), encoding="utf-8")
