"""The sample: simulated figures that obey what they must, workbooks that hold them, mistakes accounted for."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import python_calamine

from ebank_lib.catalog import load_catalog
from ebank_lib.cleaning import clean
from ebank_lib.events import known_events
from ebank_lib.rules import load_problems
from ebank_lib.scenarios import load_strategy
from ebank_lib.sources import open_source

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "shandong"

# At least so many cells of each kind on any seed.
LEAST = {"unit_stated": 200, "unit_silent": 100, "full_width": 30, "thousands": 40, "note": 40, "text_number": 40,
         "inline_unit": 25, "merged_cell": 15, "swap": 100, "stale": 60, "decimal": 40, "blank": 35, "dash": 30,
         "month_missing": 1, "month_twice": 1000, "alias": 500, "merger": 500, "total_off": 25, "subtotal_row": 28,
         "heading_row": 21, "spike": 30}
LOST = ["unit_silent", "inline_unit", "merged_cell", "swap", "stale", "decimal", "blank", "dash", "total_off", "spike"]


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_sample", SAMPLE / "make_sample.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(SAMPLE))


@pytest.fixture(scope="module")
def catalog():
    return load_catalog(ROOT / "data" / "catalog.yaml", ROOT / "data" / "branches.csv")


@pytest.fixture(scope="module")
def fresh(maker, tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    maker.make_sample(out, truth_panel=out / "panel.csv")
    return out


@pytest.fixture(scope="module")
def panel(fresh):
    long = pd.read_csv(fresh / "panel.csv")
    long["month"] = pd.PeriodIndex(long["month"], freq="M")
    return long.pivot_table(index=["branch", "month"], columns="indicator", values="value")


@pytest.fixture(scope="module")
def truth():
    return read_truth(SAMPLE)


def read_truth(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "truth.csv", dtype=str, keep_default_na=False)


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- the same again


def test_regenerating_gives_the_files_of_the_repository(fresh):
    here, there = ({p.name for p in folder.glob("*.xlsx")} for folder in (SAMPLE, fresh))
    assert here == there
    for name in sorted(here):  # compared unpacked: how tightly a zip is packed depends on the machine's zlib
        assert parts(SAMPLE / name) == parts(fresh / name), name
    assert (SAMPLE / "truth.csv").read_bytes() == (fresh / "truth.csv").read_bytes()


def test_same_seed_same_bytes_other_seed_other_figures(maker, tmp_path):
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        maker.make_sample(tmp_path / folder, seed=seed, months=14)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    assert (tmp_path / "a" / "2009-02.xlsx").read_bytes() != (tmp_path / "c" / "2009-02.xlsx").read_bytes()


def test_workbooks_that_are_no_sample_are_left_alone(maker, tmp_path):
    (tmp_path / "2010-01.xlsx").write_bytes(b"mine")
    with pytest.raises(ValueError, match="not a sample"):
        maker.make_sample(tmp_path)
    assert (tmp_path / "2010-01.xlsx").read_bytes() == b"mine"


def test_too_small_or_too_long_is_said(maker, tmp_path, capsys):
    for arguments, message in ((["--months", "5"], "at least 12"), (["--months", "200"], "2020-12"),
                               (["--branches", "3"], "at least 17")):
        with pytest.raises(SystemExit):
            maker.main(["--out", str(tmp_path / "x"), *arguments])
        assert message in capsys.readouterr().err


def test_an_unspoilt_sample_has_all_months_and_an_empty_account(maker, tmp_path):
    maker.make_sample(tmp_path, months=5, spoil=False)
    assert [p.name for p in sorted(tmp_path.glob("*.xlsx"))] == [f"2008-{m:02d}.xlsx" for m in range(1, 6)]
    assert read_truth(tmp_path).empty
    cells = open_source(tmp_path).cells()
    assert pd.to_numeric(cells["text"].astype(str)).gt(0).all() and cells["merged"].eq("").all()


def test_more_branches_can_be_asked_for_and_read(maker, tmp_path):
    maker.make_sample(tmp_path, months=14, branches=40)
    source = open_source(tmp_path)
    assert len(source.catalog.reporting) == 39
    assert source.cells()["branch"].str.startswith("模拟").any()


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_branches_can_be_had_unspoilt_with_all_that_a_report_reads(maker, tmp_path, count):
    maker.make_sample(tmp_path, branches=count, spoil=False)
    source = open_source(tmp_path)
    assert len(source.catalog.reporting) == count
    assert clean(source).rejected.empty
    assert load_problems(source) and load_strategy(source).targets
    # Events of branches that are not there are left out: an event names branches that exist.
    named = set(";".join(known_events(source)["branches"]).split(";")) - {""}
    assert named <= set(source.catalog.branches)


# --- what is true


def test_stock_changes_by_exactly_the_net_new_customers(panel, catalog):
    for identity in (i for i in catalog.identities if i.kind == "change"):
        change = panel[identity.total].groupby(level="branch").diff()
        new = panel[identity.parts].sum(axis=1)[change.notna()]
        assert (change.dropna() == new).all(), identity.total


def test_totals_are_exact_and_parts_fit_in_the_whole(panel, catalog):
    for identity in catalog.identities:
        whole, of_parts = panel[identity.total], panel[identity.parts].sum(axis=1)
        if identity.kind == "sum":
            assert (whole == of_parts).all(), identity.total
        elif identity.kind == "within":
            assert (of_parts <= whole).all(), identity.total
    counted = [k for k, i in catalog.indicators.items() if i.kind != "ratio"]
    branches = panel.loc[catalog.reporting, counted]
    assert (branches > 0).all(axis=None) and (branches == branches.round()).all(axis=None)
    assert (branches.groupby(level="month").sum() == panel.loc[catalog.total, counted]).all(axis=None)
    for key in set(catalog.indicators) - set(counted):
        np.testing.assert_allclose(panel[key], catalog.derive(panel, key), rtol=1e-12)
        assert not catalog.indicator(key).bounded or panel[key].max() < 1


def test_the_seven_facts_hold_in_the_true_figures(panel, catalog):
    facts = pytest.importorskip("ebank_lib.rules")
    true = SimpleNamespace(catalog=catalog, branches=catalog.reporting, block=lambda branch: panel.loc[branch],
                           total=lambda: panel.loc[catalog.total],
                           source=SimpleNamespace(config=SimpleNamespace(events=())))
    found = facts.stylised_facts(true, "rizhao", facts=SAMPLE / "facts.yaml")
    assert (found.numbers["verdict"] == "holds").all(), found.numbers.query("verdict != 'holds'")


def test_the_policy_jump_stays(panel):
    sms = panel.loc["rizhao", "sms"]
    assert 3 < sms["2008-10"] / sms["2008-09"] < 5
    assert (sms["2008-11":] > sms["2008-10"]).all()
    others = panel["sms"].groupby(level="branch").pct_change().drop(index=("rizhao", pd.Period("2008-10", "M")))
    assert others.max() < 1.5


def test_2010_is_the_year_the_study_describes(panel):
    year = panel.loc["shandong"].groupby(lambda m: m.year).sum()
    growth = year.loc[2010] / year.loc[2009] - 1
    channels = ["personal_online_txn", "corporate_online_txn", "phone_txn", "mobile_txn", "key_customer_txn"]
    assert year.loc[2010, channels].idxmax() == "personal_online_txn"
    assert growth[channels].idxmax() == "mobile_txn" and growth["mobile_txn"] > 1 and growth["key_customer_txn"] < 0
    fees = ["sms_income", "personal_online_income", "corporate_online_income"]
    assert year.loc[2010, fees].idxmax() == "sms_income"
    assert growth[fees[:2]].between(0.9, 1.3).all()


def test_spring_festival_moves_between_january_and_february(maker, panel):
    """2009's fell in January, 2010's in February; offices close, so corporate transactions drop in that month."""
    holidays = pytest.importorskip("holidays")
    days = holidays.country_holidays("CN", years=range(2008, 2021), categories="public", language="en_US")
    for year, (month, day) in sys.modules["growth_paths"].SPRING_FESTIVAL.items():
        assert any("Spring Festival" in name or "New Year" in name
                   for name in days.get_list(f"{year}-{month:02d}-{day:02d}")), year
    y = panel.loc["shandong", "corporate_online_txn"]
    assert y["2009-01"] < 0.95 * y["2008-12"] and y["2009-02"] > y["2009-01"]
    assert y["2010-02"] < 0.9 * y["2010-01"] and y["2010-03"] > 1.15 * y["2010-02"]


def test_branches_share_shocks(panel, catalog):
    growth = panel.pivot_table(index="month", columns="branch", values="personal_online_new")[catalog.reporting]
    growth = np.log(growth).diff().dropna()
    paired = growth.corr().to_numpy()[np.triu_indices(16, 1)]
    assert 0.4 < np.median(paired) < 0.98


# --- what is printed


def test_every_page_says_that_it_is_simulated(shandong):
    notes = shandong.notes()
    for (_file, _sheet), texts in notes.groupby(["file", "sheet"], observed=True)["text"]:
        assert "模拟数据" in texts.iloc[0] and texts.iloc[1:].str.contains("模拟数据").any()


def test_every_line_of_the_account_is_in_the_workbook(truth):
    books: dict[str, python_calamine.CalamineWorkbook] = {}
    pages: dict[tuple[str, str], list[list]] = {}
    assert not truth.duplicated(["file", "sheet", "row", "column"]).any()
    for line in truth[truth["file"] != ""].itertuples():
        if (line.file, line.sheet) not in pages:
            book = books.setdefault(line.file, python_calamine.CalamineWorkbook.from_path(SAMPLE / line.file))
            pages[line.file, line.sheet] = book.get_sheet_by_name(line.sheet).to_python(skip_empty_area=False)
        column = 0
        for letter in line.column:
            column = 26 * column + ord(letter) - 64
        found = pages[line.file, line.sheet][int(line.row) - 1][column - 1]
        text = found if isinstance(found, str) else str(int(found)) if found == int(found) else repr(found)
        assert text == line.printed, line


def test_the_account_and_the_reader_agree(shandong, truth):
    cells = shandong.cells()
    lines = truth[truth["file"] != ""].astype({"row": int})
    both = lines.merge(cells.astype({"indicator": str, "text": str, "file": str, "sheet": str, "column": str}),
                       on=["file", "sheet", "row", "column"], how="left", suffixes=("", "_read"))
    assert both["text"].notna().all()
    assert (both["text"] == both["printed"]).all() and (both["indicator"] == both["indicator_read"]).all()


@pytest.mark.parametrize("seed", [None, 7])
def test_every_kind_of_mistake_is_there(maker, truth, tmp_path, seed):
    if seed is not None:
        maker.make_sample(tmp_path, seed=seed)
        truth = read_truth(tmp_path)
        assert not truth.duplicated(["file", "sheet", "row", "column"]).any()
    counts = truth["spoil"].value_counts()
    assert set(counts.index) == set(LEAST)
    assert all(counts[kind] >= least for kind, least in LEAST.items()), counts


def test_cells_that_are_not_in_the_account_show_the_truth(maker, shandong, truth, catalog):
    names = {name: b.id for b in catalog.branches.values() for name in (b.zh, *b.aliases)}
    cells = _unspoilt(shandong.cells(), truth)
    true = maker.simulate()
    month = {pd.Period(f"{y}-{m:02d}", "M"): t for t, (y, m) in enumerate(true.months)}
    assert len(cells) > 25_000
    for cell in cells.itertuples():
        row = names[cell.branch]
        value = true.printed("total" if row == catalog.total else row, cell.indicator, month[cell.month])
        unit = catalog.units[cell.unit]
        decimals = len(cell.text.partition(".")[2])
        assert abs(float(cell.text) * unit.factor - value) <= 0.5000001 * unit.factor * 10.0**-max(decimals, 2) or (
            float(cell.text) * unit.factor == value), cell


def _unspoilt(cells: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    spoilt = set(zip(truth["file"], truth["sheet"], truth["row"], truth["column"]))
    keep = [a not in spoilt for a in zip(cells["file"], cells["sheet"], cells["row"].astype(str), cells["column"])]
    return cells[keep]


# --- mistakes that can be proven


def test_lost_numbers_keep_their_distance(maker, truth):
    """What loses a number stands neither beside another in a family of figures, nor twice in a column of a month."""
    family = sys.modules["spoiling_plan"].FAMILY
    lost = truth[truth["spoil"].isin(LOST)].copy()
    lost["family"] = lost["indicator"].map(family)
    lost["t"] = pd.PeriodIndex(lost["month"], freq="M").map(lambda p: p.ordinal)
    groups = lost.drop_duplicates(["branch", "family", "t"]).sort_values("t").groupby(["branch", "family"])["t"]
    assert groups.diff().dropna().min() >= 3
    single = lost[~lost["spoil"].isin(["unit_silent", "swap"])]
    assert not single.duplicated(["month", "indicator"]).any()


def test_a_slipped_decimal_is_a_power_of_ten(truth):
    ratios = sys.modules["spoiling_plan"].RATIOS
    for line in truth[truth["spoil"] == "decimal"].itertuples():
        unit = 0.01 if line.indicator in ratios else 1e4 if "sales" in line.indicator else 1
        power = np.log10(float(line.printed) * unit / float(line.true_value))
        assert abs(power - round(power)) < 1e-6 and round(power) in (-2, -1, 1, 2), line


def test_expected_rules_are_names_the_ledger_knows(truth):
    known = {"full_width_digits", "thousands_separator", "trailing_note", "text_number", "inline_unit", "blank", "dash",
             "merged_cell", "unit_heading", "unit_slip", "alias", "merger", "subtotal_row", "heading_row", "superseded",
             "revision", "missing_month", "decimal_slip", "swapped_rows", "stale_repeat", "spike", "sum_mismatch",
             "change_mismatch", "ratio_mismatch", "within_mismatch", "total_mismatch", "from_identity"}
    assert {rule for rules in truth["expected_rules"] for rule in rules.split("|")} == known


def test_month_never_sent_has_no_file(truth):
    missing = truth[truth["spoil"] == "month_missing"]
    assert len(missing) == 1 and (missing[["file", "sheet", "row", "column"]] == "").all(axis=None)
    assert not (SAMPLE / f"{missing['month'].iloc[0]}.xlsx").exists()
