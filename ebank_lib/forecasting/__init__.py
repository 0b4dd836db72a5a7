"""Series -> forecast with limits and paths, and a backtest that says how far to trust it."""

from .backtest import Backtest, Backtests, backtest
from .context import Context
from .forecast import Forecast, forecast, simulate_paths
from .indicator import (
    backtest_branches,
    backtest_indicator,
    backtest_many,
    forecast_indicator,
    interventions_indicator,
    learn,
    revise_indicator,
    simulate_joint,
)
from .joint import JointPaths
from .many import forecast_many
from .scoring import Comparison, Grade, Revision, compare, diebold_mariano, revise
from .series import kind_of, modelling_scale, seasonally_adjust

__all__ = ["Backtest", "Backtests", "Comparison", "Context", "Forecast", "Grade", "JointPaths", "Revision", "backtest",
           "backtest_branches", "backtest_indicator", "backtest_many", "compare", "diebold_mariano", "forecast",
           "forecast_indicator", "forecast_many", "interventions_indicator", "kind_of", "learn", "modelling_scale",
           "revise", "revise_indicator", "seasonally_adjust", "simulate_joint", "simulate_paths"]
