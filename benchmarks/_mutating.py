"""Small sources and the ways to spoil them: see ``benchmarks/mutations.py``.

A case is a number: the same number gives the same source, on every machine.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xlsxwriter
import yaml

__all__ = ["KINDS", "build"]

HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "=cmd|' /C calc'!A0", "+1+1",
    "-1+1",
    "@SUM(A1)", "\t=1+1", "\r=1+1", "＝1+1", '=HYPERLINK("http://x")', "\u202e东城分行", "东城\u200b分行",
    "\u2066东城分行\u2069",
    "\x1b[2J", "\0", "\ud800", "\ufeff", "../../x", "/etc/passwd", "C:\\x", "\\\\host\\share", "CON", "nul.", "a/b", "",
    " ", "\u3000", "東城分行", "东城分行 ", "Еast", "Ｅａｓｔ", "x" * 100_000, "9" * 400, "1e400", "-1e-400", "nan",
    "inf", "1,23,4",
    "１２３", "1.2.3", "12%%", "万", "1万万", "-", "—", "#REF!", "合计", "小计", "单位：万元", "机构", "个人网银",
    "客户数（户）",
    "2010年13月", "0000-00", "9999-12", "{branch}", "{0.__class__}", "%s%n", "${x}", "$x_{1", "'; DROP TABLE t; --",
    "\u0301" * 500,
    "𠮷" * 50, "TRUE", "=", "'", '"', "\n\n", "a,b;c\td",
)
ODD = (None, True, 0, -1, 10**30, 1.5, float("inf"), float("nan"), [], {}, [1, [2, [3]]], {"a": {"b": None}}, "0351",
       "2010-03",
       "*", "**", "../*.xlsx", "(a+)+$", "(?P<year>.*)(?P<month>.*)", "online", "column",
       "postgresql://u:s3cret@host/db")
LINES = ("\t- x", "a: !!python/object/apply:os.system [x]", "b: &a [1]", "c: *a", "<<: {a: 1}", "title: 1", "- - -",
         "? :", "{", "[" * 40,
         "---", "...", "'", '"', "a: >", "a: !!binary x", "0: 1", "a: 1:2:3:4", "a: 0o17", "a: 2010-02-30",
         "files: []", "\ufeff",
         "limits: {sheet_cells: 0}", "limits: {sheet_cells: 3}", "root_env: HOME",
         "url_env: PATH", "%YAML 9",
         "a: " + "9" * 5000, "a: " + "x" * 50_000, 'a: "\\0"', 'a: "\\ud800"', "k" * 2000 + ": 1")
FRAGMENTS = (
    b"</c>", b"<c>", b'<c r="XFD1048576"><v>1</v></c>', b'<c r="B7" t="s"><v>99999999</v></c>', b'r="A1"',
    b'r="ZZZZ1"', b'r=""',
    b't="s"', b't="e"', b't="b"', b't="d"', b't="inlineStr"', b"<v>", b"</v>", b"<v>1e999</v>", b"<v>nan</v>",
    b"<f>1+1</f>", b"<row>",
    b"</row>", b'<row r="1048577">', b"&#0;", b"&#x202e;", b"&x;", b"<!--", b"-->", b"]]>", b"<![CDATA[", b"\xff",
    b"\0", b"\xed\xa0\x80",
    b'<mergeCell ref="A1:XFD1048576"/>', b'<mergeCell ref="B3:C9"/>', b'ref="B"', b"9" * 400, b's="999"', b"<sheets/>",
    b'<dimension ref="A1:XFD1048576"/>', b'<!DOCTYPE x [<!ENTITY x "y">]>', b"<?xml version='1.0' encoding='utf-16'?>",
    b'table:number-rows-repeated="99999999"', b'table:number-columns-repeated="16384"', b'TargetMode="External"',
    b"<a>" * 2_000,
)

CATALOG = {
    "units": {"户": {"base": "户", "factor": 1}, "万户": {"base": "户", "factor": 10000},
              "元": {"base": "元", "factor": 1},
              "万元": {"base": "元", "factor": 10000}, "%": {"base": "1", "factor": 0.01}},
    "base_units": {"户": {"zh": "户", "en": "customers"}, "元": {"zh": "元", "en": "yuan"}, "1": {"zh": "", "en": ""}},
    "groups": {"all": {"zh": "全部", "en": "All"}},
    "indicators": [
        {"key": "online", "zh": "网银客户数", "en": "Online customers", "group": "all", "kind": "stock", "unit": "户"},
        {"key": "online_new", "zh": "网银净新增", "en": "New online customers", "group": "all", "kind": "flow",
         "unit": "户"},
        {"key": "activity", "zh": "活动率", "en": "Activity", "group": "all", "kind": "ratio", "unit": "1"},
        {"key": "income", "zh": "收入", "en": "Income", "group": "all", "kind": "flow", "unit": "元"}],
    "identities": [{"kind": "change", "total": "online", "parts": ["online_new"]}],
    "headline": ["online"],
}
BRANCHES = """branch,zh,en,role,aliases,merged_into,merged_month
all,全省合计,All,total,合计,,
east,东城分行,East,branch,东城;东城市分行,,
west,西城分行,West,branch,西城,,
north,北城分行,North,branch,北城,,
old,老城分行,Old,merged,老城,west,2010-02
"""
SOURCES: dict[str, Any] = {
    "title": {"zh": "试验", "en": "Trial"}, "simulated": True, "catalog": "catalog.yaml", "branches": "branches.csv",
    "strategies": "strategies.yaml", "problems": "problems.yaml",
    "events": [{"month": "2010-02", "zh": "并入", "en": "Merged", "branches": ["west"]}],
}
WIDE = [{"path": "2010-*", "month": {"from": "file", "pattern": r"(?P<year>\d{4})-(?P<month>\d{2})"},
         "revision": {"from": "file", "pattern": r"修订(?P<revision>\d+)"},
         "sheets": [{"sheet": "客户", "branch": "机构", "ignore": ["序号"],
                     "headings": {"个人网银/客户数": "online", "个人网银/净新增": "online_new",
                                  "个人网银/活动率": "activity",
                                  "收入": "income"}}]}]
LONG = [{"path": "cells.*", "layout": "long", "branch": "branch",
         "month": {"from": "column", "column": "month", "format": "%Y-%m"},
         "columns": {"online": {"indicator": "online", "unit": "户"}, "new": {"indicator": "online_new", "unit": "户"},
                     "income": {"indicator": "income", "unit": {"column": "unit"}}}}]
STRATEGY = {
    "lines": {"retail": {"zh": "零售", "en": "Retail"}}, "channels": {},
    "targets": [{"key": "grow", "zh": "客户数达到三万户", "en": "Reach 30,000 customers", "line": "retail",
                 "indicator": "online",
                 "kind": "level", "goal": 30000.0, "deadline": "2011-12"}],
}
PROBLEMS = {"entries": [{"key": "slow", "kind": "problem", "number": 1, "zh": "增长慢", "en": "Growth is slow",
                         "needs": {"zh": "逐日数据", "en": "daily figures"}}]}
MONTHS = ("2010-01", "2010-02", "2010-03")


# ---------------------------------------------------------------- sources as they should be

def sheet_rows(month: int) -> list[list[Any]]:
    """Return one month's table as a department keeps it: title, unit, two heading rows, branches, total, notes."""
    rows = [("东城分行", 12000 + 40 * month, 40, 0.25, 3000.5),
            ("西城分行", f"{9000 + 30 * month:,}", "30", "34.5%", "0.25万"),
            ("北城分行", 7000 + month, "-", None, 1234.0), ("合计", 28000 + 71 * month, 71, 0.3, 6734.5)]
    return [[f"全省电子银行客户情况表（2010年{month}月）"], [None] * 5 + ["单位：户、元"],
            ["序号", "机 构", "个人网银", None, None, "收入＊"],
            [None, None, "客户数（户）", "净新增(户)", "活动率(%)"],
            *[[n + 1, *row] for n, row in enumerate(rows)], ["注：本表为模拟数据。"], [None, "制表：张三　复核：李四"]]


MERGES = ("A1:F1", "A3:A4", "B3:B4", "C3:E3", "F3:F4")


def xlsx(sheets: list[tuple[str, list[list[Any]]]], merges: tuple[str, ...] = MERGES) -> bytes:
    """Return a workbook; a sheet's name may be one that no spreadsheet allows."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    for n, (_, rows) in enumerate(sheets):
        page = book.add_worksheet(f"tmp{n}")
        for area in merges:
            page.merge_range(area, "")
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(r, c, value.encode("utf-8", "replace").decode()[:32_767])
                elif value is not None:
                    page.write(r, c, value)
    book.close()
    parts = unpacked(buffer.getvalue())
    for n, (name, _) in enumerate(sheets):
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(
            f'name="tmp{n}"'.encode(), b"name=" + quoteattr(name).encode("utf-8", "surrogatepass"))
    return packed(parts)


def ods(sheets: list[tuple[str, list[list[Any]]]]) -> bytes:
    """Return the same as an OpenDocument spreadsheet, without merged cells."""
    def cell(value: Any) -> str:
        if value is None:
            return "<table:table-cell/>"
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    tables = "".join(f"<table:table table:name={quoteattr(name)}>" + "".join(
        "<table:table-row>" + "".join(map(cell, row)) + "</table:table-row>" for row in rows) + "</table:table>"
        for name, rows in sheets)
    content = (f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces}><office:body>'
               f"<office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>")
    manifest = b'<?xml version="1.0"?><m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
                   "content.xml": content.encode("utf-8", "surrogatepass"), "META-INF/manifest.xml": manifest})


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def long_rows() -> list[list[str]]:
    return [["month", "branch", "online", "new", "income", "unit"],
            *[[month, branch, str(base + 40 * n), "40", f"{1.5 + n}", "万元"] for n, month in enumerate(MONTHS)
              for branch, base in (("东城分行", 12000), ("西城分行", 9000), ("北城分行", 7000))]]


def as_csv(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode("utf-8", "surrogatepass")


class Draft:
    """A source about to be written: its files by name, and the YAML files as data."""

    def __init__(self, files: list[dict[str, Any]]):
        self.yaml = {"sources.yaml": copied({**SOURCES, "files": files}), "catalog.yaml": copied(CATALOG),
                     "strategies.yaml": copied(STRATEGY), "problems.yaml": copied(PROBLEMS)}
        self.files: dict[str, bytes] = {"branches.csv": BRANCHES.encode()}
        self.after: list[Callable[[Path], None]] = []     # done to the written folder

    def write(self, folder: Path) -> None:
        for name, data in self.yaml.items():
            self.files.setdefault(name, yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode())
        for name, content in self.files.items():
            try:
                (folder / name).write_bytes(content)
            except (OSError, ValueError):     # a name that this system does not allow
                continue
        for change in self.after:
            change(folder)


def copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items()}
    return [copied(value) for value in node] if isinstance(node, list) else node


# ---------------------------------------------------------------- ways to spoil one

def texts(rng: random.Random) -> Draft:
    """Cells' texts swapped for hostile ones."""
    top = rng.choice([0, 4, 4, 4])      # mostly in the table, where it is read, else anywhere
    return _books(rng, lambda rows: [_put(rng, rows, rng.choice(HOSTILE), top) for _ in range(rng.randint(1, 5))])


def moves(rng: random.Random) -> Draft:
    """Rows and columns moved, repeated, left out, cut short; cells swapped."""
    def change(rows):
        for _ in range(rng.randint(1, 3)):
            how, at, to = rng.choice("mrdcsib"), rng.randrange(len(rows)), rng.randrange(len(rows))
            if how == "m":
                rows.insert(to, rows.pop(at))
            elif how == "r":
                rows.insert(to, list(rows[at]))
            elif how == "d" and len(rows) > 3:
                rows.pop(at)
            elif how == "i":
                rows.insert(to, [None] * rng.randint(0, 3))
            elif how == "b":
                rows[at:at] = [[]] * rng.randint(1, 30)
            else:
                a, b = rng.randrange(6), rng.randrange(7)
                for row in rows:
                    row.extend([None] * (7 - len(row)))
                    if how == "c":
                        row.insert(b, row.pop(a))
                    elif rng.random() < 0.5:
                        row[a], row[b] = row[b], row[a]
    return _books(rng, change)


def sheets(rng: random.Random) -> Draft:
    """Sheets left out, repeated, renamed, in great number."""
    def change(book):
        how = rng.choice("drnhm")
        if how == "d":
            book.clear()
            book.append(("空", []))
        elif how == "r":
            book.append((rng.choice(["客 户", "客户 ", "客户2", "客户"]), copied(book[0][1])))
        elif how == "n":
            book[0] = (rng.choice(["交易", "客户\u200b", "客 户", "'客户'", "*", "[客户]", ""]), book[0][1])
        elif how == "h":
            name = rng.choice(HOSTILE)[: rng.choice([31, 3000])]
            book.append(("".join(c for c in name if c.isprintable() or c == "\u202e"), copied(book[0][1])))
        else:
            book += [(f"S{n}", [[n]]) for n in range(rng.choice([20, 120]))]
    return _books(rng, lambda rows: None, change)


def _books(rng: random.Random, change_rows, change_book=None) -> Draft:
    draft = Draft(WIDE)
    spoilt = rng.randrange(len(MONTHS))
    kind = rng.choice(["xlsx", "xlsx", "xlsx", "ods", "csv"]) if change_book is None else rng.choice(["xlsx", "ods"])
    for n, month in enumerate(MONTHS):
        book = [("客户", sheet_rows(n + 1))]
        if n == spoilt:
            change_rows(book[0][1])
            if change_book:
                change_book(book)
        if kind == "csv":
            draft.files[f"{month}.csv"] = as_csv([["" if v is None else str(v) for v in row] for row in book[0][1]])
        else:
            draft.files[f"{month}.{kind}"] = xlsx(book) if kind == "xlsx" else ods(book)
    return draft


def _put(rng: random.Random, rows: list[list[Any]], value: Any, top: int) -> None:
    row = rows[rng.randrange(top, len(rows))]
    at = rng.randrange(1 if top else 0, 6 if top else 7)
    row.extend([None] * (at + 1 - len(row)))
    row[at] = value


def parts(rng: random.Random) -> Draft:
    """Parts of a workbook edited as XML, left out, or put in the place of others."""
    draft, kind = _plain(rng, ["xlsx", "xlsx", "ods"])
    name = f"{MONTHS[rng.randrange(3)]}.{kind}"
    inside = unpacked(draft.files[name])
    for _ in range(rng.randint(1, 3)):
        part = rng.choice(sorted(p for p in inside if not p.startswith("docProps")))
        content, how = inside[part], rng.random()
        if how < 0.75:
            at = rng.randrange(len(content) + 1)
            inside[part] = content[:at] + rng.choice(FRAGMENTS) + content[at + rng.randint(0, 12):]
        elif how < 0.85:
            inside[part] = inside[rng.choice(sorted(inside))]
        elif how < 0.95 and len(inside) > 1:
            del inside[part]
        else:
            inside[rng.choice(["../evil.xml", "xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml",
                               "XL/WORKBOOK.XML"])] = content
    draft.files[name] = packed(inside)
    return draft


def flips(rng: random.Random) -> Draft:
    """Bytes of a workbook flipped, cut off, repeated."""
    draft, kind = _plain(rng, ["xlsx", "ods", "xls"])
    name = next(n for n in draft.files if n.endswith(kind))
    data = bytearray(draft.files[name])
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    how = rng.random()
    if how < 0.25:
        del data[rng.randrange(len(data)):]
    elif how < 0.35:
        at = rng.randrange(len(data))
        data[at:at] = data[max(0, at - 200):at]
    draft.files[name] = bytes(data)
    return draft


def _plain(rng: random.Random, kinds: list[str]) -> tuple[Draft, str]:
    draft, kind = Draft(WIDE), rng.choice(kinds)
    old = Path(__file__).resolve().parent.parent / "tests" / "sources" / "province.xls"
    if kind == "xls" and old.exists():
        draft.files["2010-03.xls"] = old.read_bytes()
        return draft, kind
    kind = "xlsx" if kind == "xls" else kind
    for n, month in enumerate(MONTHS):
        book = [("客户", sheet_rows(n + 1))]
        draft.files[f"{month}.{kind}"] = xlsx(book) if kind == "xlsx" else ods(book)
    return draft, kind


def tables(rng: random.Random) -> Draft:
    """A long CSV with hostile fields, other lengths, quotes, encodings, packed or not."""
    draft, rows = Draft(LONG), long_rows()
    for _ in range(rng.randint(0, 4)):
        row = rows[rng.randrange(len(rows))]
        if len(row) > 1:
            row[rng.randrange(1, len(row))] = rng.choice(HOSTILE)
        if rng.random() < 0.15:
            rows.insert(rng.randrange(len(rows)), rng.choice([[], ["x"], list(row), [""] * 6, ["x"] * 5_000]))
    data = as_csv(rows)
    how = rng.random()
    if how < 0.15:
        data = data.decode("utf-8", "replace").encode(rng.choice(["utf-16", "gb18030", "utf-8-sig", "big5"]), "replace")
    elif how < 0.45:
        data = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            sign = rng.choice(b'\0\n\r",;\t\xff=')
            data[rng.randrange(len(data))] = sign if rng.random() < 0.7 else rng.randrange(256)
        data = bytes(data)
    gz = rng.random() < 0.2
    draft.files["cells.csv.gz" if gz else "cells.csv"] = gzip.compress(data,
                                                                       mtime=0)[: rng.choice([None, None, -5,
                                                                                              30])] if gz else data
    return draft


def parquet(rng: random.Random) -> Draft:
    """A Parquet file with other types, repeated long texts, flipped bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    head, *rows = long_rows()
    columns: dict[str, Any] = dict(zip(head, map(list, zip(*rows))))
    how, name = rng.randrange(8), rng.choice(head)
    many = len(rows)
    if how == 0:
        columns[rng.choice(head[1:])] = pa.array([rng.choice([None, _utf8(rng.choice(HOSTILE))]) for _ in rows],
                                                 pa.string())
    elif how == 1:
        columns[name] = pa.array([[1]] * many)
    elif how == 2:
        columns[name] = pa.array([b"\x80\x04."] * many)
    elif how == 3:
        columns[name] = pa.array([{"a": 1}] * many)
    elif how == 4:
        columns = {k: pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()),
                                                     pa.array([v[0] * (30_000 if k == name else 1)]))
                   for k, v in columns.items()}
    elif how == 5:
        columns[name] = pa.array([rng.choice([float("nan"), float("inf"), -0.0, 1e308]) for _ in rows])
    elif how == 6:
        columns[name] = pa.nulls(many)
    buffer = io.BytesIO()
    meta = {"pandas": rng.choice(["{", "[]", '{"index_columns": [{"kind": "range"}], "columns": 3}', "\u202e"])}
    pq.write_table(pa.table(columns).replace_schema_metadata(meta), buffer,
                   compression=rng.choice(["zstd", "snappy", "gzip", "none"]))
    data = bytearray(buffer.getvalue())
    if how == 7 or rng.random() < 0.3:
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    draft = Draft(LONG)
    draft.files["cells.parquet"] = bytes(data)
    return draft


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def source_yaml(rng: random.Random) -> Draft:
    """Keys and values of ``sources.yaml`` changed, dropped, renamed, repeated; lines put in."""
    draft = _plain(rng, ["xlsx"])[0] if rng.random() < 0.6 else Draft(LONG)
    if "2010-01.xlsx" not in draft.files:
        draft.files["cells.csv"] = as_csv(long_rows())
    return _spoil_yaml(rng, draft, "sources.yaml")


def catalogue(rng: random.Random) -> Draft:
    """The same done to ``catalog.yaml``, or ``branches.csv`` edited."""
    draft = Draft(LONG)
    draft.files["cells.csv"] = as_csv(long_rows())
    if rng.random() < 0.5:
        return _spoil_yaml(rng, draft, "catalog.yaml")
    draft.files["branches.csv"] = _spoil_csv(rng, BRANCHES)
    return draft


def described(rng: random.Random) -> Draft:
    """The same done to strategies and problems."""
    draft = Draft(LONG)
    draft.files["cells.csv"] = as_csv(long_rows())
    return _spoil_yaml(rng, draft, rng.choice(["strategies.yaml", "problems.yaml"]))


def _spoil_csv(rng: random.Random, text: str) -> bytes:
    rows = list(csv.reader(io.StringIO(text)))
    for _ in range(rng.randint(1, 3)):
        row = rows[rng.randrange(len(rows))]
        if row:
            row[rng.randrange(len(row))] = rng.choice(HOSTILE)
        how = rng.random()
        if how < 0.1:
            rows.insert(rng.randrange(len(rows)), list(row))
        elif how < 0.2 and len(row) > 1:
            row.pop()
        elif how < 0.25:
            rows.pop(rng.randrange(len(rows)))
    data = bytearray(as_csv(rows))
    if rng.random() < 0.25:
        data[rng.randrange(len(data))] = rng.choice(b'\0\n\r"\xff,')
    return bytes(data)


def _spoil_yaml(rng: random.Random, draft: Draft, name: str) -> Draft:
    document = draft.yaml[name]
    for _ in range(rng.randint(1, 3)):
        places = [place for place in _places(document) if place]
        place = rng.choice(places)
        parent = document
        for key in place[:-1]:
            parent = parent[key]
        key, how = place[-1], rng.choice("rrrdnpt")
        if how == "r":
            parent[key] = rng.choice(ODD) if rng.random() < 0.5 else rng.choice(HOSTILE)
        elif how == "d":
            del parent[key]
        elif how == "n" and isinstance(parent, dict):
            parent[rng.choice([f"{key}s", f"{key}x", *HOSTILE])] = parent.pop(key)
        elif how == "p" and isinstance(parent, list):
            parent += [copied(parent[key])] * rng.choice([1, 300])
        elif how == "t":
            parent[key] = copied(_at(document, rng.choice(places)))
        if not isinstance(document, dict) or not document:
            break
    try:
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    except (yaml.YAMLError, UnicodeError):
        text = yaml.safe_dump(document, sort_keys=False)
    if rng.random() < 0.3:
        lines = text.split("\n")
        lines.insert(rng.randrange(len(lines)), rng.choice(LINES))
        text = "\n".join(lines)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.15:
        data[rng.randrange(len(data))] = rng.randrange(256)
    draft.files[name] = bytes(data)
    return draft


def _at(node: Any, place: tuple) -> Any:
    for step in place:
        held = step in node if isinstance(node, dict) else isinstance(node, list) and step < len(node)
        node = node[step] if held else None
    return node


def _places(node: Any, at: tuple = ()) -> list[tuple]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(place for key, inner in items for place in _places(inner, (*at, key)))]


def folder(rng: random.Random) -> Draft:
    """Files of hostile names, other endings, links, pipes, folders in the place of files."""
    draft, kind = _plain(rng, ["xlsx", "ods"])
    data = draft.files[f"{MONTHS[0]}.{kind}"]
    how = rng.randrange(9)
    if how == 0:
        name = rng.choice(HOSTILE).replace("/", "∕").replace("\0", "").encode("utf-8",
                                                                              "surrogatepass")[:150].decode("utf-8",
                                                                                                            "replace")
        draft.files[f"2010-04{name}.{kind}"] = data
    elif how == 1:
        draft.files[f"2010-04.{rng.choice(['xls', 'ods', 'xlsx', 'csv', 'xlsm', 'exe', 'xlsx.exe'])}"] = data
    elif how == 2:
        target = rng.choice(["/dev/zero", "/dev/null", "/etc/passwd", "..", "2010-01." + kind, "nowhere"])
        draft.after.append(lambda place: (place / f"2010-04.{kind}").symlink_to(target))
    elif how == 3:
        draft.after.append(lambda place: os.mkfifo(place / rng.choice([f"2010-04.{kind}", "strategies2.yaml"])))
    elif how == 4:
        draft.after.append(lambda place: (place / f"2010-04.{kind}").mkdir())
    elif how == 5:
        which = rng.choice(["sources.yaml", "catalog.yaml", "branches.csv", "strategies.yaml", "problems.yaml"])
        make = rng.choice([os.mkfifo, lambda p: Path(p).symlink_to("/dev/zero"), lambda p: Path(p).mkdir(),
                           lambda p: None])

        def replace(place: Path) -> None:
            (place / which).unlink()
            make(place / which)
        draft.after.append(replace)
    elif how == 6:
        draft.files[f"2010-04.{kind}"] = rng.choice([b"", b"PK\x03\x04", b"\0" * 5000, data[:100], data * 2,
                                                     b"x" + data, data + b"\0" * 70_000])
    elif how == 7:
        for n in range(40):
            draft.files[f"2010-03_修订{n}.{kind}"] = data
    else:
        inner = packed({"a.zip": packed({"b.zip": packed({"c": b"\0" * 2_000_000})})})
        parts_ = unpacked(data)
        parts_[rng.choice(["xl/worksheets/sheet9.xml", "xl/media/x.zip", "content.xml", "xl/styles.xml"])] = \
            rng.choice([inner, b" " * 30_000_000, b"<a>" * 300_000, b"<x" + b" a='1'" * 100_000])
        draft.files[f"{MONTHS[0]}.{kind}"] = packed(parts_)
    return draft


KINDS: dict[str, Callable[[random.Random], Draft]] = {
    "texts": texts, "rows and columns": moves, "sheets": sheets, "xml parts": parts, "bytes": flips, "csv": tables,
    "parquet": parquet, "sources.yaml": source_yaml, "catalogue": catalogue, "strategy, problems": described,
    "folder": folder,
}


def build(number: int, seed: int, place: Path) -> str:
    """Write the source of a case into a folder and return the kind of its mutation."""
    kind = list(KINDS)[number % len(KINDS)]
    KINDS[kind](random.Random(f"{seed}/{number}")).write(place)
    return kind
