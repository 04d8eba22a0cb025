"""What people do with kubectl, on pods that are real processes."""

import json
import subprocess

import pytest

from tests.e2e.sandbox.manifests import deployment, pod, practice_service, shell
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

pytestmark = pytest.mark.slow


def statuses(sandbox: SandboxProcess, namespace: str, label: str = "app") -> list[dict[str, object]]:
    pods = sandbox.get("pods", "-n", namespace, "-l", label)["items"]
    return [status for one in pods for status in one["status"].get("containerStatuses") or []]


def test_logs_of_this_run_and_the_one_before(sandbox: SandboxProcess, namespace: str) -> None:
    script = "if [ -e seen ]; then echo second; sleep 60; else touch seen; echo first; exit 2; fi"
    sandbox.apply(pod("p", shell(script)), namespace=namespace)
    until(lambda: statuses(sandbox, namespace)[0]["restartCount"] == 1)
    until(lambda: sandbox.kubectl("logs", "p", "-n", namespace, check=False).out == "second\n")

    assert sandbox.kubectl("logs", "p", "-n", namespace, "--previous").out == "first\n"
    stamped = sandbox.kubectl("logs", "p", "-n", namespace, "--timestamps", "--tail=1").out
    assert stamped.endswith("Z second\n")
    described = sandbox.kubectl("describe", "pod", "p", "-n", namespace).out
    assert "Exit Code:    2" in described
    assert "Started container main" in described


def test_logs_are_followed_to_the_end_of_the_container(sandbox: SandboxProcess, namespace: str) -> None:
    script = "for n in 1 2 3; do echo $n; sleep 0.2; done"
    sandbox.apply(pod("p", shell(script), restartPolicy="Never"), namespace=namespace)
    until(lambda: statuses(sandbox, namespace) and "waiting" not in statuses(sandbox, namespace)[0]["state"])  # type: ignore[operator]

    assert sandbox.kubectl("logs", "-f", "p", "-n", namespace).out == "1\n2\n3\n"


def test_logs_of_a_container_that_waits_are_refused(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("p", {"name": "main", "image": "selfheal-service:9.9"}), namespace=namespace)
    until(lambda: statuses(sandbox, namespace))

    refused = sandbox.kubectl("logs", "p", "-n", namespace, check=False)

    assert refused.code == 1
    assert 'container "main" in pod "p" is waiting to start' in refused.err


def test_exec_gives_exit_code_streams_and_standard_input(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("p", shell("sleep 60")), namespace=namespace)
    sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/p", "--timeout=20s")

    ended = sandbox.kubectl("exec", "p", "-n", namespace, "--", "sh", "-c", "echo o; echo e >&2; exit 3", check=False)
    assert (ended.code, ended.out) == (3, "o\n")
    assert ended.err == "e\ncommand terminated with exit code 3\n"

    text = "line\n" * 20_000
    assert sandbox.kubectl("exec", "-i", "p", "-n", namespace, "--", "cat", stdin=text).out == text

    missing = sandbox.kubectl("exec", "p", "-n", namespace, "--", "no-such-program", check=False)
    assert missing.code == 127
    assert "executable file not found in $PATH" in missing.err


def test_top_shows_what_the_processes_use(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("busy", shell("while :; do :; done")), namespace=namespace)

    def cpu_millicores() -> int:
        top = sandbox.kubectl("top", "pod", "busy", "-n", namespace, "--no-headers", check=False)
        return int(top.out.split()[1].removesuffix("m")) if top.code == 0 else 0

    assert until(lambda: cpu_millicores() > 100)
    assert len(sandbox.kubectl("top", "node", "--no-headers").out.splitlines()) == 3


def test_crash_loop_is_told_as_a_cluster_tells_it(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(deployment("crash", 1, shell("echo no; exit 1")), namespace=namespace)

    def shown() -> bool:
        line = sandbox.kubectl("get", "pods", "-n", namespace, "--no-headers").out
        return "CrashLoopBackOff" in line

    until(shown)
    until(lambda: int(str(statuses(sandbox, namespace)[0]["restartCount"])) >= 3)
    events = sandbox.kubectl("get", "events", "-n", namespace, "--field-selector", "reason=BackOff").out
    assert "Back-off restarting failed container main in pod crash-" in events


def test_rollout_undo_returns_to_the_replica_set_before(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(deployment("web", 2, shell("sleep 600", env=[{"name": "V", "value": "1"}])), namespace=namespace)
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")
    sandbox.kubectl("set", "env", "-n", namespace, "deployment/web", "V=2")
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")

    sandbox.kubectl("rollout", "undo", "-n", namespace, "deployment/web")
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")

    sets = sandbox.get("replicasets", "-n", namespace)["items"]
    used = [one for one in sets if one["spec"]["replicas"] == 2]
    assert len(sets) == 2
    assert used[0]["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "V", "value": "1"}]
    assert used[0]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert "deployment.apps/web" in sandbox.kubectl("rollout", "history", "-n", namespace, "deployment/web").out


def test_get_watch_shows_changes_as_they_come(sandbox: SandboxProcess, namespace: str) -> None:
    argv = [str(sandbox.tools["kubectl"]), "get", "pods", "-n", namespace, "-w", "--no-headers", "-o", "name"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=dict(sandbox.environment)) as watch:
        try:
            sandbox.apply(pod("seen", shell("sleep 60")), namespace=namespace)
            assert watch.stdout is not None
            assert watch.stdout.readline() == "pod/seen\n"
        finally:
            watch.kill()


def test_wait_ends_when_the_condition_holds_or_the_object_goes(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("p", shell("sleep 60")), namespace=namespace)

    ready = sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/p", "--timeout=20s")
    assert ready.out == "pod/p condition met\n"
    sandbox.kubectl("delete", "-n", namespace, "pod/p", "--wait=false")
    sandbox.kubectl("wait", "-n", namespace, "--for=delete", "pod/p", "--timeout=20s")

    late = sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/none", "--timeout=1s", check=False)
    assert late.code == 1


def test_what_the_sandbox_lacks_is_refused_in_words(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("p", shell("sleep 60")), namespace=namespace)
    sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/p", "--timeout=20s")

    attached = sandbox.kubectl("attach", "-n", namespace, "p", check=False)

    assert "does not serve attach" in attached.err
    assert attached.code == 1


def test_a_pod_is_reached_through_the_api_server(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(pod("web", practice_service()), namespace=namespace)
    sandbox.kubectl("expose", "-n", namespace, "pod/web", "--port=80", "--target-port=8080")
    sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/web", "--timeout=20s")

    by_pod = sandbox.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/web:8080/proxy/health").out
    by_service = sandbox.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/services/web/proxy/health").out

    assert json.loads(by_pod) == json.loads(by_service) == {"status": "healthy"}
