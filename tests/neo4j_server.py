"""A real Neo4j for the tests: the server's own published Java packages, fetched once and started where they are needed."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import neo4j
import psutil
from filelock import FileLock

PACKAGES = Path(__file__).parents[1] / ".neo4j"
PASSWORD = "for-tests-only"
WANTED = "needs Java 17 or newer and Maven (mvn) on the PATH, or NEO4J_TEST_URI (with NEO4J_TEST_PASSWORD) of a server"

# One version: of a range, Maven reads what each version in it depends on, which is thousands of files.
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>agentmem</groupId>
  <artifactId>neo4j-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>5.26.28</version></dependency>
  </dependencies>
</project>
"""
_CONFIGURATION = """\
server.bolt.listen_address=127.0.0.1:{port}
server.http.enabled=false
server.https.enabled=false
dbms.usage_report.enabled=false
server.memory.pagecache.size=128m
db.tx_log.preallocate=false
"""
_FLAGS = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_FLAGS += ["-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote"]
"""It lives for minutes: compiling its code thoroughly takes longer than what it saves, and so does verifying it."""
_OPENED = ["java.base/java.nio", "java.base/java.io", "java.base/sun.nio.ch", "java.base/java.util.concurrent"]


@cache
def missing() -> str | None:
    """What stands in the way of a server; None where nothing does."""
    return None if os.environ.get("NEO4J_TEST_URI") or startable() else WANTED


def startable() -> bool:
    """Whether servers can be started here."""
    return _java() >= 17 and shutil.which("mvn") is not None


def _java() -> int:
    """The version of Java; 0 where there is none."""
    if shutil.which("java") is None:
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def packages() -> Path:
    """The folder with the server's packages, fetched by Maven unless they are there; `make test` sees to that first."""
    PACKAGES.mkdir(exist_ok=True)
    with FileLock(PACKAGES / "lock"):
        fetched = PACKAGES / "lib"
        if not fetched.exists():
            (PACKAGES / "pom.xml").write_text(_POM)
            part = PACKAGES / "lib.part"
            shutil.rmtree(part, ignore_errors=True)
            maven = ["mvn", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={part}"]
            done = subprocess.run([*maven, "-DincludeScope=runtime"], cwd=PACKAGES, check=False)
            if done.returncode:
                raise RuntimeError("Maven could not fetch Neo4j; what it says stands above")
            part.rename(fetched)
    return fetched


@dataclass
class Server:
    """A Neo4j server with its data in a folder."""

    home: Path
    port: int
    pid: int = 0

    @classmethod
    def made(cls, home: Path) -> "Server":
        """A server that was not started yet; what a failed start has left in its folder goes."""
        shutil.rmtree(home, ignore_errors=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (home / "conf").mkdir(parents=True)
        (home / "conf" / "neo4j.conf").write_text(_CONFIGURATION.format(port=port))
        (home / "data" / "dbms").mkdir(parents=True)
        (home / "data" / "dbms" / "auth.ini").write_text(_first_user())
        return cls(home, port)

    @property
    def uri(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        """Start it, and wait until it answers."""
        self.launch()
        self.wait()
        return self

    def launch(self) -> None:
        """Start it, to answer in a while."""
        opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
        command = ["java", *_FLAGS, *opened, "-cp", f"{packages()}/*", "org.neo4j.server.CommunityEntryPoint"]
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, f"--home-dir={self.home}", f"--config-dir={self.home / 'conf'}"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = process.pid
        process.returncode = 0  # it goes on without this process, which is not to ask after it any more

    def wait(self) -> None:
        """Wait until it answers, whoever has started it.

        Raises:
            RuntimeError: It has ended, or does not answer for minutes; what it logged is in the message.
        """
        latest = time.monotonic() + 300
        while not self._answers():
            if _gone(self.pid) or time.monotonic() > latest:
                raise RuntimeError(f"Neo4j does not answer:\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()  # a driver would ask for a second
            with neo4j.GraphDatabase.driver(self.uri, auth=("neo4j", PASSWORD)) as driver:
                driver.verify_connectivity()
        except (OSError, neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
            return False
        return True

    def kill(self) -> None:
        """End it at once, with SIGKILL."""
        end(self.pid)


def _first_user() -> str:
    """What `neo4j-admin dbms set-initial-password` would write, which takes a Java of its own."""
    salt = bytes(32)
    hashed = hashlib.sha256(salt + PASSWORD.encode()).digest()
    for _ in range(1023):
        hashed = hashlib.sha256(hashed).digest()
    return f"neo4j:SHA-256,{hashed.hex()},{salt.hex()},1024:\n"


def end(pid: int) -> None:
    """Kill a server, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        while not _gone(pid):
            time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        gone = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        gone = True
    if gone:
        with suppress(ChildProcessError):  # another process has started it
            os.waitpid(pid, os.WNOHANG)
    return gone


if __name__ == "__main__" and startable() and not (PACKAGES / "lib").exists():
    print("Fetching a Neo4j for the tests (123 MB, once):", flush=True)
    packages()
