"""Where the story plays: a cluster, the tools, and an audience that sees every command with its output.

The story proves itself by what kubectl, helm and curl print, so each fact is read through them, never through our own
client.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from selfheal_cli.demo.cluster_profile import ClusterProfile
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.faults import PRACTICE_PORT as PORT

POLL_SECONDS = 0.25
COMMAND_SECONDS = 120.0
SHOWN_LINES = 14
"""A longer output is cut in the middle; the command above it gives the rest."""


class NotObserved(SelfhealError):  # noqa: N818 - it reads as what it says
    """Something that should have become visible did not, within its deadline."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command printed.

    Attributes:
        argv: The command.
        code: Exit code.
    """

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    stdin: str = ""

    @property
    def command(self) -> str:
        """The command as it would be typed."""
        typed = shlex.join(self.argv)
        return f"echo {shlex.quote(self.stdin)} | {typed}" if self.stdin else typed

    @property
    def text(self) -> str:
        """Both streams, as a terminal would show them."""
        return "\n".join(part.rstrip("\n") for part in (self.stdout, self.stderr) if part.strip())

    def json(self) -> Any:
        """The standard output as JSON, None if it is none."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            return None


@dataclass(slots=True)
class Stage:
    """A cluster and the tools to look at it.

    Attributes:
        kubeconfig: File that names the cluster.
        namespace: Where the demo application lives.
        programs: Paths of the commands, by name; a missing one is looked up in PATH.
        sandbox: Name of the sandbox; "" when it is another cluster.
        quiet: Print nothing (tests).
        profile: In what the cluster differs from a sandbox.
    """

    kubeconfig: Path
    namespace: str = "demo"
    programs: Mapping[str, str] = field(default_factory=dict)
    sandbox: str = ""
    quiet: bool = False
    profile: ClusterProfile = field(default_factory=ClusterProfile)

    def say(self, text: str, *, colour: str | None = None) -> None:
        """Print a line of the story."""
        if not self.quiet:
            click.secho(text, fg=colour)

    def run(self, *argv: str, check: bool = True, deadline_seconds: float = COMMAND_SECONDS, stdin: str = "") -> Output:
        """Run a command and say nothing.

        Args:
            argv: The command.
            check: Whether it has to succeed.
            deadline_seconds: How long it may take in a sandbox; a slower cluster gets more.
            stdin: What it reads.

        Raises:
            NotObserved: It failed (with ``check``) or took longer than its deadline.
        """
        deadline = self.profile.seconds(deadline_seconds)
        try:
            done = subprocess.run(
                [self.programs.get(argv[0], argv[0]), *argv[1:]],
                env=self.environment(),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=deadline,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotObserved(f"`{shlex.join(argv)}` did not end within {deadline:.0f} s") from None
        except FileNotFoundError:
            raise NotObserved(f"{argv[0]} is not installed", "make setup") from None
        output = Output(argv, done.returncode, done.stdout, done.stderr, stdin)
        if check and output.code:
            raise NotObserved(f"`{output.command}` ended with {output.code}: {output.text}")
        return output

    def environment(self) -> dict[str, str]:
        """What the commands find in their environment."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "NO_PROXY": "127.0.0.0/8,localhost",
            "NO_COLOR": "1",
            "SELFHEAL_KUBECONFIG": str(self.kubeconfig),
            **self.profile.environment,
        }

    def show(self, *argv: str, check: bool = True, deadline_seconds: float = COMMAND_SECONDS) -> Output:
        """Run a command and print it with its output: the evidence."""
        return self.tell(self.run(*argv, check=check, deadline_seconds=deadline_seconds))

    def tell(self, output: Output) -> Output:
        """Print a command that has run, and what it printed."""
        self.say(f"  $ {output.command}", colour="cyan")
        lines = output.text.splitlines()
        if len(lines) > SHOWN_LINES:
            half = SHOWN_LINES // 2
            lines = [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]
        for line in lines:
            self.say(f"    {line}")
        return output

    def until(
        self,
        argv: Sequence[str],
        holds: Callable[[Output], bool],
        what: str,
        *,
        deadline_seconds: float,
        shown: Sequence[str] = (),
    ) -> Output:
        """Ask again and again until something holds, then show it.

        Args:
            argv: The command that is asked.
            holds: Judges one answer.
            what: What is awaited, as the end of "waited 20 s for ...".
            deadline_seconds: When to give up in a sandbox; a slower cluster gets more.
            shown: The command that is printed as evidence once it holds; ``argv`` by default.

        Raises:
            NotObserved: It did not hold in time; the last answer is printed first.
        """
        started = time.monotonic()
        deadline = self.profile.seconds(deadline_seconds)
        while True:
            output = self.run(*argv, check=False)
            waited = time.monotonic() - started
            if holds(output):
                self.say(f"  after {waited:.1f} s: {what}")
                return self.show(*shown) if shown else self.tell(output)
            if waited > deadline:
                self.show(*shown, check=False) if shown else self.tell(output)
                raise NotObserved(f"waited {deadline:.0f} s for {what}")
            time.sleep(POLL_SECONDS)

    # ---- what the steps ask of a cluster again and again ---------------------------------------------------------

    def kubectl(self, *arguments: str) -> tuple[str, ...]:
        """A kubectl command in the demo's namespace."""
        return ("kubectl", "-n", self.namespace, *arguments)

    def pods(self, app: str) -> list[dict[str, Any]]:
        """The application's pods that are not being deleted, oldest first."""
        listed = self.run(*self.kubectl("get", "pods", "-l", f"app={app}", "-o", "json")).json()
        alive = [pod for pod in listed["items"] if not pod["metadata"].get("deletionTimestamp")]
        return sorted(alive, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def post(self, pod: str, path: str, body: Mapping[str, object]) -> Output:
        """Send a practice request to one pod, and show it."""
        return self.tell(self.ask(pod, path, body))

    def ask(self, pod: str, path: str, body: Mapping[str, object]) -> Output:
        """Send a practice request to one pod, through the API server, and say nothing."""
        url = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{PORT}/proxy{path}"
        return self.run("kubectl", "create", "--raw", url, "-f", "-", stdin=json.dumps(dict(body)))

    def service_url(self, app: str) -> str:
        """Where the application's Service answers, as seen from this machine."""
        if self.sandbox:
            in_sandbox = ("-n", self.namespace, "--name", self.sandbox)
            return self.run("selfheal-sandbox", "url", f"svc/{app}", *in_sandbox).stdout.strip()
        if self.profile.proxy_url:
            return f"{self.profile.proxy_url}/api/v1/namespaces/{self.namespace}/services/{app}:{PORT}/proxy"
        address = self.run(*self.kubectl("get", "service", app, "-o", "jsonpath={.spec.clusterIP}")).stdout
        return f"http://{address}:{PORT}"

    def timeout(self, in_sandbox: float) -> str:
        """The flag that bounds a command of kubectl or Helm."""
        return f"--timeout={self.profile.seconds(in_sandbox):.0f}s"


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod (as kubectl prints it in JSON) is Ready."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def restarts(pod: Mapping[str, Any]) -> int:
    """Restarts of a pod's containers, all together."""
    return sum(status["restartCount"] for status in pod.get("status", {}).get("containerStatuses") or [])
