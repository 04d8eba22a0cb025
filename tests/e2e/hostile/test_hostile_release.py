"""A real Helm release whose chart, notes and pods try to command the terminal, from its logs to its rollback."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from benchmarks.terminal import Terminal
from selfheal_core.cluster.helm.client import Helm, HelmError
from tests.e2e.console.scripted import CONSOLE
from tests.e2e.hostile.attacks import KINDS
from tests.e2e.hostile.sequences import obeyed_in_text, take_apart
from tests.e2e.hostile.test_hostile_commands import Printed
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

APP = "hostile"
SAID = "".join(attack(f"zq{number:04d}qz") for number, attack in enumerate(KINDS.values()))
WAIT = ("--wait=hookOnly", "--timeout", "60s")
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: hostile, annotations: {{example.com/said: {said}}}}}
spec:
  selector: {{matchLabels: {{app: hostile}}}}
  template:
    metadata: {{labels: {{app: hostile}}, annotations: {{example.com/said: {said}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: "busybox:1"
          command: ["/bin/sh", "-c", "cat {file}; {{{{ .Values.then }}}}"]
          terminationMessagePolicy: FallbackToLogsOnError
"""


@pytest.fixture
def environ(sandbox: SandboxProcess, tools: Mapping[str, Path], tmp_path: Path) -> Mapping[str, str]:
    """A terminal's environment, with helm on the path and a journal of its own."""
    path = f"{tools['helm'].parent}:{sandbox.environment['PATH']}"
    own = {"PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": str(tmp_path / "state")}
    return {**sandbox.environment, **own}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of which no text can be trusted."""
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    said = SAID.replace("\0", "")
    words = tmp_path / "words"
    words.write_bytes(SAID.encode() + b"\n\xff\xfe\xc3(\n")
    about = {"apiVersion": "v2", "name": APP, "version": "1.0.0", "description": said, "appVersion": said}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about, allow_unicode=False))
    quoted = '{{ printf "%q" (.Files.Get "said") }}'
    (folder / "said").write_text(said)
    (folder / "templates" / "deployment.yaml").write_text(DEPLOYMENT.format(said=quoted, file=words))
    (folder / "templates" / "NOTES.txt").write_text(said.replace("{", "("))
    return folder


@pytest.fixture
def crashing(sandbox: SandboxProcess, namespace: str, chart: Path) -> Iterator[str]:
    """A namespace with a release that runs, and after it one that crashes."""
    sandbox.helm("install", APP, str(chart), "-n", namespace, "--wait", "--set", "then=exec sleep 1000")
    sandbox.helm("upgrade", APP, str(chart), "-n", namespace, *WAIT, "--set", "then=exit 3")
    yield namespace
    sandbox.helm("uninstall", APP, "-n", namespace, check=False)


def test_its_logs_and_its_rollback_are_text(crashing: str, environ: Mapping[str, str], tmp_path: Path) -> None:
    sent = bytearray()
    with Terminal([CONSOLE, "-n", crashing], environ, 160, 45) as console:
        console.tap = sent.extend
        console.wait_for(lambda screen: APP in screen and "crash loop" in screen, 40.0)
        for key, shown in (("2", "[2 Pods]"), ("p", "zq0001qz"), ("\x1b", "[2 Pods]"), ("d", "Conditions")):
            console.send(key)
            console.wait_for(lambda screen, shown=shown: shown in screen, 20.0)  # type: ignore[misc]
        console.send("\x1b")
        console.wait_for(lambda screen: "[2 Pods]" in screen, 20.0)
        console.send("1R")
        console.wait_for(lambda screen: "Same as" in screen, 30.0)
    assert take_apart(bytes(sent)).forbidden == []

    printed = Printed(environ, "selfheal", "rollback", APP, "-n", crashing, "--to", "1", "--yes", "--timeout", "60")
    assert printed.code == 0, printed.err
    assert "recovered" in printed.out
    assert obeyed_in_text((tmp_path / "state" / "selfheal" / "journal.jsonl").read_bytes()) == []


async def test_what_helm_says_is_text_once_it_is_an_error(
    environ: Mapping[str, str], sandbox: SandboxProcess, namespace: str, chart: Path
) -> None:
    (chart / "templates" / "failing.yaml").write_text('{{ fail (.Files.Get "said") }}')
    helm = await Helm.find(environ, kubeconfig=(sandbox.kubeconfig,))
    with pytest.raises(HelmError) as caught:
        await helm.install_or_upgrade(APP, namespace, chart, wait=False)

    assert "zq0000qz" in str(caught.value)
    assert str(caught.value).isprintable()
