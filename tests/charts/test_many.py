"""Hundreds of indicators: pictures show what can be read and say what they leave out."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ebank_lib.charts import style
from ebank_lib.growth import analyse_growth
from ebank_lib.peers import compare_peers
from ebank_lib.wording import t

KINDS = ("mom", "base", "yoy", "ratio", "volatility")


@pytest.fixture(scope="module")
def many(cleaned):
    """Make a source of n indicators of two branches: the sample's over and over."""
    def made(n):
        catalog, panel = cleaned.catalog, cleaned.panel.loc[["rizhao", "jinan", "zibo"]]
        keys = list(panel.columns)
        like = {f"i{m}": keys[m % len(keys)] for m in range(n)}
        indicators = {key: catalog.indicators[of].model_copy(update={"key": key}) for key, of in like.items()}
        values = np.column_stack([panel[of].to_numpy() * (1.0 if catalog.indicators[of].kind == "ratio" else 1 + m / n)
                                  for m, of in enumerate(like.values())])
        catalog = dataclasses.replace(catalog, indicators=indicators, identities=())
        return dataclasses.replace(cleaned, catalog=catalog,
                                   panel=pd.DataFrame(values, index=panel.index, columns=list(like)))
    return made


def words(fig):
    return "\n".join(text.get_text() for text in fig.findobj(plt.Text))


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_indicators_a_picture_shows_what_can_be_read_and_says_so(many, kind):
    data = many(300 if kind == "ratio" else 150)
    result = analyse_growth(data.panel, "rizhao", data.catalog)
    fig = result.plot(kind, lang="en")
    fig.canvas.draw()
    assert max(fig.get_size_inches()) <= 32
    drawn = {"mom": len(fig.axes), "volatility": len(fig.axes[0].get_yticklabels())}.get(kind) or sum(
        not line.get_label().startswith("_") for ax in fig.axes for line in ax.get_lines())
    total = len(result.keys(("ratio",) if kind == "ratio" else ("stock", "flow")))
    assert drawn == style.MOST < total
    assert t("charts.some", "en", n=drawn, total=total) in words(fig)


def test_each_group_keeps_its_first_indicators(many):
    data = many(150)
    result = analyse_growth(data.panel, "rizhao", data.catalog)
    fig = result.plot("base", lang="en")
    drawn = {line.get_label() for ax in fig.axes for line in ax.get_lines()}
    for group in result.groups():
        first = result.keys(("stock", "flow"), group)[0]
        assert data.catalog.indicators[first].short_label("en") in drawn
        alone = result.plot("mom", group, "en")
        assert len(alone.axes) == min(style.MOST, len(result.keys(("stock", "flow"), group)))


def test_peers_of_many_indicators_say_what_they_leave_out(many):
    fig = compare_peers(many(150), "rizhao").plot("en")
    assert len(fig.axes[0].get_yticklabels()) == style.MOST
    assert t("charts.some", "en", n=style.MOST, total=150) in words(fig)


def test_where_all_are_drawn_nothing_is_said(cleaned):
    for kind in KINDS:
        assert "workbook" not in words(analyse_growth(cleaned.panel, "rizhao", cleaned.catalog).plot(kind, lang="en"))
