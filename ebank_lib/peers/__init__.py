"""A branch among its peers: where it stands, and how many months behind."""

from .position import Peers, compare_peers
from .standing import Standing, standing

__all__ = ["Peers", "Standing", "compare_peers", "standing"]
