"""`ebank verify` finds any changed, missing or additional file of a report or a run, and a source that has changed."""

import json
import shutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.cli import main
from ebank_lib.errors import ConfigError
from ebank_lib.reports.seal import _read, as_written, plain_path, run_json_bytes, text_sha256, verify

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def report(project, tmp_path_factory, make_report):
    """A small report; each test changes a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        yield make_report("data/small", "0351", lang="en", out=tmp_path_factory.mktemp("verify"),
                          notebooks="notebooks")


@pytest.fixture
def copy(report, tmp_path, project, monkeypatch):
    monkeypatch.chdir(project)
    return shutil.copytree(report, tmp_path / "0351")


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_report_as_it_was_written_agrees_and_so_does_its_source(copy, capsys):
    (verdict,) = verify(copy)
    assert verdict.holds and verdict.files == len(names(copy)) - 1
    assert [key for key, _ in verdict.remarks] == ["source_held"]
    assert main(["verify", str(copy.parent), "--lang", "en"]) == 0
    assert "all 10 files agree" in capsys.readouterr().out


def test_one_flipped_byte_in_any_file_is_found_and_named(copy, capsys):
    for name in names(copy):
        whole = (copy / name).read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            (copy / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            first = verify(copy)[0].broken[0]
            assert first.file == name and first.step == ("seal" if name == "run.json" else "files")
            assert first.expected != first.found
        assert main(["verify", str(copy), "--lang", "en"]) == 1
        out = capsys.readouterr().out
        assert name in out and "first difference" in out and first.expected in out and first.found in out
        (copy / name).write_bytes(whole)
    assert verify(copy)[0].holds


@given(st.data())
@settings(max_examples=200)
def test_any_other_byte_of_run_json_breaks_its_seal(report, data):
    whole = (report / "run.json").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    assert _read(whole) and _read(whole[:at] + bytes([byte]) + whole[at + 1:]) is None
    assert _read(whole[:at]) is None and _read(whole + bytes([byte])) is None


@pytest.mark.parametrize("name", ["notebooks/03_more.ipynb", "extra.html", "tables/deep/x.csv", ".hidden"])
def test_an_additional_file_is_found_wherever_it_lies(copy, name):
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_text("{}")
    assert [(one.file, one.expected) for one in verify(copy)[0].broken] == [(name, "unlisted")]


def test_a_missing_file_is_found_and_so_is_a_link_in_its_place(copy, tmp_path):
    table = copy / "tables" / "series.csv"
    table.rename(tmp_path / "series.csv")
    assert [(one.file, one.found) for one in verify(copy)[0].broken] == [("tables/series.csv", "missing")]
    table.symlink_to(tmp_path / "series.csv")
    assert ("tables/series.csv", "missing") in [(one.file, one.found) for one in verify(copy)[0].broken]
    (copy / "run.json").unlink()
    with pytest.raises(ConfigError, match="is no report"):
        verify(copy)


def test_what_is_said_of_the_panel_is_held_against_the_source_even_where_every_hash_was_computed_anew(copy):
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    for at, step in enumerate(("source", "cells", "ledger", "panel")):
        data = [dict(one) for one in run["data"]]
        assert data[at]["step"] == step
        data[at]["sha256"] = "0" * 64
        (copy / "run.json").write_bytes(run_json_bytes({**run, "data": data}, run["artefacts"]))
        assert [one.step for one in verify(copy)[0].broken] == [step]


def test_a_path_stays_below_its_folder():
    assert plain_path("tables/growth.csv") and not any(map(plain_path, ["../x", "/x", "a//b", "c:x", "", "a/./b"]))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\\b", "notebooks/../../x", ""])
def test_no_path_in_run_json_leads_out_of_the_folder(copy, name):
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_bytes(run_json_bytes(run, {**run["artefacts"], name: "0" * 64}))
    assert any(one.file == name and one.found == "missing" for one in verify(copy)[0].broken)


@pytest.mark.parametrize("change", [lambda run: run.pop("data"), lambda run: run.update(data=[3]),
                                    lambda run: run.update(files="x"), lambda run: run.update(code=None, files=[{}]),
                                    lambda run: run.pop("source")])
def test_a_run_json_sealed_by_somebody_else_is_an_answer_and_no_crash(copy, change):
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    change(run)
    (copy / "run.json").write_bytes(run_json_bytes(run, run.pop("artefacts")))
    assert not verify(copy)[0].holds


def test_a_changed_source_is_named_by_its_file(copy, project, tmp_path):
    source = shutil.copytree(project / "data" / "small", tmp_path / "small")
    assert verify(copy, source)[0].holds
    cells = source / "cells.csv"
    cells.write_bytes(cells.read_bytes().replace(b"10037", b"10038"))
    first = verify(copy, source)[0].broken[0]
    assert (first.step, first.file) == ("source", "cells.csv") and first.found == text_sha256(cells.read_bytes())
    cells.unlink()
    assert verify(copy, source)[0].broken[0].found == "missing"


def test_a_changed_description_of_the_source_is_found_where_it_first_matters(copy, project, tmp_path):
    source = shutil.copytree(project / "data" / "small", tmp_path / "small")
    yaml = source / "sources.yaml"
    text = yaml.read_text(encoding="utf-8").replace("online: {indicator: online", "online: {indicator: phone")
    yaml.write_text(text.replace("phone: {indicator: phone", "phone: {indicator: online"), encoding="utf-8")
    assert verify(copy, source)[0].broken[0].step == "cells"


def test_without_its_source_or_with_another_program_it_says_what_was_not_computed(copy, tmp_path, monkeypatch):
    monkeypatch.setattr("ebank_lib.reports.seal.package_sha256", lambda: "another")
    assert [key for key, _ in verify(copy)[0].remarks] == ["other_code"]
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_bytes(run_json_bytes({**run, "source": "gone"}, run.pop("artefacts")))
    verdict = verify(copy)[0]
    assert verdict.holds and [key for key, _ in verdict.remarks] == ["no_source"]


@pytest.fixture
def run(copy, report, tmp_path):
    """A folder of two reports and one that failed, with an index."""
    shutil.copytree(report, tmp_path / "other")
    (tmp_path / "failed" / "failed").mkdir(parents=True)
    (tmp_path / "failed" / "failed" / "index.html").write_text("<p>failed")
    (tmp_path / ".ebank").mkdir()
    (tmp_path / ".ebank" / "state").write_text("{}")
    (tmp_path / "index.html").write_text("<p>index")
    branches = [{"id": name, "run": text_sha256((tmp_path / name / "run.json").read_bytes())}
                for name in ("0351", "other")]
    (tmp_path / "run.json").write_bytes(run_json_bytes(
        {"branches": [*branches, {"id": "failed", "run": None}]},
        {"index.html": b"<p>index", "failed/failed/index.html": b"<p>failed"}))
    return tmp_path


def differences(folder):
    return [(verdict.folder.name, one.file, one.found) for verdict in verify(folder) for one in verdict.broken]


def test_a_whole_run_agrees_from_its_top(run):
    assert [verdict.holds for verdict in verify(run)] == [True] * 3


@pytest.mark.parametrize("change, file", [
    (lambda run: shutil.rmtree(run / "other"), "other/run.json"),
    (lambda run: [(run / "other" / "run.json").unlink(), (run / "other" / "report.html").write_text("x")],
     "other/run.json"),
    (lambda run: [(run / "run.json").unlink(), (run / "index.html").write_text("x")], "run.json"),
    (lambda run: (run / "run.json").unlink(), "run.json"), (lambda run: (run / "index.html").unlink(), "index.html"),
    (lambda run: (run / "index.html").write_text("<p>Index"), "index.html"),
    (lambda run: (run / "more.html").write_text(""), "more.html"),
    (lambda run: shutil.copytree(run / "0351", run / "third"), "third/run.json"),
    (lambda run: (run / "failed" / "failed" / "index.html").write_text(""), "failed/failed/index.html"),
], ids=["report", "seal", "top", "seal of the top", "index", "changed index", "more", "more reports", "failed"])
def test_what_is_taken_from_a_run_added_or_changed_is_found_from_its_top(run, change, file):
    change(run)
    assert file in [name for _, name, _ in differences(run)]


def test_a_folder_is_as_it_was_written_while_every_file_that_it_lists_is(run):
    report = run / "other"
    (report / "previous.json").touch()
    assert as_written(run) and as_written(report)
    (report / "tables" / "series.csv").write_text("x")
    assert as_written(run) and not as_written(report)
    (report / "run.json").write_text("x")
    assert not as_written(run) and not as_written(run / "nothing")


def test_a_report_made_anew_alone_is_not_the_one_that_the_index_tells_of(run):
    whole = json.loads((run / "other" / "run.json").read_text(encoding="utf-8"))
    made = run_json_bytes(whole | {"ebank": "2"}, whole["artefacts"])
    (run / "other" / "run.json").write_bytes(made)
    assert differences(run) == [(run.name, "other/run.json", text_sha256(made))]


def test_reports_made_one_by_one_have_no_top(copy, report):
    shutil.copytree(report, copy.parent / "other")
    assert [verdict.holds for verdict in verify(copy.parent)] == [True, True]


def test_exports_hold_what_was_recorded(report):
    frame = pd.read_parquet(report / "tables" / "series.parquet")
    again = pd.read_csv(report / "tables" / "series.csv", encoding="utf-8-sig")
    assert frame["month"].tolist()[:2] == ["2009-01", "2009-02"] == again["month"].tolist()[:2]
    assert frame["value"].dtype == "float64" and (frame["value"] == again["value"]).all()
