"""The pages in a real browser: nothing of theirs is refused, axe finds no serious fault, a phone shows all."""

from itertools import pairwise

import pytest

PAGES = ("index", "changes", "failed", "branch", "province")
FRAME = """(async () => { await axe.run(document, {resultTypes: ["violations"]}).then((r) => window.found =
  r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes.slice(0, 3)
  .map((n) => n.html.slice(0, 160) + " | " + n.failureSummary.slice(0, 200)).join(" ## "))); return window.found })()"""


@pytest.fixture(params=[f"{name}_{lang}" for lang in ("zh", "en") for name in PAGES])
def page(request, pages):
    return pages / f"{request.param}.html"


def test_nothing_of_a_page_is_refused_and_nothing_is_fetched(browser, page):
    browser.open(page)
    assert browser.complaints == []
    assert [url[:60] for url in browser.fetched if not url.startswith("data:")] == [page.resolve().as_uri()[:60]]


@pytest.mark.slow
def test_axe_finds_no_serious_fault(browser, axe, page):
    # A language on a screen, the other on a phone: the pages are the same but for their texts.
    browser.open(page, 1400 if page.stem.endswith("zh") else 390)
    browser.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
    browser.run(axe + "; 0")
    assert browser.run(FRAME) == []


def test_a_phone_needs_no_sideways_scrolling_but_inside_wide_tables(browser, page):
    browser.open(page, 390, 844)
    browser.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
    wide = browser.run("""[document.documentElement.scrollWidth, ...[...document.querySelectorAll('body *')]
      .filter((e) => e.getBoundingClientRect().right > 391 && !e.closest('.scroll, .display, .skip'))
      .map((e) => e.outerHTML.slice(0, 120))]""")
    assert wide == [390]


def test_every_page_has_one_title_landmarks_and_headings_in_order(browser, page):
    browser.open(page)
    marks = "['header', 'main', 'footer'].map((n) => document.querySelectorAll('body > ' + n).length)"
    assert browser.run(marks) == [1, 1, 1]
    levels = browser.run("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => +h.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert browser.run("[...document.images].filter((i) => !i.alt.trim()).length") == 0
    assert browser.run("[...document.querySelectorAll('thead th')].filter((h) => !h.scope).length") == 0


def test_tab_reaches_a_visible_focus(browser, pages):
    browser.open(pages / "index_en.html")
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    browser.press("Tab")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
