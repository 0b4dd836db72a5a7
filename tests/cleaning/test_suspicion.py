"""What is suspected does not become the headline, and a reader's own word goes before everything."""

import shutil

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import POLICIES, clean
from ebank_lib.errors import SourceError, UnknownNameError

MONTH = pd.Period("2010-04", "M")


@pytest.fixture
def spiked(lonely):
    """A spike that nothing proves, and a slip whose digits speak against it."""
    lonely.print("east", "2010-04", "sales", int(lonely.number("east", "2010-04", "sales") * 2.3))
    lonely.print("hill", "2010-09", "sales", lonely.number("hill", "2010-09", "sales") * 10 + 7)
    return lonely


def test_a_series_leaves_out_what_is_suspected_unless_it_is_asked_for(spiked):
    cleaned = spiked.clean()
    printed = float(spiked.cells.loc[spiked.at("east", "2010-04", "sales"), "text"].iloc[0])
    assert np.isnan(cleaned.series("east", "sales")[MONTH]) and np.isnan(cleaned.block("east").loc[MONTH, "sales"])
    assert cleaned.series("east", "sales", doubtful="keep")[MONTH] == printed
    assert cleaned.panel.loc[("east", MONTH), "sales"] == printed
    assert cleaned.series("east", "sales").drop(MONTH).equals(
        cleaned.series("east", "sales", doubtful="keep").drop(MONTH))
    assert int(cleaned.panel.notna().sum().sum() - cleaned.trusted.notna().sum().sum()) == len(cleaned.doubtful) == 2
    with pytest.raises(UnknownNameError, match="keep"):
        cleaned.series("east", "sales", doubtful="maybe")


def test_all_branches_together_leave_out_what_is_suspected_of_one(spiked):
    cleaned = spiked.clean()
    every = cleaned.panel["sales"].groupby(level="month").sum()
    assert cleaned.total("keep")["sales"].equals(every)
    gone = every.index[cleaned.total()["sales"].isna()]
    assert gone.astype(str).tolist() == ["2010-04", "2010-09"]
    assert cleaned.total()["sales"].dropna().equals(every.drop(gone))
    with pytest.raises(UnknownNameError, match="keep"):
        cleaned.total("maybe")


def test_a_line_says_what_was_left_out_and_knows_its_cell(spiked):
    cleaned = spiked.clean()
    text = spiked.cells.loc[spiked.at("east", "2010-04", "sales"), "text"].iloc[0]
    said = cleaned.left_out("east", "sales", lang="en")
    assert said == f"Left out of the analysis as suspected errors: 2010-04, printed {text}."
    assert cleaned.left_out("east", ["sales", "a"], "en").startswith("Left out of the analysis as suspected errors: ")
    assert [(said[a:b], refs[0].table) for a, b, refs in said.cells] == [(text, "doubtful")]
    assert cleaned.left_out("east", "a") == ""


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_says_what_is_in_the_panel_and_the_rest_is_doubtful_under_each(spiked, policy):
    cleaned = spiked.clean(policy)
    y = cleaned.series("east", "sales")
    replaced = policy == "interpolate"
    assert np.isnan(y[MONTH]) != replaced and (cleaned.doubtful.empty == replaced)


def test_a_number_that_was_replaced_is_in_no_doubt_wherever_it_is_printed(spiked):
    """In the first cell of all, too."""
    first = spiked.at("east", "2010-04", "sales")
    spiked.cells = pd.concat([spiked.cells[first], spiked.cells[~first]], ignore_index=True)
    assert len(spiked.clean().doubtful) == 2 and spiked.clean("interpolate").doubtful.empty


def test_what_is_suspected_of_a_branch_that_merged_is_left_out_of_its_heir(merged):
    merged.catalog = merged.catalog.__class__(**{**vars(merged.catalog), "identities": ()})
    merged.cells = merged.cells[merged.cells["branch"] != "全部合计"].reset_index(drop=True)
    merged.print("old", "2009-06", "sales", int(merged.number("old", "2009-06", "sales") * 2.6))
    cleaned = merged.clean()
    assert cleaned.doubtful.query("indicator == 'sales'")["branch"].tolist() == ["lake"]
    assert np.isnan(cleaned.series("lake", "sales")["2009-06"])


# --- corrections.csv

@pytest.fixture
def source(tmp_path, root):
    """Eight months of the sample, where a reader may write; three numbers of it wrong beyond proof."""
    folder = tmp_path / "data" / "shandong"
    folder.mkdir(parents=True)
    for path in (root / "data" / "shandong").iterdir():
        if path.suffix == ".yaml" or "2010-01" <= path.name < "2010-09":
            shutil.copy(path, folder)
    for path in (root / "data").glob("*.*"):
        shutil.copy(path, folder.parent)
    return folder


def write(folder, *lines):
    (folder / "corrections.csv").write_text("\n".join(["file,sheet,cell,value,reason,who", *lines]) + "\n",
                                            encoding="utf-8-sig")


def address(row):
    return f"{row.file},{row.sheet},{row.column}{row.row}"


def test_what_a_reader_states_stands_and_nothing_is_guessed_over_it(source):
    plain = clean(source)
    proven = plain.ledger.query("decision == 'corrected' and month < '2010-08'")
    proven = proven.drop_duplicates(["file", "sheet", "row", "column"])
    wrong = proven[proven["indicator"] == "sms"].iloc[0]
    right = plain.ledger[(plain.ledger["rule"] == "number") & (plain.ledger["indicator"] == "phone")].iloc[0]
    text = plain.ledger[(plain.ledger["decision"] == "rejected") & (plain.ledger["rule"] == "not_a_number")]
    write(source, f"{address(wrong)},{wrong.text},counted again,Li", f"{address(right)},-,lost,Wang",
          *(f"{address(row)},77,from the file,Wang" for row in text.head(1).itertuples()))
    for policy in POLICIES:
        cleaned = clean(source, policy)
        rows = {(r.row, r.column): r for r in cleaned.ledger[cleaned.ledger["rule"] == "stated"].itertuples()}
        assert len(rows) == 2 + len(text.head(1))
        kept = rows[wrong["row"], wrong["column"]]
        assert kept.decision == "parsed" and kept.before == kept.after and "Li" in kept.reason
        e = cleaned.entries
        here = e[(e["file"] == wrong["file"]) & (e["row"] == wrong["row"]) & (e["column"] == wrong["column"])
                 & (e["sheet"] == wrong["sheet"])]
        assert set(here["decision"]) <= {"parsed"}
        assert rows[right["row"], right["column"]].decision == "rejected"
        for row in text.head(1).itertuples():
            assert rows[row.row, row.column].decision == "corrected" and rows[row.row, row.column].after == 77
        assert (cleaned.cells["text"] == plain.cells["text"]).all()     # as printed
    counts = cleaned.conservation.iloc[0]
    assert counts["cells"] == counts["in_panel"] + counts["rejected"]


def test_a_later_correction_is_seen_although_results_are_kept(source, tmp_path, monkeypatch):
    monkeypatch.setenv("EBANK_CACHE", str(tmp_path / "store"))
    row = clean(source).ledger.query("rule == 'number'").iloc[0]
    place = row["branch"], row["month"]
    for value in ("5", "6"):
        write(source, f"{address(row)},{value},typing error,Li")
        assert clean(source).panel.loc[place, row["indicator"]] == float(value)


@pytest.mark.parametrize("line, wrong", [
    ("2010-05.xlsx,个人,ZZ999,5,x,Li", "no such cell"),
    ("{cell},five,x,Li", "no number"), ("{cell},?,x,Li", "no number"),
    ("{cell},5,x,", "nobody"), ("{cell},5,x,Li\n{cell},6,x,Li", "twice")])
def test_a_line_that_cannot_be_meant_is_named(source, line, wrong):
    row = clean(source).ledger.query("rule == 'number'").iloc[0]
    write(source, line.format(cell=address(row)))
    with pytest.raises(SourceError, match=wrong) as error:
        clean(source)
    assert "corrections.csv" in str(error.value)


def test_a_line_that_check_prints_is_pasted_and_leads_to_what_was_stated(source, capsys):
    from ebank_lib.cli import main

    before = clean(source)
    lines = before.suggestions(lang="en")
    assert main(["check", "--source", str(source), "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert len(lines) and "file,sheet,cell,value,reason,who" in out
    printed = [line for line in out.splitlines() if line.startswith(tuple(lines["file"] + "," + lines["sheet"]))]
    assert len(printed) == len(lines)
    pasted = pd.DataFrame([line.split(",", 4)[:4] for line in printed], columns=lines.columns[:4])
    numbers = before.doubtful["text"].where(pasted["value"] == "?", pasted["value"])
    write(source, *(f"{row.file},{row.sheet},{row.cell},{value},seen on paper,Li"
                    for row, value in zip(pasted.itertuples(), numbers, strict=True)))
    after = clean(source)
    assert after.suggestions().empty or not set(after.suggestions()["cell"]) & set(pasted["cell"])
    for row in before.doubtful.itertuples():
        found = after.trace(row.branch, row.month, row.indicator, "en")
        assert "stated" in set(found["rule"]) and found["reason"].str.contains("Li: seen on paper").any()


def test_a_suggestion_is_in_the_cells_own_unit(lonely):
    """Sales printed in ten thousands: the likely number is too."""
    mask = lonely.cells["indicator"] == "sales"
    lonely.cells.loc[mask, "text"] = [f"{int(t) / 1e4:.4f}" for t in lonely.cells.loc[mask, "text"]]
    lonely.cells.loc[mask, "unit"] = "万元"
    n = lonely.number("east", "2011-06", "sales")
    lonely.print("east", "2011-06", "sales", f"{n / 1e3:.3f}")
    (line,) = lonely.clean().suggestions("east", "en").itertuples()
    assert (line.cell, float(line.value), line.who) == ("I6", n / 1e4, "")
    lonely.print("east", "2011-06", "sales", f"{n / 1e4:.4f}")
    lonely.print("east", "2010-04", "sales", f"{2.3 * n / 1e4:.4f}")
    (line,) = lonely.clean().suggestions("east", "en").itertuples()
    assert line.value == "?"
