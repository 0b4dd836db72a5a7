"""The province that adds up: hierarchy, reconciliation, rounding, and what the branches contribute to the whole."""

from ebank_lib.province.accuracy import ReconciliationBacktest, reconciliation_backtest
from ebank_lib.province.hierarchy import Hierarchy, hierarchies, hierarchy_of
from ebank_lib.province.joint import reconcile_joint
from ebank_lib.province.reconciliation import METHODS, covariance, projection, reconcile, reconcile_paths
from ebank_lib.province.rounding import add_up, round_to_sum

__all__ = ["METHODS", "Hierarchy", "ReconciliationBacktest", "add_up", "covariance", "hierarchies", "hierarchy_of",
           "projection", "reconcile", "reconcile_joint", "reconcile_paths", "reconciliation_backtest", "round_to_sum"]
