"""Printing needs a browser, says so where there is none, and ends in time."""

import os
import stat
import time
from types import SimpleNamespace

import pytest

from ebank_lib.cli import main
from ebank_lib.cli.report import VARIABLE, find_chromium, print_pages, print_pdf
from ebank_lib.errors import ConfigError

unix = pytest.mark.skipif(os.name == "nt", reason="a script is no program there")


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "a page # 页.html"
    path.write_text("<!DOCTYPE html><html lang='en'><title>t</title><p>text 文字</p></html>", encoding="utf-8")
    return path


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """A browser of our own making."""
    def made(script):
        path = tmp_path / "browser"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(VARIABLE, str(path))
        return path
    return made


def test_without_a_browser_one_line_says_what_to_install(page, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no browser to print with.*chromium.*EBANK_CHROMIUM") as error:
        print_pdf(page, tmp_path / "out.pdf")
    assert "\n" not in str(error.value)


def test_a_named_browser_that_is_none_is_an_error_not_a_guess(monkeypatch):
    monkeypatch.setenv(VARIABLE, "no-such-browser")
    with pytest.raises(ConfigError, match="EBANK_CHROMIUM.*no-such-browser"):
        find_chromium()


def test_a_page_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such page"):
        print_pdf(tmp_path / "no.html", tmp_path / "out.pdf")


@unix
def test_a_browser_that_fails_leaves_the_file_as_it_was(page, tmp_path, browser):
    target = tmp_path / "out.pdf"
    target.write_bytes(b"before")
    browser("echo cannot do it >&2; exit 3")
    with pytest.raises(ConfigError, match="was not printed.*cannot do it"):
        print_pdf(page, target)
    assert target.read_bytes() == b"before" and sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [page.name, "browser", "out.pdf"])


@unix
def test_a_browser_that_hangs_is_ended(page, tmp_path, browser):
    browser("exec sleep 61")
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="was not printed; found 'nothing after 1 s'"):
        print_pdf(page, tmp_path / "out.pdf", seconds=1)
    assert time.monotonic() - begun < 20


@unix
def test_the_command_prints_what_has_no_pdf_yet_and_one_failure_costs_only_itself(tmp_path, browser, capsys):
    for name in ("index.html", "a/report.html", "b/report.html", "c/report.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("<!DOCTYPE html>")
    (tmp_path / "a" / "report.pdf").write_bytes(b"as it is")
    browser("""for a in "$@"; do case "$a" in --print-to-pdf=*) out="${a#--print-to-pdf=}";; esac; done
case "$*" in */c/*) echo no >&2;; *) echo %PDF-1.4 > "$out";; esac""")
    options = SimpleNamespace(out=tmp_path, all=True, lang="en")
    assert print_pages(options, ["a", "b", "c"]) == 1
    said = capsys.readouterr()
    assert "2 PDF printed" in said.out and "report.html" in said.err
    assert (tmp_path / "a" / "report.pdf").read_bytes() == b"as it is"
    assert (tmp_path / "index.pdf").exists() and not (tmp_path / "c" / "report.pdf").exists()


@unix
def test_a_missing_browser_is_said_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, "no-such-browser")
    assert main(["report", "--source", str(tmp_path / "nowhere"), "--all", "--pdf"]) == 2
    assert "no-such-browser" in capsys.readouterr().err
