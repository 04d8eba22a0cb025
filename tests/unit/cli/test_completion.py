"""Completion in a real bash: commands, flags, and names of the cluster; silent and quick where there is none."""

import asyncio
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal_cli.completion import PROGRAMS, SHELLS, script
from tests.faults.behaviours import json_body
from tests.faults.exchange import Exchange
from tests.faults.server import FaultServer

SCRIPTS = Path(sysconfig.get_path("scripts"))
PATIENCE_SECONDS = 30.0
NOBODY_WAITS_SECONDS = 9.0
"""The limit is one second; the rest is what a busy machine may need to start Python. Without it, it would take 10."""


def complete(home: Path, *words: str, shell: str = "bash") -> tuple[list[str], str]:
    """What a shell offers for the last word, and what was printed as an error."""
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    environment = {**kept, "HOME": str(home), "PATH": f"{SCRIPTS}:/usr/bin:/bin"}
    function = f"_{words[0].replace('-', '_')}_completion"
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f'source "$HOME/{shell}.script"\n'
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        f'{function} {words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        [shell, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    return [line for line in done.stdout.splitlines() if line], done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the script for each shell."""
    for shell in SHELLS:
        (tmp_path / f"{shell}.script").write_text(script(shell))
    return tmp_path


@pytest.fixture
async def cluster(home: Path) -> AsyncIterator[FaultServer]:
    """A small cluster that the kubeconfig in the home names."""
    async with FaultServer() as server:
        server.kubeconfig(home)
        (home / ".kube").mkdir()
        (home / "kubeconfig").rename(home / ".kube" / "config")
        names = ["payments", "checkout", "pay;rm -rf ~", "pay$(id)"]
        server.script("GET", "/api/v1/namespaces", json_body({"items": [{"metadata": {"name": n}} for n in names]}))
        for namespace, app in (("payments", "web"), ("checkout", "wares")):
            pods = [{"metadata": {"name": f"{app}-{number}"}} for number in (1, 2)]
            labels = {"metadata": {"labels": {"app": app}}}
            workload = {"metadata": {"name": f"{app}-stable"}, "spec": {"template": labels}}
            server.script("GET", f"/api/v1/namespaces/{namespace}/pods", json_body({"items": pods}))
            for kind in ("deployments", "statefulsets", "daemonsets"):
                items = [workload] if kind == "deployments" else []
                server.script("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind}", json_body({"items": items}))
        yield server


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("selfheal", "ro"), ["rollback"]),
        (("selfheal", "rollback", "--t"), ["--timeout", "--to"]),
        (("selfheal-tui", "--js"), ["--json", "--json-schema"]),
        (("selfheal-tui", "--colour", "tr"), ["truecolor"]),
        (("selfheal-sandbox", "kube"), ["kubeconfig"]),
        (("selfheal", "completion", ""), ["bash", "zsh", "fish"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_commands_and_flags(home: Path, words: tuple[str, ...], offered: list[str]) -> None:
    found, errors = complete(home, *words)

    assert sorted(found) == sorted(offered)
    assert errors == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("selfheal", "rollback", ""), ["web"]),
        (("selfheal", "rollback", "-n", "checkout", ""), ["wares"]),
        (("selfheal", "kill", "web-"), ["web-1", "web-2"]),
        (("selfheal", "explain", ""), ["web", "web-1", "web-2"]),
        (("selfheal", "restart", "-n", "pay"), ["payments"]),
        (("selfheal-tui", "--namespace", ""), ["checkout", "payments"]),
        (("selfheal-tui", "--context", "fa"), ["faults"]),
        (("selfheal", "rollback", "nothing"), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_names_of_the_cluster(
    cluster: FaultServer, home: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := await asyncio.to_thread(complete, home, *words)) != (offered, ""):
        # A busy machine may need longer than the second that completion has; then nothing is offered.
        assert answer == ([], "")
        assert time.monotonic() < deadline


async def never(exchange: Exchange) -> None:
    """Take the request and never say a word."""
    await asyncio.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["silent", "gone", "refusing us", "no kubeconfig", "wrong settings"])
async def test_without_an_answer_nothing_is_offered_and_nothing_is_said(
    cluster: FaultServer, home: Path, trouble: str
) -> None:
    if trouble == "silent":
        cluster.script("GET", "/api/v1/namespaces/payments/pods", never)
    elif trouble == "gone":
        await cluster.stop()
    elif trouble == "refusing us":
        cluster.tokens = {"another"}
    elif trouble == "no kubeconfig":
        (home / ".kube" / "config").unlink()
    else:
        (home / ".config" / "selfheal").mkdir(parents=True)
        (home / ".config" / "selfheal" / "config.toml").write_text("nonsense = [")

    began = time.monotonic()
    offered = await asyncio.to_thread(complete, home, "selfheal", "kill", "")

    assert offered == ([], "")
    assert time.monotonic() - began < NOBODY_WAITS_SECONDS


@pytest.mark.parametrize("shell", SHELLS)
def test_one_script_completes_all_programs(shell: str) -> None:
    text = script(shell)

    assert all(f"_{name.replace('-', '_').upper()}_COMPLETE={shell}_complete" in text for name in PROGRAMS)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_another_shell_accepts_its_script(home: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    check = {"zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}[shell]
    done = subprocess.run([*check, str(home / f"{shell}.script")], capture_output=True, timeout=30, check=False)

    assert done.returncode == 0, done.stderr
