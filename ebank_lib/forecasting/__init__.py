"""Series -> forecast with limits and paths, and a backtest that says how far to trust it."""

from ebank_lib.forecasting.backtest import Backtest, Grade, backtest
from ebank_lib.forecasting.backtest_many import Backtests, as_known, backtest_many
from ebank_lib.forecasting.comparison import Comparison, compare, diebold_mariano, giacomini_white
from ebank_lib.forecasting.context import Context
from ebank_lib.forecasting.forecast import Forecast, forecast, kind_of
from ebank_lib.forecasting.indicator import backtest_indicator, forecast_indicator
from ebank_lib.forecasting.joint import JointPaths, simulate_joint
from ebank_lib.forecasting.learning import learn
from ebank_lib.forecasting.many import forecast_many
from ebank_lib.forecasting.monitoring import interventions_indicator, revise, revise_indicator
from ebank_lib.forecasting.revision import Revision
from ebank_lib.forecasting.simulation import simulate_paths

__all__ = ["Backtest", "Backtests", "Comparison", "Context", "Forecast", "Grade", "JointPaths", "Revision",
           "as_known", "backtest", "backtest_indicator", "backtest_many", "compare", "diebold_mariano", "forecast",
           "forecast_indicator", "forecast_many", "giacomini_white", "interventions_indicator", "kind_of", "learn",
           "revise", "revise_indicator", "simulate_joint", "simulate_paths"]
