"""Whose files one passes to follow a call: those of the library that it enters, in all processes of the call.

    python -m benchmarks.entered [--root CHECKOUT] [--list]

A start-up hook in every process notes each file of ``ebank_lib`` in which a function ran or, while it was imported, a
class was made; a module of constants or imports alone is not counted. Calls begin without a store, each in a process of
its own; a forecast is counted from the cleaned source on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HOOK = '''
import os, sys, threading
_root, _notes = os.environ["ENTERED_ROOT"], os.environ["ENTERED_NOTES"]
_seen = set()
def forget():
    _seen.clear()
    os.remove(os.path.join(_notes, str(os.getpid())))
def _enter(frame, event, arg):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(_root) and code.co_name != "<module>":
        note = "%d %s" % (code.co_flags & 2, code.co_filename)      # 2: a function, 0: a class that is being made
        if note not in _seen:
            _seen.add(note)
            with open(os.path.join(_notes, str(os.getpid())), "a") as file:     # at once: a process may be killed
                file.write(note + "\\n")
sys.setprofile(_enter)
threading.setprofile(_enter)
'''
READ = "import sitecustomize, ebank_lib as eb\ncleaned = eb.clean('data/shandong')\n"
CALLS = {
    "eb.clean(source)": ["-c", READ],
    "eb.forecast_indicator(cleaned, branch, indicator)":
        ["-c", READ + "sitecustomize.forget()\neb.forecast_indicator(cleaned, 'rizhao', 'mobile_txn')"],
    "ebank report --all": ["-m", "ebank_lib", "report", "--source", "data/shandong", "--all", "--quiet",
                           "--cell-timeout", "3000", "--out"],
}


def entered(root: Path, call: list[str]) -> dict[str, bool]:
    """Return the files of the library that a call enters, in all its processes, and whether a function of each ran."""
    with tempfile.TemporaryDirectory() as folder:
        hook, notes = Path(folder, "hook"), Path(folder, "notes")
        hook.mkdir()
        notes.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(hook), str(root)]), "ENTERED_NOTES": str(notes),
                            "ENTERED_ROOT": str(root / "ebank_lib") + os.sep, "NUMBA_NUM_THREADS": "1"}
        env.pop("EBANK_CACHE", None)
        command = [sys.executable, *call, *([str(Path(folder, "out"))] if call[-1] == "--out" else [])]
        subprocess.run(command, cwd=root, env=env, check=True)
        lines = sorted({line for note in notes.iterdir() for line in note.read_text(encoding="utf-8").splitlines()})
        return {line[2:]: line[0] == "2" for line in lines}     # sorted: what a function did comes last


def main() -> None:
    """Count, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="another checkout")
    parser.add_argument("--only", default="", metavar="WORD", help="calls with this word")
    parser.add_argument("--list", action="store_true", help="name the files")
    options = parser.parse_args()
    root = options.root.resolve()
    for name, call in CALLS.items():
        if options.only in name:
            files = entered(root, call)
            lines = sum(len(Path(file).read_text(encoding="utf-8").splitlines()) for file in files)
            print(f"{len(files):4} files, {lines:6,} lines, functions run in {sum(files.values())}: {name}", flush=True)
            if options.list:
                print(*(f"       {Path(file).relative_to(root)}" for file in sorted(files)), sep="\n")


if __name__ == "__main__":
    main()
