"""The strategy: targets with odds, levers with uncertain effects, scenarios on common random paths."""

from .evidence import Pooled, pooled_effect
from .levers import apply_lever, draw, learn_evidence
from .measures import View
from .odds import said_odds
from .required import RequiredEffect, RequiredEffects, required_effect, required_effects
from .result import Scenarios
from .saturation import Saturation, saturation
from .simulation import run_scenarios
from .strategy import (
    Bundle,
    Evidence,
    Lever,
    Move,
    Strategy,
    Stress,
    Target,
    check_strategy,
    load_strategy,
    load_targets,
)
from .targets import Targets, default_deadline, evaluate_targets, simulate_for
from .widget import LeverBoard, lever_board, moved

__all__ = ["Bundle", "Evidence", "Lever", "LeverBoard", "Move", "Pooled", "RequiredEffect", "RequiredEffects",
           "Saturation", "Scenarios", "Strategy", "Stress", "Target", "Targets", "View", "apply_lever",
           "check_strategy", "default_deadline", "draw", "evaluate_targets", "learn_evidence", "lever_board",
           "load_strategy", "load_targets", "moved", "pooled_effect", "required_effect", "required_effects",
           "run_scenarios", "said_odds", "saturation", "simulate_for"]
