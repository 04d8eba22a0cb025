"""A cluster that refuses, stays silent or does not know us, and names that it does not have."""

import re

import pytest

from tests.e2e.bad_input.calls import REFUSING, SCRIPTS, Caller
from tests.e2e.bad_input.conftest import SilentCalls
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = pytest.mark.slow

AT_ONCE_SECONDS = 8.0
"""Far more than it takes, far less than a silent cluster is waited for."""
READING = (
    *("selfheal restart web --yes", "selfheal doctor", "selfheal doctor --json", "selfheal explain web"),
    *("selfheal-tui --once", "selfheal-tui --plain", "selfheal-tui --json", "selfheal-tui --json --plain"),
)


@pytest.mark.parametrize("command", READING)
def test_an_api_server_that_refuses_ends_it_at_once(call: Caller, command: str) -> None:
    ended = call(*command.split(), "--kubeconfig", str(call.kubeconfig(REFUSING)))

    assert ended.code == 4
    assert f"no answer from {REFUSING}: connection refused; check the address" in ended.line
    assert ended.seconds < AT_ONCE_SECONDS


@pytest.mark.parametrize("command", READING)
def test_a_token_that_is_wrong_is_told_from_a_cluster_that_is_gone(
    call: Caller, sandbox: SandboxProcess, command: str
) -> None:
    wrong = re.sub("token: .*", "token: wrong", sandbox.kubeconfig.read_text())

    ended = call(*command.split(), "--kubeconfig", str(call.file("kubeconfig", wrong)))

    assert ended.code == 4
    assert ended.line.endswith(
        "does not accept the credentials (401 Unauthorized); "
        "log in again, or check the user with: kubectl config view --minify"
    )
    assert ended.seconds < AT_ONCE_SECONDS


def test_an_api_server_that_never_answers_is_given_up(silent_calls: SilentCalls) -> None:
    ended = [call.ended() for call in silent_calls.started]

    assert [one.code for one in ended] == [4, 4, 4]
    assert all(f"{silent_calls.server}" in one.line and "no answer" in one.line for one in ended)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("restart wbe", "no application 'wbe' in namespace '{}'; did you mean 'web'?"),
        ("rollback zzz", "no application 'zzz' in namespace '{}'; known: web"),
        ("kill web-0", "no pod 'web-0' in namespace '{}'; known: web-"),
        ("rollback web --to 99", "release web has no revision 99; possible: 1"),
    ],
)
def test_a_name_that_the_cluster_does_not_have(
    call: Caller, sandbox: SandboxProcess, release: str, command: str, words: str
) -> None:
    ended = call("selfheal", *command.split(), "-n", release, "--yes", KUBECONFIG=str(sandbox.kubeconfig))

    assert ended.code == 2
    assert words.format(release) in ended.line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wbe", "no pod or application 'wbe' in namespace '{}'; did you mean 'web'?"),
        ("svc/web", "no pod or application 'svc/web' in namespace '{}'; did you mean 'web'?"),
    ],
)
def test_nothing_of_that_name_to_explain(
    call: Caller, sandbox: SandboxProcess, release: str, name: str, words: str
) -> None:
    ended = call("selfheal", "explain", name, "-n", release, KUBECONFIG=str(sandbox.kubeconfig))

    assert ended.code == 2
    assert words.format(release) in ended.line


def test_an_application_is_explained_gate_by_gate(call: Caller, sandbox: SandboxProcess, release: str) -> None:
    ended = call("selfheal", "explain", "web", "-n", release, KUBECONFIG=str(sandbox.kubeconfig))

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("state     ")
    assert "\ndecides   healerd is not installed here; it would leave pod web-" in ended.out
    assert "no container restarted more than 3 times (most: 0)" in ended.out
    assert "limits    healerd's own settings can't be read" in ended.out
    assert "\x1b" not in ended.out


def test_nothing_is_broken_on_purpose_in_a_real_cluster(call: Caller, sandbox: SandboxProcess, release: str) -> None:
    renamed = sandbox.kubeconfig.read_text().replace("selfheal-sandbox", "production")
    place = ("--kubeconfig", str(call.file("kubeconfig", renamed)), "-n", release)

    ended = call("selfheal", "break", "web", "--yes", *place)

    assert ended.code == 1
    assert "only in a sandbox" in ended.line


def test_a_namespace_with_nothing_in_it(call: Caller, sandbox: SandboxProcess, namespace: str) -> None:
    ended = call("selfheal", "restart", "web", "-n", namespace, KUBECONFIG=str(sandbox.kubeconfig))

    assert ended.code == 2
    assert f"no application 'web' in namespace '{namespace}'; nothing runs there" in ended.line


@pytest.mark.parametrize("command", ["selfheal restart web", "selfheal-tui --once"])
@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_namespace_that_can_be_none(call: Caller, command: str, name: str) -> None:
    ended = call(*command.split(), "-n", name)

    assert ended.code == 2
    assert ended.line.endswith(f"'{name}' can't be a namespace; see them with: kubectl get namespaces")


def test_a_look_at_an_unknown_namespace_says_that_nothing_is_there(call: Caller, sandbox: SandboxProcess) -> None:
    ended = call("selfheal-tui", "--once", "-n", "nowhere", KUBECONFIG=str(sandbox.kubeconfig))

    assert (ended.code, ended.err) == (0, "")
    assert "no applications in this scope" in ended.out


def test_what_was_not_confirmed_is_not_sent(call: Caller, sandbox: SandboxProcess, release: str) -> None:
    ended = call("selfheal", "restart", "web", "-n", release, KUBECONFIG=str(sandbox.kubeconfig))

    assert ended.code == 1
    assert ended.line == "selfheal: nothing was sent; add --yes to do it"


def test_no_helm_on_the_path_and_none_in_the_cache(call: Caller, sandbox: SandboxProcess, release: str) -> None:
    bare = {"KUBECONFIG": str(sandbox.kubeconfig), "PATH": str(SCRIPTS), "XDG_CACHE_HOME": str(call.home / "cache")}

    rollback = call("selfheal", "rollback", "web", "-n", release, "--to", "1", "--yes", **bare)
    doctor = call("selfheal", "doctor", "-n", release, **bare)

    assert rollback.code == 1
    assert "helm is neither on PATH nor in " in rollback.line
    assert rollback.line.endswith("or let this fetch it: make setup")
    assert (doctor.code, doctor.err) == (0, "")
    assert "missing helm: " in doctor.out
