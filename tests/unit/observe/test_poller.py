"""A poller's book-keeping: how current its answers are, and what it says when there are none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from selfheal_core.cluster.kubernetes.api_errors import Forbidden, NotFound, Unauthorized, Unreachable
from selfheal_core.observe.poller import Poller
from selfheal_core.observe.sources import combined
from tests.unit.domain.builders import NOW, live


class Subject:
    """A poller whose answers are scripted; the last one is repeated."""

    def __init__(
        self, *answers: Exception | None, interval_seconds: float = 0.01, deadline_seconds: float = 1.0
    ) -> None:
        self._answers = list(answers)
        self.rounds = 0
        self.told = asyncio.Event()
        self.now = NOW
        self.poller = Poller(
            "metrics",
            self._answer,
            interval_seconds=interval_seconds,
            deadline_seconds=deadline_seconds,
            clock=lambda: self.now,
            on_change=self.told.set,
            absent="install metrics-server",
            random=lambda: 0.5,
        )

    async def _answer(self) -> None:
        self.rounds += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer


@asynccontextmanager
async def running(poller: Poller) -> AsyncIterator[None]:
    task = asyncio.create_task(poller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def after(subject: Subject, rounds: int = 1) -> None:
    async with asyncio.timeout(5):
        while subject.rounds < rounds or not subject.told.is_set():
            await asyncio.sleep(0.001)


async def test_is_live_after_a_good_answer() -> None:
    subject = Subject(None)
    before = subject.poller.source
    async with running(subject.poller):
        await after(subject)
    assert (before.condition, subject.poller.source.condition) == ("connecting", "live")
    assert subject.poller.source.fresh_at == NOW
    assert subject.poller.source.retry_at is None


@pytest.mark.parametrize(
    ("error", "condition", "reason"),
    [
        (Unreachable("connection refused"), "lost", "connection refused"),
        (Forbidden("not allowed to list pods", verb="list", resource="pods", namespace=""), "forbidden", "not allowed"),
        (NotFound("no such path"), "absent", "install metrics-server"),
        (KeyError("items"), "lost", "its answer makes no sense (KeyError)"),
    ],
)
async def test_says_why_there_is_no_answer(error: Exception, condition: str, reason: str) -> None:
    subject = Subject(error)
    async with running(subject.poller):
        await after(subject)
    source = subject.poller.source
    assert source.condition == condition
    assert reason in source.reason
    assert source.fresh_at is None
    assert source.retry_at == pytest.approx(NOW + 1.0)


async def test_keeps_the_age_of_its_last_answer() -> None:
    subject = Subject(None, Unreachable("gone"))
    async with running(subject.poller):
        await after(subject)
        subject.now = NOW + 40
        await after(subject, 2)
    assert subject.poller.source.condition == "lost"
    assert (subject.poller.source.fresh_at, subject.poller.source.since) == (NOW, NOW + 40)


async def test_a_round_that_hangs_is_given_up() -> None:
    async def hang() -> None:
        await asyncio.sleep(60)

    told = asyncio.Event()
    poller = make(hang, told)
    async with running(poller), asyncio.timeout(5):
        await told.wait()
    assert poller.source.reason == "no answer within 0.05 s"


def make(poll: Callable[[], Awaitable[None]], told: asyncio.Event) -> Poller:
    return Poller("metrics", poll, interval_seconds=10, deadline_seconds=0.05, clock=lambda: NOW, on_change=told.set)


async def test_waking_asks_again_at_once_while_not_live() -> None:
    subject = Subject(Unreachable("gone"), None, interval_seconds=600)
    async with running(subject.poller):
        await after(subject)
        await asyncio.sleep(0)
        subject.poller.wake()
        await after(subject, 2)
        assert subject.poller.source.condition == "live"
        subject.poller.wake()
        await asyncio.sleep(0.01)
    assert subject.rounds == 2


def test_several_streams_of_one_name_are_as_bad_as_the_worst_and_as_old_as_the_oldest() -> None:
    good, bad = live("pods", age=5)["pods"], live("pods", age=50)["pods"]
    lost = Subject(None).poller.source
    assert combined([good]) is good
    assert combined([good, bad]).fresh_at == NOW - 50
    both = combined([good, lost])
    assert (both.condition, both.fresh_at) == ("connecting", None)


async def test_refused_credentials_are_tried_again_at_the_usual_pace() -> None:
    subject = Subject(Unauthorized("401"), interval_seconds=15.0)
    async with running(subject.poller):
        await after(subject)
        for rounds in (2, 3):
            subject.poller.wake()
            await after(subject, rounds)
        assert subject.poller.source.reason.startswith("credentials refused (401)")
        assert subject.poller.source.retry_at is not None
        assert subject.poller.source.retry_at - subject.now <= 16.0
