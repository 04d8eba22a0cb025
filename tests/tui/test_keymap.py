"""Other keys for commands: checked before the screen opens, shown wherever keys are named, and never less safe."""

import tomllib
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from selfheal_core.errors import BadUsage
from selfheal_tui.app import SelfhealApp
from selfheal_tui.commands import Command, View, all_commands, commands_of, footer_commands
from selfheal_tui.keymap import RESERVED, keymap_lines, with_keymap
from selfheal_tui.present.footer import footer_line
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.present.help import help_lines
from selfheal_tui.present.spans import text_of
from selfheal_tui.session import Session
from selfheal_tui.showcase import ShowcaseFeed
from tests.tui.conftest import Console, ManualClock

COMMANDS = all_commands()
VIEWS: tuple[View, ...] = get_args(View)
WHERE = "config.toml"


def mapped(**keys: str) -> tuple[Command, ...]:
    return with_keymap(COMMANDS, {name.replace("__", "."): (key,) for name, key in keys.items()}, WHERE)


def keys_of(commands: tuple[Command, ...], name: str) -> list[tuple[str, ...]]:
    return [command.keys for command in commands if command.id == name]


def test_an_empty_keymap_changes_nothing() -> None:
    assert with_keymap(COMMANDS, {}, WHERE) == COMMANDS


def test_a_command_gets_its_new_keys_and_loses_the_old() -> None:
    commands = with_keymap(COMMANDS, {"describe": ("D", "f2")}, WHERE)

    assert keys_of(commands, "describe") == [("D", "f2")]


@pytest.mark.parametrize(
    ("written", "key"),
    [("Esc", "escape"), ("PgDn", "pagedown"), ("^t", "ctrl+t"), ("CTRL+T", "ctrl+t"), ("F5", "f5"), ("é", "é")],
)
def test_keys_may_be_written_as_people_call_them(written: str, key: str) -> None:
    name = "back" if key == "escape" else "describe"
    commands = with_keymap(COMMANDS, {"page_down": ("ctrl+f",), name: (written,)}, WHERE)

    assert keys_of(commands, name)[0] == (key,)


@pytest.mark.parametrize(
    ("keymap", "said"),
    [
        ({"descibe": "D"}, "unknown command 'descibe' under [keys] in config.toml; did you mean 'describe'?"),
        ({"rollback": "V"}, "did you mean 'verb.rollback'?"),
        ({"describe": "l"}, "key 'l' means both 'logs' and 'describe' on apps"),
        ({"search": "n"}, "key 'n' means both 'search' and 'next_match' on logs"),
        ({"verb.rollback": "v"}, "'v' would change something without an upper-case letter"),
        ({"verb.kill": "ctrl+k"}, "'ctrl+k' would change something without an upper-case letter"),
        ({"verb.kill": "f9"}, "verbs have one of A to Z"),
        ({"verb.kill": "É"}, "verbs have one of A to Z"),
        ({"verb.kill": "R"}, "key 'R' means both 'verb.rollback' and 'verb.kill' on pods"),
        ({"verb.rollback": "G"}, "key 'G' means both 'verb.rollback' and 'last'"),
        ({"logs": "esc"}, "'keys.logs' in config.toml: esc is always 'back'"),
        ({"verb.rollback": "ctrl+c"}, "^c is always 'quit'"),
        ({"back": "ctrl+c"}, "^c is always 'quit'"),
        ({"logs": "ctrl+m"}, "terminals send it for enter"),
        ({"logs": "ctrl+z"}, "it suspends the console"),
        ({"logs": "alt+l"}, "of combinations only ctrl and a letter reach every terminal"),
        ({"logs": "entr"}, "unknown key 'entr'; did you mean 'enter'?"),
        ({"logs": "\x1b"}, "unknown key"),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_an_unsafe_or_ambiguous_keymap_is_refused(keymap: Mapping[str, str], said: str) -> None:
    with pytest.raises(BadUsage) as refused:
        with_keymap(COMMANDS, {name: (key,) for name, key in keymap.items()}, WHERE)

    assert said in str(refused.value)
    assert WHERE in str(refused.value)


def test_two_commands_may_change_places() -> None:
    commands = mapped(logs="d", describe="l")

    assert (keys_of(commands, "logs"), keys_of(commands, "describe")) == ([("d",)], [("l",)])


def test_the_ways_out_stay_whatever_is_mapped() -> None:
    commands = mapped(back="b", quit="Q")

    for view in VIEWS:
        by_key = {key: command.id for command in commands_of(view, commands) for key in command.keys}
        assert {key: by_key[key] for key in RESERVED} == dict(RESERVED)
        assert by_key["b"] == "back"


def test_footer_and_help_show_the_mapped_keys() -> None:
    commands = mapped(verb__rollback="V", logs="ctrl+l")
    footer = text_of(footer_line(footer_commands("apps", commands), {}, 200))
    page = "\n".join(text_of(spans) for spans in help_lines("apps", commands, {}, 100))

    assert "V roll back" in footer
    assert "R roll back" not in footer
    assert "ctrl+l" in page


async def test_the_console_obeys_the_mapped_keys_and_no_longer_the_old_ones() -> None:
    clock, pulse = ManualClock(), ManualClock(1_000.0)
    feed = ShowcaseFeed()
    session = Session(feed, UNICODE, clock=clock, monotonic=pulse, commands=mapped(help="h", verb__rollback="V"))
    console = Console(SelfhealApp(session), feed, clock, pulse)
    async with console.app.run_test(size=(100, 30)):
        await console.settle()
        assert "Safe next step: V  roll back" in console.screen_text()
        await console.press("?")
        assert "Change (upper case" not in console.screen_text()
        await console.press("h")
        assert "Change (upper case" in console.screen_text()
        await console.press("escape", ":")
        assert "V Roll the application's Helm release back" in " ".join(console.screen_text().split())


def table_of(lines: list[str], *, uncommented: bool) -> dict[str, tuple[str, ...]]:
    text = "\n".join(line.removeprefix("# ") if uncommented else line for line in lines)
    flat: dict[str, tuple[str, ...]] = {}

    def flatten(table: Mapping[str, Any], above: str) -> None:
        for name, value in table.items():
            if isinstance(value, dict):
                flatten(value, f"{above}{name}.")
            else:
                flat[f"{above}{name}"] = tuple(value)

    flatten(tomllib.loads(text)["keys"], "")
    return flat


def test_the_printed_keymap_gives_the_same_keys_again() -> None:
    keymap = {"verb.rollback": ("V",), "logs": ('"', "\\"), "quit": ("X",), "back": ("b",)}
    commands = with_keymap(COMMANDS, keymap, WHERE)
    lines = keymap_lines(commands, keymap)

    assert with_keymap(COMMANDS, table_of(lines, uncommented=False), WHERE) == commands
    assert with_keymap(COMMANDS, table_of(lines, uncommented=True), WHERE) == commands


def test_uncommenting_the_built_in_keys_changes_nothing() -> None:
    lines = keymap_lines(COMMANDS, {})

    assert table_of(lines, uncommented=False) == {}
    assert with_keymap(COMMANDS, table_of(lines, uncommented=True), WHERE) == COMMANDS
