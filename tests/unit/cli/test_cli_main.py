"""The command `selfheal`: its verbs are those of the registry, and it answers without a cluster where it can."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from selfheal_cli.main import UNBUILT, main
from selfheal_core import __version__
from selfheal_core.ops.registry import built_verbs


def test_every_verb_that_is_built_is_a_command() -> None:
    assert {verb.name for verb in built_verbs()} <= set(main.commands)


def test_no_name_is_both_built_and_not_built() -> None:
    assert set(UNBUILT) & set(main.commands) == set()


def test_only_commands_that_change_something_ask_for_a_confirmation() -> None:
    confirmed = {
        name for name, command in main.commands.items() if "--yes" in [o for p in command.params for o in p.opts]
    }

    assert confirmed == {verb.name for verb in built_verbs()}


@pytest.mark.parametrize("verb", [verb.name for verb in built_verbs()])
def test_a_verb_does_nothing_unless_told_so(verb: str) -> None:
    (confirmation,) = [parameter for parameter in main.commands[verb].params if parameter.name == "yes"]
    context = click.Context(main.commands[verb])

    assert confirmation.get_default(context) is False


@pytest.mark.parametrize("verb", UNBUILT)
def test_a_verb_of_a_later_version_is_refused_whatever_follows_it(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--yes", "app-a"])

    assert result.exit_code == 2
    assert f"'{verb}' is not in this version; known: " in result.stderr


def test_the_version_is_that_of_the_project() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"selfheal, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["rollback", "-h"]])
def test_help_needs_neither_a_cluster_client_nor_settings(arguments: list[str]) -> None:
    program = f"import sys; from selfheal_cli.main import main; main({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert "Usage: selfheal" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded & {"aiohttp", "kubernetes", "pydantic", "msgspec"} == set()


@pytest.mark.parametrize("namespace", ["", "..", "Payments", "a_b", "x" * 64])
def test_an_impossible_namespace_is_refused_before_anything_is_asked(
    namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/no/such/file")
    result = CliRunner().invoke(main, ["restart", "app-a", "-n", namespace])

    assert result.exit_code == 2
    assert result.stderr == f"selfheal: '{namespace}' can't be a namespace; see them with: kubectl get namespaces\n"
