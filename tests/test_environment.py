"""What is installed is one set, told four times: pyproject.toml, requirements.lock, environment.yml and README.md."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Written so that this file keeps the rule it checks.
HOSTS = re.compile("|".join(["[a-z]+:/{2}", "pypi[.]", "python[h]osted", "anaconda[.]", "--(extra-)?index.url",
                             "--find.links", "localhost", "127[.]0"]), re.I)
SET_UP_FILES = ["pyproject.toml", "requirements.lock", "environment.yml", "Makefile", ".ci/run", ".gitignore",
                ".gitattributes", "tools/bootstrap.py", "tools/lock.py", "tools/pytest_ipc.py"]

CONDA_NAMES = {"arch": "arch-py", "lazy-loader": "lazy_loader"}
NOT_ON_CONDA = {"zhplot"}


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runtime(project):
    """The requirements of an installed ebank, extras included."""
    extras = project["project"]["optional-dependencies"].values()
    return [Requirement(text) for texts in [project["project"]["dependencies"], *extras] for text in texts]


@pytest.fixture(scope="module")
def direct(project, runtime):
    """All that the project names itself, tools for tests and for installing too."""
    groups = project["dependency-groups"].values()
    return runtime + [Requirement(text) for group in groups for text in group]


@pytest.fixture(scope="module")
def entries(root):
    """The lock, an entry (its first line and its hashes) at a time."""
    text = (root / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def pins(entries):
    pins = {}
    for entry in entries:
        name, version = re.match(r"([\w.\-]+)==([^\s;]+)", entry).groups()
        pins.setdefault(canonicalize_name(name), []).append(version)
    return pins


@pytest.fixture(scope="module")
def conda(root):
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def test_every_lock_entry_is_pinned_and_hashed(entries):
    shape = re.compile(r"[\w.\-]+==[\w.+!]+(\s*;[^\\]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert entries
    assert [entry[:60] for entry in entries if not shape.fullmatch(entry)] == []


def test_one_version_of_a_package_for_every_python(pins):
    # The notebooks' numbers are compared digit by digit, whichever Python runs them.
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_every_requirement_is_locked_within_its_bounds(direct, pins):
    for requirement in direct:
        assert canonicalize_name(requirement.name) in pins, f"{requirement.name}: run `make lock`"
        for version in pins[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(version), f"{requirement} but locked at {version}"


def test_conda_has_the_same_requirements_at_the_same_versions(project, direct, pins, conda):
    by_pip = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    stated = dict(re.fullmatch(r"([\w.\-]+)==?([\w.+!]+)", entry).groups()
                  for entry in [*conda["dependencies"], *(by_pip[0] if by_pip else [])]
                  if isinstance(entry, str) and not re.match(r"(python|pip)( |$)", entry))
    wanted = {canonicalize_name(requirement.name) for requirement in direct}
    assert stated == {CONDA_NAMES.get(name, name): pins[name][0] for name in wanted}
    assert {entry.split("==")[0] for entry in by_pip[0]} == NOT_ON_CONDA


def test_the_python_range_is_the_same_everywhere(root, project, conda):
    stated = SpecifierSet(project["project"]["requires-python"])
    (python,) = [d for d in conda["dependencies"] if isinstance(d, str) and re.match(r"python\b(?!-)", d)]
    assert SpecifierSet(python.removeprefix("python")) == stated
    low, high = load(root / "tools" / "bootstrap.py", "bootstrap").python_range()
    assert SpecifierSet(f">={low[0]}.{low[1]},<{high[0]}.{high[1]}") == stated
    assert project["tool"]["ruff"]["target-version"] == f"py{low[0]}{low[1]}"


def test_this_environment_is_the_locked_one(direct, pins):
    from importlib.metadata import version

    installed = {requirement.name: version(requirement.name) for requirement in direct}
    assert installed == {name: pins[canonicalize_name(name)][0] for name in installed}


@pytest.mark.parametrize("name", SET_UP_FILES)
def test_no_host_is_named(root, name):
    text = (root / name).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if HOSTS.search(line)] == []


def test_the_readme_justifies_every_dependency(root, runtime):
    readme = root / "README.md"
    assert readme.exists(), "README.md is missing"
    rows = re.findall(r"^\|\s*(`[^|]+)\|\s*(.*?)\s*\|", readme.read_text(encoding="utf-8"), re.M)
    reasons = {canonicalize_name(name.split("[")[0]): reason for cell, reason in rows
               for name in re.findall(r"`([\w.\-\[\]]+)`", cell)}
    wanted = {canonicalize_name(requirement.name) for requirement in runtime}
    missing = sorted(wanted - set(reasons))
    assert not missing, f"the table under Dependencies has no row for {missing}"
    assert [name for name in wanted if not reasons[name]] == []


def test_the_font_is_read_without_running_its_package(root):
    code = ("import importlib.util, pathlib, sys; s = importlib.util.find_spec('zhplot'); "
            "f = pathlib.Path(s.origin).parent / 'fonts' / 'NotoSansSC-Regular.ttf'; "
            "print(f.stat().st_size > 1e6, f.with_name('OFL.txt').exists(), 'zhplot' in sys.modules)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert out.stdout.split() == ["True", "True", "False"]


def test_spring_festival_comes_from_the_library_right():
    # First new moons of the lunar year, Beijing time; the ends, the study's years and the known awkward ones.
    known = ["1990-01-27", "1997-02-07", "2008-02-07", "2009-01-26", "2010-02-14", "2011-02-03", "2012-01-23",
             "2020-01-25", "2024-02-10", "2025-01-29", "2030-02-03", "2033-01-31", "2034-02-19", "2050-01-23"]
    import holidays

    days = holidays.country_holidays("CN", years=[int(day[:4]) for day in known], language="en_US")
    first = {}
    for day in sorted(days.get_named("Chinese New Year (Spring Festival)", lookup="exact")):
        first.setdefault(day.year, day.isoformat())
    assert list(first.values()) == known


# --- the set-up's own words ----------------------------------------------------------------------------------------

PIP_SAYS = {
    "cannot be reached": "WARNING: Retrying (Retry(total=0)) after connection broken by "
    "'NewConnectionError('<x>: Failed to establish a new connection: Connection refused')': /simple/anyio/\n"
    "ERROR: Could not find a version that satisfies the requirement anyio==4.16.0 (from versions: none)\n"
    "ERROR: No matching distribution found for anyio==4.16.0",
    "has no tqdm==999.1 for this Python": "ERROR: Could not find a version that satisfies the requirement tqdm==999.1 "
    "(from versions: 4.70.1)\nERROR: No matching distribution found for tqdm==999.1",
    "anyio==4.16.0 does not match its hash": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS "
    "FILE. If you have updated the package versions, please update the hashes.\n"
    "    anyio==4.16.0 from somewhere/anyio.whl (from -r requirements.lock (line 174)):\n"
    "        Expected sha256 0000\n             Got        c66a",
    "the disk is full": "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
    "cannot write: Permission denied: 'x'": "ERROR: Could not install packages due to an OSError: [Errno 13] "
    "Permission denied: 'x'\nConsider using the `--user` option or check the permissions.",
    "certificate is not accepted": "Could not fetch URL: There was a problem confirming the ssl certificate: "
    "SSLCertVerificationError(1, 'certificate verify failed') - skipping",
    "apt install python3-venv": "The virtual environment was not created successfully because ensurepip is not\n"
    "available.  On Debian/Ubuntu systems, you need to install the python3-venv\npackage using the following "
    "command.\n\n    apt install python3.11-venv",
    "something new": "Traceback\n  lines\nERROR: something new",
}


@pytest.mark.parametrize("line", PIP_SAYS)
def test_what_went_wrong_fits_in_one_line(root, line):
    said = load(root / "tools" / "bootstrap.py", "bootstrap").explain(PIP_SAYS[line])
    assert line in said
    assert "\n" not in said


def fake_python(folder, name, version, able=True):
    answer = f'[[{version.replace(".", ", ")}], {str(able).lower()}, "{folder / name}"]'
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
@pytest.mark.parametrize(("pythons", "outcome"), [
    ({"python3": ("3.9.2", True)}, "python3 is 3.9.2"),
    ({"python3": ("3.99.0", True)}, "python3 is 3.99.0"),
    ({"python3": ("3.11.2", False)}, "apt install python3-venv"),
    ({}, "no python3 on PATH"),
    ({"python3": ("3.9.2", True), "python3.12": ("3.12.1", True)}, (3, 12, 1)),
    ({"python3": ("3.11.2", False), "python3.13": ("3.13.0", True)}, (3, 13, 0)),
    ({"python3": ("3.11.7", True), "python3.13": ("3.13.0", True)}, (3, 11, 7)),
])
def test_the_first_fit_python_is_taken(root, tmp_path, monkeypatch, pythons, outcome):
    bootstrap = load(root / "tools" / "bootstrap.py", "bootstrap")
    for name, (version, able) in pythons.items():
        fake_python(tmp_path, name, version, able)
    monkeypatch.setenv("PATH", str(tmp_path))
    if isinstance(outcome, tuple):
        assert bootstrap.choose_python()[1] == outcome
    else:
        with pytest.raises(bootstrap.SetupError, match=re.escape(outcome)):
            bootstrap.choose_python()


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_a_set_up_that_cannot_be_done_says_so_in_one_line(root, tmp_path):
    fake_python(tmp_path, "python3", "3.9.2")
    (tmp_path / "tools").mkdir()
    for name in ["pyproject.toml", "requirements.lock", "tools/bootstrap.py"]:
        (tmp_path / name).write_bytes((root / name).read_bytes())
    out = subprocess.run([sys.executable, tmp_path / "tools" / "bootstrap.py"], capture_output=True, text=True,
                         env={"PATH": str(tmp_path)}, check=False)
    assert out.returncode == 1
    assert out.stderr.startswith("set-up failed: needs Python 3.11 to ")
    assert len(out.stderr.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()
