"""A DataFrame of any usual shape is a source like any other, and what is no such frame is an error that says where."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib.catalog import load_catalog
from ebank_lib.errors import ConfigError, SourceError, UnknownNameError
from ebank_lib.sources import open_source
from ebank_lib.sources.frame import from_frame

MONTHS = pd.period_range("2010-01", periods=18, freq="M", name="month")
RNG = np.random.default_rng(11)
BRANCHES = ["east", "west"]


def panel():
    """Two branches, three indicators, a month that one does not report."""
    index = pd.MultiIndex.from_product([BRANCHES, MONTHS], names=["branch", "month"])
    growth = np.cumsum(RNG.normal(0.02, 0.004, (2, len(MONTHS))), axis=1).ravel()
    frame = pd.DataFrame({"mobile": np.round(1e5 * np.exp(growth)), "mobile_txn": np.round(4e5 * np.exp(1.2 * growth)),
                          "fee": np.round(100 * np.exp(growth), 2)}, index)
    frame.loc[("west", pd.Period("2010-04", "M")), "fee"] = np.nan
    return frame


PANEL = panel()
WIDE = PANEL.loc["east"]


def shuffled(frame):
    return frame.sample(frac=1, random_state=3)


def dated(frame, how):
    return frame.set_axis(frame.index.to_timestamp(how=how).normalize())


LONG = PANEL.reset_index().melt(["branch", "month"], var_name="indicator").sort_values(["branch", "month"],
                                                                                       ignore_index=True)
NIXTLA = pd.DataFrame({"unique_id": LONG["branch"] + "/" + LONG["indicator"], "ds": LONG["month"].dt.to_timestamp(),
                       "y": LONG["value"]})
WIDES = {
    "periods": WIDE, "unsorted": shuffled(WIDE), "month starts": dated(WIDE, "start"), "month ends": dated(WIDE, "end"),
    "unnamed": WIDE.rename_axis(None), "a column of texts": WIDE.reset_index().astype({"month": str}),
    "ds": dated(WIDE, "start").rename_axis("ds").reset_index(),
    "numbers": WIDE.reset_index().assign(month=WIDE.index.strftime("%Y%m").astype(int)),
    "Chinese": WIDE.reset_index().assign(月份=WIDE.index.strftime("%Y年%m月")).drop(columns="month"),
    "dates by another name": dated(WIDE, "end").rename_axis("as_of").reset_index()}
PANELS = {
    "an index": PANEL, "unsorted": shuffled(PANEL), "columns": shuffled(PANEL.reset_index()), "long": LONG,
    "long, without what is missing": shuffled(LONG.dropna()), "Nixtla": shuffled(NIXTLA.dropna()),
    "levels without names": PANEL.rename_axis([None, None]), "months first": PANEL.swaplevel(),
    "melted": PANEL.reset_index().melt(id_vars=["branch", "month"]), "types of their own": PANEL.convert_dtypes(),
    "texts": LONG.assign(value=LONG["value"].map(repr))}


def same(found, frame):
    """Whether every number is just the same; branches and indicators may have come in another order."""
    pd.testing.assert_frame_equal(found.sort_index()[list(frame)], frame, check_exact=True, check_names=False,
                                  check_index_type=False)


@pytest.mark.parametrize("shape", WIDES)
def test_a_frame_of_months_comes_back_as_it_was(shape):
    cleaned = eb.clean(WIDES[shape])
    assert cleaned.branches == ["branch"]
    same(cleaned.panel.loc["branch"], WIDE)


@pytest.mark.parametrize("shape", PANELS)
def test_a_panel_comes_back_as_it_was(shape):
    cleaned = eb.clean(from_frame(PANELS[shape]))
    same(cleaned.panel, PANEL)
    keys = ["branch", "month", "indicator"]
    long = cleaned.to_frame().set_index(keys)["value"]
    assert long.sort_index().equals(LONG.dropna().set_index(keys)["value"].sort_index())


@pytest.mark.parametrize("shape", ["panel", "long"])
def test_the_one_column_of_names_is_the_branches_whatever_it_is_called(shape):
    frame = {"panel": PANEL.reset_index(), "long": LONG.assign(unit="户").query("indicator != 'fee'")}[shape]
    cleaned = eb.clean(from_frame(frame.rename(columns={"branch": "网点"})))
    assert cleaned.branches == ["east", "west"]
    assert np.array_equal(cleaned.series("west", "mobile"), PANEL.loc["west", "mobile"])
    two = frame.rename(columns={"branch": "网点"}).assign(经理="甲")
    with pytest.raises(SourceError, match="网点|经理"):
        from_frame(two)


def test_a_remark_beside_the_months_of_one_branch_is_no_branch():
    with pytest.raises(SourceError, match="column 'remark': holds no number"):
        from_frame(WIDE.assign(remark="as reported"), branch="east")
    with pytest.raises(SourceError, match="column 'remark': holds no number"):
        from_frame(WIDE.assign(remark="as reported"))


def test_one_series_is_a_frame_of_one_column():
    y = WIDE["mobile"]
    assert eb.clean(y).series("branch", "mobile").equals(y.rename_axis("month"))
    assert eb.clean(y.rename(None)).series("branch", "y").tolist() == y.tolist()


def test_a_unique_id_that_does_not_split_is_a_branch():
    frame = NIXTLA[NIXTLA["unique_id"].str.endswith("mobile")].replace({"unique_id": {"east/mobile": "east"}})
    assert set(from_frame(frame.replace({"unique_id": {"west/mobile": "west"}})).catalog.indicators) == {"y"}
    with pytest.raises(ConfigError, match="is no name; found 'we.+st'"):
        from_frame(frame.replace({"unique_id": {"west/mobile": "we\x00st"}}))


def test_digits_are_kept_as_they_were_written():
    values = ["0.1", "123456789.12", "1234567890123.4", "0.000123", "7", "1E+3"]
    frame = pd.DataFrame({"exact": [Decimal(v) for v in values], "single": np.array(values, np.float32),
                          "double": np.array(values, float), "whole": [2**53 - 1, 1, 0, -5, 10, 12]}, MONTHS[:6])
    cells = from_frame(frame).cells().pivot_table("text", "row", "column", aggfunc="first", observed=True)
    assert cells["exact"].tolist() == [*values[:5], "1000"]
    assert cells["double"].tolist() == ["0.1", "123456789.12", "1234567890123.4", "0.000123", "7", "1000"]
    assert cells["single"].iloc[0] == "0.1" and cells["whole"].iloc[0] == "9007199254740991"


def test_a_cell_has_the_address_it_has_in_the_frame():
    cleaned = eb.clean(shuffled(PANEL))
    at = shuffled(PANEL).index.get_loc(("west", pd.Period("2010-07", "M")))
    (row,) = cleaned.trace("west", "2010-07", "fee").itertuples()
    assert (row.file, row.row, row.column) == ("frame", at + 1, "fee")


# --- units, kinds, catalogues ----------------------------------------------------------------------------------------

def test_units_are_arguments_brackets_or_a_column_and_the_panel_is_in_base_units():
    frame = pd.DataFrame({"手机银行客户数（万户）": [1.2, 1.3], "txn": [3.0, 3.1], "rate": [40.5, 41.25],
                          "万": [5, 6.0]}, MONTHS[:2])
    source = from_frame(frame, units={"txn": "万", "万": "lakh yuan"})
    panel = eb.clean(source).panel
    assert panel["mobile"].tolist() == [12000, 13000] and panel["txn"].tolist() == [30000, 31000]
    assert panel["rate"].tolist() == [0.405, 0.4125] and panel.iloc[:, 3].tolist() == [500_000, 600_000]
    assert source.catalog.indicators["txn"].unit == "笔"
    long = LONG.assign(unit=["万户" if i == "mobile" else None for i in LONG["indicator"]])
    assert eb.clean(long).panel["mobile"].tolist() == (PANEL["mobile"] * 1e4).tolist()


def test_what_is_drafted_says_why_and_is_shown():
    source = from_frame(WIDE, kinds={"mobile_txn": "stock"})
    assert source.catalog.indicators["mobile_txn"].kind == "stock"
    assert source.drafted["indicator"].tolist() == list(WIDE) and source.drafted["reason"].str.len().min() > 5
    assert source.drafted["unit"].tolist() == ["户", "笔", "元"]
    assert "mobile_txn" in source._repr_html_()


def test_a_ratio_is_derived_where_its_parts_are_there_under_whatever_names():
    frame = pd.DataFrame({"mobile_customers": [100.0, 120.0], "活跃手机银行客户数": [30.0, 33.0],
                          "手机银行活动率": [0.3, 0.275]}, MONTHS[:2])
    found = from_frame(frame).catalog
    assert found.indicators["mobile_activity"].denominator == ["mobile_customers"]
    assert from_frame(frame.iloc[:, [0, 2]]).catalog.indicators["mobile_activity"].numerator is None


def test_two_names_for_one_key_keep_apart():
    frame = pd.DataFrame({"手机银行客户数": [1.0, 2.0], "手机银行客户": [3.0, 4.0], "mobile": [5.0, 6.0]}, MONTHS[:2])
    assert list(eb.clean(frame).panel) == ["mobile_2", "mobile_3", "mobile"]


@pytest.fixture
def folder(tmp_path, root):
    """A catalogue and branches of its own, in files."""
    catalog = load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")
    catalog.save(tmp_path)
    return tmp_path


def test_columns_are_keys_or_names_of_a_given_catalogue(folder):
    frame = WIDE[["mobile", "mobile_txn"]].rename(columns={"mobile": "手机银行客户数（万户）"})
    source = from_frame(frame, catalog=folder / "catalog.yaml", branch="日照分行", units={"mobile_txn": "万笔"})
    cleaned = eb.clean(source)
    assert cleaned.branches == ["rizhao"] and len(source.drafted) == 0 and len(source.catalog.branches) == 18
    assert cleaned.panel["mobile"].tolist() == (WIDE["mobile"] * 1e4).tolist()
    assert cleaned.panel["mobile_txn"].tolist() == (WIDE["mobile_txn"] * 1e4).tolist()
    assert from_frame(frame, catalog=source.catalog, branch="rizhao").catalog == source.catalog
    (folder / "branches.csv").unlink()
    assert list(from_frame(frame, catalog=folder).catalog.branches) == ["branch"]


@pytest.mark.parametrize(("given", "error", "message"), [
    ({"branch": "rizaho"}, UnknownNameError, "unknown branch 'rizaho'. Did you mean 'rizhao'"),
    ({}, ConfigError, "does not say whose it is.*branch="),
    ({"branch": "rizhao", "units": {"mobile": "furlong"}}, UnknownNameError, "units.mobile.*unknown unit 'furlong'"),
    ({"branch": "rizhao", "units": {"mobil": "户"}}, UnknownNameError, "indicator 'mobil'. Did you mean 'mobile'"),
    ({"branch": "rizhao", "kinds": {"mobile": "flwo"}}, UnknownNameError, "unknown kind 'flwo'. Did you mean 'flow'"),
    ({"branch": "rizhao", "calender": "china"}, ConfigError, "unknown key.*Did you mean 'calendar'"),
    ({"branch": "rizhao", "events": [{"month": "2010-03", "zh": "a", "en": "b", "branches": ["x"]}]}, UnknownNameError,
     "unknown branch 'x'"),
])
def test_what_a_catalogue_does_not_know_is_named_with_the_nearest(folder, given, error, message):
    with pytest.raises(error, match=message):
        from_frame(WIDE[["mobile"]], catalog=folder, **given)


def test_a_column_that_the_catalogue_does_not_know_is_named(folder):
    with pytest.raises(UnknownNameError, match="column 'fee': unknown indicator 'fee'"):
        from_frame(WIDE, catalog=folder, branch="rizhao")


def test_sums_of_all_branches_are_the_total_and_subtotals_are_put_aside():
    every = PANEL.groupby("month").sum(min_count=2)
    more = pd.concat([PANEL, pd.concat({"全省合计": every, "东区小计": PANEL.loc["east"]}, names=["branch"])])
    cleaned = eb.clean(more)
    assert cleaned.catalog.total == "total" and cleaned.branches == ["east", "west", "total"]
    assert set(cleaned.rejected["rule"]) >= {"subtotal_row"}
    again = pd.concat([more, pd.concat({"Grand total": every}, names=["branch"])])
    assert eb.clean(again).branches == ["east", "west", "total"]


# --- what is no such frame -------------------------------------------------------------------------------------------

WEEKS = pd.date_range("2010-01-04", periods=30, freq="W-MON", name="ds")
WRONG = {
    "no months": (WIDE.reset_index(drop=True), "has no months; found 'mobile, mobile_txn, fee'"),
    "an unreadable month": (WIDE.reset_index().astype({"month": str}).replace({"month": {"2010-03": "soon"}}),
                            "row 3, column 'month': holds no month; found 'soon'; expected one month"),
    "a missing month": (WIDE.reset_index().assign(month=lambda d: d["month"].where(d.index != 4)),
                        "row 5, column 'month': holds no month; found 'nothing'"),
    "a year and a month": (WIDE.reset_index(drop=True).assign(year=2010, month=range(1, 19)),
                           "column 'month': holds no month; found '1'"),
    "months twice": (WIDE.assign(month=1), "has more levels of the index"),
    "quarterly periods": (WIDE.set_axis(pd.period_range("2010Q1", periods=18, freq="Q")),
                          r"'month': is not monthly; found period\[Q-DEC\].*Months are needed"),
    "quarters": (WIDE.set_axis(pd.date_range("2005-01-31", periods=18, freq="QE")),
                 "is not monthly; found 'quarterly data'"),
    "weeks": (pd.DataFrame({"mobile": range(30)}, WEEKS),
              "row 2, column 'mobile': is not monthly.*2010-01-11, mobile beside 2010-01-04.*resample"),
    "a number twice": (pd.concat([PANEL, PANEL.tail(1)]),
                       "row 37, column 'mobile': has a number.*twice; found 'west, 2011-06, mobile as in row 36'"),
    "texts": (WIDE.assign(note="seen"), "row 1, column 'note': holds no number; found 'seen'.*df.drop"),
    "truths": (WIDE.assign(ok=True), "column 'ok': holds no number"),
    "dates as values": (WIDE.assign(open=pd.Timestamp("2010-01-01")), "column 'open': holds no number"),
    "infinity": (WIDE.assign(x=np.inf), "column 'x': holds no number; found 'inf'"),
    "lists": (WIDE.assign(x=[[1]] * 18), "column 'x': holds no number"),
    "more in a long table": (LONG.assign(note="x"), "column 'note': is a column of no use in a long table.*df.drop"),
    "no branch's name": (LONG.assign(branch=LONG["branch"].where(LONG.index != 7)),
                         "row 8, column 'branch': holds no name"),
    "one name twice": (pd.concat([WIDE, WIDE["fee"]], axis=1), "column 'fee': has two columns of one name"),
    "levels of columns": (pd.concat({"east": WIDE}, axis=1), "is no table with one name a column.*df.stack"),
    "more levels": (PANEL.assign(x="a").set_index("x", append=True), "has more levels of the index"),
    "nothing": (WIDE.iloc[:0], "holds no numbers"), "only months": (WIDE[[]], "holds no numbers"),
    "no frame": ([1, 2], "is no table with one name a column; found 'list'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_such_frame_is_an_error_that_says_which_and_where(what):
    frame, message = WRONG[what]
    with pytest.raises(SourceError, match=message):
        from_frame(frame)


def test_a_branch_is_not_named_twice():
    with pytest.raises(ConfigError, match="goes with a table without branches; found 'x'.*column branch"):
        from_frame(PANEL, branch="x")


# --- folders and files -----------------------------------------------------------------------------------------------

def test_a_saved_frame_is_an_ordinary_source_with_the_same_panel(tmp_path):
    mixed = LONG.assign(unit=np.where((LONG["indicator"] == "mobile") & (LONG["month"] > "2010-06"), "万户", ""))
    source = from_frame(mixed, title="Mine", simulated=True, calendar="china")
    saved = source.save(tmp_path / "mine")
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == ["branches.csv", "catalog.yaml", "panel.csv",
                                                                      "sources.yaml"]
    assert type(saved) is not type(source) and saved.title("en") == "Mine"
    assert saved.simulated and saved.config.calendar == "china" and saved.catalog == source.catalog
    assert eb.clean(saved).panel.equals(eb.clean(source).panel)
    assert eb.clean(saved).panel["mobile"].max() > 1e9


@pytest.mark.parametrize(("name", "shape"), [("panel.csv", "Nixtla"), ("panel.csv.gz", "an index"),
                                             ("panel.parquet", "an index"), ("panel.parquet", "long")])
def test_a_file_of_a_panel_is_a_source_by_its_path(tmp_path, name, shape):
    frame, path = PANELS[shape], tmp_path / name
    keep = {"index": shape == "an index"}
    frame.to_parquet(path, **keep) if name.endswith("parquet") else frame.to_csv(path, **keep)
    source = open_source(path)
    same(eb.clean(str(path)).panel, PANEL)
    assert source.files()["file"].tolist() == [name] and source.title("zh") == "panel"
    assert eb.clean(source).trace("west", "2011-06", "fee")["row"].tolist()[0] > 18
    assert open_source(path).content == source.content
    frame.tail(30).to_parquet(path, **keep) if name.endswith("parquet") else frame.tail(30).to_csv(path, **keep)
    assert open_source(path).content != source.content


def test_months_in_a_file_are_months_where_pandas_has_not_met_that_type_yet(tmp_path):
    PANEL.to_parquet(tmp_path / "panel.parquet")
    code = "import sys, ebank_lib as eb; print(eb.open_source(sys.argv[1]).files()['last'][0])"
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "panel.parquet"], capture_output=True, text=True,
                          check=True).stdout == "2011-06\n"


def test_what_stands_beside_a_file_counts(folder):
    frame = PANEL.drop(columns="fee").rename({"east": "rizhao", "west": "德州"}, level="branch")
    frame.to_csv(folder / "panel.csv")
    cleaned = eb.clean(folder / "panel.csv")
    assert cleaned.branches == ["rizhao", "dezhou"] and len(cleaned.catalog.indicators) == 42
    line = '\npanel.csv,,2 mobile,5,asked,me\n'
    (folder / "corrections.csv").write_text("file,sheet,cell,value,reason,who" + line, encoding="utf-8")
    corrected = open_source(folder / "panel.csv")
    assert eb.clean(corrected).panel["mobile"].iloc[0] == 5
    with pytest.raises(ConfigError, match="names cells of another file"):
        corrected.save(folder / "copy")


def test_the_long_panel_that_a_report_leaves_is_a_source_again(tmp_path):
    cleaned = eb.clean(from_frame(PANEL, units={"fee": "万元"}))
    cleaned.save(tmp_path, "en")
    for name in ("panel.csv", "panel.parquet"):
        again = eb.clean(tmp_path / name)
        assert again.panel[list(PANEL)].equals(cleaned.panel[list(PANEL)])
        assert again.catalog.indicators["fee"].unit == "元"


def test_a_damaged_file_is_an_error_of_the_package(tmp_path):
    for name, content in (("a.parquet", b"PAR1"), ("a.csv", b""), ("b.csv", b"month,x\n2010-01,1,2\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            open_source(tmp_path / name)


# --- the sample ------------------------------------------------------------------------------------------------------

def test_the_samples_panel_comes_back_as_it_was(cleaned):
    """What is trusted of the sample, as a frame, and back: what forecasts are made of is the same."""
    about = cleaned.source.config
    again = eb.clean(from_frame(cleaned.trusted, catalog=cleaned.catalog, calendar=about.calendar,
                                events=[event.model_dump() for event in about.events]), policy="none")
    assert (again.source.config.calendar, again.source.config.events) == (about.calendar, about.events)
    shares = [key for key, i in cleaned.catalog.indicators.items() if i.kind == "ratio"]
    found, given = again.panel, cleaned.trusted
    assert found.drop(columns=shares).equals(given.drop(columns=shares)) and again.catalog == cleaned.catalog
    # Shares of a merged branch were divided here: the digits behind the fifteenth are no digits.
    pd.testing.assert_frame_equal(found, given, rtol=1e-15, atol=1e-15)
