"""Safe YAML, validated: an error names the file and the key, and suggests the nearest right one."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError, nearest

__all__ = ["Strict", "read_yaml", "validate"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Strict(BaseModel):
    """A frozen record that refuses keys it does not know and types that do not fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


class _PlainLoader(_Loader):
    """Safe YAML without repeated keys, of which the last would win in silence."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else None)
        return super().construct_mapping(node, deep)


def _refuse_bombs(text: str) -> None:
    """Refuse aliases, which can expand without bound, and nesting that would exhaust the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nesting deeper than {MAX_DEPTH}", problem_mark=event.start_mark)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises
    ------
    ConfigError
        The file is missing, too large, not UTF-8, not YAML, uses tags, aliases or repeated keys, or holds no mapping.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError("cannot be read", file=str(path), found=error.strerror, expected="a YAML file") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError("is too large", file=str(path), found=f"{len(raw)} bytes", expected=f"at most {MAX_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8", file=str(path), found=f"byte {error.start}", expected="UTF-8 text") from error
    try:
        _refuse_bombs(text)
        data = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader with less, not more
    except yaml.MarkedYAMLError as error:
        row = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError("is not plain YAML", file=str(path), row=row, found=error.problem,
                          expected="mappings, lists and plain values indented by spaces") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError("is not plain YAML", file=str(path), found=str(error).splitlines()[0],
                          expected="mappings, lists and plain values") from error
    if not isinstance(data, dict):
        raise ConfigError("holds no mapping", file=str(path), found=type(data).__name__, expected="key: value lines")
    return data


def validate(model: type[Model], data: dict[str, Any], path: str | Path, at: str = "") -> Model:
    """Check `data`, which stands under the key `at`, against a pydantic model.

    Raises
    ------
    ConfigError
        For the first offending key: its path, what was found, what was expected, the nearest right key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # A misspelt key is also a missing one: name the misspelling, which is what has to be mended.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    keys = [*([at] if at else []), *(str(part) for part in first["loc"])]
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        near = nearest(keys[-1], known)
        raise ConfigError("unknown key", file=str(path), key=".".join(keys),
                          expected="one of " + ", ".join(known) if known else None,
                          hint=f"Did you mean {near!r}?" if near else None)
    found = "nothing" if first["type"] == "missing" else first["input"]
    raise ConfigError("wrong value", file=str(path), key=".".join(keys), found=found, expected=first["msg"])


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the record types that an annotation such as ``list[A] | dict[str, B] | None`` mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = typing.get_origin(annotation)
    if origin is None and not isinstance(annotation, types.UnionType):
        return []
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _fields_at(model: type[BaseModel], loc: tuple) -> list[str]:
    """Return the keys allowed at a place in the document, all alternatives together."""
    models = [model]
    for part in loc:
        deeper = [inner for m in models for name, field in m.model_fields.items() if part == (field.alias or name)
                  for inner in _models_in(field.annotation)]
        models = deeper or models
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})
