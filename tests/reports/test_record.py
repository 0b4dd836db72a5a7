"""What notebooks hand to the report is plain JSON inside the notebook, and invisible."""

import json

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import ConfigError
from ebank_lib.reports.record import record, state, table_of


def test_a_table_is_plain_json_with_kinds_and_headings():
    frame = pd.DataFrame({"branch": ["a", None], "n": [1, 2], "x": [0.1234567890123, np.inf], "ok": [True, False],
                          "share": [0.5, 0.25]}, index=pd.PeriodIndex(["2010-01", "2010-02"], freq="M", name="month"))
    made = table_of("t", frame, "Title", kinds={"share": "percent"}, heads={"x": "X"}, notes=["n"], lang="en")
    assert json.loads(json.dumps(made)) == made
    assert [c["kind"] for c in made["columns"]] == ["month", "text", "integer", "number", "flag", "percent"]
    assert [c["head"] for c in made["columns"]][:2] == ["Month", "Branch"] and made["columns"][3]["head"] == "X"
    assert made["rows"] == [["2010-01", "a", 1, 0.123456789, True, 0.5], ["2010-02", None, 2, None, False, 0.25]]


def test_a_result_is_recorded_by_its_table_and_a_series_by_its_values():
    class Result:
        table = pd.DataFrame({"a": [1]})

    assert table_of("t", Result())["rows"] == [[1]]
    assert table_of("t", pd.Series([1.5], name="y"))["columns"][0]["name"] == "y"


@pytest.mark.parametrize("call", [
    lambda: table_of("../x", pd.DataFrame()), lambda: table_of("t", 3),
    lambda: table_of("t", pd.DataFrame({"a": [1]}), kinds={"b": "percent"}),
    lambda: table_of("t", pd.DataFrame({"a": [1]}), kinds={"a": "colour"}),
    lambda: state("s", "text", level="loud"),
])
def test_what_cannot_be_recorded_is_a_typed_error(call):
    with pytest.raises(ConfigError):
        call()


def test_an_empty_sentence_is_no_line(monkeypatch):
    said = []
    monkeypatch.setattr("ebank_lib.reports.record._publish", lambda *what: said.append(what))
    state("s", "")
    assert said == []
    state("s", "text")
    assert len(said) == 1


def test_outside_a_notebook_nothing_happens(capsys):
    record("t", pd.DataFrame({"a": [1]}))
    state("s", "text")
    assert capsys.readouterr().out == ""
