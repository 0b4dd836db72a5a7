"""What the numbers prove about each other.

The order is that of certainty about causes: first what moved many cells at once (a column's unit, two rows), then the
single cell that explains failing equations, then what equations give where nothing is printed, and last what only a
series' own habits find odd.
"""

from .examination import examine

__all__ = ["examine"]
