"""A source is found from two places, the package's own files never where somebody works; files are written whole."""

import pytest

from ebank_lib.errors import ConfigError, SourceError
from ebank_lib.files import find_source, portable_source, project_root, renew, shipped, write_atomically


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
    with pytest.raises(SourceError, match="no such source; found 'data/nowhere'.*Tried .*`ebank new"):
        find_source("data/nowhere")


def test_what_belongs_to_the_package_is_not_the_working_directorys(project, monkeypatch, root):
    monkeypatch.chdir(project)
    assert shipped("notebooks") == root / "notebooks"
    assert shipped("data", "reference", "facts.csv") == root / "data" / "reference" / "facts.csv"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.txt"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(ConfigError, match="cannot be written"):
        write_atomically(tmp_path / "absent" / "a.txt", b"x")


def test_a_page_that_changes_takes_its_print_along_and_a_link_is_replaced(tmp_path):
    page, printed = tmp_path / "a.html", tmp_path / "a.pdf"
    renew(page, b"one")
    printed.touch()
    renew(page, b"one")
    assert printed.exists()
    renew(page, b"two")
    assert page.read_bytes() == b"two" and not printed.exists()
    (tmp_path / "b.html").symlink_to(page)
    renew(tmp_path / "b.html", b"two")
    assert not (tmp_path / "b.html").is_symlink()
