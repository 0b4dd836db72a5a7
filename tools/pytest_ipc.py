"""pytest plugin: nbval's kernels talk over IPC.

Over TCP two kernels that start at the same moment can be given the same port, and one of them then hangs.
"""

import os
import shutil
import tempfile
import uuid

# A socket's path may have about 100 bytes on every system; ours ends in "/<12 digits>-<port>".
LONGEST_FOLDER = 80


def pytest_configure(config):
    import nbval.kernel

    if os.name == "nt" or not config.option.nbval:
        return
    folder = tempfile.mkdtemp(prefix="nb-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if len(folder) > LONGEST_FOLDER:
        return
    manager = nbval.kernel.KernelManager

    def over_ipc(**options):
        # Left to itself the manager names the sockets "kernel-ipc" in whatever folder each side is in.
        return manager(transport="ipc", ip=f"{folder}/{uuid.uuid4().hex[:12]}", **options)

    nbval.kernel.KernelManager = over_ipc
