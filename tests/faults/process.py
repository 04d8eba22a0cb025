"""The scripted server in a process of its own, so that its time and memory are not those of what is measured."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.load import NAMESPACE
from tests.faults.server import write_kubeconfig

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """Runs the server for the length of a block.

    Args:
        arguments: As for ``python -m tests.faults``.
        module: Another program that is driven the same way.
    """

    def __init__(self, *arguments: str, module: str = "tests.faults") -> None:
        self.port = 0
        self._module = module
        self._arguments = arguments
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", self._module, *self._arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        self.port = int(self._read())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.thaw()
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self, folder: Path, *, user: Mapping[str, Any] | None = None) -> Path:
        """Write a kubeconfig that leads here."""
        return write_kubeconfig(folder / "kubeconfig", self.url, user=user, namespace=NAMESPACE)

    def command(self, **command: Any) -> dict[str, Any]:
        """Give a command; see ``tests.faults.control``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        assert "error" not in answer, answer
        return answer

    def fault(self, name: str, *, on: str = "any", path: str = "", times: int | None = None, **arguments: Any) -> None:
        """Misbehave from now on."""
        self.command(fault=name, on=on, path=path, times=times, arguments=arguments)

    def freeze(self) -> None:
        """Say nothing at all any more, on old connections and new ones, until ``thaw``."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)

    def requests(self) -> list[dict[str, Any]]:
        """All requests so far: ``kind``, ``method``, ``path``, field ``selector``, ``age`` in seconds."""
        found: list[dict[str, Any]] = self.command(requests=True)["requests"]
        return found

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the scripted server ended"
        return line
