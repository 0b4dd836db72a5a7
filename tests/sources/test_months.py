"""A month is read in every way in which people write one; what can be read in two ways is asked, never guessed."""

import calendar
import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ebank_lib.sources.months import Month, Year, month_in_text, why_not, year_in_text

AUGUST = (2013 - 1970) * 12 + 7     # 2013-08
CHINESE = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]


def number(year, month):
    return (year - 1970) * 12 + month - 1


def wide(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


# ---------------------------------------------------------------- months with their year


@pytest.mark.parametrize("text", lines("""
    2013年8月
    2013年08月份
    2013 年 8 月
    2013年度8月
    2013年8月末
    2013年8月31日
    2013年8月1日至31日
    2013年8月1日-8月31日
    ２０１３年８月
    二〇一三年八月
    二零一三年八月份
    二○一三年八月
    13年8月
    2013年全省8月份
    8月（2013）
    电子银行（2013年8月）
    2013年8月（1-8月累计）
    2013-8
    2013-08
    2013 - 08
    2013 08
    2013-8月
    2013.08
    2013.8
    2013_08
    2013/08/31
    2013-08-31
    2013-08-31 00:00:00
    2013-08-01 to 2013-08-31
    2013.08.31
    2013M08
    2013-M8
    08/2013
    8/2013
    8.2013
    31/08/2013
    08/31/2013
    08/08/2013
    201308
    20130831
    201308_2
    EB201308.xls
    Aug-13
    Aug13
    Aug '13
    Aug. '13
    Aug ’13
    Aug-2013
    Aug 2013
    AUG 2013
    aug2013
    Aug/2013
    August, 2013
    2013 Aug
    2013-Aug-31
    31 Aug 2013
    31-Aug-13
    31st of August 2013
    Aug 31, 2013
    August 31st 2013
    1 Aug - 31 Aug 2013
    report_Aug2013.xlsx
    ReportAug2013.xlsx
    报表2013年8月.xls
    Report for August 2013 (may be revised)
    Cumulative report 2013-08.xlsx
    """))
def test_every_usual_way_of_writing_a_month(text):
    assert month_in_text(text) == AUGUST
    assert month_in_text(text, 2010) in (AUGUST, None)      # a year in the text goes before one given
    assert why_not(text) == ""


@pytest.mark.parametrize("text", lines("""
    8
    08
    M08
    month 8
    8月
    08月
    ８月
    8月份
    8月末
    8月31日
    八月
    八月份
    8月电子银行.xlsx
    Aug
    Aug.
    AUG
    aug
    August
    Aug_report.xlsx
    31 Aug
    31-Aug
    August 31
    """))
def test_a_month_without_its_year_waits_for_one(text):
    assert month_in_text(text, 2013) == AUGUST
    assert month_in_text(text) is None
    assert "year:" in why_not(text)


@pytest.mark.parametrize("text", ["1月", "元月", "一月", "01月", "Jan", "January", "1"])
def test_january_by_its_names(text):
    assert month_in_text(text, 2013) == number(2013, 1)


@pytest.mark.parametrize("text", ["Mar", "May", "may", "March", "May.xlsx"])
def test_a_month_that_is_also_a_word_is_one_where_it_stands_alone(text):
    assert month_in_text(text, 2013) == number(2013, 5 if text.lower().startswith("may") else 3)
    assert month_in_text(f"{text} be revised", 2013) is None
    assert month_in_text(f"the {text} branch", 2013) is None
    assert month_in_text("May 2013") == month_in_text("report may-2013") == number(2013, 5)


# ---------------------------------------------------------------- what is none


@pytest.mark.parametrize("text", lines("""
    2010年1-3月
    2013年1月—8月
    2013年8月与2012年8月
    2013年8月和9月
    2013年前8个月
    2013年8月累计
    8月累计
    1-8月
    1-8月累计
    累计至8月
    近6月
    12个月
    Jan-Mar 2013
    Jan to Mar
    jan to may
    apr-may
    Jan Mar
    Jan, Feb 2013
    Jan 2013 to Mar
    January through March 2013
    Sept-Oct 2013
    Apr/May 2013
    Aug 2013 YTD
    YTD Aug 2013
    Cumulative Aug 2013
    Q3 2013
    2013Q3
    3Q13
    third quarter of 2013
    Quarter ended 30 Sep 2013
    H1 2013
    2013H1
    1H2013
    二季度
    2013年上半年
    201301-201308
    201301-08
    2013.1-3
    01-03/2013
    去年8月
    """))
def test_several_months_sums_quarters_and_half_years_are_none(text):
    assert month_in_text(text, 2013) is None
    assert month_in_text(wide(text), 2013) is None
    assert month_in_text(text) is None
    assert why_not(text) != ""


@pytest.mark.parametrize("text", lines("""
    Marketing
    Mayor
    may be
    Decile
    Sepia
    Augustin 2013
    Junction 2013
    三月天支行
    全省三月花
    3月期存款
    2013年10万户
    2013年3家支行
    2013
    2013年
    全年
    合计
    2013年13月
    2013-13
    40238
    13
    0
    123
    2013000831
    """))
def test_words_and_numbers_that_look_like_months_are_none(text):
    assert month_in_text(text, 2013) is None
    assert why_not(text) == ""


@pytest.mark.parametrize(("text", "year", "says"), [
    ("01/02/2013", None, "%d/%m/%Y"),
    ("1.2.2013", None, "%d/%m/%Y"),
    ("8/13", None, "%m/%y"),
    ("13-8", 2013, "%m/%y"),
    ("Aug 13", None, "%b %y"),
    ("Aug-13", 2015, "%b-%y"),
    ("2013.1", None, "January or October"),
    ("8月", None, "year: {from: file}"),
    ("2013年8月 2013年9月", None, "pattern"),
    ("2013 2014 8月", 2013, "which year"),
    ("1-8月", 2013, "pattern"),
    ("May branch", 2013, "word or name"),
])
def test_what_is_ambiguous_is_asked_with_the_line_that_decides(text, year, says):
    assert Month(**{"from": "title"}).in_text(text, year) is None
    assert says in why_not(text, year)


@pytest.mark.parametrize(("form", "text", "month"), [
    ("%d/%m/%Y", "01/02/2013", 2), ("%m/%d/%Y", "01/02/2013", 1), ("%m/%y", "8/13", 8), ("%b %y", "Aug 13", 8),
    ("%Y %m", "2013 08", 8), ("%m-%y", "08-13.xlsx", 8), ("%Y.%m", "2013.1", 10), ("%Y.%m", "2013.01", 1),
    ("%Y.%m", "2013.11", 11), ("%Y/%m", "２０１３/08", 8)])
def test_a_format_decides(form, text, month):
    rule = Month(**{"from": "column"}, column="x", format=form)
    assert rule.in_text(text) == rule.in_cell(text, text) == number(2013, month)
    assert rule.why_not(text) == "" and rule.in_text("2013年x") is None


def test_a_format_without_a_year_goes_with_one_from_elsewhere():
    rule = Month(**{"from": "heading"}, format="%m/%d", year=2012)
    assert rule.in_text("02/29", 2012) == number(2012, 2)
    assert rule.in_text("02/29", 2013) is rule.in_text("02/29") is None
    with pytest.raises(ValidationError, match="a date format such as %Y-%m"):
        Month(**{"from": "heading"}, format="%m/%d")


@pytest.mark.parametrize("text", ["制表日期：2018年1月8日", "打印时间 2018-01-08 10:31", "填报日:2018.01.08",
                                  "Printed on 8 Jan 2018", "Export date: 2018-01-08", "Date generated: 08/01/2018"])
def test_the_date_on_which_a_table_was_made_is_not_its_month(text):
    assert month_in_text(text) is year_in_text(text) is None
    assert "made" in why_not(text)
    assert month_in_text("报表日期：2018年1月31日") == number(2018, 1)


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize(("value", "text", "expected"), [
    (dt.date(2013, 8, 31), "2013-08-31", AUGUST),
    (dt.datetime(2013, 8, 1, 12), "2013-08-01 12:00:00", AUGUST),
    (201308.0, "201308", AUGUST),
    (20130831.0, "20130831", AUGUST),
    (2013.08, "2013.08", AUGUST),
    (2013.11, "2013.11", number(2013, 11)),
    (2013.1, "2013.1", None),                       # 2013.10 typed as a number
    ("2013.1", "2013.1", None),                     # and saved as CSV
    (40238.0, "40238", None),
    (8.0, "8", None),
    (8.5, "8.5", None),
    ("", "", None),
])
def test_a_cell_is_a_date_a_text_or_a_number(value, text, expected):
    assert Month(**{"from": "column"}, column="x").in_cell(value, text) == expected


def test_a_number_alone_is_a_month_of_a_year_given():
    rule = Month(**{"from": "column"}, column="x", year=2013)
    assert [rule.in_cell(float(n), str(n), 2013) for n in (1, 8, 12, 13)] == [
        number(2013, 1), AUGUST, number(2013, 12), None]


def test_a_name_never_lost_the_nought_of_october():
    for place in ("file", "sheet"):
        assert Month(**{"from": place}).in_text("2013.1") == number(2013, 1)
        assert Month(**{"from": place}).in_text("2013.10") == number(2013, 10)


# ---------------------------------------------------------------- patterns, years


@pytest.mark.parametrize(("pattern", "text", "expected"), [
    (r"(?P<year>\d{4})\.(?P<month>\d+)", "2013.1", number(2013, 1)),
    (r"(?P<month>\d+)月累计", "1-8月累计", AUGUST),
    (r"(?P<month>[A-Z][a-z]+) branch", "May branch", number(2013, 5)),
    (r"(?P<month>\w+) branch", "Market branch", None),
    (r"(?P<month>.)月", "八月花", AUGUST),
    (r"(?P<year>\d\d)(?P<month>\d\d)", "eb0708", number(2007, 8)),
    (r"(?P<year>.{4})年(?P<month>.)月", "二〇一一年八月", number(2011, 8)),
    (r"(?P<month>\d+)月", "1月-8月", None),
    (r"(?P<month>\d+)月", "13月", None),
])
def test_a_pattern_says_what_counts(pattern, text, expected):
    assert Month(**{"from": "title"}, pattern=pattern, year=2013).in_text(text, 2013) == expected


def test_a_pattern_needs_a_year_where_none_is_given():
    with pytest.raises(ValidationError, match=re.escape("named groups (?P<year>...)")):
        Month(**{"from": "title"}, pattern=r"(?P<month>\d+)月")
    with pytest.raises(ValidationError, match=re.escape("named groups (?P<month>...)")):
        Month(**{"from": "title"}, pattern=r"(?P<year>\d+)", year=2013)
    with pytest.raises(ValidationError, match=re.escape("named groups (?P<year>...)")):
        Year(**{"from": "file"}, pattern=r"\d+")


def test_a_year_alone_is_the_year_itself():
    assert Month(**{"from": "heading"}, year=2017).year == Year(**{"from": "constant"}, value=2017)
    assert Month(**{"from": "heading"}, year={"from": "file"}).year.source == "file"
    for wrong in ("2017", 17, True, {"from": "nowhere"}):
        with pytest.raises(ValidationError):
            Month(**{"from": "heading"}, year=wrong)


@pytest.mark.parametrize(("text", "year"), [
    ("2018年电子银行报表.xlsx", 2018), ("电子银行统计表2017.xlsx", 2017), ("２０１８年度", 2018), ("二〇一八年", 2018),
    ("18年报表", 2018), ("2018", 2018), ("2018-08", 2018), ("201808", 2018), ("2018-11", 2018), ("2018-01-01", 2018),
    ("Dec-18", 2018), ("2018年8月与2018年9月", 2018), ("2018年1-8月", 2018),
    ("2018年8月与2017年8月", None), ("2018-2019", None), ("2018/19", None), ("FY2018", None), ("近10年", None),
    ("10年期", None), ("12018", None), ("电子银行", None)])
def test_the_one_year_of_a_text(text, year):
    assert year_in_text(text) == Year(**{"from": "title"}).in_text(text) == year


def test_the_year_of_a_pattern():
    rule = Year(**{"from": "title"}, pattern=r"年度：(?P<year>\S+)")
    assert [rule.in_text(t) for t in ("年度：2018", "年度：18", "年度：二〇一八", "年度：甲", "2018")] == [
        2018, 2018, 2018, None, None]


# ---------------------------------------------------------------- all months, in all forms

FORMS = lines("""
    {y}年{m}月
    {y}年{m:02}月份
    {cy}年{cm}月
    {yy:02}年{m}月
    表{y}年{m}月.xls
    {y}-{m}
    {y}.{m:02}
    {y}/{m:02}/{d}
    {y}-{m:02}-{d:02} 00:00:00
    {y}{m:02}
    {y}{m:02}{d:02}
    {y}M{m:02}
    {m:02}/{y}
    {m}/{y}
    {name} {y}
    {short}-{y}
    {short}. {y}
    {short}-{yy:02}
    {short}'{yy:02}
    {y} {short}
    {d} {name} {y}
    {d}-{short}-{yy:02}
    {short} {d}, {y}
    report_{short}{y}.xlsx
    """)
BARE = ["{m}月", "{m:02}月", "{cm}月", "{cm}月份", "{name}", "{short}", "{short}.", "{m}", "{m:02}", "{m}月{d}日"]


def written(form, year, month, day):
    cy = "".join("〇一二三四五六七八九"[int(c)] for c in str(year))
    return form.format(y=year, yy=year % 100, m=month, d=day, cm=CHINESE[month], cy=cy,
                       name=calendar.month_name[month], short=calendar.month_abbr[month])


years, months, days = st.integers(1990, 2060), st.integers(1, 12), st.integers(1, 28)


@given(st.sampled_from(FORMS), years, months, days, st.booleans(), st.sampled_from([str, str.upper, str.lower]))
def test_a_month_written_and_read_is_the_same(form, year, month, day, full_width, case):
    year = max(year, 2000) if "{yy" in form else year      # of two digits
    text = case(written(form, year, month, day))
    assert month_in_text(wide(text) if full_width else text) == number(year, month)
    assert year_in_text(text) == year


@given(st.sampled_from(BARE), years, months, days, st.booleans(), st.sampled_from([str, str.upper, str.lower]))
def test_and_without_its_year(form, year, month, day, full_width, case):
    text = case(written(form, year, month, day))
    text = wide(text) if full_width else text
    assert month_in_text(text, year) == number(year, month)
    assert month_in_text(text) is year_in_text(text) is None


@given(st.sampled_from(FORMS), st.sampled_from(FORMS), years, months, months, days)
def test_two_different_months_in_one_text_are_none(first, second, year, one, other, day):
    texts = [written(form, max(year, 2000), m, day) for form, m in ((first, one), (second, other))]
    assert (month_in_text(" | ".join(texts)) is None) == (one != other)


@given(st.text(max_size=300), st.none() | years)
def test_any_text_is_answered(text, year):
    found = month_in_text(text, year)
    assert found is None or not why_not(text, year) or re.search(r"\.1$", text)
    assert isinstance(why_not(text, year), str) and (year_in_text(text) is None or year_in_text(text) > 1000)
