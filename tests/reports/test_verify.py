"""`ebank verify` finds any change of a report: a byte, a file, a hash, a table forged together with its hashes."""

import json
import shutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.cli import main
from ebank_lib.errors import ConfigError
from ebank_lib.reports.artefacts import files_sha256, step_of
from ebank_lib.reports.branch import make_report
from ebank_lib.reports.seal import run_json_bytes, seal_problem
from ebank_lib.reports.trace import chained, text_sha256
from ebank_lib.reports.verify import verify

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def report(project, tmp_path_factory):
    """A small report; each test changes a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        yield make_report("data/small", "0351", lang="en", out=tmp_path_factory.mktemp("verify")).folder


@pytest.fixture
def copy(report, tmp_path, project, monkeypatch):
    monkeypatch.chdir(project)
    return shutil.copytree(report, tmp_path / "0351")


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_report_as_it_was_written_holds_and_is_made_again_from_notebooks_and_source(copy, capsys):
    (verdict,) = verify(copy)
    assert verdict.holds and verdict.files == len(names(copy)) - 1 and verdict.links == 10
    assert [key for key, _ in verdict.remarks] == ["remade", "source_held"]
    assert main(["verify", str(copy.parent), "--lang", "en"]) == 0
    assert "all 7 files and 10 links hold" in capsys.readouterr().out


def test_one_flipped_byte_in_any_file_is_found_and_named(copy, capsys):
    for name in names(copy):
        whole = (copy / name).read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            (copy / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            first = verify(copy)[0].broken[0]
            assert first.file == name and (first.step == step_of(name) or name == "run.json")
            assert first.expected != first.found
        assert main(["verify", str(copy), "--lang", "en"]) == 1
        out = capsys.readouterr().out
        assert name in out and "does not hold" in out and first.expected in out and first.found in out
        (copy / name).write_bytes(whole)
    assert verify(copy)[0].holds


@given(st.data())
@settings(max_examples=200)
def test_any_other_byte_of_run_json_breaks_its_seal(report, data):
    whole = (report / "run.json").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[at]))
    assert seal_problem(whole) is None and seal_problem(whole[:at] + bytes([byte]) + whole[at + 1:])
    assert seal_problem(whole[:at]) and seal_problem(whole + bytes([byte]))


def test_a_missing_and_an_additional_file_are_found(copy):
    (copy / "tables" / "series.csv").unlink()
    (copy / "notebooks" / "03_more.ipynb").write_text("{}")
    found = {one.file: one for one in verify(copy)[0].broken}
    assert found["tables/series.csv"].found == "missing" and found["notebooks/03_more.ipynb"].expected == "unlisted"
    (copy / "run.json").unlink()
    with pytest.raises(ConfigError, match="is no report"):
        verify(copy)


def forge(folder, depth):
    """Change a number of a table and, the deeper the forger digs, everything that says it was another."""
    csv = folder / "tables" / "series.csv"
    csv.write_bytes(csv.read_bytes().replace(b"10037", b"99999"))
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    files = {**run.pop("artefacts"), "tables/series.csv": text_sha256(csv.read_bytes())}
    if depth >= 2:
        own = {n: (folder / n).read_bytes() for n in files if step_of(n) == "exports"}
        link = next(one for one in run["chain"] if one["step"] == "exports")
        link["sha256"] = files_sha256(own)
    if depth >= 3:
        run["chain"] = chained([{k: v for k, v in one.items() if k != "chain"} for one in run["chain"]])
    seal = run["seal"]
    made = run_json_bytes(run, files)
    (folder / "run.json").write_bytes(made if depth >= 1 else made.replace(json.loads(made)["seal"].encode(),
                                                                           seal.encode()))


@pytest.mark.parametrize("depth, step", [(0, "seal"), (1, "exports"), (2, "chain"), (3, "exports")],
                         ids=["hash", "seal", "link", "chain"])
def test_a_table_forged_with_its_hashes_is_found(copy, depth, step):
    """The last one computes every hash anew and is found only because the table is made again from the notebook."""
    forge(copy, depth)
    first = verify(copy)[0].broken[0]
    assert first.step == step
    assert first.file == {"seal": "run.json", "chain": "run.json: exports"}.get(step, "run.json: exports" if depth == 1
                                                                               else "tables/series.csv")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\\b", "notebooks/../../x", ""])
def test_no_path_in_run_json_leads_out_of_the_folder(copy, name):
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_bytes(run_json_bytes(run, {**run["artefacts"], name: "0" * 64}))
    assert any(one.file == name and one.found == "missing" for one in verify(copy)[0].broken)


@pytest.mark.parametrize("change", [lambda run: run.pop("chain"), lambda run: run.update(chain=[3]),
                                    lambda run: run.update(files="x"), lambda run: run.update(stages=["../../x"]),
                                    lambda run: run.update(about={}), lambda run: run.pop("source")])
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
    monkeypatch.setattr("ebank_lib.reports.verify.package_sha256", lambda: "another")
    assert [key for key, _ in verify(copy)[0].remarks] == ["other_code", "other_code_source"]
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_bytes(run_json_bytes({**run, "source": "gone"}, run.pop("artefacts")))
    verdict = verify(copy)[0]
    assert verdict.holds and [key for key, _ in verdict.remarks] == ["other_code", "no_source"]


def test_a_whole_run_is_verified_from_its_top(copy, report, tmp_path):
    shutil.copytree(report, tmp_path / "other")
    (tmp_path / "index.html").write_text("<p>index")
    top = run_json_bytes({"branches": [{"id": "0351"}, {"id": "other"}, {"id": "failed"}]},
                         {"index.html": b"<p>index", "0351/run.json": (copy / "run.json").read_bytes()})
    (tmp_path / "run.json").write_bytes(top)
    assert [v.holds for v in verify(tmp_path)] == [True] * 3
    other = json.loads(top) | {"branches": [{"id": "0351", "run": "0" * 64}]}
    (tmp_path / "run.json").write_bytes(run_json_bytes(other, other.pop("artefacts")))
    assert [(b.step, b.file) for b in verify(tmp_path)[0].broken] == [("run", "0351/run.json")]
    (tmp_path / "run.json").write_bytes(top)
    (tmp_path / "index.html").write_text("<p>Index")
    (tmp_path / "other" / "report.html").write_text("")
    first, one, two = verify(tmp_path)
    assert first.broken[0].file == "index.html" and one.holds and two.broken[0].file == "report.html"


def test_exports_hold_what_was_recorded(report):
    frame = pd.read_parquet(report / "tables" / "series.parquet")
    again = pd.read_csv(report / "tables" / "series.csv", encoding="utf-8-sig")
    assert frame["month"].tolist()[:2] == ["2009-01", "2009-02"] == again["month"].tolist()[:2]
    assert frame["value"].dtype == "float64" and (frame["value"] == again["value"]).all()
