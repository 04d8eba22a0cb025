"""Other keys for the console's commands, checked: the table ``[keys]`` of the settings file.

A keymap may not make the console unsafe: what changes something keeps an upper-case letter of its own, and the two keys
that always lead out, esc and ctrl+c, stay where they are.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from selfheal_core.errors import BadUsage, did_you_mean
from selfheal_tui.commands import Command, View, commands_of, key_name

RESERVED: Mapping[str, str] = {"escape": "back", "ctrl+c": "quit"}
"""Keys that stay with one command, whatever else it is given."""
SYNONYMS: Mapping[str, str] = {
    "esc": "escape",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "space": " ",
}
NAMED = frozenset(
    {
        *("escape", "enter", "tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
        *("backspace", "delete", "insert", *(f"f{number}" for number in range(1, 13))),
    }
)
CONTROL = re.compile(r"(?:ctrl\+|\^)([a-z])")
UNUSABLE: Mapping[str, str] = {
    "ctrl+h": "terminals send it for backspace",
    "ctrl+i": "terminals send it for tab",
    "ctrl+j": "terminals send it for enter",
    "ctrl+m": "terminals send it for enter",
    "ctrl+q": "terminals take it to go on after ctrl+s",
    "ctrl+s": "terminals take it to stop",
    "ctrl+z": "it suspends the console",
}


def with_keymap(commands: Sequence[Command], keymap: Mapping[str, Sequence[str]], where: str) -> tuple[Command, ...]:
    """The commands with other keys.

    Args:
        commands: Every command with its own keys.
        keymap: Keys by the command's id.
        where: The file it comes from, for messages.

    Raises:
        BadUsage: A command or key is unknown, a key is taken twice on one screen, or a key would be unsafe.
    """
    known = sorted({command.id for command in commands})
    chosen: dict[str, tuple[str, ...]] = {}
    for name, keys in keymap.items():
        if name not in known:
            raise BadUsage(f"unknown command '{name}' under [keys] in {where}", _nearest(name, known))
        chosen[name] = tuple(dict.fromkeys(_checked_key(key, name, where) for key in keys))
    own: dict[str, tuple[str, ...]] = {}
    for command in commands:
        own.setdefault(command.id, command.keys)
    mapped = tuple(
        _mapped(command, own[command.id], chosen[command.id], where) if command.id in chosen else command
        for command in commands
    )
    for view in get_args(View):
        _refuse_doubles(view, commands_of(view, mapped), where)
    return mapped


def _nearest(name: str, known: list[str]) -> str:
    verb = f"verb.{name}"
    return f"did you mean '{verb}'?" if verb in known else did_you_mean(name, known)


def _checked_key(text: str, command: str, where: str) -> str:
    """A key as the console knows it.

    Raises:
        BadUsage: There is none of that name, or it can't be used.
    """
    folded = text if len(text) == 1 else text.lower()
    control = CONTROL.fullmatch(folded)
    key = f"ctrl+{control[1]}" if control else SYNONYMS.get(folded, folded)
    usable = key in NAMED or control is not None or (len(key) == 1 and key.isprintable())
    if not usable:
        raise BadUsage(f"'keys.{command}' in {where}: unknown key '{text}'", _known_keys(folded))
    owner = RESERVED.get(key, command)
    if owner != command:
        raise BadUsage(f"'keys.{command}' in {where}: {key_name(key)} is always '{owner}'", "choose another key")
    if key in UNUSABLE:
        raise BadUsage(f"'keys.{command}' in {where}: {key} can't be used, {UNUSABLE[key]}", "choose another key")
    return key


def _known_keys(text: str) -> str:
    if "+" in text and len(text) > 1:
        return "of combinations only ctrl and a letter reach every terminal, e.g. ctrl+r"
    return did_you_mean(text, sorted(NAMED | set(SYNONYMS)))


def _mapped(command: Command, own: Sequence[str], keys: tuple[str, ...], where: str) -> Command:
    """A command with other keys.

    A command may have more keys, or only the reserved one, on some screens: what differs there from its own keys stays.
    """
    if command.verb:
        _check_verb(command, keys, where)
    if not {key for key in own if key not in RESERVED} <= set(command.keys):
        return command
    kept = (key for key in command.keys if key not in own or RESERVED.get(key) == command.id)
    return replace(command, keys=tuple(dict.fromkeys((*keys, *kept))))


def _check_verb(command: Command, keys: Iterable[str], where: str) -> None:
    """What changes something is pressed with a finger on shift, and never slips in with a control key."""
    for key in keys:
        if not re.fullmatch("[A-Z]", key):
            raise BadUsage(
                f"'keys.{command.id}' in {where}: '{key}' would change something without an upper-case letter",
                "verbs have one of A to Z",
            )


def _refuse_doubles(view: View, commands: Iterable[Command], where: str) -> None:
    """Each key means one thing on a screen, and no two verbs differ by shift alone."""
    taken: dict[str, str] = {}
    verbs: dict[str, str] = {}
    for command in commands:
        for key in command.keys:
            other = taken.setdefault(key, command.id)
            if command.verb:
                other = verbs.setdefault(key.lower(), command.id) if other == command.id else other
            if other != command.id:
                raise BadUsage(
                    f"key '{key_name(key)}' means both '{other}' and '{command.id}' on {view} in {where}",
                    "give one of them another key under [keys]",
                )


def keymap_lines(commands: Iterable[Command], changed: Iterable[str]) -> list[str]:
    """The table ``[keys]`` as TOML: what was changed as values, the built-in keys as comments.

    Args:
        commands: Every command with the keys it has now.
        changed: Ids of those whose keys are not the built-in ones.
    """
    lines, seen = ["[keys]"], set[str]()
    for command in commands:
        if command.id in seen:
            continue
        seen.add(command.id)
        text = f"{command.id} = [{', '.join(_quoted(key) for key in command.keys)}]"
        lines.append(text if command.id in changed else f"# {text}  # default")
    return lines


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
