"""The way back: from a number on a page to the printed cells, checked against the workbooks and the sample's truth."""

import random
import re

import openpyxl
import pandas as pd
import pytest

from ebank_lib.cli import main
from ebank_lib.cli.trace import _printed, find, inputs_of, open_report, printed_cells
from ebank_lib.reports.cells import cells_at


@pytest.fixture(scope="module")
def reports(sample_reports):
    return {name: open_report(folder) for name, folder in sample_reports.items()}


@pytest.fixture
def _cleaned_once(cleaned, monkeypatch):
    monkeypatch.setattr("ebank_lib.cleaning.clean", lambda source: cleaned)


def ids_at(report, text):
    return [cell.id for cell in cells_at(report.content.rows, text)]


class Workbooks:
    """The sample's workbooks as openpyxl reads them, which the library does not use."""

    def __init__(self, folder):
        self._folder, self._open = folder, {}

    def text(self, row):
        if row.file not in self._open:
            self._open[row.file] = openpyxl.load_workbook(self._folder / row.file, data_only=True)
        value = self._open[row.file][row.sheet][f"{row.column}{row.row}"].value
        return "" if value is None else re.sub(r"\.0$", "", str(value))


@pytest.mark.slow
def test_thirty_random_numbers_of_the_pages_lead_to_the_right_printed_cells(reports, cleaned, root):
    """Six stages, five numbers each: from the page's text to address and text in the workbook."""
    truth = pd.read_csv(root / "data" / "shandong" / "truth.csv", dtype=str)
    truth = truth.set_index(["file", "sheet", "row", "column"]).sort_index()
    books, pick = Workbooks(root / "data" / "shandong"), random.Random(7)
    traced, in_truth, with_cell = 0, 0, 0
    for report in reports.values():
        numbers = [one for one in _printed(report) if re.fullmatch(r"[+−-]?[\d.,]+[%万亿]?", one.shown)]
        for stage in report.run["stages"]:
            mine = [n for n in numbers if n.origin and n.origin.notebook == stage]
            for found in pick.sample(mine, 5):
                assert found.origin.prompt and found.origin.code
                found = next(one for one in find(report, found.shown) if one.label == found.label)
                with_cell += bool(found.cells)
                inputs = inputs_of(report, cleaned, found.cells[0] if found.cells else None, stage)
                rows = printed_cells(cleaned, inputs)
                assert set(rows["indicator"]) <= set(inputs.indicators) and set(rows["month"]) <= set(inputs.months)
                printed = rows[rows["row"] > 0]
                assert len(printed), found.label
                for row in printed.sample(min(3, len(printed)), random_state=pick.randrange(10**6)).itertuples():
                    assert books.text(row) == str(row.text).removesuffix(".0"), row
                    address = (row.file, row.sheet, str(row.row), row.column)
                    if address in truth.index:
                        said = truth.loc[[address]].iloc[0]
                        assert (said["branch"], said["indicator"], said["month"]) == (
                            row.branch, row.indicator, str(row.month))
                        in_truth += 1
                traced += 1
    assert traced == 30 and with_cell >= 2 and in_truth >= 5


@pytest.mark.parametrize("indicator", ["mobile_txn", "coverage", "sms", "phone"])
def test_a_value_of_the_panel_leads_to_the_cell_that_prints_it(reports, cleaned, root, indicator):
    report = reports["rizhao"]
    for column, at in (("y_first", 0), ("y_last", -1)):
        (cell,) = cells_at(report.content.rows, f"growth[{indicator}].{column}")
        inputs = inputs_of(report, cleaned, cell, "02_indicator_analysis")
        assert inputs.exact and inputs.months == (cleaned.series("rizhao", indicator).dropna().index[at],)
        rows = printed_cells(cleaned, inputs)
        last = rows.iloc[-1]
        assert last["after"] == pytest.approx(cell.value, rel=1e-9)
        truth = pd.read_csv(root / "data" / "shandong" / "truth.csv", dtype=str)
        known = truth[(truth["branch"] == "rizhao") & (truth["indicator"] == indicator)
                      & (truth["month"] == str(inputs.months[0]))]
        for one in known.itertuples():
            assert float(one.true_value) == pytest.approx(cell.value, abs=float(one.rounding) + 1e-9)


def test_a_number_in_doubt_leads_to_the_cell_that_prints_it(reports, cleaned):
    report = reports["rizhao"]
    (row,) = cleaned.doubtful.query("branch == 'rizhao'").itertuples()
    (cell,) = cells_at(report.content.rows, "doubtful[rizhao].value")
    inputs = inputs_of(report, cleaned, cell, "01_data_cleaning")
    assert inputs.exact
    rows = printed_cells(cleaned, inputs)
    assert set(zip(rows["file"], rows["sheet"], rows["text"], strict=True)) == {(row.file, row.sheet, row.text)}


def test_growth_on_the_year_leads_to_two_months_that_give_it(reports, cleaned):
    report = reports["rizhao"]
    for indicator in ("mobile_txn", "personal_online", "sms"):
        (cell,) = cells_at(report.content.rows, f"growth[{indicator}].last_yoy")
        inputs = inputs_of(report, cleaned, cell, "02_indicator_analysis")
        y = cleaned.series("rizhao", indicator)[list(inputs.months)]
        assert len(y) == 2 and y.iloc[1] / y.iloc[0] - 1 == pytest.approx(cell.value, rel=1e-8)
        assert not inputs.exact and inputs.branches == ("rizhao",) and inputs.indicators == (indicator,)


def test_a_year_of_a_flow_leads_to_twelve_months_of_each_branch(reports, cleaned):
    report = reports["shandong"]
    (cell,) = cells_at(report.content.rows, "league[yantai,mobile_txn].value")
    inputs = inputs_of(report, cleaned, cell, "06_province_overview")
    y = cleaned.series("yantai", "mobile_txn")[list(inputs.months)]
    assert len(y) == 12 and y.sum() == pytest.approx(cell.value)
    share = cells_at(report.content.rows, "league[yantai,mobile_txn].share")[0]
    assert len(inputs_of(report, cleaned, share, "06_province_overview").branches) == 16


def test_what_came_from_before_a_merger_leads_to_both_branches(reports, cleaned):
    heir = next(b for b in cleaned.catalog.branches.values() if b.merged_into).merged_into
    old = {b.id for b in cleaned.catalog.branches.values() if b.merged_into == heir}
    cell = cells_at(reports["shandong"].content.rows, f"league[{heir},sms].value")[0]
    inputs = inputs_of(reports["shandong"], cleaned, cell)
    early = printed_cells(cleaned, type(inputs)((heir,), ("sms",), (cleaned.months[0],)))
    assert old <= set(early["branch"]) and printed_cells(cleaned, inputs)["branch"].unique().tolist() == [heir]


def test_a_forecast_says_that_it_learnt_from_the_others_too(reports, cleaned):
    cell = cells_at(reports["rizhao"].content.rows, "forecast[2012-02].y_hat")[0]
    inputs = inputs_of(reports["rizhao"], cleaned, cell, "04_forecasting")
    assert inputs.pooled and not inputs.exact and len(inputs.months) == len(cleaned.months)
    assert inputs.indicators == ("mobile_txn",) and inputs.branches == ("rizhao",)


def test_every_number_of_a_recorded_table_leads_somewhere(reports, cleaned):
    for report in reports.values():
        for table in report.content.tables:
            cell = next((c for c in cells_at(report.content.rows, table["name"]) if isinstance(c.value, float)), None)
            if cell is not None:
                inputs = inputs_of(report, cleaned, cell, table["notebook"])
                assert inputs.branches and inputs.indicators and inputs.months


def test_tables_describe_columns_that_there_are(reports):
    for report in reports.values():
        for name, table in report.tables.items():
            columns, how = {column["name"] for column in table["columns"]}, table["from"]
            asked = {*how.get("months", {}), *how.get("exact", ()), *how.get("across", ()),
                     *(how[x] for x in ("branch", "indicator") if how.get(x, "@") not in ("@", "*"))}
            assert asked <= columns, (name, asked - columns)


@pytest.mark.parametrize("text, shows", [
    ("图 3", ["02_indicator_analysis.ipynb", "eb.analyse_growth"]), ("Figure 3", ["图 3"]), ("tab-1", ["表 1"]),
    ("growth[mortgage_coverage].y_last", ["房贷客户覆盖率", "2011-08.xlsx", "unit_heading"]),
    ("growth[of=ratio,gain>0]", ["9行"]), ("+148.7%", ["growth[mobile_txn].last_yoy", "2010-08.xlsx", "75281"]),
    ("7.53万", ["series[2011-08].y", "就是面板中的一个数", "75281"]),
])
@pytest.mark.usefixtures("_cleaned_once")
def test_the_command_prints_the_way_back(sample_reports, capsys, text, shows):
    report = sample_reports["rizhao"] / ("report.html" if text == "图 3" else "")
    assert main(["trace", str(report), text]) == 0
    out = capsys.readouterr().out
    assert all(one in out for one in shows), out


@pytest.mark.usefixtures("_cleaned_once")
def test_all_lists_each_cell_in_english_too(sample_reports, capsys):
    words = ["trace", str(sample_reports["rizhao"]), "forecast[2012-02,combination].y_hat", "--lang", "en"]
    assert main(words) == 0
    short = capsys.readouterr().out
    assert "44 months" in short and "--all lists each" in short and "other branches" in short
    assert main([*words, "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 44


@pytest.mark.parametrize("words, says", [
    (["nonsense"], "is nowhere in the report"), (["99999"], "is nowhere"), (["图 999"], "is nowhere"),
    (["growth[nope].y"], "is nowhere"), (["+148.7%", "--branch", "rizhao"], "not both"), ([], "no WHAT"),
])
@pytest.mark.usefixtures("_cleaned_once")
def test_what_cannot_be_traced_is_one_line(sample_reports, capsys, words, says):
    assert main(["trace", str(sample_reports["rizhao"]), *words]) == 2
    said = capsys.readouterr()
    assert says in said.err and said.out == "" and len(said.err.splitlines()) == 1


@pytest.mark.usefixtures("_cleaned_once")
def test_without_a_source_the_way_ends_at_the_notebook_and_says_so(sample_reports, tmp_path, capsys):
    import json
    import shutil

    from ebank_lib.reports.seal import run_json_bytes

    copy = shutil.copytree(sample_reports["rizhao"], tmp_path / "rizhao")
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_bytes(run_json_bytes({**run, "source": "gone"}, run["artefacts"]))
    assert main(["trace", str(copy), "growth[sms].y_last"]) == 0
    assert "数据源不在手边" in capsys.readouterr().out
    run["files"][0]["sha256"] = "0" * 64
    (copy / "run.json").write_bytes(run_json_bytes(run, run["artefacts"]))
    assert main(["trace", str(copy), "growth[sms].y_last"]) == 0
    assert "已与报告生成时不同" in capsys.readouterr().out
    assert main(["trace", str(tmp_path), "x"]) == 2 and "is no report" in capsys.readouterr().err
    assert main(["trace"]) == 2 and "nothing to trace" in capsys.readouterr().err
