"""The last line: the keys that matter here, or what there is to say."""

from collections.abc import Iterable, Mapping

from selfheal_core.domain.escape import cells
from selfheal_tui.commands import TEXTS, Command, View, key_name
from selfheal_tui.navigation import TABS
from selfheal_tui.present.spans import Line, Span

KEEP_ALWAYS = ("help",)
"""Named even where there is no room for anything else."""


def footer_line(commands: Iterable[Command], refusals: Mapping[str, str], width: int) -> Line:
    """As many keys as fit, in order of rank; verbs that can't be used now are dimmed.

    Args:
        commands: Of this view, most useful first.
        refusals: Why a verb can't be used, by its name.
        width: Cells.
    """
    kept = [command for command in commands if command.id in KEEP_ALWAYS]
    room = width - 1 - sum(_width(command) for command in kept)
    shown: list[Command] = []
    for command in commands:
        if command in kept:
            continue
        if _width(command) > room:
            break
        room -= _width(command)
        shown.append(command)
    spans: list[Span] = [Span(" ")]
    for command in (*shown, *kept):
        refused = bool(command.verb and refusals.get(command.verb))
        spans += [Span(key_name(command.key), "off" if refused else "key"), Span(" ")]
        spans += [Span(command.title, "off" if refused else "dim"), Span("  ")]
    return tuple(spans)


def _width(command: Command) -> int:
    return cells(key_name(command.key)) + 1 + cells(command.title) + 2


def stray_key_words(key: str, view: View, commands: Iterable[Command]) -> str:
    """What to say of a key that does nothing here: silence would look like a console that hangs.

    Args:
        key: As commands name it.
        view: Where it was pressed.
        commands: Every command.
    """
    named = key_name(key)
    elsewhere = [command for command in commands if key in command.keys]
    if not elsewhere:
        return f"{named} is no key of this console; ? shows those that are."
    title = elsewhere[0].title
    if view in TEXTS:
        return f"{named} {title} does nothing in this text; esc goes back."
    views = frozenset[View]().union(*(command.views for command in elsewhere))
    tabs = [f"{name} ({number})" for number, tab, name in TABS if tab in views]
    places = " and ".join(filter(None, (", ".join(tabs[:-1]), *tabs[-1:])))
    return f"{named} {title} works on {places or 'logs and other texts'}, not here."
