"""The package works where nothing can be kept: neither beside its modules nor in the user's home."""

import os
import shutil
import subprocess
import sys

CODE = """
import ebank_lib.forecasting.ets, ebank_lib.forecasting.calendar
import numpy as np
from ebank_lib.arma.likelihood import levinson
stages = np.zeros((2, 2))
levinson(np.array([0.5, 0.2]), stages)
print(ebank_lib.__file__, stages[1].round(9).tolist())
"""


def test_a_checkout_and_a_home_that_cannot_be_written_to(root, tmp_path):
    shutil.copytree(root / "ebank_lib", tmp_path / "ebank_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("arma", "forecasting"):
        (tmp_path / "ebank_lib" / folder / "__pycache__").write_bytes(b"")      # where numba would make a folder
    nowhere = str(tmp_path / "ebank_lib" / "__init__.py")
    env = os.environ | dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), nowhere) | {
        "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("NUMBA_CACHE_DIR", None)
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip() == f"{tmp_path / 'ebank_lib' / '__init__.py'} [0.4, 0.2]"
