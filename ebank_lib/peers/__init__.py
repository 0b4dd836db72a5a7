"""A branch among its peers: where it stands and how many months behind, whether branches converge, which grow alike."""

from ebank_lib.peers.clusters import Clusters, growth_clusters
from ebank_lib.peers.convergence import Convergence, convergence
from ebank_lib.peers.measured import comparable_keys, matrix
from ebank_lib.peers.position import Peers, compare_peers, percentile_interval

__all__ = ["Clusters", "Convergence", "Peers", "comparable_keys", "compare_peers", "convergence", "growth_clusters",
           "matrix", "percentile_interval"]
