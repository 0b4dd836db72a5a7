"""A batch of reports made from hostile texts: everything a reader opens shows them and does nothing."""

import ast
import base64
import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
from html.parser import HTMLParser

import nbformat
import openpyxl
import pyarrow.parquet as pq
import pytest

from .conftest import FORMULA, LABEL, NOTE, SECRET, run_all

pytestmark = pytest.mark.slow


class Tags(HTMLParser):
    """Every element with its attributes, and what stands in scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inside = [], {"script": [], "style": []}
        self._in = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._in = tag if tag in self.inside else None
        if self._in:
            self.inside[tag].append("")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in:
            self.inside[self._in][-1] += data


def test_one_branch_is_done_and_the_other_fails_by_name(made):
    assert made.code == 1, made.stderr
    assert "1 reports done, 0 unchanged, 1 failed" in made.stdout
    names = {path.relative_to(made.out).as_posix() for path in made.files("*.html")}
    assert names == {"index.html", "changes.html", "0351/report.html", "west/failed/index.html"}


def test_pages_run_and_load_nothing(made):
    for path in made.files("*.html"):
        text = path.read_text(encoding="utf-8")
        tags = Tags(text)
        policies = [a["content"] for tag, a in tags.found if a.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1 and policies[0].startswith("default-src 'none';"), path
        assert "unsafe" not in policies[0] and "*" not in policies[0] and "http" not in policies[0]
        # A script or style is the package's own: the policy names its hash.
        for kind, bodies in tags.inside.items():
            for body in bodies:
                digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
                assert f"'sha256-{digest}'" in policies[0], (path, kind)
                assert "alert(" not in body
        assert {tag for tag, _ in tags.found}.isdisjoint({"iframe", "object", "embed", "base", "link", "frame"})
        for _, attributes in tags.found:
            assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "action")]
            for name in ("src", "href", "xlink:href", "poster", "background", "data", "formaction", "srcset"):
                value = attributes.get(name)
                # Within the page, a picture inside it, or a file of the same output folder.
                within = value is None or value.startswith(("#", "data:image/"))
                assert within or re.fullmatch(r"(\.\./){0,2}[\w#-][\w.#-]*(/[\w#-][\w.#-]*)*", value), (path, value)
        assert not re.search(r"@import|url\(\s*['\"]?(?!data:)", text)
        assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\0\x1b") & set(text)


def test_hostile_texts_are_on_the_pages_as_texts(made):
    shown = "".join(path.read_text(encoding="utf-8") for path in made.files("*.html"))
    assert "&lt;script&gt;alert(5)&lt;/script&gt;" in shown and "=cmd|" in shown and "{branch}" in shown
    assert "<script>alert" not in shown and "<img src=x" not in shown


def test_a_spreadsheet_takes_nothing_for_a_formula_or_link(made):
    for path in made.files("*.xlsx"):
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        assert not [name for name in parts if re.search("external|vba|macro|embed|activeX", name, re.I)]
        assert not [
            name for name, text in parts.items() if 'TargetMode="External"' in text or "<f>" in text or "<f " in text
        ]
        book = openpyxl.load_workbook(path)
        texts = [cell for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
        assert {cell.data_type for cell in texts} == {"s"}
        assert any(cell.value.startswith("=cmd|") for cell in texts)
    for path in made.files("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")):
            assert not [text for text in row if text[:1] in tuple("=+@＝＋＠\t\r") or re.match(r"-\D", text)], path


def test_tables_in_parquet_are_plain(made):
    for path in made.files("*.parquet"):
        file = pq.ParquetFile(path)
        assert "pandas" not in str(file.schema_arrow.metadata)
        assert set(map(str, file.schema_arrow.types)) <= {"string", "int64", "double", "bool"}


def test_notebooks_hold_no_markup_from_the_source_and_no_script(made):
    books = made.files("*.ipynb")
    assert len(books) >= 3
    for path in books:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        for cell in book.cells:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                assert set(data) <= {"text/plain", "text/html", "image/png"}, path
                tags = Tags("".join(data.get("text/html", "")))
                assert {tag for tag, _ in tags.found} <= {
                    "div",
                    "table",
                    "caption",
                    "thead",
                    "tbody",
                    "tr",
                    "th",
                    "td",
                    "p",
                    "wbr",
                } | {"style"}
                assert not [n for _, a in tags.found for n in a if n.startswith("on") or n in ("src", "href")]


def test_parameters_are_literals_and_never_code(made):
    cells = [
        cell.source
        for path in made.files("01_first.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    assert cells
    for source in cells:
        tree = ast.parse(source)
        assert all(isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) for node in tree.body)
        values = {node.targets[0].id: node.value.value for node in tree.body}
        assert values["note"] == NOTE and values["branch"] in ("0351", "west")


def test_data_about_the_run_say_what_was_given_as_text(made):
    run_of_all = json.loads((made.out / "run.json").read_text(encoding="utf-8"))
    assert {branch["id"] for branch in run_of_all["branches"]} == {"0351", "west"}
    about = json.loads((made.out / "0351" / "summary.json").read_text(encoding="utf-8"))
    assert about["label"] == {"zh": LABEL, "en": FORMULA}


def test_what_is_said_on_a_terminal_is_printable(made):
    for line in [*made.stdout.splitlines(), *made.stderr.splitlines()]:
        assert all(sign.isprintable() for sign in line), line
    assert [json.loads(line) for line in made.stderr.splitlines() if line.startswith("{")]


def test_nothing_lies_outside_the_output_folder(made):
    """The project is as it was written; below the folder are only names of the package and ids."""
    top = {path.name for path in made.project.iterdir()}
    assert top == {"data", "notebooks", "figures.db", "guard", "out"}
    assert len(list((made.project / "data").rglob("*"))) == 1 + 3 + 3
    assert {path.name for path in made.out.iterdir()} == {
        "0351",
        "west",
        "index.html",
        "changes.html",
        "run.json",
        ".ebank",
    }
    assert all(
        re.fullmatch(r"[\w.-]+", part) for path in made.out.rglob("*") for part in path.relative_to(made.out).parts
    )


def test_nobody_asks_for_the_internet(made):
    """Kernels too: their cells say that the guard is on."""
    said = [
        output.text
        for path in made.files("01_first.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    ]
    assert said and all("True" in text for text in said)
    assert made.network == ""


def _forms(secret: str) -> list[bytes]:
    return [
        secret.encode(),
        secret.encode("utf-16-le"),
        base64.b64encode(secret.encode())[:-4],
        secret.encode().hex().encode(),
    ]


def test_the_address_of_the_database_is_nowhere(made):
    """Artefacts, packed or not, caches, states, locks, what was said and what failed."""
    forms = _forms(SECRET)
    looked = 0
    for path in [*made.files(), *made.files(".*")]:
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        if path.suffix == ".parquet" or contents[0][32:36] == b"PAR1":
            contents.append(
                str(pq.ParquetFile(io.BytesIO(contents[0][contents[0].find(b"PAR1") :])).read().to_pydict()).encode()
            )
        for content in contents:
            assert not [form for form in forms if form in content], path
        looked += 1
    assert looked > 15
    assert SECRET not in made.stdout + made.stderr


def test_links_planted_in_the_output_folder_are_not_followed(made, tmp_path):
    """A report is written again over folders replaced by links: what they lead to stays as it was."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("01_first.ipynb", "hostile.csv", "keep.txt", "run.json"):
        (elsewhere / name).write_text("mine", encoding="utf-8")
    planted = made.project / "planted"
    for branch, folder in (("0351", "tables"), ("west", "failed")):
        (planted / branch).mkdir(parents=True)
        (planted / branch / folder).symlink_to(elsewhere, target_is_directory=True)
    for file in ("report.html", "run.json"):
        (planted / "0351" / file).symlink_to(elsewhere / "run.json")
    done = run_all(made.project, "planted", "--cache", "out/.ebank/cache")
    try:
        assert {path.name: path.read_text(encoding="utf-8") for path in elsewhere.iterdir()} == dict.fromkeys(
            ("01_first.ipynb", "hostile.csv", "keep.txt", "run.json"), "mine"
        )
        assert (
            done.returncode in (1, 2)
            and "Traceback" not in done.stderr
            and "leads out of the output folder" in done.stderr
        )
    finally:
        shutil.rmtree(planted)
