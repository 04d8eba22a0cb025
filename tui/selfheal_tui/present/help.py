"""The help page and the journal page, out of the lists that the console runs on."""

from collections.abc import Iterable, Mapping

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FIELDS
from selfheal_core.ops.journal import Entry
from selfheal_tui.commands import SECTION_TITLES, Command, Section, View, commands_of, key_name
from selfheal_tui.present.spans import BLANK, Line, Span, Tone, line, wrap

_SECTIONS: tuple[Section, ...] = ("change", "look", "move", "console")
KEYS_WIDTH = 11
TITLE_WIDTH = 15


def help_lines(view: View, commands: Iterable[Command], refusals: Mapping[str, str], width: int) -> list[Line]:
    """All keys of a view, by section.

    Args:
        view: Where help was asked for.
        commands: Every command.
        refusals: Why a verb can't be used now, by the verb's name.
        width: Cells; sentences are wrapped beside their keys.
    """
    here = commands_of(view, commands)
    lines: list[Line] = []
    for section in _SECTIONS:
        members = [command for command in here if command.section == section]
        if members:
            lines += [line(Span(SECTION_TITLES[section], "title")), *_section(members, refusals, width), BLANK]
    rest = [
        line(Span("Filter", "title")),
        line("  web        name, letters in that order      !web      without that in its name"),
        line("  state:crash  track=canary  app=app-a  restarts>3  age<10m   words are joined by and"),
        line(Span(f"  fields: {' '.join(FIELDS)}", "dim")),
        BLANK,
        line(Span("Signs", "title")),
        line("  A dimmed key can't be used now; pressing it says why. ~7 is a revision that was concluded, not read."),
        line("  Data that is no longer live is dimmed and shows its age; nothing is changed on it."),
    ]
    return [*lines, *(row for spans in rest for row in wrap(spans, width, "    "))]


def _section(commands: Iterable[Command], refusals: Mapping[str, str], width: int) -> list[Line]:
    indent = " " * (KEYS_WIDTH + TITLE_WIDTH + 2)
    lines: list[Line] = []
    for command in commands:
        reason = refusals.get(command.verb, "") if command.verb else ""
        keys = " ".join(key_name(key) for key in command.keys)
        tone: Tone = "off" if reason else "key"
        name = Span(command.title.ljust(TITLE_WIDTH), "off" if reason else "plain")
        entry = line("  ", Span(keys.ljust(KEYS_WIDTH), tone), name, Span(command.sentence, "dim"))
        lines += wrap(entry, width, indent)
        if reason:
            lines += wrap(line(indent, Span(f"not now: {printable(reason)}", "warn")), width, indent)
    return lines


def journal_lines(entries: Iterable[Entry]) -> list[Line]:
    """The journal, newest first, one step a line."""
    lines = []
    for entry in reversed(list(entries)):
        tone: Tone = {"refused": "warn", "verification": "title"}.get(entry.step, "plain")  # type: ignore[assignment]
        about = f"{entry.verb} {entry.namespace}/{entry.target}"
        who = f"{entry.user}@{entry.host} by {entry.source}"
        lines.append(
            line(
                Span(f"{words.moment(entry.at)}  ", "dim"),
                Span(f"{entry.step} ", tone),
                f"{printable(about)}: {printable(entry.text)}",
                Span(f"  {printable(who)}{f', because {printable(entry.reason)}' if entry.reason else ''}", "dim"),
            )
        )
    return lines or [line(Span("Nothing was asked for yet. What the upper-case keys do is written here.", "dim"))]
