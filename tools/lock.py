"""Resolve pyproject.toml into requirements.lock (pip) and environment.yml (conda): one set, two ways to it.

The lock is one file for every supported Python and platform, hashed, with the same version of a package on all of
them wherever that is possible, because the notebooks' stored numbers are compared digit by digit. It names no
registry: where packages come from is the installing machine's business.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "environment.yml"
HEADER = """\
# Everything `make` installs, runtime and tests, for every supported Python and platform. Written by `make lock`.
# pip install --require-hashes --only-binary :all: --no-deps -r requirements.lock
"""


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def direct(table):
    """Every requirement the project itself states, whichever list it stands in."""
    stated = list(table["project"]["dependencies"])
    for extra in table["project"]["optional-dependencies"].values():
        stated += extra
    for group in table["dependency-groups"].values():
        stated += group
    return [Requirement(text) for text in stated]


def locked(text):
    """Name -> the versions the lock pins it to, each with its marker (or None)."""
    pins = {}
    for name, version, marker in re.findall(r"^([\w.\-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*\\?$", text, re.M):
        pins.setdefault(canonicalize_name(name), []).append((version, Marker(marker) if marker else None))
    return pins


def compile_lock(upgrade):
    table = project()
    # Nothing of this machine's configuration may decide what another machine installs.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    env.update(PIP_CONFIG_FILE=os.devnull, UV_NO_CONFIG="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    for kept in ("PIP_CERT", "PIP_PROXY"):
        if kept in os.environ:
            env[kept] = os.environ[kept]
    with tempfile.TemporaryDirectory() as folder:
        print("[1/3] fetching uv", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True, env=env)
        print("[2/3] resolving" + (" to the newest" if upgrade else ""), flush=True)
        groups = [f"--group={name}" for name in table["dependency-groups"]]
        lowest = table["project"]["requires-python"].split(",")[0].removeprefix(">=")
        subprocess.run(
            [
                f"{folder}/bin/uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
                "--fork-strategy=fewest", "--only-binary=:all:", "--no-emit-index-url", "--no-header",
                "--no-annotate", f"--python-version={lowest}", "--all-extras", *groups,
                *(["--upgrade"] if upgrade else []), f"--output-file={LOCK}", "pyproject.toml",
            ],
            check=True, env=env, cwd=ROOT,
        )  # fmt: skip
    LOCK.write_text(HEADER + LOCK.read_text(encoding="utf-8"), encoding="utf-8")


def environment():
    """environment.yml: the project's own requirements at the lock's versions; conda resolves what they need."""
    table = project()
    names, missing = table["tool"]["ebank"]["conda-names"], set(table["tool"]["ebank"]["conda-missing"])
    pins = locked(LOCK.read_text(encoding="utf-8"))
    conda, pip = [], []
    for name in sorted({canonicalize_name(r.name) for r in direct(table)}):
        ((version, _),) = pins[name]
        if name in missing:
            pip.append(f"      - {name}=={version}")
        else:
            conda.append(f"  - {names.get(name, name)}={version}")
    spans = table["project"]["requires-python"].replace(" ", "")
    return "\n".join(
        [
            "# The conda way to the set in requirements.lock: the same versions of everything this project names.",
            "# Written by `make lock`. Then: pip install --no-deps --no-build-isolation --editable .",
            "name: ebank",
            "channels:",
            "  - conda-forge",
            "  - nodefaults",
            "dependencies:",
            f'  - python {spans}',
            "  - pip",
            *conda,
            "  # not on conda-forge",
            "  - pip:",
            *pip,
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping the pins")
    arguments = parser.parse_args()
    try:
        compile_lock(arguments.upgrade)
    except subprocess.CalledProcessError as error:
        sys.exit(f"make lock: {Path(error.cmd[0]).name} failed; its message is above")
    ENVIRONMENT.write_text(environment(), encoding="utf-8")
    count = len(locked(LOCK.read_text(encoding="utf-8")))
    print(f"[3/3] wrote {LOCK.name} ({count} packages) and {ENVIRONMENT.name}")


if __name__ == "__main__":
    main()
