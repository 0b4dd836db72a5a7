"""Whatever stands in a workbook or its YAML: cells equal to what is printed, or an error that says where and what.

Never an exception of another kind, never a number that is silently another one.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import zipfile
from pathlib import Path

import openpyxl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.catalog import load_catalog
from ebank_lib.errors import EbankError
from ebank_lib.sources.units import decimal

SCALE = int(os.environ.get("EBANK_FUZZ_SCALE", "1"))  # 330 examples in all, times this; above 1 other ones each time
LEAVES = {"客户数(户)": "online", "净新增(万户)": "online_new", "活动率(%)": "activity", "收入": "income"}


MORE = ("东城市分行", "1,234", "约 12", "９９％", "1２*")  # texts that a reader might be tempted to tidy


def fuzzed(examples):
    return settings(max_examples=examples * SCALE, derandomize=SCALE == 1)


@pytest.fixture(scope="module")
def kit():
    """The helpers of this folder's conftest."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("sources_kit", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(value):
    """The text of a cell, said independently of the library."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        number = float(f"{value:.16g}")  # as openpyxl writes it
        return str(int(number)) if number.is_integer() and abs(number) < 1e16 else decimal(number)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def outcome(folder):
    """Return the frames, or None after checking that the error says where and what."""
    try:
        source = folder.open()
        return source.cells(), source.notes(), source.accounting()
    except EbankError as error:
        assert error.file, f"no file: {error}"
        assert error.found is not None or error.expected is not None or "Known: " in str(error), str(error)
        assert len(str(error)) < 2000
        assert all(c.isprintable() for c in str(error)), "an error is one printable line"
        return None


# ---------------------------------------------------------------- workbooks, by what is in them

NAMES = st.sampled_from(
    [
        "东城分行",
        "东城",
        "机构",
        "合计",
        "注：",
        "",
        "\u3000",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "../../etc",
        "\u202eabc",
        "A" * 300,
        "单位：万元",
        "小计",
        "2010年3月",
        "客户数（户）",
        "收入",
        "个人网银",
        "-",
    ]
)
# A text of nothing but spaces is lost where XML is not told to keep it: the sheet shows it blank either way.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12).filter(
    lambda t: t.strip(" ") or not t
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NAMES,
    TEXTS,
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)),
    st.sampled_from(["１２３", "1,234", "约12", "2.5万", "—", "#N/A", "12*", "９９％", "1e5", "0351"]),
)
AT = st.tuples(st.integers(1, 12), st.integers(1, 8))
MUTATIONS = st.one_of(
    st.tuples(st.just("set"), AT, VALUES),
    st.tuples(st.just("heading"), st.sampled_from(["C3", "B3", "F3", "C4", "D4", "E4", "A3"]), NAMES | st.none()),
    st.tuples(st.just("swap"), st.sampled_from([("C4", "D4"), ("D4", "E4"), ("B3", "F3"), ("A3", "B3")]), st.none()),
    st.tuples(st.just("merge"), AT, AT),
    st.tuples(st.just("row"), st.integers(1, 10), VALUES),
    st.tuples(st.just("column"), st.integers(1, 7), VALUES),
    st.tuples(st.just("sheet"), st.sampled_from(["客户", "客 户", "客户2", "<b>", "A'B", "交易"]), st.booleans()),
    st.tuples(
        st.just("month"),
        st.none(),
        st.sampled_from(["2010-03", "2010-13", "2010-3", "1800-01", "201003", "x", "2010-03_修订2"]),
    ),
)


def mutate(sheet, kind, where, what):
    if kind == "set":
        cell = sheet.cell(*where)
        if not isinstance(cell, openpyxl.cell.cell.MergedCell):
            put(cell, what)
    elif kind == "heading":
        put(sheet[where], what)
    elif kind == "swap":
        (a, b), (first, second) = [sheet[w] for w in where], [sheet[w].value for w in where]
        put(a, second)
        put(b, first)
    elif kind == "merge":
        sheet.merge_cells(
            start_row=min(where[0], what[0]),
            end_row=max(where[0], what[0]),
            start_column=min(where[1], what[1]),
            end_column=max(where[1], what[1]),
        )
    elif kind == "row":
        sheet.insert_rows(where)
        put(sheet.cell(where, 3), what)
    elif kind == "column":
        sheet.insert_cols(where)
        put(sheet.cell(6, where), what)
    elif kind == "sheet":
        sheet.title = where
        if what:
            sheet.parent.create_sheet("客户" if where != "客户" else "其他")["B2"] = "机构"


def put(cell, value):
    if isinstance(cell, openpyxl.cell.cell.MergedCell):
        return
    try:
        cell.value = value
    except (ValueError, openpyxl.utils.exceptions.IllegalCharacterError):
        return
    if cell.data_type == "f":
        cell.data_type = "s"


def model_of(book):
    """Every filled cell of a workbook about to be saved, also under merged ranges: {(sheet, row, column): text}."""
    return {
        (page.title, cell.row, cell.column_letter): printed(cell.value)
        for page in book
        for cell in page._cells.values()
        if cell.value is not None and cell.value != ""
    }


@fuzzed(120)
@given(mutations=st.lists(MUTATIONS, min_size=1, max_size=3))
def test_a_spoilt_workbook_is_read_as_printed_or_refused_by_name(kit, mutations):
    name = next((what for kind, _, what in mutations if kind == "month"), "2010-03")
    with tempfile.TemporaryDirectory() as path:
        folder = kit.Folder(Path(path))

        model = {}

        def change(page):
            for mutation in mutations:
                mutate(page, *mutation)
            model.update(model_of(page.parent))

        folder.workbook(f"{name}.xlsx", change=change, rows=[*kit.ROWS[:3], MORE, *kit.ROWS[3:]])
        found = outcome(folder)
        if found is None:
            return
        cells, notes, accounting = found
        read = {(c.sheet, c.row, c.column): c.text for c in cells.itertuples()}
        assert len(read) == len(cells), "an address stands for one cell"
        assert {at: text for at, text in read.items() if text} == {at: model[at] for at, text in read.items() if text}
        assert not [at for at, text in read.items() if not text and model.get(at)]
        assert accounting.printed.sum() == len(model)
        assert (accounting.printed == accounting[["headings", "cells", "notes", "ignored"]].sum(axis=1)).all()
        for cell in cells.itertuples():
            heads = [model.get((cell.sheet, r, cell.column), "") for r in range(1, cell.row)]
            expected = {key for leaf, key in LEAVES.items() if leaf in [kit_fold(h) for h in heads]}
            assert cell.indicator in expected, (cell, heads)
        # A figure beside a branch's name, under a heading, is never a mere note.
        named = {
            r
            for (_, r, _), text in model.items()
            if text in ("东城分行", "西城分行", "北城分行") and r > cells.row.min()
        }
        columns = {(c.sheet, c.column) for c in cells.itertuples()}
        lost = [n for n in notes.itertuples() if n.row in named and (n.sheet, n.column) in columns and n.text.isdigit()]
        assert lost == []


def kit_fold(text):
    import unicodedata

    return "".join(unicodedata.normalize("NFKC", text).replace("*", "").split())


# ---------------------------------------------------------------- workbooks, by their bytes


def damaged(data, edits, cut):
    data = bytearray(data)
    for at, value in edits:
        data[at % len(data)] = value
    return bytes(data[: len(data) - cut % 200]) if cut else bytes(data)


@fuzzed(40)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 150) | st.just(0),
)
def test_flipped_bytes_are_noticed(kit, edits, cut):
    with tempfile.TemporaryDirectory() as path:
        folder = kit.Folder(Path(path))
        file = folder.workbook()
        before = folder.cells()
        file.write_bytes(damaged(file.read_bytes(), edits, cut))
        found = outcome(folder)
        if found is not None:
            assert found[0].equals(before)


@fuzzed(40)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 150),
)
def test_an_xls_with_flipped_bytes_is_read_or_refused(kit, edits, cut):
    with tempfile.TemporaryDirectory() as path:
        folder = kit.Folder(Path(path))
        folder.edit("*.xlsx", "*.xls")
        folder.write("2010-03.xls", damaged(Path(__file__).with_name("province.xls").read_bytes(), edits, cut))
        outcome(folder)  # the format has no checksum: a flipped digit cannot be told from another digit


FRAGMENTS = st.sampled_from(
    [
        b"</c>",
        b"<c>",
        b'<c r="XFD1048576"><v>1</v></c>',
        b'r="A1"',
        b'r="ZZZZ1"',
        b'r=""',
        b't="s"',
        b't="e"',
        b't="b"',
        b't="d"',
        b"<v>",
        b"</v>",
        b"<v>1e999</v>",
        b"<v>nan</v>",
        b"<f>1+1</f>",
        b"<row>",
        b"</row>",
        b'<row r="1048577">',
        b"&#0;",
        b"&x;",
        b"<!--",
        b"]]>",
        b"\xff",
        b"\0",
        b'<mergeCell ref="A1:XFD1048576"/>',
        b'ref="B"',
        b"9" * 400,
        b's="999"',
        b'<dimension ref="A1:XFD1048576"/>',
        b'<!DOCTYPE x [<!ENTITY x "y">]>',
    ]
)


@fuzzed(50)
@given(
    part=st.sampled_from(
        [
            "xl/worksheets/sheet1.xml",
            "xl/workbook.xml",
            "xl/styles.xml",
            "[Content_Types].xml",
            "xl/_rels/workbook.xml.rels",
            "_rels/.rels",
        ]
    ),
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 12), FRAGMENTS | st.binary(max_size=3)), min_size=1, max_size=3
    ),
    drop=st.booleans(),
)
def test_damaged_xml_is_read_or_refused(kit, part, edits, drop):
    with tempfile.TemporaryDirectory() as path:
        folder = kit.Folder(Path(path))
        file = folder.workbook()
        with zipfile.ZipFile(file) as archive:
            parts = {n: archive.read(n) for n in archive.namelist()}
        for at, length, fragment in edits:
            at %= len(parts[part]) + 1
            parts[part] = parts[part][:at] + fragment + parts[part][at + length :]
        if drop and len(edits) == 3:
            del parts[part]
        with zipfile.ZipFile(file, "w") as archive:
            for n, content in parts.items():
                archive.writestr(n, content)
        outcome(folder)


# ---------------------------------------------------------------- YAML

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(
        [
            "..",
            "../*.xlsx",
            "/etc/passwd",
            "C:\\x",
            "(a+)+$",
            "(?P<year>.*)(?P<month>.*)",
            "*",
            "online",
            "column",
            "**",
        ]
    ),
)
LINES = st.sampled_from(
    [
        "\t- x",
        "a: !!python/object:os.system x",
        "b: &a [1]",
        "c: *a",
        "title: 1",
        "- - -",
        "? :",
        "{",
        "%YAML 9",
        "---",
        "'",
        '"',
        "a: >",
        "!!binary x",
        "0: 1",
        "files: []",
        "\ufeff",
        "limits: {files: 0}",
        "limits: {sheet_cells: 3}",
    ]
)


def paths_in(node, at=()):
    yield at
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield from paths_in(inner, (*at, key))


def at_path(node, path):
    for key in path:
        node = node[key]
    return node


@fuzzed(80)
@given(data=st.data())
def test_a_spoilt_yaml_is_understood_or_refused_by_key(kit, data):
    with tempfile.TemporaryDirectory() as path:
        folder = kit.Folder(Path(path))
        model = {}
        folder.workbook(change=lambda page: model.update(model_of(page.parent)))
        document = yaml.safe_load(kit.SOURCES)
        for _ in range(data.draw(st.integers(1, 2))):
            places = [p for p in paths_in(document) if p]
            place = data.draw(st.sampled_from(places))
            parent, key = at_path(document, place[:-1]), place[-1]
            how = data.draw(st.sampled_from(["replace", "drop", "rename", "repeat"]))
            if how == "replace":
                parent[key] = data.draw(JUNK)
            elif how == "drop":
                del parent[key]
            elif how == "rename" and isinstance(parent, dict):
                parent[f"{key}{data.draw(st.sampled_from(['s', 'x', '_', '']))}"] = parent.pop(key)
            elif how == "repeat" and isinstance(parent, list):
                parent.append(parent[key])
        text = yaml.safe_dump(document, allow_unicode=True)
        if data.draw(st.booleans()):
            lines = text.split("\n")
            lines.insert(data.draw(st.integers(0, len(lines))), data.draw(LINES))
            text = "\n".join(lines)
        (folder.path / "sources.yaml").write_text(text, encoding="utf-8")
        found = outcome(folder)
        if found is not None:
            assert all(
                cell.text == model.get((cell.sheet, cell.row, cell.column), "") for cell in found[0].itertuples()
            )


def test_the_model_of_this_test_reads_what_the_library_reads(kit, tmp_path):
    folder = kit.Folder(tmp_path)
    model = {}
    folder.workbook(change=lambda page: model.update(model_of(page.parent)))
    cells, _, _ = outcome(folder)
    assert len(cells) == 16
    assert [c.text for c in cells.itertuples()] == [
        model.get((c.sheet, c.row, c.column), "") for c in cells.itertuples()
    ]
    assert load_catalog(tmp_path / "catalog.yaml", tmp_path / "branches.csv").indicators.keys() == set(LEAVES.values())
