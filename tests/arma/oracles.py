"""Other roads to the same numbers."""

import numpy as np

from ebank_lib.arma.levels import filter_columns, state_space


def as_statsmodels(model):
    """The same parameters as a smoothed SARIMAX result of statsmodels.

    Its ``llf`` is ours without differencing; with it, its exact diffuse likelihood counts otherwise.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    d, (sp, big_d, sq, season) = model.design, model.seasonal_order
    theirs = SARIMAX(d.y, exog=d.x if d.x.shape[1] else None, order=model.order,
                     seasonal_order=(sp, big_d, sq, season if season > 1 else 0), trend="n",
                     use_exact_diffuse=bool(d.d + d.big_d))
    return theirs.smooth(np.r_[model._beta, model._coefficients, model.sigma2])


def innovations(phi, theta, y):
    """Innovations (T,) of `y` in units of sigma by the Kalman filter, NaN where missing, and log F summed."""
    missing = np.isnan(y)
    v, f, _, _ = filter_columns(*state_space(phi, theta, np.zeros(0)), np.asarray(y)[None], missing, 0)
    return v[0] / np.sqrt(f), np.log(f[~missing]).sum()
