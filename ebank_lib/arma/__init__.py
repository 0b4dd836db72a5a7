"""Series -> order, model, diagnostics."""

from ebank_lib.arma.model import ARMA, fit_arma
from ebank_lib.arma.selection import OrderSelection, select_order

__all__ = ["ARMA", "OrderSelection", "fit_arma", "select_order"]
