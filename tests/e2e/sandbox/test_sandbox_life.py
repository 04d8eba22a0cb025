"""The sandbox itself: start, end, several at once, and nothing left behind."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from selfheal_sandbox.kubelet.watchdog import SANDBOX_VARIABLE
from tests.e2e.sandbox.manifests import deployment, pod, shell
from tests.e2e.sandbox_process import Outcome, SandboxProcess, environment_for, start_sandbox
from tests.polling import until

pytestmark = pytest.mark.slow


def processes_under(folder: Path) -> list[int]:
    """Processes of containers whose files are in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"{SANDBOX_VARIABLE}=".encode() in environment and str(folder).encode() in environment:
            found.append(int(entry.name))
    return found


def test_two_sandboxes_run_side_by_side(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    with start_sandbox(tmp_path, tools, name="a") as first, start_sandbox(tmp_path, tools, name="b") as second:
        for one in (first, second):
            one.apply(deployment("web", 1, shell("sleep 600")))
        for one in (first, second):
            one.kubectl("rollout", "status", "deployment/web", "--timeout=20s")

        addresses = [one.get("pods")["items"][0]["status"]["podIP"] for one in (first, second)]
        assert addresses[0].rsplit(".", 2)[0] != addresses[1].rsplit(".", 2)[0]
        assert first.url != second.url
        token = second.kubectl("config", "view", "--raw", "-o", "jsonpath={.users[0].user.token}").out
        assert first.kubectl("get", "nodes", "--token", token, check=False).code == 1  # the other one's token


def test_one_name_runs_once(sandbox: SandboxProcess) -> None:
    refused = sandbox.command("up", check=False)

    assert refused.code == 1
    assert (
        refused.err == "selfheal-sandbox: sandbox 'e2e' runs already; end it with: selfheal-sandbox down --name e2e\n"
    )


def test_nothing_survives_a_killed_server(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    with start_sandbox(tmp_path, tools) as running:
        script = "trap '' TERM HUP; setsid sleep 600 & sleep 600"
        running.apply(deployment("web", 2, shell(script)))
        until(lambda: len(processes_under(tmp_path)) >= 6)

        os.kill(running.pid, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: not processes_under(tmp_path), 2)

        assert time.monotonic() - killed < 2
        told = running.command("down")
        assert "had been killed; what it left behind is removed" in told.out
        assert running.command("status", check=False).code == 4
        assert sorted(path.name for path in running.folder.iterdir()) == ["lock", "snapshot"]


def test_a_sandbox_ends_with_the_script_that_started_it(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    folder = tmp_path / "state" / "selfheal" / "sandbox" / "default"
    environment = {**environment_for(tmp_path), "KUBECONFIG": str(folder / "kubeconfig")}
    client = SandboxProcess("default", folder / "kubeconfig", "", 0, folder, tools, environment)
    up = f"{sys.executable} -m selfheal_sandbox.main up --with-parent"
    with (tmp_path / "log").open("wb") as log:
        script = subprocess.Popen(["sh", "-c", f"{up} & wait"], env=environment, stdout=log, stderr=log)
    try:
        until((folder / "server.json").exists, 20, "the sandbox is ready")
        client.apply(deployment("web", 2, shell("sleep 600")))
        until(lambda: len(processes_under(tmp_path)) >= 2, 20, "its pods run")
    finally:
        script.kill()
        script.wait()

    until(lambda: not processes_under(tmp_path), 10, "its pods end")
    until(lambda: client.command("status", check=False).code == 4, 10, "it has ended")
    assert sorted(one.name for one in folder.iterdir()) == ["lock", "snapshot"]  # in order, not killed


def test_background_start_and_end(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    client = SandboxProcess(
        "quiet", Path(), "", 0, tmp_path / "state" / "selfheal" / "sandbox" / "quiet", tools, environment_for(tmp_path)
    )
    assert client.command("status", check=False).code == 4
    log = tmp_path / "requests.jsonl"

    started = client.command("up", "--detach", "--nodes", "2", "--request-log", str(log))
    try:
        path = client.command("kubeconfig").out.strip()
        assert f"export KUBECONFIG={path}" in started.out
        assert Path(path).stat().st_mode & 0o777 == 0o600
        assert client.folder.stat().st_mode & 0o777 == 0o700
        told = json.loads(client.command("status", "--json").out)
        assert (told["nodes"], told["nodesReady"], told["pods"]) == (2, 2, 0)
    finally:
        ended = client.command("down")

    assert "It holds what" not in started.out
    assert ended.out == "Sandbox 'quiet' ended; what it held comes back with: selfheal-sandbox up --name quiet\n"
    assert client.command("down", check=False).code == 4
    assert {json.loads(line)["user"] for line in log.read_text().splitlines()} == {"sandbox-admin"}
    assert sorted(one.name for one in client.folder.iterdir()) == ["lock", "server.log", "snapshot"]
    forgotten = client.command("down", "--forget")
    assert forgotten.out == "Sandbox 'quiet' does not run; all that it held is removed.\n"
    assert not client.folder.exists()


def test_only_token_holders_get_in(sandbox: SandboxProcess) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def code(path: str, headers: dict[str, str]) -> int:
        request = urllib.request.Request(sandbox.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, context=context, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert code("/readyz", {}) == 200
    assert code("/api/v1/pods", {}) == 401
    assert code("/api/v1/pods", {"Authorization": "Bearer wrong"}) == 401
    assert code("/readyz", {"Host": "evil.example"}) == 403


def test_a_pod_reaches_the_api_with_its_service_account(sandbox: SandboxProcess, namespace: str) -> None:
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    url = f"https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat {account}/namespace)/pods"
    script = f'curl -s --cacert {account}/ca.crt -H "Authorization: Bearer $(cat {account}/token)" "{url}"'
    binding = ("reader", "--clusterrole=view", f"--serviceaccount={namespace}:default", "-n", namespace)
    sandbox.kubectl("create", "rolebinding", *binding)
    sandbox.apply(pod("p", shell(script), restartPolicy="Never"), namespace=namespace)
    sandbox.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "pod/p", "--timeout=20s")

    answer = json.loads(sandbox.kubectl("logs", "p", "-n", namespace).out)

    assert [one["metadata"]["name"] for one in answer["items"]] == ["p"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("up", "--speed", "0"), 2, "0.0 is not in the range"),
        (("up", "--name", "Not a name"), 2, "a name has 1 to 40 of a-z, 0-9 and -"),
        (("url", "svc/web", "--name", "none"), 4, "start it with: selfheal-sandbox up --name none --detach"),
    ],
)
def test_bad_input_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    client = SandboxProcess("default", Path(), "", 0, tmp_path, {}, environment_for(tmp_path))

    refused: Outcome = client.run(sys.executable, "-m", "selfheal_sandbox.main", *arguments, check=False)

    assert refused.code == code
    assert message in refused.err
    assert "Traceback" not in refused.err


def test_url_of_a_service(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(deployment("web", 1, {"name": "main", "image": "selfheal-service:1.0"}), namespace=namespace)
    sandbox.kubectl("expose", "-n", namespace, "deployment/web", "--port=80", "--target-port=8080")
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")

    def address() -> str:
        return sandbox.command("url", "svc/web", "-n", namespace, check=False).out.strip()

    url = until(address)
    until(lambda: sandbox.run("curl", "-sf", "-m", "2", "--noproxy", "*", f"{url}/health", check=False).code == 0)
    # A connection that was idle for a moment is served like any other.
    for _ in range(20):
        assert "healthy" in sandbox.run("curl", "-sf", "-m", "2", "--noproxy", "*", f"{url}/health").out
    missing = sandbox.command("url", "svc/none", "-n", namespace, check=False)
    next_step = f"see: kubectl get services -n {namespace}"
    assert (missing.code, missing.err) == (1, f'selfheal-sandbox: services "none" not found; {next_step}\n')
