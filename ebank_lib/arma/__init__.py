"""Series -> order, model, diagnostics: exact maximum likelihood of every ARMA order of a short series at once."""

from .model import ARMA, fit_arma
from .selection import OrderSelection, select_order

__all__ = ["ARMA", "OrderSelection", "fit_arma", "select_order"]
