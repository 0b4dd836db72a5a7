"""Series -> order, model, diagnostics: exact maximum likelihood of every ARMA order of a short series at once."""

from .comparison import Comparison, SimulationStudy, simulation_study
from .model import ARMA, fit_arma
from .selection import OrderSelection, select_order

__all__ = ["ARMA", "Comparison", "OrderSelection", "SimulationStudy", "fit_arma", "select_order", "simulation_study"]
