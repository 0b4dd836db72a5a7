"""The pages in a real browser: nothing of theirs is refused, axe finds no serious fault, a phone shows all."""

import copy
from itertools import pairwise

import pandas as pd
import pytest

from ebank_lib.reports.branch import Province, names_of
from ebank_lib.reports.content import read_content
from ebank_lib.reports.overview import build_changes, build_failed_page, build_index
from ebank_lib.reports.page import About, build_page

PAGES = ("index", "changes", "failed", "branch", "province")
FRAME = """(async () => { await axe.run(document, {resultTypes: ["violations"]}).then((r) => window.found =
  r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes.slice(0, 3)
  .map((n) => n.html.slice(0, 160) + " | " + n.failureSummary.slice(0, 200)).join(" ## "))); return window.found })()"""


def notebooks(root, lang, together, cleaned):
    """The stored notebooks as a page: as large and as varied as a report is."""
    paths = sorted((root / "notebooks").glob("0[1-6]_*.ipynb"))
    names = {"zh": ("日照分行", "手机银行交易量", "月报"), "en": ("Rizhao", "Mobile transactions", "Workbooks")}[lang]
    about = About("rizhao", *names, True,
                  pd.Period("2008-01", "M"), pd.Period("2011-08", "M"), lang,
                  chain=({"step": "source", "count": 46, "sha256": "ab" * 32},),
                  files=({"file": "2008-01.xlsx", "bytes": 3, "sha256": "cd" * 32},), indicator="mobile_txn",
                  names=names_of(Province("data/shandong", cleaned, (), ()), lang))
    return build_page(read_content([p for p in paths if (p.stem[:2] == "06") == together], lang, about.fills), about)


@pytest.fixture(scope="session")
def pages(tmp_path_factory, root, summaries, failures, cleaned):
    """Every kind of page, zh and en, as files."""
    folder = tmp_path_factory.mktemp("pages")
    for lang in ("zh", "en"):
        now = summaries(20, total=True)
        before = copy.deepcopy(now)
        for at, one in enumerate(before):
            one["months"][1], one["hashes"]["code"] = "2011-07", str(at)
            one["trust"]["grade"] = "C"
            for row in one["forecast"]:
                row["y_hat"] *= 1 + at / 100
        pairs = [*[*zip(before, now, strict=True)][:-2], (None, now[-1])]
        made = {"index": build_index(now, failures, {}, lang), "changes": build_changes(pairs, {}, lang),
                "failed": build_failed_page(failures[0] | {"kind": "notebook", "code": "eb.forecast(y)\n" * 3}, lang),
                "branch": notebooks(root, lang, False, cleaned), "province": notebooks(root, lang, True, cleaned)}
        for name, page in made.items():
            (folder / f"{name}_{lang}.html").write_text(page, encoding="utf-8")
    return folder


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
