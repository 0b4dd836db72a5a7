"""A cleaned source comes back from the store as it was; what is damaged or planted there is made again."""

import hashlib
import pickle
import shutil

import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from ebank_lib.cleaning import clean
from ebank_lib.errors import SourceError
from ebank_lib.sources import open_source, source
from ebank_lib.store import VARIABLE

TABLES = ("panel", "entries", "ledger", "cells", "conservation", "judged")


@pytest.fixture(scope="module")
def place(tmp_path_factory, root):
    """A store that holds the sample."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        clean(root / "data" / "shandong")
    return folder


@pytest.fixture
def kept(place, root, monkeypatch):
    """The sample from the store: reading a workbook or cleaning is an error."""
    monkeypatch.setenv(VARIABLE, str(place))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ebank_lib.sources.source._read", "ebank_lib.cleaning.cleaned.assemble"):
            patch.setattr(name, None)
        yield clean(root / "data" / "shandong")


def equal(a, b):
    assert_frame_equal(a, b, check_exact=True, check_categorical=True)
    assert list(map(repr, a.dtypes)) == list(map(repr, b.dtypes))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_back_as_it_was(name, kept, cleaned):
    equal(getattr(kept, name), getattr(cleaned, name))
    if name == "panel":
        assert kept.panel.index.identical(cleaned.panel.index) and kept.panel.columns.identical(cleaned.panel.columns)
        assert all(a.identical(b) for a, b in zip(kept.panel.index.levels, cleaned.panel.index.levels))


def test_the_source_says_the_same_without_reading_a_workbook(kept, shandong):
    for name in ("cells", "notes", "accounting", "files"):
        equal(getattr(kept.source, name)(), getattr(shandong, name)())


def test_questions_have_the_same_answers(kept, cleaned):
    assert kept._repr_html_() == cleaned._repr_html_() and repr(kept) == repr(cleaned)
    equal(kept.of("rizhao", "en"), cleaned.of("rizhao", "en"))
    equal(pickle.loads(pickle.dumps(kept)).entries, cleaned.entries)


def test_months_and_policy_are_kept_apart(place, root, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(place))
    folder = root / "data" / "shandong"
    short = [clean(folder, policy="none", start="2009-01", end="2009-03") for _ in range(2)]
    monkeypatch.delenv(VARIABLE)
    direct = clean(folder, policy="none", start="2009-01", end="2009-03")
    for found in short:
        for name in TABLES:
            equal(getattr(found, name), getattr(direct, name))


@pytest.fixture(scope="module")
def province(tmp_path_factory, root):
    """Four months of the sample, to be changed."""
    folder = tmp_path_factory.mktemp("province") / "data" / "shandong"
    folder.mkdir(parents=True)
    for path in (root / "data" / "shandong").iterdir():
        if path.suffix == ".yaml" or "2010-05" <= path.name < "2010-09":
            shutil.copy(path, folder)
    for path in (root / "data").glob("*.*"):
        shutil.copy(path, folder.parent)
    return open_source(folder)


def ipc(metadata=None, **columns):
    out = pa.BufferOutputStream()
    table = pa.table(columns).replace_schema_metadata(metadata)
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue().to_pybytes()


def sealed(body):
    return hashlib.sha256(body).digest() + body


@pytest.mark.parametrize(("part", "damage"), [
    ("cleaned", lambda p: p.unlink()), ("source", lambda p: p.write_bytes(p.read_bytes()[:-3] + b"abc")),
    *((part, lambda p, body=body: p.write_bytes(sealed(body))) for part, body in (
        ("cleaned", b"x"), ("source", b"x" * 1000), ("cleaned", ipc()), ("source", ipc(a=[1])))),
    ("cleaned", lambda p: p.write_bytes(sealed(p.read_bytes()[32:-100]))),
    ("source", lambda p: p.write_bytes(sealed(ipc({"name": "a", "pandas": "{"}, a=[1]))))])
def test_what_is_damaged_or_planted_is_made_again(part, damage, province, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    first = clean(open_source(province.path))
    for path in (tmp_path / "store" / part).rglob("*"):
        if path.is_file():
            damage(path)
    again = clean(open_source(province.path))
    for name in TABLES:
        equal(getattr(again, name), getattr(first, name))
    equal(again.source.files(), first.source.files())


def test_a_file_that_changes_while_it_is_read_is_an_error_and_keeps_nothing(province, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    read, before = source.read_bytes, set()

    def late(path, name, limits):
        changed = path in before
        before.add(path)
        return read(path, name, limits) + b"\n" * changed

    monkeypatch.setattr(source, "read_bytes", late)
    with pytest.raises(SourceError, match="was changed while it was read"):
        clean(open_source(province.path))
    assert not [p for p in (tmp_path / "store").rglob("*") if p.is_file()]


@pytest.mark.parametrize("file", ["sources.yaml", "../catalog.yaml", "../branches.csv", "2010-07.xlsx"])
def test_whatever_is_changed_is_read_and_cleaned_anew(file, province, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(province.path.parent.parent, folder)
    path = folder / "shandong" / file
    before = open_source(folder / "shandong").content
    assert before == open_source(folder / "shandong").content
    changed = {"sources.yaml": ("simulated: true", "simulated: false"), "../branches.csv": ("Rizhao", "Ridjao"),
               "../catalog.yaml": ("个人网银客户", "个人网银用户")}.get(file)
    if changed:
        text = path.read_text(encoding="utf-8")
        assert changed[0] in text
        path.write_text(text.replace(*changed, 1), encoding="utf-8")
    else:
        path.write_bytes((folder / "shandong" / "2010-06.xlsx").read_bytes())
    assert open_source(folder / "shandong").content != before


def test_the_store_takes_little_room(place, root):
    size = sum(p.stat().st_size for p in place.rglob("*") if p.is_file())
    assert size < 3 * sum(p.stat().st_size for p in (root / "data" / "shandong").glob("*.xlsx"))


def test_a_long_table_of_many_banks_comes_back_as_it_was(root, shared_data, tmp_path, monkeypatch):
    folder, there = root / "tests" / "rbi" / "mobile", shared_data.parent
    direct = clean(open_source(folder, there))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    clean(open_source(folder, there))
    for name in TABLES:
        equal(getattr(clean(open_source(folder, there)), name), getattr(direct, name))
