"""A branch among its peers: where it stands and how many months behind, whether branches converge, which grow alike."""

from .clusters import Clusters, growth_clusters
from .convergence import Convergence, convergence
from .position import Peers, comparable_keys, compare_peers, matrix, percentile_interval

__all__ = ["Clusters", "Convergence", "Peers", "comparable_keys", "compare_peers", "convergence", "growth_clusters",
           "matrix", "percentile_interval"]
