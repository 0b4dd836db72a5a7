"""pytest plugin: nbval's kernels talk over IPC.

Over TCP two kernels that start at the same moment can be given the same port, and one of them then hangs.
"""

import functools
import os
import tempfile

# A socket's path may have about 100 bytes, of which "/kernel-<uuid>-ipc-5" takes 50.
LONGEST_FOLDER = 50


def pytest_configure(config):
    import nbval.kernel

    if os.name == "nt":
        return
    if "JUPYTER_RUNTIME_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="nb-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["JUPYTER_RUNTIME_DIR"] = folder.name
    if len(os.environ["JUPYTER_RUNTIME_DIR"]) <= LONGEST_FOLDER:
        nbval.kernel.KernelManager = functools.partial(nbval.kernel.KernelManager, transport="ipc")
