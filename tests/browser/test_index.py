"""The index's script: sorts and searches, by mouse and by keyboard; without it all is there."""

import pytest

SHOWN = "[...document.querySelectorAll('#rows tbody tr')].filter((r) => !r.hidden)"


@pytest.fixture
def index(browser, tmp_path, summaries, failures):
    from ebank_lib.reports.overview import build_index

    path = tmp_path / "index.html"
    path.write_text(build_index(summaries(20, total=True), failures, {}, "en"), encoding="utf-8")
    browser.open(path)
    return browser


def shown(browser, what="r.cells[0].querySelector('a').textContent"):
    return browser.run(f"{SHOWN}.map((r) => {what})")


def type_into(browser, name, text):
    browser.run(f"(() => {{ const e = document.getElementById({name!r}); e.value = {text!r};"
                "e.dispatchEvent(new Event('input', {bubbles: true})) })()")


def test_search_finds_names_of_both_languages_and_says_how_many(index, summaries):
    type_into(index, "search", "zibo")
    assert all("Zibo" in name for name in shown(index)) and len(shown(index)) == 2
    type_into(index, "search", "淄博")
    assert len(shown(index)) == 2
    assert index.run("document.getElementById('count').textContent") == "2 of 20 shown"
    type_into(index, "search", "nobody")
    assert shown(index) == [] and index.run("document.getElementById('none').checkVisibility()")
    index.run("document.querySelector('#tools [type=reset]').click()")
    index.run("new Promise((done) => setTimeout(done, 20))")
    assert len(shown(index)) == 20


@pytest.mark.parametrize("key", ["latest", "yoy", "ahead", "odds", "short"])
def test_a_click_sorts_by_number_and_a_second_turns_it_round(index, key):
    heads = f"document.querySelector('th[data-sort={key}]')"
    orders = []
    for _ in range(2):
        index.run(f"{heads}.click()")
        values = shown(index, f"r.dataset[{key!r}]")
        known = [float(v) for v in values if v]
        assert values[:len(known)] == [v for v in values if v], "what is missing stands last"
        orders.append((index.run(f"{heads}.getAttribute('aria-sort')"), known))
    for way, known in orders:
        assert known == sorted(known, reverse=way == "descending")
    assert {way for way, _ in orders} == {"ascending", "descending"}


def test_the_keyboard_sorts_and_searches(index):
    index.run("document.querySelector('th[data-sort=text] button').focus()")
    index.press("Enter")
    names = shown(index)
    assert index.run("document.querySelector('th[data-sort=text]').getAttribute('aria-sort')") == "ascending"
    assert names == sorted(names, key=str.casefold) and len(names) == 20
    index.run("document.getElementById('search').focus()")
    index.press(*"jin")
    assert shown(index) and all("Jin" in name for name in shown(index))


def test_on_a_phone_rows_are_cards_and_a_list_orders_them(index, tmp_path):
    index.open(tmp_path / "index.html", 390, 844)
    assert index.run("getComputedStyle(document.querySelector('#rows tbody tr')).display") == "grid"
    type_into(index, "order", "latest")
    figures = [float(v) for v in shown(index, "r.dataset.latest") if v]
    assert figures == sorted(figures, reverse=True) and index.run("document.getElementById('order').checkVisibility()")


def test_without_script_every_row_is_there_and_no_dead_control(browser, tmp_path, summaries, failures):
    from ebank_lib.reports.overview import build_index

    path = tmp_path / "index.html"
    path.write_text(build_index(summaries(20), failures, {}, "zh"), encoding="utf-8")
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
        tree = browser.ask("DOM.getDocument", depth=-1)
        form = browser.ask("DOM.querySelector", nodeId=tree["root"]["nodeId"], selector="#tools")
        rows = browser.ask("DOM.querySelectorAll", nodeId=tree["root"]["nodeId"], selector="#rows tbody tr")
        buttons = browser.ask("DOM.querySelectorAll", nodeId=tree["root"]["nodeId"], selector="th button")
        browser.ask("CSS.enable")
        style = browser.ask("CSS.getComputedStyleForNode", nodeId=form["nodeId"])["computedStyle"]
        assert {"name": "display", "value": "none"} in style
        assert len(rows["nodeIds"]) == 20 and buttons["nodeIds"] == []
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
