"""The page is one file that loads nothing and runs nothing, in either language, whatever texts come in."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import nbformat
import pytest

from ebank_lib.errors import ConfigError
from ebank_lib.reports.content import read_content, with_scopes
from ebank_lib.reports.page import build_page, make_brief


def set_page(content, about):
    return build_page(content, about, make_brief(content, about))


@pytest.fixture(params=["zh", "en"])
def page(request, executed, about):
    this = about(request.param)
    return set_page(read_content(executed, request.param, this.fills), this)


def test_it_is_self_contained(page):
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:|//|file:)""", page)
    # Else it leads to what lies beside it in the report's folder.
    beside = re.compile(r"#|brief\.docx$|tables\.xlsx$|panel\.csv$|tables/\w+\.csv$")
    assert all(beside.match(a) for a in re.findall(r'href="([^"]*)"', page))
    assert all(a.startswith("data:image/") for a in re.findall(r'\bsrc="([^"]*)"', page))
    assert not re.search(r"@import|url\(|<link|<iframe|<object|<base", page)


def test_it_leads_to_the_index_where_there_is_one(page, executed, about):
    assert "index.html" not in page
    this = replace(about("zh"), indexed=True)
    assert '<a href="../index.html">全部分行</a>' in set_page(read_content(executed, "zh", this.fills), this)


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for name in ("style", "script"):
        inside = re.search(rf"<{name}>(.*?)</{name}>", page, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert " style=" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_hostile_texts_are_shown_and_not_run(page):
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: seen.append((tag, [name for name, _ in attributes]))
    parser.feed(page)
    assert not {"i", "u"} & {tag for tag, _ in seen} and [tag for tag, _ in seen].count("script") == 1
    assert not [name for _, names in seen for name in names if name.startswith("on")]
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<style>") == 1 and "<svg" not in page


def test_prose_is_in_the_readers_language_only(executed, about):
    zh, en = (set_page(read_content(executed, lang, about(lang).fills), about(lang)) for lang in ("zh", "en"))
    assert 'lang="zh-CN"' in zh and "一段话" in zh and "Prose" not in zh and "图 1" in zh and "表 1" in zh
    assert 'lang="en"' in en and "Prose" in en and "一段话" not in en and "Figure 1" in en and "Table 1" in en
    assert "模拟数据" in zh and "Simulated data" in en


def test_figures_and_tables_are_numbered_captioned_and_lead_back(page):
    assert len(re.findall(r'<figure id="fig-\d', page)) == 2 and len(re.findall(r'<figure id="tab-\d', page)) == 1
    assert all(alt for alt in re.findall(r'alt="([^"]*)"', page)) and page.count("alt=") == page.count("<img")
    assert 'width="900" height="500"' in page and 'id="from-fig-1"' in page and "01 [3]" in page and "02 [2]" in page
    # The cell calls a method of what an earlier cell made: the function that made it is named with its line.
    assert re.search(r"eb\.select_order</code> — <code>ebank_lib/arma/\w+\.py:\d+", page)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in re.findall(r'href="(#[^"]*)"', page)} <= {*ids, "all"}


def test_a_chapter_is_closed_and_its_line_says_what_it_comes_to(page):
    first = re.search(r'<details class="chapter" id="s01">(<summary>.*?</summary>)', page, re.S)[1]
    assert "客户数1.25" in first and "open" not in re.findall(r'<details class="chapter"[^>]*>', page)[0]
    assert page.index('id="s01"') < page.index('id="s02"') < page.index('id="sources"')


def test_what_is_not_for_the_page_is_not_on_it(page):
    assert "secret" not in page and "<pre>&lt;u&gt;plain" in page


def test_the_same_notebooks_give_the_same_bytes(executed, about):
    assert len({set_page(read_content(executed, "zh", about().fills), about()) for _ in range(2)}) == 1


def test_two_records_of_one_name_are_an_error(executed):
    with pytest.raises(ConfigError, match=r"two records of one name \(table\); found 'growth'"):
        read_content([executed[0], executed[0]], "zh")


def read(tmp_path, make, *cells, lang="zh"):
    """The one stage of a notebook of these cells."""
    nbformat.write(make.notebook(*cells), tmp_path / "01_x.ipynb")
    return read_content([tmp_path / "01_x.ipynb"], lang, {"branch": "日照"})


def test_a_picture_is_shown_in_the_size_that_the_notebook_says(tmp_path, make):
    for said, shown in (({"width": 700, "height": 2}, ' width="700" height="2"'), ({"width": 700}, ""), ({}, "")):
        picture = make.shown({"image/png": make.png()}, **{"image/png": said})
        (item,) = read(tmp_path, make, make.code("f", [picture], count=2)).chapters[0].items
        assert item.html == f'src="data:image/png;base64,{make.png()}"{shown}'


def test_pictures_of_one_cell_get_their_captions_in_turn_and_the_last_one_again(tmp_path, make):
    picture = make.shown({"image/png": make.png()})
    cell = make.code("f", [picture] * 3, count=2, caption_zh=["{branch}甲", "乙"], alt_zh=["子", "丑"])
    items = read(tmp_path, make, cell).chapters[0].items
    assert [(item.number, item.caption, item.alt) for item in items] == [
        (1, "日照甲", "子"), (2, "乙", "丑"), (3, "乙", "丑")]


def test_the_first_heading_is_the_chapters_title_and_tags_divide_a_notebook(tmp_path, make):
    (one,) = read(tmp_path, make, *make.prose("# 1 一\n\n## 二\n\n# 三", "# One")).chapters
    assert (one.title, one.anchor) == ("一", "s01") and one.items[0].html.split() == ["<h3>二</h3>", "<h2>三</h2>"]
    pair = make.prose("## 四", "## Four")
    for cell in pair:
        cell.metadata["tags"].append("chapter")
    aside = make.code("2", [make.shown({"text/plain": "x", "text/html": "<p>aside</p>"})], tags=["appendix"], count=3)
    content = read(tmp_path, make, *make.prose("# 一", "# One"), *pair, aside)
    assert [(one.anchor, one.title) for one in content.chapters] == [("s01", "一"), ("s02", "四")]
    assert [item.html for item in content.appendix] == ["<p>aside</p>"]


def test_heads_say_what_they_head():
    assert with_scopes("<thead><tr><th class=x>a</th></tr></thead><tbody><tr><th>b</th></tr></tbody>") == (
        '<thead><tr><th scope="col" class=x>a</th></tr></thead><tbody><tr><th scope="row">b</th></tr></tbody>')


def test_what_cannot_be_set_as_a_formula_is_shown_as_its_source(tmp_path, make):
    (item,) = read(tmp_path, make, make.code("m", [make.shown({"text/latex": "$x_{1$"})], count=2)).chapters[0].items
    assert item.html == "<code>x_{1</code>"


def test_a_formula_in_an_output_stands_on_a_line_of_its_own_and_code_is_shown_as_text(tmp_path, make):
    cells = [make.code("m", [make.shown({"text/latex": "$x_1$"})], count=2),
             make.code("m", [make.shown({"text/html": "<b>bold</b><script>x</script><object>o</object>"})], count=3)]
    one, two = read(tmp_path, make, *cells).chapters[0].items
    assert one.html.startswith('<div class="display" tabindex="0"><img class="formula" alt="x_1" src="data:image/png;')
    assert two.html == "<b>bold</b>&lt;object&gt;o&lt;/object&gt;"
