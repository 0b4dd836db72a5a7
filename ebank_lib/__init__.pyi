"""The public verbs: read by editors and type checkers, and by ``__init__.py`` to load each when it is first used."""

from .arma import select_order as select_order
from .citations import cite as cite
from .cleaning import clean as clean
from .display import say as say
from .display import show as show
from .forecasting import backtest as backtest
from .forecasting import (
    backtest_branches as backtest_branches,
)
from .forecasting import (
    backtest_indicator as backtest_indicator,
)
from .forecasting import (
    backtest_many as backtest_many,
)
from .forecasting import (
    compare as compare,
)
from .forecasting import (
    forecast as forecast,
)
from .forecasting import (
    forecast_indicator as forecast_indicator,
)
from .forecasting import (
    forecast_many as forecast_many,
)
from .forecasting import (
    interventions_indicator as interventions_indicator,
)
from .forecasting import (
    kind_of as kind_of,
)
from .forecasting import modelling_scale as modelling_scale
from .forecasting import (
    revise_indicator as revise_indicator,
)
from .forecasting import (
    seasonally_adjust as seasonally_adjust,
)
from .forecasting import (
    simulate_joint as simulate_joint,
)
from .growth import analyse_growth as analyse_growth
from .growth import growth_rates as growth_rates
from .peers import compare_peers as compare_peers
from .peers import standing as standing
from .province import (
    growth_decomposition as growth_decomposition,
)
from .province import (
    league_table as league_table,
)
from .province import (
    who_carries as who_carries,
)
from .quarters import to_quarters as to_quarters
from .reference import reference_facts as reference_facts
from .reports.export import export as export
from .reports.record import record as record
from .reports.record import setup as setup
from .reports.record import state as state
from .rules import assess_problems as assess_problems
from .rules import stylised_facts as stylised_facts
from .scenarios import (
    evaluate_targets as evaluate_targets,
)
from .scenarios import (
    lever_board as lever_board,
)
from .scenarios import (
    load_strategy as load_strategy,
)
from .scenarios import (
    required_effects as required_effects,
)
from .scenarios import (
    run_scenarios as run_scenarios,
)
from .scenarios import (
    simulate_for as simulate_for,
)
from .sources import open_source as open_source
from .sources.frame import from_frame as from_frame
from .stationarity import unit_root_battery as unit_root_battery
from .wording import t as t

__version__: str
