"""How fast and how steadily: growth 环比, 定基 and 同比, index, share, 12-month totals, volatility, trends."""

from ebank_lib.growth.analysis import GrowthAnalysis, analyse_growth
from ebank_lib.growth.measures import Trend, as_months, growth, log_growth, robust_sd, share, total12, trend, volatility

__all__ = ["GrowthAnalysis", "Trend", "analyse_growth", "as_months", "growth", "log_growth", "robust_sd", "share",
           "total12", "trend", "volatility"]
