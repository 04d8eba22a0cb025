"""A token that is revoked: plain words meanwhile, and back within 15 s of there being a new one, without a restart."""

import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.backoff import Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from tests.faults.server import FaultServer
from tests.unit.faults.conftest import Reflected, Start

PROMISED_SECONDS = 15.0
SLOW_SECONDS = 30.0
"""What the reflector waits between attempts by itself: longer than what is promised."""

Connect = Callable[[dict[str, Any]], Awaitable[KubernetesClient]]
pytestmark = pytest.mark.slow


@pytest.fixture
async def connected(server: FaultServer, tmp_path: Path) -> AsyncIterator[Connect]:
    """Opens a connection as a user; only the token ``first`` is accepted."""
    server.tokens = {"first"}
    clients: list[KubernetesClient] = []

    async def open_as(user: dict[str, Any]) -> KubernetesClient:
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path, user=user), environ=os.environ)
        clients.append(KubernetesClient(connection, user_agent="selfheal-tests"))
        return clients[-1]

    yield open_as
    for client in clients:
        await client.connection.close()


async def revoke(server: FaultServer, reflected: Reflected) -> None:
    """The old token is no longer good; wait until that has been noticed and said."""
    await reflected.until(lambda: reflected.condition == "live")
    server.tokens = {"second"}
    server.cut()
    await reflected.until(lambda: reflected.condition == "lost", 10)
    assert reflected.reflector.source.reason.startswith("credentials refused (401); ")


async def assert_back_in_time(server: FaultServer, reflected: Reflected) -> None:
    began, asked = time.monotonic(), len(server.requests)
    await reflected.until(lambda: reflected.condition == "live", PROMISED_SECONDS)
    assert time.monotonic() - began < PROMISED_SECONDS
    assert len(server.requests) - asked <= 4
    assert reflected.reflector.source.reason == ""


def steady(seconds: float = SLOW_SECONDS) -> dict[str, Any]:
    return {"pacing": Pacing(reopen_seconds=0.01, first_seconds=seconds, steady_seconds=0.0, ceiling_seconds=seconds)}


async def test_a_token_file_that_is_written_anew(
    server: FaultServer, tmp_path: Path, connected: Connect, reflect: Start
) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    reflected = await reflect(over=await connected({"tokenFile": "token"}), **steady())
    await revoke(server, reflected)
    token.write_text("second")
    await assert_back_in_time(server, reflected)


async def test_a_kubeconfig_that_is_written_anew(
    server: FaultServer, tmp_path: Path, connected: Connect, reflect: Start
) -> None:
    reflected = await reflect(over=await connected({"token": "first"}), **steady())
    await revoke(server, reflected)
    (tmp_path / "kubeconfig").write_text("users: [")  # as an editor leaves it for a moment
    server.kubeconfig(tmp_path, user={"token": "second"})
    await assert_back_in_time(server, reflected)


async def test_a_kubeconfig_that_goes_over_to_another_kind_of_credential(
    server: FaultServer, tmp_path: Path, connected: Connect, reflect: Start
) -> None:
    reflected = await reflect(over=await connected({"token": "first"}), **steady())
    await revoke(server, reflected)
    (tmp_path / "token").write_text("second")
    server.kubeconfig(tmp_path, user={"tokenFile": "token"})
    await assert_back_in_time(server, reflected)


async def test_a_plugin_that_gives_another_token(
    server: FaultServer, tmp_path: Path, connected: Connect, reflect: Start
) -> None:
    token, runs = tmp_path / "issued", tmp_path / "runs"
    token.write_text("first")
    reflected = await reflect(over=await connected(plugin(tmp_path, token, runs)), **steady())
    await revoke(server, reflected)
    before = len(runs.read_text())
    token.write_text("second")
    await assert_back_in_time(server, reflected)
    assert len(runs.read_text()) - before <= 2, "the plugin is not run again and again"


async def test_while_there_is_no_new_token_the_server_is_not_asked(
    server: FaultServer, connected: Connect, reflect: Start
) -> None:
    reflected = await reflect(over=await connected({"token": "first"}), **steady())
    await revoke(server, reflected)
    asked = len(server.requests)
    with pytest.raises(AssertionError, match="never seen"):
        await reflected.until(lambda: len(server.requests) > asked, 4.0)


def plugin(folder: Path, token: Path, runs: Path) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": "TOKEN"}})
    script = folder / "plugin.sh"
    script.write_text(f"#!/bin/sh\nprintf x >>{runs}\necho '{answer}' | sed \"s/TOKEN/$(cat {token})/\"\n")
    script.chmod(0o700)
    return {"exec": {"apiVersion": version, "command": "./plugin.sh", "interactiveMode": "IfAvailable"}}
