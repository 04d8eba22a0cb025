"""An application that adds no frame to a terminal that does not keep up, and paints whole once it does again."""

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.screen import Screen

from selfheal_tui.terminal.link import Link
from selfheal_tui.terminal.pace import Pace

ALWAYS_SAFE_KEYS = frozenset({"escape", "ctrl+c"})


class PacedApp(App[None], inherit_bindings=False):
    """What of the console concerns the terminal.

    Attributes:
        link: How well the terminal takes what is written.
        pace: When to draw.
        ascii_only: Whether the terminal shows nothing but ASCII.
        owes: Whether frames were left out, so that what the terminal shows is old.
    """

    def __init__(self, link: Link | None = None, *, ascii_only: bool = False) -> None:
        # The terminal's own sixteen colours: readable on every background, and no downgrade can spoil them.
        super().__init__(ansi_color=True)
        self.link = link or Link()
        self.pace = Pace()
        self.ascii_only = ascii_only
        self.owes = False

    def get_driver_class(self) -> type[Driver]:
        """The driver with our own writer."""
        from selfheal_tui.terminal.driver import ConsoleDriver

        return ConsoleDriver

    def _display(self, screen: Screen[object], renderable: object) -> None:
        """Paint, unless too much waits already: then the newest state is painted once the terminal has caught up."""
        if self.link.full:
            self.owes = True
        else:
            super()._display(screen, renderable)  # type: ignore[arg-type]  # Rich's type of anything that renders

    def on_relieved(self, message: events.Event) -> None:
        """The terminal reads again: paint everything as it is now."""
        wholly = getattr(message, "wholly", False)
        if (self.owes or wholly) and self.screen_stack:
            self.owes = False
            self.screen.refresh()

    async def on_event(self, event: events.Event) -> None:
        """Keys that were typed at a question which the terminal has not shown yet answer nothing."""
        unseen = self.owes and bool(self.screen_stack) and self.screen.is_modal
        if unseen and isinstance(event, events.Key) and event.key not in ALWAYS_SAFE_KEYS:
            return
        await super().on_event(event)
