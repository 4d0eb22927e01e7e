"""Programs that tests need besides Python: in CI, as root, Debian's are installed; elsewhere their tests are skipped.

`make test` runs it first as a script.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

import chromium
import pgbouncer


def provide(package: str, missing: Callable[[], str | None]) -> None:
    """See to it that there is a program where it is demanded, or say that its tests will be skipped."""
    lack, demanded = missing(), os.environ.get("CI", "").lower() == "true"
    if lack and demanded and os.geteuid() == 0 and shutil.which("apt-get"):
        install(package)
        lack = missing()
    if lack:
        outcome = "fail" if demanded else "be skipped"
        print(f"The tests that need {package} will {outcome}: {lack}.", flush=True)


def install(package: str) -> None:
    """Install Debian's, in two tries, as networks fail; what has failed is told, and the tests that need it fail."""
    for attempt in ("", "; once more"):
        print(f"Installing {package} for the tests{attempt}:", end=" ", flush=True)
        began = time.monotonic()
        if all(_apt_get(*step) for step in (["update"], ["install", "-y", "--no-install-recommends", package])):
            print(f"done, {time.monotonic() - began:.0f} s", flush=True)
            return


def _apt_get(*arguments: str) -> bool:
    print(f"apt-get {arguments[0]} ...", end=" ", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    patient = ["-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]
    said = subprocess.run(
        ["apt-get", *patient, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if said.returncode:
        print(f"failed with {said.returncode}:\n{said.stdout[-2000:]}", flush=True)
    return said.returncode == 0


if __name__ == "__main__":
    provide("chromium", chromium.missing)
    provide("pgbouncer", pgbouncer.missing)
