"""Every result's picture, a module a stage; each is loaded when it is first used."""

from importlib import import_module

_HOME = {
    "use_style": "style", "unit_axis": "style", "percent_axis": "style", "month_axis": "style",
    "label_lines": "style", "mark_event": "style", "save": "style", "compact": "style",
    "plot_growth": "growth", "plot_volatility": "growth", "plot_facts": "facts",
    "plot_quality": "cleaning", "plot_before_after": "cleaning",
    "plot_stationarity": "stationarity", "plot_acf": "stationarity",
    "plot_criteria": "arma", "plot_correlations": "arma", "plot_roots": "arma", "plot_residuals": "arma",
    "plot_fan": "arma",
    "plot_forecast": "forecasting", "plot_backtest": "forecasting", "plot_accuracy": "forecasting",
    "plot_coverage": "forecasting", "plot_revision": "forecasting",
    "plot_multiples": "province", "plot_total_fan": "province", "plot_decomposition": "province",
    "plot_league": "province", "plot_carriers": "province",
    "plot_peers": "peers", "plot_convergence": "peers", "plot_clusters": "peers", "plot_problems": "problems",
    "plot_targets": "scenarios", "plot_odds": "scenarios",
    "plot_scenarios": "strategy", "plot_tornado": "strategy", "plot_paths": "strategy",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'ebank_lib.charts' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
