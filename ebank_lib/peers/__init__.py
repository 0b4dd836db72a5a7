"""A branch among its peers: where it stands and how many months behind, whether branches converge, which grow alike."""

from .clusters import Clusters, growth_clusters
from .convergence import Convergence, convergence
from .position import Peers, compare_peers
from .standing import Standing, standing

__all__ = ["Clusters", "Convergence", "Peers", "Standing", "compare_peers", "convergence", "growth_clusters",
           "standing"]
