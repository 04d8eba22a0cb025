"""Waiting for an event: it ends in time, and whoever waits can be cancelled at any moment."""

import asyncio

import pytest

from selfheal_core.waiting import set_within


async def test_says_that_the_event_came() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)

    assert await set_within(event, 10.0)


async def test_gives_up_when_the_time_is_over() -> None:
    assert not await set_within(asyncio.Event(), 0.01)


@pytest.mark.parametrize("turns", range(5))
async def test_a_loop_of_waits_hears_a_cancellation_that_comes_together_with_the_event(turns: int) -> None:
    event = asyncio.Event()
    rounds = 0

    async def again_and_again() -> None:
        nonlocal rounds
        while True:
            await set_within(event, 10.0)
            event.clear()
            rounds += 1

    task = asyncio.create_task(again_and_again())
    await _turns(5)
    event.set()
    await _turns(turns)
    task.cancel()
    await _turns(5)

    assert task.done(), f"it went on after {rounds} rounds"
    assert task.cancelled()


async def _turns(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)
