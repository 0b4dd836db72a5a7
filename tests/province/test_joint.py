"""Branch paths made to agree with forecasts of the wholes: whatever follows from them still follows."""

from dataclasses import replace

import numpy as np
import pytest

from ebank_lib.forecasting import simulate_joint
from ebank_lib.province import hierarchy_of, reconcile_joint
from ebank_lib.province.reconciliation import upper_paths


@pytest.fixture(scope="module")
def reconciled(paths):
    return reconcile_joint(paths)


def test_sums_changes_and_shares_hold_on_every_path(reconciled):
    v = reconciled.values
    assert v["income_total"] == pytest.approx(v["sms_income"] + v["personal_online_income"]
                                              + v["corporate_online_income"], rel=1e-12)
    assert v["personal_online_new"][:, 1:] == pytest.approx(np.diff(v["personal_online"], axis=1), abs=1e-6)
    assert v["affluent_signed"] == pytest.approx(v["coverage"] * v["affluent"])
    total = reconciled.total("income_total").to_numpy()
    assert total == pytest.approx(v["income_total"].sum(axis=0), rel=1e-12)
    assert all((values >= 0).all() for key, values in v.items() if not key.endswith("_new"))


def test_shares_are_not_touched_and_the_frame_stays(paths, reconciled):
    assert np.array_equal(reconciled.values["coverage"], paths.values["coverage"])
    assert reconciled.branches == paths.branches and reconciled.months.equals(paths.months)
    assert reconciled.values["mobile"].shape == paths.values["mobile"].shape
    assert not np.array_equal(reconciled.values["mobile"], paths.values["mobile"])
    assert reconciled.reasons == {}


def test_the_same_paths_each_time(paths, reconciled):
    again = reconcile_joint(paths)
    assert all(np.array_equal(again.values[k], reconciled.values[k]) for k in paths.values)


def test_bottom_up_changes_nothing(paths):
    same = reconcile_joint(paths, "bottom_up")
    assert all(same.values[k] == pytest.approx(paths.values[k]) for k in paths.values)


def test_a_forecast_of_the_whole_pulls_the_branches_along(paths):
    whole = paths.total("mobile").to_numpy() * 1.2
    pulled = reconcile_joint(paths, upper={("shandong", "mobile"): whole})
    ratio = pulled.total("mobile").mean(axis=1) / paths.total("mobile").mean(axis=1)
    assert ((ratio > 1.001) & (ratio < 1.2)).all()


def test_a_branch_without_paths_keeps_its_gap_and_the_others_are_reconciled(paths):
    values = {k: v.copy() for k, v in paths.values.items()}
    values["mobile"][1] = np.nan
    out = reconcile_joint(replace(paths, values=values, reasons={("rizhao", "mobile"): "too few months"}))
    assert np.isnan(out.values["mobile"][1]).all() and np.isfinite(out.values["mobile"][[0, 2]]).all()
    assert out.reasons == {("rizhao", "mobile"): "too few months"}


def test_what_could_not_be_reconciled_says_why_and_stays(paths):
    history = paths.history.copy()
    history.loc[history.index.get_level_values("month") < "2011-07", "mobile"] = np.nan
    out = reconcile_joint(replace(paths, history=history))
    assert "too few months" in out.reasons["shandong", "mobile"]
    assert np.array_equal(out.values["mobile"], paths.values["mobile"])


def test_a_stock_that_never_fell_does_not_fall_on_a_path(few):
    drawn = simulate_joint(few, 6, 50, indicators=["mobile"])
    risen = [b for b in drawn.branches if drawn.forecasts[b, "mobile"].transform.monotone]
    out = reconcile_joint(drawn, upper={("shandong", "mobile"): drawn.total("mobile").to_numpy() * 0.5})
    assert risen
    for branch in risen:
        y = out.of(branch, "mobile").to_numpy()
        assert (np.diff(y, axis=0) >= 0).all() and (y[0] >= few.panel.loc[branch, "mobile"].iloc[-1]).all()


def test_a_total_that_ends_early_is_forecast_for_the_months_after_the_origin(few):
    h = hierarchy_of(few.catalog, "mobile", ["jinan", "rizhao", "heze"])
    y = h.history(few.panel)["shandong", "mobile"]
    origin = y.index[-1]
    early = upper_paths(y.iloc[:-2], "stock", origin - 2, 5, 20)
    late = upper_paths(y.where(y.index <= origin - 2), "stock", origin, 3, 20)
    assert late.shape == (3, 20)
    assert late == pytest.approx(early[2:])
