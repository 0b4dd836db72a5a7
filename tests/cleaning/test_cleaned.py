"""What cleaning hands on: policies, conservation, the way back to the cell, tables, files."""

import re

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import ConservationError
from ebank_lib.cleaning.ledger import COLUMNS, DECISIONS, plain, safe_for_spreadsheets
from ebank_lib.cleaning.panel import check_conservation
from ebank_lib.errors import SourceError, UnknownNameError
from ebank_lib.wording import use_language, words


@pytest.fixture
def spoilt(province):
    province.print("east", "2010-04", "a", province.number("east", "2010-04", "a") * 10)   # proven
    province.print("hill", "2010-05", "sales", "-")                                        # filled from the total
    province.print("all", "2010-05", "sales", "")                                          # ... which is blank, too
    province.print("west", "2010-06", "sales", int(province.number("west", "2010-06", "sales") * 2.6))
    return province


def test_an_end_before_the_start_is_named(province):
    with pytest.raises(SourceError, match="the end lies before the start; found '2010-05 to 2009-06'"):
        province.clean(start="2010-05", end="2009-06")


def test_none_changes_nothing_and_still_flags(spoilt):
    cleaned = spoilt.clean("none")
    assert not {"corrected", "filled"} & set(cleaned.entries["decision"])
    assert cleaned.panel.loc[("east", "2010-04"), "a"] == spoilt.number("east", "2010-04", "a") * 10
    assert "decimal_slip" in set(cleaned.ledger.query("decision == 'flagged'")["rule"])


def test_conservative_changes_what_is_proven_and_keeps_the_rest(spoilt):
    cleaned = spoilt.clean()
    assert cleaned.panel.loc[("east", "2010-04"), "a"] == spoilt.number("east", "2010-04", "a")
    assert np.isnan(cleaned.panel.loc[("hill", "2010-05"), "sales"])
    assert cleaned.panel.loc[("west", "2010-06"), "sales"] > 2 * spoilt.number("west", "2010-06", "sales")
    assert set(cleaned.ledger.query("decision == 'flagged'")["branch"]) == {"west"}


def test_interpolate_also_fills_gaps_and_replaces_spikes(spoilt):
    cleaned = spoilt.clean("interpolate")
    for place in (("hill", "2010-05"), ("west", "2010-06")):
        true = spoilt.number(*place, "sales")
        assert cleaned.panel.loc[place, "sales"] == pytest.approx(true, rel=0.2)
    assert set(cleaned.entries.query("decision == 'filled'")["rule"]) == {"interpolated"}
    assert "west" in set(cleaned.entries.query("decision == 'flagged'")["branch"])


def test_interpolation_never_reaches_beyond_the_ends(lonely):
    for month in ("2009-01", "2009-02", "2011-06"):
        lonely.print("east", month, "sales", "-")
    assert lonely.clean("interpolate").panel.loc["east", "sales"].isna().sum() == 3


@pytest.mark.parametrize("policy", ["none", "conservative", "interpolate"])
def test_every_number_of_the_panel_leads_back_to_a_cell_or_says_who_filled_it(spoilt, policy):
    cleaned = spoilt.clean(policy)
    for branch, month, key in [("east", "2010-04", "a"), ("hill", "2010-05", "sales"),
                               ("north", "2009-01", "activity")]:
        assert len(cleaned.trace(branch, month, key))
    held = [(*place, key) for key in cleaned.panel for place in cleaned.panel.index[cleaned.panel[key].notna()]]
    entries = cleaned.entries[cleaned.entries["decision"] != "rejected"]
    known = set(zip(entries["branch"], entries["month"], entries["indicator"], strict=True))
    assert set(held) <= known


def test_conservation_is_checked_cell_by_cell(province):
    cleaned = province.clean()
    in_panel = np.arange(len(province.cells))
    for wrong in (in_panel[1:], np.array([], int)):
        with pytest.raises(ConservationError, match="in neither"):
            check_conservation(province.cells, cleaned.entries, wrong)
    decision = cleaned.entries["decision"]
    rejected = cleaned.entries.assign(decision=decision.where(cleaned.entries.index != 5, "rejected"))
    with pytest.raises(ConservationError, match="and rejected"):
        check_conservation(province.cells, rejected, in_panel)
    with pytest.raises(ConservationError, match="without"):
        check_conservation(province.cells, cleaned.entries[cleaned.entries["cell"] != 7], in_panel)


def test_the_ledger_speaks_both_languages_and_every_rule_is_explained(spoilt):
    cleaned = spoilt.clean()
    assert list(cleaned.ledger.columns) == COLUMNS and set(cleaned.ledger["decision"]) <= set(DECISIONS)
    zh = cleaned.ledger["reason"]
    use_language("en")
    en = cleaned.ledger["reason"]
    assert not (zh == en).any() and not en.str.contains("[{}]|[\u4e00-\u9fff]", regex=True).any()
    assert not zh.str.contains("[{}]", regex=True).any()
    assert cleaned.summary("en")["reason"].str.len().gt(0).all()


def test_every_rule_has_a_reason_and_a_description():
    entries = words()
    rules = {k.removeprefix("cleaning.about_") for k in entries if k.startswith("cleaning.about_")}
    assert {f"cleaning.{r}" for r in rules} <= set(entries) and len(rules) > 35


def test_tables_for_the_notebook(spoilt):
    cleaned = spoilt.clean()
    assert cleaned.summary()["cells"].sum() == len(cleaned.entries)
    assert "<table>" in cleaned._repr_html_()


def test_series_and_what_does_not_exist(province):
    cleaned = province.clean()
    y = cleaned.series("east", "a", "2009-03", "2009-05")
    assert y.index.freqstr == "M" and y.name == "a" and y.tolist() == province.true["east"]["a"][2:5].tolist()
    for call in (lambda: cleaned.series("eest", "a"), lambda: cleaned.series("east", "aa"),
                 lambda: cleaned.series("east", "a", "1999-01"), lambda: cleaned.trace("east", "never", "a")):
        with pytest.raises(UnknownNameError):
            call()


def test_a_merged_branch_is_asked_for_under_its_heir(merged):
    cleaned = merged.clean()
    assert cleaned.series("old", "a").equals(cleaned.series("lake", "a"))


def test_files_are_the_same_bytes_and_safe_to_open(spoilt, tmp_path):
    spoilt.print("east", "2009-05", "a", "=1+1")
    first, second = spoilt.clean().save(tmp_path / "1"), spoilt.clean().save(tmp_path / "2")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    ledger = pd.read_csv(first[2], dtype=str, keep_default_na=False)
    assert "'=1+1" in ledger["text"].tolist() and "'-" in ledger["text"].tolist()
    assert "=1+1" in spoilt.clean().ledger["text"].tolist()      # only the file is neutralised
    panel = pd.read_parquet(first[1])
    assert len(panel) == spoilt.clean().panel.count().sum() and panel["month"].iloc[0] == "2009-01"


def test_the_panel_as_a_long_table_has_every_number_once_and_says_which_are_in_doubt(spoilt):
    cleaned = spoilt.clean()
    long = cleaned.to_frame(lang="en")
    assert list(long) == ["branch", "month", "indicator", "unit", "value", "doubtful"]
    wide = long.pivot_table("value", ["branch", "month"], "indicator", aggfunc="sum")
    reported = cleaned.panel.dropna(how="all").dropna(axis=1, how="all")
    assert wide.reindex(reported.index)[reported.columns].equals(reported)
    keys = ["branch", "month", "indicator"]
    assert set(long.loc[long["doubtful"], keys].itertuples(index=False, name=None)) == set(
        cleaned.doubtful[keys].itertuples(index=False, name=None)) != set()
    assert set(zip(long["indicator"], long["unit"], strict=True)) == {
        (key, cleaned.catalog.unit_label(key, "en")) for key in reported}


def test_only_texts_that_begin_a_formula_are_changed():
    frame = pd.DataFrame({"a": ["=1", "+1", "-1", "@x", "1-1", ""], "b": [1.0, -2.0, 3.0, 4.0, 5.0, 6.0]})
    safe = safe_for_spreadsheets(frame)
    assert safe["a"].tolist() == ["'=1", "'+1", "'-1", "'@x", "1-1", ""] and safe["b"].tolist() == frame["b"].tolist()


def test_the_order_of_the_cells_does_not_matter(spoilt):
    one = spoilt.clean()
    spoilt.cells = spoilt.cells.sample(frac=1, random_state=3).reset_index(drop=True)
    assert spoilt.clean().panel.equals(one.panel)


def test_a_branchs_table_joins_what_was_treated_alike_and_leaves_out_nothing(cleaned):
    rows = cleaned.of("rizhao", "en")
    e = cleaned.entries
    mine = e[(e["branch"] == "rizhao") & e["decision"].isin(["corrected", "flagged", "filled"])]
    numbers = mine.drop_duplicates(["month", "decision", "indicator", "file", "sheet", "row", "column"])
    assert rows["numbers"].sum() == len(numbers)
    assert rows["month"].is_monotonic_increasing
    swap = rows[rows["reason"].str.contains("swapped")]
    assert len(swap) == 1 and swap["numbers"].iloc[0] == 26


def test_its_sentence_counts_what_the_ledger_holds(cleaned):
    e = cleaned.entries
    corrected = e[e["decision"] == "corrected"].drop_duplicates(["cell"])
    assert f"{len(corrected)} were corrected" in cleaned.reading(lang="en")
    assert cleaned.reading("rizhao", "zh").startswith("日照分行")


@pytest.mark.parametrize("branch", [None, "rizhao"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_its_sentence_knows_the_cells_it_states(cleaned, branch, lang):
    said = cleaned.reading(branch, lang)
    tables = {"conservation": cleaned.conservation, "decisions": cleaned.decided(),
              "decisions_branch": cleaned.decided("rizhao")}
    assert re.findall(r"[0-9][0-9,]*", said) == [said[start:end] for start, end, _ in said.cells]
    for start, end, refs in said.cells:
        (ref,) = refs
        table = tables[ref.table]
        for name, value in ref.rows:
            table = table[table[name] == value]
        assert table[ref.column].tolist() == [int(said[start:end].replace(",", ""))]
    assert len(said.cells) == (4 if branch else 6)


def test_a_table_says_what_its_rows_are_about(cleaned):
    about = {name: table.attrs["ebank"] for name, table in (
        ("all", cleaned.decided()), ("one", cleaned.decided("rizhao")), ("of", cleaned.of("rizhao")),
        ("summary", cleaned.summary()), ("conservation", cleaned.conservation))}
    assert {name: (a["branch"], a["indicator"]) for name, a in about.items()} == {
        "all": ("*", "*"), "one": ("@", "*"), "of": ("@", "*"), "summary": ("*", "*"), "conservation": ("*", "*")}


def test_no_indicator_is_the_first_headline_one(cleaned):
    assert cleaned.series("rizhao", "").name == cleaned.catalog.headline[0]


def test_its_name_in_a_console_depends_on_no_machine(cleaned):
    assert "sources.yaml" not in repr(cleaned) and str(cleaned.source.path.parent) not in repr(cleaned)


def test_rows_of_the_ledger_are_labelled_for_showing(cleaned):
    shown = cleaned.labelled(cleaned.trace("rizhao", "2008-10", "sms"), "en")
    assert shown["branch"].unique().tolist() == ["Rizhao"]
    assert shown["indicator"].unique().tolist() == ["SMS finance customers"]
    assert not shown["reason"].str.contains("[一-鿿]", regex=True).any()


def test_large_numbers_have_no_exponent():
    assert [plain(v) for v in (2.1036602834279997e10, 0.4936, 123456.0)] == ["21,036,602,834", "0.4936", "123,456"]


def test_an_indicator_of_all_branches_side_by_side(cleaned):
    wide = cleaned.wide("mobile_txn")
    assert list(wide) == cleaned.catalog.reporting and wide.index.equals(cleaned.months)
    for branch in ("rizhao", "jinan"):
        pd.testing.assert_series_equal(wide[branch], cleaned.series(branch, "mobile_txn"), check_names=False)
    kept = cleaned.wide("mobile_txn", doubtful="keep")
    assert kept.notna().sum().sum() >= wide.notna().sum().sum()
    assert wide.where(wide.notna()).equals(kept.where(wide.notna()))
    with pytest.raises(UnknownNameError, match="unknown indicator 'mobil'"):
        cleaned.wide("mobil")


def test_the_picture_is_of_what_is_asked_for(cleaned):
    import matplotlib.pyplot as plt

    branches = cleaned.plot(indicator="mobile_txn", lang="en")
    assert sum(ax.get_visible() for ax in branches.axes) == len(cleaned.catalog.reporting)
    assert {ax.get_yscale() for ax in branches.axes if ax.get_visible()} == {"log"}
    assert cleaned.plot(lang="en").get_yscale() == "linear"     # the map
    plt.close("all")
