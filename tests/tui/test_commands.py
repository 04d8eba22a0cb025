"""One list of keys: looking is lower case, changing is upper case, and nothing is bound twice."""

from typing import get_args

import pytest

from selfheal_core.ops.registry import built_verbs
from selfheal_tui.commands import (
    EVERYWHERE,
    TEXTS,
    Command,
    View,
    all_commands,
    commands_of,
    footer_commands,
    key_name,
)
from selfheal_tui.present.footer import footer_line
from selfheal_tui.present.help import help_lines
from selfheal_tui.present.spans import text_of, width_of

VIEWS: tuple[View, ...] = get_args(View)
COMMANDS = all_commands()
MOVES_IN_UPPER_CASE = {"last", "previous_match"}
"""``G`` and ``N`` are what every pager calls them; they write nothing."""


def test_every_built_verb_has_its_key_and_only_verbs_change_anything() -> None:
    verbs = {command.verb for command in COMMANDS if command.verb}
    assert verbs == {verb.name for verb in built_verbs()}
    assert all(command.section == "change" for command in COMMANDS if command.verb)


def test_changing_is_upper_case_and_looking_is_not() -> None:
    for command in COMMANDS:
        letters = [key for key in command.keys if len(key) == 1 and key.isalpha()]
        if command.verb:
            assert letters
            assert all(key.isupper() for key in letters)
        elif command.id not in MOVES_IN_UPPER_CASE:
            assert all(key.islower() for key in letters)


def test_no_two_verbs_differ_by_shift_alone() -> None:
    keys = [command.key for command in COMMANDS if command.verb]
    assert len({key.lower() for key in keys}) == len(keys)


def test_nothing_that_changes_sits_on_a_control_key() -> None:
    assert not [c for c in COMMANDS if c.verb and any(key.startswith("ctrl") for key in c.keys)]


@pytest.mark.parametrize("view", VIEWS)
def test_each_key_means_one_thing_in_a_view(view: View) -> None:
    keys = [key for command in commands_of(view, COMMANDS) for key in command.keys]
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("view", VIEWS)
def test_esc_help_and_a_way_out_exist_everywhere(view: View) -> None:
    ids = {command.id for command in commands_of(view, COMMANDS)}
    assert {"back", "help", "quit"} <= ids


def test_verbs_on_pods_are_offered_where_a_pod_is_selected_and_nothing_while_reading() -> None:
    kill = next(command for command in COMMANDS if command.verb == "kill")
    assert kill.views == {"pods"}
    assert not [command for view in TEXTS for command in commands_of(view, COMMANDS) if command.verb]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("view", VIEWS)
def test_the_footer_fits_and_always_names_help(view: View, width: int) -> None:
    spans = footer_line(footer_commands(view, COMMANDS), {}, width)
    assert width_of(spans) <= width + 2
    assert "? help" in text_of(spans)


def test_a_refused_verb_is_dimmed_in_the_footer_and_explained_in_the_help() -> None:
    refusals = {"rollback": "this console is read-only"}
    footer = footer_line(footer_commands("apps", COMMANDS), refusals, 120)
    tones = {span.text: span.tone for span in footer}
    assert tones["R"] == "off"
    assert tones["T"] == "key"
    page = "\n".join(text_of(spans) for spans in help_lines("apps", COMMANDS, refusals, 80))
    assert "not now: this console is read-only" in page


@pytest.mark.parametrize("view", VIEWS)
def test_the_help_names_every_command_of_the_view(view: View) -> None:
    page = "\n".join(text_of(spans) for spans in help_lines(view, COMMANDS, {}, 80))
    for command in commands_of(view, COMMANDS):
        assert command.title in page
        assert key_name(command.key) in page


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.id}-{command.key}")
def test_every_command_is_done_by_a_screen_or_by_the_console(command: Command) -> None:
    from selfheal_tui.actions import SIMPLE_ACTIONS
    from selfheal_tui.screens.apps import AppsScreen
    from selfheal_tui.screens.history import HistoryScreen
    from selfheal_tui.screens.journal import JournalScreen
    from selfheal_tui.screens.pager import DocumentScreen, LogsScreen
    from selfheal_tui.screens.pods import PodsScreen

    screens = {
        "apps": AppsScreen,
        "pods": PodsScreen,
        "history": HistoryScreen,
        "journal": JournalScreen,
        "logs": LogsScreen,
        "document": DocumentScreen,
    }
    assert command.views <= EVERYWHERE
    for view in command.views:
        by_screen = hasattr(screens[view], f"do_{command.id.replace('.', '_')}")
        assert command.verb or by_screen or command.id in SIMPLE_ACTIONS
