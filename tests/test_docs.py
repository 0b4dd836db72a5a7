"""The documentation is true: the site is built without a warning, what it shows runs, and both READMEs say the same."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import tomllib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

import ebank_lib as eb
from ebank_lib.cli import _parser, main
from ebank_lib.config import Strict

ROOT = Path(__file__).resolve().parents[1]

# --- the site ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    """The site as `make docs` builds it: a page that nothing lists, a link or anchor that leads nowhere is an error."""
    from sphinx.cmd.build import main as build

    out = tmp_path_factory.mktemp("site")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # of what the builder imports
        assert build(["-q", "-W", "--keep-going", "-c", str(root / "docs"), str(root), str(out)]) == 0
    return {page.relative_to(out).as_posix(): page.read_text(encoding="utf-8") for page in out.rglob("*.html")}


def test_the_site_has_every_verb_result_command_and_error(site):
    assert [verb for verb in eb.__all__ if f'id="ebank_lib.{verb}"' not in site["docs/reference/verbs.html"]] == []
    assert all(f"{name}</h2>" in re.sub("<a class.*?</a>", "", site["docs/reference/results.html"])
               for name in ("Cleaned", "Forecast", "Backtest", "Targets"))
    (commands,) = [action.choices for action in _parser()._actions if action.dest == "command"]
    assert [name for name in commands if f'id="ebank-{name}"' not in site["docs/reference/commands.html"]] == []
    assert "too few months to forecast" in site["docs/reference/errors.html"]


def test_the_site_fetches_nothing(site):
    fetched = r"""<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^ "'>]*"""
    assert {name: found for name, page in site.items() if (found := re.findall(fetched, page))} == {}
    assert "<math" in site["docs/why/arma.html"]


# --- what it shows runs -----------------------------------------------------------------------------------------------

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# Takes minutes or a machine's own service: read by the parser here, run by the tests of reports, export and batch.
LONG = {"report", "verify", "export"}


def pages(root):
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(path, *kinds):
    """Return the blocks of a page in these languages; one whose first line says what it needs is only read."""
    return [(kind, text, bool(re.match("# (needs|takes) ", text)))
            for kind, text in BLOCK.findall(path.read_text(encoding="utf-8")) if kind in kinds]


@pytest.fixture(scope="module")
def small(cleaned):
    """The sample with two of its branches, which is enough to run what the pages show."""
    few = cleaned.panel.loc[["rizhao", "jinan"]]
    return replace(cleaned, panel=few, contexts={})


@pytest.fixture
def place(root, tmp_path, monkeypatch, small):
    """A folder like a checkout, where pages may write; the sample is cleaned already."""
    (tmp_path / "data").symlink_to(root / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eb, "clean", lambda source, *args, _clean=eb.clean, **options: (
        small if source == "data/shandong" and not args and not options else _clean(source, *args, **options)))
    monkeypatch.setenv("EBANK_DB", "")
    return tmp_path


def run(line, root, only_read):
    """Run a line of a shell block, or read it where it is marked, long or of another program."""
    line = line.split("  #")[0].strip()
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "make":
        targets = re.findall(r"^(\w+):.*##", (root / "Makefile").read_text(encoding="utf-8"), re.M)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == [], line
    elif words[0].rsplit("/", 1)[-1] == "ebank":
        if "--version" not in words and (only_read or words[1] in LONG):
            _parser().parse_args(words[1:])
        else:
            try:
                assert main(words[1:]) == 0, line
            except SystemExit as ended:
                assert ended.code == 0, line
    elif not only_read:
        subprocess.run(line, shell=True, check=True)


@pytest.mark.parametrize("name", [str(path.relative_to(ROOT)) for path in pages(ROOT) if blocks(path, "python", "sh")])
def test_what_a_page_shows_runs(name, root, place):
    import matplotlib.pyplot as plt

    page, names = root / name, {}
    for kind, text, only_read in blocks(page, "python", "sh"):
        if kind == "python":
            code = compile(text, str(page), "exec")
            if not only_read:
                exec(code, names)
        else:
            for line in text.replace("\\\n", " ").splitlines():
                run(line, root, only_read)
    plt.close("all")


def test_yaml_and_tables_of_pages_are_read(root):
    for path in pages(root):
        for kind, text, _ in blocks(path, "yaml", "toml"):
            (yaml.safe_load if kind == "yaml" else tomllib.loads)(text)


# --- two languages ----------------------------------------------------------------------------------------------------

HEADINGS = {"ebank": "ebank", "Commands": "常用命令", "Questions in one line": "一行代码一个问题",
            "The batch": "批处理", "Layout": "代码结构", "Where the rest is": "更多文档"}


def outline(path):
    """Return a README's headings, its code without comments, and what stands in its tables and text as code."""
    text = path.read_text(encoding="utf-8")
    code = [[line.split("#")[0].rstrip() for line in block.splitlines()] for _, block in BLOCK.findall(text)]
    prose = BLOCK.sub("", text)
    return re.findall(r"^#+ (.*)$", prose, re.M), code, set(re.findall(r"`([^`\n]+)`", prose)), \
        [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("README")]


def test_the_chinese_readme_says_the_same(root):
    heads, *rest = outline(root / "README.md")
    zh_heads, *zh_rest = outline(root / "README.zh.md")
    assert [HEADINGS[head] for head in heads] == zh_heads
    assert rest == zh_rest


def test_a_readme_is_read_in_one_go(root):
    for name in ("README.md", "README.zh.md"):
        assert len((root / name).read_text(encoding="utf-8").splitlines()) <= 150


# --- every key of a source --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(root):
    found = importlib.util.spec_from_file_location("keys", root / "docs" / "keys.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def records(annotation, seen=None):
    """Return a record and those that its keys hold, by their names."""
    seen = {} if seen is None else seen
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        for part in get_args(annotation):
            records(part, seen)
    elif annotation.__name__ not in seen:
        seen[annotation.__name__] = annotation
        for field in annotation.model_fields.values():
            records(field.annotation, seen)
    return seen


def test_every_record_of_the_schema_has_its_table(keys):
    from ebank_lib.sources.spec import DatabaseSpec, LongSpec, SourceSpec, WideSpec

    found = {name for model in (SourceSpec, WideSpec, LongSpec, DatabaseSpec) for name in records(model)}
    assert found - {"Labels"} == set(keys.TITLES)


def test_every_key_has_a_meaning_and_an_example_that_is_accepted(keys, root):
    meaning = yaml.safe_load((root / "docs" / "keys.yaml").read_text(encoding="utf-8"))
    for name in keys.TITLES:
        model = keys.record(name)
        assert set(meaning[name]) == set(keys.keys(model)), name
        for field_name, field in model.model_fields.items():
            key = field.alias or field_name
            what, example = meaning[name][key]
            assert what
            value = yaml.safe_load(example)
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            TypeAdapter(kind).validate_python(value, strict=None if isinstance(value, dict) else True)


def test_the_page_is_made_of_today_s_schema(keys, root):
    assert (root / "docs" / "sources.md").read_text(encoding="utf-8") == keys.page()


def test_the_schema_refuses_what_the_page_does_not_list():
    assert Strict.model_config["extra"] == "forbid"
