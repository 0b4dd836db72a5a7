"""The page of keys is the schema's: no key is missing, none is made up, and every example is accepted."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import pytest
import yaml
from pydantic import TypeAdapter

from ebank_lib.config import Strict


@pytest.fixture(scope="module")
def keys(root):
    found = importlib.util.spec_from_file_location("keys", root / "docs" / "keys.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def records(model, seen=None):
    """Return a record and those that its keys hold."""
    from ebank_lib.config import _models_in

    seen = {} if seen is None else seen
    if model.__name__ not in seen:
        seen[model.__name__] = model
        for field in model.model_fields.values():
            for inner in _models_in(field.annotation):
                records(inner, seen)
    return seen


def test_every_record_of_the_schema_has_its_table(keys):
    from ebank_lib.sources.spec import DatabaseSpec, LongSpec, SourceSpec, WideSpec

    found = {name for model in (SourceSpec, WideSpec, LongSpec, DatabaseSpec) for name in records(model)}
    assert found - {"Labels"} == set(keys.TITLES)


def test_every_key_has_a_meaning_and_an_example_that_is_accepted(keys, root):
    meaning = yaml.safe_load((root / "docs" / "keys.yaml").read_text(encoding="utf-8"))
    for name in keys.TITLES:
        model = keys.record(name)
        assert set(meaning[name]) == set(keys.keys(model)), name
        for field_name, field in model.model_fields.items():
            key = field.alias or field_name
            what, example = meaning[name][key]
            assert what
            value = yaml.safe_load(example)
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            TypeAdapter(kind).validate_python(value, strict=None if isinstance(value, dict) else True)


def test_the_page_is_made_of_today_s_schema(keys, root):
    assert (root / "docs" / "sources.md").read_text(encoding="utf-8") == keys.page()


def test_the_schema_refuses_what_the_page_does_not_list():
    assert Strict.model_config["extra"] == "forbid"
