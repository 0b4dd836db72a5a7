"""Parameters are checked before anything runs, and keep the type of the default."""

import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.reports.parameters import check_parameters, plan

KNOWN = {"01": {"branch": "rizhao", "lang": "zh", "start": None},
         "04": {"branch": "rizhao", "horizon": 12, "level": (80, 95), "damped": False, "alpha": 0.05}}


def test_every_notebook_gets_what_it_has_and_none_leaves_the_default():
    runs = plan(KNOWN, {"branch": "0351", "lang": "en", "start": None, "indicator": "sms"})
    assert runs == {"01": {"branch": "0351", "lang": "en"}, "04": {"branch": "0351"}}


def test_what_a_user_types_is_read_as_the_default_is():
    runs = plan(KNOWN, {}, {"horizon": "18", "level": "(50, 90)", "damped": "yes", "alpha": "1", "start": "2009-01"})
    assert runs["04"] == {"horizon": 18, "level": (50, 90), "damped": True, "alpha": 1.0}
    assert runs["01"] == {"start": "2009-01"}
    assert plan({"a": {"branch": "x"}}, {}, {"branch": "0351"})["a"]["branch"] == "0351"


def test_a_misspelt_parameter_names_the_right_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'horizon'"):
        plan(KNOWN, {}, {"horzion": "18"})


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
