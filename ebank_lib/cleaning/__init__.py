"""Cells to panel and ledger: nothing changes without a row that says so.

The road: :mod:`parsing` (what a cell says), :mod:`assembling` (names, units, revisions), :mod:`examination` (what the
numbers prove about each other), :mod:`panel` (what a policy does about it; branches; conservation), :mod:`cleaned`.
"""

from .cleaned import Cleaned, clean
from .ledger import ConservationError
from .panel import POLICIES, reporting, trusted_panel
from .parsing import Reading, read_number

__all__ = ["POLICIES", "Cleaned", "ConservationError", "Reading", "clean", "read_number", "reporting",
           "trusted_panel"]
