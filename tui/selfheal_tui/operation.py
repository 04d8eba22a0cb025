"""One verb on its way: preview, confirmation, run. It goes on when its dialog is closed."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

from selfheal_core.errors import SelfhealError
from selfheal_core.ops.operation import Preview, Progress, Target
from selfheal_core.ops.registry import Verb
from selfheal_tui.feed import Feed
from selfheal_tui.present.confirmation import Dialog, Wish, doing, pasted, press, tick, with_preview, with_step


class Operation:
    """State of one request of a verb, and what happens to it.

    Args:
        feed: Where previews come from and where it is run.
        verb: What is asked for.
        target: On what.
        parameters: Chosen so far, e.g. the revision.
        clock: Seconds since the epoch.

    Attributes:
        dialog: What is to be drawn.
        changed: Called after every change of ``dialog``.
    """

    def __init__(
        self,
        feed: Feed,
        verb: Verb,
        target: Target,
        parameters: dict[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self.dialog = Dialog(verb, choices=parameters)
        self.changed: Callable[[], None] = lambda: None
        self._feed = feed
        self._clock = clock

    @property
    def running(self) -> bool:
        """Whether something was sent, or is about to be, and has not ended."""
        return self.dialog.stage in ("countdown", "running")

    async def compute(self) -> None:
        """Compute the preview for the parameters chosen."""
        verb = self.dialog.verb.name
        try:
            preview = await self._feed.preview(verb, self.target, dict(self.dialog.choices))
        except SelfhealError as error:
            preview = _impossible(self.dialog, self.target, str(error), self._clock())
        if self.dialog.stage == "computing":
            self._become(with_preview(self.dialog, preview))

    def press(self, key: str, character: str | None) -> Wish:
        """Take a key; the wish that comes back is for whoever draws the dialog."""
        after, wish = press(self.dialog, key, character)
        self._become(after)
        return wish

    def paste(self, text: str) -> None:
        """Take pasted text."""
        self._become(pasted(self.dialog, text))

    def tick(self) -> Wish:
        """A second passed."""
        after, wish = tick(self.dialog)
        if after is not self.dialog:
            self._become(after)
        return wish

    async def run(self) -> None:
        """Send it and follow it to its end. A world that moved leads back to a new preview that says so."""
        preview = self.dialog.preview
        assert preview is not None
        self._become(replace(self.dialog, stage="running", steps=(), started_at=self._clock()))
        try:
            async with aclosing(self._feed.run(preview, self.dialog.reason)) as steps:
                await self._follow(steps)
        except SelfhealError as error:
            self._end("failed", str(error))
        if self.dialog.stage == "running":
            self._end("failed", "the operation ended without a result")
        if self.dialog.steps and self.dialog.steps[-1].phase == "refused":
            await self._ask_again(self.dialog.steps[-1])

    async def _follow(self, steps: AsyncIterator[Progress]) -> None:
        # To the very end: closing the iterator before it ends by itself means to give the operation up.
        async for step in steps:
            self._become(with_step(self.dialog, step))

    async def _ask_again(self, refusal: Progress) -> None:
        notice = f"Refused, nothing was changed: {refusal.text}. Look again."
        self._become(replace(self.dialog, stage="computing", steps=(), notice=notice, typed="", reason=""))
        await self.compute()

    def _end(self, phase: str, text: str) -> None:
        step = Progress(self.operation_id, phase, text, self._clock(), "look at the Journal: @")  # type: ignore[arg-type]
        self._become(with_step(self.dialog, step))

    @property
    def operation_id(self) -> str:
        """Identity of the run; "" before its first step."""
        return self.dialog.steps[-1].operation_id if self.dialog.steps else ""

    async def cancel(self) -> None:
        """Ask the running operation to stop before its next write."""
        if self.operation_id:
            await self._feed.cancel(self.operation_id)

    def _become(self, dialog: Dialog) -> None:
        if dialog is not self.dialog:
            self.dialog = dialog
            self.changed()


def _impossible(dialog: Dialog, target: Target, why: str, now: float) -> Preview:
    """A preview that only says why there is none."""
    title = doing(dialog.verb, target.name)
    return Preview(dialog.verb.name, target, dialog.verb.impact, title, (), "", {}, refusal=why, computed_at=now)
