"""A Chromium without a window, told what to do through a pipe; what needs it skips where there is none."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ebank_lib.cli.report import find_chromium
from ebank_lib.errors import ConfigError
from ebank_lib.reports.branch import Province, names_of
from ebank_lib.reports.content import read_content
from ebank_lib.reports.overview import build_changes, build_failed_page, build_index
from ebank_lib.reports.page import About, build_page, make_brief

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 90
# The browser reads from descriptor 3 and writes to 4.
_START = """import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """The DevTools protocol over two pipes: no port, no socket, no library."""

    _session = None

    def __init__(self, program: Path, profile: Path):
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(to_read), str(to_write), str(program), "--headless", "--disable-gpu",
             *root, "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        self._last, self._rest, self.events = 0, b"", []

    def start(self) -> None:
        """Open the one page that all tests use."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters):
        """Send a command and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self, seconds: float = LONGEST) -> dict:
        end = time.monotonic() + seconds
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise EOFError("the browser has ended")
            self._rest += part
        one, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(one)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path | str, width: int = 1400, height: int = 900) -> None:
        """Load a page at a size: from the file system, as a manager does, or from an address of this machine."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        self.events.clear()
        self.ask("Page.navigate", url=page.resolve().as_uri() if isinstance(page, Path) else page)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next()

    def run(self, code: str):
        """Return what an expression, or a promise, comes to."""
        result = self.ask("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, as on a keyboard."""
        codes = {"Enter": (13, "\r"), "Tab": (9, None), " ": (32, " ")}
        for key in keys:
            code, text = codes.get(key, (0, key))
            about = {"key": key, "windowsVirtualKeyCode": code} | ({"text": text} if text else {})
            self.ask("Input.dispatchKeyEvent", type="keyDown", **about)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    @property
    def complaints(self) -> list[str]:
        """What the browser said against the page: refused by its policy, an error of its script, a missing file."""
        self.run("0")
        said = []
        for event in self.events:
            what = event["params"]
            if event["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                said.append(what["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                said.append(what["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                said.append(str(what["args"]))
        return said

    @property
    def fetched(self) -> list[str]:
        """The addresses that the page asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def close(self) -> None:
        """End it with all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One browser for all tests."""
    if os.name == "nt":
        pytest.skip("the pipe to the browser needs Unix")
    try:
        program = find_chromium()
    except ConfigError as error:
        pytest.skip(str(error))
    profile = tmp_path_factory.mktemp("profile")
    one = Browser(program, profile)
    try:
        one.start()
        yield one
    finally:
        one.close()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core: ``npm pack axe-core`` unpacked into ``.cache/axe-core``, or what EBANK_AXE names."""
    path = Path(os.environ.get("EBANK_AXE") or ROOT / ".cache" / "axe-core" / "package" / "axe.min.js")
    if not path.is_file():
        pytest.skip("axe-core absent: npm pack axe-core, unpacked into .cache/axe-core (as .ci/run does)")
    return path.read_text(encoding="utf-8")


def notebooks(root, lang, together, cleaned):
    """The stored notebooks as a page: as large and as varied as a report is."""
    paths = sorted((root / "notebooks").glob("0[1-6]_*.ipynb"))
    names = {"zh": ("日照分行", "手机银行交易量", "月报"), "en": ("Rizhao", "Mobile transactions", "Workbooks")}[lang]
    about = About("rizhao", *names, True,
                  pd.Period("2008-01", "M"), pd.Period("2011-08", "M"), lang,
                  chain=({"step": "source", "count": 46, "sha256": "ab" * 32},),
                  files=({"file": "2008-01.xlsx", "bytes": 3, "sha256": "cd" * 32},), indicator="mobile_txn",
                  names=names_of(Province("data/shandong", cleaned, (), ()), lang))
    content = read_content([p for p in paths if (p.stem[:2] == "06") == together], lang, about.fills)
    return build_page(content, about, make_brief(content, about))


@pytest.fixture(scope="session")
def pages(tmp_path_factory, root, summaries, failures, cleaned):
    """Every kind of page, zh and en, as files."""
    folder = tmp_path_factory.mktemp("pages")
    for lang in ("zh", "en"):
        now = summaries(20, total=True)
        before = copy.deepcopy(now)
        for at, one in enumerate(before):
            one["trust"]["grade"] = "C"
            for row in one["forecast"]:
                row["y_hat"] *= 1 + at / 100
        pairs = [*[*zip(before, now, strict=True)][:-2], (None, now[-1])]
        made = {"index": build_index(now, failures, {}, lang), "changes": build_changes(pairs, {}, lang),
                "failed": build_failed_page(failures[0] | {"kind": "notebook", "code": "eb.forecast(y)\n" * 3}, lang),
                "branch": notebooks(root, lang, False, cleaned), "province": notebooks(root, lang, True, cleaned)}
        for name, page in made.items():
            (folder / f"{name}_{lang}.html").write_text(page, encoding="utf-8")
    return folder
