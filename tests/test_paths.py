"""A source is found from two places; what belongs to the package is never looked for where somebody happens to work."""

import pytest

from ebank_lib.errors import SourceError
from ebank_lib.paths import find_source, portable_source, project_root, shipped


@pytest.fixture
def project(tmp_path):
    (tmp_path / "data" / "bank").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "bank" / "sources.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("where", [".", "notebooks"])
def test_a_relative_source_is_found_from_the_project_and_from_its_notebooks(project, monkeypatch, where):
    monkeypatch.chdir(project / where)
    assert project_root() == project
    assert find_source("data/bank") == project / "data" / "bank" / "sources.yaml"
    assert portable_source(project / "data" / "bank") == "data/bank"


def test_outside_of_any_project_it_is_the_checkout_that_is_tried(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    assert find_source("data/shandong") == root / "data" / "shandong" / "sources.yaml"
    with pytest.raises(SourceError, match="Tried"):
        find_source("data/nowhere")


def test_what_belongs_to_the_package_is_not_the_working_directorys(project, monkeypatch, root):
    monkeypatch.chdir(project)
    assert shipped("notebooks") == root / "notebooks"
    assert shipped("data", "reference", "facts.csv") == root / "data" / "reference" / "facts.csv"
