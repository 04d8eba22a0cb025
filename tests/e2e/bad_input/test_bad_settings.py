"""Wrong configuration: a misspelt ``read_only`` must never mean "write"."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping

import pytest

from tests.e2e.bad_input.calls import REFUSING, SCRIPTS, Caller, on_a_terminal
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

pytestmark = pytest.mark.slow

DOCTOR, ONCE, SCREEN = ("selfheal", "doctor"), ("selfheal-tui", "--once"), ("selfheal-tui",)


@pytest.mark.parametrize("command", [DOCTOR, ONCE, SCREEN], ids=" ".join)
def test_an_unknown_key_of_the_file(call: Caller, command: tuple[str, ...]) -> None:
    path = call.config("read_onyl = true\n")

    ended = call(*command)

    assert ended.code == 2
    assert ended.line == f"{command[0]}: unknown key 'read_onyl' in {path}; did you mean 'read_only'?"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("read_only = maybe", "Invalid value (at line 1, column 13); correct or remove the file"),
        ('read_only = "maybe"', "input should be true or false, not 'maybe'; correct it or leave it out"),
    ],
    ids=["not TOML", "a wrong value"],
)
def test_a_file_that_cannot_be_used(call: Caller, content: str, words: str) -> None:
    path = call.config(content)

    ended = call(*DOCTOR)

    assert ended.code == 2
    assert str(path) in ended.line
    assert ended.line.endswith(words)


@pytest.mark.parametrize(
    ("command", "variables", "words"),
    [
        (DOCTOR, {"SELFHEAL_READ_ONYL": "1"}, "unknown variable SELFHEAL_READ_ONYL in the environment; did you mean"),
        (ONCE, {"SELFHEAL_CONTEX": "x"}, "did you mean 'SELFHEAL_CONTEXT'?"),
        (ONCE, {"SELFHEAL_READ_ONLY": "maybe"}, "SELFHEAL_READ_ONLY: input should be true or false, not 'maybe'"),
        (("healerd",), {"SELFHEAL_HEALERD_HOTS": "x"}, "did you mean 'SELFHEAL_HEALERD_HOST'?"),
        (("selfheal-service",), {"SELFHEAL_SERVICE_PROT": "1"}, "did you mean SELFHEAL_SERVICE_PORT?"),
        (("selfheal-service",), {"SELFHEAL_SERVICE_PORT": "x"}, "SELFHEAL_SERVICE_PORT='x': input should be a valid"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_variable_that_cannot_be_used(
    call: Caller, command: tuple[str, ...], variables: Mapping[str, str], words: str
) -> None:
    ended = call(*command, **variables)

    assert ended.code == 2
    assert words in ended.line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[keys]\nlgs = "l"', "unknown command 'lgs' under [keys] in {path}; did you mean 'logs'?"),
        ('[keys]\ndescribe = "l"', "key 'l' means both 'logs' and 'describe' on apps in {path}; give one of them"),
        (
            '[keys]\nverb.kill = "k"',
            "an upper-case letter; verbs have one of A to Z",
        ),
        ('[keys]\nverb.kill = "ctrl+k"', "'ctrl+k' would change something without an upper-case letter"),
        ('[keys]\nlogs = "esc"', "'keys.logs' in {path}: esc is always 'back'; choose another key"),
        ("[keys]\nlogs = 1", "'keys.logs' in {path}: 1 is no key; write"),
        ("colour = 8", "'colour' in {path}: input should be 'auto', 'never', '16', '256' or 'truecolor', not '8'"),
        ("frames_per_second = 0", "frames_per_second in {path} is 0; choose one from 0.2 to 10"),
        ('slow_link = "perhaps"', "'slow_link' in {path}: input should be 'auto', 'on' or 'off', not 'perhaps'"),
        ('prometheus = "http://bob:hunter2@h"', "{path}: 'http://h' carries a user or password"),
    ],
)
def test_settings_of_the_console_are_checked_before_it_opens(call: Caller, content: str, words: str) -> None:
    path = call.config(content)

    printed = call("selfheal-tui", "--print-config")
    opened = on_a_terminal(call, "--kubeconfig", str(call.kubeconfig(REFUSING)))

    assert (printed.code, printed.out, opened.code) == (2, "", 2)
    assert words.format(path=path) in printed.line
    assert opened.line == printed.line
    assert "hunter2" not in printed.line


def test_keys_are_no_variable(call: Caller) -> None:
    ended = call(*ONCE, SELFHEAL_KEYS='{"logs": "L"}')

    assert ended.code == 2
    assert "keys can't be set by SELFHEAL_KEYS; write a table [keys] into " in ended.line


def test_what_print_config_prints_is_accepted_and_prints_the_same(call: Caller) -> None:
    call.config('read_only = true\n[keys]\nverb.rollback = "V"\n')
    first = call("selfheal-tui", "--print-config", "-n", "payments", SELFHEAL_COLOUR="256")
    call.config(first.out)
    second = call("selfheal-tui", "--print-config")

    def values(text: str) -> list[str]:
        return [line.partition("  # ")[0] for line in text.splitlines()]

    assert (first.code, second.code, first.err + second.err) == (0, 0, "")
    assert values(second.out) == values(first.out)
    assert "\x1b" not in first.out


def test_a_folder_that_the_system_refuses_is_named(call: Caller) -> None:
    ended = call(*DOCTOR, XDG_CONFIG_HOME="/" + "x" * 300)

    assert ended.code == 1
    assert "File name too long" in ended.line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("polcy: {}", "unknown key 'polcy', did you mean 'policy'?"),
        ("policy: {maxRestart: 3}", "unknown key 'policy.maxRestart', did you mean 'maxRestarts'?"),
        ("policy: {maxRestarts: often}", "policy.maxRestarts: input should be a valid integer"),
        ("policy: [", "is not YAML"),
        (b"\xff\xfe", "is not text"),
        ("- 1", "holds no keys and values"),
    ],
)
def test_healerd_refuses_a_wrong_file(call: Caller, content: str | bytes, words: str) -> None:
    path = call.file("healerd.yaml", content)

    ended = call("healerd", "--config", str(path))

    assert ended.code == 2
    assert str(path) in ended.line
    assert words in ended.line


def test_healerd_names_a_file_that_is_missing(call: Caller) -> None:
    ended = call("healerd", "--config", "/no/such.yaml")

    assert ended.code == 2
    assert "cannot read /no/such.yaml: No such file or directory" in ended.line


def test_healerd_names_a_port_in_use(call: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = call.file("healerd.yaml", f"listen: {{host: 127.0.0.1, port: {port}}}\n")
        ended = call("healerd", "--config", str(path), "--kubeconfig", str(call.kubeconfig(REFUSING)))

    assert ended.code == 1
    assert f"cannot listen on 127.0.0.1:{port}: address already in use; choose another listen.host" in ended.line


def test_healerd_outlives_a_cluster_that_refuses_and_says_what_it_waits_for(call: Caller) -> None:
    path = call.file("healerd.yaml", "listen: {host: 127.0.0.1, port: 0}\n")
    command = [str(SCRIPTS / "healerd"), "--config", str(path), "--kubeconfig", str(call.kubeconfig(REFUSING))]
    log, errors = call.home / "out", call.home / "err"
    with log.open("wb") as out, errors.open("wb") as err:
        healerd = subprocess.Popen(command, env=call.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        until(lambda: "connection refused" in log.read_text(), what="healerd says why it waits")
    finally:
        healerd.send_signal(signal.SIGTERM)
        code = healerd.wait(20)

    assert (code, errors.read_text()) == (0, "")
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()][-1] == "stopped"


def tampered(sandbox: SandboxProcess, release: str) -> tuple[str, str]:
    """What a write would change: the Deployment's generation, and the newest revision."""
    generation = sandbox.get("deployment", "web", "-n", release)["metadata"]["generation"]
    secrets = sandbox.get("secrets", "-n", release, "-l", "owner=helm,name=web")["items"]
    return str(generation), str(len(secrets))


@pytest.mark.parametrize("by", ["file", "variable"])
def test_read_only_refuses_what_was_confirmed_and_the_journal_says_so(
    call: Caller, sandbox: SandboxProcess, release: str, by: str
) -> None:
    before = tampered(sandbox, release)
    variables = {"KUBECONFIG": str(sandbox.kubeconfig)}
    if by == "file":
        call.config("read_only = true\n")
    else:
        variables["SELFHEAL_READ_ONLY"] = "1"

    ended = call("selfheal", "restart", "web", "-n", release, "--yes", **variables)

    assert ended.code == 1
    assert "read-only; read_only is set: look at SELFHEAL_READ_ONLY and " in ended.line
    assert tampered(sandbox, release) == before
    journal = (call.home / "state" / "selfheal" / "journal.jsonl").read_text()
    assert [json.loads(line)["step"] for line in journal.splitlines()] == ["intent", "refused"]


def test_without_a_journal_nothing_is_changed(call: Caller, sandbox: SandboxProcess, release: str) -> None:
    before = tampered(sandbox, release)

    # Nobody can make a folder there, root included.
    variables = {"KUBECONFIG": str(sandbox.kubeconfig), "XDG_STATE_HOME": "/proc"}
    ended = call("selfheal", "restart", "web", "-n", release, "--yes", **variables)

    assert ended.code == 1
    assert "the journal /proc/selfheal/journal.jsonl can't be written" in ended.line
    assert tampered(sandbox, release) == before


def test_a_sandbox_without_a_folder_for_its_files(call: Caller) -> None:
    ended = call("selfheal-sandbox", "up", XDG_STATE_HOME="/proc")

    assert ended.code == 1
    assert "cannot use /proc/selfheal/sandbox/default" in ended.line


@pytest.mark.parametrize("command", ["status", "kubeconfig", "url svc/web"])
def test_a_sandbox_that_does_not_run(call: Caller, command: str) -> None:
    ended = call("selfheal-sandbox", *command.split())

    assert ended.code == 4
    assert ended.line.endswith("sandbox 'default' does not run; start it with: selfheal-sandbox up --detach")


def test_a_sandbox_that_runs_already_and_a_service_that_it_has_not(call: Caller, sandbox: SandboxProcess) -> None:
    state = {"XDG_STATE_HOME": sandbox.environment["XDG_STATE_HOME"]}

    again = call("selfheal-sandbox", "up", "--detach", "--name", sandbox.name, **state)
    url = call("selfheal-sandbox", "url", "svc/none", "--name", sandbox.name, **state)

    assert (again.code, url.code) == (1, 1)
    assert f"runs already; end it with: selfheal-sandbox down --name {sandbox.name}" in again.line
    assert url.line.endswith('services "none" not found; see: kubectl get services -n default')
    assert os.path.exists(f"/proc/{sandbox.pid}")
