"""The work queue: one item once, timers, back-off."""

import asyncio

import pytest

from selfheal_sandbox.controllers.work_queue import RetryPolicy, WorkQueue

FAST = RetryPolicy(0.01, 0.04)


def queue(chance: float = 1.0, policy: RetryPolicy = FAST) -> WorkQueue[str]:
    return WorkQueue(policy, lambda: chance)


async def test_item_added_twice_is_worked_on_once() -> None:
    subject = queue()
    for item in ("a", "b", "a"):
        subject.add(item)
    assert [await subject.get(), await subject.get()] == ["a", "b"]
    assert len(subject) == 0


async def test_getter_waits_for_an_item() -> None:
    subject = queue()
    waiting = asyncio.create_task(subject.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    subject.add("a")
    assert await waiting == "a"


async def test_of_two_times_the_earlier_counts() -> None:
    subject = queue()
    subject.add_after("a", 60)
    subject.add_after("a", 0.01)
    subject.add_after("a", 30)
    assert subject.timers == 1
    async with asyncio.timeout(1):
        assert await subject.get() == "a"
    assert subject.timers == 0


async def test_taking_an_item_out_clears_its_timer() -> None:
    subject = queue()
    subject.add_after("a", 60)
    subject.add("a")
    assert await subject.get() == "a"
    assert subject.timers == 0


async def test_failures_double_the_wait_up_to_the_maximum_until_forgotten() -> None:
    subject = queue()
    waits = []
    for _ in range(4):
        waits.append(subject.retry("a"))
        await subject.get()
    assert waits == [0.01, 0.02, 0.04, 0.04]
    subject.forget("a")
    assert subject.retry("a") == 0.01
    subject.close()


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0.5), (1.0, 1.0), (0.5, 0.75)])
def test_jitter_takes_up_to_half_of_the_wait(chance: float, expected: float) -> None:
    assert RetryPolicy(1.0, 60.0).delay_seconds(1, chance) == expected


def test_many_failures_do_not_overflow() -> None:
    assert RetryPolicy(0.2, 60.0).delay_seconds(5000, 1.0) == 60.0


def test_speed_divides_every_time() -> None:
    assert RetryPolicy(0.2, 60.0).at_speed(10) == RetryPolicy(0.02, 6.0)


async def test_closing_drops_items_and_timers() -> None:
    subject = queue()
    subject.add("a")
    subject.add_after("b", 60)
    subject.close()
    assert (len(subject), subject.timers) == (0, 0)
