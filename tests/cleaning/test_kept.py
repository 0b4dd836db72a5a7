"""A cleaned source comes back from the store as it was, part by part; what was looked at is known by name."""

import json
import pickle
import shutil
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ebank_lib import analyse_growth, reads, stylised_facts
from ebank_lib.charts.cleaning import printed_series, share_table
from ebank_lib.cleaning import Cleaned, clean, fingerprints
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
        for name in ("ebank_lib.sources.source._read", "ebank_lib.cleaning.assemble"):
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


def test_the_source_says_the_same_without_reading_a_workbook(kept, shandong):
    for name in ("cells", "notes", "accounting", "files"):
        equal(getattr(kept.source, name)(), getattr(shandong, name)())


def test_every_question_has_the_same_answer(kept, cleaned):
    for lang in ("zh", "en"):
        for name in ("summary", "quality", "reading"):
            a, b = getattr(kept, name)(lang=lang), getattr(cleaned, name)(lang=lang)
            assert a == b if isinstance(a, str) else equal(a, b) is None
    assert kept._repr_html_() == cleaned._repr_html_() and repr(kept) == repr(cleaned)
    for branch in cleaned.branches[::4]:
        equal(kept.of(branch), cleaned.of(branch))
        equal(kept.rows(branch), cleaned.rows(branch))
        equal(kept.block(branch), cleaned.block(branch))
        equal(kept.trace(branch, "2010-03", "mobile"), cleaned.trace(branch, "2010-03", "mobile"))
        assert kept.reading(branch) == cleaned.reading(branch)
        assert printed_series(kept, branch, "mobile").equals(printed_series(cleaned, branch, "mobile"))
    equal(share_table(kept), share_table(cleaned))
    equal(kept.total(), cleaned.total())


def test_the_questions_of_one_branch_leave_the_ledger_and_the_cells_where_they_are(kept):
    for ask in (kept.of, kept.rows, kept.block, kept.reading):
        ask("rizhao")
    kept.series("rizhao", "mobile"), kept.summary(), kept.quality(), kept.reading(), share_table(kept), repr(kept)
    assert callable(kept.__dict__["_entries"]) and callable(kept.__dict__["_cells"])


def test_a_worker_gets_the_same(kept, cleaned):
    sent = pickle.loads(pickle.dumps(kept))
    equal(sent.entries, cleaned.entries)
    equal(sent.panel, cleaned.panel)


def test_months_and_policy_are_kept_apart(place, root, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(place))
    folder = root / "data" / "shandong"
    short = [clean(folder, policy="none", start="2009-01", end="2009-03") for _ in range(2)]
    monkeypatch.delenv(VARIABLE)
    direct = clean(folder, policy="none", start="2009-01", end="2009-03")
    for found in short:
        for name in TABLES:
            equal(getattr(found, name), getattr(direct, name))


GONE, TORN = (lambda p: p.unlink()), (lambda p: p.write_bytes(p.read_bytes()[:-3] + b"abc"))


@pytest.mark.parametrize("part, damage", [
    ("cleaned", TORN), ("cleaned-panel", GONE), ("cleaned-panel", TORN), ("cleaned-entries", TORN),
    ("cleaned-judged", TORN), ("source-cells", GONE), ("source-files", TORN)])
def test_a_damaged_part_is_made_again(part, damage, province, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    first = clean(province)
    for path in (tmp_path / "store" / part).rglob("*"):
        if path.is_file():
            damage(path)
    again = clean(open_source(province.path))
    for name in TABLES:
        equal(getattr(again, name), getattr(first, name))
    equal(again.rows(first.branches[0]), first.rows(first.branches[0]))
    equal(again.source.files(), first.source.files())


def test_a_file_that_changes_while_it_is_read_is_an_error_and_keeps_nothing(province, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    read = source._read

    def late(opened):
        found = read(opened)
        return found | {"files": found["files"].assign(sha256="0" * 64)}

    monkeypatch.setattr(source, "_read", late)
    with pytest.raises(source.SourceError, match="was changed while it was read"):
        clean(open_source(province.path))
    assert not [p for p in (tmp_path / "store").rglob("*") if p.is_file()]


# --- what was looked at

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


LOOKS = {
    "of": {"branch:rizhao"}, "series": {"branch:rizhao"}, "block": {"branch:rizhao"}, "rows": {"branch:rizhao"},
    "trace": {"branch:rizhao"}, "growth": {"branch:rizhao"}, "facts": {"branch:rizhao", "total"},
    "panel": {"panel"}, "ledger": {"ledger"}, "entries": {"ledger"}, "rejected": {"ledger"}, "cells": {"cells"},
    "judged": {"judged"}, "summary": {"counts"}, "quality": {"counts"}, "reading": {"counts"}, "map": {"map"},
    "months": set(), "branches": set(), "replace": {"panel", "ledger"}, "worker": {"panel", "ledger", "cells"}}
ASK = {
    "series": lambda c: c.series("rizhao", "mobile"), "of": lambda c: c.of("rizhao"),
    "block": lambda c: c.block("rizhao"), "rows": lambda c: c.rows("rizhao"),
    "trace": lambda c: c.trace("rizhao", "2010-03", "mobile"), "growth": lambda c: analyse_growth(c, "rizhao"),
    "facts": lambda c: stylised_facts(c, "rizhao"), "summary": lambda c: c.summary(), "map": share_table,
    "quality": lambda c: c.quality(), "reading": lambda c: c.reading(),
    "replace": lambda c: replace(c, cells=None), "worker": lambda c: pickle.dumps(c)}


@pytest.mark.parametrize("what", LOOKS)
@pytest.mark.parametrize("stored", [False, True])
def test_what_was_looked_at_has_a_name(what, stored, place, root, tmp_path, cleaned, monkeypatch):
    how = ("conservative", None, None)
    in_memory = Cleaned(cleaned.source, cleaned.catalog, cleaned.panel, cleaned.entries, cleaned.cells, cleaned.policy,
                        cleaned.conservation, how)
    monkeypatch.setenv(reads.VARIABLE, str(tmp_path / "reads.json"))
    monkeypatch.delenv(reads._OWNER, raising=False)
    monkeypatch.setenv(VARIABLE, str(place))
    found = clean(root / "data" / "shandong") if stored else in_memory
    reads.note("about", str(found.source.path), how)
    assert found.reads == set()
    ASK.get(what, lambda c: getattr(c, what))(found)
    monkeypatch.delenv(reads._OWNER)
    assert found.reads == LOOKS[what]
    assert set(json.loads((tmp_path / "reads.json").read_text())) == LOOKS[what] | {"about"}
    if stored:
        assert set(fingerprints(found)) >= LOOKS[what] | {"about"}


def change(folder, branch, value):
    """Write one number into the cell of a branch's mobile customers, July 2010."""
    book = openpyxl.load_workbook(folder / "2010-07.xlsx")
    for sheet in book:
        for row in sheet.iter_rows():
            if any(branch in str(cell.value) for cell in row):
                cell = next(c for c in reversed(row) if isinstance(c.value, (int, float)))
                before, cell.value = cell.value, value(cell.value)
                book.save(folder / "2010-07.xlsx")
                return before, cell.value
    raise AssertionError(branch)


@pytest.fixture(scope="module")
def changed(province, tmp_path_factory):
    """The fingerprints before and after one number of Rizhao changed."""
    folder = tmp_path_factory.mktemp("changed") / "data"
    shutil.copytree(province.path.parent.parent, folder)
    change(folder / "shandong", "日照", lambda v: v)      # as openpyxl writes it
    before = fingerprints(clean(folder / "shandong"))
    for name in ("日照", "合计"):                           # the total goes with it, and proves what it proved before
        change(folder / "shandong", name, lambda v: v + 1)
    return before, fingerprints(clean(folder / "shandong"))


def test_a_changed_cell_moves_its_branch_and_what_is_made_of_all_and_no_other_branch(changed):
    before, after = changed
    moved = {name for name in before if before[name] != after[name]}
    assert {"branch:rizhao", "panel", "ledger", "cells", "files"} <= moved
    others = {name for name in moved if name.startswith("branch:")} - {"branch:rizhao"}
    assert len(others) <= 2     # the total, and whose proof rests on the total's row of that month
    assert "about" not in moved and "accounting" not in moved


def test_fingerprints_are_the_same_from_the_store_and_from_memory(kept, cleaned):
    assert fingerprints(kept) == fingerprints(cleaned)
    assert kept.reads == set()


@pytest.mark.parametrize("file", ["sources.yaml", "facts.yaml", "../catalog.yaml", "../strategies.yaml"])
def test_a_changed_yaml_file_moves_what_is_known_about_the_source(file, province, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(province.path.parent.parent, folder)
    before = fingerprints(clean(folder / "shandong"))
    path = folder / "shandong" / file
    text = path.read_text(encoding="utf-8")
    words = {"sources.yaml": ("simulated: true", "simulated: false"),
             "../catalog.yaml": ("个人网银客户", "个人网银用户")}
    path.write_text(text.replace(*words.get(file, ("\n", "\n# another\n")), 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    after = fingerprints(clean(folder / "shandong"))
    assert before["about"] != after["about"] and before["panel"] == after["panel"]


def test_where_a_branch_stands_among_all_cells_does_not_move_it(shandong, cleaned):
    cells = shandong.cells()
    note = cells.iloc[:1].assign(branch="小计", text="1")
    more = pd.concat([note.astype(object), cells.astype(object)], ignore_index=True).astype(cells.dtypes.to_dict() | {
        "branch": "category"})
    before, after = fingerprints(cleaned), fingerprints(clean(shandong, cells=more))
    assert before["branch:rizhao"] == after["branch:rizhao"] and before["ledger"] != after["ledger"]


def test_the_store_takes_little_room(root, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    clean(root / "data" / "shandong")
    size = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert size < 3 * sum(p.stat().st_size for p in (root / "data" / "shandong").glob("*.xlsx"))


def test_a_long_table_of_many_banks_comes_back_as_it_was(root, shared_data, tmp_path, monkeypatch):
    folder, there = root / "tests" / "rbi" / "mobile", shared_data.parent
    direct = clean(open_source(folder, there))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    clean(open_source(folder, there))
    for name in TABLES:
        equal(getattr(clean(open_source(folder, there)), name), getattr(direct, name))
    kept = clean(open_source(folder, there))
    for branch in direct.branches[::20]:
        equal(kept.rows(branch), direct.rows(branch))
        equal(kept.of(branch), direct.of(branch))
