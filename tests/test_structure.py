"""The house rules that a machine can check: imports run one way, modules stay small, no host or machine path."""

import ast
import re
import subprocess
import sys

import pytest

ORDER = ["errors", "files", "versions", "config", "wording", "display", "catalog", "guessing", "store",
         "compiled", "monthly", "citations", "sources", "cleaning", "drafting", "growth", "quarters", "reference",
         "peers", "stationarity", "arma", "events", "rules", "forecasting", "province", "scenarios", "charts",
         "reports", "cli", "__main__"]


TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".lock", ".ipynb", ".cfg", ".csv", ".j2", ".css", ""}


def modules(root):
    return sorted((root / "ebank_lib").rglob("*.py"))


def stage(root, path):
    return path.relative_to(root / "ebank_lib").parts[0].removesuffix(".py")


def imported_stages(root, path):
    """Yield (line, stage, inside a function named plot*) for every import of the package by a module of it."""
    package = ["ebank_lib", *path.relative_to(root / "ebank_lib").parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plots = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name.startswith("plot")]
    inside = {id(node) for f in plots for node in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            full = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*full, alias.name] for alias in node.names] if full == ["ebank_lib"] else [full]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "ebank_lib" and len(name) > 1 and not name[1].startswith("__"):
                yield node.lineno, name[1], id(node) in inside


def test_imports_run_downward_only(root):
    wrong = []
    for path in modules(root):
        here = stage(root, path)
        if here == "__init__":
            continue
        assert here in ORDER, f"{path.name} has no place in the order"
        for line, there, in_plot in imported_stages(root, path):
            # A result may draw itself: its plot method is the one door upward, and it opens into charts only.
            if ORDER.index(there) > ORDER.index(here) and not (in_plot and there == "charts"):
                wrong.append(f"{path.relative_to(root)}:{line} imports {there}")
    assert wrong == []


def test_the_package_names_itself_relatively(root):
    wrong = []
    for path in modules(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else \
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{path.relative_to(root)}:{node.lineno}" for name in names if name.split(".")[0] == "ebank_lib"]
    assert wrong == []


def test_modules_stay_small(root):
    lines = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in modules(root)}
    assert {name: n for name, n in lines.items() if n > 450} == {}


def tracked(root):
    out = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    if out.returncode:
        pytest.skip("not a git checkout")
    return [root / name for name in out.stdout.decode().split("\0") if name]


def test_no_file_names_a_registry_host_or_a_path_of_one_machine(root):
    # Written in pieces so that this file keeps the rule it checks.
    forbidden = re.compile("|".join(["python" "hosted", "py" r"pi\.", "registry" r"\.npm", "deb" r"\.debian",
                                     "/ho" r"me/\w", r"(?<!\w)/wo" "rk/", "/ro" "ot/", "/t" "mp/"]))
    wrong = []
    for path in tracked(root):
        if path.is_file() and path.suffix in TEXT:
            for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if forbidden.search(line):
                    wrong.append(f"{path.relative_to(root)}:{n}: {line.strip()[:80]}")
    assert wrong == []


def test_no_unsafe_reading(root):
    text = {p: p.read_text(encoding="utf-8") for p in modules(root)}
    for pattern in (r"\bpickle\b", r"\beval\(", r"\bexec\(", r"shell=True",
                    r"yaml\.(unsafe_|full_)?load\((?!text, Loader=_Plain)"):
        assert [p.name for p, body in text.items() if re.search(pattern, body)] == [], pattern


def test_no_module_is_there_twice():
    """Doctests are of the modules that everybody imports; see conftest.py."""
    import ebank_lib.arma

    for name in ebank_lib.arma.__all__:
        made = getattr(ebank_lib.arma, name)
        assert getattr(sys.modules[made.__module__], name) is made
