"""Users and service accounts of a sandbox, as kubectl, a pod and our own programs see their rights."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from selfheal_core.files import chart
from tests.e2e.sandbox.manifests import pod, shell
from tests.e2e.sandbox_process import Outcome, SandboxProcess
from tests.polling import until

pytestmark = pytest.mark.slow

VALUES = "minReadySeconds=0,shutdown.drainSeconds=0,shutdown.preStopSleepSeconds=0,shutdown.lingerSeconds=1"
CONSOLE_SECONDS = 30.0
ESCAPE = "\x1b"


def user(sandbox: SandboxProcess, name: str, *arguments: str) -> SandboxProcess:
    """Make a user; returns the sandbox as that user sees it."""
    path = Path(sandbox.command("kubeconfig", "--as", name, *arguments).out.strip())
    return dataclasses.replace(sandbox, kubeconfig=path, environment={**sandbox.environment, "KUBECONFIG": str(path)})


def selfheal(sandbox: SandboxProcess, *arguments: str) -> Outcome:
    path = f"{sandbox.tools['helm'].parent}:{sandbox.environment['PATH']}"
    with_helm = dataclasses.replace(sandbox, environment={**sandbox.environment, "PATH": path})
    return with_helm.run(program_path("selfheal"), *arguments, check=False)


def program_path(name: str) -> str:
    """Return where one of our own programs is."""
    return str(Path(sys.executable).parent / name)


@pytest.fixture(scope="module")
def viewer(sandbox: SandboxProcess) -> SandboxProcess:
    return user(sandbox, "viewer", "--role", "view")


def test_a_viewer_sees_and_changes_nothing(viewer: SandboxProcess, namespace: str) -> None:
    assert viewer.kubectl("get", "pods", "-A", "-o", "name").code == 0
    for arguments, refusal in (
        (("get", "secrets", "-n", namespace), 'cannot list resource "secrets" in API group ""'),
        (("delete", "pod", "p", "-n", namespace), 'cannot delete resource "pods"'),
        (("create", "configmap", "c", "-n", namespace), 'cannot create resource "configmaps"'),
        (("get", "nodes"), 'cannot list resource "nodes" in API group "" at the cluster scope'),
        (("get", "pods", "--as", "eve"), 'cannot impersonate resource "users"'),
    ):
        refused = viewer.kubectl(*arguments, check=False)
        assert (refused.code, refusal in refused.err) == (1, True), refused.err


def test_kubectl_tells_who_one_is_and_what_one_may(viewer: SandboxProcess) -> None:
    who = json.loads(viewer.kubectl("auth", "whoami", "-o", "json").out)["status"]["userInfo"]
    listed = viewer.kubectl("auth", "can-i", "--list").out

    assert who == {"username": "viewer", "groups": ["system:authenticated"]}
    assert "deployments.apps" in listed
    assert "secrets" not in listed
    assert viewer.kubectl("auth", "can-i", "list", "pods").out == "yes\n"
    assert viewer.kubectl("auth", "can-i", "delete", "pods", check=False).out == "no\n"
    assert viewer.kubectl("auth", "can-i", "get", "/metrics", check=False).out.endswith("no\n")


def test_a_role_in_one_namespace_reaches_no_other(sandbox: SandboxProcess, namespace: str) -> None:
    editor = user(sandbox, "editor", "--role", "edit", "-n", namespace)

    editor.kubectl("create", "configmap", "c")  # the namespace of its kubeconfig
    assert editor.kubectl("get", "pods", "-n", "default", check=False).code == 1
    assert editor.kubectl("get", "pods", "-A", check=False).code == 1


def test_making_a_user_twice_changes_nothing_and_adds_roles(sandbox: SandboxProcess) -> None:
    first = user(sandbox, "twice", "--role", "view")
    before = first.kubeconfig.read_text()
    second = user(sandbox, "twice", "--role", "view", "--role", "edit")

    assert second.kubeconfig.read_text() == before
    assert second.kubectl("auth", "can-i", "create", "pods").out == "yes\n"
    sandbox.kubectl("delete", "clusterrolebinding", "selfheal-sandbox:twice:edit")
    assert second.kubectl("auth", "can-i", "create", "pods", check=False).out == "no\n"
    assert first.kubeconfig.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--as", "x", "--role", "veiw"), 1, "there is no ClusterRole 'veiw'; did you mean 'view'?"),
        (("--as", "x", "--role", "view", "-n", "none"), 1, "make it with: kubectl create namespace none"),
        (("--as", "system:masters"), 1, "--as 'system:masters': a user's name has"),
        (("--role", "view"), 2, "name one with --as"),
    ],
)
def test_wrong_wishes_are_told_with_what_to_type(
    sandbox: SandboxProcess, arguments: tuple[str, ...], code: int, text: str
) -> None:
    refused = sandbox.command("kubeconfig", *arguments, check=False)

    assert (refused.code, text in refused.err) == (code, True), refused.err


def test_a_pod_acts_as_its_service_account(sandbox: SandboxProcess, namespace: str) -> None:
    url = f"{sandbox.url}/api/v1/namespaces/{namespace}/pods"
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = (
        "import ssl,sys,urllib.request as u,urllib.error as e;"
        f"q=u.Request({url!r},headers={{'Authorization':'Bearer '+open(sys.argv[1]+'/token').read()}});"
        "c=ssl.create_default_context(cafile=sys.argv[1]+'/ca.crt')\n"
        "try: print(u.urlopen(q,context=c,timeout=5).status)\n"
        "except e.HTTPError as x: print(x.status)\n"
    )
    ask = f"{shlex.quote(sys.executable)} -c {shlex.quote(script)} {account}"
    sandbox.apply(pod("asker", shell(f"{ask}; sleep 600")), namespace=namespace)
    until(lambda: sandbox.kubectl("logs", "asker", "-n", namespace, check=False).out == "403\n", 20, "a refusal")

    sandbox.kubectl(
        "create", "rolebinding", "r", "--clusterrole=view", f"--serviceaccount={namespace}:default", "-n", namespace
    )
    again = sandbox.kubectl("exec", "asker", "-n", namespace, "--", sys.executable, "-c", script, account)
    assert again.out == "200\n"


def test_a_token_that_was_asked_for_is_the_accounts(sandbox: SandboxProcess, namespace: str) -> None:
    token = sandbox.kubectl("create", "token", "default", "-n", namespace).out.strip()
    path = sandbox.folder / "users" / "token-only.kubeconfig"
    text = sandbox.kubectl("config", "view", "--raw", "--minify", "-o", "json").out
    config = json.loads(text)
    config["users"][0]["user"] = {"token": token}
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(config))

    who = sandbox.kubectl("auth", "whoami", "-o", "json", "--kubeconfig", str(path)).out
    assert json.loads(who)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"


@pytest.fixture(scope="module")
def release(sandbox: SandboxProcess) -> Iterator[str]:
    """A release with two revisions in the namespace ``rights``."""
    wait = ("-n", "rights", "--wait", "--timeout", "60s")
    sandbox.helm("install", "web", str(chart("service")), "--create-namespace", "--set", VALUES, *wait)
    sandbox.helm("upgrade", "web", str(chart("service")), "--reuse-values", "--set", "image.tag=1.1", *wait)
    yield "rights"
    sandbox.kubectl("delete", "namespace", "rights", "--wait=false")


def writes_of(request_log: Path, name: str) -> list[str]:
    """What a user sent that was no question; a refused dry run counts too."""
    lines = (json.loads(line) for line in request_log.read_text().splitlines())
    return [
        f"{line['verb']} {line['path']}"
        for line in lines
        if line["user"] == name
        and line["verb"] not in ("get", "list", "watch")
        and not line["path"].startswith("/apis/authorization.k8s.io/")
    ]


def test_a_viewers_doctor_names_the_missing_rights(sandbox: SandboxProcess, release: str) -> None:
    doctor = selfheal(user(sandbox, "patient", "--role", "view"), "doctor", "-n", release)

    rollback = next(line for line in doctor.out.splitlines() if "rollback:" in line)
    assert "not allowed in" in rollback
    for right in ("list secrets", "update secrets", "patch deployments.apps"):
        assert right in rollback
    assert next(line for line in doctor.out.splitlines() if "kill:" in line).count("create pods/eviction") == 1


def test_a_viewers_rollback_is_refused_before_anything_is_sent(
    sandbox: SandboxProcess, release: str, request_log: Path
) -> None:
    onlooker = user(sandbox, "onlooker", "--role", "view")
    refused = selfheal(onlooker, "rollback", "web", "-n", release, "--yes")

    assert refused.code == 1
    assert "list secrets" in refused.err
    assert writes_of(request_log, "onlooker") == []


def test_a_viewers_console_names_the_missing_rights_and_sends_nothing(
    sandbox: SandboxProcess, release: str, request_log: Path
) -> None:
    watcher = user(sandbox, "watcher", "--role", "view")
    terminal = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with Terminal(
        [program_path("selfheal-tui"), "-n", release], {**watcher.environment, **terminal}, 80, 24
    ) as console:

        def see(*words: str) -> None:
            console.wait_for(lambda screen: all(word in " ".join(screen.split()) for word in words), CONSOLE_SECONDS)

        see("web", "healthy")
        console.send("R")
        see("Can't be done now", "list secrets")
        console.send(ESCAPE)
        console.wait_for(lambda screen: "Can't be done now" not in screen, CONSOLE_SECONDS)

        def help_says_why() -> bool:
            console.watch(1.0)  # it asks for its rights while a table is on the screen
            console.send("?")
            console.wait_for(lambda screen: "Change (upper case" in screen, CONSOLE_SECONDS)
            shown = " ".join(console.text().split())
            console.send(ESCAPE)
            console.wait_for(lambda screen: "Change (upper case" not in screen, CONSOLE_SECONDS)
            return f"not now: not allowed to patch deployments.apps in namespace {release}" in shown

        until(help_says_why, CONSOLE_SECONDS, "the help says what a restart lacks")

    assert writes_of(request_log, "watcher") == []


def test_a_reader_of_secrets_is_told_which_right_a_rollback_lacks(
    sandbox: SandboxProcess, release: str, request_log: Path
) -> None:
    sandbox.kubectl("create", "clusterrole", "secret-reader", "--verb=get,list,watch", "--resource=secrets")
    reader = user(sandbox, "reader", "--role", "view", "--role", "secret-reader")
    refused = selfheal(reader, "rollback", "web", "-n", release, "--yes")

    assert refused.code == 1
    assert f"not allowed to create secrets in namespace {release}" in refused.err
    assert writes_of(request_log, "reader") == []


def test_an_editor_may_roll_back(sandbox: SandboxProcess, release: str) -> None:
    editor = user(sandbox, "roller", "--role", "edit", "-n", release)
    done = selfheal(editor, "rollback", "web", "-n", release, "--yes")

    assert done.code == 0, done.err
    history = json.loads(sandbox.helm("history", "web", "-n", release, "-o", "json").out)
    assert [entry["revision"] for entry in history] == [1, 2, 3]
