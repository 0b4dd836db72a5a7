"""All sentences of the reports of five sources: each number has the cell that it was made from, and says the same."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from ebank_lib.cli.trace import open_report
from ebank_lib.reports.content import words_of

pytestmark = [pytest.mark.slow, pytest.mark.notebook]

RBI = Path(__file__).parents[1] / "rbi"
BANKS = "^(?:HDFC|NAINITAL|UCO|DENA|VIJAYA|CANARA)"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# Dates, orders such as (1,1,2), what stands in quotation marks, words with figures in them and the constants of a
# method (95% limits, the 5% level, a base of 1) are no figures.
WORDS = re.compile(
    r"\d{4}年(?:\d{1,2}月)?(?:\d{1,2}日)?|\d{4}-\d{2}(?:-\d{2})?|(?:" + MONTHS + r")[a-z]* (?:\d{1,2}, )?\d{4}"
    r"|\(\d+(?:, ?\d+)+\)|“[^”]*”|\"[^\"]*\"|[dD] ?= ?\d|[A-Za-z]+\d+\w*|\b12 months|\blast 12\b|12个月"
    r"|\d+%(?=区间|水平| limits| interval| level| range)|1/1\.01|为1，|as 1,|提前1至|1 to (?=[\d\0]+ months? ahead)"
    r"|界限0\.64|limit 0\.64|不到 2|within 2 of it|\[12\]|不到60个月|fewer than 60|至少要36个月|takes 36 months"
    r"|P、Q 试到 \d|P and Q were tried up to \d|D = \d")
CATALOG = """\
units: {户: {base: 户, factor: 1}, 笔: {base: 笔, factor: 1}, "%": {base: 比率, factor: 0.01}}
base_units: {户: {zh: 户, en: customers}, 笔: {zh: 笔, en: transactions}, 比率: {zh: "", en: ""}}
groups: {all: {zh: 全部, en: All}}
headline: [txn]
indicators:
  - {key: online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}
  - {key: phone, zh: 电话银行客户数, en: Phone customers, group: all, kind: stock, unit: 户}
  - {key: txn, zh: 交易量, en: Transactions, group: all, kind: flow, unit: 笔}
  - {key: rate, zh: 活动率, en: Activity rate, group: all, kind: ratio, unit: 比率}
"""
SOURCES = """\
title: {zh: 试验, en: Trial}
catalog: catalog.yaml
branches: branches.csv
files:
  - path: "cells.csv"
    layout: long
    branch: branch
    month: {from: column, column: month, format: "%Y-%m"}
    columns:
      online: {indicator: online, unit: 户}
      phone: {indicator: phone, unit: 户}
      txn: {indicator: txn, unit: 笔}
      rate: {indicator: rate, unit: "%"}
"""


def one_branch(folder):
    """A source of one branch and four indicators, two of them the same numbers: a cell cannot be told by its value."""
    folder.mkdir()
    (folder / "catalog.yaml").write_text(CATALOG, encoding="utf-8")
    (folder / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (folder / "branches.csv").write_text(
        "branch,zh,en,role,aliases,merged_into,merged_month\neast,东城,East,branch,,,\n", encoding="utf-8")
    rows = []
    for n, month in enumerate(pd.period_range("2019-01", periods=60, freq="M")):
        online = round(10_000 * 1.02 ** n * (1 + 0.02 * (n % 5)))
        txn = round(50_000 * 1.015 ** n * (1 + 0.1 * (n % 12 == 1) - 0.03 * (n % 7)))
        rows.append(f"东城,{month},{online},{online},{txn},{30 + 0.4 * n + 0.3 * (n % 3):.2f}")
    (folder / "cells.csv").write_text("branch,month,online,phone,txn,rate\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder, "east"


def some_banks(rbi, folder, table):
    """The Reserve Bank's table of six banks: what is learnt from two hundred makes no other sentences."""
    name = f"{table}_bank_month_raw.csv.gz"
    cells = pd.read_csv(rbi / name, dtype=str, keep_default_na=False)
    cells[cells["bank_raw"].str.contains(BANKS)].to_csv(folder / name, index=False)


@pytest.fixture(scope="module", params=["stored rizhao", "stored shandong", "sample en", "neft zh", "mobile en",
                                        "one en"])
def report(request, tmp_path_factory, root):
    name, lang = request.param.split()
    if name == "stored":        # what the notebooks of the sample say in Chinese
        return open_report(request.getfixturevalue("sample_reports")[lang])
    folder = tmp_path_factory.mktemp(name)
    known = {"sample": (root / "data" / "shandong", "rizhao"), "neft": (RBI / "neft", "hdfc-bank"),
             "mobile": (RBI / "mobile", "nainital-bank-limited")}
    source, branch = known[name] if name in known else one_branch(folder / "one")
    environ = dict(os.environ)
    if source.parent == RBI:
        environ["EBANK_SHARED"] = str(folder)
        (folder / "data" / "rbi").mkdir(parents=True)
        some_banks(request.getfixturevalue("shared_data") / "rbi", folder / "data" / "rbi", name)
    words = ["report", "--source", source, "--branch", branch, "--lang", lang, "--out", folder / "out", "--quiet",
             "-p", "max_p=2", "-p", "max_q=2"]      # fewer orders make no other sentences
    made = subprocess.run([sys.executable, "-m", "ebank_lib", *words], capture_output=True, text=True, check=False,
                          env=environ)
    assert made.returncode == 0, made.stderr
    return open_report(folder / "out" / branch)


def bare(sentence):
    """The numbers of a sentence that carry no cell."""
    text = list(sentence.text)
    for one in sentence.citations:
        text[one.start:one.end] = "\0" * (one.end - one.start)
    plain = WORDS.sub(lambda m: "\0" * len(m[0]), "".join(text))
    return re.findall(r"\d[\d,]*(?:\.\d+)?", plain)


def test_every_number_of_every_sentence_has_its_cell(report):
    assert report.content.state and len(report.sentences) > 5
    assert {one.text: bare(one) for one in report.sentences if bare(one)} == {}


def test_no_picture_is_empty(report):
    page = (report.folder / "report.html").read_text(encoding="utf-8")
    pictures = [imread(io.BytesIO(base64.b64decode(data)), "png")[..., :3] for data in re.findall(
        r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)]
    assert len(pictures) > 5
    for picture in pictures:
        inked = (picture < 0.97).any(axis=2)
        # Something stands in every part of it, rather than a sentence at the top or nothing at all.
        assert all(part.mean() > 0.002 for part in np.array_split(inked, 3)), picture.shape


def test_what_the_sample_was_made_from_stands_beside_no_other_source(report):
    text = words_of((report.folder / "report.html").read_text(encoding="utf-8"))
    said = re.findall("工商银行|建行|山东|十几家|ICBC|Shandong|a dozen branches|simulated data|模拟数据", text)
    assert bool(said) == report.run["simulated"], said


@pytest.mark.parametrize("report", ["mobile en"], indirect=True)
def test_a_page_in_english_has_nothing_in_chinese(report):
    assert len(report.run["stages"]) == 5 and report.run["stderr"] == {}
    page = (report.folder / "report.html").read_text(encoding="utf-8")
    body = re.sub(r'<img [^>]*>|<details.*?</details>', "", page[page.index("<body"):], flags=re.S)
    assert "NAINITAL BANK LIMITED" in body and re.findall(r"[\u3400-\u9fff]+", body) == []


def test_a_cited_cell_has_the_number_that_is_printed(report):
    """The cell, scaled as the words after the number say, rounds to the digits on the page."""
    scales = {"%": (100,), "万": (1e-4,), "亿": (1e-8,), "个": (100,), "百": (100,), "p": (100,),
              "k": (1e-3,), "m": (1e-6,), "b": (1e-9,)}
    for said in report.sentences:
        for one in said.citations:
            shown = re.search(r"([<>]?)\s*([+−-]?)([\d,]+(?:\.(\d+))?)\s*(\S?)", said.text[one.start:one.end] + " "
                              + said.text[one.end:one.end + 2])
            if shown is None or shown[1] or len(one.cells) != 1 or not isinstance(one.cells[0].value, (int, float)):
                continue
            printed, slack = float(shown[3].replace(",", "")), 0.5001 * 10.0 ** -len(shown[4] or "")
            value = float(one.cells[0].value)
            # The last number of a range has the unit of both; of a share the points are not said beside each.
            near = [abs(v) * scale for scale in (1, 100, *scales.get(shown[5], ())) for v in (value, value - 1)]
            assert min(abs(v - printed) for v in near) <= slack, (said.text, shown[0], one.cells[0])
