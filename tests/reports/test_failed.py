"""A failed branch's page: where, what, what is left, the command that does it again; whatever the message holds."""

import re

import pytest

from ebank_lib.reports.failed import build_failed_page
from ebank_lib.wording import has


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_says_where_what_and_how_to_do_it_again(failures, lang):
    page = build_failed_page(failures[0], lang)
    for text in ("04_forecasting", "[6]", "SeriesError", "has no variance", 'href="04_forecasting.ipynb"',
                 'href="../report.html"', 'href="../../index.html"', failures[0]["command"]):
        assert text in page
    assert "<script" not in page and "script-src" not in page


def test_without_notebook_or_older_report_none_is_linked(failures):
    page = build_failed_page(failures[1], "en")
    assert "../../index.html" not in build_failed_page(failures[1] | {"index": False}, "en")
    assert "../report.html" not in page and ".ipynb" not in page and "MemoryError" in page


def test_hostile_texts_are_escaped_and_stay_in_the_folder():
    hostile = "<script>x</script>\u202e\x00"
    page = build_failed_page({"branch": "a", "label": {"zh": hostile, "en": hostile}, "error": "E", "message": hostile,
                              "kept": "../../<b>", "command": hostile, "code": hostile}, "en")
    assert "<script" not in page and "\u202e" not in page and "\x00" not in page
    assert not re.search(r'href="[^"]*\.\./\.\./(?!index\.html)', page)


@pytest.mark.parametrize("kind", ["notebook", "input", "disk", "system", "crash", "memory", "time", "bug"])
def test_every_kind_of_failure_has_its_advice(kind):
    assert has(f"index.advice_{kind}")
