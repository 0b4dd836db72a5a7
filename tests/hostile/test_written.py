"""What is written stays where it belongs and is only text: folders, CSV fields, the parameters of a notebook."""

import ast
import csv
import io

import pandas as pd
import papermill.parameterize
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from ebank_lib.catalog import ID
from ebank_lib.cleaning.ledger import safe_for_spreadsheets
from ebank_lib.errors import ConfigError
from ebank_lib.files import own_folder
from ebank_lib.reports.export import csv_bytes
from ebank_lib.reports.parameters import plan

TEXT = st.text(max_size=40) | st.sampled_from(
    [
        "\r=1",
        "a\r=1",
        "\r\n@x",
        "\t=1",
        "＝1",
        "a,=1",
        'a"\r"=1',
        "-",
        "'=1",
        "\0",
        "",
        "x" * 100_000,
        "'''",
        '"""',
        "\\",
        "\\'",
        "{x}",
        "\n__import__('os').system('x')\n",
        "# Parameters\nx = 1",
        "\u2028x",
        "\x0cx",
        "0351",
        "None",
        "True",
    ]
)


@given(texts=st.lists(TEXT.filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t)), min_size=1, max_size=4))
@settings(max_examples=60)
def test_no_field_of_a_csv_file_begins_with_a_formula_or_a_line_of_its_own(texts):
    table = {"columns": [{"name": f"c{n}", "kind": "text"} for n in range(len(texts))], "rows": [texts]}
    whole = csv_bytes(table).decode("utf-8-sig")
    for newline in ("", None):  # as csv reads it, and as a spreadsheet that knows every kind of line's end
        rows = list(csv.reader(io.StringIO(whole, newline=newline)))
        assert [len(row) for row in rows] == [len(texts)] * 2
        assert not [text for text in rows[1] if text[:1] in tuple("=+-@\t\r\n＝＋－＠")]


def test_numbers_and_other_texts_are_as_they_were():
    frame = pd.DataFrame({"a": [-1.5, 2.0], "b": ["x", "1-2"], "c": pd.Categorical(["x", "=y"])})
    assert safe_for_spreadsheets(frame).to_dict("list") == {"a": [-1.5, 2.0], "b": ["x", "1-2"], "c": ["x", "'=y"]}


@given(text=TEXT, number=st.integers() | st.floats(allow_nan=False), flag=st.booleans())
@settings(max_examples=60)
def test_a_parameter_is_a_literal_in_the_notebook(text, number, flag):
    """papermill writes values as Python: whatever a text holds, it comes back as that text and nothing runs."""
    cell = new_code_cell("text = ''\nnumber = 0\nflag = True")
    cell.metadata["tags"] = ["parameters"]
    given_ = {"text": text, "number": number, "flag": flag}
    book = new_notebook(cells=[cell])
    book.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    book.metadata["papermill"] = {}
    made = papermill.parameterize.parameterize_notebook(book, given_)
    source = next(c.source for c in made.cells if "injected-parameters" in c.metadata.get("tags", []))
    body = ast.parse(source).body
    assert [node.targets[0].id for node in body] == list(given_)
    assert {n.targets[0].id: ast.literal_eval(n.value) for n in body if not isinstance(n.value, ast.Call)} == {
        k: v for k, v in given_.items() if v not in (float("inf"), float("-inf"))
    }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        "-" * 900 + "1",
        "{[]: 1}",
        "9" * 900 + "e9999",
        "__import__('os')",
        "1 if 1 else 2",
        "f'{1}'",
        "open('x')",
        "1;2",
        "1\n2",
    ],
)
def test_a_value_that_is_no_number_is_refused(text):
    with pytest.raises(ConfigError, match="wrong value"):
        plan({"nb": {"horizon": 12}}, {}, {"horizon": text})


@pytest.mark.parametrize("text", ["\0", "a\x1b[2J", "\u202ex", "\ud800"])
def test_a_text_that_steers_is_no_value(text):
    with pytest.raises(ConfigError, match="holds a control character"):
        plan({"nb": {"note": ""}}, {}, {"note": text})


@pytest.mark.parametrize("name", ["..", ".", "", "../x", "a/b", "/etc", "a/../../x"])
def test_a_folder_has_one_plain_name(tmp_path, name):
    with pytest.raises(ConfigError, match="is no name of a folder"):
        own_folder(tmp_path, "a", name)
    assert not ID.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["CON", "nul", "COM1", "lpt9", "a.", "a b", "a\n", "a\0", "-a", "", "x" * 65, "東", "a/b", "..", "C:"]
)
def test_an_id_is_a_folder_on_every_system(name):
    assert not ID.fullmatch(name)


def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    for target in ("../elsewhere", "nowhere", ".", "/"):
        (tmp_path / "out" / "east").symlink_to(target, target_is_directory=True)
        for names in (("east",), ("east", "tables")):
            with pytest.raises(ConfigError, match="leads out of the output folder"):
                own_folder(tmp_path / "out", *names)
        (tmp_path / "out" / "east").unlink()
    assert own_folder(tmp_path / "out", "east", "tables").is_dir()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "east").write_text("x")
    with pytest.raises(ConfigError, match="cannot be made"):
        own_folder(tmp_path, "east")
