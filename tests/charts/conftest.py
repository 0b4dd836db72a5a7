"""Every picture is drawn in the house style, which ends with its test, as the picture does."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from ebank_lib.charts import style


@pytest.fixture(autouse=True)
def _house_style():
    matplotlib.use("Agg")
    with matplotlib.rc_context():
        style.use_style()
        yield
    plt.close("all")
