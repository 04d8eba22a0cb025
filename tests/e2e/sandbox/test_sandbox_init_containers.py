"""Init containers and sidecars as kubectl shows them, in its oldest and its newest version."""

from dataclasses import replace

import pytest

from tests.e2e.sandbox.manifests import pod, shell
from tests.e2e.sandbox_process import SandboxProcess
from tests.pinned_tools import KUBECTL_VERSIONS, program, version
from tests.polling import until

pytestmark = pytest.mark.slow


@pytest.fixture(params=KUBECTL_VERSIONS, ids=version)
def user(request: pytest.FixtureRequest, sandbox: SandboxProcess) -> SandboxProcess:
    """The shared sandbox, with one of the versions of kubectl."""
    return replace(sandbox, tools={**sandbox.tools, "kubectl": program(request.param)})


def row(user: SandboxProcess, namespace: str) -> list[str]:
    """READY, STATUS and RESTARTS of the pod; empty before it is there."""
    return user.kubectl("get", "pod", "p", "-n", namespace, "--no-headers").out.split()[1:4]


def test_columns_logs_and_description_of_a_pod_that_is_initialised(user: SandboxProcess, namespace: str) -> None:
    gate = "echo waiting; while [ ! -e go ]; do sleep 0.1; done; echo gone"
    first = {
        **shell(gate),
        "name": "first",
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        "workingDir": "/work",
    }
    proxy = {**shell("echo proxied; sleep 600"), "name": "proxy", "restartPolicy": "Always"}
    body = pod(
        "p", shell("echo main; sleep 600"), initContainers=[first, proxy], volumes=[{"name": "work", "emptyDir": {}}]
    )
    user.apply(body, namespace=namespace)

    until(lambda: user.kubectl("logs", "p", "-c", "first", "-n", namespace, check=False).out == "waiting\n")
    assert row(user, namespace) == ["0/2", "Init:0/2", "0"]
    early = user.kubectl("logs", "p", "-c", "main", "-n", namespace, check=False)
    assert 'container "main" in pod "p" is waiting to start: PodInitializing' in early.err

    user.kubectl("exec", "p", "-c", "first", "-n", namespace, "--", "touch", "go")
    user.kubectl("wait", "pod/p", "-n", namespace, "--for=condition=Ready", "--timeout=20s")

    assert row(user, namespace) == ["2/2", "Running", "0"]
    assert user.kubectl("logs", "p", "-c", "first", "-n", namespace).out == "waiting\ngone\n"
    assert user.kubectl("logs", "p", "-c", "proxy", "-n", namespace).out == "proxied\n"
    everything = user.kubectl("logs", "p", "--all-containers", "-n", namespace).out
    assert sorted(everything.split()) == ["gone", "main", "proxied", "waiting"]
    described = user.kubectl("describe", "pod", "p", "-n", namespace).out
    assert described.index("Init Containers:") < described.index("first:") < described.index("Containers:\n  main:")
    assert "Reason:       Completed" in described
    assert "Initialized                 True" in described
    user.kubectl("delete", "pod", "p", "-n", namespace, "--timeout=20s")


def test_an_init_container_that_fails_is_told_in_the_status_column(user: SandboxProcess, namespace: str) -> None:
    body = pod("p", shell("sleep 600"), initContainers=[{**shell("echo no; exit 3"), "name": "first"}])
    user.apply(body, namespace=namespace)

    until(lambda: row(user, namespace)[1] == "Init:CrashLoopBackOff")
    until(lambda: int(row(user, namespace)[2]) >= 2)

    assert user.kubectl("logs", "p", "-c", "first", "--previous", "-n", namespace).out == "no\n"
    events = user.kubectl("get", "events", "-n", namespace, "--field-selector", "reason=BackOff").out
    assert "Back-off restarting failed container first in pod p_" in events
