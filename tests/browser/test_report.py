"""A report's page as a manager meets it: short while closed, every link opens what it leads to, two sheets of paper."""

import re

import pytest

from ebank_lib.cli.report import print_pdf

REPORTS = [f"{name}_{lang}" for name in ("branch", "province") for lang in ("zh", "en")]


@pytest.fixture(params=REPORTS)
def report(request, pages):
    return pages / f"{request.param}.html"


def test_all_chapters_are_closed_and_the_page_is_short(browser, report):
    for width, height, screens in ((1400, 900, 10), (390, 844, 16)):
        browser.open(report, width, height)
        assert browser.run("document.querySelectorAll('details[open]').length") == 0
        assert browser.run("document.documentElement.scrollHeight") <= screens * height


def test_the_brief_is_on_the_first_two_screens(browser, report):
    browser.open(report, 1400, 900)
    assert browser.run("document.querySelector('.evidence').getBoundingClientRect().top") <= 1800
    said = "[...document.querySelectorAll('.say')].map((e) => e.getBoundingClientRect().bottom)"
    assert browser.run(f"Math.max(...{said})") <= 1150
    # Nothing is left blank at the right.
    assert browser.run("Math.min(...['.tiles', '.say', '.pictures', '.chapter'].map((one) => "
                       "document.querySelector(one).getBoundingClientRect().right))") >= 1300


def test_few_things_stop_the_tabulator(browser, report):
    browser.open(report)
    stops = browser.run("[...document.querySelectorAll('a[href], summary, [tabindex]')]"
                        ".filter((e) => e.tabIndex >= 0 && e.checkVisibility()).length")
    assert stops <= 30


def test_a_link_to_what_a_closed_chapter_holds_opens_it(browser, pages):
    path = pages / "branch_zh.html"
    browser.open(path)
    for anchor in ("fig-3", "tab-2", "rec-growth", "from-fig-1"):
        browser.run(f"location.hash = '#{anchor}'")
        assert browser.run(f"document.getElementById('{anchor}').checkVisibility()"), anchor
    browser.run("location.hash = '#all'")
    assert browser.run("document.querySelectorAll('details.chapter:not([open])').length") == 0


def test_on_a_phone_the_end_of_each_course_is_seen_first(browser, pages):
    """The forecast stands at the right of a picture."""
    browser.open(pages / "branch_zh.html", 390, 844)
    browser.run("location.hash = '#all'")
    hidden = browser.run("""[...document.querySelectorAll('.stage .scroll > img')].filter((i) =>
      i.getBoundingClientRect().right > 391).length""")
    assert hidden == 0
    assert browser.run("[...document.querySelectorAll('.pictures img')].every((i) => "
                       "i.getBoundingClientRect().width <= 390 && i.getBoundingClientRect().left >= 0)")


def test_the_brief_prints_on_two_sheets(report, tmp_path, browser):
    made = print_pdf(report, tmp_path / "out.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", made)) <= 2
