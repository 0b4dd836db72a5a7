"""The strategy: targets with odds, levers with uncertain effects, scenarios on common random paths."""

from .comparison import Scenarios, run_scenarios
from .levers import learn_evidence
from .odds import said_odds
from .strategy import Bundle, Evidence, Lever, Move, Strategy, Stress, Target, load_strategy
from .targets import Targets, evaluate_targets, simulate_for
from .what_if import lever_board, required_effects

__all__ = ["Bundle", "Evidence", "Lever", "Move", "Scenarios", "Strategy", "Stress", "Target", "Targets",
           "evaluate_targets", "learn_evidence", "lever_board", "load_strategy", "required_effects", "run_scenarios",
           "said_odds", "simulate_for"]
