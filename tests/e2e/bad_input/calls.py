"""Calls our commands as a person would, with nothing of this machine's own configuration in sight."""

import os
import pty
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.sandbox_process import environment_for

SCRIPTS = Path(sysconfig.get_path("scripts"))
CALL_SECONDS = 40.0
REFUSING = "http://127.0.0.1:9"
"""Nothing listens on the discard port of the loopback address."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    program: str
    code: int
    out: str
    err: str
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """The one line on standard error: the program's name, what is wrong, and after a semicolon what to do now."""
        assert "Traceback" not in self.out + self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        what, _, next_step = lines[0].partition("; ")
        assert what.startswith(f"{self.program}: "), lines
        assert next_step, lines
        return lines[0]


@dataclass(frozen=True, slots=True)
class Started:
    """A command that runs."""

    program: str
    process: "subprocess.Popen[str]"
    began: float

    def ended(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=CALL_SECONDS)
        return Ended(self.program, self.process.returncode, out, err, time.monotonic() - self.began)


class Caller:
    """Runs commands with a home of their own.

    Args:
        home: An empty folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def environment(self, **variables: str) -> dict[str, str]:
        return {**environment_for(self.home), "XDG_CONFIG_HOME": str(self.home / "config"), **variables}

    def __call__(self, program: str, *arguments: str, **variables: str) -> Ended:
        """Run a command without a terminal and wait for its end."""
        return self.start(program, *arguments, **variables).ended()

    def start(self, program: str, *arguments: str, **variables: str) -> "Started":
        """Start a command without a terminal."""
        began = time.monotonic()
        process = subprocess.Popen(
            [str(SCRIPTS / program), *arguments],
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Started(program, process, began)

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file below the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def config(self, content: str) -> Path:
        """Write the file that console and command line read."""
        return self.file("config/selfheal/config.toml", content)

    def kubeconfig(self, server: str, *, token: str = "token") -> Path:
        """Write a kubeconfig with one context, ``only``."""
        return self.file(
            "kubeconfig",
            f"""\
current-context: only
clusters: [{{name: only, cluster: {{server: "{server}"}}}}]
contexts: [{{name: only, context: {{cluster: only, user: only}}}}]
users: [{{name: only, user: {{token: {token}}}}}]
""",
        )


def on_a_terminal(call: Caller, *arguments: str, **variables: str) -> Ended:
    """Run the console on a terminal of its own; what it wrote there stands as its error output."""
    ours, theirs = pty.openpty()
    command = [str(SCRIPTS / "selfheal-tui"), *arguments]
    environment = call.environment(**{"TERM": "xterm-256color", **variables})
    console = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        pass  # how Linux says that nobody has the other end open any more
    finally:
        os.close(ours)
        code = console.wait(20)
    return Ended("selfheal-tui", code, "", written.decode())
