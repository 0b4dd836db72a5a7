"""The kernels that notebooks run in: this very Python, one BLAS thread, sockets that cannot collide.

Kernels come from a warm parent where there is one (:mod:`~ebank_lib.reports.forking`), else they are new processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Float, Instance, Type, default
from traitlets.config import Config

if TYPE_CHECKING:
    from .forking import WarmParent

__all__ = ["ForkedProvisioner", "KernelNotStarted", "OwnKernelManager", "config", "environment", "manager"]

# Small matrices: a second thread costs more than it brings, and two notebooks run side by side anyway.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
               "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


class KernelNotStarted(RuntimeError):
    """A kernel that died or did not answer before its first cell; Jupyter's own managers raise a RuntimeError too."""


class OwnKernelSpecs(KernelSpecManager):
    """One kernel, whatever is installed on the machine under the name ``python3``: the Python that is running."""

    provisioner = "local-provisioner"

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return this Python's kernel for every name."""
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                          display_name="Python 3", language="python",
                          metadata={"kernel_provisioner": {"provisioner_name": self.provisioner}})


class OwnKernelClient(AsyncKernelClient):
    """Knows a kernel to be ready by its answer; the usual client then listens a fifth of a second for more."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered on both channels.

        Raises
        ------
        KernelNotStarted
            The kernel died, or did not answer in time.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            asked = self.kernel_info()
            try:
                while (reply := await self.get_shell_msg(timeout=1))["parent_header"].get("msg_id") != asked:
                    pass
                # What it says to all is heard once this client has subscribed: until then it is asked again.
                while True:
                    said = await self.get_iopub_msg(timeout=0.2)
                    ours = said["parent_header"].get("msg_id") == asked
                    if ours and said["content"].get("execution_state") == "idle":
                        break
            except Empty:
                if not await self.parent.is_alive():
                    raise KernelNotStarted("the kernel ended before it answered") from None
                if time.monotonic() > end:
                    raise KernelNotStarted(f"the kernel did not answer within {timeout:g} s") from None
            else:
                self._handle_kernel_info_reply(reply)
                return


class OwnKernelManager(AsyncKernelManager):
    """Starts this Python's kernel: as a new process, or from `warm` in the subclasses that :func:`manager` makes."""

    warm: WarmParent | None = None
    # Not client_class, which Jupyter's own asynchronous manager does not look at.
    client_factory = Type(OwnKernelClient, klass=AsyncKernelClient)
    kernel_spec_manager = Instance(KernelSpecManager)

    @default("kernel_spec_manager")
    def _own(self) -> KernelSpecManager:
        specs = OwnKernelSpecs()
        if self.warm is not None:
            specs.provisioner = "ebank-forked"
        return specs

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """End the kernel at once, asked or not: it holds nothing that is not known by now. Its own way out can take
        seconds, and when its interrupt and the request to end cross each other it waits for itself.
        """
        await super().shutdown_kernel(now=True, restart=restart)


def manager(warm: WarmParent | None = None) -> type[OwnKernelManager]:
    """Return the class of kernel managers whose kernels come from a warm parent; new processes if there is none, or
    where it cannot fork.
    """
    if warm is None or warm.reason:
        return OwnKernelManager
    return type("ForkedKernelManager", (OwnKernelManager,), {"warm": warm})


class ForkedProvisioner(LocalProvisioner):
    """Jupyter's way to a kernel forked from the manager's warm parent."""

    start_limit = Float(60.0, help="Seconds that a kernel may take until it listens.").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel and wait until it listens.

        Raises
        ------
        EbankError
            The warm parent has ended.
        KernelNotStarted
            The kernel died, or did not listen in time.
        """
        argv = cmd[cmd.index("ipykernel_launcher") + 1:]
        environ = kwargs.get("env") or os.environ
        self.process = self.parent.warm.kernel(argv, env=environ, cwd=kwargs.get("cwd"), stdout=kwargs.get("stdout"),
                                               stderr=kwargs.get("stderr"))
        self.cwd = kwargs.get("cwd", Path.cwd())
        end = time.monotonic() + self.start_limit
        while self.process.poll() is None and not self.process.ready:
            if time.monotonic() > end:
                self.process.close()
                raise KernelNotStarted(f"the kernel did not listen within {self.start_limit:g} s")
            await asyncio.sleep(0.005)
        if not self.process.ready:
            raise KernelNotStarted(f"the kernel ended before it listened (status {self.process.returncode})")
        # No pgid: signals go through the warm parent, which knows whose process an id is.
        self.pid = self.process.pid
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and wait until it is gone, more closely than the manager does."""
        await super().kill(restart)
        if self.process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while self.process.poll() is None:
                        await asyncio.sleep(0.005)

    async def wait(self) -> int | None:
        """Wait for the end of the kernel and return its exit status."""
        if self.process is None:
            return 0
        while (status := self.process.poll()) is None:
            await asyncio.sleep(0.005)
        self.process = None     # has_process is now False
        return status


# As an installed entry point would be found. It is not one: without a warm parent it starts nothing.
KernelProvisionerFactory.provisioners["ebank-forked"] = EntryPoint(
    "ebank-forked", f"{__name__}:ForkedProvisioner", KernelProvisionerFactory.GROUP_NAME)


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
