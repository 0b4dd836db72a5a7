"""The pictures: read by editors and type checkers, and by ``__init__.py`` to load each when it is first used."""

from .arma import plot_correlations, plot_criteria, plot_residuals, plot_roots, plot_stationarity
from .cleaning import plot_before_after, plot_quality
from .forecasting import plot_accuracy, plot_backtest, plot_coverage, plot_forecast, plot_revision
from .growth import plot_facts, plot_growth
from .province import plot_carriers, plot_decomposition, plot_league, plot_multiples, plot_peers, plot_total_fan
from .scenarios import plot_odds, plot_paths, plot_scenarios, plot_targets, plot_tornado
from .style import compact, use_style

__all__ = [
    "compact", "plot_accuracy", "plot_backtest", "plot_before_after", "plot_carriers", "plot_correlations",
    "plot_coverage", "plot_criteria", "plot_decomposition", "plot_facts", "plot_forecast", "plot_growth", "plot_league",
    "plot_multiples", "plot_odds", "plot_paths", "plot_peers", "plot_quality", "plot_residuals",
    "plot_revision", "plot_roots", "plot_scenarios", "plot_stationarity", "plot_targets", "plot_tornado",
    "plot_total_fan", "use_style",
]
