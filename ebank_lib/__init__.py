"""ebank: from a bank branch's monthly e-banking workbooks to an honest forecast and a strategy.

The public verbs, in the order of the road; each is loaded when it is first used, so that the import is quick.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "setup": "reports.opening", "record": "reports.record", "state": "reports.record",
    "simulate_paths": "forecasting", "kind_of": "forecasting", "simulate_joint": "forecasting",
    "forecast_indicator": "forecasting", "backtest_indicator": "forecasting",
    "modelling_scale": "forecasting.transforms",
    "load_catalog": "catalog", "number": "wording", "percent": "wording",
    "t": "wording", "show": "display", "say": "display",
    "open_source": "sources", "clean": "cleaning",
    "analyse_growth": "growth", "growth_rates": "growth", "stylised_facts": "facts",
    "compare_peers": "peers", "convergence": "peers", "growth_clusters": "peers",
    "reference_facts": "reference", "assess_problems": "problems", "load_problems": "problems",
    "unit_root_battery": "stationarity", "choose_d": "stationarity",
    "select_order": "arma", "fit_arma": "arma",
    "find_interventions": "events",
    "forecast": "forecasting", "forecast_many": "forecasting", "backtest": "forecasting",
    "backtest_many": "forecasting", "as_known": "forecasting", "compare": "forecasting", "revise": "forecasting",
    "revise_indicator": "forecasting", "interventions_indicator": "forecasting",
    "reconcile_joint": "province", "reconciliation_backtest": "province", "growth_decomposition": "province",
    "league_table": "province", "who_carries": "province",
    "load_targets": "scenarios", "evaluate_targets": "scenarios", "load_strategy": "scenarios",
    "run_scenarios": "scenarios", "required_effects": "scenarios",
    "simulate_for": "scenarios", "learn_evidence": "scenarios", "saturation": "scenarios",
    "lever_board": "scenarios",
}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'ebank_lib' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
