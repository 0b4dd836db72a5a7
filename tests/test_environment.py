"""What is installed is one set, told four times: pyproject.toml, the lock, environment.yml and CONTRIBUTING.md."""

import os
import re
import shutil
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
                ".gitattributes", "tools/setup.sh", "tools/pytest_ipc.py"]

CONDA_NAMES = {"arch": "arch-py", "lazy-loader": "lazy_loader", "duckdb": "python-duckdb"}
NOT_ON_CONDA = {"zhplot"}


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
    (low,) = [one.version for one in stated if one.operator == ">="]
    assert project["tool"]["ruff"]["target-version"] == f"py{low.replace('.', '')}"
    assert f"--python-version={low} " in (root / "Makefile").read_text(encoding="utf-8")


def test_this_environment_is_the_locked_one(direct, pins):
    from importlib.metadata import version

    installed = {requirement.name: version(requirement.name) for requirement in direct}
    assert installed == {name: pins[canonicalize_name(name)][0] for name in installed}


@pytest.mark.parametrize("name", SET_UP_FILES)
def test_no_host_is_named(root, name):
    text = (root / name).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if HOSTS.search(line)] == []


def test_the_contributing_guide_justifies_every_dependency(root, runtime):
    guide = root / "CONTRIBUTING.md"
    rows = re.findall(r"^\|\s*(`[^|]+)\|\s*(.*?)\s*\|", guide.read_text(encoding="utf-8"), re.M)
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

needs_sh = pytest.mark.skipif(os.name == "nt", reason="make and sh")
TOOLS = ["awk", "cat", "cmp", "cut", "df", "dirname", "flock", "grep", "head", "ls", "mkdir", "rm", "sed", "sh", "tail"]


@pytest.fixture
def place(root, tmp_path):
    """A checkout with nothing but what set-up reads, and a PATH without any Python."""
    for name in ["pyproject.toml", "tools/setup.sh"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    (tmp_path / "requirements.lock").write_text("uv==0.1\na==1\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        if shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def set_up(place, *python):
    env = {"PATH": str(place / "bin"), "HOME": str(place)}
    return subprocess.run([place / "bin" / "sh", place / "tools" / "setup.sh", *python], capture_output=True,
                          text=True, env=env, check=False)


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def environment(place, uv):
    """An environment that was set up here before, with another lock and a uv that does `uv`."""
    script(place / ".venv" / "bin" / "python", "case $* in *config*) echo \"global.index-url='the mirror'\";; esac")
    script(place / ".venv" / "bin" / "uv", uv)
    (place / ".venv" / "made-from").write_text(f"{place}\n", encoding="utf-8")


SAID = {
    "cannot be reached": "error: Failed to fetch: `anyio`\n  Caused by: error sending request for url (anyio)\n"
    "  Caused by: client error (Connect)\n  Caused by: tcp connect error: Connection refused (os error 111)",
    "or has no such package": "ERROR: Could not find a version that satisfies the requirement uv==0.1 (from versions: "
    "none)\nERROR: No matching distribution found for uv==0.1",
    "no version of tqdm==999.1": "error: No solution found when resolving dependencies\n  cause: Because there is no "
    "version of tqdm==999.1 and you require tqdm==999.1, your requirements are unsatisfiable.",
    "requirements.lock names: Hash mismatch for `tqdm==4.70.1`": "error: Failed to download `tqdm==4.70.1`\n  cause: "
    "Hash mismatch for `tqdm==4.70.1`\n\nExpected:\n  sha256:0000\n\nComputed:\n  sha256:c66a",
    "the disk is full": "error: failed to copy file\n  Caused by: No space left on device (os error 28)",
    "cannot write: ": "error: failed to create directory `x`: Permission denied (os error 13)",
    "certificate is not accepted": "  Caused by: invalid peer certificate: UnknownIssuer",
    "something new": "lines\nerror: something new\nmore lines",
}


@needs_sh
@pytest.mark.parametrize("line", SAID)
def test_what_went_wrong_fits_in_one_line(place, line):
    environment(place, f"cat <<'END'\n{SAID[line]}\nEND\nexit 1")
    done = set_up(place)
    assert done.returncode == 1 and line in done.stderr
    assert done.stderr.startswith("set-up failed: ") and len(done.stderr.splitlines()) == 1
    assert not (place / ".venv" / "made-from").exists()      # half an installation is none


@needs_sh
def test_what_is_right_is_left_alone_and_a_changed_lock_is_not(place):
    environment(place, 'echo "$* $UV_DEFAULT_INDEX" >>calls')
    assert set_up(place).stdout.startswith("[2/3] installing 2 packages")
    calls = (place / "calls").read_text(encoding="utf-8")
    assert "pip sync" in calls and "--require-hashes" in calls and "--editable . the mirror" in calls
    assert set_up(place).stdout == ""
    (place / "requirements.lock").write_text("uv==0.1\na==2\n", encoding="utf-8")
    assert set_up(place).stdout.startswith("[2/3] installing 2 packages")


@needs_sh
@pytest.mark.parametrize(("pythons", "outcome"), [
    ({"python3": ("3.9.2", True)}, "needs Python 3.11 to 3.14, but python3 is 3.9.2"),
    ({"python3": ("3.99.0", True)}, "python3 is 3.99.0"),
    ({"python3": ("3.11.2", False)}, "apt install python3-venv"),
    ({}, "no python3 on PATH: needs Python 3.11 to 3.14"),
    ({"python3": ("3.9.2", True), "python3.12": ("3.12.1", True)}, "python3.12"),
    ({"python3": ("3.11.2", False), "python3.13": ("3.13.0", True)}, "python3.13"),
    ({"python3": ("3.11.7", True), "python3.13": ("3.13.0", True)}, "python3"),
])
def test_the_first_fit_python_is_taken(place, pythons, outcome):
    for name, (version, able) in pythons.items():
        fits = (3, 11) <= tuple(map(int, version.split(".")[:2])) < (3, 15)
        script(place / "bin" / name, f"case $* in *platform*) echo {version};; *version_info*) exit {1 - fits};; "
               f"*ensurepip*) exit {1 - able};; *) echo took $0; exit 1;; esac")
    done = set_up(place)
    assert done.returncode == 1 and done.stderr.startswith("set-up failed: ") and len(done.stderr.splitlines()) == 1
    if outcome in pythons:
        assert (place / ".venv" / "setup.log").read_text(encoding="utf-8") == f"took {place / 'bin' / outcome}\n"
    else:
        assert outcome in done.stderr and not (place / ".venv").exists()


@needs_sh
def test_a_folder_that_is_no_environment_is_left_alone(place):
    script(place / "bin" / "python3", "case $* in *platform*) echo 3.12.0;; esac")
    (place / ".venv").mkdir()
    (place / ".venv" / "thesis.txt").touch()
    done = set_up(place)
    assert "move it away" in done.stderr and (place / ".venv" / "thesis.txt").exists()


def test_no_pattern_repeats_a_group_possessively(root):
    """Python 3.11 before .5, which Debian 12 has, takes away what stands after one (CPython's issue 106052)."""
    group = re.compile(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")
    assert [str(path) for path in (root / "ebank_lib").rglob("*.py") if group.search(path.read_text("utf-8"))] == []
