"""A branch's whole report: everything whole or not at all, in its folder, the same bytes for the same input."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from benchmarks._processes import marked
from ebank_lib.errors import ConfigError, EbankError, UnknownNameError
from ebank_lib.reports.branch import open_province, scope_of
from ebank_lib.scenarios import load_strategy
from ebank_lib.wording import language

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def province(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        yield open_province("data/small")


@pytest.fixture(scope="module")
def report(project, make_report):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return make_report("data/small", "351", lang="en", out="reports", extra={"horizon": "6"}, notebooks="notebooks")


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_leaves_page_workbook_notebooks_and_chain_and_nothing_else(report):
    assert sorted(contents(report)) == ["brief.docx", "notebooks/01_cleaning.ipynb", "notebooks/02_forecast.ipynb",
                                               "panel.csv", "panel.parquet", "report.html", "run.json",
                                               "summary.json", "tables.xlsx",
                                               "tables/series.csv", "tables/series.parquet"]
    assert report.name == "0351" and language() == "zh"
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "East: e-banking report" in page and "Simulated data" in page and 'alt="East"' in page
    assert "0351 <span" in page


def test_the_panel_beside_it_is_all_that_was_cleaned_of_the_branch(report, province):
    mine = province.cleaned.to_frame(lang="en").query("branch == '0351'")
    mine = mine.assign(month=mine["month"].astype(str)).reset_index(drop=True)
    assert len(mine) == 48
    pd.testing.assert_frame_equal(pd.read_parquet(report / "panel.parquet"), mine, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_csv(report / "panel.csv", dtype={"branch": str}), mine, check_dtype=False)


def test_the_same_input_gives_the_same_bytes(report, here, make_report):
    again = make_report("data/small", "0351", lang="en", out="again", extra={"horizon": "6"},
                        notebooks="notebooks")
    assert contents(again) == contents(report)


def test_run_json_tells_what_was_run_on_what(report, project):
    run = json.loads((report / "run.json").read_text(encoding="utf-8"))
    assert run["parameters"]["02_forecast"] == {"source": "data/small", "branch": "0351", "indicator": "online",
                                                "lang": "en", "horizon": 6}
    assert run["files"][0]["sha256"] == hashlib.sha256((project / "data/small/cells.csv").read_bytes()).hexdigest()
    steps = {step["step"]: step["count"] for step in run["data"]}
    assert list(steps) == ["source", "cells", "ledger", "panel"] and steps["panel"] == 96
    assert run["artefacts"]["report.html"] == hashlib.sha256((report / "report.html").read_bytes()).hexdigest()
    assert set(run["artefacts"]) == set(contents(report)) - {"run.json"}
    assert str(project) not in json.dumps(run)


def test_what_a_reader_says_of_printed_cells_is_one_of_the_files(project, tmp_path):
    source = shutil.copytree(project / "data" / "small", tmp_path / "small")
    said = source / "corrections.csv"
    said.write_text("file,sheet,cell,value,reason,who\n", encoding="utf-8")
    made = open_province(source)
    assert [one["file"] for one in made.files] == ["cells.csv", "corrections.csv"]
    assert made.files[1]["sha256"] == hashlib.sha256(said.read_bytes()).hexdigest()
    assert made.links[0]["count"] == 2 != open_province(project / "data" / "small").links[0]["count"]


def test_a_failed_notebook_leaves_the_report_before_it_as_it_was(report, here, make_report):
    before = contents(report)
    with pytest.raises(EbankError, match=r"02_forecast, cell \[5\]: AssertionError: unlucky 13"):
        make_report("data/small", "0351", lang="en", out="reports", extra={"horizon": "13"}, notebooks="notebooks")
    after = contents(report)
    assert {k for k in after if k.startswith("failed/")} == {"failed/02_forecast.ipynb",
                                                             "failed/index.html"}
    assert {k: v for k, v in after.items() if not k.startswith("failed/")} == before


STOPPED = """\
from ebank_lib.errors import SeriesError
print("as far as it went")
if horizon != 12:
    raise SeriesError("too short; <b>x</b>", found=3, expected="at least 24")"""


@pytest.mark.parametrize("lang, says", [
    ("zh", "本分行的数据无法完成这一环节，止于单元格 [3]："),
    ("en", "The data of this branch do not allow this stage; it ends at cell [3]: "),
], ids=["zh", "en"])
def test_a_stage_that_the_data_do_not_allow_is_a_sentence_and_not_a_failure(project, tmp_path, monkeypatch, capsys,
                                                                            make, lang, says):
    import nbformat

    from ebank_lib.cli import main
    from ebank_lib.reports import batch

    books = [project / "notebooks" / "01_cleaning.ipynb", tmp_path / "02_order.ipynb"]
    nbformat.write(make.notebook(*make.prose("# 定阶", "# Order"), make.code(STOPPED),
                                 *make.prose("## 其后", "## After"), make.code("1 + 1")), books[1])
    monkeypatch.chdir(project)
    monkeypatch.setattr(batch, "numbered_notebooks", lambda folder: (books, []))
    found = []
    for out in ("one", "two"):
        words = ["report", "--source", "data/small", "--branch", "0351", "--lang", lang, "-p", "horizon=3", "--quiet"]
        assert main([*words, "--out", str(tmp_path / out)]) == 0
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1 and "02_order" in err and "too short; <b>x</b>; found 3" in err
        found.append(contents(tmp_path / out / "0351"))
    assert found[0] == found[1] and not [name for name in found[0] if name.startswith("failed")]
    page, run = found[0]["report.html"].decode(), json.loads(found[0]["run.json"])
    assert says + "too short; &lt;b&gt;x&lt;/b&gt;; found 3; expected at least 24" in page
    assert "as far as it went" in page and "其后" not in page and "After" not in page
    assert "tables/series.csv" in run["artefacts"]
    assert run["stages_not_done"] == {"02_order": {"cell": 3, "message": "too short; <b>x</b>; found 3; "
                                                                         "expected at least 24"}}
    book = found[0]["notebooks/02_order.ipynb"].decode()
    assert "SeriesError: too short" in book and "Traceback" not in book and "site-packages" not in book


def test_a_branch_called_like_a_script_is_only_a_name(here, make_report):
    made = make_report("data/small", "west", out="reports", notebooks="notebooks")
    page = (made / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1 and "&lt;script&gt;alert(1)" in page       # that of the page


@pytest.mark.parametrize("asked, lists", [
    ({"branch": "wset"}, "west"), ({"branch": "../x"}, "0351"), ({"indicator": "onlin"}, "online"),
    ({"start": "2019-01"}, "2009-01 .. 2010-12"), ({"end": "soon"}, "2009-01 .. 2010-12"),
])
def test_what_does_not_exist_is_an_error_that_lists_what_does(province, asked, lists):
    with pytest.raises(UnknownNameError, match=lists):
        scope_of(province, **{"branch": "0351", **asked})


def test_the_months_must_be_in_order(province):
    with pytest.raises(ConfigError, match="the first month is after the last"):
        scope_of(province, "0351", start="2010-02", end="2010-01")


def test_a_wrong_request_is_an_error_and_nothing_is_written(here, tmp_path, make_report):
    for wrong in ({"extra": {"horizn": "1"}}, {"indicator": "onlin"}, {"start": "2019-01"}):
        with pytest.raises(EbankError, match="horizon|online|2009-01"):
            make_report("data/small", "0351", out=tmp_path / "out", notebooks="notebooks", **wrong)
    assert not (tmp_path / "out" / "0351").exists()


def test_a_folder_without_notebooks_for_what_is_asked_is_a_wrong_request(here, tmp_path, make_report):
    for branch, what in (("0351", "with a parameter branch"), (None, "without a parameter branch")):
        with pytest.raises(ConfigError, match=f"holds no such notebook.*{what}"):
            make_report("data/small", branch, out=tmp_path / "out", notebooks=tmp_path)


def test_no_link_leads_out_of_the_output_folder(here, project, tmp_path, make_report):
    out = tmp_path / "reports"
    out.mkdir()
    (out / "0351").symlink_to(project)
    with pytest.raises(EbankError, match="leads out"):
        make_report("data/small", "0351", out=out, notebooks="notebooks")


def test_the_way_back_from_a_value_ends_at_its_cell(province):
    rows = province.cleaned.trace("351", "2009-03", "online")
    assert rows["text"].tolist() == ["10074"] and rows["file"].tolist() == ["cells.csv"] and rows["row"].tolist() == [4]
    with pytest.raises(UnknownNameError, match="2009-01"):
        province.cleaned.trace("0351", "1999-01", "online")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_run_leaves_no_process_and_no_file(project, tmp_path):
    command = [sys.executable, "-m", "ebank_lib", "report", "--source", "data/small", "--branch", "0351",
               "--notebooks", "notebooks", "--out", str(tmp_path / "out"), "--log", "json"]
    temporary = tmp_path / "t"
    temporary.mkdir()
    mark = {"EBANK_INTERRUPTED": str(tmp_path)}
    with subprocess.Popen(command, cwd=project, env={**os.environ, **mark, "TMPDIR": str(temporary)}, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        next(line for line in run.stderr if '"stage"' in line and '"start"' in line and "01_" in line)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    assert run.returncode == 130, said
    assert "interrupted" in said and "Traceback" not in said
    end = time.monotonic() + 10
    while (left := marked(f"EBANK_INTERRUPTED={tmp_path}")) and time.monotonic() < end:     # the server, for a moment
        time.sleep(0.05)
    assert left == {} and list(temporary.iterdir()) == [] and not (tmp_path / "out" / "0351").exists()


def test_what_is_forecast_by_default_is_the_first_headline_that_is_reported(cleaned):
    from types import SimpleNamespace

    def scope(*keys):
        return scope_of(SimpleNamespace(catalog=cleaned.catalog, whole="shandong", cleaned=SimpleNamespace(
            panel=cleaned.panel[list(keys)], source=cleaned.source), links=(), files=(),
                                     strategy=load_strategy(cleaned.source)), "rizhao").indicator

    assert scope("phone", "sms", "mobile_txn") == "mobile_txn"
    assert scope("phone", "sms") == "sms" and scope("phone") == "phone"
    with pytest.raises(ConfigError, match="the branch has no data"):
        scope()


def test_all_branches_together_have_a_report_of_their_own(whole_project, tmp_path, monkeypatch, make_report):
    monkeypatch.chdir(whole_project)
    report = make_report("data/small", lang="en", out=tmp_path / "out", notebooks="notebooks")
    assert report == tmp_path / "out" / "province"
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "All branches: e-banking report" in page and "Simulated data" in page


def test_a_file_of_a_panel_is_reported_by_its_path(project, here, province, tmp_path, make_report):
    province.cleaned.panel.to_parquet(project / "panel.parquet")
    made = make_report("panel.parquet", "0351", lang="en", out=tmp_path, notebooks="notebooks")
    run = json.loads((made / "run.json").read_text(encoding="utf-8"))
    assert [one["file"] for one in run["files"]] == ["panel.parquet"] and run["source"] == "panel.parquet"
    found = pd.read_parquet(made / "panel.parquet").set_index(["month", "indicator"])["value"]
    mine = province.cleaned.to_frame().query("branch == '0351'").astype({"month": str})
    assert found.equals(mine.set_index(["month", "indicator"])["value"])
