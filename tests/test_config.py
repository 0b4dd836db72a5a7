"""YAML is read as plain data, and an error says where and what instead."""

import os
import time
from pathlib import Path

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
    ('a: !!int ""\n', "tag"),
    ("a: !!map [b]\n", "tag"),
    ("a: !!timestamp x\n", "tag"),
    ('a: "\\0"\n', "U.0000"),
    ('a: "\\e[2J"\n', "U.001B"),
    ('"\\u202e": 1\n', "U.202E"),
    ("a: \u2066b\n", "U.2066"),
    ('a: "\\ud800"\n', "escape code"),
    ("a: =\n", "constructor"),
])
def test_what_is_not_plain_yaml_is_refused_by_name(tmp_path, text, found):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=found) as caught:
        read_yaml(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(("text", "value"), [
    ("0351", "0351"), ("12_0", 120), ("-3", -3), ("1.5", 1.5), ("-.5e-3", -0.0005), ("1e3", 1000.0), ("0x1F", "0x1F"),
    ("1:30", "1:30"), ("1:1.5", "1:1.5"), ("9" * 40, "9" * 40), ("2010-03", "2010-03"), ("yes", True), ("~", None),
])
def test_a_number_is_a_decimal_one_and_all_else_is_text(tmp_path, text, value):
    assert read_yaml(write(tmp_path, f"a: {text}\n")) == {"a": value}


def test_what_is_merged_in_is_a_key_like_any_other(tmp_path):
    assert read_yaml(write(tmp_path, "<<: {a: 1}\nb: 2\n")) == {"<<": {"a": 1}, "b": 2}


def test_a_number_of_many_parts_costs_nothing(tmp_path):
    """YAML 1.1 would read this as one number to the base of 60, with a million digits."""
    began = time.process_time()
    assert read_yaml(write(tmp_path, "a: 1" + ":0" * 400_000))["a"].startswith("1:0")
    assert time.process_time() - began < 5


def test_pipes_devices_and_links_to_them_are_no_files(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.yaml")
        with pytest.raises(ConfigError, match="no plain file"):
            read_yaml(tmp_path / "pipe.yaml")
    if Path("/dev/zero").exists():
        (tmp_path / "zero.yaml").symlink_to("/dev/zero")
        with pytest.raises(ConfigError, match="no plain file"):
            read_yaml(tmp_path / "zero.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "a\0b.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="missing.yaml"):
        read_yaml(tmp_path / "missing.yaml")
    (tmp_path / "x.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize(("data", "key", "message"), [
    ({"titel": "x"}, "titel", "Did you mean 'title'"),
    ({"title": 3}, "title", "a text: put it into quotes"),
    ({}, "title", "is missing"),
    ({"title": "x", "parts": [{"lenght": 3}]}, "parts.0.lenght", "Did you mean 'length'"),
    ({"title": "x", "named": {"a": {"length": 1, "widht": 2}}}, "named.a.widht", "one of length"),
    ({"title": "x", "parts": [{"length": "3"}]}, "parts.0.length", "a whole number"),
])
def test_a_wrong_key_or_value_is_named_with_the_nearest_right_one(data, key, message):
    order = {"title": "x"} | data if key != "title" else data
    with pytest.raises(ConfigError, match=message) as caught:
        validate(Outer, order, "x.yaml")
    assert caught.value.key == key


@pytest.mark.parametrize("key", ["NO", "yes", "off", "null", "~"])
def test_a_key_that_yaml_takes_for_something_else_has_to_be_quoted(tmp_path, key):
    (tmp_path / "x.yaml").write_text(f"headings:\n  {key}: mobile\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f'row 2: .*quote it \\("{key}"\\)'):
        read_yaml(tmp_path / "x.yaml")


def test_a_wrong_value_is_said_in_plain_words():
    with pytest.raises(ConfigError) as caught:
        validate(Outer, {"title": False}, "x.yaml")
    assert "Input should" not in str(caught.value) and "put it into quotes" in str(caught.value)


def test_what_is_right_comes_back_frozen():
    record = validate(Outer, {"title": "x", "parts": [{"length": 3}]}, "x.yaml")
    assert record.parts[0].length == 3
    with pytest.raises(Exception, match="frozen"):
        record.title = "y"
