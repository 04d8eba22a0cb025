"""How every program ends: one line on standard error, an exit code, and nothing that could command the terminal."""

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from selfheal_core.command_line import Program, ProgramGroup, called_as
from selfheal_core.errors import BadUsage, ClusterUnreachable, NotVerified, Refused, SelfhealError


def ending_with(effect: Callable[[], object]) -> Result:
    """Run a program that does just this."""

    @click.command("tool", cls=Program)
    def program() -> object:
        return effect()

    return CliRunner().invoke(program)


def raising(error: BaseException) -> Callable[[], object]:
    def effect() -> object:
        raise error

    return effect


@click.group("tool", cls=ProgramGroup)
def tool() -> None:
    """A program with commands."""


@tool.command()
@click.argument("target")
@click.option("--force", is_flag=True)
@click.option("--times", type=click.IntRange(1, 3), default=1)
def strike(target: str, force: bool, times: int) -> None:
    click.echo(f"{target} {force} {times}")


@tool.group()
def deep() -> None:
    """Commands below a command."""


@deep.command()
def dive() -> None:
    click.echo("dived")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SelfhealError("it failed", "try again"), 1),
        (Refused("it failed", "try again"), 1),
        (BadUsage("it failed", "try again"), 2),
        (NotVerified("it failed", "try again"), 3),
        (ClusterUnreachable("it failed", "try again"), 4),
    ],
)
def test_each_error_has_its_exit_code_and_reads_as_one_line(error: SelfhealError, code: int) -> None:
    result = ending_with(raising(error))

    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "tool: it failed; try again\n")


def test_an_error_of_several_lines_with_an_escape_in_it_becomes_one_harmless_line() -> None:
    result = ending_with(raising(SelfhealError("helm said:\n  first\n\x1b[2Jsecond", "look")))

    assert result.stderr == "tool: helm said: first ␛[2Jsecond; look\n"


def test_what_the_system_refuses_names_the_file() -> None:
    result = ending_with(raising(PermissionError(13, "Permission denied", "/etc/shadow")))

    assert result.exit_code == 1
    assert result.stderr.startswith("tool: /etc/shadow: Permission denied; check ")


def test_an_interrupt_is_told_apart_from_a_failure() -> None:
    result = ending_with(raising(KeyboardInterrupt()))

    assert result.exit_code == 130
    assert result.stderr.endswith("tool: interrupted\n")


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    result = ending_with(raising(ZeroDivisionError()))

    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), ("text", 0), (0, 0), (5, 5)])
def test_a_number_that_a_program_returns_is_its_exit_code(returned: object, code: int) -> None:
    assert ending_with(lambda: returned).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("strike x --forse", "unknown option '--forse'; did you mean '--force'?"),
        ("strike x --zzz", "unknown option '--zzz'; see: tool strike --help"),
        ("--zzz", "unknown option '--zzz'; see: tool --help"),
        ("strike", "missing argument 'TARGET'; see: tool strike --help"),
        ("strike x y", "got unexpected extra argument (y); see: tool strike --help"),
        ("strike x --times 9", "invalid value for '--times': 9 is not in the range 1<=x<=3; see: tool strike --help"),
        ("strke x", "unknown command 'strke'; did you mean 'strike'?"),
        ("zzz", "unknown command 'zzz'; known: deep, strike"),
        ("deep dvie", "unknown command 'dvie'; did you mean 'dive'?"),
    ],
)
def test_wrong_usage_says_what_to_type_instead(arguments: str, line: str) -> None:
    result = CliRunner().invoke(tool, arguments.split())

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"tool: {line}\n")


@pytest.mark.parametrize(("arguments", "usage"), [([], "Usage: tool "), (["deep"], "Usage: tool deep ")])
def test_no_command_shows_the_help_and_counts_as_wrong_usage(arguments: list[str], usage: str) -> None:
    result = CliRunner().invoke(tool, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(usage)


@pytest.mark.parametrize(("arguments", "printed"), [("strike x --force", "x True 1\n"), ("deep dive", "dived\n")])
def test_right_usage_runs_the_command(arguments: str, printed: str) -> None:
    result = CliRunner().invoke(tool, arguments.split())

    assert (result.exit_code, result.stdout, result.stderr) == (0, printed, "")


def test_a_shell_completes_commands_and_survives_unknown_ones() -> None:
    def completed(words: str) -> Result:
        position = str(len(words.split(" ")) - 1)
        environment = {"_TOOL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": position}
        return CliRunner().invoke(tool, [], env=environment)

    assert completed("tool st").stdout == "plain,strike\n"
    assert completed("tool nonsense -").stderr == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/bin/selfheal", "selfheal"),
        ("/opt/bin/kubectl-selfheal", "kubectl selfheal"),
        ("kubectl-self_heal", "kubectl self-heal"),
        ("/usr/bin/kubectl", "selfheal"),
        ("/opt/kubectl-tools/selfheal", "selfheal"),
        ("my-kubectl-selfheal", "selfheal"),
        ("", "selfheal"),
    ],
)
def test_a_plugin_of_kubectl_speaks_of_itself_as_one(path: str, name: str) -> None:
    assert called_as("selfheal", path) == name
