"""Pictures of peers: what the tables say, both languages, no text upon another."""

import importlib.util
from pathlib import Path

import pytest

from ebank_lib.peers import compare_peers

_spec = importlib.util.spec_from_file_location("charts_style_test", Path(__file__).with_name("test_style.py"))
_style = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_style)
assert_readable, texts_of = _style.assert_readable, _style.texts_of


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pictures_are_readable_in_both_languages(cleaned, lang):
    assert_readable(compare_peers(cleaned, "rizhao").plot(lang))


def test_a_row_of_dots_is_every_branch_and_the_large_one_is_the_branch(cleaned):
    peers = compare_peers(cleaned, "rizhao", ["personal_online_activity"])
    fig = peers.plot("en")
    ax = fig.axes[0]
    small = next(line for line in ax.get_lines() if line.get_markersize() == 4 and line.get_marker() == "o")
    large = next(line for line in ax.get_lines() if line.get_markersize() == 7)
    y = peers.everyone.loc[("personal_online_activity", "level")]
    scaled = (y - y.min()) / (y.max() - y.min())
    assert large.get_xdata()[0] == pytest.approx(scaled["rizhao"])
    assert sorted(small.get_xdata()) == pytest.approx(sorted(scaled.drop("rizhao")))
    row = peers.latest.query("indicator == 'personal_online_activity'").iloc[0]
    assert f"{row['leader_months']:.0f} months behind" in [text for text, _ in texts_of(fig)]


def test_where_there_is_nothing_to_draw_a_sentence_stands(cleaned):
    empty = compare_peers(cleaned, "rizhao", []).plot("en")
    assert any("Too little data" in text for text, _ in texts_of(empty))
