"""What all screens share: the newest data, where the operator is, and what there is to say."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from selfheal_cli import words
from selfheal_cli.last_words import troubled_pod
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot, Source
from selfheal_core.observe.sources import CONTROLLER, ERRORS
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import Command, all_commands, key_name
from selfheal_tui.feed import Feed
from selfheal_tui.navigation import Tab, Trail
from selfheal_tui.operation import Operation
from selfheal_tui.present.glyphs import Glyphs
from selfheal_tui.present.journal import OperationRecord
from selfheal_tui.present.spans import Tone
from selfheal_tui.present.status_line import MAIN_SOURCES, worst_source
from selfheal_tui.present.trends import Trends

RESTLESS_SECONDS = 2.0
"""For this long after a key, things may change without new data: answers to what it asked, the end of the hold."""
HOLD_SECONDS = 1.0
"""Rows don't move within this time after a key: the next key is meant for what the eye saw."""
MESSAGE_SECONDS = 8.0
LAST_WORDS_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell, until a moment."""

    text: str
    tone: Tone
    until: float


class Session:
    """State of the console, without a screen.

    Args:
        feed: The world.
        glyphs: Signs to draw with.
        clock: Seconds since the epoch.
        monotonic: For short times that must not jump with the wall clock.
        commands: Every command with its keys; the built-in ones by default.

    Attributes:
        keys: What to press instead of a built-in key, where the keymap says so.
        cautions: What is not known of our right to a verb that may be tried, by the verb's name.
        refusals: Why a verb can't be used on the present selection, by the verb's name.
        records: What the journal holds, by operation.
        dialog_pending: Whether a question was asked for and is not on the screen yet.
        dialog_open: Whether a question covers the screen.
        slow_link: Whether the terminal takes what is written only slowly.
    """

    def __init__(
        self,
        feed: Feed,
        glyphs: Glyphs,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        commands: tuple[Command, ...] | None = None,
    ) -> None:
        self.feed = feed
        self.glyphs = glyphs
        self.clock = clock
        self.monotonic = monotonic
        built_in = all_commands()
        self.commands: tuple[Command, ...] = built_in if commands is None else commands
        self.keys = {own.key: key_name(now.key) for own, now in zip(built_in, self.commands, strict=True) if own != now}
        self.snapshot = Snapshot(0, 0.0)
        self.trends = Trends()
        self.trail = Trail()
        self.refusals: dict[str, str] = {}
        self.cautions: dict[str, str] = {}
        self.operations: list[Operation] = []
        self.records: dict[str, OperationRecord] = {}
        self.dialog_pending = False
        self.dialog_open = False
        self.slow_link = False
        self._last_words: dict[tuple[Uid, int], str] = {}
        self._last_key_at = float("-inf")
        self._notice: Notice | None = None

    @property
    def all_namespaces(self) -> bool:
        """Whether rows have to say which namespace they are in."""
        return len(self.feed.surroundings.namespaces) != 1

    @property
    def held(self) -> bool:
        """Whether rows must stay where they are."""
        return self.dialog_open or self.monotonic() - self._last_key_at < HOLD_SECONDS

    @property
    def restless(self) -> bool:
        """Whether what is shown may change although no data came: by a key, a message, an operation."""
        recent = self.monotonic() - self._last_key_at < RESTLESS_SECONDS
        return recent or self._notice is not None or self.dialog_open or self.dialog_pending or bool(self.operations)

    def hear_key(self) -> None:
        """A key was pressed: rows stay for a while, and what was said has been read."""
        self._last_key_at = self.monotonic()

    def accept(self, snapshot: Snapshot) -> None:
        """Take the newest data, and say so when error rates come from elsewhere from now on."""
        before, after = self.snapshot.sources.get(ERRORS), snapshot.sources.get(ERRORS)
        if before is not None and after is not None and self.notice is None:
            self._tell_origin(before, after)
        self.snapshot = snapshot
        self.trends.record(snapshot, self.clock())

    def _tell_origin(self, before: Source, after: Source) -> None:
        if before.fresh_at is not None and before.origin != after.origin:
            why = f": {after.reason}" if after.reason else ""
            self.say(f"Error rates come from {words.source_origin(after, self.clock())}{why}.", "info")

    def forget_data(self) -> None:
        """Another scope was chosen; the old rows are not part of it."""
        self.snapshot = Snapshot(0, self.clock())

    def begin_anew(self) -> None:
        """Another cluster was chosen: nothing that was known or asked for belongs to it."""
        self.forget_data()
        self.trail = Trail()
        self.trends = Trends()
        self.refusals, self.cautions = {}, {}
        self._last_words.clear()

    def say(self, text: str, tone: Tone = "plain") -> None:
        """Tell the operator something in the last line."""
        self._notice = Notice(text, tone, self.monotonic() + MESSAGE_SECONDS)

    def hush(self) -> None:
        """Take back what was said."""
        self._notice = None

    @property
    def notice(self) -> Notice | None:
        """What there is to say now."""
        if self._notice is not None and self.monotonic() >= self._notice.until:
            self._notice = None
        return self._notice

    def sources(self, tab: Tab) -> list[Source]:
        """The streams without which a tab can't be trusted, as far as they are known."""
        sources = self.snapshot.sources
        return [sources[name] for name in MAIN_SOURCES[tab] if name in sources]

    def source(self, tab: Tab) -> Source | None:
        """The stream of a tab that is worst off; None before anything is known."""
        return worst_source(self.sources(tab))

    @property
    def unanswered(self) -> str:
        """Why the API server did not answer the question that is put to it every few seconds; "" if it did."""
        asked = self.snapshot.sources.get(CONTROLLER)
        return (asked.reason or asked.condition) if asked is not None and asked.condition == "lost" else ""

    def is_stale(self, tab: Tab) -> bool:
        """Whether a tab shows data that is no longer live; the journal, a file of this machine, never does."""
        source = self.source(tab) if tab != "journal" else None
        return source is not None and source.condition in ("stale", "lost", "forbidden")

    def running(self) -> list[Operation]:
        """Operations of ours that have been sent and have not ended."""
        return [operation for operation in self.operations if operation.running]

    def operation_on(self, target: Target, verb: str) -> Operation | None:
        """The running operation on a target that a verb has to wait for; for the same verb it is shown again.

        Something broken on purpose is watched while it heals: that must not stand in the way of what heals it.
        """
        running = [operation for operation in self.running() if operation.target == target]
        same = (operation for operation in running if operation.dialog.verb.name == verb)
        others = (operation for operation in running if not operation.dialog.verb.practice)
        return next(same, None) or (None if VERBS[verb].practice else next(others, None))

    def troubled_pod(self, app: Application) -> PodRow | None:
        """The pod of an application whose last words say most."""
        return troubled_pod(self.snapshot.pods[uid] for uid in app.pods if uid in self.snapshot.pods)

    def last_words(self, pod: PodRow | None) -> str | None:
        """The last line of the pod's previous run; None if it was not asked for yet."""
        return "" if pod is None else self._last_words.get((pod.uid, pod.restarts))

    def remember_last_words(self, pod: PodRow, text: str) -> None:
        """Keep an answer; a restart makes the next question."""
        if len(self._last_words) >= LAST_WORDS_LIMIT:
            self._last_words.pop(next(iter(self._last_words)))
        self._last_words[(pod.uid, pod.restarts)] = text
