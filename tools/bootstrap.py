"""Make .venv hold exactly what requirements.lock says, and this project in it.

Runs on the standard library alone and, so that it can say "too old" instead of failing to parse, on any
Python from 3.6 on. Does nothing, quickly, when .venv is already right. Every way it can fail that is not a bug
ends in one line that says what to do; pip's own words are kept in .venv/setup.log.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

try:
    import fcntl
except ImportError:  # not a POSIX system: two set-ups at once are then the caller's to avoid
    fcntl = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
PROJECT = os.path.join(ROOT, "pyproject.toml")
STAMP = os.path.join(VENV, "setup.json")
LOG = os.path.join(VENV, "setup.log")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")

# Measured on Linux: 1.3 GB installed, and pip unpacks the larger wheels beside them.
NEEDED_GB = 1.8
# How often a log gets a line while something long is running; a terminal is refreshed every second.
LOG_EVERY = 15.0


class SetupError(Exception):
    """A reason to stop that fits in one line."""


# --- which Python -----------------------------------------------------------------------------------------------


def python_range():
    """The lowest supported and the first unsupported (major, minor), from requires-python."""
    with open(PROJECT, encoding="utf-8") as f:
        text = f.read()
    found = re.search(r'^requires-python\s*=\s*">=3\.(\d+),\s*<3\.(\d+)"', text, re.MULTILINE)
    if not found:
        raise SetupError('pyproject.toml: requires-python must read ">=3.x,<3.y"')
    return (3, int(found.group(1))), (3, int(found.group(2)))


PROBE = """
import json, sys
def has(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print(json.dumps([list(sys.version_info[:3]), has("venv") and has("ensurepip"), sys.executable]))
"""


def probe(command):
    """(version, can make an environment, path) of a Python, or None if it is not there or does not start."""
    path = shutil.which(command)
    if not path:
        return None
    try:
        out = subprocess.run(
            [path, "-I", "-c", PROBE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=60, check=True,
        ).stdout
        version, able, executable = json.loads(out.decode("utf-8"))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return tuple(version), able, executable or path


def choose_python(wanted=None):
    """The Python to build with: `wanted`, or the first good one on PATH, python3 before the numbered names."""
    low, high = python_range()
    span = "Python 3.%d to 3.%d" % (low[1], high[1] - 1)
    names = [wanted] if wanted else ["python3"] + ["python3.%d" % n for n in range(high[1] - 1, low[1] - 1, -1)]
    unsuited, unable = [], []
    for name in names:
        found = probe(name)
        if found is None:
            continue
        version, able, executable = found
        said = "%s is %d.%d.%d" % ((name, *version))
        if not low <= version[:2] < high:
            unsuited.append(said)
        elif not able:
            unable.append((executable, version))
        else:
            return executable, version
    if unable:
        executable, version = unable[0]
        raise SetupError(
            "%s cannot create virtual environments (no venv/ensurepip); on Debian or Ubuntu: "
            "apt install python3-venv (or python3.%d-venv)" % (executable, version[1])
        )
    if unsuited:
        raise SetupError("needs %s, but %s; name another with `make PYTHON=...`" % (span, ", ".join(unsuited)))
    raise SetupError("%s not found: needs %s" % (wanted or "no python3 on PATH", span))


# --- progress ---------------------------------------------------------------------------------------------------


def seconds(t):
    return "%d s" % t if t < 60 else "%d min %02d s" % divmod(int(t), 60)


class Step:
    """One line per step, kept alive: rewritten in place on a terminal, followed by a line now and then in a log."""

    def __init__(self, number, total, title):
        self.head = "[%d/%d] %s" % (number, total, title)
        self.start = self.shown = time.time()
        self.live = sys.stdout.isatty()
        self.width = 0
        self.write(self.head + " ...", end="" if self.live else "\n")

    def write(self, text, end="\n"):
        if self.live:
            limit = shutil.get_terminal_size().columns - 1
            text = text if len(text) <= limit else text[: limit - 3] + "..."
            sys.stdout.write("\r" + text.ljust(self.width) + end)
            self.width = len(text)
        else:
            sys.stdout.write(text + end)
        sys.stdout.flush()

    def tick(self, note=""):
        now = time.time()
        if now - self.shown < (1.0 if self.live else LOG_EVERY):
            return
        self.shown = now
        note = (note + ", " if note else "") + seconds(now - self.start)
        self.write("%s ... %s" % (self.head, note) if self.live else "      %s" % note, end="" if self.live else "\n")

    def done(self, note=""):
        note = (note + ", " if note else "") + seconds(time.time() - self.start)
        self.write("%s: %s" % (self.head, note) if self.live else "      done: %s" % note)

    def broken(self):
        if self.live:
            sys.stdout.write("\n")
            sys.stdout.flush()


def run(command, step, on_line=None, note=None):
    """Run to the end, every line to the log and to `on_line`; returns (exit code, all output)."""
    env = {k: v for k, v in os.environ.items() if k not in HARMFUL}
    env.update(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = []

    def read():
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            lines.append(line)
            if on_line:
                on_line(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while True:
            try:
                code = process.wait(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                step.tick(note() if note else "")
        reader.join(5)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    text = "\n".join(lines)
    try:
        with open(LOG, "a", encoding="utf-8") as f:
            f.write("$ %s\n%s\n" % (" ".join(command), text))
    except OSError:  # a full disk is reported by what the command said
        pass
    return code, text


# Settings of the caller's shell that would send packages elsewhere or mix another Python's in.
HARMFUL = {
    "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_NO_BINARY", "PIP_PYTHON",
}


# --- what went wrong --------------------------------------------------------------------------------------------


def explain(text):
    """pip's or venv's many lines as one."""

    def first(pattern):
        found = re.search(pattern, text, re.MULTILINE)
        return found.group(1).strip() if found else None

    if re.search(r"No space left on device|Errno 28|Disk quota exceeded|Errno 122", text):
        return "the disk is full: %.1f GB are needed here, and some in the folder for temporary files" % NEEDED_GB
    denied = first(r"((?:Permission denied|Read-only file system|Operation not permitted).*)")
    if denied:
        return "cannot write: %s" % denied
    if "ensurepip" in text and "apt" in text:
        return "this Python lacks ensurepip; on Debian or Ubuntu: apt install python3-venv"
    if "DO NOT MATCH THE HASHES" in text:
        name = first(r"^\s+([\w.\-]+==\S+|\S+\.whl\S*) from .*\n\s+Expected") or first(r"^\s+(\S+) .*\n\s+Expected")
        return (
            "%s does not match its hash in requirements.lock: the index or a proxy serves another file; "
            "nothing of it was installed" % (name or "a package")
        )
    if "In --require-hashes mode" in text:
        return "requirements.lock lacks a pin or a hash (%s): run `make lock`" % (
            first(r"^\s+([\w.\-]+[=<>~!]=?\S*) from") or first(r"^\s{4}([\w.\-]+\S*)") or "see the log"
        )
    if re.search(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError", text):
        return "the package index's certificate is not accepted: set PIP_CERT to your organisation's bundle"
    if re.search(
        r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Max retries exceeded"
        r"|name resolution|Connection refused|Connection reset|Network is unreachable|RemoteDisconnected"
        r"|ProtocolError|IncompleteRead",
        text,
    ):
        return "the package index cannot be reached: check the network or proxy, or set PIP_INDEX_URL to a mirror"
    missing = first(r"No matching distribution found for (\S+)")
    if missing:
        return "the package index in use has no %s for this Python and platform" % missing
    status = first(r"((?:HTTP error|\d{3} (?:Client|Server) Error).*)")
    if status:
        return "the package index answered: %s" % re.sub(r"\s*for url:? .*| while getting .*", "", status)
    errors = [line for line in text.splitlines() if re.match(r"\s*(ERROR|Error|\w*Error):?", line)]
    return (errors[-1].strip() if errors else "it said: " + (text.strip().splitlines() or ["nothing"])[-1])[:300]


def fail_with(text):
    """Raise the one line, and say where the rest is if there is a rest to be read."""
    where = " (all of it: .venv/setup.log)" if os.path.exists(LOG) else ""
    raise SetupError(explain(text) + where)


# --- the three steps --------------------------------------------------------------------------------------------


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def target_state():
    return {"lock": digest(LOCK), "project": digest(PROJECT), "root": ROOT}


def stamped():
    """What the last finished set-up left, if the environment it made is still there."""
    try:
        with open(STAMP, encoding="utf-8") as f:
            state = json.load(f)
    except (OSError, ValueError):
        return {}
    # A moved checkout has scripts that point to the old place; a removed Python leaves a dangling link.
    if not isinstance(state, dict) or state.get("root") != ROOT or not os.path.exists(VENV_PYTHON):
        return {}
    return state


def usable():
    """Is there an environment that can be brought up to date rather than built anew?"""
    if not stamped():
        return False
    found = probe(VENV_PYTHON)
    low, high = python_range()
    return bool(found) and low <= found[0][:2] < high


def create(executable, version, number, total):
    step = Step(number, total, "creating .venv with Python %d.%d.%d" % version)
    try:
        if os.path.lexists(VENV):
            # Half an installation is not worth mending: pip does not say which files of which package it had copied.
            if os.path.isdir(VENV) and not os.path.islink(VENV):
                inside = set(os.listdir(VENV))
                if inside and not inside & {"pyvenv.cfg", "setup.log", "setup.json", "bin"}:
                    raise SetupError(".venv exists and is not a virtual environment: move it away")
                shutil.rmtree(VENV)
            else:
                raise SetupError(".venv exists and is not a folder: move it away")
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < NEEDED_GB:
            raise SetupError("the disk is nearly full: %.1f GB free, %.1f GB needed" % (free, NEEDED_GB))
        os.mkdir(VENV)
        code, text = run([executable, "-P", "-m", "venv", VENV], step)
        if code:
            fail_with(text)
    except BaseException:
        step.broken()
        raise
    step.done()


class Counter:
    """Reads pip's progress off its lines."""

    def __init__(self, total):
        self.total, self.collected, self.installing = total, 0, False

    def line(self, line):
        if line.startswith("Ignoring "):
            self.total -= 1
        elif line.startswith(("Collecting ", "Processing ", "Requirement already satisfied: ")):
            self.collected += 1
        elif line.startswith("Installing collected packages"):
            self.installing = True

    def note(self):
        if self.installing:
            return "unpacking %d" % self.total
        return "fetched %d of %d" % (min(self.collected, self.total), self.total)


# -P: a file of this folder must not stand in for a module of the same name.
def pip(*arguments):
    return [VENV_PYTHON, "-P", "-m", "pip", "install", "--no-input", "--progress-bar", "off", *arguments]


def install(number, total):
    with open(LOCK, encoding="utf-8") as f:
        pinned = len(re.findall(r"^[\w.\-]+==", f.read(), re.MULTILINE))
    counter = Counter(pinned)
    step = Step(number, total, "installing the pinned packages (1 to 4 minutes)")
    try:
        # Wheels only: what a source archive would fetch to build itself is neither pinned nor hashed.
        command = pip("--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", LOCK)
        code, text = run(command, step, counter.line, counter.note)
        if code:
            fail_with(text)
    except BaseException:
        step.broken()
        raise
    step.done("%d packages" % counter.total)


def link(number, total):
    step = Step(number, total, "linking this project into .venv")
    try:
        code, text = run(pip("--no-deps", "--no-build-isolation", "--editable", "."), step)
        if code:
            fail_with(text)
    except BaseException:
        step.broken()
        raise
    step.done()


def setup(wanted=None):
    want = target_state()
    if stamped() == want:
        return
    handle = None
    if fcntl:
        # Two makes in one checkout: the second waits, then finds nothing left to do.
        handle = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("another set-up of this folder is running: waiting for it ...", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        have = stamped()
        if have == want:
            return
        begun = time.time()
        keep = usable()
        steps = ([] if keep else [create]) + ([] if keep and have["lock"] == want["lock"] else [install]) + [link]
        executable, version = (None, None) if keep else choose_python(wanted)
        if keep:
            os.remove(STAMP)  # whatever happens from here on, .venv counts as unfinished
        for i, step in enumerate(steps, 1):
            if step is create:
                create(executable, version, i, len(steps))
            else:
                step(i, len(steps))
        with open(STAMP, "w", encoding="utf-8") as f:
            json.dump(want, f, indent=1)
        print("environment ready in %s" % seconds(time.time() - begun), flush=True)
    finally:
        if handle is not None:
            os.close(handle)


def main():
    parser = argparse.ArgumentParser(description="Create or update .venv from requirements.lock.")
    parser.add_argument("--python", default=None, help="the Python to build with (default: the first fit one on PATH)")
    arguments = parser.parse_args()
    try:
        setup(arguments.python or None)
    except SetupError as error:
        message = str(error)
    except KeyboardInterrupt:
        message = "interrupted; the next run starts afresh"
    except OSError as error:
        message = explain(str(error)) if error.errno in (13, 28, 30, 122) else str(error)
    else:
        return 0
    sys.stderr.write("set-up failed: %s\n" % message)
    return 1


if __name__ == "__main__":
    sys.exit(main())
