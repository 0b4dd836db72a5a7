"""Parameters are checked before anything runs, and keep the type of the default."""

import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.reports.parameters import check_extra, check_parameters, learners, parameters_of, plan

KNOWN = {"01": {"branch": "rizhao", "lang": "zh", "start": None},
         "04": {"branch": "rizhao", "horizon": 12, "level": (80, 95), "damped": False, "alpha": 0.05}}


def test_every_notebook_gets_what_it_has_and_none_leaves_the_default():
    runs = plan(KNOWN, {"branch": "0351", "lang": "en", "start": None, "indicator": "sms"}, {})
    assert runs == {"01": {"branch": "0351", "lang": "en"}, "04": {"branch": "0351"}}


def test_what_a_user_types_is_read_as_the_default_is():
    runs = plan(KNOWN, {}, {"horizon": "18", "level": "(50, 90)", "damped": "yes", "alpha": "1", "start": "2009-01"})
    assert runs["04"] == {"horizon": 18, "level": (50, 90), "damped": True, "alpha": 1.0}
    assert runs["01"] == {"start": "2009-01"}
    assert plan({"a": {"branch": "x"}}, {}, {"branch": "0351"})["a"]["branch"] == "0351"


@pytest.mark.parametrize("pair", [("horizon", "many"), ("horizon", "1.5"), ("level", "80"), ("damped", "perhaps"),
                                  ("alpha", "__import__('os')")])
def test_a_value_of_another_type_is_refused(pair):
    with pytest.raises(ConfigError, match=pair[0]):
        plan(KNOWN, {}, dict([pair]))


def test_plain_papermill_with_a_misspelt_parameter_is_stopped_by_the_notebook():
    own = 'branch = "rizhao"\nhorizon = 12'
    check_parameters(["", own, "# Parameters\nbranch = 351\n", "eb.setup(lang)"])
    check_parameters(["", own, "eb.setup(lang)"])
    with pytest.raises(UnknownNameError, match="Did you mean 'branch'"):
        check_parameters(["", own, '# Parameters\nbrnch = "x"\n', "eb.setup(lang)"])


# ---------------------------------------------------------------- notebooks read as plain JSON

def test_parameters_are_those_that_the_notebook_has(root, project):
    assert parameters_of(project / "notebooks" / "02_forecast.ipynb") == {
        "source": "data/small", "branch": "0351", "indicator": "online", "start": None, "end": None, "lang": "zh",
        "horizon": 12}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        assert {"source", "lang"} <= set(parameters_of(path))


@pytest.mark.parametrize("content, says", [
    ("", "is no notebook"), ("[1]", "is no notebook"), ('{"cells": [{}]}', "is no notebook"),
    ('{"cells": []}', "has no parameters; expected a code cell tagged"),
    ("[" * 100_000, "is no notebook"),
    ('{"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["a ="]}]}',
     "has a parameters cell that is no Python"),
])
def test_what_is_no_notebook_is_an_error_that_names_the_file(tmp_path, content, says):
    path = tmp_path / "01_bad.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"01_bad\.ipynb.*{says}"):
        parameters_of(path)


def test_what_a_batch_learns_beforehand_is_what_its_notebooks_ask_for(root, project):
    notebooks = sorted((root / "notebooks").glob("0[1-5]*.ipynb"))
    assert learners(notebooks, {}) == [{"horizon": 12, "origins": 12}]
    assert learners(notebooks, {"horizon": "18", "lang": "en"}) == [{"horizon": 18, "origins": 12}]
    assert learners(sorted((project / "notebooks").glob("*.ipynb")), {}) == []
    with pytest.raises(UnknownNameError, match="Did you mean 'horizon'"):
        check_extra({"horizn": "1"}, notebooks)
