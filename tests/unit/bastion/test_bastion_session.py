import pytest

from bastion.places import Places
from bastion.session import CONSOLE, console_command, entry, session_environment


def test_the_console_gets_the_operators_own_kubeconfig_and_journal() -> None:
    environment = session_environment({"LOGNAME": "root", "TERM": "screen"}, "alice", Places())

    assert environment == {
        "TERM": "screen",
        "LANG": "C.UTF-8",
        "USER": "alice",
        "LOGNAME": "alice",
        "KUBECONFIG": "/run/selfheal/operators/alice/kubeconfig",
        "XDG_STATE_HOME": "/var/log/selfheal/alice",
    }


def test_a_locale_that_was_sent_along_is_kept() -> None:
    assert "LANG" not in session_environment({"LC_ALL": "de_DE.ISO-8859-1"}, "alice", Places())


def test_the_journal_says_who_came_from_where() -> None:
    environment = {"LOGNAME": "alice", "SSH_CONNECTION": "10.1.2.3 50022 10.1.2.4 2222"}

    line = entry("s1", "intent", "session began", environment)

    assert (line.user, line.host, line.verb, line.target) == ("alice", "10.1.2.3", "session", "alice")


@pytest.mark.parametrize(
    ("term", "is_terminal", "arguments"),
    [("screen", True, []), ("dumb", True, ["--once"]), ("", True, ["--once"]), ("screen", False, ["--once"])],
)
def test_where_no_screen_can_be_shown_there_is_text(term: str, is_terminal: bool, arguments: list[str]) -> None:
    assert console_command({"TERM": term}, is_terminal=is_terminal) == [CONSOLE, *arguments]
