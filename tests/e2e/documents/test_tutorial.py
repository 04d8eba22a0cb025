"""The commands of the tutorial and the how-to pages run as they are written, in bash, in a folder like a clone."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.sandbox_process import environment_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[3]
PAGE_SECONDS = 90.0
MAKE = ("make demo", "make setup")
"""Lines that are not run: the tests have an environment, and type what ``make demo`` runs."""
QUICK = "autoscaling.enabled=false,minReadySeconds=0,shutdown.preStopSleepSeconds=0,shutdown.drainSeconds=1"
MARK = "-- ended with"


@dataclass(frozen=True, slots=True)
class Step:
    """A command that was run, with what it wrote to standard output and error."""

    command: str
    code: int
    said: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who types what a page says, with a home of their own.

    Attributes:
        folder: The clone, as far as the pages need it.
        environment: Nothing of this machine's own but PATH, HOME and XDG variables.
    """

    folder: Path
    environment: Mapping[str, str]

    def types(self, *commands: str) -> list[Step]:
        """Type commands into one shell."""
        lines = "".join(f"{command}\nprintf '\\n{MARK} %s\\n' $?\n" for command in commands)
        done = subprocess.run(
            ["bash", "-c", lines],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PAGE_SECONDS,
            env=dict(self.environment),
            cwd=self.folder,
            check=True,
        )
        *parts, _ = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
        return [
            Step(command, int(code), said)
            for command, said, code in zip(commands, parts[::2], parts[1::2], strict=True)
        ]


def page_commands(page: str) -> list[str]:
    """Lines after ``$`` in the console blocks of a page, without those that are not run."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert all(line.startswith("$ ") for line in lines), lines
    return [line[2:] for line in lines if line[2:] not in MAKE]


def failures(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.code]


def said(steps: list[Step], command: str) -> str:
    """What the one command that begins like this wrote."""
    (found,) = [step.said for step in steps if step.command.startswith(command)]
    return found


@pytest.fixture
def reader(tmp_path: Path, tools: Mapping[str, Path]) -> Iterator[Reader]:
    """A reader who has run ``make setup``; what they leave running is ended."""
    environment = {**environment_for(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    cache, folder = tmp_path / "cache/selfheal/tools", tmp_path / "clone"
    for made in (tmp_path / "home", cache, folder):
        made.mkdir(parents=True)
    for name, path in tools.items():
        (cache / name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "chart").symlink_to(ROOT / "chart")
    reader = Reader(folder, environment)
    yield reader
    reader.types(".venv/bin/selfheal-sandbox down")


@pytest.fixture
def installed(reader: Reader) -> Reader:
    """The same reader with our programs, helm and kubectl on the path."""
    path = f"{reader.folder}/.venv/bin:{reader.environment['XDG_CACHE_HOME']}/selfheal/tools"
    return Reader(reader.folder, {**reader.environment, "PATH": f"{path}:{reader.environment['PATH']}"})


def test_the_tutorial_ends_in_a_rollback(reader: Reader) -> None:
    *breaking, history = page_commands("tutorial/first-rollback.md")
    kubeconfig = "--kubeconfig $(.venv/bin/selfheal-sandbox kubeconfig)"
    demo = (".venv/bin/selfheal-sandbox up --detach", f".venv/bin/selfheal demo install {kubeconfig}")
    by_keys = "selfheal rollback app-a -n demo --yes"

    steps = reader.types(*demo, *breaking, by_keys, history)

    assert failures(steps) == []
    assert "runs selfheal-service:9.9, revision 2" in said(steps, "helm upgrade app-a")
    assert "RECOVERED" in said(steps, by_keys)
    assert "Rollback to 1" in said(steps, "helm history")


def test_the_sandbox_page_installs_the_demo_and_makes_it_fail(reader: Reader) -> None:
    commands = page_commands("how-to/work-with-the-sandbox.md")
    # What the page is for, seen before its last line takes the sandbox down.
    restarts = "kubectl wait -n demo $pod --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 --timeout=20s"

    steps = reader.types(*commands[:-1], restarts, commands[-1])

    assert failures(steps) == []
    assert "Ready" in said(steps, "kubectl get nodes")
    assert '"service":"app-a"' in said(steps, "curl")
    assert "crashing" in said(steps, "echo '{}'")
    assert "nodes ready   3 of 3" in said(steps, "selfheal-sandbox status")
    assert "ended" in said(steps, "selfheal-sandbox down")


def test_the_pipeline_page_previews_then_acts(installed: Reader) -> None:
    home = installed.environment["HOME"]
    chart = f"chart/service -n payments --create-namespace --set {QUICK}"
    before = (
        "selfheal-sandbox up --detach --speed 20",
        f"mkdir {home}/.kube && ln -s $(selfheal-sandbox kubeconfig) {home}/.kube/config",
        f"helm install app-a {chart} --wait",
        f"helm upgrade app-a {chart} --set image.tag=9.9",
    )

    steps = installed.types(*before, *page_commands("how-to/use-in-a-pipeline.md"))

    assert [(step.command, step.code) for step in failures(steps)] == [
        ("selfheal rollback app-a --namespace payments", 1)
    ]
    assert "nothing was sent" in failures(steps)[0].said
    for verb in ("selfheal rollback app-a --namespace payments --to", "selfheal restart", "selfheal kill"):
        assert "RECOVERED" in said(steps, verb)
    assert re.search(r"payments +app-a +healthy", said(steps, "selfheal-tui --once"))
    assert '"takenAt"' in said(steps, "selfheal-tui --json")
