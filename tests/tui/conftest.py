"""The console on paper: a scripted feed, a clock that stands still, and a way to read the screen."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from textual import events

from selfheal_core.domain.snapshot import Snapshot
from selfheal_tui.app import SelfhealApp
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import NOW, ShowcaseFeed, showcase_snapshot


@pytest.fixture(autouse=True, scope="session")
def utc() -> Iterator[None]:
    """Clock times on the screens are local times; here the place is Greenwich."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


KEY_NAMES = {
    "-": "minus",
    ":": "colon",
    ">": "greater_than_sign",
    "<": "less_than_sign",
    " ": "space",
    "=": "equals_sign",
    "!": "exclamation_mark",
    "/": "slash",
    "?": "question_mark",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "@": "at",
}


class ManualClock:
    """Moves only when told."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Console:
    """A console under test.

    Attributes:
        clock: Wall clock of the console.
        pulse: Its monotonic clock, by which rows are held after a key.
    """

    app: SelfhealApp
    feed: ShowcaseFeed
    clock: ManualClock
    pulse: ManualClock

    def screen_lines(self) -> list[str]:
        """The screen as text, line by line, dialogs included."""
        lines = [[" "] * self.app.size.width for _ in range(self.app.size.height)]
        for screen in (*self.app._background_screens, self.app.screen):
            for y, strip in enumerate(screen._compositor.render_strips(self.app.size)):
                for x, character in enumerate(strip.text[: self.app.size.width]):
                    if screen is self.app.screen and screen.is_modal and not _in_box(screen, x, y):
                        continue
                    lines[y][x] = character
        return ["".join(line).rstrip() for line in lines]

    def screen_text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.screen_lines())

    async def settle(self) -> None:
        """Draw what came, let what was asked be answered, draw that."""
        for _ in range(2):
            self.app.frame()
            await self._work_off()

    async def _work_off(self, rounds: int = 3) -> None:
        """Wait until app and screens have worked off their messages, and what those led to."""
        for _ in range(rounds):
            for pump in (self.app, *self.app.screen_stack):
                done = asyncio.Event()
                pump.call_later(done.set)
                async with asyncio.timeout(10):
                    # A screen that is closed meanwhile answers no more.
                    while not done.is_set() and pump in (self.app, *self.app.screen_stack):
                        await asyncio.sleep(0.001)
            for screen in self.app.screen_stack:
                screen._on_timer_update()

    async def show(self, snapshot: Snapshot) -> None:
        """Another snapshot arrives."""
        self.feed.snapshot = snapshot
        await self.settle()

    def send_key(self, key: str) -> None:
        """A key arrives from the terminal."""
        name = KEY_NAMES.get(key, key)
        character = key if len(key) == 1 else None
        self.app.post_message(events.Key(name, character))

    async def press(self, *keys: str) -> None:
        """Press keys one by one, each after what the one before has drawn."""
        for key in keys:
            self.send_key(key)
            await self._work_off()
        await self.settle()

    async def press_quickly(self, *keys: str) -> None:
        """Press keys one by one, each after the one before was worked off; the screen is not brought up to date."""
        for key in keys:
            self.send_key(key)
            await self._work_off(rounds=1)

    async def type_text(self, text: str) -> None:
        """Type a text."""
        for character in text:
            self.send_key(character)
        await self.settle()

    def cursor_line(self) -> str:
        """The line that the cursor's sign is on."""
        return next((line for line in self.screen_lines() if line.startswith("▸")), "")


def _in_box(screen: object, x: int, y: int) -> bool:
    region = screen.box.region  # type: ignore[attr-defined]
    return bool(region.contains(x, y))


@pytest.fixture
def make_console() -> Callable[..., Console]:
    """Makes a console on a scripted feed; run it with ``run_test``."""

    def make(feed: ShowcaseFeed | None = None) -> Console:
        clock, pulse = ManualClock(), ManualClock(1_000.0)
        chosen = feed or ShowcaseFeed()
        session = Session(chosen, UNICODE, clock=clock, monotonic=pulse)
        return Console(SelfhealApp(session), chosen, clock, pulse)

    return make


@pytest.fixture
def shown() -> Snapshot:
    """Five applications with something of everything."""
    return showcase_snapshot()
