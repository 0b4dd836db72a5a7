"""How fast and how steadily: growth 环比, 定基 and 同比, index, 12-month totals, volatility, trends."""

from .analysis import GrowthAnalysis, analyse_growth
from .measures import Trend, as_months, growth_rates, log_growth, robust_sd, total12, trend, volatility

__all__ = ["GrowthAnalysis", "Trend", "analyse_growth", "as_months", "growth_rates", "log_growth", "robust_sd",
           "total12", "trend", "volatility"]
