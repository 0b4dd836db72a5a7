"""The index: all branches, who needs attention, what failed; one file that loads nothing and escapes everything."""

import base64
import copy
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.errors import ConfigError
from ebank_lib.reports.figures import spark
from ebank_lib.reports.index import CODES, build_failed_page, build_index
from ebank_lib.reports.page import MAX_BYTES
from ebank_lib.wording import has, t

VOID = {"meta", "input", "br", "link", "img", "path", "circle"}


class Read(HTMLParser):
    """What a browser would see: tags with attributes, and every tag closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.rows, self.text = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append(dict(attributes))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


@pytest.fixture(params=["zh", "en"])
def lang(request):
    return request.param


def index(summaries, failures, lang, n=16, **run):
    return build_index(summaries(n, total=True), failures, run, lang)


def test_every_branch_has_a_row_and_a_link_to_its_page(summaries, failures, lang):
    read = Read(index(summaries, failures, lang))
    rows = [row for row in read.rows if "data-at" in row]
    links = {a.get("href") for tag, a in read.tags if tag == "a"}
    made = [one for one in summaries(16) if one["branch"] not in {"linyi", "dezhou"}]
    assert len(rows) == 16 and all(f"{one['branch']}/report.html" in links for one in made)
    assert "shandong/report.html" in links
    assert {"linyi/failed/index.html", "linyi/report.html", "dezhou/failed/index.html"} <= links
    assert "dezhou/report.html" not in links      # no older report stands


def test_who_needs_attention_is_said_with_the_reason(summaries, failures, lang):
    text = "".join(Read(index(summaries, failures, lang)).text)
    for one in summaries(16):
        for item in one["attention"]:
            assert one["branch"] in {"linyi", "dezhou"} or item["text"][lang] in text
    assert "series 'mobile_txn': has no variance" in text and "MemoryError" in text


def test_every_reason_has_a_name_and_a_rule_in_words(lang):
    for code in CODES:
        assert t(f"index.chip_{code}", lang) and t(f"index.rule_{code}", lang)


def test_nothing_is_loaded_and_the_policy_names_style_and_script_by_hash(summaries, failures, lang):
    page = index(summaries, failures, lang)
    assert not re.search(r"(src|href|action)\s*=\s*[\"']?(https?:|//|file:|data:text|javascript:)", page)
    assert not re.search(r"@import|url\(|<link|<iframe|<object|<base|\sstyle=|\son\w+=", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", page, re.S)[1]
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert page.count("<script") == 1


def test_without_script_all_is_shown_and_no_dead_control(summaries, failures):
    read = Read(index(summaries, failures, "en"))
    assert not any("hidden" in row for row in read.rows)
    controls = [tag for tag, _ in read.tags if tag in ("button", "input", "select")]
    form = next(a for tag, a in read.tags if tag == "form")
    assert controls and "hidden" in form


TEXTS = st.text(alphabet=st.sampled_from(list("<>&\"'/=\u202e\u200f\x00\x1b\ud800日a \n")), max_size=30)


@given(label=TEXTS, message=TEXTS, key=st.text("ab-_9", min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_hostile_texts_are_shown_and_not_run(summaries, label, message, key):
    one, plain = copy.deepcopy(summaries(1)[0]), Read(build_index(summaries(1), [], {}, "en"))
    hostile = f"<script>alert(1)</script><img src=x onerror=y>{label}"
    one |= {"label": {"zh": hostile, "en": hostile}, "branch": key,
            "attention": [{"code": "grade", "level": "act", "text": {"zh": message, "en": message},
                           "cells": [message]}]}
    for target in one["targets"]:
        target["label"] = {"zh": hostile, "en": hostile}
    page = build_index([one], [], {}, "en")
    read = Read(page)
    assert sum(tag == "script" for tag, _ in read.tags) == sum(tag == "script" for tag, _ in plain.tags) == 1
    assert not any(tag == "img" or any(name.startswith("on") for name in a) for tag, a in read.tags)
    assert not re.search("[\u202e\u200f\x00\x1b\ud800]", page)
    page.encode("utf-8")


@pytest.mark.parametrize("n", [0, 1])
def test_no_branch_or_only_failures_make_a_page_too(summaries, failures, n, lang):
    assert Read(build_index(summaries(n), failures, {"title": {"zh": "甲", "en": "A"}, "simulated": False}, lang)).rows
    assert Read(build_index([], [], {}, lang)).tags


def test_340_branches_fit_a_page(summaries, failures, lang):
    assert len(index(summaries, failures, lang, n=340).encode()) < MAX_BYTES / 2


def test_the_same_summaries_make_the_same_bytes_and_too_large_a_page_is_an_error(summaries, failures, monkeypatch):
    page = index(summaries, failures, "zh")
    assert page == index(summaries, failures, "zh")
    monkeypatch.setattr("ebank_lib.reports.page.MAX_BYTES", len(page.encode()) - 1)
    with pytest.raises(ConfigError, match="too large"):
        index(summaries, failures, "zh")


def test_a_small_picture_tells_in_words_what_it_shows_and_breaks_at_gaps(summaries):
    one = copy.deepcopy(summaries(1)[0])
    one["spark"]["y"][5] = None
    one["spark"]["y"][-1] = None
    drawn = spark(one, "en")
    was = re.search(r'class="was" d="([^"]*)"', drawn)[1]
    assert was.count("M") == 2 and was.count("L") == 32
    assert "Sep 2008" in drawn and "Jul 2011" in drawn and "80% limits" in drawn
    assert spark(one | {"spark": {"months": ["2010-01"], "y": [None]}}, "en") == ""
    flat = one | {"spark": {"months": ["2010-01", "2010-02"], "y": [5.0, 5.0]}, "forecast": []}
    assert "nan" not in spark(flat, "zh")


def test_grades_are_counted(summaries):
    some = [one for one in summaries(12) if one["trust"]]
    page = build_index(some, [], {}, "en")
    for letter in "ABCDE":
        n = sum(one["trust"]["grade"] == letter for one in some)
        assert page.count(f"<li>{t('index.count_grade', 'en', grade=letter)} <b>{n}</b></li>") == (n > 0)


# --- a failed branch's own page

@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_failed_branchs_page_says_where_what_and_how_to_do_it_again(failures, lang):
    page = build_failed_page(failures[0], lang)
    for text in ("04_forecasting", "[6]", "SeriesError", "has no variance", 'href="04_forecasting.ipynb"',
                 'href="../report.html"', 'href="../../index.html"', failures[0]["command"]):
        assert text in page
    assert "<script" not in page and "script-src" not in page


def test_without_notebook_or_older_report_none_is_linked(failures):
    page = build_failed_page(failures[1], "en")
    assert "../../index.html" not in build_failed_page(failures[1] | {"index": False}, "en")
    assert "../report.html" not in page and ".ipynb" not in page and "MemoryError" in page


def test_hostile_texts_on_it_are_escaped_and_stay_in_the_folder():
    hostile = "<script>x</script>\u202e\x00"
    page = build_failed_page({"branch": "a", "label": {"zh": hostile, "en": hostile}, "error": "E", "message": hostile,
                              "kept": "../../<b>", "command": hostile, "code": hostile}, "en")
    assert "<script" not in page and "\u202e" not in page and "\x00" not in page
    assert not re.search(r'href="[^"]*\.\./\.\./(?!index\.html)', page)


@pytest.mark.parametrize("kind", ["notebook", "input", "disk", "system", "crash", "memory", "time", "bug"])
def test_every_kind_of_failure_has_its_advice(kind):
    assert has(f"index.advice_{kind}")
