"""The help page, out of the lists that the console runs on."""

from collections.abc import Iterable, Mapping

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FIELDS
from selfheal_tui.commands import SECTION_TITLES, Command, Section, View, commands_of, key_name
from selfheal_tui.present.spans import BLANK, Line, Span, Tone, line, wrap

_SECTIONS: tuple[Section, ...] = ("change", "look", "move", "console")
KEYS_WIDTH = 11
TITLE_WIDTH = 16


NOTHING: Mapping[str, str] = {}


def help_lines(
    view: View,
    commands: Iterable[Command],
    refusals: Mapping[str, str],
    width: int,
    cautions: Mapping[str, str] = NOTHING,
) -> list[Line]:
    """All keys of a view, by section.

    Args:
        view: Where help was asked for.
        commands: Every command.
        refusals: Why a verb can't be used now, by the verb's name.
        width: Cells; sentences are wrapped beside their keys.
        cautions: What is not known of our right to a verb, by the verb's name.
    """
    here = commands_of(view, commands)
    lines: list[Line] = []
    for section in _SECTIONS:
        members = [command for command in here if command.section == section]
        if members:
            lines += [
                line(Span(SECTION_TITLES[section], "title")),
                *_section(members, refusals, cautions, width),
                BLANK,
            ]
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


def _section(
    commands: Iterable[Command], refusals: Mapping[str, str], cautions: Mapping[str, str], width: int
) -> list[Line]:
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
        elif command.verb and (caution := cautions.get(command.verb)):
            lines += wrap(line(indent, Span(printable(caution), "warn")), width, indent)
    return lines
