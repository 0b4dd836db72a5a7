"""The repeated choice leaves out orders that cannot win: what it chooses is what the whole search chooses."""

import numpy as np
import pytest

from ebank_lib.arma import select_order
from ebank_lib.arma.resampling import draws, picks, winner
from ebank_lib.arma.search import climb_grid
from ebank_lib.arma.selection import choose, criteria_of


@pytest.mark.parametrize("criterion", ["aicc", "bic"])
@pytest.mark.parametrize("missing", [[], [7, 8]])
def test_shares_are_those_of_the_whole_search(criterion, missing):
    y = np.random.default_rng(3).standard_normal(44).cumsum() + np.arange(44) * 0.2
    y[missing] = np.nan
    selection = select_order(y, d=1, criterion=criterion)
    d, seasonal, n = selection.design, selection.seasonal_order, 12
    whole, quick = [], []
    for series in draws(selection, n, 0):
        columns = np.vstack([d.columns[:-1], series])
        found = climb_grid(columns, d.gaps, selection._allowed, (seasonal[0], *seasonal[2:]))
        whole.append(choose(criteria_of(d, found, seasonal), criterion)[0])
        quick.append(winner(selection, columns))
    assert sum(a != b for a, b in zip(whole, quick, strict=True)) == 0
    assert {(p, q): c for p, q, c in picks(selection, n, 0)} == {o: quick.count(o) for o in quick}


def test_a_short_series_where_large_orders_have_no_aicc():
    selection = select_order(np.random.default_rng(4).standard_normal(14), d=0)
    assert picks(selection, 5, 0)[:, 2].sum() == 5
