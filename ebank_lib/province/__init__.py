"""The province that adds up: rounding, and what the branches contribute to the whole."""

from .contributions import Carriers, GrowthDecomposition, growth_decomposition, who_carries
from .league import League, league_table
from .sums import add_up

__all__ = ["Carriers", "GrowthDecomposition", "League", "add_up", "growth_decomposition", "league_table",
           "who_carries"]
