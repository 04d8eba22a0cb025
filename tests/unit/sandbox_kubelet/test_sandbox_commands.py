"""The command line where no sandbox runs, and the sandbox as part of another process."""

import asyncio
import json
import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result

from selfheal_sandbox import access
from selfheal_sandbox.client import Client, ClientError
from selfheal_sandbox.controllers.keys import NODES, PODS, SERVICES
from selfheal_sandbox.main import main
from selfheal_sandbox.options import Options
from selfheal_sandbox.server import Sandbox
from selfheal_sandbox.state import Folder, StateError
from selfheal_sandbox.store.objects import is_ready


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"XDG_STATE_HOME": str(home)})


@pytest.mark.parametrize("arguments", [["status"], ["kubeconfig"], ["url", "svc/web"]])
def test_commands_for_a_sandbox_that_does_not_run_end_with_4(tmp_path: Path, arguments: list[str]) -> None:
    result = run(tmp_path, *arguments)

    assert result.exit_code == 4
    assert (
        result.stderr
        == "selfheal-sandbox: sandbox 'default' does not run; start it with: selfheal-sandbox up --detach\n"
    )


def test_down_without_a_sandbox_ends_with_4(tmp_path: Path) -> None:
    result = run(tmp_path, "down", "--name", "x")

    assert (result.exit_code, result.stderr) == (4, "selfheal-sandbox: sandbox 'x' does not run\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--nodes", "0"], "0 is not in the range 1<=x<=20"),
        (["up", "--speed", "fast"], "'fast' is not a valid float"),
        (["url", "pod/web"], "'pod/web' is no Service; write svc/NAME"),
        (["up", "--unknown"], "unknown option"),
        (["up", "--detach", "--with-parent"], "take one of them"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run(tmp_path, *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = run(tmp_path / "file", "up")

    assert result.exit_code == 1
    assert result.stderr.startswith("selfheal-sandbox: cannot use ")
    assert result.stderr.count("\n") == 1


def test_a_sandbox_whose_parent_ended_before_it_was_ready_ends(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from selfheal_sandbox import foreground
from selfheal_sandbox.options import Options
from selfheal_sandbox.state import Folder
options = Options(Folder.of("orphan", Path(sys.argv[1])), run_controllers=False)
foreground.run(options, lambda _: print("ready"), parent=os.getpid())
"""
    argv = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr


async def test_a_sandbox_in_this_process(tmp_path: Path) -> None:
    folder = Folder.of("unit", tmp_path)

    async with Sandbox(Options(folder, nodes=2)) as sandbox:
        assert [is_ready(node) for node in sandbox.objects.store.list(NODES)] == [True, True]
        info = folder.info()
        assert info is not None
        assert info.url == sandbox.url
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {sandbox.token}"}) as session:
            tls = ssl.create_default_context(cadata=Client.of(folder, info).authority.decode())
            async with session.get(f"{sandbox.url}/api/v1/nodes", ssl=tls) as response:
                assert len(json.loads(await response.read())["items"]) == 2
        with pytest.raises(StateError, match="runs already"):
            async with Sandbox(Options(folder)):
                pass

    assert folder.info() is None
    assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "snapshot"]


async def test_an_api_server_alone_has_no_nodes_and_runs_nothing(tmp_path: Path) -> None:
    async with Sandbox(Options(Folder.of("bare", tmp_path), run_controllers=False)) as sandbox:
        spec = {"containers": [{"name": "c", "image": "busybox:1"}]}
        pod = sandbox.objects.create(PODS, "default", {"metadata": {"name": "p"}, "spec": spec})

        assert sandbox.objects.store.list(NODES) == []
        assert sandbox.kubelet.usage(pod) == []
        assert sandbox.info().nodes == 0


async def test_questions_without_an_answer_are_told(tmp_path: Path) -> None:
    async with Sandbox(Options(Folder.of("ask", tmp_path), run_controllers=False)) as sandbox:
        ports = [{"name": "web", "port": 80}]
        headless = {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": ports}}
        sandbox.objects.create(SERVICES, "default", headless)
        silent = {"metadata": {"name": "silent"}, "spec": {"ports": ports}}
        sandbox.objects.create(SERVICES, "default", silent)
        client = Client.of(sandbox.options.folder, sandbox.info())

        async def problem(name: str, port: str | None = None) -> str:
            with pytest.raises(ClientError) as raised:
                await asyncio.to_thread(client.service_url, "default", name, port)
            return str(raised.value)

        assert await problem("none") == 'services "none" not found'
        assert "has no address of its own" in await problem("headless")
        assert await problem("silent", "metrics") == "service 'silent' has no port 'metrics'; it has: web"
        assert "nothing listens for service 'silent'" in await problem("silent")


def test_a_server_that_is_gone_is_told() -> None:
    client = Client("127.0.0.1", 9, "token", access.new_certificates().authority)

    with pytest.raises(ClientError, match=r"GET /readyz: .*refused"):
        client.get("/readyz")
