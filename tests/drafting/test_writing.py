"""Where a draft goes: what nobody edited is drafted anew, what somebody did is kept; nothing waits for an answer."""

import sqlite3
from contextlib import closing

import pytest

from ebank_lib.cli import main
from ebank_lib.drafting import draft_into
from ebank_lib.drafting.units import naming_of
from ebank_lib.errors import ConfigError, SourceError
from ebank_lib.sources import open_source
from ebank_lib.sources.grids import Grid

HEAD = "机构,月份,手机银行客户数（户）,柜面交易量（笔）"


def returns(folder, name="a.csv", head=HEAD, branches=("莲湖支行", "碑林支行"), year=2018, date="{}-{:02}"):
    """Write a CSV file of a year."""
    lines = [head] + [f"{b},{date.format(year, m)},{1000 * n + m},{50 * n + m % 4}"
                      for n, b in enumerate(branches, 1) for m in range(1, 13)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def text(folder, name="sources.yaml"):
    return (folder / name).read_text(encoding="utf-8")


def edit(folder, name, old, new):
    assert old in text(folder, name)
    (folder / name).write_text(text(folder, name).replace(old, new), encoding="utf-8")


def months(folder):
    return open_source(folder).cells()["month"].astype(str)


def test_reasons_are_comments_and_what_is_drafted_is_read(tmp_path):
    returns(tmp_path)
    written = draft_into(tmp_path, [tmp_path])
    assert [path.name for path in written.files] == ["sources.yaml", "catalog.yaml", "branches.csv"]
    assert "手机银行客户数: mobile  # " in text(tmp_path)
    assert len(months(tmp_path)) == 48


def test_files_that_lie_elsewhere_are_found_there_and_not_copied(tmp_path):
    (tmp_path / "data").mkdir()
    returns(tmp_path / "data")
    draft_into(tmp_path / "draft", [tmp_path / "data"])
    assert 'root: ../data' in text(tmp_path / "draft")
    assert len(months(tmp_path / "draft")) == 48
    assert not (tmp_path / "draft" / "a.csv").exists()


def test_a_draft_that_nobody_edited_is_drafted_anew_with_what_it_had(tmp_path):
    returns(tmp_path)
    draft_into(tmp_path, [tmp_path / "a.csv"])
    returns(tmp_path, "b.csv", "支行,年月,柜面交易量（万笔）,手机银行客户数（户）", year=2019)
    draft_into(tmp_path, [tmp_path / "b.csv"])
    assert {m[:4] for m in months(tmp_path)} == {"2018", "2019"}


def test_what_was_edited_is_kept_and_what_is_new_is_added(tmp_path):
    returns(tmp_path)
    draft_into(tmp_path, [tmp_path])
    edit(tmp_path, "branches.csv", "莲湖支行,莲湖支行", "莲湖支行,Lotus Lake")
    edit(tmp_path, "sources.yaml", "catalog:", "simulated: true   # mine\ncatalog:")
    returns(tmp_path, "later.csv", "机构名称,期间,手机银行客户数（户）,理财销售额（万元）", ("莲湖", "灞桥支行"), 2019)
    written = draft_into(tmp_path, [tmp_path / "later.csv"])
    assert "simulated: true   # mine" in text(tmp_path)
    rows = {row.split(",")[1]: row for row in text(tmp_path, "branches.csv").splitlines()}
    assert "Lotus Lake" in rows["莲湖支行"]
    assert "莲湖" in rows["莲湖支行"].split(",")[4]
    assert "灞桥支行" in rows
    assert {m[:4] for m in months(tmp_path)} == {"2018", "2019"}
    assert open_source(tmp_path).catalog.indicators.keys() >= {"mobile", "counter_txn"}
    assert written.said


def test_a_new_branch_in_a_file_that_a_glob_reads_is_added_to_edited_branches(tmp_path):
    for name, year in (("r 2018.csv", 2018), ("r 2019.csv", 2019)):
        returns(tmp_path, name, year=year)
    draft_into(tmp_path, [tmp_path])
    edit(tmp_path, "branches.csv", "莲湖支行,莲湖支行", "莲湖支行,Lotus Lake")
    returns(tmp_path, "r 2020.csv", branches=("莲湖支行", "碑林支行", "灞桥支行"), year=2020)
    written = draft_into(tmp_path, [tmp_path])
    assert "灞桥支行" in written.said[0]
    assert "Lotus Lake" in text(tmp_path, "branches.csv")
    assert "灞桥支行" in text(tmp_path, "branches.csv")


def test_what_cannot_be_added_lies_beside_the_edited_files(tmp_path):
    returns(tmp_path)
    draft_into(tmp_path, [tmp_path])
    edit(tmp_path, "sources.yaml", "手机银行客户数: mobile", "手机银行客户数: counter_txn")    # one indicator twice
    before = text(tmp_path)
    returns(tmp_path, "later.csv", HEAD.replace("月份", "期间"), year=2019)
    written = draft_into(tmp_path, [tmp_path / "later.csv"])
    assert text(tmp_path) == before
    assert {path.name for path in written.files} == {"sources.yaml.new", "catalog.yaml.new", "branches.csv.new"}


def test_a_part_of_a_source_is_not_written_over(tmp_path):
    returns(tmp_path)
    (tmp_path / "catalog.yaml").write_text("units: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a part of a source"):
        draft_into(tmp_path, [tmp_path])


def test_no_table_is_an_error_that_says_what_was_looked_for(tmp_path):
    with pytest.raises(SourceError, match="holds no table"):
        draft_into(tmp_path, [tmp_path])
    (tmp_path / "a.csv").write_text("说明,没有数字\n", encoding="utf-8")
    with pytest.raises(SourceError, match="rows of figures below headings"):
        draft_into(tmp_path, [tmp_path])


def test_a_damaged_file_is_left_out_and_named(tmp_path):
    returns(tmp_path)
    (tmp_path / "broken.xlsx").write_bytes(b"PK\3\4 no workbook")
    written = draft_into(tmp_path, [tmp_path])
    assert "broken.xlsx" in written.draft.left_out[0]
    assert len(months(tmp_path)) == 48


def test_a_year_that_nobody_wrote_down_is_asked_for_and_one_answer_is_enough(tmp_path, capsys):
    returns(tmp_path, date="{1}月")
    assert main(["new", str(tmp_path), "--from", str(tmp_path), "--lang", "en"]) == 1
    assert "no year is written anywhere" in capsys.readouterr().out
    edit(tmp_path, "sources.yaml", "'????'", "2018")
    assert set(months(tmp_path)) == {f"2018-{m:02}" for m in range(1, 13)}


def test_units_that_nobody_printed_are_asked_about(tmp_path):
    returns(tmp_path, head="机构,月份,手机银行客户数,柜面交易量")
    written = draft_into(tmp_path, [tmp_path])
    assert "手机银行客户数 (户)" in written.draft.questions[0]


def test_income_is_counted_in_the_currency_that_a_line_says(tmp_path):
    returns(tmp_path, head="Unit: Rs. lakh,,,\nBranch,Month,Fee income,Card revenue")
    draft = draft_into(tmp_path, [tmp_path]).draft
    assert not draft.questions
    assert {open_source(tmp_path).catalog.indicators[key].unit for key in draft.headings.values()} == {"卢比"}


def test_a_database_is_drafted_into_a_folder_that_is_not_there_yet(tmp_path, monkeypatch):
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as base:
        base.execute("create table returns (branch text, month text, 手机银行客户数 integer)")
        base.executemany("insert into returns values (?, ?, ?)", [
            (name, f"2018-{m:02}", 1000 + m) for name in ("莲湖支行", "碑林支行") for m in range(1, 13)])
        base.commit()
    monkeypatch.setenv("EBANK_TEST_DB", f"sqlite:///{tmp_path / 'x.sqlite'}")
    written = draft_into(tmp_path / "new", [], "EBANK_TEST_DB")
    assert not any("is no folder" in asked for asked in written.draft.questions)
    assert len(months(tmp_path / "new")) == 24


def test_a_table_that_holds_more_than_figures_is_left_out_of_a_database_and_named(tmp_path, monkeypatch):
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as base:
        base.execute("create table returns (branch text, month text, 手机银行客户数 integer)")
        base.executemany("insert into returns values ('莲湖支行', ?, ?)", [
            (f"2018-{m:02}", 1000 + m) for m in range(1, 13)])
        base.execute("create table staff (name text, photo blob)")
        base.execute("insert into staff values ('a', x'00')")
        base.commit()
    monkeypatch.setenv("EBANK_TEST_DB", f"sqlite:///{tmp_path / 'x.sqlite'}")
    written = draft_into(tmp_path / "new", [], "EBANK_TEST_DB")
    assert len(written.draft.left_out) == 1
    assert written.draft.left_out[0].startswith("staff: file 'EBANK_TEST_DB', column 'photo'")
    assert len(months(tmp_path / "new")) == 12
    with pytest.raises(SourceError, match="no table's"):
        draft_into(tmp_path / "other", [], "EBANK_TEST_DB", "staff")


def test_the_command_shows_what_is_read_and_what_to_run_next(tmp_path, capsys):
    returns(tmp_path)
    assert main(["new", str(tmp_path), "--from", str(tmp_path), "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "48 figures" in out
    assert "1,001" in out
    assert f"ebank check --source {tmp_path}" in out
    assert main(["check", "--source", str(tmp_path)]) == 0


def test_the_command_needs_files_or_a_database(tmp_path, capsys):
    assert main(["new", str(tmp_path)]) == 2
    assert "--from" in capsys.readouterr().err


def test_units_come_in_the_order_in_which_they_are_printed():
    units = ["万户", "万笔", "千户", "亿元", "百户", "万元", "千笔"]
    assert list(naming_of([Grid("a.csv", "", [units], [units], {})])[1]) == units
