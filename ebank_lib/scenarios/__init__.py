"""The strategy: targets with odds, levers with uncertain effects, scenarios on common random paths."""

from .comparison import Scenarios, run_scenarios
from .evidence import learn_evidence
from .odds import said_odds
from .required import required_effects
from .strategy import Bundle, Evidence, Lever, Move, Strategy, Stress, Target, load_strategy
from .targets import Targets, evaluate_targets, simulate_for
from .widget import lever_board

__all__ = ["Bundle", "Evidence", "Lever", "Move", "Scenarios", "Strategy", "Stress", "Target", "Targets",
           "evaluate_targets", "learn_evidence", "lever_board", "load_strategy", "required_effects", "run_scenarios",
           "said_odds", "simulate_for"]
