"""What a controller is, and the loop that runs one.

A controller says which of its items a change in the store concerns, and brings one item to where it should be. It
reads the present state when it works, never the change, so that changes may come together, twice, or late.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

import structlog

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.controllers.work_queue import RetryPolicy, WorkQueue
from selfheal_sandbox.store.objects import Key, Object, name_of, namespace_of
from selfheal_sandbox.store.store import Change

_log = structlog.get_logger(__name__)

ItemT = TypeVar("ItemT", bound=Hashable)


class Place(NamedTuple):
    """Where an object of a known kind is; ``namespace`` is "" for cluster-scoped kinds."""

    namespace: str
    name: str


def place_of(obj: Object) -> Place:
    """Return where an object is."""
    return Place(namespace_of(obj), name_of(obj))


class Controller(Protocol[ItemT]):
    """One control loop."""

    @property
    def name(self) -> str:
        """Its name in logs and counters, as kube-controller-manager calls it."""
        ...

    @property
    def watches(self) -> frozenset[Key] | None:
        """The kinds whose changes concern it; None for all kinds."""
        ...

    def items_for(self, change: Change) -> Iterable[ItemT]:
        """Return the items a change concerns; called inside the write, so it must be quick and write nothing."""
        ...

    def everything(self) -> Iterable[ItemT]:
        """Return every item there is, for the start and for the periodic resync."""
        ...

    def reconcile(self, item: ItemT) -> float | None:
        """Bring one item to where it should be; return in how many seconds to look again, None for not by time.

        Raises:
            ApiError: a write was refused; the item is tried again after a back-off.
        """
        ...


class Counters:
    """What a controller's loop did so far.

    Attributes:
        runs: items worked on.
        errors: runs that raised.
        busy_seconds: time spent in runs.
    """

    __slots__ = ("busy_seconds", "errors", "runs")

    def __init__(self) -> None:
        self.runs = 0
        self.errors = 0
        self.busy_seconds = 0.0


class Worker(Generic[ItemT]):
    """Runs one controller: takes items from its queue, one at a time, and lets the loop breathe after each."""

    def __init__(self, controller: Controller[ItemT], policy: RetryPolicy, chance: Callable[[], float]) -> None:
        self.controller = controller
        self.counters = Counters()
        self.queue: WorkQueue[ItemT] = WorkQueue(policy, chance)

    def observe(self, change: Change) -> None:
        """Queue what a change concerns; an error in a controller's mapping must not reach whoever wrote."""
        try:
            for item in self.controller.items_for(change):
                self.queue.add(item)
        except Exception:  # noqa: BLE001 (top of the path of a change: the writer is not to blame)
            self.counters.errors += 1
            _log.exception("change not mapped", controller=self.controller.name, kind=change.key[1])

    def resync(self) -> None:
        """Queue every item."""
        for item in self.controller.everything():
            self.queue.add(item)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            item = await self.queue.get()
            self._work(item)
            await asyncio.sleep(0)

    def _work(self, item: ItemT) -> None:
        started = time.perf_counter()
        self.counters.runs += 1
        try:
            again = self.controller.reconcile(item)
        except ApiError as error:
            self._failed(item, error.message)
        except Exception as error:  # noqa: BLE001 (top of the control loop: one bad object must not stop the others)
            _log.exception("reconcile crashed", controller=self.controller.name, item=item)
            self._failed(item, repr(error))
        else:
            self.queue.forget(item)
            if again is not None:
                self.queue.add_after(item, again)
        self.counters.busy_seconds += time.perf_counter() - started

    def _failed(self, item: ItemT, why: str) -> None:
        self.counters.errors += 1
        delay = self.queue.retry(item)
        _log.warning(
            "reconcile failed", controller=self.controller.name, item=item, error=why, retry_in=round(delay, 2)
        )


def newest(change: Change) -> Object:
    """Return the object of a change, in its last state when it was deleted."""
    return change.new.obj


def states(change: Change) -> list[Object]:
    """Return the object before and after a change, as far as there is a before and an after."""
    before = [change.old.obj] if change.old else []
    return before if change.type == "DELETED" else [*before, change.new.obj]


def differs(change: Change, facts: Callable[[Object], object]) -> bool:
    """Return whether a change added or removed the object or changed what ``facts`` tells about it."""
    if change.type != "MODIFIED" or change.old is None:
        return True
    return facts(change.old.obj) != facts(change.new.obj)


def intent(obj: Object) -> object:
    """Return everything about an object except its status and bookkeeping: what its author wants."""
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _BOOKKEEPING}
    return metadata, {field: value for field, value in obj.items() if field not in ("status", "metadata")}


_BOOKKEEPING = frozenset({"resourceVersion", "managedFields"})
