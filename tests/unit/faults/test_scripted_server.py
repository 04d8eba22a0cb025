"""The scripted server itself: what it serves in a process of its own, and that it obeys."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.control import Control
from tests.faults.load import POD_BYTES, Load
from tests.faults.process import ServerProcess
from tests.faults.server import FaultServer

PODS = "/api/v1/namespaces/load/pods"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", "120") as running:
        yield running


def get(server: ServerProcess, path: str, token: str = "") -> tuple[int, Any, dict[str, str]]:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def test_serves_pods_of_a_real_size_in_pages_of_one_version(server: ServerProcess) -> None:
    _, first, _ = get(server, f"{PODS}?limit=100")
    server.command(burst=7)
    _, second, _ = get(server, f"{PODS}?limit=100&continue={first['metadata']['continue']}")
    assert [len(page["items"]) for page in (first, second)] == [100, 20]
    assert second["metadata"]["continue"] == ""
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert abs(len(json.dumps(first["items"][0])) - POD_BYTES) < 300


def test_a_fault_meets_what_it_names_as_often_as_it_says(server: ServerProcess) -> None:
    server.fault("status", on="list", path="/pods", times=2, code=429, retry_after=3)
    assert [get(server, PODS)[0] for _ in range(3)] == [429, 429, 200]
    server.fault("status", path="/version", code=503, retry_after=1)
    code, _, headers = get(server, "/version")
    assert (code, headers["Retry-After"]) == (503, "1")
    assert get(server, PODS)[0] == 200
    server.command(mend=True)
    assert get(server, "/version")[0] == 200


def test_a_token_can_be_revoked(server: ServerProcess) -> None:
    server.command(tokens=["new"])
    assert (get(server, PODS, "old")[0], get(server, PODS, "new")[0]) == (401, 200)


def test_its_clock_can_be_off(server: ServerProcess) -> None:
    _, page, headers = get(server, f"{PODS}?limit=1")
    server.command(clock=-7200)
    _, later_page, later = get(server, f"{PODS}?limit=1")
    shift = parsedate_to_datetime(later["Date"]) - parsedate_to_datetime(headers["Date"])
    assert -7200 <= shift.total_seconds() <= -7190
    created = [item["items"][0]["metadata"]["creationTimestamp"] for item in (page, later_page)]
    assert created[1] < created[0]


def test_requests_are_on_record(server: ServerProcess) -> None:
    get(server, PODS)
    kinds = [(request["kind"], request["path"]) for request in server.requests()]
    assert kinds == [("list", PODS)]


def test_a_command_that_is_none_is_answered_too(server: ServerProcess) -> None:
    with pytest.raises(AssertionError, match="no such command"):
        server.command(dance=True)
    assert server.command(rate=1) == {"ok": True}


async def test_every_named_fault_can_be_ordered() -> None:
    server, load = FaultServer(), Load(1)
    control = Control(server, load)
    arguments: dict[str, dict[str, Any]] = {
        "status": {"code": 500},
        "busy-until": {"seconds": 5},
        "html": {"code": 503},
        "cut": {"after_bytes": 10},
    }
    names = ("status", "busy-until", "html", "lines", "gone", "garbage", "close", "reset", "freeze", "mute", "cut")
    for name in (*names, "replay", "delay"):
        await control.obey({"fault": name, "arguments": arguments.get(name, {}), "delay": 0.1})
    assert len(server.faults) == len(names) + 2


def test_a_kubeconfig_leads_to_it(server: ServerProcess, tmp_path: Path) -> None:
    text = server.kubeconfig(tmp_path).read_text()
    assert server.url in text
    assert "namespace: load" in text
