"""Every key of the console, once: bindings, footer, help, palette and dimming are made from this list.

Looking is lower case, changing is upper case; the upper-case keys come from the registry of verbs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from selfheal_core.ops.registry import Verb, built_verbs

View = Literal["apps", "pods", "history", "journal", "logs", "document"]
Section = Literal["change", "look", "move", "console"]

AFTER_READING = 15
"""Footer rank behind the keys that look."""
CLUSTER: frozenset[View] = frozenset({"apps", "pods", "history"})
"""Tables of what is in the cluster; verbs can be aimed at their rows."""
TABLES: frozenset[View] = CLUSTER | {"journal"}
TEXTS: frozenset[View] = frozenset({"logs", "document"})
EVERYWHERE: frozenset[View] = TABLES | TEXTS
OBJECTS: frozenset[View] = frozenset({"apps", "pods"})
PODS: frozenset[View] = frozenset({"pods"})
LOGS: frozenset[View] = frozenset({"logs"})
SECTION_TITLES: Mapping[Section, str] = {
    "change": "Change (upper case; each shows what it would do and asks first)",
    "look": "Look (lower case; never writes)",
    "move": "Move",
    "console": "Console",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a key does.

    Attributes:
        id: Name of the action; ``verb.NAME`` for a verb.
        keys: The key as written on it, then alternatives.
        title: Words for footer and palette.
        sentence: One sentence for the help, without a full stop.
        views: Where it works.
        footer: Its rank in the footer, 1 first; 0 keeps it out.
        verb: Name of the verb it starts, or "".
    """

    id: str
    keys: tuple[str, ...]
    title: str
    sentence: str
    section: Section
    views: frozenset[View] = EVERYWHERE
    footer: int = 0
    verb: str = ""

    @property
    def key(self) -> str:
        """The key as written on it."""
        return self.keys[0]


_LOOK = (
    Command("logs", ("l",), "logs", "Logs; of an application: all its pods, merged by time", "look", OBJECTS, 10),
    Command("previous", ("p",), "previous", "Logs of the run before the last restart", "look", OBJECTS, 11),
    Command("describe", ("d",), "describe", "All known of it: containers, events, revisions", "look", CLUSTER, 16),
    Command("explain", ("x",), "explain", "What healerd would decide now, and did, and why", "look", OBJECTS, 12),
    Command("events", ("e",), "events", "Warnings and healerd's own events, newest first", "look", OBJECTS, 17),
    Command("yaml", ("y",), "yaml", "The object as the API server has it", "look", OBJECTS),
    Command("copy", ("c",), "copy", "Copy the kubectl command that shows the same (OSC 52)", "look"),
    Command("filter", ("/",), "filter", "Filter rows: name !name state:crash restarts>3 age<10m", "look", TABLES, 14),
    Command("search", ("/",), "search", "Search in this text; n and N go on", "look", TEXTS, 10),
    Command("mark", (" ",), "mark", "Mark this pod or take its mark away; K and l act on all marked", "look", PODS),
    Command("sort", ("s",), "sort", "Next order of rows", "look", TABLES),
    Command("invert", ("i",), "invert", "Turn the order around", "look", TABLES),
    Command("wide", ("w",), "wide", "Node, address, use instead of track and last exit", "look", PODS),
    Command("wrap", ("w",), "wrap", "Wrap long lines", "look", TEXTS, 12),
    Command("follow", ("f",), "follow", "Stay at the newest line", "look", LOGS, 11),
    Command("container", ("o",), "container", "Another container of these pods", "look", LOGS, 13),
    Command("raw", ("r",), "raw", "JSON lines as they were logged, or as words", "look", LOGS, 15),
    Command("since", ("t",), "since", "How far back: all, 1 h, 15 min, 5 min, 1 min", "look", LOGS, 14),
    Command("next_match", ("n",), "next match", "Next match of the search", "look", TEXTS),
    Command("previous_match", ("N",), "match before", "Match before this one", "look", TEXTS),
)
_MOVE = (
    Command("down", ("j", "down"), "down", "One row down", "move"),
    Command("up", ("k", "up"), "up", "One row up", "move"),
    Command("page_down", ("pagedown", "ctrl+d"), "page down", "One page down", "move"),
    Command("page_up", ("pageup", "ctrl+u"), "page up", "One page up", "move"),
    Command("first", ("g", "home"), "first", "To the first row", "move"),
    Command("last", ("G", "end"), "last", "To the last row", "move"),
    Command("enter", ("enter",), "open", "Deeper: application, its pods, one pod", "move", TABLES, 13),
    Command("back", ("escape",), "back", "One level back; always safe", "move", TABLES, 18),
    Command("back", ("escape", "q"), "back", "Back to where it was opened", "move", TEXTS, 18),
    Command("older", ("[",), "place before", "Back through the places you were at", "move", TABLES),
    Command("newer", ("]",), "place after", "Forth again", "move", TABLES),
    Command("tab.apps", ("1",), "Apps", "Applications", "move", TABLES),
    Command("tab.pods", ("2",), "Pods", "Pods", "move", TABLES),
    Command("tab.history", ("3",), "History", "Revisions of Helm releases", "move", TABLES),
    Command("tab.journal", ("8", "@"), "Journal", "What was asked for and done from here", "move", TABLES),
    Command("tab.journal", ("@",), "Journal", "What was asked for and done from here", "move", TEXTS),
)
_CONSOLE = (
    Command("namespace", ("n",), "namespace", "Choose a namespace", "console", TABLES),
    Command("all_namespaces", ("0",), "all namespaces", "Look at all namespaces", "console", TABLES),
    Command("refresh", ("ctrl+r",), "refresh", "Try lost connections again now", "console"),
    Command("cancel", ("z",), "cancel", "Cancel what is still pending", "console", TABLES),
    Command("context", ("v",), "context", "Choose a context of the kubeconfig", "console", TABLES),
    Command("palette", (":",), "palette", "Commands, screens, namespaces, contexts by name", "console", TABLES),
    Command("help", ("?",), "help", "This page", "console", EVERYWHERE, 19),
    Command("quit", ("q", "ctrl+c"), "quit", "Leave; asks first while an operation runs", "console", TABLES),
    Command("quit", ("ctrl+c",), "quit", "Leave; asks first while an operation runs", "console", TEXTS),
)
KEY_NAMES: Mapping[str, str] = {
    "escape": "esc",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "ctrl+d": "^d",
    "ctrl+u": "^u",
    "ctrl+r": "^r",
    "ctrl+c": "^c",
    " ": "space",
}


def all_commands(verbs: Iterable[Verb] | None = None) -> tuple[Command, ...]:
    """Verbs first, then looking, moving and the rest.

    Args:
        verbs: The registry's built verbs by default.
    """
    chosen = built_verbs() if verbs is None else tuple(verbs)
    return (*(_of_verb(verb, rank) for rank, verb in enumerate(chosen, 1)), *_LOOK, *_MOVE, *_CONSOLE)


def _of_verb(verb: Verb, rank: int) -> Command:
    # A restart is seldom the first aid: what was logged is read before, and a restart makes it harder to find.
    footer = AFTER_READING if verb.name == "restart" else min(rank, 9)
    views = PODS if verb.target_kind == "pod" else CLUSTER
    return Command(f"verb.{verb.name}", (verb.key,), verb.title, verb.sentence, "change", views, footer, verb.name)


def commands_of(view: View, commands: Iterable[Command]) -> tuple[Command, ...]:
    """Those that work in a view, in order."""
    return tuple(command for command in commands if view in command.views)


def footer_commands(view: View, commands: Iterable[Command]) -> tuple[Command, ...]:
    """Those that the footer of a view names, most useful first."""
    return tuple(sorted((c for c in commands_of(view, commands) if c.footer), key=lambda command: command.footer))


def key_name(key: str) -> str:
    """A key as people call it: ``esc``, ``PgDn``, ``R``."""
    return KEY_NAMES.get(key, key)
