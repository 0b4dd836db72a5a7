"""Sentences of the sample's pages carry the ids of the cells that they state; no line of state is without."""

import re

import pytest

from ebank_lib.errors import ConfigError
from ebank_lib.reports.cells import cells_at, parse
from ebank_lib.reports.content import read_content
from ebank_lib.reports.opened import open_report


@pytest.fixture(scope="module", params=["rizhao", "shandong"])
def report(request, sample_reports):
    return open_report(sample_reports[request.param])


def test_every_number_of_every_line_of_state_has_its_cell(report):
    assert report.content.state
    for line in report.content.state:
        assert line["cells"] and line["uncited"] == [], line["text"]
        for one in line["cells"]:
            assert cells_at(report.content.tables, parse(one)), one
    counted = report.content.sentences["state"]
    assert counted["numbers"] == counted["cited"] >= 12 and counted["uncited"] == {}


def test_nearly_all_numbers_of_the_text_have_their_cell(report):
    counted = report.content.sentences["readings"]
    assert counted["cited"] >= 0.96 * counted["numbers"], counted["uncited"]


def test_a_cited_cell_has_the_number_that_is_printed(report):
    """Independently of how it was found: the cell, scaled as the words say, rounds to the digits on the page."""
    scales = {"%": 100, "万": 1e-4, "亿": 1e-8, "个百分点": 100, "百分点": 100}
    looked = 0
    for said in report.content.said:
        for number, cells in zip(said.cited.numbers, said.cited.cells, strict=True):
            if number.sign in ("<", ">") or len(cells) != 1 or re.search(r"-\d+$", cells[0].column):
                continue
            printed = float(re.sub(r"[^0-9.]", "", number.text))
            value, scale = float(cells[0].value), scales.get(number.unit, 1)
            near = (value * scale, (value - 1) * scale, (1 - value) * scale, value)
            assert min(abs(abs(v) - printed) for v in near) <= 0.5001 * 10.0 ** -number.decimals, (number, cells)
            looked += 1
    assert looked > 20


def test_the_page_shows_id_and_value_and_every_link_leads_somewhere(report):
    page = (report.folder / "report.html").read_text(encoding="utf-8")
    for line in report.content.state:
        shown = re.search(rf'<li id="state-{line["name"]}".*?</li>', page, re.S)[0]
        for one in (one for one in line["cells"]):
            assert re.sub(r"<", "&lt;", one).replace(">", "&gt;") in shown, one
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r'aria-describedby="([^"]*)"', page)) <= set(ids)
    assert {a[1:] for a in re.findall(r'href="(#[^"]*)"', page)} <= set(ids)
    assert all(f'id="rec-{table["name"]}"' in page for table in report.content.tables)


def test_a_line_may_name_its_cells_and_one_that_was_not_recorded_is_an_error(executed):
    (line,) = read_content(executed, "zh").state
    assert line["cells"] == ["growth[2010-01].value"] and line["uncited"] == ["2"]     # of the hostile text
    text = executed[0].read_text(encoding="utf-8")
    changed = re.sub(r'"value"(\s*\])', r'"valeu"\1', text)
    assert changed != text
    executed[0].write_text(changed, encoding="utf-8")
    with pytest.raises(ConfigError, match="valeu"):
        read_content(executed, "zh")


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["jinan", "laiwu"])
def test_other_branches_and_english_sentences_have_their_cells_too(root, cleaned, monkeypatch, branch):
    """What notebooks 01 and 02 say and record, run here without their pictures, in both languages."""
    import nbformat

    import ebank_lib
    from ebank_lib.reports.citing import cite
    from ebank_lib.wording import use_language

    said = []
    monkeypatch.setattr("ebank_lib.reports.record._publish", lambda data, noted: said.append(noted))
    monkeypatch.setattr(ebank_lib, "clean", lambda *source, **options: cleaned, raising=False)
    monkeypatch.setattr(ebank_lib, "setup", lambda lang: None, raising=False)
    for lang in ("zh", "en"):
        use_language(lang)
        for number in ("01", "02"):
            book = nbformat.read(next((root / "notebooks").glob(f"{number}_*.ipynb")), as_version=4)
            names: dict = {}
            for cell in book.cells:
                if cell.cell_type == "code" and not re.search(r"plot\(|eb\.show|compact", cell.source):
                    code = cell.source.replace('eb.record("ledger_branch", mine)', "")
                    exec(code, names)
                    if "parameters" in cell.metadata.get("tags", ()):
                        names |= {"branch": branch, "lang": lang}
            tables = [{**one["table"], "notebook": number} for one in said if "table" in one]
            lines = [one["state"] for one in said if "state" in one]
            assert len(lines) >= 1 and all(line["about"] for line in lines)
            for line in lines:
                assert cite(line["text"], tables, line["about"]).uncited == [], line["text"]
            said.clear()
