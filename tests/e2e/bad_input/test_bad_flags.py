"""Wrong flags, names and values on the command line: one line, exit code 2, and nothing is asked of a cluster."""

import pytest

from selfheal_cli.main import UNBUILT
from tests.e2e.bad_input.calls import Caller

pytestmark = pytest.mark.slow

KNOWN = "known: break, completion, demo, doctor, explain, kill, restart, rollback"
PROGRAMS = ("selfheal", "selfheal-tui", "selfheal-sandbox", "healerd", "selfheal-service")


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_flag_names_the_command_that_lists_the_known_ones(call: Caller, program: str) -> None:
    ended = call(program, "--zzz")

    assert ended.code == 2
    assert ended.line == f"{program}: unknown option '--zzz'; see: {program} --help"


@pytest.mark.parametrize(
    ("command", "nearest"),
    [
        ("selfheal rollback --yess web", "--yes"),
        ("selfheal doctor --contxt x", "--context"),
        ("selfheal demo run --sped 3", "--speed"),
        ("selfheal-tui --onec", "--once"),
        ("selfheal-tui --print-confg", "--print-config"),
        ("selfheal-tui --json-scheme", "--json-schema"),
        ("selfheal doctor --jsn", "--json"),
        ("selfheal-sandbox up --node 3", "--nodes"),
        ("healerd --confg x", "--config"),
        ("selfheal-service check --timout 1 http://x", "--timeout"),
    ],
)
def test_a_misspelt_flag_names_the_nearest(call: Caller, command: str, nearest: str) -> None:
    ended = call(*command.split())

    assert ended.code == 2
    assert ended.line.endswith(f"; did you mean '{nearest}'?")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("selfheal rolback web", "unknown command 'rolback'; did you mean 'rollback'?"),
        ("selfheal demo runn", "unknown command 'runn'; did you mean 'run'?"),
        ("selfheal zzz", f"unknown command 'zzz'; {KNOWN}"),
        ("selfheal explian web", "unknown command 'explian'; did you mean 'explain'?"),
        ("selfheal explain", "missing argument 'POD|APPLICATION'; see: selfheal explain --help"),
        ("selfheal completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'; see: selfheal completion --help"),
        ("selfheal break web --fault rain", "invalid value for '--fault': 'rain' is not one of 'crash', "),
        (
            "selfheal doctor --prometheus monitoring",
            "'monitoring' is no address of a Prometheus; give http://HOST:PORT",
        ),
        ("selfheal-tui --prometheus http://u:p@h --once", "'http://h' carries a user or password"),
        (
            "selfheal-tui --colour mauve",
            "invalid value for '--colour' / '--color': 'mauve' is not one of 'auto', 'never',",
        ),
        ("selfheal-sandbox upp", "unknown command 'upp'; did you mean 'up'?"),
        ("selfheal-service chek", "unknown command 'chek'; did you mean 'check'?"),
        ("selfheal-tui extra", "got unexpected extra argument (extra); see: selfheal-tui --help"),
        ("healerd extra", "got unexpected extra argument (extra); see: healerd --help"),
        ("selfheal rollback", "missing argument 'APPLICATION'; see: selfheal rollback --help"),
        ("selfheal rollback web --to 0", "invalid value for '--to': 0 is not in the range x>=1"),
        ("selfheal restart web --timeout -1", "invalid value for '--timeout': -1.0 is not in the range x>0"),
        ("selfheal demo run --layer 7", "layer 7 is not in this version; known: 1, 2, 3, 4, 5, 6"),
        ("selfheal demo run --speed 0", "invalid value for '--speed': 0.0 is not in the range"),
        ("selfheal-tui -n a -A", "-n and -A contradict each other; give one of them"),
        ("selfheal-sandbox up --name A_B", "--name 'A_B': a name has 1 to 40 of a-z, 0-9 and -"),
        ("selfheal-sandbox up --nodes 0", "invalid value for '--nodes': 0 is not in the range"),
        ("selfheal-sandbox up --request-log /no/such", "there is no folder /no; see: selfheal-sandbox up --help"),
        ("selfheal-sandbox url pod/web", "'pod/web' is no Service; write svc/NAME"),
        ("selfheal-service check web", "'web' is no http:// or https:// URL"),
    ],
)
def test_a_wrong_name_or_value_is_named_with_what_would_be_right(call: Caller, command: str, words: str) -> None:
    ended = call(*command.split())

    assert ended.code == 2
    assert words in ended.line


@pytest.mark.parametrize("verb", UNBUILT)
def test_a_verb_that_is_not_built_says_so_and_names_those_that_are(call: Caller, verb: str) -> None:
    ended = call("selfheal", verb, "web", "--yes")

    assert ended.code == 2
    assert ended.line == f"selfheal: '{verb}' is not in this version; {KNOWN}"


@pytest.mark.parametrize("program", ["selfheal", "selfheal-sandbox"])
def test_a_group_without_a_command_shows_its_help_and_is_wrong_usage(call: Caller, program: str) -> None:
    ended = call(program)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"Usage: {program} ")
