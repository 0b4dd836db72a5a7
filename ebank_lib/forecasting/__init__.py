"""Series -> forecast with limits and paths, and a backtest that says how far to trust it."""

from ebank_lib.forecasting.backtest import Backtest, Grade, backtest
from ebank_lib.forecasting.forecast import Forecast, forecast, kind_of, simulate_paths
from ebank_lib.forecasting.many import forecast_many

__all__ = ["Backtest", "Forecast", "Grade", "backtest", "forecast", "forecast_many", "kind_of", "simulate_paths"]
