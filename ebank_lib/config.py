"""Safe YAML, validated: an error names the file and the key, and suggests the nearest right one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from yaml.parser import ParserError
from yaml.scanner import ScannerError

from .errors import ConfigError, nearest
from .files import read_limited

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_QUOTES = "Indent by spaces, never by tabs; a text with : # , [ ] { } in it goes into quotes"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What steers a terminal, turns the direction of writing, or is no character at all.
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def hidden_sign(text: str) -> str | None:
    """Return the first sign of a text that would act rather than be read, by its number; None where there is none.

    Examples
    --------
    >>> hidden_sign("a" + chr(0x202E)), hidden_sign("two\\nlines\\tof text")
    ('U+202E', None)
    """
    found = _STEERING.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


class Strict(BaseModel):
    """A frozen record that refuses keys it does not know and types that do not fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _knows_its_keys(cls, data: Any) -> Any:
        known = sorted(field.alias or name for name, field in cls.model_fields.items())
        for key in data if isinstance(data, dict) else ():
            if key not in known:        # said before anything else, with the keys that are
                raise PydanticCustomError("unknown_key", "a known key", {"key": str(key), "known": known})
        return data


Model = TypeVar("Model", bound=BaseModel)


class _PlainLoader(_Loader):
    """Safe YAML without repeated keys, of which the last would win in silence, and with decimal numbers only.

    YAML 1.1 also takes ``1:30`` for 90 and ``0351`` for 233. The former would keep a processor busy for minutes when it
    has a hundred thousand parts, the latter is a branch. A key ``<<`` is only a key: what is merged in is not seen.
    """

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in pairs if tag.rpartition(":")[2] not in ("int", "float", "merge")]
        for first, pairs in _Loader.yaml_implicit_resolvers.items()}

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag.rpartition(":")[2] in ("bool", "null"):
                raise yaml.MarkedYAMLError(problem=f"a key {key.value}, which YAML takes for yes, no or nothing: "
                                                   f'quote it ("{key.value}")', problem_mark=key.start_mark)
            if isinstance(key.value, str) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else None)
        return super().construct_mapping(node, deep)


_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,30})\Z"),
                                   list("-+0123456789"))
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(
    r"(?:[-+]?(?:[0-9][0-9_]{0,30}\.[0-9_]{0,30}|\.[0-9][0-9_]{0,30})(?:[eE][-+]?[0-9]{1,4})?"
    r"|[-+]?[0-9]{1,30}[eE][-+]?[0-9]{1,4}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"), list("-+0123456789."))


def _refuse_bombs(text: str) -> None:
    """Refuse what is not what it looks like: aliases, which can expand without bound, nesting that would exhaust the
    stack, tags, and characters that nobody sees."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem=f"a tag ({event.tag})", problem_mark=event.start_mark)
        if isinstance(event, yaml.ScalarEvent) and (sign := hidden_sign(event.value)):
            raise yaml.MarkedYAMLError(problem=f"a control character ({sign})", problem_mark=event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nesting deeper than {MAX_DEPTH}", problem_mark=event.start_mark)


def read_text(path: str | Path, expected: str, most: int = MAX_BYTES) -> str:
    """Return a text file's content; `expected` says what it should be, `most` how large it may be."""
    try:
        raw = read_limited(Path(path), most)
    except (OSError, ValueError) as error:   # a name with a NUL is a ValueError
        raise ConfigError("cannot be read", file=str(path), found=getattr(error, "strerror", None) or str(error),
                          expected=expected) from error
    if len(raw) > most:
        raise ConfigError("is too large", file=str(path), expected=f"at most {most} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8", file=str(path), found=f"byte {error.start}", expected="UTF-8 text") from error


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read one YAML mapping, without tags, aliases, control characters and repeated keys."""
    text = read_text(path, "a YAML file")
    try:
        _refuse_bombs(text)
        data = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader with less, not more
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        mark, problem = (getattr(error, name, None) for name in ("problem_mark", "problem"))
        raise ConfigError("is not plain YAML", file=str(path), row=mark.line + 1 if mark else None,
                          found=problem or (str(error).splitlines() or ["?"])[0],
                          expected="mappings, lists and plain values indented by spaces",
                          hint=_QUOTES if isinstance(error, ScannerError | ParserError) else None) from error
    if not isinstance(data, dict):
        raise ConfigError("holds no mapping", file=str(path), found=type(data).__name__, expected="key: value lines")
    return data


def read_rows(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file in UTF-8 that has just these columns: a mapping a row, blank lines left out."""
    try:
        lines = list(csv.reader(io.StringIO(read_text(path, "a CSV file"), newline=""), strict=True))
    except csv.Error as error:
        raise ConfigError("cannot be read", file=str(path), found=str(error), expected="a CSV file") from error
    if not lines or lines[0] != list(columns):
        raise ConfigError("wrong columns", file=str(path), row=1, found=",".join(lines[0]) if lines else "nothing",
                          expected=",".join(columns))
    for n, line in enumerate(lines[1:], start=2):
        if line and len(line) != len(columns):
            raise ConfigError("has a line of another length", file=str(path), row=n, found=f"{len(line)} fields",
                              expected=f"{len(columns)} as in the first line")
    return [dict(zip(columns, line)) for line in lines[1:] if line]


def validate(model: type[Model], data: dict[str, Any], path: str | Path, at: str = "") -> Model:
    """Check `data`, which stands under the key `at`, against a pydantic model.

    The error is of the first offending key: its path, what was found, what was expected, the nearest right key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # A misspelt key is also a missing one: name the misspelling, which is what has to be mended.
    first = next((e for e in errors if e["type"] == "unknown_key"), errors[0])
    keys = [*([at] if at else []), *_place(data, first)]
    if first["type"] == "unknown_key":
        key, known = first["ctx"]["key"], first["ctx"]["known"]
        near = nearest(key, known)
        raise ConfigError("unknown key", file=str(path), key=".".join([*keys, key]),
                          expected="one of " + ", ".join(known), hint=f"Did you mean {near!r}?" if near else None)
    if first["type"] == "missing":
        raise ConfigError("is missing", file=str(path), key=".".join(keys), expected=f"a line `{keys[-1]}: ...`")
    # Of a number or a word, say, there is an error each.
    expected = dict.fromkeys(expected_of(e) for e in errors if _place(data, e) == _place(data, first))
    raise ConfigError("wrong value", file=str(path), key=".".join(keys), found=first["input"],
                      expected=" or ".join(expected))


# Pydantic's names of types, in words for those who write no Python; all else it says well enough.
_EXPECTED = {
    "string_type": "a text", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "bool_type": "true or false", "list_type": "a list, such as [a, b]",
    "dict_type": "keys and values", "model_type": "keys and values"}


def expected_of(error: dict[str, Any]) -> str:
    """Return what a value should have been, in plain words."""
    said = re.sub("^(Value error, |(Input|List|String) should (be |have )?)", "", error["msg"])
    text = _EXPECTED.get(error["type"], said)
    unquoted = error["type"] == "string_type" and isinstance(error["input"], bool | int | float)
    return f"{text}: put it into quotes" if unquoted else text


def _place(data: Any, error: dict[str, Any]) -> list[str]:
    """Return the keys that lead to an error, as they stand in the document: pydantic names alternatives as well."""
    keys: list[str] = []
    for part in error["loc"]:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if not there and error["type"] != "missing":
            break
        keys.append(str(part))
        data = data[part] if there else None
    return keys
