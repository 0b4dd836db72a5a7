"""Calendar and interventions: festivals that move, working days, quarter ends; outliers, level shifts, known events."""

from ebank_lib.events.effects import WINDOWS, FestivalEffect, festival_effect, pooled_festival
from ebank_lib.events.interventions import Interventions, find_interventions, take_out
from ebank_lib.events.moving import (
    CALENDARS,
    calendar_regressors,
    festival,
    festival_dates,
    known_events,
    period_ends,
    spring_festival,
    working_days,
)

__all__ = ["CALENDARS", "WINDOWS", "FestivalEffect", "Interventions", "calendar_regressors", "festival",
           "festival_dates", "festival_effect", "find_interventions", "known_events", "period_ends", "pooled_festival",
           "spring_festival", "take_out", "working_days"]
