"""The pages around the reports: one file each that loads nothing and escapes everything.

The index ranks all branches and says what is wrong with a report or its data. Of what moved against the run before the
same months are compared, and nothing is said without cause.
"""

import base64
import copy
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.reports.overview import CODES, build_changes, build_failed_page, build_index, changes
from ebank_lib.reports.summary import change_text, month_text, value_text
from ebank_lib.wording import has, percent, t

VOID = {"meta", "input", "br", "link", "img", "rect"}


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
    assert {*(f"shandong/{name}" for name in ("report.html", "tables.xlsx", "brief.docx")),
            f"{made[0]['branch']}/tables.xlsx"} <= links
    assert {"linyi/failed/index.html", "linyi/report.html", "dezhou/failed/index.html"} <= links
    assert "dezhou/report.html" not in links      # no older report stands


def order(page):
    """The branches' pages in the order of the table."""
    return re.findall(r'scope="row"><a href="([^/"]+)/', page)


def changed(one, **changes):
    return copy.deepcopy(one) | changes


def target(odds, short, ratio=2.0, label="t"):
    """A target of a summary: what it needs for its row."""
    both = dict.fromkeys(("zh", "en"), label)
    return {"key": label, "label": both, "deadline": "2012-12", "odds": odds, "ratio": ratio, "said": f"{odds:.0%}",
            "verdict": "on_course" if odds >= 0.5 else "behind", "goal": both, "then": both, "short": short,
            "cells": []}


def test_who_is_most_short_of_the_targets_stands_first_and_the_slower_of_equals(summaries, lang):
    one = summaries(4)
    made = [changed(row, targets=[target(0.1, short), target(0.9, 0.0)], latest=row["latest"] | {"yoy": yoy})
            for row, short, yoy in zip(one, (0.1, 0.3, 0.1, 0.0), (0.5, 0.9, 0.2, 0.1), strict=True)]
    page = build_index(made, [], {}, lang)
    assert order(page) == [made[n]["branch"] for n in (1, 2, 0, 3)]
    text = "".join(Read(page).text)
    assert percent(0.15) in text and t("index.likely", lang, all=2, n=1) in text
    # The median of 10, 20, 50 and 90% is 35%.
    assert t("index.above", lang, n=t("index.points", lang, n="55.0")) in text
    assert t("index.below", lang, n=t("index.points", lang, n="25.0")) in text
    assert t("index.said_targets", lang, n=4, all=8, likely=4, mean=percent(0.0625), branch=made[1]["label"][lang],
             most=percent(0.15)) in text


def test_without_targets_the_slowest_stands_first_and_no_target_is_spoken_of(summaries, lang):
    made = [changed(row, targets=[], latest=row["latest"] | {"yoy": yoy})
            for row, yoy in zip(summaries(3), (0.3, None, 0.1), strict=True)]
    page = build_index(made, [], {}, lang)
    assert order(page) == [made[n]["branch"] for n in (2, 0, 1)]
    assert t("index.short", lang) not in page and t("index.hardest", lang) not in page
    assert t("index.said_growth", lang, n=2, branch=made[2]["label"][lang], yoy="+10.0%",
             median="+20.0%") in "".join(Read(page).text)


def test_branches_of_other_indicators_are_not_compared(summaries):
    one, other = (changed(row, targets=[]) for row in summaries(2))
    other["indicator"] = other["indicator"] | {"key": "phone"}
    assert "the median" not in build_index([one, other], [], {}, "en")


def test_the_hardest_target_is_the_one_that_all_pages_name(summaries):
    made = changed(summaries(1)[0], targets=[target(0.02, 0.1, 1.5, "FIRST"), target(0.021, 0.1, 2.5, "SECOND"),
                                           target(0.7, 0.0, 0.5, "THIRD")])
    row = build_index([made], [], {}, "en").split("<tbody")[1]
    assert "SECOND" in row and "FIRST" not in row and "THIRD" not in row


def test_a_note_that_all_branches_have_or_none_is_not_shown(summaries, lang):
    def noted(codes):
        attention = [{"code": code, "level": "act", "text": {"zh": "x", "en": "x"}, "cells": []} for code in codes]
        return attention

    made = [changed(row, attention=noted(codes)) for row, codes in
            zip(summaries(3), (["grade", "outside"], ["grade"], ["grade"]), strict=True)]
    table = build_index(made, [], {}, lang).split("<tbody")[1].split("</tbody")[0]
    assert t("index.chip_outside", lang) in table and t("index.chip_grade", lang) not in table
    alone = build_index([changed(row, attention=noted(["grade"])) for row in summaries(3)], [], {}, lang)
    assert t("index.chips", lang) not in alone.split("<tbody")[0] and t("index.chip_grade", lang) in alone


def test_what_is_wrong_with_reports_and_data_is_said_with_the_reason(summaries, failures, lang):
    text = "".join(Read(index(summaries, failures, lang)).text)
    for one in summaries(16):
        for item in one["attention"]:
            assert one["branch"] in {"linyi", "dezhou"} or item["text"][lang] in text
    assert "series 'mobile_txn': has no variance" in text and "MemoryError" in text


def test_a_newest_month_that_is_missing_is_said_in_its_row(summaries, lang):
    made = copy.deepcopy(summaries(16, total=True))
    made[0]["latest"]["month"] = "2011-07"
    made[0]["attention"] = [{"code": "no_latest", "level": "act", "text": {"zh": "x", "en": "x"}, "cells": []}]
    text = "".join(Read(build_index(made, [], {}, lang)).text)
    assert text.count(month_text("2011-07", lang)) == 1 and text.count(t("index.chip_no_latest", lang)) == 2


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
    assert len(index(summaries, failures, lang, n=340).encode()) < 1_500_000


def test_the_same_summaries_make_the_same_bytes(summaries, failures):
    assert index(summaries, failures, "zh") == index(summaries, failures, "zh")


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


def test_figures_have_their_unit_and_ratios_change_in_points():
    assert value_text({"kind": "stock", "unit": {"en": "customers"}}, 12345.0, "en") == "12.3 k customers"
    assert change_text({"kind": "ratio"}, 0.0123, "en") == "+1.2 points"
    assert change_text({"kind": "flow"}, -0.05, "en") == "-5.0%" and change_text({"kind": "ratio"}, None, "en") == "–"
    assert month_text("2011-08", "en") == "Aug 2011" and month_text(None, "en") == "–"


# --- what moved

@pytest.fixture
def pair(summaries):
    """The summary of a branch and a copy of it that a test may change."""
    now = summaries(1)[0]
    return copy.deepcopy(now), now


def test_nothing_differs_from_itself(pair):
    made = changes(*pair, "en")
    assert not made["first"] and not made["differs"] and made["before"] is None
    assert made["grade"] is None and made["odds"] == [] == made["came"]
    assert all(row["change"] == 0 and row["share"] == 0 for row in made["forecasts"])


@given(factor=st.floats(0.5, 2))
@settings(max_examples=20, deadline=None)
def test_forecasts_are_compared_month_by_month(summaries, factor):
    now = summaries(1)[0]
    old = copy.deepcopy(now)
    for row in old["forecast"]:
        row["y_hat"] /= factor
    made = changes(old, now, "en")
    assert [row["month"] for row in made["forecasts"]] == [row["month"] for row in now["forecast"]]
    assert all(row["share"] == pytest.approx(factor - 1, abs=1e-9) for row in made["forecasts"])


def test_of_a_shifted_forecast_only_shared_months_count_and_what_came_is_held_against_it(pair):
    old, now = pair
    for row, month in zip(old["forecast"], ["2011-08", *(row["month"] for row in now["forecast"])], strict=False):
        row["month"] = month
    made = changes(old, now, "en")
    assert len(made["forecasts"]) == 11 and [row["month"] for row in made["came"]] == ["2011-08"]
    assert made["came"][0]["actual"] == now["latest"]["y"]


def test_another_indicator_is_not_compared(pair):
    old, now = pair
    old["indicator"] = old["indicator"] | {"key": "phone"}
    old["trust"]["grade"] = "?"
    made = changes(old, now, "en")
    assert made["forecasts"] == [] and made["grade"] is None and made["differs"]
    old["indicator"]["label"] = {"zh": "旧", "en": "<old>"}
    page = build_changes([(old, now)], {}, "en")
    assert html.escape(t("index.indicator_moved", "en", old="<old>", new=now["indicator"]["label"]["en"])) in page


def test_grade_and_odds_that_changed_are_listed(pair):
    old, now = pair
    old["trust"] = None
    old["targets"][1] |= {"odds": 0.5, "said": "<50%>"}
    made = changes(old, now, "en")
    assert made["grade"] == [None, now["trust"]["grade"]] and [one["said"][0] for one in made["odds"]] == ["<50%>"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_says_the_largest_move_first_and_what_stayed(summaries, lang):
    now = summaries(4)
    pairs = [(copy.deepcopy(one), one) for one in now]
    for row in pairs[0][0]["forecast"]:
        row["y_hat"] *= 1.02
    for row in pairs[1][0]["forecast"]:
        row["y_hat"] *= 1.3
    pairs[3] = (None, now[3])
    page = build_changes(pairs, {}, lang)
    order = re.findall(r'href="(\w+)/report\.html"', page)
    assert order == [now[n]["branch"] for n in (1, 0, 2, 3)]
    assert page.count('<tr role="row">') == 3 and "-23.1%" in page and "-2.0%" in page
    assert page == build_changes(pairs, {}, lang)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_first_run_says_so(summaries, lang):
    page = build_changes([(None, one) for one in summaries(2)], {}, lang)
    assert "<table" not in page and page.count("/report.html") == 2
    assert build_changes([], {}, lang)


def came(pair, actual):
    """The page's line on a month that was forecast as 100 (80%: 90 to 110, 95%: 80 to 120) and came as `actual`."""
    old, now = pair
    month = now["spark"]["months"][-1]
    old["forecast"][0] |= {"month": month, "y_hat": 100.0, "lo-80": 90.0, "hi-80": 110.0, "lo-95": 80.0, "hi-95": 120.0}
    now = copy.deepcopy(now)
    now["spark"]["y"][-1] = actual
    return build_changes([(old, now)], {}, "en"), changes(old, now, "en")["came"]


@pytest.mark.parametrize(("actual", "where"), [
    (79.9, "outside"), (80.0, "95"), (89.9, "95"), (90.0, "80"), (100.0, "80"), (110.0, "80"), (110.1, "95"),
    (120.0, "95"), (120.1, "outside"), (0.0, "outside"), (1e9, "outside")])
def test_a_month_that_came_is_held_against_both_limits(pair, actual, where):
    page, rows = came(pair, actual)
    assert rows[0]["actual"] == actual and rows[0]["old"] == 100.0
    assert rows[0]["where"] == where and t(f"index.came_{where}", "en") in page


def test_without_limits_what_came_is_outside_none(pair):
    old, now = pair
    row = old["forecast"][0] | dict.fromkeys(("lo-80", "hi-80", "lo-95", "hi-95")) | {"month": now["months"][1]}
    y = now["latest"]["y"]
    for limits, where in (({}, "outside"), ({"lo-95": 0.0, "hi-95": 2 * y}, "95"), ({"lo-80": 0.0}, "outside")):
        old["forecast"][0] = row | limits
        assert [one["where"] for one in changes(old, now, "en")["came"]] == [where]


def test_a_month_not_known_yet_has_not_come(pair):
    assert came(pair, None)[1] == []


@pytest.mark.parametrize(("factor", "way", "moved"), [(1.0004, "still", 0), (0.9996, "still", 0), (1.01, "up", 1),
                                                      (0.99, "down", 1)])
def test_what_moves_by_less_than_half_a_per_mille_stands_still(pair, factor, way, moved):
    old, now = pair
    for row in old["forecast"]:
        row["y_hat"] /= factor
    row, page = changes(old, now, "en"), build_changes([(old, now)], {}, "en")
    assert row["differs"] == bool(moved) and row["size"] == pytest.approx(abs(factor - 1), rel=1e-6)
    assert (f'<span class="{way}">{percent(factor - 1, sign=True)}</span>' in page) == bool(moved)


def test_a_ratio_moves_in_points_and_from_nothing_there_is_no_share(pair):
    old, now = copy.deepcopy(pair)
    for one in (old, now):
        one["indicator"]["kind"] = "ratio"
        for n, row in enumerate(one["forecast"]):
            row["y_hat"] = 0.5 + 0.012 * (one is now) + 0 * n
    made = changes(old, now, "en")
    assert made["forecasts"][0] == {"month": now["forecast"][0]["month"], "old": 0.5, "new": 0.512, "change": 0.012,
                                    "share": None, "size": 0.012}
    assert f'<span class="up">{t("index.points", "en", n="+1.2")}</span>' in build_changes([(old, now)], {}, "en")
    old, now = copy.deepcopy(pair)
    old["forecast"][0]["y_hat"], now["forecast"][0]["y_hat"] = 0.0, 5.0
    old["forecast"][1]["y_hat"] = None
    rows = changes(old, now, "en")["forecasts"]
    assert rows[0]["share"] is None and rows[0]["change"] == 5.0 and rows[1]["month"] == now["forecast"][2]["month"]
