"""The command: helpful, quick to answer, one line for an error, exit codes that scripts can use."""

import shutil
import subprocess
import sys
import time

import openpyxl
import pytest

from ebank_lib.cli import main

SAMPLE = ["--source", "data/shandong"]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch, root):
    monkeypatch.chdir(root)


@pytest.fixture
def _cleaned_once(monkeypatch, cleaned):
    """The sample is cleaned once for all tests; what the command does with it is what is tested here."""
    monkeypatch.setattr("ebank_lib.cli.answers.clean", lambda source: cleaned)
    monkeypatch.setattr("ebank_lib.cli.trace.clean", lambda source: cleaned)
    monkeypatch.setattr("ebank_lib.reports.branch.clean", lambda source: cleaned)


def run(capsys, *words):
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out, err


def test_help_shows_examples_and_comes_at_once():
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", "import sys; from ebank_lib.cli import main; main(['--help'])"],
                          capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begun
    assert "ebank report --source data/shandong --branch rizhao" in done.stdout and "exit code" in done.stdout
    assert seconds < 3   # 0.1 s on an idle machine


def test_nothing_heavy_is_loaded_before_a_command_needs_it():
    code = "import sys, ebank_lib.cli; print([m for m in ('pandas', 'papermill', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words, says", [
    (["reprot"], "Did you mean 'report'"),
    (["report", *SAMPLE], "--branch --all"),
    (["report", *SAMPLE, "--branch", "rizaho"], "Did you mean 'rizhao'"),
    (["report", *SAMPLE, "--branch", "rizhao", "--indicator", "moblie"], "Did you mean 'mobile'"),
    (["report", *SAMPLE, "--branch", "rizhao", "--start", "2001-01"], "Known: 2008-01 .. 2011-08"),
    (["report", *SAMPLE, "--branch", "rizhao", "-p", "horizon"],
     "wrong parameter; found 'horizon'; expected NAME=VALUE"),
    (["report", *SAMPLE, "--branch", "rizhao", "-p", "branch=x"],
     "has an option of its own; found 'branch=x'; expected --branch"),
    (["report", *SAMPLE, "--branch", "rizhao", "-p", "indicaotr=x"], "Did you mean 'indicator'"),
    (["report", *SAMPLE, "--branch", "rizhao", "--workers", "0"], "above 0"),
    (["report", *SAMPLE, "--all", "--cache", "x", "--no-cache"], "not allowed with argument --cache"),
    (["report", *SAMPLE, "--all", "--engine", "dask"], "--scheduler"),
    (["report", *SAMPLE, "--all", "--scheduler", "tcp://127.0.0.1:1"], "key '--scheduler': needs --engine dask"),
    (["branches", "--source", "data/nowhere"], "data/nowhere"),
    (["check", *SAMPLE, "--branch", "mars"], "rizhao"),
    (["trace", *SAMPLE, "--branch", "rizhao", "--indicator", "sms", "--month", "2008"], "2008-01"),
])
@pytest.mark.usefixtures("_cleaned_once")
def test_wrong_input_is_one_line_and_exit_code_2(capsys, words, says):
    code, out, err = run(capsys, *words)
    last = err.strip().splitlines()[-1]
    assert code == 2 and out == "" and says in last and "Traceback" not in err
    assert last.startswith("ebank")


def test_branches_and_indicators_are_listed(capsys):
    code, out, _ = run(capsys, "branches", *SAMPLE, "--lang", "en")
    assert code == 0 and "rizhao" in out and "Rizhao" in out
    code, out, _ = run(capsys, "indicators", *SAMPLE)
    assert code == 0 and "手机银行客户数" in out and "存量" in out


@pytest.mark.usefixtures("_cleaned_once")
def test_check_tells_the_ledger_and_strict_is_an_exit_code(capsys):
    code, out, _ = run(capsys, "check", *SAMPLE, "--lang", "en")
    assert code == 0 and "superseded" in out
    assert run(capsys, "check", *SAMPLE, "--strict")[0] == 1
    assert "number" in run(capsys, "check", *SAMPLE, "--branch", "rizhao")[1]


@pytest.mark.usefixtures("_cleaned_once")
def test_check_names_what_is_most_suspicious_with_its_neighbours(capsys):
    lines = run(capsys, "check", *SAMPLE, "--lang", "en")[1].splitlines()
    at = lines.index("The 10 most suspicious numbers:")
    assert lines[at + 2].split("  ")[0] == "Dongying"
    for word in ("2010-03.xlsx 客户 Y9", " 220848 ", "20.5 k", "21.3 k"):
        assert word in lines[at + 2]


def test_check_names_a_branch_that_is_misspelt_and_reads_what_a_report_reads(capsys, root, tmp_path):
    data = shutil.copytree(root / "data", tmp_path / "data")
    for path in (data / "shandong").glob("200*.xlsx"):
        path.unlink()
    book = openpyxl.load_workbook(data / "shandong" / "2011-08.xlsx")
    (cell,) = (cell for cell in book["客户"]["B"] if cell.value == "日照分行")
    cell.value = "日造分行"
    book.save(data / "shandong" / "2011-08.xlsx")
    with (data / "branches.csv").open("a", encoding="utf-8") as listed:
        listed.write("ghost,无影分行,Ghost,branch,,,\n")
    out = run(capsys, "check", "--source", str(data / "shandong"), "--lang", "en")[1]
    assert "unknown branch “日造分行” (nearest: Rizhao): 26 cells (first in 2011-08.xlsx 客户)" in out
    assert "In branches.csv, but without a single figure: Ghost\n" in out
    strategies = data / "strategies.yaml"
    strategies.write_text(strategies.read_text(encoding="utf-8").replace("indicator: sync", "indicator: sing"), "utf-8")
    code, _, err = run(capsys, "check", "--source", str(data / "shandong"))
    assert code == 2 and "strategies.yaml" in err


@pytest.mark.usefixtures("_cleaned_once")
def test_trace_ends_at_the_printed_cell(capsys, cleaned):
    import pandas as pd

    code, out, _ = run(capsys, "trace", *SAMPLE, "--branch", "rizhao", "--indicator", "sms", "--month", "2008-10")
    rows = cleaned.trace("rizhao", pd.Period("2008-10", "M"), "sms")
    assert code == 0 and len(out.splitlines()) == len(rows) + 2
    assert all(str(row.file) in out and str(row.text) in out for row in rows.itertuples())


@pytest.mark.usefixtures("_cleaned_once")
def test_what_is_missing_and_what_no_cell_printed_are_said_in_words(capsys, cleaned, monkeypatch):
    gap = cleaned.panel["mobile"].isna()
    branch, month = gap.index[gap.to_numpy()][0] if gap.any() else cleaned.panel.index[0]
    if not gap.any():
        cleaned = _with_a_gap(cleaned, branch, month)
        monkeypatch.setattr("ebank_lib.cli.trace.clean", lambda source: cleaned)
    for lang, word in (("zh", "缺失"), ("en", "missing")):
        code, out, _ = run(capsys, "trace", *SAMPLE, "--branch", branch, "--indicator", "mobile", "--month", str(month),
                           "--lang", lang)
        assert code == 0 and out.splitlines()[0].endswith(f" = {word}")


@pytest.mark.parametrize(("month", "lang", "says"), [
    ("2008-05", "zh", "没有一个源文件有2008年5月的数据：各文件涵盖2008年1月至2011年8月中的43个月，"
                      "离它最近的是2008年4月、2008年6月"),
    ("2008-05", "en", "no file of the source has May 2008: they cover 43 months from Jan 2008 to Aug 2011, "
                      "the nearest of them Apr 2008, Jun 2008"),
    ("2012-02", "en", "no file of the source has Feb 2012: they cover 43 months from Jan 2008 to Aug 2011, "
                      "the nearest of them Aug 2011"),
    ("2007-12", "en", "no file of the source has Dec 2007: they cover 43 months from Jan 2008 to Aug 2011, "
                      "the nearest of them Jan 2008"),
])
@pytest.mark.usefixtures("_cleaned_once")
def test_of_a_month_that_no_file_has_it_is_said_which_months_they_have(capsys, month, lang, says):
    words = ["trace", *SAMPLE, "--branch", "rizhao", "--indicator", "sms", "--month", month, "--lang", lang]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "") and out.splitlines()[1] == says


def _with_a_gap(cleaned, branch, month):
    import dataclasses

    panel = cleaned.panel.copy()
    panel.loc[(branch, month), "mobile"] = float("nan")
    return dataclasses.replace(cleaned, panel=panel)


def test_a_fill_without_a_cell_has_no_row(capsys, cleaned, monkeypatch):
    import pandas as pd

    rows = cleaned.trace("rizhao", pd.Period("2008-10", "M"), "sms").iloc[:1]
    loose = rows.assign(row=0, file="", sheet="", column="", text="", decision="filled")
    monkeypatch.setattr("ebank_lib.cli.trace.clean", lambda source: cleaned)
    monkeypatch.setattr(type(cleaned), "trace", lambda *what: pd.concat([rows, loose]))
    code, out, _ = run(capsys, "trace", *SAMPLE, "--branch", "rizhao", "--indicator", "sms", "--month", "2008-10")
    assert code == 0 and "–" in out.splitlines()[-1].split() and "0" not in out.splitlines()[-1].split()
    assert str(rows["row"].iloc[0]) in out.splitlines()[-2].split()
    assert "补齐" in out and "filled" not in out


@pytest.mark.usefixtures("_cleaned_once")
def test_roles_and_decisions_are_in_the_readers_language(capsys):
    out = run(capsys, "branches", *SAMPLE)[1]
    assert "合计" in out and not {"branch", "total", "merged"} & set(out.split())
    for words in (["check", *SAMPLE], ["check", *SAMPLE, "--branch", "rizhao"]):
        out = run(capsys, *words)[1]
        assert "更正" in out and not {"parsed", "corrected", "flagged", "rejected", "filled"} & set(out.split())


def test_the_package_runs_as_a_module():
    from ebank_lib import __version__

    done = subprocess.run([sys.executable, "-m", "ebank_lib", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"ebank {__version__}\n")
