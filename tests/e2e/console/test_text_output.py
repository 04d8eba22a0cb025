"""The text forms on a real cluster: documents that fit the schema, lines as things change, nothing for a terminal."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from selfheal_cli.document_schema import document_schema
from tests.e2e.sandbox_process import SandboxProcess
from tests.faults.server import FaultServer
from tests.tui.json_documents import problems

pytestmark = pytest.mark.slow

PROGRAM = Path(sysconfig.get_path("scripts")) / "selfheal-tui"
SCHEMA = document_schema()
LINE_SECONDS = 20.0
PODS = "/api/v1/namespaces/payments/pods"


class Lines:
    """A program whose output is read line by line.

    Args:
        process: With its output on a pipe.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def next(self) -> str:
        """The next line, which has to come soon."""
        return self._lines.get(timeout=LINE_SECONDS)

    def rest(self) -> str:
        """Everything that has not been read of a program that has ended."""
        self._reader.join(LINE_SECONDS)
        return "\n".join(self._lines.get_nowait() for _ in range(self._lines.qsize()))

    def until(self, wanted: str) -> str:
        """Read up to a line that holds a text."""
        while wanted not in (line := self.next()):
            pass
        return line


@contextmanager
def running(home: Path, *arguments: str, kubeconfig: Path) -> Iterator[Lines]:
    """The console as text, until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SELFHEAL_", "XDG_"))}
    environment = {**kept, "HOME": str(home), "KUBECONFIG": str(kubeconfig)}
    command = [str(PROGRAM), *arguments]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield Lines(process)
    finally:
        process.kill()
        process.communicate(timeout=20)


def deployment(name: str) -> dict[str, Any]:
    """A Deployment of one pod of the demo service."""
    labels = {"app": name}
    container = {"name": "app", "image": "selfheal-service:1.0", "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_one_json_document_of_a_real_cluster_fits_the_schema(
    sandbox: SandboxProcess, namespace: str, tmp_path: Path
) -> None:
    sandbox.apply(deployment("web"), namespace=namespace)
    with running(tmp_path, "--json", "-n", namespace, kubeconfig=sandbox.kubeconfig) as lines:
        text = "\n".join((*iter(lines.next, "}"), "}"))
        assert lines.process.wait(LINE_SECONDS) == 0
    document = json.loads(text)

    assert list(problems(document, SCHEMA, SCHEMA)) == []
    assert [app["name"] for app in document["applications"]] == ["web"]
    assert document["sources"]["pods"]["condition"] == "live"
    assert text.isascii()


def test_json_lines_follow_a_change_as_it_happens(sandbox: SandboxProcess, namespace: str, tmp_path: Path) -> None:
    with running(tmp_path, "--json", "--plain", "-n", namespace, kubeconfig=sandbox.kubeconfig) as lines:
        read = [json.loads(lines.next())]
        sandbox.apply(deployment("web"), namespace=namespace)
        while read[-1].get("application", {}).get("state") != "healthy":
            read.append(json.loads(lines.next()))
        sandbox.kubectl("delete", "deployment", "web", "-n", namespace, "--wait=false")
        while read[-1]["type"] != "gone":
            read.append(json.loads(lines.next()))
        lines.process.send_signal(signal.SIGINT)
        assert lines.process.wait(LINE_SECONDS) == 0

    assert [problem for document in read for problem in problems(document, SCHEMA, SCHEMA)] == []
    assert (read[0]["type"], read[0]["applications"]) == ("snapshot", [])
    assert (read[-1]["namespace"], read[-1]["name"]) == (namespace, "web")


@pytest.mark.parametrize("form", ["--plain", "--json --plain"])
async def test_a_lost_cluster_is_said_and_so_is_its_return(tmp_path: Path, form: str) -> None:
    async with FaultServer(collection=PODS) as server:
        await server.put("web-1")
        with running(tmp_path, *form.split(), kubeconfig=server.kubeconfig(tmp_path)) as lines:
            await asyncio.to_thread(lines.next)
            await server.stop()
            lost = await asyncio.to_thread(lines.until, "lost")
            await server.start()
            await asyncio.to_thread(lines.until, "pods: live" if form == "--plain" else '"condition":"live"')

    assert "connection" in lost


@pytest.mark.parametrize("form", ["--once", "--plain --once", "--json", "--json --plain --once"])
async def test_each_form_ends_by_itself_and_holds_nothing_for_a_terminal(tmp_path: Path, form: str) -> None:
    async with FaultServer(collection=PODS) as server:
        nasty = "\x1b]0;owned\x07\u202e"
        labels = {"app": nasty}
        metadata = {"name": "web-1", "namespace": "payments", "uid": "u", "resourceVersion": "9", "labels": labels}
        await server.put("web-1", metadata=metadata, status={"phase": "Failed", "reason": nasty, "message": nasty})
        path = server.kubeconfig(tmp_path)

        def printed() -> str:
            with running(tmp_path, *form.split(), kubeconfig=path) as lines:
                assert lines.process.wait(LINE_SECONDS) == 0
                assert lines.process.stderr is not None
                assert lines.process.stderr.read() == ""
                return lines.rest()

        text = await asyncio.to_thread(printed)

    assert "owned" in text
    assert text.replace("\n", "").isprintable()
