"""The province that adds up: hierarchy, reconciliation, rounding, and what the branches contribute to the whole."""

from .accuracy import ReconciliationBacktest, reconciliation_backtest
from .contributions import Carriers, GrowthDecomposition, growth_decomposition, who_carries
from .hierarchy import Hierarchy, hierarchies, hierarchy_of
from .joint import reconcile_joint
from .league import League, league_table
from .reconciliation import METHODS, covariance, projection, reconcile, reconcile_paths
from .tables import add_up

__all__ = ["METHODS", "Carriers", "GrowthDecomposition", "Hierarchy", "League", "ReconciliationBacktest", "add_up",
           "covariance", "growth_decomposition", "hierarchies", "hierarchy_of", "league_table", "projection",
           "reconcile", "reconcile_joint", "reconcile_paths", "reconciliation_backtest", "who_carries"]
