"""Pictures of peers and problems: what the tables say, both languages, no text upon another."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ebank_lib.peers import compare_peers, convergence, growth_clusters
from ebank_lib.rules import assess_problems

_spec = importlib.util.spec_from_file_location("charts_style_test", Path(__file__).with_name("test_style.py"))
_style = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_style)
assert_readable, texts_of = _style.assert_readable, _style.texts_of


@pytest.fixture(scope="module")
def results(cleaned):
    """The results drawn, and one in which there are groups."""
    return {"peers": compare_peers(cleaned, "rizhao"), "convergence": convergence(cleaned),
            "clusters": growth_clusters(cleaned, replications=39), "problems": assess_problems(cleaned, "rizhao")}


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("which", ["peers", "convergence", "clusters", "problems"])
def test_pictures_are_readable_in_both_languages(results, which, lang):
    assert_readable(results[which].plot(lang))


def test_a_row_of_dots_is_every_branch_and_the_large_one_is_the_branch(cleaned):
    peers = compare_peers(cleaned, "rizhao", ["personal_online_activity"])
    fig = peers.plot("en")
    ax = fig.axes[0]
    small = next(line for line in ax.get_lines() if line.get_markersize() == 4 and line.get_marker() == "o")
    large = next(line for line in ax.get_lines() if line.get_markersize() == 7)
    y = peers.everyone.query("indicator == 'personal_online_activity'").set_index("branch")["y"]
    scaled = (y - y.min()) / (y.max() - y.min())
    assert large.get_xdata()[0] == pytest.approx(scaled["rizhao"])
    assert sorted(small.get_xdata()) == pytest.approx(sorted(scaled.drop("rizhao")))
    row = peers.latest.query("indicator == 'personal_online_activity'").iloc[0]
    assert f"{row['leader_months']:.0f} months behind" in [text for text, _ in texts_of(fig)]


def test_the_scatter_is_the_regression(results):
    found = results["convergence"]
    ax = next(ax for ax in found.plot("zh").axes if ax.get_title(loc="left").startswith("短信"))
    line = ax.get_lines()[-1]
    slope = np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0]
    assert slope == pytest.approx(found.table.set_index("indicator").loc["sms", "b"])
    assert len(ax.get_lines()[0].get_xdata()) == 16
    assert "看不出" in ax.get_title(loc="left")


def test_groups_have_a_panel_each(results):
    import dataclasses

    none = results["clusters"]
    table = none.table.assign(cluster=[1.0, 2.0] * 8, silhouette=0.5)
    two = dataclasses.replace(none, table=table, verdict="clusters", p_value=0.01)
    fig = two.plot("en")
    assert_readable(fig)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Group 1 (8)", "Group 2 (8)"]


def test_a_strip_has_a_mark_for_every_entry(results):
    found = results["problems"]
    fig = found.plot("en", "problem")
    marks = [line for line in fig.axes[0].get_lines() if line.get_marker() == "s"]
    assert len(marks) == 11
    colours = dict(zip([row["verdict"] for _, row in found.of_kind("problem")], [m.get_color() for m in marks]))
    assert len(set(colours.values())) == len(colours)


def test_where_there_is_nothing_to_draw_a_sentence_stands(cleaned, results):
    empty = compare_peers(cleaned, "rizhao", []).plot("en")
    assert any("Too little data" in text for text, _ in texts_of(empty))
    assert any("Too few" in text for text, _ in texts_of(convergence(cleaned, []).plot("en")))
