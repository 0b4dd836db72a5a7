"""Files of a source that lie about themselves: refused with the limit and how to change it, or read as what they print.

Beside tests/sources/test_hostile.py, which has the workbook's own attacks.
"""

import importlib.util
import io
import json
import os
import struct
import threading
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ebank_lib.errors import ConfigError, EbankError, SourceError
from ebank_lib.rules import load_problems
from ebank_lib.scenarios import load_strategy
from ebank_lib.sources.grids import read_bytes
from ebank_lib.sources.spec import Limits

SHEET = "xl/worksheets/sheet1.xml"
LONG = ("- {path: 't.*', layout: long, branch: a, month: {from: column, column: m}, columns: {b: online}, "
        "unmapped: ignore}")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")


def _kit():
    path = Path(__file__).parent.parent / "sources" / "conftest.py"
    spec = importlib.util.spec_from_file_location("hostile_kit", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KIT = _kit()


@pytest.fixture
def folder(tmp_path):
    return KIT.Folder(tmp_path)


@pytest.fixture
def province(folder):
    folder.workbook()
    return folder


@pytest.fixture
def table(folder):
    """A long table as CSV: two rows of three columns."""
    folder.write("t.csv", "m,a,b\n2010-01,东城,1\n2010-02,东城,2\n")
    folder.files(LONG)
    return folder


def repack(path, changes):
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    for name, change in changes.items():
        parts[name] = change(parts.get(name, b"")) if callable(change) else change
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def limits(folder, **values):
    path = folder.path / "sources.yaml"
    path.write_text(path.read_text(encoding="utf-8") + f"\nlimits: {json.dumps(values)}\n", encoding="utf-8")


# ---------------------------------------------------------------- every limit, and how it is changed

BOOK, ROWS = "2010-03.xlsx", "t.csv"


def refused_then_read(folder, key, low, high):
    """A source's cells under the higher limit, after the lower one refused it by its name."""
    text = (folder.path / "sources.yaml").read_text(encoding="utf-8")
    limits(folder, **{key: low})
    with pytest.raises(SourceError, match=rf"expected at most {low} \(limits\.{key}\)"):
        folder.cells()
    (folder.path / "sources.yaml").write_text(text, encoding="utf-8")
    limits(folder, **{key: high})
    return folder.cells()


@pytest.mark.parametrize(("key", "low", "high"), [
    ("file_bytes", 1_000, 100_000), ("unpacked_bytes", 5_000, 100_000), ("sheet_cells", 20, 1_000)])
def test_a_workbook_over_a_limit_is_refused_by_its_key_and_read_once_it_is_raised(province, key, low, high):
    assert len(refused_then_read(province, key, low, high)) == 16


@pytest.mark.parametrize(("key", "low", "high"), [
    ("file_bytes", 20, 100), ("table_cells", 5, 9)])
def test_a_table_over_a_limit_is_refused_by_its_key_and_read_once_it_is_raised(table, key, low, high):
    assert refused_then_read(table, key, low, high).text.tolist() == ["1", "2"]


@pytest.mark.parametrize("value", [0, -1, 1.5, "a lot", None, True, float("inf")])
def test_a_limit_is_a_whole_number_above_nought(province, value):
    limits(province, file_bytes=value if value != float("inf") else 1e999)
    with pytest.raises(ConfigError, match=r"limits\.file_bytes"):
        province.open()


def test_the_documentation_states_every_limit_as_it_is(root):
    text = (root / "docs" / "how-to" / "security.md").read_text(encoding="utf-8")
    for name, field in Limits.model_fields.items():
        assert f"`{name}` | {field.default:,} |" in text, name


# ---------------------------------------------------------------- workbooks

def many_sheets(path, count, row):
    """Repeat the sheet of a workbook, with a row put in, under other names."""
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheets, relations = "", ""
    for n in range(100, 100 + count):
        parts[f"xl/worksheets/s{n}.xml"] = parts[SHEET].replace(b"</sheetData>", row + b"</sheetData>")
        sheets += f'<sheet xmlns:r="{office}" name="S{n}" sheetId="{n}" r:id="rX{n}"/>'
        relations += f'<Relationship Type="{office}/worksheet" Target="/xl/worksheets/s{n}.xml" Id="rX{n}"/>'
    for part, end, more in (("xl/workbook.xml", b"</sheets>", sheets),
                            ("xl/_rels/workbook.xml.rels", b"</Relationships>", relations)):
        parts[part] = parts[part].replace(end, more.encode() + end)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_sheets_of_formatting_only_are_no_cells(province):
    many_sheets(province.path / BOOK, 6, b'<row r="90000"><c r="K90000" s="1"/></row>')
    assert len(province.cells()) == 16


def test_an_archive_within_an_archive_is_no_part_of_a_workbook(province):
    before = province.cells()
    inner = b"\0" * 3_000_000
    for _ in range(4):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.zip", inner)
        inner = buffer.getvalue()
    repack(province.path / BOOK, {"xl/embeddings/x.zip": inner, "xl/worksheets/deep/x.xml": b"<x/>"})
    assert province.cells().equals(before)


def test_what_a_cell_links_to_is_text(province):
    """An external link, a query of another program (DDE), a web query: none is followed, and none is read."""
    before = province.cells()
    repack(province.path / BOOK, {
        "xl/externalLinks/externalLink1.xml": b'<x><ddeLink ddeService="cmd" ddeTopic="/C calc"/></x>',
        "xl/connections.xml": b'<connections><connection id="1" sourceFile="http://host/x"/></connections>',
        "xl/worksheets/_rels/sheet1.xml.rels":
            b'<Relationships><Relationship Id="r1" Target="http://host/x" TargetMode="External"/></Relationships>'})
    assert province.cells().equals(before)


@pytest.mark.parametrize("name",
                         ["2010-03.xlsm", "2010-03.xlsb", "2010-03.xlam", "2010-03.docx", "2010-03.xlsx.exe",
                          "2010-03"])
def test_workbooks_with_programs_and_other_files_are_of_another_kind(province, name):
    (province.path / BOOK).rename(province.path / name)
    province.edit("*.xlsx", "2010-*")
    with pytest.raises(SourceError, match="is of another kind"):
        province.cells()


def test_an_encrypted_workbook_is_refused(province):
    """Office wraps one in a compound file without a stream of the old format."""
    head = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504)
    struct.pack_into("<HHHHH", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<5I", head, 44, 1, 1, 0, 4096, 0xFFFFFFFE)
    struct.pack_into("<4I", head, 64, 0, 0xFFFFFFFE, 0, 0)
    directory = b""
    for name, kind in (("Root Entry", 5), ("EncryptedPackage", 2), ("EncryptionInfo", 2)):
        text = name.encode("utf-16-le") + b"\0\0"
        directory += text.ljust(64, b"\0") + struct.pack("<HBB12x", len(text), kind, 1) + b"\0" * 48
    (province.path / BOOK).write_bytes(bytes(head) + directory.ljust(512, b"\0") + struct.pack("<128I",
                                                                                               *[0xFFFFFFFE] * 128))
    with pytest.raises(SourceError, match="is locked by a password|is damaged or no workbook"):
        province.cells()


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/null", "/dev/stdin", "/dev/random"])
def test_a_device_is_no_workbook(province, target):
    (province.path / "2010-04.xlsx").symlink_to(target)
    assert province.open().files().file.tolist() == [BOOK]
    (province.path / "catalog.yaml").unlink()
    (province.path / "catalog.yaml").symlink_to(target)
    with pytest.raises(ConfigError, match="cannot be read|no plain|holds no mapping"):
        province.open()


@needs_pipes
def test_a_pipe_is_no_workbook_and_nobody_waits_for_its_other_end(province):
    os.mkfifo(province.path / "2010-04.xlsx")
    assert province.open().files().file.tolist() == [BOOK]
    with pytest.raises(SourceError, match="no plain file"):
        read_bytes(province.path / "2010-04.xlsx", "x", Limits())


def test_a_file_that_grows_is_read_up_to_the_limit(tmp_path):
    path, stop = tmp_path / "x.xlsx", threading.Event()
    path.write_bytes(b"x" * 1_000)

    def grow():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set() and file.tell() < 50_000_000:
                file.write(b"x" * 100_000)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(SourceError, match=r"limits\.file_bytes"):
            while True:
                read_bytes(path, "x", Limits(file_bytes=20_000_000))
    finally:
        stop.set()
        writer.join()


# ---------------------------------------------------------------- CSV

@pytest.mark.parametrize(("content", "message"), [
    (b'm,a,b\n"' + b"x" * 200_000, "is no CSV file"),
    (b"," * 6_000_000, r"has too many fields.*limits\.table_cells"),
    (b"m,a,b\n\xff\xff,x,1\n", "another encoding"),
    ("m,a,b\n2010-01,x,1\n".encode("utf-32"), "another encoding|needs the column"), (b"\0" * 100, "needs the column"),
    (b"m,a,b\n2010-01,x\n", "another length"), (b"", "is empty")])
def test_a_csv_file_that_is_none_is_refused(table, content, message):
    table.write("t.csv", content)
    with pytest.raises(SourceError, match=message):
        table.cells()


def test_a_nul_in_a_csv_file_is_a_sign_like_another_or_refused(table):
    table.write("t.csv", b"m,a,b\n2010-01,x\0y,1\0\n")
    try:
        cells = table.cells()
    except SourceError as error:
        assert "NUL" in str(error)
    else:
        assert cells.text.tolist() == ["1\0"]


# ---------------------------------------------------------------- Parquet

def parquet(folder, **columns):
    options = {k[1:]: columns.pop(k) for k in [k for k in columns if k.startswith("_")]}
    pq.write_table(pa.table(columns).replace_schema_metadata(options.pop("meta", None)), folder.path / "t.parquet",
                   **options)
    folder.files(LONG)
    return folder


GOOD = {"m": ["2010-01"], "a": ["东城"], "b": ["1"]}
ONE = pa.array([0] * 300_000, pa.int32())


@pytest.mark.parametrize(("columns", "message"), [
    ({"m": pa.DictionaryArray.from_arrays(ONE, ["2010-01"]), "a": pa.DictionaryArray.from_arrays(ONE, ["x" * 30_000]),
      "b": pa.DictionaryArray.from_arrays(ONE, ["1"]), "_store_schema": False}, r"limits\.unpacked_bytes"),
    ({**{f"c{n}": pa.nulls(300_000, pa.int32()) for n in range(20)}}, r"limits\.table_cells"),
    ({**GOOD, "b": [b"\x80\x04."]}, "no table's.*binary"), ({**GOOD, "b": [[1]]}, "no table's.*list"),
    ({**GOOD, "b": [{"a": 1}]}, "no table's.*struct"),
    ({**GOOD, "b": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))},
                                                        "no table's.*map"),
    ({**GOOD, "b": pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2))}, "no table's"),
    ({**GOOD, "b": pa.array([b"x" * 16], pa.uuid())}, "no table's"),
])
def test_a_parquet_file_that_is_no_table_or_too_large_is_refused(folder, columns, message):
    with pytest.raises(SourceError, match=message):
        parquet(folder, **columns).cells()


def test_columns_nested_without_end_are_refused(folder):
    value = pa.array([1])
    for _ in range(500):
        value = pa.StructArray.from_arrays([value], ["x"])
    with pytest.raises(SourceError, match="nested|no table's"):
        parquet(folder, **GOOD, deep=value).cells()


@pytest.mark.parametrize("meta",
                         ["{", "[]", '{"columns": 3}',
                          '{"index_columns": ["__import__"], "columns": [{"pandas_type": "object"}]}',
                                  "x" * 100_000])
def test_what_pandas_would_believe_is_not_looked_at(folder, meta):
    assert parquet(folder, **GOOD, _meta={"pandas": meta}).cells().text.tolist() == ["1"]


def test_an_extension_type_that_unpickles_is_not_loaded(folder, tmp_path):
    """Arrow once stored Python classes in a file's own schema, to be unpickled by whoever read it."""
    field = pa.field("b", pa.binary(), metadata={"ARROW:extension:name": "arrow.py_extension_type",
                                                 "ARROW:extension:metadata": "cos\nmkdir\n(S'planted'\ntR."})
    made = pa.table([pa.array(["2010-01"]), pa.array(["x"]), pa.array([b"1"])],
                    pa.schema([("m", pa.string()), ("a", pa.string()), field]))
    pq.write_table(made, folder.path / "t.parquet")
    folder.files(LONG)
    with pytest.raises(SourceError, match="no table's"):
        folder.cells()
    assert not Path("planted").exists()


def test_repeated_texts_within_the_limit_are_read_in_full(folder):
    ones = pa.array([0, 0, 1], pa.int32())
    cells = parquet(folder, m=pa.DictionaryArray.from_arrays(ones, ["2010-01", "2010-02"]), a=["x", "y", "x"],
                    b=pa.DictionaryArray.from_arrays(ones, ["1", "2"])).cells()
    assert cells.text.tolist() == ["1", "1", "2"]


# ---------------------------------------------------------------- databases

URL = "postgresql://ann:s3cret@127.0.0.1:1/x"


@pytest.mark.parametrize("files", [
    f"- {{url_env: '{URL}', query: SELECT 1, branch: a, month: {{from: column, column: m}}, columns: {{b: online}}}}",
    f"- {{url: '{URL}', url_env: X, query: S, branch: a, month: {{from: column, column: m}}, columns: {{b: online}}}}",
    f"- {{path: '{URL}', layout: long, branch: a, month: {{from: column, column: m}}, columns: {{b: online}}}}",
    f"- {{path: '*.xlsx', '{URL}': x, sheets: []}}", f"- '{URL}'", f"- {{layout: '{URL}'}}",
    f"- {{url_env: EBANK_UNSET, name: '{URL}', query: SELECT 1, branch: a, month: {{from: column, column: m}}, "
    "columns: {b: online}}",
])
def test_an_address_written_into_the_yaml_is_refused_and_its_password_not_quoted(folder, files):
    folder.files(files)
    with pytest.raises(EbankError) as caught:
        folder.cells()
    assert "s3cret" not in str(caught.value)


def test_a_folder_named_by_a_variable_with_a_password_is_not_quoted(province, monkeypatch):
    monkeypatch.setenv("EBANK_HOSTILE_URL", "host=h s3cret")
    province.edit("files:", "root_env: EBANK_HOSTILE_URL\nfiles:")
    with pytest.raises(ConfigError, match="is no folder; found 'what EBANK_HOSTILE_URL holds'") as caught:
        province.open()
    assert "s3cret" not in repr(caught.value) + str(caught.value)


# ---------------------------------------------------------------- what describes a source

BOMBS = ["a: &a [x]\nb: [*a, *a]\n", "a: !!python/object/apply:os.system [x]\n", "a: !!python/name:os.system\n",
         "[" * 50, "- a\n- b\n",
         "a: {<<: {b: 1}}\n", "a: 1\na: 2\n", "a: " + "9" * 5_000 + "\n", "a: 2010-99-99\n", 'a: "\\0"\n',
         "\xff".encode("latin-1"), "",
         "a: " + "x" * 1_000_001]


@pytest.mark.parametrize("load", [load_strategy, load_problems])
@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_strategies_and_problems_are_plain_data(tmp_path, load, text):
    path = tmp_path / "x.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.file == str(path) and len(str(caught.value)) < 1_000


@pytest.mark.parametrize("month", ["NaT", "nan", "2010-13", "99999-01", "", "now", "2010Q9", "-1"])
def test_the_month_of_an_event_is_a_month(province, month):
    province.edit("files:", f"events: [{{month: '{month}', zh: a, en: b}}]\nfiles:")
    with pytest.raises(ConfigError, match=r"events\.0\.month"):
        province.open()
