"""Rules: a study's statement, the statistic that could contradict it, and a verdict that can also say no, or nothing.

Both files are data, named by the source. ``facts:`` are stylised facts, each with checks whose whole interval must lie
on one side of a threshold; ``problems:`` is a register of problems, strengths, weaknesses and risks, each with rules
whose threshold the file states with its reason. What no indicator can show has no rule, and says what would be needed.
"""

from .facts import Facts, load_facts, stylised_facts
from .problems import Assessment, Entry, Rule, assess_problems, load_problems
from .statistics import FACTS, PROBLEMS

__all__ = ["FACTS", "PROBLEMS", "Assessment", "Entry", "Facts", "Rule", "assess_problems", "load_facts",
           "load_problems", "stylised_facts"]
