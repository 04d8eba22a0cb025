"""A sandbox that was switched off comes back with what it held, as a cluster does after its machines rebooted."""

import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.tools.versions import Tool
from tests.e2e.sandbox.manifests import budget, deployment, pod, shell
from tests.e2e.sandbox_process import SandboxProcess, environment_for, start_sandbox
from tests.pinned_tools import HELM_VERSIONS, program, version
from tests.polling import until

pytestmark = pytest.mark.slow

CHART = str(Path(__file__).parents[3] / "chart" / "service")
VALUES = "minReadySeconds=0,shutdown.preStopSleepSeconds=0,shutdown.drainSeconds=0,probes.readiness.periodSeconds=1"
WAIT = ("--wait", "--timeout", "30s", "--set", f"{VALUES},autoscaling.enabled=false")
SPEED = 20.0


def pods(sandbox: SandboxProcess) -> dict[str, dict[str, Any]]:
    """The pods that are not being deleted, by name."""
    found = sandbox.get("pods")["items"]
    return {one["metadata"]["name"]: one for one in found if "deletionTimestamp" not in one["metadata"]}


def restarts(one: dict[str, Any]) -> int:
    return int(one["status"]["containerStatuses"][0]["restartCount"])


def is_ready(one: dict[str, Any]) -> bool:
    conditions = one["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def revision_of_store(sandbox: SandboxProcess) -> int:
    found = json.loads(sandbox.kubectl("get", "--raw", "/api/v1/nodes").out)
    return int(found["metadata"]["resourceVersion"])


def revisions(sandbox: SandboxProcess) -> list[tuple[int, str]]:
    return [(one["revision"], one["status"]) for one in json.loads(sandbox.helm("history", "web", "-o", "json").out)]


@pytest.mark.parametrize("helm", HELM_VERSIONS, ids=version)
def test_releases_are_intact_after_a_restart(tmp_path: Path, tools: Mapping[str, Path], helm: Tool) -> None:
    with_helm = {**tools, "helm": program(helm)}
    with start_sandbox(tmp_path, with_helm, speed=SPEED) as sandbox:
        sandbox.helm("install", "web", CHART, *WAIT)
        sandbox.helm("upgrade", "web", CHART, *WAIT, "--set", "image.tag=1.1")
        before = pods(sandbox)
        address = sandbox.get("service", "web")["spec"]["clusterIP"]

    with start_sandbox(tmp_path, with_helm, speed=SPEED) as sandbox:
        assert revisions(sandbox) == [(1, "superseded"), (2, "deployed")]
        assert [one["name"] for one in json.loads(sandbox.helm("list", "-o", "json").out)] == ["web"]
        sandbox.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        after = pods(sandbox)
        # The same pods, each started once more; nothing was made anew.
        assert {name: one["metadata"]["uid"] for name, one in after.items()} == {
            name: one["metadata"]["uid"] for name, one in before.items()
        }
        assert [restarts(one) for one in after.values()] == [1, 1]
        ended = next(iter(after.values()))["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (255, "Unknown")
        assert sandbox.get("service", "web")["spec"]["clusterIP"].split(".")[2:] == address.split(".")[2:]

        url = sandbox.command("url", "svc/web").out.strip()
        until(lambda: sandbox.run("curl", "-sf", "-m", "2", "--noproxy", "*", f"{url}/", check=False).code == 0)
        sandbox.helm("rollback", "web", "1", "--wait", "--timeout", "30s")
        assert revisions(sandbox) == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
        images = {one["spec"]["containers"][0]["image"] for one in pods(sandbox).values() if is_ready(one)}
        assert images == {"selfheal-service:1.0"}
        sandbox.helm("uninstall", "web", "--wait", "--timeout", "30s")


def test_a_killed_sandbox_loses_seconds_at_most(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    with start_sandbox(tmp_path, tools) as sandbox:
        sandbox.apply(deployment("web", 1, shell("sleep 600")), budget("web", minAvailable=1))
        sandbox.kubectl("create", "secret", "generic", "key", "--from-literal=a=b")
        sandbox.kubectl("create", "namespace", "other")
        sandbox.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        uid = sandbox.get("deployment", "web")["metadata"]["uid"]
        revision = revision_of_store(sandbox)
        until(lambda: "readyReplicas" in (sandbox.folder / "snapshot").read_text(), 15, "written after a few seconds")
        assert (sandbox.folder / "snapshot").stat().st_mode & 0o777 == 0o600
        os.kill(sandbox.pid, signal.SIGKILL)

    with start_sandbox(tmp_path, tools) as sandbox:
        assert sandbox.get("deployment", "web")["metadata"]["uid"] == uid
        assert sandbox.get("secret", "key")["data"] == {"a": "Yg=="}
        assert revision_of_store(sandbox) > revision
        sandbox.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        assert [restarts(one) for one in pods(sandbox).values()] == [1]
        until(lambda: sandbox.get("pdb", "web")["status"]["currentHealthy"] == 1)
        # A client that goes on from before the crash is told to start anew.
        stale = sandbox.kubectl("get", "--raw", f"/api/v1/pods?watch=true&resourceVersion={revision}&timeoutSeconds=1")
        assert '"code":410' in stale.out.replace(" ", "")


def test_what_ran_to_its_end_does_not_run_again(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    with start_sandbox(tmp_path, tools) as sandbox:
        sandbox.apply(
            pod("done", shell("true"), restartPolicy="Never"), pod("once", shell("sleep 600"), restartPolicy="Never")
        )
        until(lambda: pods(sandbox)["done"]["status"]["phase"] == "Succeeded")
        sandbox.kubectl("wait", "--for=condition=Ready", "pod/once", "--timeout=20s")

    with start_sandbox(tmp_path, tools) as sandbox:
        until(lambda: pods(sandbox)["once"]["status"]["phase"] == "Failed")
        found = pods(sandbox)
        assert found["once"]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 255
        assert found["done"]["status"]["phase"] == "Succeeded"
        assert [restarts(one) for one in found.values()] == [0, 0]


def test_fresh_forgets_and_custom_kinds_come_back(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    kind = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "lamps.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "lamps", "kind": "Lamp"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    lamp = {"apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": "desk"}}
    with start_sandbox(tmp_path, tools) as sandbox:
        sandbox.apply(kind)
        until(lambda: sandbox.kubectl("get", "lamps", check=False).code == 0)
        sandbox.apply(lamp)

    with start_sandbox(tmp_path, tools) as sandbox:
        assert sandbox.kubectl("get", "lamps", "-o", "name").out == "lamp.example.com/desk\n"

    with start_sandbox(tmp_path, tools, options=("--fresh",)) as sandbox:
        fresh = replace(sandbox, environment={**sandbox.environment, "HOME": str(tmp_path / "other")})
        assert fresh.kubectl("get", "lamps", check=False).code == 1


def test_a_start_says_what_it_brought_back_and_refuses_what_it_cannot_read(
    tmp_path: Path, tools: Mapping[str, Path]
) -> None:
    with start_sandbox(tmp_path, tools) as sandbox:
        pass
    client = replace(sandbox, environment=environment_for(tmp_path))
    snapshot = sandbox.folder / "snapshot"

    started = client.command("up", "--detach").out
    client.command("down")
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[:-100])
    refused = client.command("up", check=False)

    assert re.search(
        r"^It holds what it held at 20\d\d-\S+Z; to start with nothing: up --fresh$", started, re.MULTILINE
    )
    assert refused.code == 1
    assert refused.err == (
        f"selfheal-sandbox: cannot restore the snapshot {snapshot}: it is cut off or was changed (its SHA-256 does not "
        "match); start without it, which overwrites it: selfheal-sandbox up --fresh\n"
    )
    assert snapshot.read_bytes() == whole[:-100]  # it stays, for whoever wants to look at it
    in_background = client.command("up", "--detach", check=False)
    assert in_background.code == 1
    assert "start without it, which overwrites it: selfheal-sandbox up --fresh" in in_background.err
