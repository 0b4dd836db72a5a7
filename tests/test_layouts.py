"""Twelve ways to keep a monthly table, read exactly by the description that is drafted from the files alone."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from ebank_lib.drafting import draft_into

_spec = importlib.util.spec_from_file_location("drafted", Path(__file__).with_name("drafting") / "conftest.py")
drafted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drafted)
about, differences, parts_of = drafted.about, drafted.differences, drafted.parts_of

CASES = ["02_months_down_branches_across", "04_months_across_sheet_per_branch", "06_sheet_per_indicator",
         "08_wide_csv_gb18030", "10_sheet_per_month_year_in_file", "12_month_in_a_cell_units_in_cells",
         "14_only_year_to_date", "16_subtotals_and_grand_total", "18_unit_line_above_the_table",
         "20_two_tables_below_each_other", "22_xls_warehouse_export"]


@pytest.fixture
def layouts(shared_data):
    if not (shared_data / "layouts").is_dir():
        pytest.skip("the layouts are not among the reference data")
    return shared_data / "layouts"


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_read_exactly_from_its_draft(name, layouts, tmp_path):
    draft_into(tmp_path, parts_of(layouts / name))
    assert differences(tmp_path, *about(layouts / name)).empty


def test_the_files_may_lie_beside_their_description(layouts, tmp_path):
    for path in parts_of(layouts / CASES[0]):
        shutil.copy(path, tmp_path)
    draft_into(tmp_path, [tmp_path])
    assert "root:" not in (tmp_path / "sources.yaml").read_text(encoding="utf-8")
    assert differences(tmp_path, *about(layouts / CASES[0])).empty


def test_a_database_is_read_exactly_from_its_draft(layouts, tmp_path, monkeypatch):
    pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("EBANK_LAYOUT", f"sqlite:///{layouts / '24_database' / 'ebank.sqlite'}")
    written = draft_into(tmp_path, [], "EBANK_LAYOUT")
    assert written.draft.questions == []
    assert differences(tmp_path, *about(layouts / "24_database")).empty


def test_a_branch_that_ends_where_another_begins_is_asked_about(layouts, tmp_path):
    written = draft_into(tmp_path, parts_of(layouts / "10_sheet_per_month_year_in_file"))
    assert len(written.draft.questions) == 1
    assert "北门支行" in written.draft.questions[0]
    assert "# ? 北门支行" in (tmp_path / "sources.yaml").read_text(encoding="utf-8")
