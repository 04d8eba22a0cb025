"""What all screens share: the newest data, where the operator is, and what there is to say."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot, Source
from selfheal_core.observe.sources import CONTROLLER
from selfheal_core.ops.operation import Target
from selfheal_tui.commands import Command, all_commands
from selfheal_tui.feed import Feed
from selfheal_tui.navigation import Tab, Trail
from selfheal_tui.operation import Operation
from selfheal_tui.present.glyphs import Glyphs
from selfheal_tui.present.spans import Tone
from selfheal_tui.present.status_line import MAIN_SOURCES, worst_source
from selfheal_tui.present.trends import Trends

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

    Attributes:
        refusals: Why a verb can't be used on the present selection, by the verb's name.
        dialog_pending: Whether a question was asked for and is not on the screen yet.
        dialog_open: Whether a question covers the screen.
    """

    def __init__(
        self,
        feed: Feed,
        glyphs: Glyphs,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.feed = feed
        self.glyphs = glyphs
        self.clock = clock
        self.monotonic = monotonic
        self.commands: tuple[Command, ...] = all_commands()
        self.snapshot = Snapshot(0, 0.0)
        self.trends = Trends()
        self.trail = Trail()
        self.refusals: dict[str, str] = {}
        self.operations: list[Operation] = []
        self.dialog_pending = False
        self.dialog_open = False
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

    def hear_key(self) -> None:
        """A key was pressed: rows stay for a while, and what was said has been read."""
        self._last_key_at = self.monotonic()

    def accept(self, snapshot: Snapshot) -> None:
        """Take the newest data."""
        self.snapshot = snapshot
        self.trends.record(snapshot, self.clock())

    def forget_data(self) -> None:
        """Another scope was chosen; the old rows are not part of it."""
        self.snapshot = Snapshot(0, self.clock())

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
        """Whether a tab shows data that is no longer live."""
        source = self.source(tab)
        return source is not None and source.condition in ("stale", "lost", "forbidden")

    def running(self) -> list[Operation]:
        """Operations of ours that have been sent and have not ended."""
        return [operation for operation in self.operations if operation.running]

    def operation_on(self, target: Target) -> Operation | None:
        """The running operation on a target, if there is one."""
        return next((operation for operation in self.running() if operation.target == target), None)

    def troubled_pod(self, app: Application) -> PodRow | None:
        """The pod of an application whose last words say most: bad, with restarts, the most recent one."""
        pods = [self.snapshot.pods[uid] for uid in app.pods if uid in self.snapshot.pods]
        candidates = [pod for pod in pods if pod.restarts and pod.severity in ("bad", "warn")]
        return max(candidates, key=lambda pod: (pod.severity == "bad", pod.last_restart_at or 0.0), default=None)

    def last_words(self, pod: PodRow | None) -> str | None:
        """The last line of the pod's previous run; None if it was not asked for yet."""
        return "" if pod is None else self._last_words.get((pod.uid, pod.restarts))

    def remember_last_words(self, pod: PodRow, text: str) -> None:
        """Keep an answer; a restart makes the next question."""
        if len(self._last_words) >= LAST_WORDS_LIMIT:
            self._last_words.pop(next(iter(self._last_words)))
        self._last_words[(pod.uid, pod.restarts)] = text
