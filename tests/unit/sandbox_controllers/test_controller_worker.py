"""The loop that runs a controller: errors are counted, logged and retried; nothing leaks to whoever writes."""

import asyncio
from collections.abc import Iterable

import pytest
import structlog

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.controllers.controller import Place, Worker, place_of
from selfheal_sandbox.controllers.keys import CONFIG_MAPS
from selfheal_sandbox.controllers.work_queue import RetryPolicy
from selfheal_sandbox.store.store import Change, Store
from tests.unit.sandbox_controllers.cluster import start_cluster


class Moody:
    """A controller that fails as told, then works."""

    name = "moody"
    watches = frozenset({CONFIG_MAPS})

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.done: list[Place] = []
        self.maps = True

    def items_for(self, change: Change) -> Iterable[Place]:
        if not self.maps:
            raise KeyError("bad mapping")
        return [place_of(change.new.obj)]

    def everything(self) -> Iterable[Place]:
        return [Place("ns", "old")]

    def reconcile(self, item: Place) -> float | None:
        if self.errors:
            raise self.errors.pop(0)
        self.done.append(item)
        return None


async def run(worker: Worker[Place], until: int) -> None:
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(3):
        while worker.counters.runs < until:
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("error", [ApiError(409, "Conflict", "changed"), RuntimeError("bug"), ValueError("bad")])
async def test_failed_work_is_counted_logged_and_retried(error: Exception) -> None:
    controller = Moody(error)
    worker = Worker(controller, RetryPolicy(0.01, 0.1), lambda: 1.0)
    worker.queue.add(Place("ns", "a"))
    with structlog.testing.capture_logs() as logs:
        await run(worker, until=2)
    assert controller.done == [Place("ns", "a")]
    assert (worker.counters.runs, worker.counters.errors) == (2, 1)
    failed = next(entry for entry in logs if entry["event"] == "reconcile failed")
    assert (failed["controller"], failed["retry_in"]) == ("moody", 0.01)


async def test_one_bad_item_does_not_hold_up_the_others() -> None:
    controller = Moody(RuntimeError("bug"))
    worker = Worker(controller, RetryPolicy(60, 60), lambda: 1.0)
    for name in ("bad", "good"):
        worker.queue.add(Place("ns", name))
    with structlog.testing.capture_logs():
        await run(worker, until=2)
    assert controller.done == [Place("ns", "good")]
    worker.queue.close()


async def test_error_in_a_mapping_does_not_reach_the_writer() -> None:
    controller = Moody()
    controller.maps = False
    worker = Worker(controller, RetryPolicy(), lambda: 1.0)
    store = Store()
    store.subscribe(worker.observe)
    with structlog.testing.capture_logs():
        store.put(CONFIG_MAPS, {"metadata": {"namespace": "ns", "name": "a"}})
    assert worker.counters.errors == 1
    assert len(worker.queue) == 0


async def test_resync_queues_everything() -> None:
    worker = Worker(Moody(), RetryPolicy(), lambda: 1.0)
    worker.resync()
    assert await worker.queue.get() == Place("ns", "old")


async def test_closed_controllers_leave_no_task_behind() -> None:
    before = asyncio.all_tasks()
    cluster = start_cluster()
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    await cluster.controllers.close()
    await cluster.controllers.close()
    assert asyncio.all_tasks() == before
    assert cluster.controllers.is_idle
