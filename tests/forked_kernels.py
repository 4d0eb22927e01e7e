"""Kernels of notebooks that have the package imported from their start; run as a script, this is such a kernel."""

import warnings
from importlib.metadata import EntryPoint
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import forking
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

NAME = "forked"


class Kernel(forking.Process):
    """What Jupyter takes for a process that was started as usual, and whose pipes it need not close."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        """How it has ended; None if it has not."""
        return self.returncode

    def wait(self, timeout: float = 120) -> CompletedProcess[str]:
        """Wait until it ends, after which it is not asked for anything."""
        done = super().wait(timeout)
        self.end()
        return done


class Forked(LocalProvisioner):
    """Starts kernels."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start one instead of what the command names, on the same connection."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        self.process = Kernel(__file__, *arguments, env=kwargs["env"], cwd=Path(kwargs.get("cwd") or "."))
        self.pid = self.process.pid
        return self.connection_info


def offer() -> str:
    """Let Jupyter know of it; the name, which JUPYTER_DEFAULT_PROVISIONER_NAME takes."""
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:{Forked.__name__}", factory.GROUP_NAME)
    return NAME


if __name__ == "__main__":
    from ipykernel import kernelapp

    warnings.resetwarnings()  # a reader's kernel does not make errors of them
    kernelapp.launch_new_instance()
