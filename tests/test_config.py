"""YAML is read as plain data, and an error says where and what instead."""

import pytest

from ebank_lib.config import Strict, read_yaml, validate
from ebank_lib.errors import ConfigError


class Inner(Strict):
    length: int


class Outer(Strict):
    title: str
    parts: list[Inner] = []
    named: dict[str, Inner] = {}


def write(folder, text):
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "found"), [
    ("a: &x 1\nb: *x\n", "alias"),
    ("a: !!python/object/apply:os.system [ls]\n", "tag"),
    ("a: 1\na: 2\n", "twice"),
    ("\ta: 1\n", "token"),
    ("a: " + "[" * 30 + "]" * 30, "nesting"),
    ("- a\n", "list"),
    ("a: [1\n", "expected"),
    ("? {b: 1}\n: 2\n", "unhashable"),
    ("a: \x07\n", "not allowed"),
    ("a: 2010-99-99\n", "month"),
])
def test_what_is_not_plain_yaml_is_refused_by_name(tmp_path, text, found):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=found) as caught:
        read_yaml(path)
    assert caught.value.file == str(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="missing.yaml"):
        read_yaml(tmp_path / "missing.yaml")
    (tmp_path / "x.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize(("data", "key", "message"), [
    ({"titel": "x"}, "titel", "Did you mean 'title'"),
    ({"title": 3}, "title", "string"),
    ({}, "title", "nothing"),
    ({"title": "x", "parts": [{"lenght": 3}]}, "parts.0.lenght", "Did you mean 'length'"),
    ({"title": "x", "named": {"a": {"length": 1, "widht": 2}}}, "named.a.widht", "one of length"),
    ({"title": "x", "parts": [{"length": "3"}]}, "parts.0.length", "integer"),
])
def test_a_wrong_key_or_value_is_named_with_the_nearest_right_one(data, key, message):
    order = {"title": "x"} | data if key != "title" else data
    with pytest.raises(ConfigError, match=message) as caught:
        validate(Outer, order, "x.yaml")
    assert caught.value.key == key


def test_what_is_right_comes_back_frozen():
    record = validate(Outer, {"title": "x", "parts": [{"length": 3}]}, "x.yaml")
    assert record.parts[0].length == 3
    with pytest.raises(Exception, match="frozen"):
        record.title = "y"
