"""Calendar and interventions: festivals that move, working days, quarter ends; outliers, level shifts, known events."""

from .calendar import CALENDARS, calendar_regressors, checked_calendar, festival, festival_dates, working_days
from .interventions import Interventions, find_interventions, known_events, take_out

__all__ = ["CALENDARS", "Interventions", "calendar_regressors", "checked_calendar", "festival",
           "festival_dates", "find_interventions", "known_events", "take_out", "working_days"]
