"""The pictures of the ARMA stage: drawn in both languages without a warning, and showing what the table says."""

import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.charts.arma import plot_correlations, plot_criteria, plot_residuals, plot_roots
from ebank_lib.charts.style import use_style

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _clean():
    use_style()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def y():
    return pd.Series(np.random.default_rng(3).standard_normal(44).cumsum(),
                     index=pd.period_range("2008-01", periods=44, freq="M"), name="y")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_draw(y, lang):
    model = fit_arma(y, (1, 0, 1))
    for figure in (plot_criteria(select_order(y, 2, 2, d=0), lang=lang).figure, plot_roots(model, lang=lang).figure,
                   plot_correlations(model, lang=lang), plot_residuals(model, lang=lang)):
        figure.canvas.draw()


def test_criteria_hatches_what_is_irregular(y):
    chosen = select_order(y.iloc[:9], 3, 3, d=0)
    ax = plot_criteria(chosen, lang="en")
    hatched = sum(patch.get_hatch() is not None for patch in ax.patches)
    assert hatched == (np.isfinite(chosen.table["delta"].fillna(np.inf)) & ~chosen.table["regular"]).sum()
    assert "blank" in ax.get_title(loc="left") + ax.get_title()
