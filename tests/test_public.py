"""What ``import ebank_lib as eb`` shows: quick, the same to a reader, an editor and a type checker."""

import ast
import inspect
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ebank_lib as eb

VERBS = sorted(eb.__all__)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_the_import_is_quick_and_loads_nothing_heavy():
    heavy = ("pandas", "numpy", "matplotlib", "statsmodels", "numba", "papermill")
    assert run(f"import sys, ebank_lib; print([m for m in {heavy} if m in sys.modules])").stdout.strip() == "[]"
    lines = subprocess.run([sys.executable, "-X", "importtime", "-c", "import ebank_lib"], capture_output=True,
                           text=True, check=True).stderr.splitlines()
    (took,) = [line.split("|")[1] for line in lines if line.split("|")[-1].strip() == "ebank_lib"]
    assert int(took) < 150_000    # microseconds; 4,000 on an idle machine


def test_stub_and_reality_agree():
    stub = ast.parse(Path(eb.__file__).with_suffix(".pyi").read_text(encoding="ascii"))
    stated = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert stated == set(VERBS)
    for verb in VERBS:
        found = getattr(eb, verb)
        assert callable(found) and found.__doc__, verb
        assert found.__name__ == verb and found.__module__.startswith("ebank_lib.")


def test_typed_says_so():
    assert Path(eb.__file__).with_name("py.typed").is_file()


def test_no_verb_has_the_name_of_a_module():
    assert [verb for verb in VERBS if find_spec(f"ebank_lib.{verb}")] == []


def test_a_verb_is_the_same_function_however_often_it_is_asked_for():
    code = ("import json, types, ebank_lib as eb; twice = [(getattr(eb, v), getattr(eb, v)) for v in eb.__all__]; "
            "twice += [(getattr(eb, v), one) for v, (one, _) in zip(eb.__all__, twice)]; "
            "print(json.dumps([a is b and not isinstance(a, types.ModuleType) for a, b in twice]))")
    assert set(json.loads(run(code).stdout)) == {True}


def test_only_what_is_shown_in_use_is_public(root):
    texts = [path.read_text(encoding="utf-8") for path in
             [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "notebooks").glob("*.ipynb")]]
    used = {name for text in texts for name in re.findall(r"\beb\.([a-z]\w*)", text)}
    assert used == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_an_editor_completes_a_verb_and_follows_it_to_its_signature(verb, root):
    import jedi

    project = jedi.Project(root)
    head = "import ebank_lib as eb\n"
    completed = jedi.Script(f"{head}eb.{verb[:-1]}", project=project).complete()
    assert verb in [one.name for one in completed]
    (signature,) = jedi.Script(f"{head}eb.{verb}(", project=project).get_signatures()
    shown = [p.name for p in signature.params]      # jedi writes **options out
    stated = inspect.signature(getattr(eb, verb)).parameters.values()
    assert {p.name for p in stated if p.kind != p.VAR_KEYWORD} <= set(shown)
    assert signature.docstring(raw=True)
    (home,) = jedi.Script(f"{head}eb.{verb}", project=project).goto(2, 4, follow_imports=True)
    assert home.type == "function" and home.module_path == Path(inspect.getsourcefile(getattr(eb, verb)))
