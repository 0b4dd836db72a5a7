"""The kernels that notebooks run in: this very Python, one BLAS thread, sockets that cannot collide."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import Instance, default
from traitlets.config import Config

__all__ = ["OwnKernelManager", "config", "environment"]

# Small matrices: a second thread costs more than it brings, and two notebooks run side by side anyway.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
               "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


class OwnKernelSpecs(KernelSpecManager):
    """One kernel, whatever is installed on the machine under the name ``python3``: the Python that is running."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return this Python's kernel for every name."""
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                          display_name="Python 3", language="python")


class OwnKernelManager(AsyncKernelManager):
    """Starts this Python's kernel."""

    kernel_spec_manager = Instance(KernelSpecManager)

    @default("kernel_spec_manager")
    def _own(self) -> KernelSpecManager:
        return OwnKernelSpecs()


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a kernel: reproducible, and untouched by the user's IPython settings.

    Parameters
    ----------
    folder : Path
        A private folder of this run.
    """
    ours = dict.fromkeys(_ONE_THREAD, "1") | {
        "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder),
        # The debugger's advice about frozen modules would stand on stderr.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "PYTHONWARNINGS")}
    return inherited | ours


def config(folder: Path, name: str) -> Config:
    """Return the settings of one kernel's manager: its connection file in `folder`, sockets as files where possible.

    Over TCP two kernels that start at the same moment can be given the same port.
    """
    settings = {"connection_file": str(folder / f"{name}.json")}
    # A socket's address may have 107 bytes on Linux and 103 on macOS, of which "-ipc-5" is the end.
    if os.name == "posix" and len(os.fsencode(str(folder / name))) < 90:
        settings["transport"] = "ipc"
    return Config({"KernelManager": settings})
