"""Problems and risks: a study's statements as rules on indicators, and verdicts *shows, does not show, cannot say*.

The register is data: a YAML file that the source names (``problems:``). A rule is one of the figures in
:data:`~ebank_lib.problems.statistics.STATISTICS` on one side of a threshold that the file states with its reason. What
no indicator can show has no rule, and says what would be needed.
"""

from ebank_lib.problems.assessment import Assessment, assess_problems
from ebank_lib.problems.spec import Entry, Rule, load_problems
from ebank_lib.problems.statistics import STATISTICS

__all__ = ["STATISTICS", "Assessment", "Entry", "Rule", "assess_problems", "load_problems"]
