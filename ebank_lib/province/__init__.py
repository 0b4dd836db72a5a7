"""The province that adds up: hierarchy, reconciliation, rounding, and what the branches contribute to the whole."""

from ebank_lib.province.accuracy import ReconciliationBacktest, reconciliation_backtest
from ebank_lib.province.contributions import Carriers, GrowthDecomposition, growth_decomposition, who_carries
from ebank_lib.province.hierarchy import Hierarchy, hierarchies, hierarchy_of
from ebank_lib.province.joint import reconcile_joint
from ebank_lib.province.league import League, league_table
from ebank_lib.province.reconciliation import METHODS, covariance, projection, reconcile, reconcile_paths
from ebank_lib.province.rounding import add_up, round_to_sum

__all__ = ["METHODS", "Carriers", "GrowthDecomposition", "Hierarchy", "League", "ReconciliationBacktest", "add_up",
           "covariance", "growth_decomposition", "hierarchies", "hierarchy_of", "league_table",
           "projection", "reconcile", "reconcile_joint", "reconcile_paths", "reconciliation_backtest",
           "round_to_sum", "who_carries"]
