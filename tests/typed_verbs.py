"""What an editor and a type checker see of the verbs: `pyrefly check` reads this file strictly, nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import pandas as pd

import ebank_lib as eb
from ebank_lib.arma import OrderSelection
from ebank_lib.cleaning import Cleaned
from ebank_lib.forecasting import Backtest, Forecast, JointPaths
from ebank_lib.forecasting.scoring import Revision
from ebank_lib.growth import GrowthAnalysis
from ebank_lib.peers import Peers
from ebank_lib.province.league import League
from ebank_lib.rules.facts import Facts
from ebank_lib.rules.problems import Assessment
from ebank_lib.scenarios import Strategy
from ebank_lib.scenarios.comparison import Scenarios
from ebank_lib.scenarios.targets import Targets
from ebank_lib.scenarios.what_if import RequiredEffects
from ebank_lib.sources import Source
from ebank_lib.stationarity import Battery


def the_verbs_of_the_readme(frame: pd.DataFrame, y: pd.Series) -> None:
    assert_type(eb.open_source("data/shandong"), Source)
    cleaned = assert_type(eb.clean("data/shandong"), Cleaned)
    assert_type(cleaned.series("rizhao", "mobile_txn"), pd.Series)
    assert_type(eb.analyse_growth(cleaned, "rizhao"), GrowthAnalysis)
    assert_type(eb.growth_rates(y, "yoy"), pd.Series)
    assert_type(eb.seasonally_adjust(y, calendar="china"), pd.DataFrame)
    assert_type(eb.unit_root_battery(y), Battery)
    assert_type(eb.select_order(eb.modelling_scale(y, "flow")), OrderSelection)
    assert_type(eb.forecast(y, horizon=12, level=(80, 95)), Forecast)
    assert_type(eb.forecast(y).table, pd.DataFrame)
    assert_type(eb.clean(eb.from_frame(frame, branch="rizhao")), Cleaned)
    assert_type(eb.backtest(y, models=[(1, 1, 1), "ets"]), Backtest)
    assert_type(eb.stylised_facts(cleaned, "rizhao"), Facts)
    assert_type(eb.assess_problems(cleaned, "rizhao"), Assessment)
    assert_type(eb.compare_peers(cleaned, "rizhao"), Peers)
    assert_type(eb.league_table(cleaned), League)
    assert_type(eb.backtest_indicator(cleaned, "rizhao", "mobile_txn"), Backtest)
    assert_type(eb.forecast_indicator(cleaned, "rizhao", "mobile_txn"), Forecast)
    assert_type(eb.revise_indicator(cleaned, "rizhao", "mobile_txn"), Revision)
    assert_type(eb.forecast_many(frame), pd.DataFrame)
    paths = assert_type(eb.simulate_joint(cleaned, horizon=24), JointPaths)
    strategy = assert_type(eb.load_strategy(cleaned.source), Strategy)
    assert_type(eb.evaluate_targets(cleaned, "rizhao"), Targets)
    scenarios = assert_type(eb.run_scenarios(paths, "rizhao", strategy), Scenarios)
    assert_type(eb.required_effects(scenarios), RequiredEffects)
    assert_type(eb.export(eb.forecast(y), "forecast.xlsx"), Path)
    assert_type(eb.cite("arma"), str)
