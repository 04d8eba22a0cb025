"""What every screen has: two lines on top, a body, and the keys at the bottom."""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from selfheal_core.domain.escape import printable
from selfheal_core.observe.sources import ERRORS
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import Command, View, commands_of, footer_commands
from selfheal_tui.navigation import Place, Tab
from selfheal_tui.present.footer import footer_line, stray_key_words
from selfheal_tui.present.glyphs import plain
from selfheal_tui.present.spans import Line, Span, line, wrap
from selfheal_tui.present.status_line import StatusFacts, status_line
from selfheal_tui.session import Session
from selfheal_tui.widgets.lines import Lines

FOOTER_LINES = 3
"""The most that a message may take."""


class Go(Message):
    """The operator wants to be somewhere else; None is one step back in the stack of screens."""

    def __init__(self, place: Place | None) -> None:
        super().__init__()
        self.place = place


class Ask(Message):
    """The operator wants a verb."""

    def __init__(self, verb: str, target: Target, parameters: dict[str, str]) -> None:
        super().__init__()
        self.verb = verb
        self.target = target
        self.parameters = parameters


class Do(Message):
    """A command that the screen leaves to the console as a whole."""

    def __init__(self, command: Command, view: View) -> None:
        super().__init__()
        self.command = command
        self.view = view


class Copy(Message):
    """Text for the clipboard of the operator's terminal."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def parts_of(event: events.Key) -> tuple[events.Key, ...]:
    """The keys that were pressed: terminals send Esc and a quick next key as if it were one with Alt."""
    if not event.key.startswith("alt+"):
        return (event,)
    rest = event.key.removeprefix("alt+")
    return events.Key("escape", None), events.Key(rest, event.character)


def typed(event: events.Key) -> str | None:
    """The character that a key types; None if it types none."""
    return event.character if event.is_printable else None


class Body(Widget):
    """The part between the lines."""


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """A full screen of the console.

    Args:
        session: What all screens share.

    Attributes:
        view: Which commands work here.
        tab: Whose data the status line speaks of.
    """

    view: ClassVar[View]
    tab: Tab = "apps"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared by Textual
        (0, "-narrow"),
        (120, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (40, "-tall"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.status = Lines(id="status")
        self.heading = Lines(id="heading")
        self.footer = Lines(id="footer")
        self._commands = self._by_key(commands_of(self.view, session.commands))

    @staticmethod
    def _by_key(commands: Iterable[Command]) -> dict[str, Command]:
        return {key: command for command in commands for key in command.keys}

    def compose(self) -> ComposeResult:
        """Status, heading, body, footer."""
        yield self.status
        yield self.heading
        yield from self.compose_body()
        yield self.footer

    def compose_body(self) -> ComposeResult:
        """The widgets between the lines."""
        raise NotImplementedError

    def heading_line(self, width: int) -> Line:
        """The second line."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Draw what is known already."""
        self.refresh_data()

    def on_screen_resume(self) -> None:
        """Draw what came while another screen was shown."""
        self.call_after_refresh(self.refresh_data)

    def on_resize(self) -> None:
        """Lines depend on the width."""
        self.call_after_refresh(self.refresh_data)

    def refresh_data(self) -> None:
        """Bring everything on the screen up to date; called four times a second."""
        width = self.app.size.width
        if not self.is_mounted or not width:
            return
        session = self.session
        where = session.feed.surroundings
        facts = StatusFacts(
            context=where.context,
            namespaces=where.namespaces,
            read_only=where.read_only,
            controller=session.snapshot.controller,
            source=session.source(self.tab),
            unanswered=session.unanswered,
            slow_link=session.slow_link,
            errors=session.snapshot.sources.get(ERRORS),
            all_alike=len({source.condition for source in session.sources(self.tab)}) < 2,
        )
        self.status.show([status_line(facts, session.clock(), session.glyphs, width)])
        self.heading.show([self.heading_line(width)])
        self.refresh_footer()

    def refresh_footer(self) -> None:
        """Show the keys, or what there is to say."""
        width = self.app.size.width
        notice = self.session.notice
        if notice is None:
            lines = [footer_line(self._footer_commands(), self.session.refusals, width)]
        else:
            text = plain(printable(notice.text, limit=FOOTER_LINES * width), self.session.glyphs)
            lines = wrap(line(Span(" "), Span(text, notice.tone)), width - 1, " ")[:FOOTER_LINES]
        if self.footer.styles.height is None or self.footer.size.height != len(lines):
            self.footer.styles.height = len(lines)
        self.footer.show(lines)

    def _footer_commands(self) -> list[Command]:
        """What is for practice is named in a sandbox only."""
        sandbox = self.session.feed.surroundings.sandbox
        commands = footer_commands(self.view, self.session.commands)
        return [command for command in commands if sandbox or not command.verb or not VERBS[command.verb].practice]

    def on_key(self, event: events.Key) -> None:
        """Find the command of a key and run it."""
        event.stop()
        event.prevent_default()
        if self.app.screen is not self or self.session.dialog_pending:
            return  # typed ahead of a dialog that covers this screen, or is about to
        self.session.hear_key()
        self.session.hush()
        for key in parts_of(event):
            if not self.take_key(key):
                self._run_key(typed(key) or key.key)
        self.refresh_footer()

    def _run_key(self, key: str) -> None:
        command = self._commands.get(key)
        if command is not None:
            self.run_command(command)
        else:
            self.session.say(stray_key_words(key, self.view, self.session.commands), "dim")

    def take_key(self, event: events.Key) -> bool:  # noqa: ARG002 - screens with something to type know more
        """Take a key before it is looked up, e.g. while something is typed. True if it was taken."""
        return False

    def run_command(self, command: Command) -> None:
        """Do what a key asks for; what this screen does not know goes to the console."""
        name = f"do_{command.id.replace('.', '_')}"
        handler = getattr(self, name, None)
        if handler is not None:
            handler()
        else:
            self.post_message(Do(command, self.view))
