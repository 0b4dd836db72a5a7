"""Any result as a file: the same figures whatever the suffix, the same bytes again, no text that calculates."""

import io
import re
from types import SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from docx import Document

import ebank_lib as eb
from ebank_lib.display import describe
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.events import find_interventions

RESULTS = {
    "tests": lambda cleaned, y: eb.unit_root_battery(y),
    "orders": lambda cleaned, y: eb.select_order(y, 1, 1),
    "interventions": lambda cleaned, y: find_interventions(y),
    "growth": lambda cleaned, y: eb.analyse_growth(cleaned, "rizhao"),
    "facts": lambda cleaned, y: eb.stylised_facts(cleaned, "rizhao"),
    "forecast": lambda cleaned, y: eb.forecast(y, models=("drift",)),
    "league": lambda cleaned, y: eb.league_table(cleaned)}
SUFFIXES = ("csv", "xlsx", "tex", "html", "docx", "parquet")
MONTHS = pd.period_range("2011-01", periods=2, freq="M")
HOSTILE = ["=1+1", "+a", "-b", "@c", "＝d", "http://e"]
TABLE = describe(pd.DataFrame({"month": MONTHS[[0] * 6], "=head": HOSTILE, "y": [1 / 3, np.nan, 3, 4, 5, 6],
                               "held": [0.25] * 6, "n": range(6)}), kinds={"held": "percent"})


def read(path):
    match path.suffix:
        case ".csv":
            return pd.read_csv(path)
        case ".parquet":
            return pd.read_parquet(path)
        case ".xlsx":
            head, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
            return pd.DataFrame(rows, columns=head)
        case ".html":
            return pd.read_html(io.StringIO(path.read_text(encoding="utf-8")))[0]
        case ".docx":
            head, *rows = ([cell.text for cell in row.cells] for row in Document(path).tables[0].rows)
            return pd.DataFrame(rows, columns=head)
    lines = [line.removesuffix(r" \\").split(" & ") for line in path.read_text(encoding="utf-8").splitlines()
             if "&" in line]
    return pd.DataFrame(lines[1:], columns=lines[0])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_has_every_row_and_the_same_bytes_again(suffix, tmp_path):
    path = eb.export(SimpleNamespace(table=TABLE), tmp_path / f"a.{suffix}", "en")
    found = read(path)
    assert found.shape == TABLE.shape and [int(n) for n in found["n"]] == list(range(6))
    before = path.read_bytes()
    assert eb.export(SimpleNamespace(table=TABLE), str(path), "en") == path and path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_data_keep_their_digits_and_months_are_texts(suffix, tmp_path):
    found = read(eb.export(TABLE, tmp_path / f"a.{suffix}"))
    assert found["y"].iloc[0] == 1 / 3 and pd.isna(found["y"].iloc[1]) and found["held"].iloc[0] == 0.25
    assert found["month"].tolist() == ["2011-01"] * 6


@pytest.mark.parametrize("suffix", ["tex", "docx"])
def test_pages_are_written_as_a_page_writes_them(suffix, tmp_path):
    found = read(eb.export(TABLE, tmp_path / f"a.{suffix}", "zh"))
    assert "月份" in found.columns[0] and found.iloc[0, 0].strip() == "2011年1月"
    assert found["held"].iloc[0].strip("% \\") == "25.0" and found["y"].iloc[1].strip() == "–"


def test_no_text_of_a_spreadsheet_calculates(tmp_path):
    csv = pd.read_csv(eb.export(TABLE, tmp_path / "a.csv"))
    assert csv.columns[1] == "'=head" and csv["'=head"].tolist() == [*(f"'{text}" for text in HOSTILE[:5]), "http://e"]
    sheet = openpyxl.load_workbook(eb.export(TABLE, tmp_path / "a.xlsx")).active
    cells = [row[1] for row in sheet.iter_rows()]
    assert {cell.data_type for cell in cells} == {"s"} and [cell.value for cell in cells[1:]] == HOSTILE
    assert not any(cell.hyperlink for cell in cells)


def test_latex_and_html_are_escaped(tmp_path):
    table = pd.DataFrame({"a_b": ["50% & <more>"]})
    assert r"a\_b" in (text := eb.export(table, tmp_path / "a.tex").read_text()) and r"50\% \& <more>" in text
    assert "50% &amp; &lt;more&gt;" in eb.export(table, tmp_path / "a.html").read_text()


def test_a_result_is_shown_as_it_shows_itself_and_a_source_is_its_panel(cleaned, tmp_path):
    f = eb.forecast_indicator(cleaned, "rizhao", "mobile_txn", 2, models=["drift"])
    assert f.to_html("en") in eb.export(f, tmp_path / "a.html", "en").read_text(encoding="utf-8")
    found = read(eb.export(cleaned, tmp_path / "a.parquet", "en"))
    assert found["value"].tolist() == cleaned.to_frame(lang="en")["value"].tolist()


@pytest.mark.parametrize("suffix", ["tex", "docx"])
def test_in_a_paper_a_result_is_the_table_that_it_shows_with_names_and_no_ids(suffix, cleaned, tmp_path):
    f = eb.forecast_indicator(cleaned, "rizhao", "mobile_txn", 3, models=["drift", "naive"])
    found = read(eb.export(f, tmp_path / f"a.{suffix}", "en"))
    assert [name.strip() for name in found.columns][:3] == ["Month", "Months ahead", "Forecast"] and len(found) == 3
    assert found.iloc[0, 0].strip() == "Sep 2011"
    assert not found.map(lambda text: "mobile" in text or "_" in text).to_numpy().any()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_without_rows_is_a_file_too(suffix, tmp_path):
    assert eb.export(TABLE.iloc[:0], tmp_path / f"a.{suffix}", "en").stat().st_size > 0


@pytest.mark.parametrize("suffix, opening", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_a_picture_has_its_chinese_and_the_same_bytes_again(suffix, opening, cleaned, tmp_path):
    growth = eb.analyse_growth(cleaned, "rizhao")
    first = eb.export(growth, tmp_path / f"a.{suffix}", "zh").read_bytes()
    assert first.startswith(opening) and len(first) > 20_000
    assert eb.export(growth, tmp_path / f"b.{suffix}", "zh").read_bytes() == first
    assert suffix != "pdf" or (b"/FontFile" in first and b"Noto" in first)


def test_a_forecast_of_every_branch_goes_into_one_sheet(cleaned, tmp_path):
    all_of_them = {b: eb.forecast_indicator(cleaned, b, "mobile_txn", 2, models=["drift"]) for b in ("rizhao", "jinan")}
    found = read(eb.export(all_of_them, tmp_path / "a.xlsx"))
    assert found["name"].tolist() == ["rizhao"] * 2 + ["jinan"] * 2
    assert np.allclose(found["y_hat"], np.concatenate([f.table["y_hat"] for f in all_of_them.values()]))


@pytest.mark.parametrize("result, name, error, said", [
    (TABLE, "a.odt", UnknownNameError, "unknown kind of file '.odt'.+Known: .csv, .xlsx, .tex, .html, .docx, "),
    (TABLE, "a.pdf", ConfigError, "has no picture; found 'DataFrame'; expected a result with plot()"),
    (TABLE, "a", UnknownNameError, "unknown kind of file ''"), (5, "a.csv", ConfigError, "is no table; found 'int'"),
    ({}, "a.csv", ConfigError, "nothing to write; expected at least one result"),
    (TABLE, "none/a.csv", ConfigError, "cannot be written")])
def test_what_cannot_be_written_says_why(result, name, error, said, tmp_path):
    with pytest.raises(error, match=said):
        eb.export(result, tmp_path / name)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_written_as_html_as_it_shows_itself_in_either_language(name, cleaned, tmp_path):
    result = RESULTS[name](cleaned, cleaned.series("rizhao", "mobile_txn"))
    pages = {lang: eb.export(result, tmp_path / f"{lang}.html", lang).read_text(encoding="utf-8")
             for lang in ("zh", "en")}
    assert all(result.to_html(lang) in page for lang, page in pages.items())
    # Notes that an analysis was made with are in the language of its time.
    assert not re.search("[\u4e00-\u9fff]", re.sub('<p class="note">.*?</p>', "", pages["en"]))
    assert len(re.findall("[\u4e00-\u9fff]", pages["zh"])) > 5
