"""A kubeconfig that can't be used: the file and what is wrong with it are named, exit code 2."""

from pathlib import Path

import pytest

from tests.e2e.bad_input.calls import REFUSING, Caller, on_a_terminal

pytestmark = pytest.mark.slow

COMMANDS = ("selfheal restart web", "selfheal doctor", "selfheal-tui --once", "healerd")
HOW_TO_CONTINUE = "; name one with --kubeconfig, or try without a cluster: selfheal-tui --sandbox"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_kubeconfig_at_all_points_to_the_sandbox(call: Caller, command: str) -> None:
    ended = call(*command.split())

    assert ended.code == 2
    assert "no cluster is configured: KUBECONFIG is not set, ~/.kube/config does not exist" in ended.line
    assert ended.line.endswith(HOW_TO_CONTINUE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_missing(call: Caller, command: str) -> None:
    ended = call(*command.split(), KUBECONFIG="/no/such/file")

    assert ended.code == 2
    assert ended.line.endswith(f"KUBECONFIG=/no/such/file: no such file{HOW_TO_CONTINUE}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_context_that_is_unknown(call: Caller, command: str) -> None:
    path = call.kubeconfig(REFUSING)

    ended = call(*command.split(), "--kubeconfig", str(path), "--context", "onyl")

    assert ended.code == 2
    assert ended.line.endswith(f"no context 'onyl' in {path}; did you mean 'only'?")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "there are no contexts in"),
        ("a: [b\n", "is not YAML (line 2)"),
        ("just words\n", "is not a kubeconfig: it holds no fields"),
        (b"\xff\xfe\x00", "it is not text"),
        ("contexts: 7\n", "'contexts' is not a list of named entries"),
    ],
    ids=["empty", "not YAML", "words", "binary", "no list"],
)
def test_a_file_that_is_no_kubeconfig(call: Caller, content: str | bytes, words: str) -> None:
    path = call.file("odd", content)

    ended = call("selfheal", "restart", "web", "--kubeconfig", str(path))

    assert ended.code == 2
    assert words in ended.line
    assert str(path) in ended.line
    assert ended.line.endswith(HOW_TO_CONTINUE)


@pytest.mark.parametrize("server", ["", "127.0.0.1:6443", "http://127.0.0.1:99999", "https://[::1", "http://"])
def test_an_address_that_is_none(call: Caller, server: str) -> None:
    ended = call("selfheal", "doctor", "--kubeconfig", str(call.kubeconfig(server)))

    assert ended.code == 2
    assert "is not an http:// or https:// address; correct it with: kubectl config set-cluster only" in ended.line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_read(call: Caller, command: str) -> None:
    # Reading it fails for everybody, root included, whom no file mode would stop.
    ended = call(*command.split(), "--kubeconfig", "/proc/self/mem")

    assert ended.code == 2
    assert "can't read kubeconfig /proc/self/mem: Input/output error" in ended.line


def test_a_console_without_a_terminal_names_the_text_forms(call: Caller) -> None:
    ended = call("selfheal-tui", "--kubeconfig", str(call.kubeconfig(REFUSING)))

    assert ended.code == 2
    assert ended.line == "selfheal-tui: the console needs a terminal; use --once, --plain or --json"


def test_the_screen_does_not_open_for_a_cluster_that_refuses(call: Caller) -> None:
    ended = on_a_terminal(call, "--kubeconfig", str(call.kubeconfig(REFUSING)))

    assert ended.code == 4
    assert ended.line.startswith(f"selfheal-tui: no answer from {REFUSING}: connection refused; ")


def test_the_screen_does_not_open_for_an_unknown_context(call: Caller) -> None:
    ended = on_a_terminal(call, "--kubeconfig", str(call.kubeconfig(REFUSING)), "--context", "onyl")

    assert ended.code == 2
    assert ended.line.endswith("did you mean 'only'?")


def test_a_terminal_that_can_show_no_screen(call: Caller) -> None:
    ended = on_a_terminal(call, TERM="dumb")

    assert ended.code == 2
    assert ended.line == "selfheal-tui: this terminal can't show the console (TERM=dumb); use --once, --plain or --json"


def test_a_folder_is_no_kubeconfig(call: Caller, tmp_path: Path) -> None:
    ended = call("healerd", "--kubeconfig", str(tmp_path))

    assert ended.code == 2
    assert f"File '{tmp_path}' is a directory; see: healerd --help" in ended.line
