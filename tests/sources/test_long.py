"""Long tables, a row a branch and month, or a row a figure; and the CSV files that hold them and others."""

from __future__ import annotations

import pytest

from ebank_lib.sources.grids import csv_rows
from ebank_lib.sources.spec import Limits


def rows(text, encoding="utf-8"):
    return csv_rows(text.encode(encoding), "t.csv", None, Limits())


# ---------------------------------------------------------------- what separates the fields


@pytest.mark.parametrize("comma", [",", ";", "\t", "|"])
@pytest.mark.parametrize("title", ["", "Monthly returns, all branches, in units\n", "一;二\n\n", "a;b;c;d,e,f\n"])
def test_fields_are_cut_as_most_of_the_first_lines_are(comma, title):
    table = [["机构", "月份", "收入"], ["东城", "2010-01", "5"], ["西城", "2010-02", "6"], ["北城", "2010-03", "7"]]
    assert rows(title + "\n".join(map(comma.join, table)))[-4:] == table


def test_thousands_in_a_file_of_semicolons_are_no_fields():
    assert rows("机构;客户;收入\n东城;1,234;5,678\n西城;2,345;6,789\n")[1:] == [
        ["东城", "1,234", "5,678"], ["西城", "2,345", "6,789"]]
    assert rows('机构,客户\n东城,"1;2;3"\n西城,"4;5;6"\n')[1] == ["东城", "1;2;3"]


def test_a_line_that_names_the_separator_is_followed_and_not_counted():
    assert rows("sep=;\r\n机构;收入\r\n东城;1,5\r\n") == [["机构", "收入"], ["东城", "1,5"]]
    assert rows("\ufeffsep=\t\na,b\tc\n") == [["a,b", "c"]]


def test_notes_above_and_below_a_wide_csv_are_notes(folder):
    folder.write("2010-03.csv", "全省客户情况表;;\n单位：户;;\n机构;客户数;备注\n东城;12,345;\n西城;7;x\n"
                 "注：模拟数据，仅供测试\n制表：张三\n")
    folder.files("""\
        - path: "2010-03.csv"
          month: {from: file}
          sheets: [{branch: 机构, headings: {客户数: online}, ignore: [备注]}]
        """)
    source = folder.open()
    assert source.cells()[["branch", "text", "unit", "row"]].to_numpy().tolist() == [
        ["东城", "12,345", "户", 4], ["西城", "7", "户", 5]]
    assert source.notes().text.tolist() == ["全省客户情况表", "单位：户", "注：模拟数据，仅供测试", "制表：张三"]
