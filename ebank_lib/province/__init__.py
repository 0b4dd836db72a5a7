"""The province that adds up: hierarchy, reconciliation, rounding, and what the branches contribute to the whole."""

from .contributions import Carriers, GrowthDecomposition, growth_decomposition, who_carries
from .league import League, league_table
from .reconciliation import METHODS, covariance, reconcile_joint
from .sums import add_up, hierarchy_of

__all__ = ["METHODS", "Carriers", "GrowthDecomposition", "League", "add_up", "covariance", "growth_decomposition",
           "hierarchy_of", "league_table", "reconcile_joint", "who_carries"]
