"""Pictures of cleaning say what the ledger says."""

import dataclasses

import numpy as np
import pytest

from ebank_lib.charts.cleaning import plot_before_after, plot_quality, printed_series, share_table


def test_the_map_counts_what_is_missing(cleaned):
    table, missing = share_table(cleaned), cleaned.panel.isna().mean(axis=1).unstack("month")
    assert table.shape == (17, len(cleaned.months)) and (table >= missing.loc[table.index]).all().all()
    trouble = cleaned.entries.query("branch == 'rizhao' and decision in ('corrected', 'flagged', 'filled')")
    calm = missing.columns.difference(trouble["month"])
    assert np.allclose(table.loc["rizhao", calm], missing.loc["rizhao", calm])
    assert (table.loc["rizhao"] > missing.loc["rizhao"]).any()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_map_is_drawn_in_both_languages(cleaned, lang):
    ax = plot_quality(cleaned, lang=lang)
    ax.figure.canvas.draw()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == cleaned.catalog.branches[cleaned.branches[0]].label(lang)


def test_the_grey_line_is_what_was_printed_and_marks_are_what_was_done(cleaned):
    e = cleaned.entries
    row = e[(e["rule"] == "decimal_slip") & (e["decision"] == "corrected") & (e["branch"] != "dongying")].iloc[0]
    before = printed_series(cleaned, row["branch"], row["indicator"])
    assert before[row["month"]] == pytest.approx(row["before"])
    ax = plot_before_after(cleaned, row["branch"], row["indicator"], lang="en")
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert np.array_equal(lines["cleaned"].get_ydata(), cleaned.series(row["branch"], row["indicator"]), equal_nan=True)
    assert row["after"] in lines["corrected"].get_ydata()


def test_a_number_in_doubt_is_drawn_where_the_panel_has_it_and_marked(cleaned):
    row = cleaned.doubtful.query("branch == 'dongying'").iloc[0]
    ax = plot_before_after(cleaned, "dongying", row["indicator"], lang="en")
    drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert row["value"] in drawn["cleaned"] and row["value"] in drawn["flagged"]


def test_before_a_merger_the_grey_line_is_the_sum(cleaned):
    before = printed_series(cleaned, "dongying", "phone")
    y = cleaned.series("dongying", "phone")
    same = (before / y - 1).abs() < 1e-9
    assert same[:"2009-06"].sum() > 12


def test_months_outside_a_branchs_own_time_are_blank_and_no_trouble(cleaned):
    panel = cleaned.panel.copy()
    early = panel.index.get_level_values("month") < cleaned.months[12]
    panel.loc[early & (panel.index.get_level_values("branch") == "rizhao")] = np.nan
    late = share_table(dataclasses.replace(cleaned, panel=panel))
    assert late.loc["rizhao"].iloc[:12].isna().all() and late.loc["rizhao"].iloc[12:].notna().all()
    assert late.drop(index="rizhao").equals(share_table(cleaned).drop(index="rizhao"))
