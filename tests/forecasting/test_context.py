"""What is known beside a series: nothing of later months, and what the branches teach."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.forecasting import Context
from ebank_lib.forecasting.calibration import GAUSSIAN, panel_shape, shape_of


def test_nothing_after_the_cutoff_is_looked_at(cleaned):
    cutoff = pd.Period("2010-06", "M")

    class Changed:
        catalog, source, entries = cleaned.catalog, cleaned.source, cleaned.entries
        panel = cleaned.panel.copy()

    later = Changed.panel.index.get_level_values("month") > cutoff
    Changed.panel.loc[later] *= np.random.default_rng(0).uniform(0.2, 5, (later.sum(), 1))
    a, b = (Context.of(x, cutoff).forecast("rizhao", "counter_txn") for x in (cleaned, Changed))
    pd.testing.assert_frame_equal(a.table, b.table)


def test_a_figure_at_the_end_that_the_ledger_doubts_is_not_taken_for_news(cleaned):
    from ebank_lib.cleaning import clean

    # At the end of 2010-09 a whole column stood in another unit, and no later month had proved it yet.
    then = clean(cleaned.source, cleaned.policy, end="2010-09", cells=cleaned.cells)
    doubtful = then.series("rizhao", "mobile_txn").iloc[-1]
    f = Context.of(then).forecast("rizhao", "mobile_txn")
    assert doubtful < 100 and f.y.iloc[-1] > 1000 and f.block()["lo-95"].min() > 1000
    assert f.block()["month"].iloc[-1] == pd.Period("2011-09", "M")


@pytest.mark.parametrize("before", [0, 1])
def test_errors_are_those_of_the_months_that_were_forecast(cleaned, before):
    # A figure in doubt at an origin is left out there, and with it the origin: what a forecast from the month before
    # said of its first month is not held against what came a month later. One in doubt the month before is a gap.
    plain = Context.of(cleaned)
    origin = plain.last - 6
    doubtful = pd.DataFrame({"branch": ["rizhao"], "month": [origin - before], "indicator": ["sms"]})
    context = Context(cleaned.panel, cleaned.catalog, calendar=plain.calendar, events=plain.events, doubtful=doubtful)
    n = context.branches.index("rizhao")
    assert np.isfinite(plain["sms"].errors[n, 2, :6]).all()
    assert np.isfinite(context["sms"].errors[n, 2, :6]).all() == bool(before)
    assert np.isnan(context["sms"].errors[n, 2]).all() != bool(before)
    assert np.isfinite(context["sms"].errors[n, 0]).all()


def test_listed_events_are_those_of_the_branch_and_indicator(cleaned):
    context = Context.of(cleaned)
    assert (None, pd.Period("2008-10", "M")) in context["sms"].listed("rizhao")
    assert context["mobile"].listed("rizhao") == [] and len(context["mobile"].listed("dongying")) == 1


def test_calendar_and_branches_make_the_forecasts_better_on_the_sample(cleaned):
    cutoff, last = pd.Period("2010-08", "M"), pd.Period("2011-08", "M")
    with_all, alone = Context.of(cleaned, cutoff), None
    missed = {"all": [], "alone": []}
    for branch in cleaned.catalog.reporting[:6]:
        for key in ("counter_txn", "corporate_online_txn"):
            came = cleaned.series(branch, key).loc[cutoff + 1: last]
            alone = with_all[key].series(branch)
            from ebank_lib.forecasting import forecast

            for name, f in (("all", with_all.forecast(branch, key, models=("combination",))),
                            ("alone", forecast(alone, models=("combination",), kind="flow"))):
                said = f.block().set_index("month")["y_hat"].reindex(came.index)
                missed[name].append(float((np.log(said) - np.log(came)).abs().mean()))
    assert np.mean(missed["all"]) < 0.95 * np.mean(missed["alone"])


def errors(size, shift=0.0, branches=40):
    return [shift + size * np.random.default_rng(s).standard_normal((3, 12)) for s in range(branches)]


def test_limits_and_centre_follow_what_the_branches_were_missed_by():
    shipped = shape_of("combination")

    def width(shape):
        return shape.quantile(0.9, 12)[6] - shape.quantile(0.1, 12)[6]

    calm, wild, low = (panel_shape(errors(*e), range(40), shipped) for e in ((0.3,), (3.0,), (1.0, 0.8)))
    assert width(calm) < 0.6 * width(shipped) < width(shipped) < 1.3 * width(shipped) < width(wild)
    assert low.quantile(0.5, 12)[6] > 0.4 and abs(calm.quantile(0.5, 12)[6]) < 0.1
    assert low.branches == 40 and shipped.branches == 0


def test_few_branches_say_little_and_a_wild_one_does_not_speak_for_all():
    shipped = shape_of("combination")
    few = panel_shape(errors(0.2, branches=2), range(2), shipped)
    assert np.isclose(few.quantile(0.9, 12)[6], shipped.quantile(0.9, 12)[6], rtol=0.15)
    one_wild = panel_shape([*errors(1.0), 1e3 * errors(1.0)[0]], range(41), shipped)
    assert one_wild.quantile(0.8, 12)[6] < 1.3 * panel_shape(errors(1.0), range(40), shipped).quantile(0.8, 12)[6]
    assert panel_shape([], [], shipped) is shipped


def test_months_hang_together_more_than_the_model_says():
    shape = shape_of("combination")
    corr = shape.hanging_together(np.eye(3))
    assert np.allclose(np.diag(corr), 1) and np.allclose(corr[0, 1:], shape.common) and 0.1 < shape.common < 0.2
    assert np.array_equal(GAUSSIAN.hanging_together(np.eye(3)), np.eye(3))
