"""From files nobody has described to a ``sources.yaml``, a catalogue and branches that a reader can go on with.

The road: :mod:`tables` and :mod:`long` (which rows and columns are what), :mod:`places` (where month, branch and
indicator stand), :mod:`names` (which names are one branch, which are sums, units and kinds of indicators), :mod:`draft`
(candidates, of which the reader chooses), :mod:`description` (their YAML), :mod:`writing` (edited files are kept).
"""

from .writing import draft_into

__all__ = ["draft_into"]
