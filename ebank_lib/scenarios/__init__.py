"""The strategy: targets with odds, levers with uncertain effects, scenarios on common random paths."""

from .evidence import Pooled, pooled_effect
from .levers import apply_lever, learn_evidence
from .loading import check_strategy, load_strategy, load_targets
from .measures import View
from .odds import said_odds
from .required import RequiredEffect, RequiredEffects, required_effect, required_effects
from .result import Scenarios
from .saturation import Saturation, saturation
from .simulation import apply_levers, run_scenarios
from .spec import Bundle, Evidence, Lever, Move, Strategy, Stress, Target
from .targets import Targets, default_deadline, evaluate_targets, simulate_for
from .widget import LeverBoard, lever_board, moved

__all__ = ["Bundle", "Evidence", "Lever", "LeverBoard", "Move", "Pooled", "RequiredEffect", "RequiredEffects",
           "Saturation", "Scenarios", "Strategy", "Stress", "Target", "Targets", "View", "apply_lever", "apply_levers",
           "check_strategy", "default_deadline", "evaluate_targets", "learn_evidence", "lever_board", "load_strategy",
           "load_targets", "moved", "pooled_effect", "required_effect", "required_effects", "run_scenarios",
           "said_odds", "saturation", "simulate_for"]
