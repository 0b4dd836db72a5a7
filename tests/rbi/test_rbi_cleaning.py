"""The Reserve Bank of India's tables are cleaned: every cell is accounted for, what is wrong in print is flagged, and
nothing is changed that the numbers do not prove."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebank_lib.cleaning import clean

HERE = Path(__file__).parent
CELLS = {"neft": 48388, "mobile": 9342}

# Checked by eye in the published tables, each against the same bank's months around it.
SUSPICIOUS = [
    # table, file begins with, row, bank, month, columns, rule, what is wrong
    ("neft", "2011/RTGS020111.xls", 101, "uco-bank", "2011-01", 4, "swapped_rows"),              # 176,421 after 52,635
    ("neft", "2011/RTGS020111.xls", 102, "union-bank-of-india", "2011-01", 4, "swapped_rows"),   # 65,364 after 198,232
    ("neft", "2011/RTCS010411F.xls", 77, "rbl-bank", "2011-03", 3, "spike"),                     # 20,308 after 1,190
    ("neft", "2011/RTCS010411F.xls", 80, "shamrao-vithal-co-op-bank-ltd", "2011-03", 4, "swapped_rows"),  # shifted
    ("neft", "2011/RTCS010411F.xls", 81, "shinhan-bank", "2011-03", 1, "spike"),                 # 10,406 after 255
    ("neft", "2011/RTGS04072011.xls", 48, "indian-bank", "2011-06", 2, "spike"),                 # 9 times May
    ("neft", "2011/RTGS04072011.xls", 50, "indusind-bank", "2011-06", 2, "spike|decimal_slip"),  # the same
    ("mobile", "2013/BWMBT090114.xls", 23, "hdfc-bank", "2013-11", 2, "spike"),     # 1,862 after 250,723
    ("mobile", "2015/RTGS10032015.XLS", 9, "bank-of-india", "2015-02", 2, "spike"),  # 449,793 between 6 and 14,444
    ("mobile", "2015/RTGSDE464", 30, "indusind-bank", "2015-06", 1, "spike"),                    # twenty times May's
    ("mobile", "2011/RTCS010411F.xls", 38, "state-bank-of-mysore", "2009-11", 1, "spike"),       # 49,954 after 74
    ("mobile", "2015/RTGS110820", 62, "union-bank-of-india", "2015-07", 1, "spike"),             # 6 times June
    ("mobile", "2014/RTGS1214DATART.XLS", 65, "thane-janta-sahakari-bank-ltd", "2014-12", 1, "spike|decimal_slip"),
]

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def cleaned(shared_data):
    """The two tables, cleaned."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EBANK_SHARED", str(shared_data.parent))
        yield {name: clean(HERE / name) for name in CELLS}


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_in_the_panel_or_rejected_with_a_reason(cleaned, name):
    count = cleaned[name].conservation.iloc[0]
    assert count["cells"] == CELLS[name] == count["in_panel"] + count["rejected"]
    assert len(cleaned[name].rejected) == count["rejected"] and (cleaned[name].rejected["reason"] != "").all()


@pytest.mark.parametrize("name", CELLS)
def test_nothing_is_changed_where_nothing_proves_it(cleaned, name):
    # Neither table obeys an identity to the printed digit, so no number may be corrected, nor any invented.
    assert cleaned[name].entries.query("decision in ('corrected', 'filled')").empty


@pytest.mark.parametrize("name", CELLS)
def test_every_bank_is_known(cleaned, name):
    assert "unknown_branch" not in set(cleaned[name].rejected["rule"])


def test_the_two_spellings_of_firstrand_are_one_bank(cleaned):
    assert cleaned["mobile"].series("firstrandbank", "mobile_txn")["2013-05":"2013-06"].tolist() == [5027, 3451]


@pytest.mark.parametrize(("name", "file", "row", "bank", "month", "columns", "rule"), SUSPICIOUS)
def test_a_cell_that_is_wrong_in_print_is_flagged_and_kept(cleaned, name, file, row, bank, month, columns, rule):
    flags = cleaned[name].ledger.query("decision == 'flagged'")
    here = flags[flags["file"].astype(str).str.startswith(file) & (flags["row"] == row)
                 & (flags["month"].astype(str) == month) & (flags["branch"].astype(str) == bank)]
    assert here["column"].nunique() == columns and set(here["rule"].astype(str)) <= set(rule.split("|"))
    kept = cleaned[name].panel.loc[(bank, here["month"].iloc[0]), here["indicator"].astype(str).tolist()]
    assert kept.notna().all()
