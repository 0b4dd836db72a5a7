"""Tables as files: a workbook for people, CSV and Parquet for programs; no text a formula, the same bytes each time."""

import io
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.display import describe
from ebank_lib.reports.branch import open_province, scope_of
from ebank_lib.reports.content import read_content
from ebank_lib.reports.export import csv_bytes, export_files, parquet_bytes
from ebank_lib.reports.record import table_of
from ebank_lib.reports.workbook import Column, Sheet, sheets_of, workbook_bytes
from ebank_lib.scenarios import said_odds
from ebank_lib.wording import t, words

EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "http://example.org", "\x01\x0bcontrol", "x" * 40000, "\ufffe"]


# --- the workbook

def opened(data):
    return openpyxl.load_workbook(io.BytesIO(data))


def column(sheet, head):
    """The cells below a heading, without notes."""
    at = [cell.value for cell in sheet[3]].index(head)
    below = [row[at] for row in sheet.iter_rows(min_row=4)]
    return below[:next((n for n, row in enumerate(sheet.iter_rows(min_row=4)) if row[0].value is None), len(below))]


@pytest.fixture(scope="module")
def books(root):
    """The workbooks of Rizhao and of the province, from the notebooks as they are stored, by branch and language."""
    province = open_province(root / "data" / "shandong")

    def made(branch, lang):
        about = scope_of(province, branch, lang)
        stored = sorted(p for p in (root / "notebooks").glob("*.ipynb") if (p.name < "06") == (branch is not None))
        tables = read_content(stored, lang, about.fills).tables
        return opened(workbook_bytes(sheets_of(tables, province.cleaned, about), "T", ["simulated"], lang))

    return {(branch, lang): made(branch, lang) for branch in ("rizhao", None) for lang in ("zh", "en")}


def test_its_sheets_are_named_in_the_readers_language_and_the_first_says_what_each_is_for(books):
    for (_, lang), book in books.items():
        first = book[t("workbook.contents", lang)]
        links = [(row[0].value, row[0].hyperlink.location, row[1].value) for row in first.iter_rows(min_row=4)
                 if row[0].hyperlink]
        assert [name for name, _, _ in links] == book.sheetnames[1:]
        assert all(where == f"'{name}'!A1" and book[name]["A1"].value == what for name, where, what in links)
        assert first["A1"].value == "T" and "simulated" in [cell.value for cell in first["A"]]
    assert books["rizhao", "zh"].sheetnames == ["内容", "月度数据", "同比", "预测", "目标", "措施", "位次", "增长位次",
                                                "增长", "预测准确度", "数据更正"]
    assert books[None, "zh"].sheetnames == ["内容", "月度数据", "同比", "分行月度", "分行排名", "增长来源", "增量分担",
                                            "预测"]


def test_headings_are_words_with_their_units_and_nowhere_the_names_that_code_uses(books, cleaned):
    ids = {*cleaned.catalog.indicators, *cleaned.branches, "p_at", "y_hat", "yoy", "synchronisation_full", "far"}
    for (_, lang), book in books.items():
        for sheet in book.worksheets[1:]:
            assert not ids & {cell.value for row in sheet.iter_rows() for cell in row}
            assert not any(str(cell.value).isascii() for cell in sheet[3]) or lang == "en"
    heads = [cell.value for cell in books["rizhao", "zh"]["月度数据"][3]]
    assert heads[:2] == ["月份", "个人网银客户数（户）"] and "短信金融服务收入（元）" in heads


def test_figures_are_written_as_what_they_are(books):
    book = books["rizhao", "zh"]
    formats = {(name, head): {cell.number_format for cell in column(book[name], head) if cell.value is not None}
               for name, head in [("目标", "目前"), ("目标", "达到的概率"), ("位次", "位次"), ("位次", "数值"),
                                  ("增长", "平均每月增长"), ("增长位次", "期初的倍数"), ("月度数据", "月份"),
                                  ("月度数据", "产品同步率"), ("月度数据", "个人网银客户数（户）")]}
    assert formats["目标", "目前"] == formats["月度数据", "产品同步率"] == {"0.0%"}
    assert formats["位次", "位次"] == {"0"} and formats["位次", "数值"] == {"#,##0", "0.0%", "0.00"}
    assert formats["增长", "平均每月增长"] == {"+0.0%;-0.0%;0.0%"} and formats["增长位次", "期初的倍数"] == {"0.00"}
    assert formats["月度数据", "个人网银客户数（户）"] == {"#,##0"} and formats["月度数据", "月份"] == {"yyyy-mm"}
    (odds,) = formats["目标", "达到的概率"]
    assert odds == f'[<0.01]"{said_odds(0, 1000)}";[>0.99]"{said_odds(1, 1000)}";0%'
    assert next(cell.value for cell in column(book["目标"], "目标值")) == 1.0       # as the strategy says, not 99.5%


def test_wide_sheets_hold_their_months_and_heads_in_sight_and_mark_what_is_in_doubt(books, cleaned):
    sheet = books["rizhao", "zh"]["月度数据"]
    assert sheet.freeze_panes == "B4" and sheet.print_title_rows == "$3:$3"
    cells = column(sheet, "个人网银活跃客户数（户）")
    y = cleaned.series("rizhao", "personal_online_active", doubtful="keep")
    assert [cell.value for cell in cells] == [None if pd.isna(v) else v for v in y]
    doubted = [str(month) for month, cell in zip(y.index, cells, strict=True) if cell.font.italic]
    assert doubted == ["2010-01"] and t("workbook.doubt", "zh") in [cell.value for cell in sheet["A"]]


def test_branches_add_up_to_the_province_to_the_printed_digit(books):
    for name, head, digits in [("分行排名", "手机银行交易量（笔，近12个月合计）", 0), ("分行排名", "占全省", 3),
                               ("增长来源", "增加", 0), ("增长来源", "百分点", 1), ("增量分担", "预计", 0),
                               ("增量分担", "占全省", 3)]:
        *parts, whole = [round(cell.value, digits) for cell in column(books[None, "zh"][name], head)]
        assert len(parts) == 16 and sum(parts) == pytest.approx(whole, abs=1e-9), (name, head)
    growth, carried = books[None, "zh"]["增长来源"], books[None, "zh"]["增量分担"]
    for sheet, *heads in [(growth, "基期", "增加", "报告期"), (carried, "目前", "增加", "预计")]:
        for one, more, both in zip(*(column(sheet, head) for head in heads), strict=True):
            assert one.value + more.value == both.value
    for row in books[None, "zh"]["分行月度"].iter_rows(min_row=4, max_row=47, min_col=2, values_only=True):
        assert row[-1] is None or None in row or sum(round(v) for v in row[:-1]) == round(row[-1])


def test_texts_are_texts_whatever_they_begin_with_and_the_same_sheets_give_the_same_bytes():
    sheet = Sheet("S", "=1+1", [Column("=head", EVIL), Column("n", range(8), "count")], "=file", ["=below"])
    data = workbook_bytes([sheet], "=Title", ["=note"], "en")
    kinds = {cell.data_type for sheet in opened(data) for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds and [cell.value for cell in opened(data)["S"]["A"]][3:7] == EVIL[:4]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not any("externalLink" in name or "vba" in name.lower() for name in archive.namelist())
        relations = [archive.read(n) for n in archive.namelist() if n.endswith(".rels")]
        assert not any(b'TargetMode="External"' in part for part in relations)
    assert data == workbook_bytes([sheet], "=Title", ["=note"], "en")


def test_sheet_names_are_ones_that_excel_takes():
    for lang in ("zh", "en"):
        names = [texts[lang] for key, texts in words().items() if f"{key}_about" in words()]
        assert len({name.lower() for name in names}) == len(names) == 14 and max(map(len, names)) <= 31


# --- CSV and Parquet

texts = st.text(max_size=12) | st.sampled_from(["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", 'a,"b\n', ""])


@given(st.lists(st.tuples(texts, st.none() | st.integers(-10**12, 10**12),
                          st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans()), max_size=8))
def test_what_was_recorded_comes_back_and_nothing_is_a_formula(rows):
    table = table_of("t", pd.DataFrame(rows, columns=["a", "n", "x", "ok"]).astype({"n": object, "x": float}))
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame.columns.tolist() == ["a", "n", "x", "ok"]
    for at, name in enumerate(frame.columns):
        recorded = [row[at] for row in table["rows"]]
        back = [None if pd.isna(v) else v for v in frame[name]]
        assert [None if v is None else str(v) if isinstance(b, str) else v for v, b in zip(recorded, back)] == back
    cells = pd.read_csv(io.BytesIO(csv_bytes(table)), encoding="utf-8-sig", dtype=str, keep_default_na=False)
    assert len(cells) == len(rows) or not rows
    assert not any(text.startswith(("=", "+", "@", "\t")) or (text.startswith("-") and not text[1:2].isdigit())
                   for text in cells["a"])


def test_months_are_texts_numbers_numbers_and_headings_the_names_that_code_uses():
    given = pd.DataFrame({"month": pd.period_range("2010-01", periods=2, freq="M"), "share": [0.25, None],
                          "lo-80": [1, 2]})
    table = table_of("t", describe(given, heads={"share": "占比"}), lang="zh")
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame["month"].tolist() == ["2010-01", "2010-02"] and frame["share"].dtype == "float64"
    assert frame["lo-80"].dtype == "int64"
    assert csv_bytes(table).decode("utf-8-sig").splitlines() == ["month,share,lo-80", "2010-01,0.25,1", "2010-02,,2"]


def test_the_same_tables_give_the_same_bytes_in_files_of_their_names():
    tables = [table_of(name, pd.DataFrame({"a": [1.5]})) for name in ("one", "two")]
    files = export_files(tables)
    assert list(files) == ["tables/one.csv", "tables/one.parquet", "tables/two.csv", "tables/two.parquet"]
    assert export_files(tables) == files and files["tables/one.csv"] == files["tables/two.csv"]


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame({"a": [None, None]}),
                                   pd.DataFrame({"a": [1, "x", 2.5, True, None]}), pd.DataFrame({"a": [2**70]})])
def test_odd_tables_are_written_too(frame):
    table = table_of("t", frame)
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes(table)))) == len(frame) or frame.columns.empty
    assert csv_bytes(table).startswith(b"\xef\xbb\xbf")


def test_half_a_sign_spoils_neither_its_cell_nor_the_table():
    table = {"columns": [{"name": "a"}], "rows": [["\ud800"], [None], ["=\ud800"]]}
    assert csv_bytes(table).decode("utf-8-sig") == "a\n?\n\"\"\n'=?\n"


def test_a_column_of_numbers_stays_one_where_all_happen_to_be_whole():
    table = {"columns": [{"name": "x", "kind": "number"}, {"name": "n", "kind": "integer"}], "rows": [[1, 1], [2, 2]]}
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert frame.dtypes.astype(str).to_dict() == {"x": "float64", "n": "int64"}
