"""The references: each is complete and used; an unknown method lists those that are known."""

import re

import pytest

import ebank_lib as eb
from ebank_lib.citations import known_methods
from ebank_lib.errors import UnknownNameError
from ebank_lib.forecasting.candidates import MEMBERS

METHODS, PAPERS = known_methods()


def test_every_paper_belongs_to_a_method_and_every_method_has_papers():
    assert {key for keys in METHODS.values() for key in keys} == set(PAPERS)
    assert all(METHODS.values())
    assert {"arma", "stl", "limits", "reconciliation", *(m for m in MEMBERS if m != "snaive_drift")} <= set(METHODS)


@pytest.mark.parametrize("key", PAPERS)
def test_a_paper_is_complete_and_its_key_is_its_first_author_and_year(key):
    paper = PAPERS[key]
    first = paper["author"].split(",")[0].lower().replace("é", "e").replace(" ", "")
    assert key == f"{first}{paper['year']}" and 1900 < paper["year"] < 2030
    assert all(re.fullmatch(r"[^,]+, [^,]+", one) for one in paper["author"].split(" and "))
    assert re.fullmatch(r"\d+-\d+", str(paper["pages"])) and not paper["title"].endswith(".")


@pytest.mark.parametrize("method", METHODS)
def test_bibtex_can_be_read_back(method):
    entries = re.findall(r"@article\{(\w+),\n(.*?)\n\}", eb.cite(method, "bibtex"), re.S)
    assert [key for key, _ in entries] == METHODS[method]
    for key, body in entries:
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", body, re.M))
        assert {name: value.replace("\\&", "&").strip("{}") for name, value in fields.items()} == {
            name: str(value) for name, value in PAPERS[key].items()}
        assert body.count("{") == body.count("}")


def test_text_comes_first_then_bibtex():
    both, text, bibtex = (eb.cite("theta", form) for form in ("both", "text", "bibtex"))
    assert both == f"{text}\n\n{bibtex}" and len(text.splitlines()) == 2
    assert text.startswith("Assimakopoulos, V.; Nikolopoulos, K. (2000). The theta model: ")


def test_an_unknown_method_lists_those_that_are_known():
    with pytest.raises(UnknownNameError, match="unknown method 'armas'. Did you mean 'arma'. Known: .*, stl"):
        eb.cite("armas")
    with pytest.raises(UnknownNameError, match="unknown form 'apa'. Known: both, text, bibtex"):
        eb.cite("arma", "apa")
