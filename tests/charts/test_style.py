"""Pictures a manager cannot misread: no boxes for glyphs, no label upon another, units, the same bytes each time."""

import itertools
import logging
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.charts import style
from ebank_lib.charts.style import label_lines, mark_event, spread
from ebank_lib.growth import analyse_growth
from ebank_lib.rules import stylised_facts
from ebank_lib.stationarity import unit_root_battery

MONTHS = pd.period_range("2008-01", periods=44, freq="M")


def texts_of(fig):
    """Every text that is drawn, with its box in pixels."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    found = []
    for text in fig.findobj(matplotlib.text.Text):
        if text.get_visible() and text.get_text().strip():
            box = matplotlib.text.Text.get_window_extent(text, renderer)
            if box.width > 0 and np.isfinite([box.x0, box.y0]).all() and shown(text, fig):
                found.append((text.get_text(), box))
    return found


def shown(text, fig):
    """Tick labels beyond the axis' limits are there but not drawn."""
    for ax in fig.axes:
        if not ax.axison:
            continue
        for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if text is tick.label1:
                    return low <= tick.get_loc() <= high
                if text is tick.label2:
                    return False
    return True


def overlaps(fig, tolerance=1.0):
    """Pairs of texts whose boxes cover each other by more than a pixel each way."""
    return [(a, b) for (a, p), (b, q) in itertools.combinations(texts_of(fig), 2)
            if min(p.x1, q.x1) - max(p.x0, q.x0) > tolerance and min(p.y1, q.y1) - max(p.y0, q.y0) > tolerance]


def outside(fig):
    """Texts that the edge of the picture cuts off."""
    width, height = fig.get_size_inches() * fig.dpi
    return [text for text, box in texts_of(fig)
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]


def assert_readable(fig):
    assert overlaps(fig) == []
    assert outside(fig) == []


# --- the style itself

def test_chinese_is_drawn_with_glyphs_and_without_importing_zhplot(caplog):
    code = ("import warnings, sys; warnings.simplefilter('error'); import matplotlib; matplotlib.use('Agg');"
            "from ebank_lib.charts import style; style.use_style(); import matplotlib.pyplot as plt;"
            "plt.figure().text(0, 0, '个人网银（万户）✓✗√ −5%'); plt.gcf().canvas.draw();"
            "print('zhplot' in sys.modules)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (out.stdout.strip(), out.stderr) == ("False", "")


def test_no_two_colours_are_alike():
    assert len(set(style.colours)) == 8


def test_a_chinese_sign_is_two_columns_and_words_stay_whole():
    assert style.wrap("电话银行客户", 8) == "电话银行\n客户"
    assert style.wrap("phone banking", 8) == "phone\nbanking"


# --- labels at line ends

@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12), st.floats(0.1, 50))
def test_spread_labels_keep_their_order_and_their_distance(wanted, gap):
    placed = spread(wanted, gap, -1e6, 1e6)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(placed[order]) >= gap - 1e-6).all()
    if len(wanted) == 1 or np.diff(np.sort(wanted)).min() >= gap:
        assert placed == pytest.approx(wanted)      # nothing moves without need


def test_spread_labels_stay_inside_where_there_is_room():
    assert spread([9.5, 10.0], 2, 0, 10).tolist() == [8.0, 10.0]
    assert np.diff(spread([5, 5, 5], 6, 0, 10)).tolist() == [6.0, 6.0]      # no room: centred, still apart


@pytest.mark.parametrize("lines", [2, 5, 8])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_line_labels_never_overlap(lines, scale):
    fig, axes = plt.subplots(1, 2)
    for ax in axes:
        for n in range(lines):
            ax.plot(style.month_numbers(MONTHS), 1e5 * np.linspace(1, 3 + n * 0.01, 44), label=f"指标{n}电话银行")
        style.month_axis(ax, "zh", MONTHS)
        ax.set_yscale(scale)
        style.value_axis(ax, "stock", "户", "zh")
        ax.set_title("客户数")
        label_lines(ax)
    fig.suptitle("更多文字")
    assert_readable(fig)


def test_a_line_that_ends_early_or_is_empty_is_labelled_where_it_ends_or_not():
    fig, ax = plt.subplots()
    y = np.arange(44.0)
    y[30:] = np.nan
    ax.plot(style.month_numbers(MONTHS), y, label="early")
    ax.plot(style.month_numbers(MONTHS), y * np.nan, label="never")
    labels = label_lines(ax)
    assert [label.get_text() for label in labels] == ["early"]
    assert labels[0].xy[1] == 29
    fig.draw_without_rendering()


# --- axes

def ticks(ax, which="y"):
    ax.figure.draw_without_rendering()
    axis = getattr(ax, f"{which}axis")
    low, high = sorted(axis.get_view_interval())
    return [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def test_values_are_written_as_the_language_counts():
    for lang, unit, expected in (("zh", "户", "20万"), ("en", "customers", "200 k")):
        ax = plt.subplots()[1]
        ax.plot([0, 1], [0, 4e5])
        style.value_axis(ax, "stock", unit, lang)
        assert expected in ticks(ax)
        assert ax.get_ylabel() == unit


@pytest.mark.parametrize(("low", "high"), [(1, 20), (0.9, 1.6), (1e3, 1e9), (1.2e5, 1.3e5)])
def test_a_log_axis_always_has_labels(low, high):
    ax = plt.subplots()[1]
    ax.plot([0, 1], [low, high])
    ax.set_yscale("log")
    style.value_axis(ax, "flow", "元", "zh")
    written = ticks(ax)
    assert 2 <= len(written) <= 14
    assert len(set(written)) == len(written)


def test_rates_have_signs_and_a_plain_zero():
    ax = plt.subplots()[1]
    ax.plot([0, 1], [-0.1, 0.2])
    style.value_axis(ax, "ratio", "", "zh", sign=True)
    assert {"-10%", "0%", "+10%", "+20%"} <= set(ticks(ax))


@pytest.mark.parametrize(("start", "months", "lang", "expected"), [
    ("2008-01", 44, "zh", ["2008年", "2009年", "2010年", "2011年"]),
    ("2008-01", 44, "en", ["2008", "2009", "2010", "2011"]),
    ("2010-03", 6, "zh", ["3月\n2010年", "4月"]),
    ("2009-01", 200, "en", ["2010", "2020"]),
])
def test_months_are_named_at_a_readable_distance(start, months, lang, expected):
    index = pd.period_range(start, periods=months, freq="M")
    fig, ax = plt.subplots()
    ax.plot(style.month_numbers(index), np.arange(months))
    style.month_axis(ax, lang, index)
    assert set(expected) <= set(ticks(ax, "x"))
    assert_readable(fig)


def test_events_are_marked_in_rows_and_only_when_in_sight():
    fig, ax = plt.subplots()
    ax.plot(style.month_numbers(MONTHS), np.arange(44))
    style.month_axis(ax, "zh", MONTHS)
    style.value_axis(ax, "stock", "户", "zh")
    for month, text in (("2008-10", "分行政策推动"), ("2009-01", "又一件事"), ("2011-06", "近处的事")):
        assert mark_event(ax, month, text) is not None
    assert mark_event(ax, "2007-01", "太早") is None
    assert_readable(fig)


# --- every picture of growth, facts and stationarity, on the sample: a small branch in Chinese, a large one in English

KINDS = ("mom", "base", "yoy", "ratio", "volatility")


@pytest.mark.parametrize("branch, lang", [("rizhao", "zh"), ("jinan", "en")])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_growth_are_readable(cleaned, kind, branch, lang, caplog):
    analysis = analyse_growth(cleaned.panel, branch, cleaned.catalog, events=cleaned.source.config.events)
    groups = [None] if kind == "ratio" else [None, *analysis.groups()]
    for group in groups if branch == "rizhao" else groups[:2]:
        fig = analysis.plot(kind, group, lang)
        assert_readable(fig)
        assert fig.axes and all(ax.has_data() or not ax.axison for ax in fig.axes)
        plt.close(fig)
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_picture_of_the_facts_is_readable(cleaned, lang):
    assert_readable(stylised_facts(cleaned, "rizhao").plot(lang))


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("indicator", ["sms", "key_customer_txn", "echannel_share", "income_total"])
def test_the_picture_of_stationarity_is_readable(cleaned, indicator, lang):
    found = cleaned.catalog.indicators[indicator]
    battery = unit_root_battery(cleaned.series("rizhao", indicator), name=found.label(lang))
    fig = battery.plot(lang, unit=cleaned.catalog.base_units[found.unit](lang))
    assert_readable(fig)


def test_nothing_to_draw_is_a_sentence(cleaned):
    panel = cleaned.panel[["phone"]] * np.nan
    fig = analyse_growth(panel, "rizhao", cleaned.catalog).plot("mom", lang="en")
    assert "nothing to draw" in [text for text, _ in texts_of(fig)]
    assert unit_root_battery(panel.loc["rizhao", "phone"], name="x").plot("en") is not None


def test_in_a_bare_session_a_picture_has_the_chinese_face_and_leaves_the_sessions_settings_alone():
    code = ("import warnings, sys; import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt;"
            "import numpy as np, pandas as pd, ebank_lib as eb; before = dict(matplotlib.rcParams);"
            "y = pd.Series(np.arange(44.0) ** 2 + 50, index=pd.period_range('2008-01', periods=44, freq='M'));"
            "ax = eb.forecast(y, models=('snaive',)).plot(lang='zh'); warnings.simplefilter('error');"
            "ax.figure.canvas.draw(); print(dict(matplotlib.rcParams) == before, ax.get_title(loc='left')[:2])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8")
    assert (out.stderr, out.stdout.split()[0]) == ("", "True")
